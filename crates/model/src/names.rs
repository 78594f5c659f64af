//! What Prometheus allows in names, and the value by which it ends a series.

use std::borrow::Cow;

/// The value that says "this series ended here": a NaN that no arithmetic yields.
///
/// Source: Prometheus' `value.StaleNaN`.
pub const STALE: f64 = f64::from_bits(0x7ff0_0000_0000_0002);

/// True for [`STALE`], and for no other NaN.
pub fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE.to_bits()
}

/// True for what may name a label: a letter or underscore, then also digits.
pub fn is_label_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && text.chars().all(is_part)
}

/// True for what may name a metric: as [`is_label_name`], with colons.
pub fn is_metric_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == ':')
        && text.chars().all(|c| is_part(c) || c == ':')
}

/// `text` as a part of a name: an underscore for every character that a name cannot have.
pub fn sanitized(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_part) {
        return Cow::Borrowed(text);
    }
    text.chars().map(|c| if is_part(c) { c } else { '_' }).collect::<String>().into()
}

fn is_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart() {
        for (text, label, metric) in [
            ("up", true, true),
            ("_x9", true, true),
            ("a:b", false, true),
            (":a", false, true),
            ("9a", false, false),
            ("", false, false),
            ("a-b", false, false),
        ] {
            assert_eq!((is_label_name(text), is_metric_name(text)), (label, metric), "{text:?}");
        }
        assert_eq!(sanitized("app.kubernetes.io/name"), "app_kubernetes_io_name");
        assert!(matches!(sanitized("plain_1"), Cow::Borrowed("plain_1")));
        assert!(is_stale(STALE) && !is_stale(f64::NAN));
    }
}
