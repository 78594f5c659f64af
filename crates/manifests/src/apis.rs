//! What makes the API server ask the pod: metrics.k8s.io in place of metrics-server.

use serde_json::{Value, json};

use crate::{NAME, Options, labels};

/// The port of metrics.k8s.io, in the container.
pub const SECURE_PORT: u16 = 10250;
/// The name of the `APIService`: the version, then the group.
pub(crate) const API_SERVICE: &str = "v1beta1.metrics.k8s.io";
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
    put(
        "The API server asks the service for metrics.k8s.io. The pods put their certificate's\n\
         authority into caBundle. Remove metrics-server's before: there is one of each name.",
        json!({
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": { "name": API_SERVICE, "labels": labels() },
            "spec": {
                "group": "metrics.k8s.io",
                "version": "v1beta1",
                "groupPriorityMinimum": 100,
                "versionPriority": 100,
                "service": { "name": NAME, "namespace": options.namespace, "port": 443 },
            },
        }),
    );
}

/// Lets the pods put their authority into that one object.
pub(crate) fn rule() -> Value {
    json!({
        "apiGroups": ["apiregistration.k8s.io"],
        "resources": ["apiservices"],
        "resourceNames": [API_SERVICE],
        "verbs": ["get", "patch"],
    })
}

fn subjects(options: &Options) -> Value {
    json!([{ "kind": "ServiceAccount", "name": NAME, "namespace": options.namespace }])
}
