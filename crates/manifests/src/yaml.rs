//! YAML for JSON values: block style, text quoted where YAML 1.1 or 1.2
//! would read something else.

use once::Order as _;
use serde_json::{Map, Value};

/// Writes an object as a document.
pub(crate) fn write(value: &Value, text: &mut String) {
    block(value, 0, text);
}

fn block(value: &Value, depth: usize, text: &mut String) {
    match value {
        Value::Object(map) => {
            for (key, value) in ordered(map) {
                indent(depth, text);
                entry(key, value, depth, text);
            }
        }
        Value::Array(list) => {
            for item in list {
                indent(depth, text);
                text.push_str("- ");
                match item {
                    Value::Object(map) if !map.is_empty() => {
                        for (at, (key, value)) in ordered(map).into_iter().enumerate() {
                            if at > 0 {
                                indent(depth + 1, text);
                            }
                            entry(key, value, depth + 1, text);
                        }
                    }
                    item => {
                        text.push_str(&scalar(item));
                        text.push('\n');
                    }
                }
            }
        }
        other => text.push_str(&scalar(other)),
    }
}

/// What says what an object is first, then by name.
fn ordered(map: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let rank = |key: &str| {
        let first = ["apiVersion", "kind", "name", "metadata"];
        first.iter().position(|one| *one == key).unwrap_or(first.len())
    };
    let mut entries: Vec<(&String, &Value)> = map.iter().collect();
    entries.order_by(|left, right| (rank(left.0), left.0).cmp(&(rank(right.0), right.0)));
    entries
}

fn entry(key: &str, value: &Value, depth: usize, text: &mut String) {
    text.push_str(&quoted(key));
    text.push(':');
    match value {
        Value::Object(map) if !map.is_empty() => {
            text.push('\n');
            block(value, depth + 1, text);
        }
        Value::Array(list) if !list.is_empty() => {
            text.push('\n');
            block(value, depth, text);
        }
        value => {
            text.push(' ');
            text.push_str(&scalar(value));
            text.push('\n');
        }
    }
}

fn indent(depth: usize, text: &mut String) {
    text.extend(std::iter::repeat_n("  ", depth));
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        // JSON's forms of the rest, empty lists and maps included, are YAML's.
        other => other.to_string(),
    }
}

/// Plain where that cannot be misread, else as JSON writes it.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=$()".contains(c);
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        || (text.starts_with("--") && text.len() > 3);
    // A colon before a space would begin a value; elsewhere it is text.
    let inner = text.chars().all(|c| plain(c) || c == ':') && !text.ends_with(':');
    let word = matches!(
        text.to_ascii_lowercase().as_str(),
        "true" | "false" | "yes" | "no" | "on" | "off" | "null" | "y" | "n"
    );
    if begins && inner && !word { text.to_owned() } else { Value::from(text).to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_yaml_would_misread_is_quoted() {
        let value = json!({
            "a": "true", "b": "10Gi", "c": "x:1", "d": ["--e=$(F):1", {}, ""], "g": { "h": 1 },
            "i": [{ "j": null, "k": ["*"] }],
        });
        let mut text = String::new();
        write(&value, &mut text);
        let expected = "a: \"true\"\nb: \"10Gi\"\nc: x:1\nd:\n- --e=$(F):1\n- {}\n- \"\"\ng:\n  h: 1\n\
                        i:\n- j: null\n  k:\n  - \"*\"\n";
        assert_eq!(text, expected);
    }
}
