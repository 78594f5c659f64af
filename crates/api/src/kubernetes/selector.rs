//! Label and field selectors of a list, with the words of Kubernetes for what cannot be read.

use super::status::Status;

/// Most requirements of one selector.
const MAX_REQUIREMENTS: usize = 256;

type Labels = [(Box<str>, Box<str>)];

/// Which objects are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Selection {
    labels: Vec<(String, Test)>,
    /// `metadata.name` or `metadata.namespace`, the value, and whether it must equal it.
    fields: Vec<(Field, String, bool)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    Exists,
    Absent,
    In(Vec<String>),
    NotIn(Vec<String>),
    Above(i64),
    Below(i64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Name,
    Namespace,
}

impl Selection {
    /// Reads `labelSelector` and `fieldSelector`.
    pub(crate) fn parse(labels: &str, fields: &str) -> Result<Self, Status> {
        Ok(Self { labels: parse_labels(labels)?, fields: parse_fields(fields)? })
    }

    /// Whether everything is wanted.
    pub(super) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// Its labels as Kubernetes' `LabelSelector`; null where all pass, and where that has no words
    /// for a test.
    pub(super) fn to_json(&self) -> serde_json::Value {
        let mut tests = Vec::new();
        for (key, test) in &self.labels {
            let (operator, values) = match test {
                Test::Exists => ("Exists", None),
                Test::Absent => ("DoesNotExist", None),
                Test::In(values) => ("In", Some(values)),
                Test::NotIn(values) => ("NotIn", Some(values)),
                Test::Above(_) | Test::Below(_) => return serde_json::Value::Null,
            };
            let mut one = serde_json::json!({ "key": key, "operator": operator });
            if let Some(values) = values {
                one["values"] = values.as_slice().into();
            }
            tests.push(one);
        }
        if tests.is_empty() {
            return serde_json::Value::Null;
        }
        serde_json::json!({ "matchExpressions": tests })
    }

    /// Whether an object with these is wanted; `labels` are sorted by key.
    pub(crate) fn matches(&self, namespace: &str, name: &str, labels: &Labels) -> bool {
        self.matches_fields(namespace, name) && self.matches_labels(labels)
    }

    /// Whether an object with that namespace and name is, if its labels are wanted.
    pub(super) fn matches_fields(&self, namespace: &str, name: &str) -> bool {
        self.fields.iter().all(|(field, value, equal)| {
            let found = if *field == Field::Name { name } else { namespace };
            (found == value) == *equal
        })
    }

    /// Whether an object with these labels is, if its names are wanted.
    pub(super) fn matches_labels(&self, labels: &Labels) -> bool {
        self.labels.iter().all(|(key, test)| test.holds(value_of(labels, key)))
    }
}

fn value_of<'a>(labels: &'a Labels, key: &str) -> Option<&'a str> {
    labels.iter().find(|(found, _)| **found == *key).map(|(_, value)| &**value)
}

impl Test {
    fn holds(&self, value: Option<&str>) -> bool {
        let number = |value: &str| value.parse::<i64>().ok();
        match self {
            Self::Exists => value.is_some(),
            Self::Absent => value.is_none(),
            Self::In(values) => value.is_some_and(|value| values.iter().any(|one| one == value)),
            Self::NotIn(values) => value.is_none_or(|value| values.iter().all(|one| one != value)),
            Self::Above(least) => value.and_then(number).is_some_and(|value| value > *least),
            Self::Below(most) => value.and_then(number).is_some_and(|value| value < *most),
        }
    }
}

fn parse_fields(text: &str) -> Result<Vec<(Field, String, bool)>, Status> {
    let mut fields = Vec::new();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (split, equal) = match part.split_once("!=") {
            Some(split) => (Some(split), false),
            None => (part.split_once("==").or_else(|| part.split_once('=')), true),
        };
        let Some((field, value)) = split else {
            let message = format!("invalid selector: '{text}'; can't understand '{part}'");
            return Err(Status::bad_request(message));
        };
        let field = match field {
            "metadata.name" => Field::Name,
            "metadata.namespace" => Field::Namespace,
            other => {
                let message = format!(
                    "\"{other}\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
                );
                return Err(Status::bad_request(message));
            }
        };
        fields.push((field, value.to_owned(), equal));
        if fields.len() > MAX_REQUIREMENTS {
            return Err(Status::bad_request("the field selector has too many requirements"));
        }
    }
    Ok(fields)
}

