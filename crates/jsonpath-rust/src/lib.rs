//! Values in JSON by paths: of `jsonpath-rust` what kube asks for a credential that a program
//! printed, where a `kubeconfig` says `token-key: '{.credential.access_token}'`. Names, indices and
//! wildcards, no filters, slices or descents.
#![forbid(unsafe_code)]

use serde_json::Value;

/// Why a path is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the path cannot be read from {0:?} on")]
pub struct Unreadable(String);

/// JSON that answers paths.
pub trait JsonPath {
    /// What stands at `path`, in the document's order.
    fn query(&self, path: &str) -> Result<Vec<&Self>, Unreadable>;
}

/// One step of a path.
enum Step<'a> {
    Name(&'a str),
    Index(i64),
    Each,
}

impl JsonPath for Value {
    fn query(&self, path: &str) -> Result<Vec<&Self>, Unreadable> {
        let wrong = |rest: &str| Unreadable(rest.to_owned());
        let mut rest = path.strip_prefix('$').ok_or_else(|| wrong(path))?;
        let mut found = vec![self];
        while !rest.is_empty() {
            let (step, behind) = step(rest).ok_or_else(|| wrong(rest))?;
            rest = behind;
            found = found.into_iter().flat_map(|value| taken(value, &step)).collect();
        }
        Ok(found)
    }
}

/// The first step of `path` and what is behind it.
fn step(path: &str) -> Option<(Step<'_>, &str)> {
    if let Some(named) = path.strip_prefix('.') {
        let end = named.find(['.', '[']).unwrap_or(named.len());
        let (name, rest) = named.split_at(end);
        return match name {
            "" => None,
            "*" => Some((Step::Each, rest)),
            name => Some((Step::Name(name), rest)),
        };
    }
    let (inside, rest) = path.strip_prefix('[')?.split_once(']')?;
    let quoted = |quote| inside.strip_prefix(quote)?.strip_suffix(quote);
    let step = match quoted('\'').or_else(|| quoted('"')) {
        Some(name) => Step::Name(name),
        None if inside == "*" => Step::Each,
        None => Step::Index(inside.parse().ok()?),
    };
    Some((step, rest))
}

/// What a step finds in a value.
fn taken<'a>(value: &'a Value, step: &Step<'_>) -> Vec<&'a Value> {
    match (step, value) {
        (Step::Name(name), Value::Object(map)) => map.get(*name).into_iter().collect(),
        (Step::Index(at), Value::Array(list)) => {
            let from_end = usize::try_from(at.unsigned_abs()).ok();
            let at = match usize::try_from(*at) {
                Ok(at) => Some(at),
                Err(_) => from_end.and_then(|from_end| list.len().checked_sub(from_end)),
            };
            at.and_then(|at| list.get(at)).into_iter().collect()
        }
        (Step::Each, Value::Array(list)) => list.iter().collect(),
        (Step::Each, Value::Object(map)) => map.values().collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_find_what_they_name() {
        let value = json!({ "credential": { "access_token": "t", "a.b": [1, 2, 3] } });
        for (path, expected) in [
            ("$", vec![value.clone()]),
            ("$.credential.access_token", vec![json!("t")]),
            ("$['credential'][\"access_token\"]", vec![json!("t")]),
            ("$.credential['a.b'][0]", vec![json!(1)]),
            ("$.credential['a.b'][-1]", vec![json!(3)]),
            ("$.*['a.b'][*]", vec![json!(1), json!(2), json!(3)]),
            ("$.none.at.all", vec![]),
            ("$.credential['a.b'][-4]", vec![]),
        ] {
            let found: Vec<Value> = value.query(path).unwrap().into_iter().cloned().collect();
            assert_eq!(found, expected, "{path}");
        }
        for path in ["credential", "$..token", "$.a[?(@.b)]", "$.a[0:1]", "$.a[", "$x"] {
            assert!(value.query(path).is_err(), "{path}");
        }
    }
}
