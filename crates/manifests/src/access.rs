//! Who the pods are and what they may do: exactly what the diagnosis checks, and no more.

use serde_json::{Value, json};

use crate::{NAME, Options, Variant, labels, metadata};

const ROLE_COMMENT: &str = "What is read: objects by watching, measurements from kubelets. \
    Never nodes/proxy, which lets\nits owner run commands in every pod, and never secrets. \
    `taffrail doctor` checks these very rules.";

pub(crate) fn put(options: &Options, put: &mut impl FnMut(&'static str, Value)) {
    put(
        "Who the pods are.",
        json!({
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": metadata(options, NAME),
            "automountServiceAccountToken": false,
        }),
    );
    put(
        ROLE_COMMENT,
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": { "name": NAME, "labels": labels() },
            "rules": rules(options),
        }),
    );
    put(
        "The pods may do that.",
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": { "name": NAME, "labels": labels() },
            "roleRef": role("ClusterRole"),
            "subjects": subjects(options),
        }),
    );
    if options.variant == Variant::Replicas {
        put(
            "Replicas know of each other by leases in their own namespace.",
            json!({
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "Role",
                "metadata": metadata(options, NAME),
                "rules": [{
                    "apiGroups": ["coordination.k8s.io"],
                    "resources": ["leases"],
                    "verbs": ["create", "delete", "list", "update"],
                }],
            }),
        );
        put(
            "The pods may do that here.",
            json!({
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "RoleBinding",
                "metadata": metadata(options, NAME),
                "roleRef": role("Role"),
                "subjects": subjects(options),
            }),
        );
    }
}

fn role(kind: &str) -> Value {
    json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": NAME })
}

fn subjects(options: &Options) -> Value {
    json!([{ "kind": "ServiceAccount", "name": NAME, "namespace": options.namespace }])
}

/// The needed rights, those of one group and the same verbs in one rule.
fn rules(options: &Options) -> Value {
    let mut rules: Vec<(&str, &[&str], Vec<String>)> = Vec::new();
    let source = cluster::SourceOptions::new(cluster::Defaults::taffrail());
    let scraped = options.scrape.then(cluster::diagnose::scraping_rights);
    for right in cluster::diagnose::rights(&source).into_iter().chain(scraped.into_iter().flatten())
    {
        let same = |rule: &&mut (&str, &[&str], Vec<String>)| {
            rule.0 == right.group && rule.1 == right.verbs
        };
        match rules.iter_mut().find(same) {
            Some(rule) => rule.2.push(right.resource),
            None => rules.push((right.group, right.verbs, vec![right.resource])),
        }
    }
    let rule = |(group, verbs, resources): (&str, &[&str], Vec<String>)| json!({ "apiGroups": [group], "resources": resources, "verbs": verbs });
    let own = options.variant.is_aggregated().then(|| crate::apis::rule(options.variant));
    rules.into_iter().map(rule).chain(own).collect()
}
