//! Autoscalers, quotas and persistent volumes of a simulated cluster, asked for in PromQL and as
//! graphs, are what its API server says.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use crate::eventer::until;
use crate::served::{Served, encoded, host};
use crate::simulated::{Cluster, sized};

/// Series by the values of some of their labels.
type Found = BTreeMap<String, f64>;

const SCALERS: &str = "/apis/autoscaling/v2/horizontalpodautoscalers";

/// The series of a query by the values of `labels`.
fn asked(server: &Served, query: &str, labels: &[&str]) -> Found {
    let answer = server.get(&format!("/api/v1/query?query={}", encoded(query)));
    let one = |series: &Value| {
        let words = labels.iter().map(|label| series["metric"][*label].as_str().unwrap_or("-"));
        let value: f64 = series["value"][1].as_str().unwrap().parse().unwrap();
        (words.collect::<Vec<_>>().join(" "), value)
    };
    answer["data"]["result"].as_array().unwrap().iter().map(one).collect()
}

/// The answer of the cluster's API server.
fn send(cluster: &Cluster, method: &str, path: &str, body: &str) -> Value {
    let address = host(&format!("{}/", cluster.plain_url), "://");
    let mut stream = TcpStream::connect(&address).unwrap();
    // HTTP/1.0 knows no chunks.
    write!(
        stream,
        "{method} {path} HTTP/1.0\r\nHost: {address}\r\nContent-Length: {}\r\n\
         Content-Type: application/merge-patch+json\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

/// What `value` says of each object of a list, by what `words` say.
fn listed<const WORDS: usize>(
    cluster: &Cluster,
    path: &str,
    words: [&str; WORDS],
    value: impl Fn(&Value) -> f64,
) -> Found {
    let list = send(cluster, "GET", path, "");
    let one = |object: &Value| {
        let words = words.map(|word| object.pointer(word).unwrap().as_str().unwrap());
        (words.join(" "), value(object))
    };
    list["items"].as_array().unwrap().iter().map(one).collect()
}

/// A quantity of a quota in its unit.
fn amount(text: &str) -> f64 {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let units = [("", 1.0), ("m", 0.001), ("Mi", 1_048_576.0), ("Gi", 1_073_741_824.0)];
    let (_, scale) = units.into_iter().find(|(known, _)| *known == unit).unwrap();
    number.parse::<f64>().unwrap() * scale
}

/// Every amount of every quota.
fn quotas(cluster: &Cluster) -> Found {
    let list = send(cluster, "GET", "/api/v1/resourcequotas", "");
    let mut found = Found::new();
    for quota in list["items"].as_array().unwrap() {
        let of = |field: &str| quota["metadata"][field].as_str().unwrap();
        for kind in ["hard", "used"] {
            for (resource, text) in quota["status"][kind].as_object().unwrap() {
                let key = format!("{} {} {resource} {kind}", of("namespace"), of("name"));
                found.insert(key, amount(text.as_str().unwrap()));
            }
        }
    }
    found
}

/// Waits until the series are those that there should be, which may change meanwhile.
fn agree(server: &Served, query: &str, labels: &[&str], expected: impl Fn() -> Found) {
    let began = Instant::now();
    loop {
        let (found, wanted) = (asked(server, query, labels), expected());
        assert!(!wanted.is_empty(), "{query}: the cluster has none");
        let close = |(name, value): (&String, &f64)| {
            wanted.get(name).is_some_and(|wanted| (value - wanted).abs() <= wanted.abs() * 1e-9)
        };
        if found.len() == wanted.len() && found.iter().all(close) {
            return;
        }
        assert!(began.elapsed().as_secs() < 120, "{query}: {found:#?} is not {wanted:#?}");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

fn run(cluster: &Cluster) {
    let (source, port) = (cluster.source(), cluster.kubelet_port);
    let source = format!("{source}&inClusterConfig=false&kubeletHttps=true&kubeletPort={port}");
    let server = Served::start(&["serve", &source, "--metric-resolution=5s", "--no-history"]);
    let scaled = ["/metadata/namespace", "/metadata/name"];
    let number = |pointer: &'static str| {
        move |object: &Value| object.pointer(pointer).unwrap().as_f64().unwrap()
    };
    for (name, pointer) in [
        ("spec_min_replicas", "/spec/minReplicas"),
        ("spec_max_replicas", "/spec/maxReplicas"),
        ("status_current_replicas", "/status/currentReplicas"),
        ("status_desired_replicas", "/status/desiredReplicas"),
    ] {
        let query = format!("kube_horizontalpodautoscaler_{name}");
        let labels = ["namespace", "horizontalpodautoscaler"];
        agree(&server, &query, &labels, || listed(cluster, SCALERS, scaled, number(pointer)));
    }
    agree(
        &server,
        "kube_horizontalpodautoscaler_info{scaletargetref_api_version=\"apps/v1\"}",
        &["namespace", "scaletargetref_kind", "scaletargetref_name"],
        || {
            let target = ["/metadata/namespace", "/spec/scaleTargetRef/kind", "/metadata/name"];
            listed(cluster, SCALERS, target, |_| 1.0)
        },
    );
    agree(
        &server,
        "kube_horizontalpodautoscaler_status_condition{condition=\"AbleToScale\",status=\"true\"}",
        &["namespace", "horizontalpodautoscaler"],
        || listed(cluster, SCALERS, scaled, |_| 1.0),
    );
    let labels = ["namespace", "resourcequota", "resource", "type"];
    agree(&server, "kube_resourcequota", &labels, || quotas(cluster));
    let volumes = "/api/v1/persistentvolumes";
    let capacity = |object: &Value| amount(object["spec"]["capacity"]["storage"].as_str().unwrap());
    agree(&server, "kube_persistentvolume_capacity_bytes", &["persistentvolume"], || {
        listed(cluster, volumes, ["/metadata/name"], capacity)
    });
    agree(
        &server,
        "kube_persistentvolume_status_phase{phase=\"Bound\"} == 1",
        &["persistentvolume"],
        || listed(cluster, volumes, ["/metadata/name"], |_| 1.0),
    );
    // Every claim is bound to the volume that says so.
    agree(
        &server,
        "label_replace(kube_persistentvolume_claim_ref, \"volumename\", \"$1\", \"persistentvolume\", \"(.*)\")",
        &["claim_namespace", "name", "volumename"],
        || {
            let bound = ["/metadata/namespace", "/metadata/name", "/spec/volumeName"];
            listed(cluster, "/api/v1/persistentvolumeclaims", bound, |_| 1.0)
        },
    );
    agree(
        &server,
        "kube_persistentvolume_info{csi_driver=\"csi.example.com\",reclaim_policy=\"Delete\"}",
        &["persistentvolume", "storageclass", "csi_volume_handle"],
        || {
            let words = ["/metadata/name", "/spec/storageClassName", "/spec/csi/volumeHandle"];
            listed(cluster, volumes, words, |_| 1.0)
        },
    );
    changed_bounds(cluster, &server);
}

/// A bound that is changed is another from then on, and what it was before.
fn changed_bounds(cluster: &Cluster, server: &Served) {
    let path = "/apis/autoscaling/v2/namespaces/web/horizontalpodautoscalers/frontend";
    let scaler = send(cluster, "GET", path, "");
    let [least, most] =
        ["minReplicas", "maxReplicas"].map(|bound| scaler["spec"][bound].as_u64().unwrap());
    let now = || server.get("/api/taffrail/v1/status")["lastBatch"]["timestamp"].as_i64().unwrap();
    let since = now();
    // The first batch need not be on a whole step.
    until("two batches more", || now() >= since + 10_000);
    let change = json!({ "spec": { "maxReplicas": most + 7 } }).to_string();
    assert_eq!(send(cluster, "PATCH", path, &change)["spec"]["maxReplicas"], most + 7);
    let query =
        "kube_horizontalpodautoscaler_spec_max_replicas{horizontalpodautoscaler=\"frontend\"}";
    let changed = f64::from(u32::try_from(most + 7).unwrap());
    agree(server, query, &["namespace"], || [("web".to_owned(), changed)].into());
    let path = "/api/taffrail/v1/workloads/web/Deployment/frontend/replicas";
    let bounds = server.get(&format!("{path}?start={since}&end={}", now()));
    let known = |bound: &str| -> Vec<u64> {
        let mut values: Vec<u64> =
            bounds[bound].as_array().unwrap().iter().filter_map(Value::as_u64).collect();
        values.dedup();
        values
    };
    assert_eq!((known("atLeast"), known("atMost")), (vec![least], vec![most, most + 7]));
}

#[tokio::test(flavor = "multi_thread")]
async fn autoscalers_quotas_and_volumes_are_what_the_cluster_says() {
    let cluster = Cluster::of(sized(4, 25)).await;
    spawn_blocking(move || run(&cluster)).await.unwrap();
}
