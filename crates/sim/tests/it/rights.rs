//! Who may do what: service accounts' tokens, impersonation, roles and bindings.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Answer, Cluster, read, request};

const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";

async fn send(cluster: &Cluster, path: &str, body: &Value) -> Answer {
    let body: &'static str = Box::leak(body.to_string().into_boxed_str());
    cluster.send("POST", path, body, &[("content-type", "application/json")]).await
}

/// A cluster with an account that may read pods, and a token of that account.
async fn with_reader() -> (Cluster, String) {
    let cluster = Cluster::small().await;
    let accounts = "/api/v1/namespaces/web/serviceaccounts";
    let account = json!({ "metadata": { "name": "reader" } });
    assert_eq!(send(&cluster, accounts, &account).await.status, 201);
    let role = json!({ "metadata": { "name": "reader" }, "rules": [
        { "verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"] },
    ] });
    assert_eq!(send(&cluster, &format!("{RBAC}/clusterroles"), &role).await.status, 201);
    let bound = json!({ "metadata": { "name": "reader" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "reader" },
        "subjects": [{ "kind": "ServiceAccount", "namespace": "web", "name": "reader" }],
    });
    let bindings = format!("{RBAC}/namespaces/web/rolebindings");
    assert_eq!(send(&cluster, &bindings, &bound).await.status, 201);
    let asked = json!({ "spec": { "expirationSeconds": 600 } });
    let given = send(&cluster, &format!("{accounts}/reader/token"), &asked).await;
    assert_eq!(given.status, 201);
    let token = given.json()["status"]["token"].as_str().unwrap().to_owned();
    (cluster, token)
}

#[tokio::test]
async fn an_account_may_what_its_binding_says_until_its_token_ends() {
    let (cluster, token) = with_reader().await;
    let get = async |path: &str| cluster.get_secure(path, Some(&token)).await;
    assert_eq!(get("/api/v1/namespaces/web/pods").await.status, 200);
    assert_eq!(get("/version").await.status, 200);
    let refused = get("/api/v1/pods").await;
    assert_eq!(refused.status, 403);
    assert_eq!(
        refused.json()["message"],
        "pods is forbidden: User \"system:serviceaccount:web:reader\" cannot list resource \"pods\" \
         in API group \"\" at the cluster scope"
    );
    assert_eq!(get("/api/v1/namespaces/web/services").await.status, 403);
    assert_eq!(get("/sim/faults").await.status, 403);
    cluster.at(599);
    assert_eq!(get("/api/v1/namespaces/web/pods").await.status, 200);
    cluster.at(600);
    assert_eq!(get("/api/v1/namespaces/web/pods").await.status, 401);
}

#[tokio::test]
async fn reviews_say_the_same() {
    let (cluster, token) = with_reader().await;
    let reviews = "/apis/authentication.k8s.io/v1/tokenreviews";
    let whose = async |token: &str| {
        send(&cluster, reviews, &json!({ "spec": { "token": token } })).await.json()["status"]
            .take()
    };
    assert_eq!(whose(&token).await["user"]["username"], "system:serviceaccount:web:reader");
    assert_eq!(whose("nobody's").await["authenticated"], false);
    let may = async |verb: &str, namespace: &str, group: &str| {
        let review = json!({ "spec": {
            "user": "system:serviceaccount:web:reader", "groups": [group],
            "resourceAttributes": { "verb": verb, "resource": "pods", "namespace": namespace },
        } });
        let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
        send(&cluster, path, &review).await.json()["status"]["allowed"] == true
    };
    assert!(may("list", "web", "x").await);
    assert!(!may("delete", "web", "x").await);
    assert!(!may("list", "shop", "x").await);
    assert!(may("delete", "shop", "system:masters").await);
}

#[tokio::test]
async fn only_who_may_impersonate_stands_in_for_others() {
    let (cluster, token) = with_reader().await;
    let ask = async |token: &str, user: &str| {
        let stream = cluster.tls(cluster.api, "127.0.0.1").await.unwrap();
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("impersonate-user", user)];
        let path = "/api/v1/namespaces/web/pods";
        let asked = request(stream, "GET", path, "", &headers);
        let answer = tokio::time::timeout(Duration::from_secs(10), asked).await.unwrap().unwrap();
        read(answer).await.unwrap().status
    };
    assert_eq!(ask(&cluster.token, "system:serviceaccount:web:reader").await, 200);
    assert_eq!(ask(&cluster.token, "somebody").await, 403);
    assert_eq!(ask(&token, "sim-admin").await, 403);
}
