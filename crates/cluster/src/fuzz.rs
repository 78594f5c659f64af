//! Entry points for fuzzing: bytes from anywhere must be read or refused, never more.

use std::sync::Arc;

use model::{Draft, EntityKind, Node, Registry, Timestamp};

use crate::decode::{DecodeError, Decoder};

type Read = fn(&mut Decoder, &[u8], &Arc<Node>, Timestamp, &mut Draft) -> Result<(), DecodeError>;

/// Any bytes as a `/stats/summary`.
pub fn fuzz_summary(body: &[u8]) {
    check(body, Decoder::summary);
}

/// Any bytes as a `/metrics/resource`.
pub fn fuzz_resource(body: &[u8]) {
    check(body, Decoder::resource);
}

/// Any bytes as a `/metrics/cadvisor`.
pub fn fuzz_exposition(body: &[u8]) {
    check(body, Decoder::exposition);
}

/// Any bytes as a `/stats/container`.
pub fn fuzz_container_stats(body: &[u8]) {
    check(body, Decoder::container_stats);
}

/// An error points into the body and leaves no row; a success leaves every row with its node.
fn check(body: &[u8], read: Read) {
    let now = Timestamp::from_secs(1_795_000_000);
    let mut draft = Draft::new(now, Registry::default());
    let node = Arc::new(Node { name: "n".into(), ..Node::default() });
    match read(&mut Decoder::default(), body, &node, now, &mut draft) {
        Err(error) => {
            assert!(error.offset <= body.len(), "{error} lies outside of {} bytes", body.len());
            let rows: usize = EntityKind::ALL.iter().map(|kind| draft.table(*kind).len()).sum();
            assert_eq!(rows, 0, "an unreadable body left rows");
        }
        Ok(()) => {
            for table in EntityKind::ALL.map(|kind| draft.table(kind)) {
                // A part is on the node of its owner.
                for row in (0..table.len()).filter(|_| !table.kind().is_labeled_part()) {
                    assert!(table.context(row).node.is_some(), "a row without its node");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many mutated inputs each test tries.
    const INPUTS: u64 = 10_000;

    /// `SplitMix64`.
    struct Random(u64);

    impl Random {
        fn next(&mut self) -> u64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        }

        fn below(&mut self, end: usize) -> usize {
            usize::try_from(self.next() % u64::try_from(end.max(1)).unwrap()).unwrap()
        }
    }

    /// What numbers and strings are replaced by.
    const TOKENS: &[&str] = &[
        "null",
        "-1",
        "18446744073709551615",
        "1e400",
        "0.5",
        "\"\"",
        "{}",
        "[]",
        "\\u0000",
        "NaN",
        "\n",
        "}",
        "\"",
        "9223372036854775808",
        "-9223372036854775809",
        "ß",
    ];

    fn mutate(seed: &[u8], random: &mut Random) -> Vec<u8> {
        let begin = random.below(seed.len() / 2);
        let mut body = if random.below(4) == 0 { seed[begin..].to_vec() } else { seed.to_vec() };
        for _ in 0..=random.below(6) {
            let at = random.below(body.len());
            let end = (at + random.below(24)).min(body.len());
            match random.below(5) {
                0 => body[at] = random.next().to_le_bytes()[0],
                1 => drop(body.drain(at..end)),
                2 => drop(body.splice(at..end, TOKENS[random.below(TOKENS.len())].bytes())),
                3 => body.truncate(at.max(1)),
                _ => {
                    let copy = body[at..end].to_vec();
                    drop(body.splice(at..at, copy));
                }
            }
            if body.is_empty() {
                body.push(b'{');
            }
        }
        body
    }

    fn run(seed: &[u8], target: fn(&[u8])) {
        target(b"");
        target(seed);
        let mut random = Random(7);
        for _ in 0..INPUTS {
            target(&mutate(seed, &mut random));
        }
    }

    #[test]
    fn mutated_summaries() {
        run(include_bytes!("../tests/fixtures/fuzz_summary.json"), fuzz_summary);
    }

    #[test]
    fn mutated_resource_metrics() {
        run(include_bytes!("../tests/fixtures/kubelet_metrics_resource"), fuzz_resource);
    }

    #[test]
    fn mutated_container_stats() {
        run(include_bytes!("../tests/fixtures/fuzz_container.json"), fuzz_container_stats);
    }

    #[test]
    fn mutated_expositions() {
        // The first lines of each kind; the whole would take long to mutate.
        let seed: &[u8] = include_bytes!("../tests/fixtures/fuzz_exposition");
        run(seed, fuzz_exposition);
    }
}
