//! Patches: JSON merge patch (RFC 7386), and Kubernetes' strategic one where it means the same.

use http::{HeaderMap, header};
use serde_json::Value;

use crate::apiserver::status::Status;
pub(super) use crate::objects::lay as merge;

/// The change that a body asks for.
pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Value, Status> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.unwrap_or("").split(';').next().unwrap_or("").trim();
    let strategic = match kind {
        // A JSON text is a YAML text; fields have no owners here, so that applying is merging.
        "application/merge-patch+json" | "application/apply-patch+yaml" => false,
        "application/strategic-merge-patch+json" => true,
        _ => return Err(Status::unsupported_patch(kind)),
    };
    let change = once::json(body)
        .map_err(|error| Status::bad_request(format!("the patch cannot be read: {error}")))?;
    if !change.is_object() {
        return Err(Status::bad_request("a patch is an object"));
    }
    if strategic && !is_plain(&change) {
        return Err(Status::unsupported_patch("application/strategic-merge-patch+json with lists"));
    }
    Ok(change)
}

/// Whether a strategic patch says nothing that a merge patch could not: lists of objects are merged
/// by keys of theirs, and `$patch` and its like are orders.
fn is_plain(change: &Value) -> bool {
    match change {
        Value::Object(map) => {
            map.iter().all(|(key, value)| !key.starts_with('$') && is_plain(value))
        }
        Value::Array(_) => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn merges_as_rfc_7386_shows() {
        for (target, change, expected) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (
                json!({"a": {"b": "c"}}),
                json!({"a": {"b": "d", "c": null}}),
                json!({"a": {"b": "d"}}),
            ),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            let mut merged = target;
            merge(&mut merged, &change);
            assert_eq!(merged, expected);
        }
    }
}
