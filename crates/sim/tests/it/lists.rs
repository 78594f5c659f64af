//! Lists and single objects: paging, selectors, forms, versions, errors, authentication.

use serde_json::Value;

use crate::support::Cluster;

fn count(list: &Value) -> usize {
    list["items"].as_array().unwrap().len()
}

#[tokio::test]
async fn pages_make_up_the_whole_even_while_things_change() {
    let cluster = Cluster::small().await;
    let whole = cluster.get("/api/v1/pods").await.json();
    let mut pages = Vec::new();
    let mut path = "/api/v1/pods?limit=20".to_owned();
    for at in 1.. {
        let page = cluster.get(&path).await.json();
        assert_eq!(page["metadata"]["resourceVersion"], whole["metadata"]["resourceVersion"]);
        pages.extend(page["items"].as_array().unwrap().clone());
        let Some(token) = page["metadata"]["continue"].as_str() else { break };
        let remaining = page["metadata"]["remainingItemCount"].as_u64().unwrap();
        assert_eq!(pages.len() + usize::try_from(remaining).unwrap(), count(&whole));
        path = format!("/api/v1/pods?limit=20&continue={token}");
        cluster.at(at * 60);
    }
    assert_eq!(Value::Array(pages), whole["items"]);
}

#[tokio::test]
async fn a_page_token_that_is_too_old_is_gone() {
    let cluster = Cluster::with(|config| config.history = Some(5)).await;
    let page = cluster.get("/api/v1/pods?limit=3").await.json();
    let token = page["metadata"]["continue"].as_str().unwrap();
    cluster.at(900);
    let answer = cluster.get(&format!("/api/v1/pods?limit=3&continue={token}")).await;
    assert_eq!((answer.status, &answer.json()["reason"]), (410, &"Expired".into()));
    let answer = cluster.get("/api/v1/pods?limit=3&continue=nonsense").await;
    assert_eq!(answer.status, 400);
}

#[tokio::test]
async fn an_exact_version_is_listed_as_it_was() {
    let cluster = Cluster::small().await;
    let before = cluster.get("/api/v1/pods").await.json();
    let version = before["metadata"]["resourceVersion"].as_str().unwrap();
    cluster.at(400);
    let path = format!("/api/v1/pods?resourceVersion={version}&resourceVersionMatch=Exact");
    assert_eq!(cluster.get(&path).await.json(), before);
    let path = format!("/api/v1/pods?resourceVersion={version}&resourceVersionMatch=NotOlderThan");
    assert_ne!(cluster.get(&path).await.json()["metadata"], before["metadata"]);
}

#[tokio::test]
async fn selectors_select() {
    let cluster = Cluster::small().await;
    let all = count(&cluster.get("/api/v1/pods").await.json());
    let check = async |query: &str, expected: &dyn Fn(&Value) -> bool| {
        let list = cluster.get(&format!("/api/v1/pods?{query}")).await.json();
        assert!(list["items"].is_array(), "{query}: {list}");
        assert!((1..all).contains(&count(&list)), "{query}: {} of {all}", count(&list));
        assert!(list["items"].as_array().unwrap().iter().all(expected), "{query}");
    };
    check("labelSelector=app%3Dfrontend", &|pod| pod["metadata"]["labels"]["app"] == "frontend")
        .await;
    check("labelSelector=app%21%3Dfrontend", &|pod| pod["metadata"]["labels"]["app"] != "frontend")
        .await;
    check("labelSelector=app+in+(cart,catalog)", &|pod| {
        ["cart", "catalog"].contains(&pod["metadata"]["labels"]["app"].as_str().unwrap())
    })
    .await;
    check("labelSelector=job-name", &|pod| pod["metadata"]["labels"]["job-name"].is_string()).await;
    check("labelSelector=%21job-name", &|pod| pod["metadata"]["labels"]["job-name"].is_null())
        .await;
    check("fieldSelector=spec.nodeName%3Dnode-3", &|pod| pod["spec"]["nodeName"] == "node-3").await;
    check("fieldSelector=status.phase%21%3DRunning", &|pod| pod["status"]["phase"] != "Running")
        .await;
    check("fieldSelector=metadata.namespace%3Dshop", &|pod| pod["metadata"]["namespace"] == "shop")
        .await;
    let answer = cluster.get("/api/v1/pods?fieldSelector=spec.colour%3Dred").await;
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("field label not supported: spec.colour"), "{}", answer.text());
    assert_eq!(cluster.get("/api/v1/pods?labelSelector=a+b").await.status, 400);
}

