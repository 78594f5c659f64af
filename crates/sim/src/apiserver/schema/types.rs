//! Kubernetes' types as a table, and whether a value is of one: `types.txt` has a line for each
//! type, its fields with their types. A test makes it of k8s-openapi, whose own code for reading
//! and writing these types would be a megabyte of the program.

use std::collections::HashMap;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::Timestamp;
use serde::de::{Error as _, Unexpected};
use serde_json::{Error, Value};

/// `Name field:type …`; a type is `[of a list]`, `{of a map's values}`, `=the only text`, a scalar
/// or the name of another line.
static TYPES: LazyLock<HashMap<&str, Vec<(&str, &str)>>> = LazyLock::new(|| {
    let line = |line: &'static str| {
        let (name, fields) = line.split_once(' ').unwrap_or((line, ""));
        (name, fields.split(' ').filter_map(|field| field.split_once(':')).collect())
    };
    include_str!("types.txt").lines().map(line).collect()
});

/// Refuses a value that is not of the type; adds the paths of fields that its type does not have,
/// with something in them, to `unknown`.
pub(super) fn check(
    expected: &str,
    value: &Value,
    path: &str,
    unknown: &mut Vec<String>,
) -> Result<(), Error> {
    if let Some(of) = inside(expected, '[', ']') {
        let Value::Array(items) = value else { return Err(mistyped(value, "a sequence")) };
        for (at, item) in items.iter().enumerate() {
            check(of, item, &format!("{path}[{at}]"), unknown)?;
        }
    } else if let Some(of) = inside(expected, '{', '}') {
        let Value::Object(items) = value else { return Err(mistyped(value, "a map")) };
        for (key, item) in items {
            check(of, item, &joined(path, key), unknown)?;
        }
    } else if let Some(fields) = TYPES.get(expected) {
        let Value::Object(items) = value else {
            return Err(mistyped(value, &format!("struct {expected}")));
        };
        for (key, item) in items {
            match fields.iter().find(|(name, _)| name == key) {
                // What may be left out may be null.
                Some(_) if item.is_null() => {}
                Some((_, expected)) => check(expected, item, &joined(path, key), unknown)?,
                None if super::is_nothing(item) => {}
                None => unknown.push(joined(path, key)),
            }
        }
    } else {
        scalar(expected, value)?;
    }
    Ok(())
}

fn inside(expected: &str, open: char, close: char) -> Option<&str> {
    expected.strip_prefix(open)?.strip_suffix(close)
}

fn joined(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn scalar(expected: &str, value: &Value) -> Result<(), Error> {
    if let Some(only) = expected.strip_prefix('=') {
        let text = text(value)?;
        let wrong = || Error::invalid_value(Unexpected::Str(text), &only);
        return if text == only { Ok(()) } else { Err(wrong()) };
    }
    match expected {
        "string" => text(value).map(|_| ()),
        "bool" if value.is_boolean() => Ok(()),
        "bool" => Err(mistyped(value, "a boolean")),
        "i32" => integer(value, expected, |value| i32::try_from(value).is_ok()),
        "i64" => integer(value, expected, |_| true),
        "f64" if value.is_number() => Ok(()),
        "Quantity" if value.is_number() || value.is_string() => Ok(()),
        "IntOrString" if value.is_string() => Ok(()),
        "IntOrString" => integer(value, expected, |value| i32::try_from(value).is_ok()),
        "Time" | "MicroTime" => {
            let text = text(value)?;
            let wrong = || Error::custom(format!("\"{text}\" is no time as RFC 3339 writes it"));
            Timestamp::parse_rfc3339(text).map(|_| ()).ok_or_else(wrong)
        }
        "ByteString" if value.is_null() => Ok(()),
        "ByteString" => STANDARD.decode(text(value)?).map(|_| ()).map_err(Error::custom),
        "any" => Ok(()),
        expected => Err(mistyped(value, expected)),
    }
}

fn text(value: &Value) -> Result<&str, Error> {
    value.as_str().ok_or_else(|| mistyped(value, "a string"))
}

fn integer(value: &Value, expected: &str, fits: fn(i64) -> bool) -> Result<(), Error> {
    match value.as_i64() {
        Some(number) if fits(number) => Ok(()),
        Some(number) => Err(Error::invalid_value(Unexpected::Signed(number), &expected)),
        None => Err(mistyped(value, expected)),
    }
}

fn mistyped(value: &Value, expected: &str) -> Error {
    let unexpected = match value {
        Value::Null => Unexpected::Unit,
        Value::Bool(value) => Unexpected::Bool(*value),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => Unexpected::Unsigned(number),
            (None, Some(number)) => Unexpected::Signed(number),
            (None, None) => Unexpected::Float(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => Unexpected::Str(text),
        Value::Array(_) => Unexpected::Seq,
        Value::Object(_) => Unexpected::Map,
    };
    Error::invalid_type(unexpected, &expected)
}
