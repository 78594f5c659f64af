//! Every kind against every fixture: what it writes is in `golden/<kind>/<fixture>.txt`, which
//! `cargo xtask golden` rewrites. Each kind is set up as its own example says.

use std::path::{Path, PathBuf};

use model::{Batch, Draft, EntityKind, Event, EventBatch, Registry, Timestamp, metric};
use sinks::Kind;
use sinks::bench::{AlertEncoder, Encoder, EventEncoder};

use crate::alerts::alerts;
use crate::batches::read;
use crate::events::{recorded, timeless};
use crate::golden::golden;

/// The settings of a kind's example, the address among them.
pub(crate) fn example(kind: &Kind) -> Vec<(String, String)> {
    let rest = kind.example.split_once(':').map_or("", |(_, rest)| rest);
    let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
    let address = (!address.is_empty()).then(|| ("address".to_owned(), address.to_owned()));
    let pairs = form_urlencoded::parse(query.as_bytes()).into_owned();
    // Secrets in files are not there when a test runs.
    let pairs = pairs.filter(|(name, _)| !name.ends_with("_file"));
    address.into_iter().chain(pairs).collect()
}

fn borrowed(settings: &[(String, String)]) -> Vec<(&str, &str)> {
    settings.iter().map(|(name, value)| (&**name, &**value)).collect()
}

/// Names and values at the edges of what formats can say.
fn edges() -> Batch {
    let mut draft = Draft::new(Timestamp::from_millis(1_577_934_240_123), Registry::default());
    let node = draft.registry.node("nœud-1");
    let row = draft.insert(&node).row;
    let table = draft.table_mut(EntityKind::Node);
    table.set_started(row, Timestamp::from_secs(1_577_930_640));
    table.set_int(row, metric::CPU_USAGE, i64::MAX);
    table.set_int(row, metric::MEMORY_USAGE, i64::MIN);
    table.set_int(row, metric::MEMORY_WORKING_SET, 0);
    table.set_float(row, metric::CPU_NODE_UTILIZATION, 1e-9);
    table.set_float(row, metric::CPU_NODE_CAPACITY, f64::INFINITY);
    table.set_float(row, metric::NETWORK_RX_RATE, 1.5e300);
    let pod = draft.registry.pod("a b", "p,=\"\\|:\n<é>", "u");
    let row = draft.insert(&pod).row;
    let table = draft.table_mut(EntityKind::Pod);
    table.set_started(row, Timestamp::from_secs(1_577_930_640));
    table.set_int(row, metric::CPU_USAGE_RATE, -1);
    let volume = draft.registry.part(EntityKind::Volume, &pod, "Volume:a/b.c");
    let row = draft.insert(&volume).row;
    draft.table_mut(EntityKind::Volume).set_int(row, metric::FILESYSTEM_USAGE, 7);
    std::sync::Arc::into_inner(draft.freeze().0).unwrap()
}

fn events() -> EventBatch {
    let mut batch = recorded();
    batch.events.push(timeless());
    let message = "<a> & \"b\"\n\tç\\";
    batch.events.push(Event { message: message.into(), object: None, ..batch.events[0].clone() });
    batch
}

/// Text where it is text; else in Rust's escapes.
fn shown(sent: &[Vec<u8>]) -> String {
    let mut out = String::new();
    for bytes in sent {
        match std::str::from_utf8(bytes) {
            Ok(text) if !text.contains(|letter: char| letter.is_control() && letter != '\n') => {
                out.push_str(text);
            }
            _ => out.push_str(&bytes.escape_ascii().to_string()),
        }
        if !out.ends_with('\n') {
            out.push('\n');
        }
    }
    out
}

fn path(kind: &Kind, fixture: &str) -> PathBuf {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    golden.join(kind.key).join(format!("all-{fixture}.txt"))
}

/// Compares what was written with the golden file, or rewrites that.
fn check(kind: &Kind, fixture: &str, sent: &[Vec<u8>], wrong: &mut Vec<String>) {
    let (path, written) = (path(kind, fixture), shown(sent));
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, written).unwrap();
        return;
    }
    match std::fs::read_to_string(&path) {
        Ok(expected) if expected == written => {}
        Ok(_) => wrong.push(format!("{}/{fixture} writes something else", kind.key)),
        Err(_) => wrong.push(format!("{} is missing", path.display())),
    }
}

#[test]
fn every_kind_writes_every_fixture_as_it_always_did() {
    let empty = std::sync::Arc::into_inner(
        Draft::new(Timestamp::from_secs(60), Registry::default()).freeze().0,
    );
    let batches =
        [("empty", empty.unwrap()), ("wire", read(&golden("wire.txt"))), ("edges", edges())];
    let mut wrong = Vec::new();
    for kind in sinks::ALL {
        let settings = example(kind);
        for (fixture, batch) in batches.iter().filter(|_| kind.takes_metrics()) {
            let mut encoder = Encoder::new(kind, &borrowed(&settings)).unwrap();
            let mut sent = Vec::new();
            encoder.encode(batch, |bytes| sent.push(bytes.to_vec()));
            check(kind, fixture, &sent, &mut wrong);
        }
        if kind.takes_events() {
            let mut encoder = EventEncoder::new(kind, &borrowed(&settings)).unwrap();
            let mut sent = Vec::new();
            encoder.encode(&events(), |bytes| sent.push(bytes.to_vec()));
            check(kind, "events", &sent, &mut wrong);
        }
        if kind.takes_alerts() {
            let mut encoder = AlertEncoder::new(kind, &borrowed(&settings)).unwrap();
            let mut sent = Vec::new();
            encoder.encode(&alerts(), |bytes| sent.push(bytes.to_vec()));
            check(kind, "alerts", &sent, &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "{}; look at it, then cargo xtask golden", wrong.join("; "));
}
