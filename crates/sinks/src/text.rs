//! Numbers and names as several formats write them, without allocation.

use std::io::Write as _;

use model::Value;

/// A value as Go prints it without an exponent: integers as they are, floats as short as exact.
pub(crate) fn push_value(out: &mut Vec<u8>, value: Value) {
    match value {
        Value::Int(value) => push_int(out, value),
        Value::Float(value) => push_float(out, value),
    }
}

pub(crate) fn push_int(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Floats beyond this are not taken for integers when printed.
const EXACT: f64 = 9_007_199_254_740_992.0;

#[expect(clippy::cast_possible_truncation, reason = "whole and small enough, as just seen")]
pub(crate) fn push_float(out: &mut Vec<u8>, value: f64) {
    if value.fract() == 0.0 && value.abs() < EXACT && value != 0.0 {
        return push_int(out, value as i64);
    }
    let mut buffer = zmij::Buffer::new();
    let shortest = buffer.format(value);
    if shortest.bytes().any(|byte| byte == b'e') {
        // Writing to a vector cannot fail.
        write!(out, "{value}").ok();
    } else {
        out.extend_from_slice(shortest.strip_suffix(".0").unwrap_or(shortest).as_bytes());
    }
}

/// Integers as Go's `%d`, floats as its `%f`.
pub(crate) fn push_fixed(out: &mut Vec<u8>, value: Value) {
    match value {
        Value::Int(value) => push_int(out, value),
        Value::Float(value) => {
            write!(out, "{value:.6}").ok();
        }
    }
}

/// `text` with every character that `allowed` refuses replaced by an underscore.
pub(crate) fn push_clean(out: &mut Vec<u8>, text: &str, allowed: impl Fn(char) -> bool) {
    for letter in text.chars() {
        if allowed(letter) {
            out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
        } else {
            out.push(b'_');
        }
    }
}

/// `text` as a JSON string, quotes included.
pub(crate) fn push_json(out: &mut Vec<u8>, text: &str) {
    // A string can always be written to a vector.
    serde_json::to_writer(out, text).ok();
}

/// Texts by name as a JSON object, in the order given.
pub(crate) fn push_object(
    out: &mut Vec<u8>,
    pairs: impl IntoIterator<Item = (impl AsRef<str>, impl AsRef<str>)>,
) {
    out.push(b'{');
    for (at, (key, value)) in pairs.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        push_json(out, key.as_ref());
        out.push(b':');
        push_json(out, value.as_ref());
    }
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_gos() {
        let check = |value, expected: &str| {
            let mut out = Vec::new();
            push_float(&mut out, value);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        };
        check(4000.0, "4000");
        check(0.37, "0.37");
        check(-0.0, "-0");
        check(-12.9, "-12.9");
        check(1e20, "100000000000000000000");
        check(1e-7, "0.0000001");
        check(1.5e20, "150000000000000000000");
        check(f64::MIN_POSITIVE, &f64::MIN_POSITIVE.to_string());
        check(0.1 + 0.2, "0.30000000000000004");
        check(9_007_199_254_740_993.5, "9007199254740994");
    }
}
