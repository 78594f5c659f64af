//! The log sink against text that Heapster printed (golden/log/recorded.txt from a real cluster,
//! summary.txt from a made one, the labels of its accelerators sorted).
//!
//! Each file is read into a batch, which is printed again: equal text means equal format.

use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};

use model::{Batch, Draft, EntityKind, LabelOptions, Registry, StoredLabel, Timestamp};

use crate::batches::read;

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn print(batch: &Batch, settings: &[(&str, &str)], stored: &[StoredLabel]) -> String {
    let output = Shared::default();
    let settings = settings.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    let mut sink = sinks::find("log")
        .unwrap()
        .build(sinks::Setup {
            settings: settings.collect(),
            labels: LabelOptions { stored: stored.to_vec(), ..LabelOptions::default() },
            output: Box::new(output.clone()),
            clock: sinks::Clock::default(),
        })
        .unwrap();
    sink.export(batch).unwrap();
    String::from_utf8(std::mem::take(&mut *output.0.lock().unwrap())).unwrap()
}

fn check(file: &str, stored: &[StoredLabel]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/log").join(file);
    let expected = std::fs::read_to_string(path).unwrap();
    let printed = print(&read(&expected), &[], stored);
    for (line, (printed, expected)) in printed.lines().zip(expected.lines()).enumerate() {
        assert_eq!(printed, expected, "{file}, line {}", line + 1);
    }
    assert_eq!(printed.trim_end(), expected.trim_end());
    assert!(printed.ends_with("\n\n"), "a blank line ends each set");
}

#[test]
fn a_recorded_batch_prints_as_heapster_printed_it() {
    check("recorded.txt", &[]);
}

#[test]
fn a_made_batch_prints_as_heapster_printed_it() {
    check("summary.txt", &[StoredLabel { key: "app".into(), name: "myapp".into() }]);
}

#[test]
fn what_heapster_lacked_is_printed_only_when_asked_for() {
    let mut draft = Draft::new(Timestamp::from_secs(60), Registry::default());
    let workload = draft.registry.workload("ns", "Deployment", "web");
    let row = draft.insert(&workload).row;
    draft.table_mut(EntityKind::Workload).set_int(row, model::metric::PODS, 3);
    let cluster = draft.registry.cluster();
    let row = draft.insert(&cluster).row;
    draft.table_mut(EntityKind::Cluster).set_int(row, model::metric::PODS, 4);
    let (batch, _) = draft.freeze();
    let old = print(&batch, &[], &[]);
    assert!(old.contains("MetricSet: cluster\n") && !old.contains("workload"), "{old}");
    assert!(!old.contains("pods"), "{old}");
    let all = print(&batch, &[("metrics", "all")], &[]);
    assert!(all.contains("MetricSet: namespace:ns/workload:Deployment/web\n"), "{all}");
    assert!(all.contains("      pods = 3\n") && all.contains("      pods = 4\n"), "{all}");
}