fn parse_labels(text: &str) -> Result<Vec<(String, Test)>, Status> {
    let mut requirements = Vec::new();
    for part in split_outside(text) {
        let part = part.trim();
        if part.is_empty() {
            continue;
        }
        let Some(requirement) = requirement(part) else {
            let message = format!("unable to parse requirement: cannot understand '{part}'");
            return Err(Status::bad_request(message));
        };
        requirements.push(requirement);
        if requirements.len() > MAX_REQUIREMENTS {
            return Err(Status::bad_request("the label selector has too many requirements"));
        }
    }
    Ok(requirements)
}

/// The parts between commas that stand in no parentheses.
fn split_outside(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_i32;
    text.split(move |letter| {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        letter == ',' && depth == 0
    })
}

fn requirement(part: &str) -> Option<(String, Test)> {
    if let Some((before, values)) = part.strip_suffix(')').and_then(|part| part.split_once('(')) {
        let (key, word) = before.trim().rsplit_once(char::is_whitespace)?;
        let values: Vec<String> = values.split(',').map(|one| one.trim().to_owned()).collect();
        if !values.iter().all(|value| is_value(value)) {
            return None;
        }
        return match word {
            "in" => Some((key_of(key)?, Test::In(values))),
            "notin" => Some((key_of(key)?, Test::NotIn(values))),
            _ => None,
        };
    }
    let one = |value: &str| Some(value.trim()).filter(|v| is_value(v)).map(|v| vec![v.to_owned()]);
    if let Some((key, value)) = part.split_once("!=") {
        return Some((key_of(key)?, Test::NotIn(one(value)?)));
    }
    if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        return Some((key_of(key)?, Test::In(one(value)?)));
    }
    if let Some((key, value)) = part.split_once('>') {
        return Some((key_of(key)?, Test::Above(value.trim().parse().ok()?)));
    }
    if let Some((key, value)) = part.split_once('<') {
        return Some((key_of(key)?, Test::Below(value.trim().parse().ok()?)));
    }
    match part.strip_prefix('!') {
        Some(key) => Some((key_of(key)?, Test::Absent)),
        None => Some((key_of(part)?, Test::Exists)),
    }
}

/// A label's key: a name of at most 63 characters, maybe behind a prefix and a slash.
fn key_of(key: &str) -> Option<String> {
    let key = key.trim();
    let name = key.rsplit_once('/').map_or(key, |(prefix, name)| {
        if prefix.is_empty() || prefix.len() > 253 || prefix.contains('/') { "" } else { name }
    });
    (!name.is_empty() && name.len() <= 63 && key.chars().all(is_key_char)).then(|| key.to_owned())
}

fn is_key_char(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "-_./".contains(letter)
}

fn is_value(value: &str) -> bool {
    let fine = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    value.len() <= 63 && value.chars().all(fine)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(selector: &str, expected: Option<bool>) {
        let labels = [("app", "web"), ("tier", "3")].map(|(k, v)| (k.into(), v.into()));
        let parsed = Selection::parse(selector, "");
        assert_eq!(parsed.ok().map(|all| all.matches("ns", "p", &labels)), expected, "{selector}");
    }

    #[test]
    fn label_selectors_select() {
        for selector in [
            "",
            "app=web",
            "app==web,tier!=4",
            "app in (web, db)",
            "x notin (a),!x",
            "app,tier",
            "tier>2,tier<4",
        ] {
            check(selector, Some(true));
        }
        for selector in ["app=db", "x", "!app", "app notin (web)", "tier>3", "app>1", "x=", "app="]
        {
            check(selector, Some(false));
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for selector in [
            "a b c",
            "app of (a)",
            "=x",
            "a=b=c",
            "a in (b",
            "app=ü",
            "tier>x",
            "a)(b",
            "/x",
            "a//b",
            &"x".repeat(64),
            &format!("a={}", "y".repeat(64)),
            &"a,".repeat(300),
        ] {
            check(selector, None);
        }
    }

    #[test]
    fn field_selectors_know_name_and_namespace() {
        let matches =
            |fields: &str| Selection::parse("", fields).ok().map(|all| all.matches("ns", "p", &[]));
        assert_eq!(matches("metadata.name=p,metadata.namespace!=x"), Some(true));
        assert_eq!(matches("metadata.name==q"), Some(false));
        assert_eq!(matches("spec.nodeName=n"), None);
        assert_eq!(matches("nonsense"), None);
    }
}