#[tokio::test]
async fn events_are_selected_by_what_they_are_about() {
    let cluster = Cluster::small().await;
    cluster.at(300);
    let path = "/api/v1/events?fieldSelector=type%3DWarning,involvedObject.kind%3DPod";
    let list = cluster.get(path).await.json();
    assert!(count(&list) > 0);
    for event in list["items"].as_array().unwrap() {
        assert_eq!(
            (&event["type"], &event["involvedObject"]["kind"]),
            (&"Warning".into(), &"Pod".into())
        );
    }
    let newer = cluster.get("/apis/events.k8s.io/v1/events?limit=1").await.json();
    assert_eq!(
        (&newer["kind"], &newer["apiVersion"]),
        (&"EventList".into(), &"events.k8s.io/v1".into())
    );
    assert!(newer["items"][0]["regarding"]["name"].is_string());
}

#[tokio::test]
async fn the_story_is_told_within_minutes() {
    let cluster = Cluster::with(|config| {
        config.world.nodes = 10;
        config.world.pods_per_node = 30;
    })
    .await;
    cluster.at(420);
    let list = cluster.get("/api/v1/events").await.json();
    let reasons: std::collections::BTreeSet<&str> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["reason"].as_str().unwrap())
        .collect();
    for reason in [
        "BackOff",
        "Completed",
        "Created",
        "FailedScheduling",
        "Killing",
        "NodeHasDiskPressure",
        "OOMKilling",
        "Pulled",
        "SawCompletedJob",
        "ScalingReplicaSet",
        "Scheduled",
        "Started",
        "SuccessfulCreate",
        "SuccessfulDelete",
        "Unhealthy",
    ] {
        assert!(reasons.contains(reason), "{reason} is not among {reasons:?}");
    }
}

#[tokio::test]
async fn forms_are_chosen_by_accept() {
    let cluster = Cluster::small().await;
    let table = cluster
        .get_as("/api/v1/pods?limit=2", "application/json;as=Table;v=v1;g=meta.k8s.io")
        .await
        .json();
    assert_eq!((&table["kind"], &table["apiVersion"]), (&"Table".into(), &"meta.k8s.io/v1".into()));
    assert!(table["metadata"]["continue"].is_string());
    let columns = table["columnDefinitions"].as_array().unwrap().len();
    for row in table["rows"].as_array().unwrap() {
        assert_eq!(row["cells"].as_array().unwrap().len(), columns);
        assert_eq!(row["object"]["kind"], "PartialObjectMetadata");
    }
    let accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
    let partial = cluster.get_as("/apis/apps/v1/deployments", accept).await.json();
    assert_eq!(partial["kind"], "PartialObjectMetadataList");
    assert!(
        partial["items"][0]["spec"].is_null() && partial["items"][0]["metadata"]["uid"].is_string()
    );
}

#[tokio::test]
async fn every_kind_has_as_many_cells_as_columns() {
    let cluster = Cluster::small().await;
    for path in [
        "/api/v1/namespaces",
        "/api/v1/nodes",
        "/api/v1/pods",
        "/api/v1/events",
        "/api/v1/services",
        "/api/v1/persistentvolumeclaims",
        "/api/v1/persistentvolumes",
        "/api/v1/resourcequotas",
        "/apis/autoscaling/v2/horizontalpodautoscalers",
        "/apis/apps/v1/deployments",
        "/apis/apps/v1/replicasets",
        "/apis/apps/v1/statefulsets",
        "/apis/apps/v1/daemonsets",
        "/apis/batch/v1/jobs",
        "/apis/batch/v1/cronjobs",
        "/apis/coordination.k8s.io/v1/leases",
    ] {
        let table =
            cluster.get_as(path, "application/json;as=Table;v=v1;g=meta.k8s.io").await.json();
        let columns = table["columnDefinitions"].as_array().unwrap().len();
        let rows = table["rows"].as_array().unwrap();
        assert!(!rows.is_empty(), "{path} has nothing");
        assert!(rows.iter().all(|row| row["cells"].as_array().unwrap().len() == columns), "{path}");
    }
}

