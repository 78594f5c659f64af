//! Quantities and durations as Go's Kubernetes libraries print them.

use std::time::Duration;

/// CPU, from billionths of a core: `5m`, `4531n`, `2`.
pub(crate) fn cpu(nanocores: i64) -> String {
    let mut value = nanocores;
    for suffix in ["n", "u", "m"] {
        if value == 0 {
            return "0".to_owned();
        }
        if value % 1000 != 0 {
            return format!("{value}{suffix}");
        }
        value /= 1000;
    }
    scaled(value, 1000, &["", "k", "M", "G"])
}

/// Memory: the largest binary unit without a remainder (`12345Ki`, `50Mi`).
pub(crate) fn memory(bytes: i64) -> String {
    scaled(bytes, 1024, &["", "Ki", "Mi", "Gi", "Ti", "Pi"])
}

/// A number in decimal units, to three digits behind the point (small ones to six): `1500m`, `2k`.
pub(super) fn number(value: f64) -> String {
    let whole = |value: f64| model::Value::Float(value.round()).as_i64();
    if value.abs() < 1.0 {
        let micro = whole(value * 1e6);
        return if micro % 1000 == 0 { milli(micro / 1000) } else { format!("{micro}u") };
    }
    milli(whole(value * 1e3))
}

fn milli(value: i64) -> String {
    if value % 1000 == 0 {
        return scaled(value / 1000, 1000, &["", "k", "M", "G", "T", "P"]);
    }
    format!("{value}m")
}

fn scaled(mut value: i64, step: i64, suffixes: &[&str]) -> String {
    let mut suffix = suffixes.first().copied().unwrap_or("");
    for next in suffixes.iter().skip(1) {
        if value == 0 || value % step != 0 {
            break;
        }
        value /= step;
        suffix = next;
    }
    format!("{value}{suffix}")
}

/// A duration as Go's `Duration.String` prints it: `15.041s`, `1m0s`.
pub(crate) fn duration(duration: Duration) -> String {
    let (seconds, nanos) = (duration.as_secs(), duration.subsec_nanos());
    if seconds == 0 {
        return match nanos {
            0 => "0s".to_owned(),
            1..1_000 => format!("{nanos}ns"),
            1_000..1_000_000 => format!("{}µs", decimal(u64::from(nanos), 1_000)),
            _ => format!("{}ms", decimal(u64::from(nanos), 1_000_000)),
        };
    }
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let rest = decimal(seconds % 60 * 1_000_000_000 + u64::from(nanos), 1_000_000_000);
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, minutes) => format!("{minutes}m{rest}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{rest}s"),
    }
}

/// `value / unit` with as many fractional digits as needed; `unit` is a power of ten.
fn decimal(value: u64, unit: u64) -> String {
    let (whole, part) = (value / unit, value % unit);
    if part == 0 {
        return whole.to_string();
    }
    let width = unit.to_string().len() - 1;
    let digits = format!("{part:0width$}");
    format!("{whole}.{}", digits.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_canonical() {
        for (nanocores, text) in [
            (0, "0"),
            (1, "1n"),
            (4531, "4531n"),
            (1_661_511, "1661511n"),
            (5_000_000, "5m"),
            (123_000, "123u"),
            (2_000_000_000, "2"),
            (1_500_000_000, "1500m"),
            (4_000_000_000_000, "4k"),
        ] {
            assert_eq!(cpu(nanocores), text);
        }
        for (bytes, text) in [
            (0, "0"),
            (1000, "1000"),
            (1024, "1Ki"),
            (12_641_280, "12345Ki"),
            (52_428_800, "50Mi"),
            (1_234_567_890, "1234567890"),
        ] {
            assert_eq!(memory(bytes), text);
        }
    }

    #[test]
    fn decimals_are_canonical() {
        for (value, text) in [
            (0.0, "0"),
            (0.85, "850m"),
            (0.000_25, "250u"),
            (1.5, "1500m"),
            (1_234.567_8, "1234568m"),
            (2000.0, "2k"),
            (1_073_741_824.0, "1073741824"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn durations_are_gos() {
        for (millis, text) in [
            (0, "0s"),
            (15_041, "15.041s"),
            (30_000, "30s"),
            (60_000, "1m0s"),
            (61_500, "1m1.5s"),
            (3_600_000, "1h0m0s"),
            (250, "250ms"),
        ] {
            assert_eq!(duration(Duration::from_millis(millis)), text);
        }
        assert_eq!(duration(Duration::from_nanos(15_000_000_001)), "15.000000001s");
        assert_eq!(duration(Duration::from_nanos(1500)), "1.5µs");
    }
}
