//! What somebody may do, by the roles and bindings that the cluster holds.

use std::sync::Arc;

use serde_json::Value;

use super::caller::Caller;
use super::list::namespace_index;
use super::status::Status;
use crate::objects::{Object, Written};
use crate::store::{Extent, Kind, Store};

/// Something that somebody wants to do: with a resource, or with a path where that is empty.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wanted<'a> {
    pub verb: &'a str,
    pub group: &'a str,
    pub resource: &'a str,
    pub subresource: &'a str,
    /// Empty for all.
    pub namespace: &'a str,
    /// Empty for lists.
    pub name: &'a str,
    pub path: &'a str,
}

/// Refuses what `caller` may not do.
pub(super) fn demand(store: &Store, caller: &Caller, wanted: &Wanted) -> Result<(), Status> {
    if may(store, caller, wanted).is_some() {
        return Ok(());
    }
    Err(Status::denied(&refusal(caller, wanted)))
}

fn refusal(caller: &Caller, wanted: &Wanted) -> String {
    let Wanted { verb, group, resource, subresource, namespace, name, path } = *wanted;
    let user = &caller.name;
    if resource.is_empty() {
        return format!("forbidden: User \"{user}\" cannot {verb} path \"{path}\"");
    }
    let dot = if group.is_empty() { "" } else { "." };
    let about = if name.is_empty() { String::new() } else { format!(" \"{name}\"") };
    let slash = if subresource.is_empty() { "" } else { "/" };
    let place = match namespace {
        "" => "at the cluster scope".to_owned(),
        namespace => format!("in the namespace \"{namespace}\""),
    };
    format!(
        "{resource}{dot}{group}{about} is forbidden: User \"{user}\" cannot {verb} resource \
         \"{resource}{slash}{subresource}\" in API group \"{group}\" {place}"
    )
}

/// Why `caller` may do it; `None` when nothing allows it.
pub(super) fn may(store: &Store, caller: &Caller, wanted: &Wanted) -> Option<String> {
    if caller.is_master() {
        return Some(format!("{} may do everything", caller.name));
    }
    let mut why = None;
    visit(store, caller, wanted.namespace, |binding, kind, rule| {
        if why.is_none() && allows(rule, wanted) {
            let role = &binding.body["roleRef"];
            why = Some(format!(
                "RBAC: allowed by {kind} {} of {} {} to User \"{}\"",
                binding.body["metadata"]["name"],
                text(&role["kind"]),
                role["name"],
                caller.name
            ));
        }
    });
    why
}

/// All rules that hold for `caller` in a namespace.
pub(super) fn rules(store: &Store, caller: &Caller, namespace: &str) -> Vec<Value> {
    let mut rules = Vec::new();
    visit(store, caller, namespace, |_, _, rule| rules.push(rule.clone()));
    rules
}

fn visit(
    store: &Store,
    caller: &Caller,
    namespace: &str,
    mut each: impl FnMut(&Written, &str, &Value),
) {
    for binding in written(store, Kind::ClusterRoleBindings, None) {
        apply(store, &binding, caller, None, |rule| each(&binding, "ClusterRoleBinding", rule));
    }
    let Some(index) = namespace_index(store.cluster(), namespace) else { return };
    for binding in written(store, Kind::RoleBindings, Some(index)) {
        apply(store, &binding, caller, Some(index), |rule| each(&binding, "RoleBinding", rule));
    }
}

fn written(store: &Store, kind: Kind, namespace: Option<u32>) -> Vec<Arc<Written>> {
    let extent = Extent { namespace, ..Extent::default() };
    let Ok(found) = store.list(kind, &extent) else { return Vec::new() };
    let own = found.items.into_iter().filter_map(|(_, version)| match version.object {
        Object::Written(written) => Some(written),
        _ => None,
    });
    own.collect()
}

/// Hands on the rules of a binding's role, if it binds `caller`.
fn apply(
    store: &Store,
    binding: &Written,
    caller: &Caller,
    namespace: Option<u32>,
    mut each: impl FnMut(&Value),
) {
    if !items(&binding.body["subjects"]).any(|subject| is(subject, caller)) {
        return;
    }
    let role = &binding.body["roleRef"];
    let (kind, place) = match (text(&role["kind"]), namespace) {
        ("ClusterRole", _) => (Kind::ClusterRoles, 0),
        ("Role", Some(namespace)) => (Kind::Roles, namespace),
        _ => return,
    };
    let found = store.get(kind, &(place, text(&role["name"]).into()));
    if let Some(Object::Written(role)) = found.map(|version| version.object) {
        items(&role.body["rules"]).for_each(&mut each);
    }
}

fn is(subject: &Value, caller: &Caller) -> bool {
    let name = text(&subject["name"]);
    match text(&subject["kind"]) {
        "User" => name == caller.name,
        "Group" => caller.groups.iter().any(|group| group == name),
        "ServiceAccount" => {
            let namespace = text(&subject["namespace"]);
            caller.name == format!("system:serviceaccount:{namespace}:{name}")
        }
        _ => false,
    }
}

fn allows(rule: &Value, wanted: &Wanted) -> bool {
    let has =
        |field: &str, word: &str| items(&rule[field]).any(|one| one == "*" || text(one) == word);
    if !has("verbs", wanted.verb) {
        return false;
    }
    if wanted.resource.is_empty() {
        return items(&rule["nonResourceURLs"]).map(text).any(|url| match url.strip_suffix('*') {
            Some(begin) => wanted.path.starts_with(begin),
            None => wanted.path == url,
        });
    }
    let names = &rule["resourceNames"];
    has("apiGroups", wanted.group)
        && items(&rule["resources"]).map(text).any(|one| fits(one, wanted))
        && (items(names).next().is_none() || items(names).any(|one| text(one) == wanted.name))
}

/// Whether `pods`, `pods/log`, `*/log` or `*` covers what is wanted.
fn fits(rule: &str, wanted: &Wanted) -> bool {
    match rule.split_once('/') {
        None if rule == "*" => true,
        None => rule == wanted.resource && wanted.subresource.is_empty(),
        Some((resource, subresource)) => {
            (resource == "*" || resource == wanted.resource) && subresource == wanted.subresource
        }
    }
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rules_allow_what_they_say() {
        let rule = json!({
            "verbs": ["get", "list"], "apiGroups": ["metrics.k8s.io"], "resources": ["pods", "*/log"],
        });
        let wanted = |verb, group, resource, subresource| Wanted {
            verb,
            group,
            resource,
            subresource,
            ..Wanted::default()
        };
        assert!(allows(&rule, &wanted("get", "metrics.k8s.io", "pods", "")));
        assert!(allows(&rule, &wanted("get", "metrics.k8s.io", "nodes", "log")));
        assert!(!allows(&rule, &wanted("watch", "metrics.k8s.io", "pods", "")));
        assert!(!allows(&rule, &wanted("get", "", "pods", "")));
        assert!(!allows(&rule, &wanted("get", "metrics.k8s.io", "nodes", "")));
        let named = json!({
            "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "resourceNames": ["a"],
        });
        assert!(allows(&named, &Wanted { name: "a", ..wanted("get", "", "pods", "") }));
        assert!(!allows(&named, &wanted("list", "", "pods", "")));
        let paths = json!({ "verbs": ["get"], "nonResourceURLs": ["/api/*", "/version"] });
        let path = |path| Wanted { verb: "get", path, ..Wanted::default() };
        assert!(allows(&paths, &path("/api/v1")) && allows(&paths, &path("/version")));
        assert!(!allows(&paths, &path("/apis")));
    }
}
