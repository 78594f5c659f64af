//! Programs of a simulated cluster, found by annotations and monitors, scraped by the binary and
//! asked for by PromQL.

use std::io::Write as _;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::task::spawn_blocking;

use crate::real::get;
use crate::served::{Served, encoded};
use crate::simulated::{Cluster, sized};

/// How long a condition may take to hold.
const PATIENCE: Duration = Duration::from_mins(2);

fn query(server: &Served, expression: &str) -> Vec<Value> {
    let answer = server.get(&format!("/api/v1/query?query={}", encoded(expression)));
    assert_eq!(answer["status"], "success", "{expression}: {answer}");
    answer["data"]["result"].as_array().unwrap().clone()
}

/// What `expression` answers once it answers anything.
fn awaited(server: &Served, expression: &str) -> Vec<Value> {
    let begin = Instant::now();
    loop {
        let found = query(server, expression);
        if !found.is_empty() {
            return found;
        }
        assert!(begin.elapsed() < PATIENCE, "no answer to {expression}");
        std::thread::yield_now();
    }
}

fn value(series: &Value) -> f64 {
    series["value"][1].as_str().unwrap().parse().unwrap()
}

/// The series' labels, each of which must be so.
fn labelled(series: &Value, expected: &[(&str, &str)]) {
    for (name, value) in expected {
        assert_eq!(series["metric"][name], *value, "{name} of {series}");
    }
}

fn annotated(server: &Served) {
    let series = awaited(
        server,
        "http_requests_total{job=\"kubernetes-pods\",namespace=\"web\",code=\"200\"}",
    );
    let metric = &series[0]["metric"];
    labelled(&series[0], &[("container", "frontend"), ("method", "GET")]);
    assert!(metric["pod"].as_str().unwrap().starts_with("frontend-"), "{metric}");
    assert!(metric["node"].as_str().unwrap().starts_with("node-"), "{metric}");
    assert!(value(&series[0]) > 0.0);
    // The same as the program itself says.
    let (pod, instance) = (metric["pod"].as_str().unwrap(), metric["instance"].as_str().unwrap());
    let text = get(instance, "/metrics");
    let own =
        text.lines().find_map(|line| line.strip_prefix("process_start_time_seconds ")).unwrap();
    let kept = awaited(server, &format!("process_start_time_seconds{{pod=\"{pod}\"}}"));
    assert!((value(&kept[0]) - own.parse::<f64>().unwrap()).abs() < 0.001, "{own} {kept:?}");
    let info = awaited(server, "app_build_info{namespace=\"web\",job=\"kubernetes-pods\"}");
    labelled(&info[0], &[("exported_pod", "of the program itself")]);
}

fn monitored(server: &Served) {
    let gateway = awaited(server, "app_build_info{job=\"gateway\"}");
    let expected = [
        ("namespace", "web"),
        ("service", "gateway"),
        ("endpoint", "metrics"),
        ("container", "gateway"),
        ("app", "gateway"),
        // Its monitor lets labels of samples win.
        ("pod", "of the program itself"),
    ];
    labelled(&gateway[0], &expected);
    let bucket =
        |le: &str| format!("http_request_duration_seconds_bucket{{job=\"gateway\",le=\"{le}\"}}");
    assert!(!awaited(server, &bucket("0.1")).is_empty());
    assert!(query(server, &bucket("0.005")).is_empty(), "dropped by its monitor");
    let nodes = awaited(server, "node_entropy_available_bits{job=\"node-exporter\"} == 256");
    labelled(&nodes[0], &[("service", "node-exporter"), ("namespace", "monitoring")]);
    assert!(nodes[0]["metric"]["instance"].as_str().unwrap().starts_with("node-"), "{nodes:?}");
    let checkout = awaited(server, "http_requests_total{job=\"shop/checkout\"}");
    labelled(&checkout[0], &[("tier", "backend"), ("endpoint", "metrics"), ("namespace", "shop")]);
}

/// The container's target once it fails so; a busy machine may let it miss its time before.
fn failing(server: &Served, container: &str, error: &str) -> Value {
    let begin = Instant::now();
    loop {
        let targets = server.get("/api/v1/targets");
        let active = targets["data"]["activeTargets"].as_array().unwrap();
        let target = active.iter().find(|one| one["labels"]["container"] == container).unwrap();
        if target["lastError"].as_str().unwrap().contains(error) {
            return target.clone();
        }
        assert!(begin.elapsed() < PATIENCE, "no `{error}`: {target}");
        std::thread::yield_now();
    }
}

