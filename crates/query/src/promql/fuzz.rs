//! Entry point for fuzzing: any text is refused or evaluated within its bounds.

use super::{AnswerValue, Labels, Limits, MemorySeries, Options, STALE, is_stale, parse};

/// Any bytes as a query, evaluated at one time and over a range on a small set of series.
pub fn fuzz_promql(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let limits = Limits {
        depth: 64,
        tokens: 512,
        regex_bytes: 64 << 10,
        steps: 50,
        series: 1000,
        samples: 20_000,
        ..Limits::default()
    };
    let options = Options { limits, ..Options::default() };
    let query = match parse(text, &options.limits) {
        Ok(query) => query,
        Err(super::QueryError::Parse { offset, .. }) => {
            assert!(offset <= text.len(), "an error outside of the text");
            return;
        }
        Err(_) => return,
    };
    let source = series();
    let unhurried = || false;
    if let Ok(answer) = query.instant(&source, 600_000, &options, &unhurried)
        && let AnswerValue::Vector(samples) = answer.value
    {
        assert!(samples.iter().all(|sample| !is_stale(sample.value)), "a stale marker got out");
    }
    if let Ok(answer) = query.range(&source, (0, 900_000, 90_000), &options, &unhurried) {
        let AnswerValue::Matrix(series) = answer.value else { return };
        let sorted = series.windows(2).all(|pair| pair[0].labels < pair[1].labels);
        assert!(sorted, "a range answer is sorted and has no labels twice");
        assert!(series.iter().all(|one| !one.samples.is_empty()), "an empty series");
    }
}

/// Counters, gauges and buckets with gaps, resets, NaN and infinity.
fn series() -> MemorySeries {
    let mut series = MemorySeries::default();
    for (name, label, le) in [
        ("a", "x", ""),
        ("a", "y", ""),
        ("b", "x", ""),
        ("h", "x", "1"),
        ("h", "x", "2"),
        ("h", "x", "+Inf"),
    ] {
        let labels = Labels::new([("__name__", name), ("l", label), ("le", le)]);
        for step in 0..40u32 {
            let value = match (step % 13, label) {
                (3, "y") => f64::NAN,
                (5, "y") => f64::INFINITY,
                (7, "x") if name == "b" => STALE,
                (rest, _) => f64::from(rest * 3 + step),
            };
            series.push(&labels, i64::from(step) * 20_000, value);
        }
    }
    series
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many inputs are tried.
    const INPUTS: u32 = 10_000;

    const PARTS: &[&str] = &[
        "a",
        "b",
        "h",
        "{l=\"x\"}",
        "{l=~\"x|y\"}",
        "{l!~`.+`}",
        "[5m]",
        "[5m:1m]",
        "[10m:]",
        "(",
        ")",
        "sum",
        "avg",
        "topk(1,",
        "quantile(0.5,",
        "count_values(\"v\",",
        " by (l) ",
        " without (le) ",
        "rate(",
        "irate(",
        "increase(",
        "delta(",
        "deriv(",
        "predict_linear(",
        "holt_winters(",
        "histogram_quantile(0.9,",
        "label_replace(",
        "label_join(",
        "absent(",
        "absent_over_time(",
        "sort(",
        "scalar(",
        "vector(",
        "time()",
        "timestamp(",
        "hour()",
        "clamp(",
        "round(",
        " + ",
        " - ",
        " * ",
        " / ",
        " % ",
        " ^ ",
        " == ",
        " != bool ",
        " > ",
        " and ",
        " or ",
        " unless ",
        " atan2 ",
        " on (l) ",
        " ignoring (le) ",
        " group_left ",
        " group_right (l) ",
        " offset 5m",
        " offset -1h",
        " @ 300",
        " @ start()",
        " @ end()",
        "1",
        "0x1f",
        "1e300",
        "NaN",
        "-Inf",
        ",",
        "\"x\"",
        "'$1'",
        "`\\d`",
        "[",
        "]",
        "{",
        "}",
        "#",
        "\n",
        "[1e300]",
        "[99999999999y]",
        "[1ms:1ms]",
        "[5y:1ms]",
        " @ 1e300",
        "{l=~\"((a{99}){99}){99}\"}",
        "start",
        "end",
        "fill",
        "limitk(1,",
        "5m",
        "ü",
        "\\",
        "~",
        "bool",
    ];

    /// `SplitMix64`, below `bound`.
    fn below(bound: usize, state: &mut u64) -> usize {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap() % bound
    }

    #[test]
    fn seeded_inputs_are_refused_or_evaluated() {
        for seed in 0..INPUTS {
            let mut state = u64::from(seed);
            let count = 1 + below(12, &mut state);
            let mut text = String::new();
            for _ in 0..count {
                text.push_str(PARTS[below(PARTS.len(), &mut state)]);
            }
            let mut bytes = text.into_bytes();
            if seed % 4 == 0 {
                let at = below(bytes.len(), &mut state);
                bytes[at] = u8::try_from(below(256, &mut state)).unwrap();
            }
            fuzz_promql(&bytes);
        }
    }
}
