//! How the pods are reached: services, and who may connect.

use serde_json::{Value, json};

use crate::{
    HTTP_PORT, NAME, OTLP_PORT, Options, PEER_PORT, SCRAPER_PORT, SECURE_PORT, Variant, labels,
    metadata,
};

pub(crate) fn put(options: &Options, put: &mut impl FnMut(&'static str, Value)) {
    put(
        "The dashboard and the APIs inside the cluster. People sign in by their own\n\
         right to the cluster; give it TLS before you make it reachable from outside.",
        front(options),
    );
    if options.variant == Variant::Heapster {
        let labels = json!({
            "app.kubernetes.io/name": NAME,
            "kubernetes.io/cluster-service": "true",
            "kubernetes.io/name": "Heapster",
            "task": "monitoring",
        });
        put(
            "What Kubernetes Dashboard 1.x and other clients of Heapster ask for.",
            service(options, "heapster", labels),
        );
    }
    if options.variant == Variant::Dashboard {
        for (name, comment) in SCRAPERS {
            let mut scraper = service(options, name, labels());
            scraper["spec"]["ports"] =
                json!([{ "name": "scraper", "port": SCRAPER_PORT, "targetPort": "scraper" }]);
            put(comment, scraper);
        }
    }
    if options.variant == Variant::Replicas {
        put(
            "Gives the StatefulSet's pods their names.",
            json!({
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": metadata(options, "taffrail-peers"),
                "spec": {
                    "clusterIP": "None",
                    "publishNotReadyAddresses": true,
                    "selector": labels(),
                    "ports": [{ "name": "peers", "port": PEER_PORT, "targetPort": "peers" }],
                },
            }),
        );
        put(
            "Never more than one replica is away on purpose.",
            json!({
                "apiVersion": "policy/v1",
                "kind": "PodDisruptionBudget",
                "metadata": metadata(options, NAME),
                "spec": { "maxUnavailable": 1, "selector": { "matchLabels": labels() } },
            }),
        );
    }
    put(
        "Who may connect: pods of this namespace. `kubectl port-forward` works besides.",
        policy(options),
    );
}

/// Names by which dashboards ask for their metrics scraper.
const SCRAPERS: [(&str, &str); 2] = [
    ("dashboard-metrics-scraper", "What Kubernetes Dashboard 2 asks for metrics."),
    ("kubernetes-dashboard-metrics-scraper", "What Kubernetes Dashboard 3 to 7 asks for metrics."),
];

/// The service that people's browsers reach. A session is known to one replica only.
fn front(options: &Options) -> Value {
    let mut front = service(options, NAME, labels());
    if options.variant == Variant::Replicas {
        front["spec"]["sessionAffinity"] = json!("ClientIP");
    }
    if options.push
        && let Some(ports) = front["spec"]["ports"].as_array_mut()
    {
        ports.push(json!({ "name": "otlp-grpc", "port": OTLP_PORT, "targetPort": "otlp-grpc" }));
    }
    front
}

fn service(options: &Options, name: &str, labels: Value) -> Value {
    let mut metadata = metadata(options, name);
    metadata["labels"] = labels;
    let mut ports = vec![json!({ "name": "http", "port": 80, "targetPort": "http" })];
    if options.variant.is_aggregated() {
        ports.push(json!({ "name": "https", "port": 443, "targetPort": "https" }));
    }
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {
            "type": "ClusterIP",
            "selector": crate::labels(),
            "ports": ports,
        },
    })
}

fn policy(options: &Options) -> Value {
    let mut ports = vec![json!({ "port": HTTP_PORT, "protocol": "TCP" })];
    if options.variant == Variant::Dashboard {
        ports.push(json!({ "port": SCRAPER_PORT, "protocol": "TCP" }));
    }
    if options.push {
        ports.push(json!({ "port": OTLP_PORT, "protocol": "TCP" }));
    }
    let mut ingress = vec![json!({ "from": [{ "podSelector": {} }], "ports": ports })];
    if options.variant.is_aggregated() {
        // The API server comes from outside of every pod network; it shows a certificate.
        ingress.push(json!({ "ports": [{ "port": SECURE_PORT, "protocol": "TCP" }] }));
    }
    if options.variant == Variant::Replicas {
        ingress.push(json!({
            "from": [{ "podSelector": { "matchLabels": labels() } }],
            "ports": [{ "port": PEER_PORT, "protocol": "TCP" }],
        }));
    }
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(options, NAME),
        "spec": {
            "podSelector": { "matchLabels": labels() },
            "policyTypes": ["Ingress"],
            "ingress": ingress,
        },
    })
}
