//! Numbers as `kubectl top` prints them, bars and sparklines.

/// Levels of a sparkline's character.
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const MIB: f64 = 1_048_576.0;

/// Millicores, rounded up as `kubectl top` does: `12m`.
pub(crate) fn cpu(millicores: Option<f64>) -> String {
    millicores.map_or_else(unknown, |value| format!("{:.0}m", (value - 1e-6).ceil().max(0.0)))
}

/// Whole mebibytes, as `kubectl top`: `34Mi`.
pub(crate) fn memory(bytes: Option<f64>) -> String {
    bytes.map_or_else(unknown, |value| format!("{:.0}Mi", (value / MIB).floor()))
}

/// A share in percent, cut as `kubectl top` does: `7%`.
pub(crate) fn percent(ratio: Option<f64>) -> String {
    ratio.map_or_else(unknown, |ratio| format!("{:.0}%", (ratio * 100.0).floor()))
}

/// Bytes per second in three digits: `1.2 MB/s`.
pub(crate) fn rate(bytes: Option<f64>) -> String {
    let Some(mut value) = bytes else { return unknown() };
    let mut unit = "B/s";
    for larger in ["kB/s", "MB/s", "GB/s"] {
        if value < 1000.0 {
            break;
        }
        value /= 1000.0;
        unit = larger;
    }
    if value < 10.0 && unit != "B/s" {
        format!("{value:.1} {unit}")
    } else {
        format!("{value:.0} {unit}")
    }
}

/// A count, or nothing.
pub(crate) fn count(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| format!("{value:.0}"))
}

/// What was not measured. `kubectl top` says the same of nodes.
fn unknown() -> String {
    "<unknown>".to_owned()
}

/// The past as one character a value, the largest the highest; a gap is a blank.
pub(crate) fn sparkline(values: &[Option<f64>], width: usize) -> String {
    let newest = &values[values.len().saturating_sub(width)..];
    let largest = newest.iter().flatten().copied().fold(0.0, f64::max);
    let mut line = " ".repeat(width - newest.len());
    line.extend(newest.iter().map(|value| match value {
        None => ' ',
        Some(_) if largest <= 0.0 => LEVELS[0],
        Some(value) => LEVELS[level(value / largest)],
    }));
    line
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share from 0 to 1 is scaled to 0 to 7"
)]
fn level(share: f64) -> usize {
    ((share.clamp(0.0, 1.0) * 7.0).round() as usize).min(7)
}

/// How many of `width` cells a share fills, at least one when it is not zero.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share from 0 to 1 is scaled to a width in cells"
)]
pub(crate) fn cells(share: f64, width: usize) -> usize {
    let filled = (share.clamp(0.0, 1.0) * width as f64).round() as usize;
    if share > 0.0 { filled.max(1) } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_look_as_kubectl_prints_them() {
        assert_eq!(cpu(Some(0.1)), "1m");
        assert_eq!(cpu(Some(250.0)), "250m");
        assert_eq!(cpu(None), "<unknown>");
        assert_eq!(memory(Some(34.9 * MIB)), "34Mi");
        assert_eq!(percent(Some(0.079)), "7%");
        assert_eq!(rate(Some(999.0)), "999 B/s");
        assert_eq!(rate(Some(1234.0)), "1.2 kB/s");
        assert_eq!(rate(Some(56_700_000.0)), "57 MB/s");
    }

    #[test]
    fn a_sparkline_has_gaps_and_ends_with_the_newest() {
        let values = [Some(9.0), Some(0.0), None, Some(2.0), Some(4.0)];
        assert_eq!(sparkline(&values, 4), "▁ ▅█");
        assert_eq!(sparkline(&values[3..], 4), "  ▅█");
        assert_eq!(sparkline(&[Some(0.0)], 2), " ▁");
    }

    #[test]
    fn bars_are_never_empty_for_something() {
        assert_eq!(cells(0.0, 10), 0);
        assert_eq!(cells(0.001, 10), 1);
        assert_eq!(cells(0.5, 10), 5);
        assert_eq!(cells(7.0, 10), 10);
    }
}
