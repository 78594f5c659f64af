//! The pods: one Deployment with a claim, or a `StatefulSet` whose pods have a claim each.

use serde_json::{Value, json};

use crate::{
    HTTP_PORT, NAME, OTLP_PORT, Options, PEER_PORT, SCRAPER_PORT, SECURE_PORT, Variant, labels,
    metadata,
};

/// Where history is, in the container.
const DATA: &str = "/var/lib/taffrail";
/// Where the replicas' shared token is, in the container.
const PEER_TOKEN: &str = "/etc/taffrail/peers/token";
/// The folder with the token of those who push metrics, in the container.
const PUSH: &str = "/etc/taffrail/push";
/// A user and group of nobody's.
const USER: u32 = 65532;

pub(crate) fn put(options: &Options, put: &mut impl FnMut(&'static str, Value)) {
    if options.variant == Variant::Replicas {
        put(
            "Three replicas share the nodes; each holds everything and has its own history.\n\
             They know each other by a token, which is not in this file:\n  \
             kubectl -n taffrail create secret generic taffrail-peers \
             --from-literal=token=\"$(openssl rand -hex 32)\"",
            replicas(options),
        );
    } else {
        put(
            "One pod: a claim for one node is not shared, so the old pod goes first.",
            single(options),
        );
    }
}

/// `spec` of a claim.
fn storage() -> Value {
    json!({
        "accessModes": ["ReadWriteOnce"],
        "resources": { "requests": { "storage": "10Gi" } },
    })
}

pub(crate) fn claim(options: &Options) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata(options, "taffrail-data"),
        "spec": storage(),
    })
}

fn single(options: &Options) -> Value {
    let volume =
        json!({ "name": "data", "persistentVolumeClaim": { "claimName": "taffrail-data" } });
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(options, NAME),
        "spec": {
            "replicas": 1,
            "strategy": { "type": "Recreate" },
            "selector": { "matchLabels": labels() },
            "template": template(options, volume),
        },
    })
}

fn replicas(options: &Options) -> Value {
    let volume = json!({ "name": "peers", "secret": { "secretName": "taffrail-peers" } });
    let mut template = template(options, volume);
    template["spec"]["topologySpreadConstraints"] = json!([{
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": { "matchLabels": labels() },
    }]);
    json!({
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": metadata(options, NAME),
        "spec": {
            "replicas": 3,
            "serviceName": "taffrail-peers",
            "podManagementPolicy": "Parallel",
            "selector": { "matchLabels": labels() },
            "template": template,
            "volumeClaimTemplates": [{ "metadata": { "name": "data" }, "spec": storage() }],
        },
    })
}

fn template(options: &Options, volume: Value) -> Value {
    let mut volumes = vec![volume];
    if options.push {
        volumes.push(json!({ "name": "push", "secret": { "secretName": "taffrail-push" } }));
    }
    json!({
        "metadata": { "labels": labels() },
        "spec": {
            "serviceAccountName": NAME,
            "automountServiceAccountToken": true,
            // Sinks and history are made safe within that.
            "terminationGracePeriodSeconds": 60,
            "securityContext": {
                "runAsNonRoot": true,
                "runAsUser": USER,
                "runAsGroup": USER,
                "fsGroup": USER,
                "seccompProfile": { "type": "RuntimeDefault" },
            },
            "containers": [container(options)],
            "volumes": volumes,
        },
    })
}

fn container(options: &Options) -> Value {
    let mut args = vec![
        "serve".to_owned(),
        format!("--listen=[::]:{HTTP_PORT}"),
        format!("--data-dir={DATA}"),
    ];
    if options.variant == Variant::Heapster {
        // Whatever asks Heapster shows nothing; people still sign in.
        args.push("--login=dashboard".to_owned());
    }
    if options.scrape {
        args.push("--scrape=annotations,monitors".to_owned());
    }
    let mut ports = vec![json!({ "name": "http", "containerPort": HTTP_PORT })];
    let mut mounts = vec![json!({ "name": "data", "mountPath": DATA })];
    let mut env = Vec::new();
    if options.variant == Variant::Replicas {
        args.extend([
            format!("--lease-namespace={}", options.namespace),
            format!("--peer-listen=[::]:{PEER_PORT}"),
            "--peer-address=$(POD_IP)".to_owned(),
            "--peer-name=$(POD_NAME)".to_owned(),
            format!("--peer-token-file={PEER_TOKEN}"),
        ]);
        ports.push(json!({ "name": "peers", "containerPort": PEER_PORT }));
        mounts
            .push(json!({ "name": "peers", "mountPath": "/etc/taffrail/peers", "readOnly": true }));
        let field = |name: &str, path: &str| json!({ "name": name, "valueFrom": { "fieldRef": { "fieldPath": path } } });
        env.extend([field("POD_NAME", "metadata.name"), field("POD_IP", "status.podIP")]);
    }
    if options.variant.is_aggregated() {
        args.push(format!("--secure-port={SECURE_PORT}"));
        ports.push(json!({ "name": "https", "containerPort": SECURE_PORT }));
    }
    if options.variant == Variant::Dashboard {
        args.push(format!("--sidecar-listen=[::]:{SCRAPER_PORT}"));
        ports.push(json!({ "name": "scraper", "containerPort": SCRAPER_PORT }));
    }
    if options.push {
        args.push(format!("--push-token-file={PUSH}/token"));
        args.push(format!("--otlp-grpc-listen=[::]:{OTLP_PORT}"));
        ports.push(json!({ "name": "otlp-grpc", "containerPort": OTLP_PORT }));
        mounts.push(json!({ "name": "push", "mountPath": PUSH, "readOnly": true }));
    }
    let mut container = json!({
        "name": NAME,
        "image": options.image,
        "args": args,
        "ports": ports,
        // Not ready while nothing is measured; a cluster that is away is no reason to restart.
        "readinessProbe": { "httpGet": { "path": "/healthz", "port": "http" }, "periodSeconds": 10 },
        "livenessProbe": { "tcpSocket": { "port": "http" }, "periodSeconds": 20 },
        "startupProbe": {
            "tcpSocket": { "port": "http" }, "periodSeconds": 5, "failureThreshold": 60,
        },
        "resources": {
            "requests": { "cpu": "100m", "memory": "128Mi" },
            "limits": { "memory": "1Gi" },
        },
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": { "drop": ["ALL"] },
        },
        "volumeMounts": mounts,
    });
    if !env.is_empty() {
        container["env"] = env.into();
    }
    container
}
