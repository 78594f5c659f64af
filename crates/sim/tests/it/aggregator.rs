//! API groups of other servers: how registrations stand, and what discovery says of them. That they
//! are answered is tested where there is a server to answer them.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{Answer, Cluster, PATIENCE};

const SERVICES: &str = "/apis/apiregistration.k8s.io/v1/apiservices";

async fn send(cluster: &Cluster, method: &str, path: &str, body: &Value) -> Answer {
    let body: &'static str = Box::leak(body.to_string().into_boxed_str());
    let kind = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
    cluster.send(method, path, body, &[("content-type", kind)]).await
}

/// Waits until the registration stands for this reason; its message.
async fn reason(cluster: &Cluster, expected: &str) -> String {
    let path = format!("{SERVICES}/v1beta1.metrics.k8s.io");
    let waiting = async {
        loop {
            let found = cluster.get(&path).await.json();
            let condition = &found["status"]["conditions"][0];
            if condition["reason"] == expected {
                assert_eq!(condition["status"], "False");
                return condition["message"].as_str().unwrap().to_owned();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect(expected)
}

#[tokio::test]
async fn a_registration_says_what_it_lacks() {
    let cluster = Cluster::small().await;
    let service = json!({ "metadata": { "name": "v1beta1.metrics.k8s.io" }, "spec": {
        "group": "metrics.k8s.io", "version": "v1beta1", "groupPriorityMinimum": 100,
        "versionPriority": 100, "service": { "namespace": "kube-system", "name": "m" },
    } });
    assert_eq!(send(&cluster, "POST", SERVICES, &service).await.status, 201);
    reason(&cluster, "ServiceNotFound").await;
    let services = "/api/v1/namespaces/kube-system/services";
    let ports = json!([{ "port": 8443, "protocol": "TCP" }]);
    let service = json!({ "metadata": { "name": "m" }, "spec": { "ports": ports } });
    assert_eq!(send(&cluster, "POST", services, &service).await.status, 201);
    reason(&cluster, "ServicePortError").await;
    let path = format!("{SERVICES}/v1beta1.metrics.k8s.io");
    let port = json!({ "spec": { "service": { "port": 8443 } } });
    assert_eq!(send(&cluster, "PATCH", &path, &port).await.status, 200);
    reason(&cluster, "EndpointsNotFound").await;
    // Somebody listens, but not with TLS.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let endpoints = json!({ "metadata": { "name": "m" }, "subsets": [{
        "addresses": [{ "ip": "127.0.0.1" }], "ports": [{ "port": port, "protocol": "TCP" }],
    }] });
    let path = "/api/v1/namespaces/kube-system/endpoints";
    assert_eq!(send(&cluster, "POST", path, &endpoints).await.status, 201);
    assert!(reason(&cluster, "FailedDiscoveryCheck").await.contains("no caBundle"));
    drop(listener);
    let insecure = json!({ "spec": { "insecureSkipTLSVerify": true } });
    let path = format!("{SERVICES}/v1beta1.metrics.k8s.io");
    assert_eq!(send(&cluster, "PATCH", &path, &insecure).await.status, 200);
    let refused = async {
        while !reason(&cluster, "FailedDiscoveryCheck").await.contains("refused") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, refused).await.expect("the probe fails at connecting");
    let groups = cluster.get("/apis").await.json();
    let group = groups["groups"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(group["preferredVersion"]["groupVersion"], "metrics.k8s.io/v1beta1");
    assert_eq!(cluster.get("/apis/metrics.k8s.io").await.json()["kind"], "APIGroup");
    let asked = cluster.get("/apis/metrics.k8s.io/v1beta1/nodes").await;
    assert_eq!((asked.status, &asked.json()["kind"]), (503, &"Status".into()));
    assert_eq!(send(&cluster, "DELETE", &path, &json!({})).await.status, 200);
    let gone = async {
        while cluster.get("/apis/metrics.k8s.io").await.status != 404 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("the group goes with its registration");
}

#[tokio::test]
async fn aggregated_servers_are_told_whom_to_trust() {
    let cluster = Cluster::small().await;
    let path = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication";
    let map = cluster.get(path).await.json();
    assert_eq!(map["data"]["client-ca-file"], cluster.ca_pem);
    assert_eq!(map["data"]["requestheader-allowed-names"], "[\"front-proxy-client\"]");
    let proxy = map["data"]["requestheader-client-ca-file"].as_str().unwrap();
    assert!(proxy.contains("BEGIN CERTIFICATE") && proxy != cluster.ca_pem);
}
