//! Query parameters and the form of answer a client accepts.

use std::time::Duration;

use http::{HeaderMap, header};

use super::selector::Selection;
use super::status::Status;

/// Longest continue token read.
const LONGEST_TOKEN: usize = 1024;

/// The form of objects in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Form {
    #[default]
    Whole,
    Table,
    /// `PartialObjectMetadata` and lists of them.
    Partial,
}

/// What of an object is in each row of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Include {
    None,
    #[default]
    Metadata,
    Object,
}

/// How a given resource version is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Match {
    Exact,
    NotOlderThan,
}

/// Everything a list or watch is asked with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Parameters {
    pub selection: Selection,
    pub form: Form,
    pub include: Include,
    pub watch: bool,
    pub bookmarks: bool,
    pub send_initial_events: Option<bool>,
    pub resource_version: Option<u64>,
    pub resource_version_match: Option<Match>,
    pub limit: Option<usize>,
    pub token: Option<Token>,
    pub timeout: Option<Duration>,
}

/// Where a paged list goes on: after this object, at this version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub resource_version: u64,
    pub namespace: u32,
    pub name: String,
}

impl Token {
    pub(crate) fn write(&self) -> String {
        format!("{}.{}.{}", self.resource_version, self.namespace, self.name)
    }

    fn read(text: &str) -> Option<Self> {
        let (resource_version, rest) = text.split_once('.')?;
        let (namespace, name) = rest.split_once('.')?;
        Some(Self {
            resource_version: resource_version.parse().ok()?,
            namespace: namespace.parse().ok()?,
            name: name.to_owned(),
        })
    }
}

impl Parameters {
    pub(crate) fn read(query: Option<&str>, headers: &HeaderMap) -> Result<Self, Status> {
        let mut read = Self { form: form(headers), ..Self::default() };
        let (mut labels, mut fields) = (None, None);
        for (key, value) in url::form_urlencoded::parse(query.unwrap_or("").as_bytes()) {
            let value = value.into_owned();
            match key.as_ref() {
                "labelSelector" => labels = Some(value),
                "fieldSelector" => fields = Some(value),
                "watch" => read.watch = is_true(&value),
                "allowWatchBookmarks" => read.bookmarks = is_true(&value),
                "sendInitialEvents" => read.send_initial_events = Some(is_true(&value)),
                "resourceVersion" if !value.is_empty() => {
                    let version = value.parse().map_err(|_| invalid("resourceVersion", &value))?;
                    read.resource_version = Some(version);
                }
                "resourceVersionMatch" => read.resource_version_match = Some(matching(&value)?),
                "limit" => {
                    let limit = value.parse::<usize>().map_err(|_| invalid("limit", &value))?;
                    read.limit = (limit > 0).then_some(limit);
                }
                "continue" if !value.is_empty() => read.token = Some(token(&value)?),
                "timeoutSeconds" => {
                    let seconds = value.parse().map_err(|_| invalid("timeoutSeconds", &value))?;
                    read.timeout = Some(Duration::from_secs(seconds)).filter(|t| !t.is_zero());
                }
                "includeObject" => {
                    read.include = match value.as_str() {
                        "None" => Include::None,
                        "Object" => Include::Object,
                        _ => Include::Metadata,
                    };
                }
                _ => {}
            }
        }
        read.selection = Selection::parse(labels.as_deref(), fields.as_deref())?;
        read.check()?;
        Ok(read)
    }

    /// Only the object with this name.
    pub(crate) fn select_name(&mut self, name: &str) {
        self.selection.and_name(name);
    }

    /// What the API server refuses (`ValidateListOptions` of apimachinery).
    fn check(&self) -> Result<(), Status> {
        let versioned = self.resource_version_match.is_some();
        if self.send_initial_events.is_some() && !self.watch {
            return Err(Status::invalid(
                "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list",
            ));
        }
        if self.watch && self.send_initial_events.is_none() && versioned {
            return Err(Status::invalid(
                "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            ));
        }
        if self.send_initial_events.is_some()
            && self.resource_version_match != Some(Match::NotOlderThan)
        {
            return Err(Status::invalid(
                "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
            ));
        }
        if !self.watch && versioned && self.resource_version.is_none() {
            return Err(Status::invalid(
                "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
            ));
        }
        let exact = self.resource_version_match == Some(Match::Exact);
        if exact && self.resource_version == Some(0) {
            return Err(Status::invalid(
                "resourceVersionMatch: Forbidden: resourceVersionMatch \"Exact\" is forbidden for resourceVersion \"0\"",
            ));
        }
        if self.token.is_some() && self.resource_version.is_some_and(|version| version > 0) {
            return Err(Status::bad_request(
                "specifying resource version is not allowed when using continue",
            ));
        }
        Ok(())
    }
}

fn is_true(value: &str) -> bool {
    matches!(value, "1" | "true" | "True" | "TRUE" | "t")
}

fn invalid(what: &str, value: &str) -> Status {
    Status::bad_request(format!(
        "{what}: Invalid value: \"{value}\": strconv.ParseUint: invalid syntax"
    ))
}

fn matching(value: &str) -> Result<Match, Status> {
    match value {
        "Exact" => Ok(Match::Exact),
        "NotOlderThan" => Ok(Match::NotOlderThan),
        _ => Err(Status::invalid(format!(
            "resourceVersionMatch: Unsupported value: \"{value}\": supported values: \"Exact\", \"NotOlderThan\", \"\""
        ))),
    }
}

fn token(value: &str) -> Result<Token, Status> {
    let readable = value.len() <= LONGEST_TOKEN;
    let token = readable.then(|| Token::read(value)).flatten();
    token.ok_or_else(|| Status::bad_request("continue key is not valid"))
}

/// The first form in `Accept` that there is; JSON is the only encoding.
fn form(headers: &HeaderMap) -> Form {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
    for one in accept.split(',') {
        let mut parts = one.split(';').map(str::trim);
        if !parts
            .next()
            .is_some_and(|kind| matches!(kind, "application/json" | "*/*" | "application/*"))
        {
            continue;
        }
        let parameters: Vec<&str> = parts.collect();
        let current = !parameters.iter().any(|p| p.starts_with("v=") && *p != "v=v1");
        for parameter in &parameters {
            match *parameter {
                "as=Table" if current => return Form::Table,
                "as=PartialObjectMetadataList" | "as=PartialObjectMetadata" if current => {
                    return Form::Partial;
                }
                _ => {}
            }
        }
        if !parameters.iter().any(|parameter| parameter.starts_with("as=")) {
            return Form::Whole;
        }
    }
    Form::Whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(accept: &str, expected: Form) {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, accept.parse().unwrap());
        assert_eq!(form(&headers), expected, "{accept}");
    }

    #[test]
    fn accept_chooses_the_form() {
        check("application/json", Form::Whole);
        check("application/vnd.kubernetes.protobuf,application/json", Form::Whole);
        check(
            "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json",
            Form::Table,
        );
        check("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", Form::Partial);
        check("application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json", Form::Whole);
    }

    #[test]
    fn tokens_survive_names_with_dots() {
        let token = Token { resource_version: 7, namespace: 3, name: "a.b.c".to_owned() };
        assert_eq!(Token::read(&token.write()), Some(token));
        assert_eq!(Token::read("nonsense"), None);
    }
}
