//! Numbers and times as Go prints them in Prometheus' answers.

use std::fmt::Write as _;

/// Appends a sample's value without quotes: `NaN`, `+Inf`, `0.5`, `1e+21`.
///
/// Source: Prometheus' `jsonutil.MarshalValue`: an exponent below 1e-6 and from 1e21 on.
pub(super) fn put_value(out: &mut String, value: f64) {
    let size = value.abs();
    if size.is_finite() && size != 0.0 && !(1e-6..1e21).contains(&size) {
        return put_exponent(out, value);
    }
    put_plain(out, value);
}

/// Appends a scalar's value without quotes: never with an exponent.
pub(super) fn put_plain(out: &mut String, value: f64) {
    if value.is_nan() {
        out.push_str("NaN");
    } else if value.is_infinite() {
        out.push_str(if value > 0.0 { "+Inf" } else { "-Inf" });
    } else {
        put_finite(out, value);
    }
}

/// Numbers below this are exact as integers.
const WHOLE: f64 = 9_007_199_254_740_992.0;

/// Appends as few digits as read back the same, without an exponent.
fn put_finite(out: &mut String, value: f64) {
    #[expect(clippy::cast_possible_truncation, reason = "compared with what it was")]
    let whole = value as i64;
    #[expect(clippy::cast_precision_loss, clippy::float_cmp, reason = "below 2^53 it is exact")]
    if value.abs() < WHOLE && whole as f64 == value && (whole != 0 || value.is_sign_positive()) {
        out.push_str(itoa::Buffer::new().format(whole));
        return;
    }
    if !(1e-4..1e15).contains(&value.abs()) {
        // Near where the printer takes an exponent.
        return put(out, format_args!("{value}"));
    }
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format_finite(value);
    out.push_str(text.strip_suffix(".0").unwrap_or(text));
}

fn put_exponent(out: &mut String, value: f64) {
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    put(out, format_args!("{digits}e{sign}{exponent:0>2}"));
}

/// Appends milliseconds as seconds: whole, or with three decimals.
pub(super) fn put_time(out: &mut String, millis: i64) {
    let (sign, millis) = (if millis < 0 { "-" } else { "" }, millis.unsigned_abs());
    let (seconds, rest) = (millis / 1000, millis % 1000);
    out.push_str(sign);
    out.push_str(itoa::Buffer::new().format(seconds));
    if rest > 0 {
        put(out, format_args!(".{rest:03}"));
    }
}

/// Appends a JSON string.
pub(super) fn put_text(out: &mut String, text: &str) {
    // All bytes are looked at, so that several are at once.
    let special = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    if !text.bytes().fold(false, |found, byte| found | special(byte)) {
        for part in ["\"", text, "\""] {
            out.push_str(part);
        }
        return;
    }
    // A string always serializes.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

pub(super) fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    // A String takes everything, so that this cannot fail.
    out.write_fmt(text).unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(value: f64) -> String {
        let mut out = String::new();
        put_value(&mut out, value);
        out
    }

    #[test]
    fn values_are_gos() {
        let all = [1.0, -0.5, 1e21, 1e20, 1.5e-7, 1e-6, 0.1 + 0.2, 123_456_789.125, 1e-100, 0.0];
        let expected = [
            "1",
            "-0.5",
            "1e+21",
            "100000000000000000000",
            "1.5e-07",
            "0.000001",
            "0.30000000000000004",
            "123456789.125",
            "1e-100",
            "0",
        ];
        assert_eq!(all.map(value), expected);
        let plain = [-0.0, 9_007_199_254_740_993.0, -7.0, 1e17, 1e-6, 0.000_012_5, 123_456.75];
        assert_eq!(plain.map(value), plain.map(|value| value.to_string()));
        assert_eq!([f64::NAN, f64::INFINITY, -f64::INFINITY].map(value), ["NaN", "+Inf", "-Inf"]);
    }

    #[test]
    fn texts_are_json() {
        for text in ["", "web-1", "a\"b\\c", "tab\tend", "grüße \u{7f}"] {
            let mut out = String::new();
            put_text(&mut out, text);
            assert_eq!(out, serde_json::to_string(text).unwrap());
        }
    }

    #[test]
    fn times_are_gos() {
        for (millis, expected) in [(1_000, "1"), (1_500, "1.500"), (7, "0.007"), (-1_500, "-1.500")]
        {
            let mut out = String::new();
            put_time(&mut out, millis);
            assert_eq!(out, expected);
        }
    }
}
