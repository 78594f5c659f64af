//! What a client asks before it asks for metrics: groups, resources, schemas, version.

use serde_json::{Value, json};

use super::metrics::GROUP;

/// One resource of the group: plural, kind, whether it lives in namespaces.
const RESOURCES: [(&str, &str, bool); 2] =
    [("nodes", "NodeMetrics", false), ("pods", "PodMetrics", true)];

/// The page at `path`, if it is one of these; `versions` are the group's, the preferred first.
pub(super) fn page(path: &str, versions: &[&str], taffrail: &str) -> Option<Value> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    match *parts.as_slice() {
        [""] => Some(json!({ "paths": paths(versions) })),
        ["api"] => Some(json!({
            "kind": "APIVersions", "versions": [],
            "serverAddressByClientCIDRs": [],
        })),
        ["apis"] => Some(json!({
            "kind": "APIGroupList", "apiVersion": "v1", "groups": [group(versions)],
        })),
        ["apis", GROUP] => {
            let mut group = group(versions);
            group["kind"] = "APIGroup".into();
            group["apiVersion"] = "v1".into();
            Some(group)
        }
        ["apis", GROUP, version] if versions.contains(&version) => Some(json!({
            "kind": "APIResourceList", "apiVersion": "v1",
            "groupVersion": format!("{GROUP}/{version}"),
            "resources": RESOURCES.iter().map(|(plural, kind, namespaced)| json!({
                "name": plural, "singularName": "", "namespaced": namespaced,
                "kind": kind, "verbs": ["get", "list"],
            })).collect::<Vec<_>>(),
        })),
        ["version"] => Some(json!({
            "major": "1", "minor": "34", "gitVersion": format!("v{taffrail}"), "gitCommit": "",
            "gitTreeState": "", "buildDate": "", "goVersion": "", "compiler": "rustc",
            "platform": format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
        })),
        _ => None,
    }
}

/// All groups with all resources in one answer, as newer clients ask for them.
pub(super) fn aggregated(versions: &[&str], discovery: &str) -> Value {
    let resources: Vec<Value> = RESOURCES
        .iter()
        .map(|(plural, kind, namespaced)| {
            json!({
                "resource": plural,
                "responseKind": { "group": "", "kind": kind, "version": "" },
                "scope": if *namespaced { "Namespaced" } else { "Cluster" },
                "singularResource": "", "verbs": ["get", "list"],
            })
        })
        .collect();
    let versions: Vec<Value> = versions
        .iter()
        .map(
            |version| json!({ "version": version, "freshness": "Current", "resources": resources }),
        )
        .collect();
    json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": format!("apidiscovery.k8s.io/{discovery}"), "metadata": {},
        "items": [{
            "metadata": { "name": GROUP, "creationTimestamp": null }, "versions": versions,
        }],
    })
}

fn group(versions: &[&str]) -> Value {
    let versions: Vec<Value> = versions
        .iter()
        .map(|version| json!({ "groupVersion": format!("{GROUP}/{version}"), "version": version }))
        .collect();
    let preferred = versions.first().cloned();
    json!({ "name": GROUP, "versions": versions, "preferredVersion": preferred })
}

fn paths(versions: &[&str]) -> Vec<String> {
    let mut paths = vec!["/apis".to_owned(), format!("/apis/{GROUP}")];
    paths.extend(versions.iter().map(|version| format!("/apis/{GROUP}/{version}")));
    let rest =
        ["/healthz", "/livez", "/metrics", "/openapi/v2", "/openapi/v3", "/readyz", "/version"];
    paths.extend(rest.map(str::to_owned));
    paths
}
