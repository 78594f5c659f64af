//! What a cluster holds from its first second because its API server and its controllers put it
//! there: whom aggregated servers should trust, and the usual roles.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::aggregator::FRONT_PROXY;
use crate::plan::Sec;
use crate::store::{Kind, Store};

const RBAC: &str = "rbac.authorization.k8s.io";

/// Puts it into `store`. `client_ca` and `proxy_ca` are PEM.
pub(crate) fn fill(store: &Store, client_ca: &str, proxy_ca: &str, now: Sec) {
    let list = |texts: &[&str]| Value::from(texts).to_string();
    put(
        store,
        Kind::ConfigMaps,
        Some("kube-system"),
        now,
        json!({
            "metadata": { "name": "extension-apiserver-authentication" },
            "data": {
                "client-ca-file": client_ca,
                "requestheader-client-ca-file": proxy_ca,
                "requestheader-allowed-names": list(&[FRONT_PROXY]),
                "requestheader-username-headers": list(&["X-Remote-User"]),
                "requestheader-uid-headers": list(&["X-Remote-Uid"]),
                "requestheader-group-headers": list(&["X-Remote-Group"]),
                "requestheader-extra-headers-prefix": list(&["X-Remote-Extra-"]),
            },
        }),
    );
    put(
        store,
        Kind::Roles,
        Some("kube-system"),
        now,
        json!({
            "metadata": { "name": "extension-apiserver-authentication-reader" },
            "rules": [{
                "verbs": ["get", "list", "watch"], "apiGroups": [""], "resources": ["configmaps"],
                "resourceNames": ["extension-apiserver-authentication"],
            }],
        }),
    );
    monitors(store, now);
    for (name, rules) in roles() {
        let role = json!({ "metadata": { "name": name }, "rules": rules });
        put(store, Kind::ClusterRoles, None, now, role);
    }
    for (role, group) in [
        ("cluster-admin", "system:masters"),
        ("system:discovery", "system:authenticated"),
        ("system:basic-user", "system:authenticated"),
    ] {
        let binding = json!({
            "metadata": { "name": role },
            "roleRef": { "apiGroup": RBAC, "kind": "ClusterRole", "name": role },
            "subjects": [{ "apiGroup": RBAC, "kind": "Group", "name": group }],
        });
        put(store, Kind::ClusterRoleBindings, None, now, binding);
    }
}

/// What a Prometheus operator would find: monitors of some programs, one of which needs a secret.
fn monitors(store: &Store, now: Sec) {
    let selects = |app: &str| json!({ "matchLabels": { "app": app } });
    let service = |namespace: &str, name: &str, spec: Value| {
        let object =
            json!({ "metadata": { "name": name, "labels": { "app": name } }, "spec": spec });
        put(store, Kind::ServiceMonitors, Some(namespace), now, object);
    };
    service(
        "monitoring",
        "node-exporter",
        json!({
            "jobLabel": "app", "selector": selects("node-exporter"),
            "endpoints": [{
                "port": "metrics",
                "relabelings": [{
                    "action": "replace", "sourceLabels": ["__meta_kubernetes_pod_node_name"],
                    "targetLabel": "instance",
                }],
            }],
        }),
    );
    service(
        "web",
        "gateway",
        json!({
            "selector": selects("gateway"), "targetLabels": ["app"],
            "endpoints": [{
                "port": "metrics", "honorLabels": true,
                "metricRelabelings": [{
                    "action": "drop", "sourceLabels": ["__name__", "le"], "separator": ";",
                    "regex": "http_request_duration_seconds_bucket;(0.005|0.025)",
                }],
            }],
        }),
    );
    service(
        "monitoring",
        "vault",
        json!({
            "selector": selects("vault"), "namespaceSelector": { "any": true },
            "endpoints": [{
                "port": "metrics",
                "basicAuth": {
                    "username": { "name": "vault-metrics", "key": "user" },
                    "password": { "name": "vault-metrics", "key": "password" },
                },
            }],
        }),
    );
    let checkout = json!({
        "metadata": { "name": "checkout", "labels": { "app": "checkout" } },
        "spec": {
            "selector": selects("checkout"), "podTargetLabels": ["tier"],
            "podMetricsEndpoints": [{ "port": "metrics", "path": "/metrics" }],
        },
    });
    put(store, Kind::PodMonitors, Some("shop"), now, checkout);
}

fn roles() -> [(&'static str, Value); 4] {
    let authorization = "authorization.k8s.io";
    [
        (
            "cluster-admin",
            json!([
                { "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"] },
                { "verbs": ["*"], "nonResourceURLs": ["*"] },
            ]),
        ),
        (
            "system:discovery",
            json!([{ "verbs": ["get"], "nonResourceURLs": [
                "/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi",
                "/openapi/*", "/readyz", "/version", "/version/",
            ] }]),
        ),
        (
            "system:basic-user",
            json!([
                { "verbs": ["create"], "apiGroups": [authorization],
                  "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"] },
                { "verbs": ["create"], "apiGroups": ["authentication.k8s.io"],
                  "resources": ["selfsubjectreviews"] },
            ]),
        ),
        (
            "system:auth-delegator",
            json!([
                { "verbs": ["create"], "apiGroups": ["authentication.k8s.io"],
                  "resources": ["tokenreviews"] },
                { "verbs": ["create"], "apiGroups": [authorization],
                  "resources": ["subjectaccessreviews"] },
            ]),
        ),
    ]
}

/// Lets `services` (each `group/version`) lead to `address`: a service `taffrail` in kube-system
/// with its endpoints, and an `APIService` each, which believes nobody until it gets a caBundle.
pub(crate) fn lead(store: &Store, address: SocketAddr, services: &[&str], now: Sec) -> bool {
    let (name, namespace) = ("taffrail", "kube-system");
    let service = json!({
        "metadata": { "name": name, "labels": { "app": name } },
        "spec": { "ports": [{ "name": "https", "port": 443, "protocol": "TCP" }] },
    });
    let endpoints = json!({
        "metadata": { "name": name },
        "subsets": [{
            "addresses": [{ "ip": address.ip().to_string() }],
            "ports": [{ "name": "https", "port": address.port(), "protocol": "TCP" }],
        }],
    });
    let mut all = put(store, Kind::Services, Some(namespace), now, service);
    all &= put(store, Kind::Endpoints, Some(namespace), now, endpoints);
    for service in services {
        let Some((group, version)) = service.split_once('/') else { return false };
        let service = json!({
            "metadata": { "name": format!("{version}.{group}") },
            "spec": {
                "group": group, "version": version, "groupPriorityMinimum": 100,
                "versionPriority": 100, "service": { "namespace": namespace, "name": name },
            },
        });
        all &= put(store, Kind::ApiServices, None, now, service);
    }
    all
}

/// Creates one object; what is there already stays.
pub(crate) fn put(
    store: &Store,
    kind: Kind,
    namespace: Option<&str>,
    now: Sec,
    mut object: Value,
) -> bool {
    let plan = &store.cluster().plan;
    let index = match namespace {
        None => 0,
        Some(name) => {
            let found = plan.namespaces.binary_search_by(|one| (**one).cmp(name));
            let Some(index) = found.ok().and_then(|index| u32::try_from(index).ok()) else {
                return false;
            };
            object["metadata"]["namespace"] = name.into();
            index
        }
    };
    let name = object["metadata"]["name"].as_str().unwrap_or_default().into();
    store.create(kind, &(index, name), namespace.is_some(), object, now).is_ok()
}
