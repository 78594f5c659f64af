//! What makes the API server ask the pod: metrics.k8s.io in place of metrics-server, and what an
//! HPA scales on in place of an adapter.

use serde_json::{Value, json};

use crate::{NAME, Options, Variant, labels};

/// The port of metrics.k8s.io, in the container.
pub const SECURE_PORT: u16 = 10250;
/// The API services, each with its priority among the versions of its group: the greater first.
const SERVICES: [(&str, &str, u32); 4] = [
    ("metrics.k8s.io", "v1beta1", 100),
    ("custom.metrics.k8s.io", "v1beta2", 200),
    ("custom.metrics.k8s.io", "v1beta1", 100),
    ("external.metrics.k8s.io", "v1beta1", 100),
];
/// The role of who reads what an HPA scales on.
const READER: &str = "taffrail-custom-metrics-reader";
/// Where the API server keeps whom it lets ask for others.
const KUBE_SYSTEM: &str = "kube-system";

pub(crate) fn put(options: &Options, put: &mut impl FnMut(&'static str, Value)) {
    put(
        "The pods may ask the API server who somebody is and what they may.",
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": { "name": "taffrail-auth-delegator", "labels": labels() },
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "system:auth-delegator",
            },
            "subjects": subjects(options),
        }),
    );
    put(
        "The pods may read by which certificate they know the API server.",
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {
                "name": "taffrail-auth-reader", "namespace": KUBE_SYSTEM, "labels": labels(),
            },
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "Role",
                "name": "extension-apiserver-authentication-reader",
            },
            "subjects": subjects(options),
        }),
    );
    put(
        "Whoever may view may read metrics too, as `kubectl top` does.",
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {
                "name": "taffrail-metrics-reader",
                "labels": {
                    "app.kubernetes.io/name": NAME,
                    "rbac.authorization.k8s.io/aggregate-to-admin": "true",
                    "rbac.authorization.k8s.io/aggregate-to-edit": "true",
                    "rbac.authorization.k8s.io/aggregate-to-view": "true",
                },
            },
            "rules": [{
                "apiGroups": ["metrics.k8s.io"],
                "resources": ["nodes", "pods"],
                "verbs": ["get", "list"],
            }],
        }),
    );
    if options.variant == Variant::CustomMetrics {
        put_readers(put);
    }
    for (at, (group, version, priority)) in services(options.variant).iter().enumerate() {
        let comment = if at == 0 {
            "The API server asks the service for these groups. The pods put their certificate's\n\
             authority into caBundle. Remove who answers them now before: metrics-server, an\n\
             adapter. There is one of each name."
        } else {
            "The same for another group or version."
        };
        put(comment, api_service(options, group, version, *priority));
    }
}

/// Lets the HPA read what it scales on; older clusters' own role for it may not say so.
fn put_readers(put: &mut impl FnMut(&'static str, Value)) {
    put(
        "Every resource of these groups is a metric.",
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": { "name": READER, "labels": labels() },
            "rules": [{
                "apiGroups": ["custom.metrics.k8s.io", "external.metrics.k8s.io"],
                "resources": ["*"],
                "verbs": ["get", "list"],
            }],
        }),
    );
    put(
        "HPAs may read them.",
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": { "name": READER, "labels": labels() },
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": READER,
            },
            "subjects": [{
                "kind": "ServiceAccount",
                "name": "horizontal-pod-autoscaler",
                "namespace": KUBE_SYSTEM,
            }],
        }),
    );
}

/// Those of a variant.
fn services(variant: Variant) -> &'static [(&'static str, &'static str, u32)] {
    let count = if variant == Variant::CustomMetrics { SERVICES.len() } else { 1 };
    SERVICES.get(..count).unwrap_or_default()
}

fn api_service(options: &Options, group: &str, version: &str, priority: u32) -> Value {
    json!({
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": { "name": format!("{version}.{group}"), "labels": labels() },
        "spec": {
            "group": group,
            "version": version,
            "groupPriorityMinimum": 100,
            "versionPriority": priority,
            "service": { "name": NAME, "namespace": options.namespace, "port": 443 },
        },
    })
}

/// Lets the pods put their authority into those objects.
pub(crate) fn rule(variant: Variant) -> Value {
    let name = |(group, version, _): &(&str, &str, u32)| format!("{version}.{group}");
    json!({
        "apiGroups": ["apiregistration.k8s.io"],
        "resources": ["apiservices"],
        "resourceNames": services(variant).iter().map(name).collect::<Vec<_>>(),
        "verbs": ["get", "patch"],
    })
}

fn subjects(options: &Options) -> Value {
    json!([{ "kind": "ServiceAccount", "name": NAME, "namespace": options.namespace }])
}
