//! The corpus of the fuzz targets: messages to begin with, and every input that once broke a
//! reader.
//!
//! `cargo xtask fuzz` begins with these files; what it finds is kept here as `crash-*`.

use api::fuzz::TARGETS;

use super::intake::{first_version, otlp_json, put, second_version, snappy};

#[path = "../../../store/tests/it/fuzzed/corpus.rs"]
mod corpus;

/// Messages that senders send.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let labels = [("__name__", "http_requests_total"), ("job", "j")];
    match target {
        "snappy" => {
            // "ab", then eight bytes copied from two back, by each kind of copy.
            let copies = [&[8 << 2 | 1, 2][..], &[7 << 2 | 2, 2, 0], &[7 << 2 | 3, 2, 0, 0, 0]];
            let blocks = copies.map(|copy| [&[10, 1 << 2, b'a', b'b'][..], copy].concat());
            [vec![snappy(&first_version(&labels)), snappy(&[])], blocks.into()].concat()
        }
        "write1" => vec![first_version(&labels), first_version(&[])],
        "write2" => vec![second_version()],
        "otlp" => vec![otlp_message()],
        "otlpjson" => vec![otlp_json().to_string().into_bytes()],
        "read" => vec![read_request()],
        other => panic!("no inputs for {other}"),
    }
}

/// A gauge, a sum, a histogram and a summary with one point each.
fn otlp_message() -> Vec<u8> {
    let message = |parts: &[(u8, &[u8])]| {
        let mut out = Vec::new();
        for (number, bytes) in parts {
            put(&mut out, *number, bytes);
        }
        out
    };
    let text = message(&[(1, b"v")]);
    let attribute = message(&[(1, b"k"), (2, &text)]);
    let fixed = |number: u8, value: u64| [&[number << 3 | 1][..], &value.to_le_bytes()].concat();
    let time = fixed(3, 5_000_000);
    let number = [message(&[(7, &attribute)]), time.clone(), fixed(4, 2.5f64.to_bits())].concat();
    let counts = [1u64, 2].map(u64::to_le_bytes).concat();
    let histogram =
        [time.clone(), fixed(4, 3), message(&[(6, &counts), (7, &0.5f64.to_le_bytes())])].concat();
    let quantile = [fixed(1, 0.5f64.to_bits()), fixed(2, 7f64.to_bits())].concat();
    let summary = [time, fixed(4, 3), message(&[(6, &quantile)])].concat();
    let metric = |kind: u8, data: &[u8]| message(&[(1, b"a.b"), (3, b"By"), (kind, data)]);
    let cumulative = [2 << 3, 2, 3 << 3, 1];
    let scope = message(&[
        (2, &metric(5, &message(&[(1, &number)]))),
        (2, &metric(7, &[&message(&[(1, &number)])[..], &cumulative].concat())),
        (2, &metric(9, &[&message(&[(1, &histogram)])[..], &cumulative[..2]].concat())),
        (2, &metric(11, &message(&[(1, &summary)]))),
    ]);
    let resource = message(&[(1, &attribute)]);
    message(&[(1, &message(&[(1, &resource), (2, &scope)]))])
}

/// Everything that `m{l=~"a"}` has, as chunks or samples.
fn read_request() -> Vec<u8> {
    let mut query = vec![1 << 3, 1, 2 << 3, 100];
    for (kind, name, value) in [(0, "__name__", "m"), (2, "l", "a")] {
        let mut matcher = vec![1 << 3, kind];
        put(&mut matcher, 2, name.as_bytes());
        put(&mut matcher, 3, value.as_bytes());
        put(&mut query, 3, &matcher);
    }
    let mut request = Vec::new();
    put(&mut request, 1, &query);
    put(&mut request, 2, &[1, 0]);
    request
}

#[test]
fn messages_are_inputs() {
    for (target, _) in TARGETS {
        corpus::check_seeds(target, &seeds(target), "messages_are_inputs");
    }
}

#[test]
fn no_input_of_the_corpus_breaks_a_reader() {
    for (target, run) in TARGETS {
        for bytes in corpus::run_all(target, *run) {
            // Cut anywhere, and with any byte changed.
            for at in 0..bytes.len().min(512) {
                run(&bytes[..at]);
                let mut changed = bytes.clone();
                for flip in [1, 0x80, 0xff] {
                    changed[at] = bytes[at] ^ flip;
                    run(&changed);
                }
            }
        }
    }
}
