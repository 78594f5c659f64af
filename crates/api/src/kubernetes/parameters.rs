//! What a list is asked with.

use super::selector::Selection;
use super::status::Status;
use crate::request::pairs;

/// The parameters of a list that change its answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Parameters {
    pub(super) selection: Selection,
    /// Most items.
    pub(super) limit: Option<usize>,
    /// Namespace and name of the last item of the page before.
    pub(super) after: Option<(String, String)>,
    pub(super) watch: bool,
}

impl Parameters {
    pub(super) fn read(query: &str) -> Result<Self, Status> {
        let mut read = Self::default();
        let (mut labels, mut fields) = (String::new(), String::new());
        let mut initial_events = false;
        for (key, value) in pairs(query) {
            match &*key {
                "labelSelector" => labels = value.into_owned(),
                "fieldSelector" => fields = value.into_owned(),
                "watch" => read.watch = truth(&key, &value)?,
                "sendInitialEvents" => initial_events = truth(&key, &value)?,
                "limit" if !value.is_empty() => {
                    let limit: i64 = value.parse().map_err(|_| unreadable(&key, &value))?;
                    read.limit = usize::try_from(limit).ok().filter(|limit| *limit > 0);
                }
                "continue" if !value.is_empty() => {
                    let (namespace, name) = value.split_once('/').ok_or_else(|| {
                        Status::bad_request("continue key is not valid: it is no token of ours")
                    })?;
                    read.after = Some((namespace.to_owned(), name.to_owned()));
                }
                _ => {}
            }
        }
        if initial_events && !read.watch {
            let message = "ListOptions.meta.k8s.io \"\" is invalid: sendInitialEvents: \
                           Forbidden: sendInitialEvents is forbidden for list";
            return Err(Status::invalid(message));
        }
        read.selection = Selection::parse(&labels, &fields)?;
        Ok(read)
    }
}

fn truth(key: &str, value: &str) -> Result<bool, Status> {
    match value {
        "" | "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(unreadable(key, value)),
    }
}

fn unreadable(key: &str, value: &str) -> Status {
    Status::bad_request(format!("the parameter {key} has the value {value:?}, which is none"))
}
