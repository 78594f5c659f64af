//! What a client asks before it asks for metrics: groups, resources, version.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::measure::Measure;
use super::{custom, external, metrics};
use crate::ApiState;

/// One group that is served.
pub(super) struct Group {
    pub(super) name: &'static str,
    /// The preferred first.
    pub(super) versions: &'static [&'static str],
    pub(super) resources: Vec<Resource>,
}

/// One resource of a group.
pub(super) struct Resource {
    /// Plural; what metrics describe has the metric's name behind it.
    name: String,
    kind: &'static str,
    namespaced: bool,
    verbs: &'static [&'static str],
}

/// Everything that is served now: metrics that the cluster names itself come and go.
pub(super) fn groups(state: &Arc<ApiState>) -> Vec<Group> {
    let latest = state.window.latest();
    let batch = latest.as_deref();
    let resource = |name: &str, kind, namespaced| Resource {
        name: name.to_owned(),
        kind,
        namespaced,
        verbs: &["get", "list"],
    };
    let mut described = Vec::new();
    for one in &custom::DESCRIBED {
        for metric in Measure::names(batch, one.entity) {
            described.push(Resource {
                name: format!("{}/{metric}", one.resource),
                kind: custom::LIST,
                namespaced: one.namespaced,
                verbs: &["get"],
            });
        }
    }
    let mut names = BTreeSet::new();
    for kind in external::KINDS {
        let own = Measure::names(batch, kind).into_iter();
        names.extend(own.map(|metric| format!("{}_{metric}", kind.name())));
    }
    let outside = names.into_iter().map(|name| Resource {
        name,
        kind: external::LIST,
        namespaced: true,
        verbs: &["get"],
    });
    vec![
        Group {
            name: metrics::GROUP,
            versions: super::versions(state),
            resources: vec![
                resource("nodes", "NodeMetrics", false),
                resource("pods", "PodMetrics", true),
            ],
        },
        Group { name: custom::GROUP, versions: &custom::VERSIONS, resources: described },
        Group {
            name: external::GROUP,
            versions: &external::VERSIONS,
            resources: outside.collect(),
        },
    ]
}

/// The page at `path`, if it is one of these.
pub(super) fn page(path: &str, groups: &[Group], taffrail: &str) -> Option<Value> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let named = |name: &str| groups.iter().find(|group| group.name == name);
    match *parts.as_slice() {
        [""] => Some(json!({ "paths": paths(groups) })),
        ["api"] => Some(json!({
            "kind": "APIVersions", "versions": [],
            "serverAddressByClientCIDRs": [],
        })),
        ["apis"] => Some(json!({
            "kind": "APIGroupList", "apiVersion": "v1",
            "groups": groups.iter().map(Group::json).collect::<Vec<_>>(),
        })),
        ["apis", name] => {
            let mut group = named(name)?.json();
            group["kind"] = "APIGroup".into();
            group["apiVersion"] = "v1".into();
            Some(group)
        }
        ["apis", name, version] => {
            let group = named(name).filter(|group| group.versions.contains(&version))?;
            Some(json!({
                "kind": "APIResourceList", "apiVersion": "v1",
                "groupVersion": format!("{name}/{version}"),
                "resources": group.resources.iter().map(Resource::json).collect::<Vec<_>>(),
            }))
        }
        ["version"] => Some(json!({
            "major": "1", "minor": "34", "gitVersion": format!("v{taffrail}"), "gitCommit": "",
            "gitTreeState": "", "buildDate": "", "goVersion": "", "compiler": "rustc",
            "platform": format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
        })),
        _ => None,
    }
}

/// All groups with all resources in one answer, as newer clients ask for them.
pub(super) fn aggregated(groups: &[Group], discovery: &str) -> Value {
    let items: Vec<Value> = groups
        .iter()
        .map(|group| {
            let resources = group.discovered();
            let versions: Vec<Value> = group
                .versions
                .iter()
                .map(|version| {
                    json!({ "version": version, "freshness": "Current", "resources": resources })
                })
                .collect();
            json!({
                "metadata": { "name": group.name, "creationTimestamp": null },
                "versions": versions,
            })
        })
        .collect();
    json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": format!("apidiscovery.k8s.io/{discovery}"), "metadata": {}, "items": items,
    })
}

impl Group {
    fn json(&self) -> Value {
        let version = |version: &&str| json!({ "groupVersion": format!("{}/{version}", self.name), "version": version });
        let versions: Vec<Value> = self.versions.iter().map(version).collect();
        let preferred = versions.first().cloned();
        json!({ "name": self.name, "versions": versions, "preferredVersion": preferred })
    }

    /// Resources as aggregated discovery has them: what has a slash is a subresource of what stands
    /// before it.
    fn discovered(&self) -> Vec<Value> {
        let scope = |one: &Resource| if one.namespaced { "Namespaced" } else { "Cluster" };
        let kind = |kind: &str| json!({ "group": "", "kind": kind, "version": "" });
        let mut all: Vec<Value> = Vec::new();
        for one in &self.resources {
            let Some((parent, metric)) = one.name.split_once('/') else {
                all.push(json!({
                    "resource": one.name, "responseKind": kind(one.kind), "scope": scope(one),
                    "singularResource": "", "verbs": one.verbs,
                }));
                continue;
            };
            if all.last().is_none_or(|last| last["resource"] != parent) {
                all.push(json!({
                    "resource": parent, "responseKind": kind(""), "scope": scope(one),
                    "singularResource": "", "verbs": null, "subresources": [],
                }));
            }
            let known = all.last_mut().and_then(|last| last["subresources"].as_array_mut());
            if let Some(known) = known {
                known.push(json!({
                    "subresource": metric, "responseKind": kind(one.kind), "verbs": one.verbs,
                }));
            }
        }
        all
    }
}

impl Resource {
    fn json(&self) -> Value {
        json!({
            "name": self.name, "singularName": "", "namespaced": self.namespaced,
            "kind": self.kind, "verbs": self.verbs,
        })
    }
}

fn paths(groups: &[Group]) -> Vec<String> {
    let mut paths = vec!["/apis".to_owned()];
    for group in groups {
        let name = group.name;
        paths.push(format!("/apis/{name}"));
        paths.extend(group.versions.iter().map(|version| format!("/apis/{name}/{version}")));
    }
    let rest =
        ["/healthz", "/livez", "/metrics", "/openapi/v2", "/openapi/v3", "/readyz", "/version"];
    paths.extend(rest.map(str::to_owned));
    paths
}
