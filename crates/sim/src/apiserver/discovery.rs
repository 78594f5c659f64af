//! What a client asks before it asks for objects: health, version, groups and resources.

use serde_json::{Value, json};

use super::openapi;
use super::resource::{self, Resource};
use crate::http::{JSON, TEXT};
use crate::store::Store;

/// The version the API server claims to be.
pub(crate) const GIT_VERSION: &str = "v1.32.4";

/// The page at `path`, if it is one of these.
pub(crate) fn page(path: &str, store: &Store) -> Option<(&'static str, Value)> {
    let json = |value| Some((JSON, value));
    match path {
        "" => return json(paths()),
        "/healthz" | "/livez" | "/readyz" | "/healthz/ping" | "/livez/ping" | "/readyz/ping" => {
            return Some((TEXT, "ok".into()));
        }
        "/version" => return json(version(store)),
        "/api" => {
            return json(json!({
                "kind": "APIVersions", "versions": ["v1"],
                "serverAddressByClientCIDRs": [{ "clientCIDR": "0.0.0.0/0", "serverAddress": "10.43.0.1:443" }],
            }));
        }
        "/apis" => {
            return json(json!({
                "kind": "APIGroupList", "apiVersion": "v1",
                "groups": resource::groups().into_iter().map(group).collect::<Vec<_>>(),
            }));
        }
        "/openapi/v2" => {
            return json(json!({
                "swagger": "2.0", "info": { "title": "Kubernetes", "version": GIT_VERSION },
                "paths": {}, "definitions": {},
            }));
        }
        _ => {}
    }
    if let Some(page) = openapi::page(path) {
        return json(page);
    }
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match parts.as_slice() {
        ["api", "v1"] => json(resources("", "v1")?),
        ["apis", name] => {
            let found = resource::groups().into_iter().find(|(group, _)| group == name)?;
            let mut value = group(found);
            value["kind"] = "APIGroup".into();
            value["apiVersion"] = "v1".into();
            json(value)
        }
        ["apis", group, version] => json(resources(group, version)?),
        _ => None,
    }
}

fn version(store: &Store) -> Value {
    json!({
        "major": "1", "minor": "32", "gitVersion": GIT_VERSION,
        "gitCommit": "59526cd4867447956156ae3a602fcbac10a2c335", "gitTreeState": "clean",
        "buildDate": crate::objects::time(store.cluster().plan.origin),
        "goVersion": "go1.23.6", "compiler": "gc", "platform": "linux/amd64",
    })
}

fn paths() -> Value {
    let mut paths: Vec<String> = ["/api", "/api/v1", "/apis"].map(str::to_owned).to_vec();
    for (group, version) in resource::groups() {
        paths.push(format!("/apis/{group}"));
        paths.push(format!("/apis/{group}/{version}"));
    }
    let rest =
        ["/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/sim/faults", "/version"];
    paths.extend(rest.map(str::to_owned));
    json!({ "paths": paths })
}

fn group((name, version): (&'static str, &'static str)) -> Value {
    let version = json!({ "groupVersion": format!("{name}/{version}"), "version": version });
    json!({ "name": name, "versions": [version], "preferredVersion": version })
}

fn resources(group: &str, version: &str) -> Option<Value> {
    let mut list: Vec<Value> = Vec::new();
    for one in resource::ALL.iter().filter(|one| one.group == group && one.version == version) {
        list.push(entry(one, one.plural, one.verbs()));
        if one.plural == "nodes" {
            list.push(json!({
                "name": "nodes/proxy", "singularName": "", "namespaced": false,
                "kind": "NodeProxyOptions", "verbs": ["get"],
            }));
        }
        let parts: &[(&str, &[&str])] = match one.plural {
            "pods" => &[("log", &["get"]), ("exec", &["create", "get"]), ("eviction", &["create"])],
            "deployments" | "statefulsets" | "replicasets" => {
                &[("scale", &["get", "patch", "update"])]
            }
            _ => &[],
        };
        for (part, verbs) in parts {
            list.push(entry(one, &format!("{}/{part}", one.plural), verbs));
        }
        if one.stored.is_some() && one.plural != "leases" && one.plural != "events" {
            list.push(entry(one, &format!("{}/status", one.plural), &["get"]));
        }
    }
    if list.is_empty() {
        return None;
    }
    let group_version =
        if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    Some(json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": list,
    }))
}

fn entry(one: &Resource, name: &str, verbs: &[&str]) -> Value {
    let main = !name.contains('/');
    let mut json = json!({
        "name": name, "singularName": if main { one.singular } else { "" },
        "namespaced": one.namespaced, "kind": one.kind, "verbs": verbs,
    });
    if main && !one.short.is_empty() {
        json["shortNames"] = one.short.into();
    }
    if main && one.in_all {
        json["categories"] = json!(["all"]);
    }
    json
}