#[tokio::test]
async fn single_objects_know_their_kind_and_missing_ones_are_told() {
    let cluster = Cluster::small().await;
    let node = cluster.get("/api/v1/nodes/node-1").await.json();
    assert_eq!((&node["kind"], &node["apiVersion"]), (&"Node".into(), &"v1".into()));
    assert_eq!(node["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"], cluster.https_port);
    let missing = cluster.get("/apis/apps/v1/namespaces/web/deployments/nothing").await;
    assert_eq!(missing.status, 404);
    assert_eq!(missing.json()["message"], "deployments.apps \"nothing\" not found");
    assert_eq!(cluster.get("/apis/apps/v1/unicorns").await.json()["code"], 404);
    assert_eq!(cluster.send("DELETE", "/api/v1/nodes", "", &[]).await.status, 405);
    assert_eq!(count(&cluster.get("/api/v1/namespaces/nowhere/pods").await.json()), 0);
}

#[tokio::test]
async fn the_secure_port_wants_the_token() {
    let cluster = Cluster::small().await;
    for token in [None, Some("wrong")] {
        let answer = cluster.get_secure("/api/v1/nodes", token).await;
        assert_eq!(answer.status, 401);
        assert_eq!(
            (&answer.json()["kind"], &answer.json()["reason"]),
            (&"Status".into(), &"Unauthorized".into())
        );
    }
    assert_eq!(cluster.get_secure("/api/v1/nodes", Some(&cluster.token)).await.status, 200);
}

#[tokio::test]
async fn discovery_leads_to_every_resource() {
    let cluster = Cluster::small().await;
    assert_eq!(cluster.get("/readyz").await.text(), "ok");
    assert_eq!(cluster.get("/version").await.json()["major"], "1");
    assert_eq!(cluster.get("/api").await.json()["versions"][0], "v1");
    let groups = cluster.get("/apis").await.json();
    let mut roots = vec!["/api/v1".to_owned()];
    for group in groups["groups"].as_array().unwrap() {
        let name = group["name"].as_str().unwrap();
        assert_eq!(cluster.get(&format!("/apis/{name}")).await.json()["kind"], "APIGroup");
        roots
            .push(format!("/apis/{}", group["preferredVersion"]["groupVersion"].as_str().unwrap()));
    }
    for root in roots {
        let list = cluster.get(&root).await.json();
        for resource in list["resources"].as_array().unwrap() {
            let name = resource["name"].as_str().unwrap();
            let lists = resource["verbs"].as_array().unwrap().iter().any(|verb| verb == "list");
            if lists && !name.contains('/') {
                let answer = cluster.get(&format!("{root}/{name}?limit=1")).await;
                assert_eq!(answer.status, 200, "{root}/{name}");
            }
        }
    }
}

#[tokio::test]
async fn reviews_allow_the_owner_of_the_token() {
    let cluster = Cluster::small().await;
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let answer =
        cluster.send("POST", path, r#"{"spec":{"resourceAttributes":{"verb":"get"}}}"#, &[]).await;
    assert_eq!((answer.status, &answer.json()["status"]["allowed"]), (201, &true.into()));
    let path = "/apis/authentication.k8s.io/v1/tokenreviews";
    let answer = cluster.send("POST", path, r#"{"spec":{"token":"wrong"}}"#, &[]).await;
    assert_eq!(answer.json()["status"]["authenticated"], false);
    assert_eq!(cluster.send("POST", path, "nonsense", &[]).await.status, 400);
}

/// The answer without the one thing that differs: the free port on which pods serve metrics.
async fn portless(cluster: &Cluster, path: &str) -> String {
    let (text, port) = (cluster.get(path).await.text().to_owned(), cluster.pods_port);
    let text = text.replace(&format!("\"containerPort\":{port},"), "");
    text.replace(&format!("\"prometheus.io/port\":\"{port}\","), "")
}

#[tokio::test]
async fn the_same_seed_and_time_give_the_same_bytes_however_time_went() {
    let (slow, fast) = (Cluster::small().await, Cluster::small().await);
    for at in (0..=500).step_by(50) {
        slow.at(at);
    }
    fast.at(500);
    for path in
        ["/api/v1/pods", "/api/v1/events", "/apis/apps/v1/deployments", "/apis/batch/v1/jobs"]
    {
        assert_eq!(portless(&slow, path).await, portless(&fast, path).await, "{path}");
    }
    let other = Cluster::with(|config| config.world.seed = 2).await;
    other.at(500);
    assert_ne!(other.get("/api/v1/pods").await.body, fast.get("/api/v1/pods").await.body);
}
