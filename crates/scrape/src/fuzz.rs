//! What fuzzing calls: any bytes, both formats, no panic, and what comes out keeps its promises.

use std::sync::Arc;

use model::{is_label_name, is_metric_name};

use crate::exposition::Format;
use crate::labels::METRIC_NAME;
use crate::series::{Budget, SeriesOf, Treatment};

/// Reads `data` as an answer, twice; the first byte chooses the format.
///
/// # Panics
/// When a promise is broken.
pub fn fuzz_exposition(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    let format = if first % 2 == 0 { Format::Text } else { Format::Open };
    let treatment = Treatment {
        honor_labels: first & 2 == 0,
        honor_timestamps: first & 4 == 0,
        rules: Arc::new([]),
        body_samples: 1000,
        sample_limit: 0,
        label_limit: 0,
        label_name_limit: 0,
        label_value_limit: 0,
    };
    let budget = Arc::new(Budget::new(1000));
    let target = Arc::new([(Arc::from("job"), Arc::from("j"))]);
    let mut series = SeriesOf::new(target, Arc::clone(&budget));
    for at in [1000, 2000] {
        let Ok(taken) = series.take(text, format, &treatment, at) else { continue };
        for sample in taken.samples {
            let names = sample.labels.iter().map(|(name, _)| name);
            assert!(names.is_sorted_by(|left, right| left < right), "sorted, each once");
            for (name, value) in &*sample.labels {
                assert!(!value.is_empty());
                assert!(is_label_name(name));
                assert!(&**name != METRIC_NAME || is_metric_name(value));
            }
        }
    }
    series.end(3000);
    assert_eq!(budget.left(), 1000, "nothing is lost");
}

#[cfg(test)]
mod tests {
    use super::fuzz_exposition;

    /// Pieces that expositions are put together from, whole and broken.
    const PIECES: [&str; 32] = [
        "a",
        "b:c",
        "_",
        "{",
        "}",
        "=",
        "\"",
        ",",
        " ",
        "\t",
        "\n",
        "\r",
        "1",
        "-1",
        "1e400",
        "NaN",
        "+Inf",
        "# TYPE ",
        "# HELP ",
        "# EOF",
        "# UNIT ",
        "#",
        " counter",
        "\\",
        "\\n",
        "le",
        "a{x=\"1\"} 1\n",
        "job=\"own\"",
        " # {t=\"1\"} 2",
        "1520879607.789",
        "\u{e9}",
        "exported_job=\"e\"",
    ];

    #[test]
    fn made_up_expositions_are_read_or_refused() {
        let mut state = 1_u64;
        for round in 0..20_000_u32 {
            let mut text = vec![u8::try_from(round % 256).unwrap()];
            for _ in 0..round % 23 {
                // A linear congruential generator (Knuth's MMIX).
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let piece = PIECES[usize::try_from(state >> 59).unwrap()];
                text.extend_from_slice(piece.as_bytes());
            }
            fuzz_exposition(&text);
        }
    }
}
