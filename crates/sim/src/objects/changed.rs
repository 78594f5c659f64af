//! What clients changed of objects that follow the world: a merge patch that lies over whatever
//! the world makes of the object.

use serde_json::{Map, Value};

/// Applies a merge patch (RFC 7386) to `target`.
pub(crate) fn lay(target: &mut Value, change: &Value) {
    let Value::Object(change) = change else {
        *target = change.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(target) = target else { return };
    for (key, value) in change {
        if value.is_null() {
            target.remove(key);
        } else {
            lay(target.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

/// The merge patch that makes `to` of `from`; `None` where they are the same.
pub(crate) fn difference(from: &Value, to: &Value) -> Option<Value> {
    if from == to {
        return None;
    }
    let (Value::Object(from), Value::Object(to)) = (from, to) else { return Some(to.clone()) };
    let mut patch = Map::new();
    for (key, value) in to {
        match from.get(key) {
            Some(before) => {
                if let Some(change) = difference(before, value) {
                    patch.insert(key.clone(), change);
                }
            }
            None => {
                patch.insert(key.clone(), value.clone());
            }
        }
    }
    for key in from.keys().filter(|key| !to.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    Some(Value::Object(patch))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_difference_laid_over_gives_the_other() {
        let from = json!({ "a": { "b": 1, "c": [1] }, "d": true });
        for to in [
            json!({ "a": { "b": 2, "c": [1, 2] }, "d": true }),
            json!({ "a": { "c": [1] } }),
            json!({ "a": 1, "d": true, "e": { "f": {} } }),
        ] {
            let mut made = from.clone();
            lay(&mut made, &difference(&from, &to).unwrap());
            assert_eq!(made, to);
        }
        assert_eq!(difference(&from, &from), None);
    }
}
