//! Quantities and durations as Go's Kubernetes libraries print them.

use std::time::Duration;

/// CPU, from billionths of a core: `5m`, `4531n`, `2`.
pub(crate) fn cpu(nanocores: i64) -> String {
    let mut out = String::new();
    put_cpu(&mut out, nanocores);
    out
}

/// The same, behind what `out` holds.
pub(super) fn put_cpu(out: &mut String, nanocores: i64) {
    let mut value = nanocores;
    for suffix in ["n", "u", "m"] {
        if value == 0 {
            out.push('0');
            return;
        }
        if value % 1000 != 0 {
            put_whole(out, value);
            out.push_str(suffix);
            return;
        }
        value /= 1000;
    }
    put_scaled(out, value, 1000, &["", "k", "M", "G"]);
}

/// Memory: the largest binary unit without a remainder (`12345Ki`, `50Mi`).
pub(crate) fn memory(bytes: i64) -> String {
    let mut out = String::new();
    put_memory(&mut out, bytes);
    out
}

/// The same, behind what `out` holds.
pub(super) fn put_memory(out: &mut String, bytes: i64) {
    put_scaled(out, bytes, 1024, &["", "Ki", "Mi", "Gi", "Ti", "Pi"]);
}

fn put_whole(out: &mut String, value: impl itoa::Integer) {
    out.push_str(itoa::Buffer::new().format(value));
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

fn scaled(value: i64, step: i64, suffixes: &[&str]) -> String {
    let mut out = String::new();
    put_scaled(&mut out, value, step, suffixes);
    out
}

fn put_scaled(out: &mut String, mut value: i64, step: i64, suffixes: &[&str]) {
    let mut suffix = suffixes.first().copied().unwrap_or("");
    for next in suffixes.iter().skip(1) {
        if value == 0 || value % step != 0 {
            break;
        }
        value /= step;
        suffix = next;
    }
    put_whole(out, value);
    out.push_str(suffix);
}

/// A duration as Go's `Duration.String` prints it, behind what `out` holds: `15.041s`, `1m0s`.
pub(crate) fn put_duration(out: &mut String, duration: Duration) {
    let (seconds, nanos) = (duration.as_secs(), duration.subsec_nanos());
    if seconds == 0 {
        let (digits, unit) = match nanos {
            0 => (0, "s"),
            1..1_000 => (0, "ns"),
            1_000..1_000_000 => (3, "µs"),
            _ => (6, "ms"),
        };
        put_decimal(out, u64::from(nanos), digits);
        out.push_str(unit);
        return;
    }
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    if hours > 0 {
        put_whole(out, hours);
        out.push('h');
    }
    if hours > 0 || minutes > 0 {
        put_whole(out, minutes);
        out.push('m');
    }
    put_decimal(out, seconds % 60 * 1_000_000_000 + u64::from(nanos), 9);
    out.push('s');
}

/// `value` by ten to the power of `digits`, with as many fractional digits as needed.
fn put_decimal(out: &mut String, value: u64, digits: u32) {
    let unit = 10_u64.pow(digits);
    put_whole(out, value / unit);
    let mut part = value % unit;
    if part == 0 {
        return;
    }
    out.push('.');
    let mut unit = unit / 10;
    while part < unit {
        out.push('0');
        unit /= 10;
    }
    while part.is_multiple_of(10) {
        part /= 10;
    }
    put_whole(out, part);
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
        let duration = |duration| {
            let mut out = String::new();
            put_duration(&mut out, duration);
            out
        };
        for (millis, text) in [
            (0, "0s"),
            (15_041, "15.041s"),
            (30_000, "30s"),
            (60_000, "1m0s"),
            (61_500, "1m1.5s"),
            (3_600_000, "1h0m0s"),
            (250, "250ms"),
            (3_661_010, "1h1m1.01s"),
        ] {
            assert_eq!(duration(Duration::from_millis(millis)), text);
        }
        assert_eq!(duration(Duration::from_nanos(15_000_000_001)), "15.000000001s");
        assert_eq!(duration(Duration::from_nanos(1500)), "1.5µs");
    }
}
