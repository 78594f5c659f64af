//! Hawkular's tags: a request for each series, so that only some go with one batch.

use model::{Draft, EntityKind, Registry, Timestamp, metric};
use sinks::bench::Encoder;

#[test]
fn a_flood_of_new_series_gets_its_tags_with_later_batches() {
    let kind = sinks::find("hawkular").unwrap();
    let mut encoder = Encoder::new(kind, &[("tagRequests", "4")]).unwrap();
    let mut draft = Draft::new(Timestamp::from_secs(60), Registry::default());
    for number in 0..10 {
        let namespace = draft.registry.namespace(&format!("ns-{number}"));
        let row = draft.insert(&namespace).row;
        draft.table_mut(EntityKind::Namespace).set_int(row, metric::MEMORY_USAGE, 1);
    }
    let batch = draft.freeze().0;
    let mut tagged = Vec::new();
    for expected in [4, 4, 2, 0] {
        let (mut tags, mut values) = (Vec::new(), 0);
        encoder.encode(&batch, |request| {
            let text = std::str::from_utf8(request).unwrap();
            if text.starts_with("PUT ") {
                tags.push(text.lines().next().unwrap().to_owned());
            } else {
                values += text.matches("\"value\"").count();
            }
        });
        assert_eq!((tags.len(), values), (expected, 10), "every value goes at once");
        tagged.extend(tags);
    }
    tagged.sort_unstable();
    tagged.dedup();
    assert_eq!(tagged.len(), 10, "each series once");
}