fn refused(server: &Served) {
    let down = [
        ("recommender", "not in Prometheus' format"),
        ("coredns", "no answer within 800ms"),
        ("prometheus", "more than 50000 samples"),
    ];
    for (name, _) in down {
        let up = awaited(server, &format!("up{{job=\"kubernetes-pods\",container=\"{name}\"}}"));
        assert!(up.iter().all(|series| value(series) == 0.0), "{name}: {up:?}");
    }
    assert!(query(server, "{__name__=\"a\"}").is_empty(), "nothing of the million is kept");
    for (name, error) in down {
        let target = failing(server, name, error);
        assert_eq!(
            (&target["health"], &target["scrapePool"]),
            (&"down".into(), &"kubernetes-pods".into())
        );
    }
    let pools = server.get("/api/v1/scrape_pools")["data"]["scrapePools"].to_string();
    for pool in
        ["kubelet", "kubernetes-pods", "serviceMonitor/web/gateway/0", "podMonitor/shop/checkout/0"]
    {
        assert!(pools.contains(pool), "{pools}");
    }
    let gateway = server.get("/api/v1/targets?scrapePool=serviceMonitor/web/gateway/0");
    let gateway = gateway["data"]["activeTargets"].as_array().unwrap();
    assert!(!gateway.is_empty() && gateway.iter().all(|one| one["health"] == "up"), "{gateway:?}");
    assert_eq!(gateway[0]["discoveredLabels"]["__meta_kubernetes_service_name"], "gateway");
    let facts = &server.get("/api/taffrail/v1/scraping")["scraping"];
    let refused = &facts["refused"][0];
    assert_eq!(refused["about"], "serviceMonitor/monitoring/vault/0");
    assert!(refused["reason"].as_str().unwrap().contains("basicAuth needs a Secret"), "{facts}");
    assert!(facts["up"].as_u64().unwrap() > 4 && facts["down"].as_u64().unwrap() >= 3, "{facts}");
    let checks = server.get("/api/taffrail/v1/diagnosis")["checks"].clone();
    let told = checks.as_array().unwrap().iter().filter(|check| check["name"] == "scrape");
    let told: Vec<&Value> = told.filter(|check| check["about"] == "targets").collect();
    assert!(told[0]["evidence"].as_str().unwrap().contains(" down, "), "{told:?}");
}

/// A server that scrapes every second.
fn serve(cluster: &Cluster, more: &[&str]) -> Served {
    let source = format!("{}&kubeletPort={}", cluster.source(), cluster.kubelet_port);
    let usual = ["--scrape-interval=1s", "--scrape-timeout=800ms", "--no-history"];
    Served::start(&[&["serve", &source], &usual[..], more].concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_of_a_cluster_are_scraped() {
    let cluster = Cluster::of(sized(4, 25)).await;
    let asked = spawn_blocking(move || {
        let server = serve(&cluster, &["--scrape=annotations,monitors", "--metric-resolution=5s"]);
        annotated(&server);
        monitored(&server);
        refused(&server);
    });
    asked.await.unwrap();
}

/// How many programs a server lists, and how many of them it asks itself.
fn shares(server: &Served) -> (usize, usize) {
    let targets = server.get("/api/v1/targets?scrapePool=kubernetes-pods");
    let active = targets["data"]["activeTargets"].as_array().unwrap();
    let own = active.iter().filter(|one| one["lastError"] != "another replica asks it");
    (active.len(), own.count())
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_divide_the_targets_and_answer_alike() {
    let cluster = Cluster::of(sized(4, 25)).await;
    let mut token = tempfile::NamedTempFile::new().unwrap();
    token.write_all(b"a token of sixteen bytes or more").unwrap();
    let asked = spawn_blocking(move || {
        let token = format!("--peer-token-file={}", token.path().display());
        let replicas = ["--peer-name=t-0", "--peer-name=t-1"].map(|name| {
            let lease =
                ["--lease-namespace=default", "--lease-duration=4s", "--peer-listen=127.0.0.1:0"];
            let words = [name, &token, "--scrape=annotations", "--metric-resolution=10s"];
            serve(&cluster, &[&lease[..], &words].concat())
        });
        let begin = Instant::now();
        let divided = || {
            let both = replicas.each_ref().map(shares);
            let [(all, first), (same, second)] = both;
            let up = replicas.each_ref().map(|one| query(one, "up{job=\"kubernetes-pods\"}").len());
            let well = all > 4 && all == same && first + second == all && first > 0 && second > 0;
            (well && up == [all; 2], both, up)
        };
        loop {
            let (well, both, up) = divided();
            if well {
                break;
            }
            assert!(begin.elapsed() < PATIENCE, "{both:?} {up:?}");
            std::thread::park_timeout(Duration::from_millis(250));
        }
        // What one of them asked is the same at the other, to the bit.
        let text = "last_over_time(process_start_time_seconds{job=\"kubernetes-pods\"}[5m])";
        let values = |server: &Served| {
            let mut all: Vec<String> = query(server, text)
                .iter()
                .map(|one| format!("{} {}", one["metric"], one["value"][1]))
                .collect();
            all.sort();
            all
        };
        assert!(!values(&replicas[0]).is_empty());
        assert_eq!(values(&replicas[0]), values(&replicas[1]));
    });
    asked.await.unwrap();
}
