//! Three real processes over one simulated cluster of 300 nodes: each answers for all, no node
//! is counted twice, and the nodes of one that dies miss a tick at most.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::task::spawn_blocking;

use crate::beside::until;
use crate::secure::{Direct, serving};
use crate::served::Served;
use crate::simulated::{Cluster, sized};

const NODES: usize = 300;
/// Seconds between ticks.
const TICK: i64 = 10;
/// Nothing that is waited for takes this long.
const PATIENCE: Duration = Duration::from_mins(2);

/// A process and the name by which the others know it.
struct Replica {
    served: Served,
    name: String,
    /// Its port for metrics.k8s.io.
    secure: Direct,
}

/// What the replicas are started with.
struct Setup {
    cluster: Cluster,
    /// File with the replicas' token.
    token: tempfile::NamedTempFile,
    /// Folder with the serving certificate.
    folder: tempfile::TempDir,
    authority: String,
}

impl Replica {
    fn start(name: &str, setup: &Setup) -> Self {
        let Setup { cluster, token, folder, authority } = setup;
        let source = format!("{}&kubeletPort={}", cluster.source(), cluster.kubelet_port);
        let file = |name: &str| folder.path().join(name).display().to_string();
        let mut served = Served::start(&[
            "serve",
            &source,
            "--no-history",
            &format!("--metric-resolution={TICK}s"),
            "--lease-namespace=default",
            "--lease-duration=4s",
            &format!("--peer-name={name}"),
            "--peer-listen=127.0.0.1:0",
            &format!("--peer-token-file={}", token.path().display()),
            "--secure-port=0",
            "--bind-address=127.0.0.1",
            &format!("--tls-cert-file={}", file("tls.crt")),
            &format!("--tls-private-key-file={}", file("tls.key")),
        ]);
        let secure = Direct::new(&served.secure(), authority.as_bytes(), None);
        Self { served, name: name.to_owned(), secure }
    }

    /// What metrics.k8s.io says of every node is what the tables say: the window reaches from one
    /// tick to another, whoever measured either.
    fn check_windows(&self, setup: &Setup) {
        let bearer = format!("Bearer {}", setup.cluster.token);
        let begun = Instant::now();
        let (list, table) = loop {
            let newest = self.newest();
            let path = "/apis/metrics.k8s.io/v1beta1/nodes";
            let (status, list) = self.secure.get(path, &[("authorization", &bearer)]);
            assert_eq!(status, 200, "{list}");
            let table = self.get(&format!("nodes?limit={NODES}"));
            let (_, again) = self.secure.get(path, &[("authorization", &bearer)]);
            let stamps = |list: &Value| -> Vec<Value> {
                let items = list["items"].as_array().unwrap().iter();
                items.map(|item| item["timestamp"].clone()).collect()
            };
            let same = stamps(&list) == stamps(&again) && self.newest() == newest;
            if same && table["timestamp"] == newest {
                break (again, table);
            }
            assert!(begun.elapsed() < PATIENCE, "no two looks within one batch");
        };
        let shown = table["items"].as_array().unwrap();
        let items = list["items"].as_array().unwrap();
        assert_eq!(items.len(), NODES, "{}", self.name);
        for item in items {
            let name = &item["metadata"]["name"];
            let shown = shown.iter().find(|one| one["name"] == *name).unwrap();
            let window = seconds(item["window"].as_str().unwrap());
            // From a tick to the next, or over the one that may be missed.
            assert!((5.0..=25.0).contains(&window), "{}: {name}: {window} s", self.name);
            let cpu = millicores(item["usage"]["cpu"].as_str().unwrap());
            let table = shown["cpu"]["usage"].as_f64().unwrap();
            assert!((cpu - table).abs() <= 1.0, "{}: {name}: {cpu} m, {table} m", self.name);
        }
    }

    fn get(&self, path: &str) -> Value {
        self.served.get(&format!("/api/taffrail/v1/{path}"))
    }

    /// Nodes by the state of their target.
    fn states(&self) -> BTreeMap<String, usize> {
        let mut states = BTreeMap::new();
        for item in self.get("targets")["items"].as_array().unwrap() {
            *states.entry(item["state"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        states
    }

    fn all_up(&self) -> bool {
        self.states() == BTreeMap::from([("up".to_owned(), NODES)])
    }

    /// Times at which a node has samples, from `since` on.
    fn samples(&self, node: usize, since: i64) -> Vec<i64> {
        let body = serde_json::json!({
            "start": since, "end": since + 3_600_000, "points": 4000,
            "series": [{ "kind": "node", "name": format!("node-{node}"), "metric": "memory/working_set" }],
        });
        let answer = self.served.post("/api/taffrail/v1/query", &body.to_string());
        let values = answer["series"][0]["avg"].as_array().unwrap();
        let times = answer["timestamps"].as_array().unwrap();
        let known = times.iter().zip(values).filter(|(_, value)| !value.is_null());
        known.map(|(time, _)| time.as_i64().unwrap()).collect()
    }

    /// The newest batch's timestamp.
    fn newest(&self) -> i64 {
        self.get("status")["lastBatch"]["timestamp"].as_i64().unwrap_or(0)
    }
}

/// A Go duration of minutes and seconds.
fn seconds(text: &str) -> f64 {
    let text = text.strip_suffix('s').unwrap();
    let (minutes, seconds) = text.split_once('m').unwrap_or(("0", text));
    minutes.parse::<f64>().unwrap() * 60.0 + seconds.parse::<f64>().unwrap()
}

/// CPU as Kubernetes writes it, in millicores.
fn millicores(text: &str) -> f64 {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, suffix) = text.split_at(end);
    let unit = match suffix {
        "n" => 1e-6,
        "u" => 1e-3,
        "m" => 1.0,
        _ => 1e3,
    };
    digits.parse::<f64>().unwrap() * unit
}

/// The sums hold each node once: pods of the overview are those of the nodes.
fn check_sums(replica: &Replica) {
    let overview = replica.get("overview");
    let nodes = replica.get(&format!("nodes?limit={NODES}"));
    let items = nodes["items"].as_array().unwrap();
    assert_eq!((items.len(), &overview["nodes"]["total"]), (NODES, &NODES.into()));
    if overview["timestamp"] != nodes["timestamp"] {
        return check_sums(replica);
    }
    let memory = |value: &Value| value["memory"]["workingSet"].as_f64().unwrap();
    let (sum, whole): (f64, f64) = (items.iter().map(memory).sum(), memory(&overview));
    // The cluster's is the sum of pods, which is below that of machines and far above two thirds.
    assert!(whole <= sum && whole > 0.4 * sum, "{}: {whole} of {sum}", replica.name);
}

fn run(setup: &Setup) {
    let names = ["t-0", "t-1", "t-2"];
    let mut replicas: Vec<Replica> = names.iter().map(|name| Replica::start(name, setup)).collect();
    until("every replica covers all nodes", || replicas.iter().all(Replica::all_up));
    replicas.iter().for_each(check_sums);
    // A replica joins at the end of its first tick, and until all know of it some nodes are
    // measured twice. From then on the same batch is the same everywhere.
    until("each node is one replica's", || replicas.iter().map(own_nodes).sum::<usize>() == NODES);
    let joined = replicas.iter().map(Replica::newest).max().unwrap() + TICK * 1000;
    let cluster = |replica: &Replica| {
        let overview = replica.get("overview");
        (overview["timestamp"].as_i64().unwrap(), overview["memory"]["workingSet"].clone())
    };
    until("all three show one batch", || {
        let seen: Vec<_> = replicas.iter().map(cluster).collect();
        seen.iter().all(|(timestamp, _)| *timestamp == seen[0].0 && *timestamp > joined) && {
            assert_eq!(seen[0], seen[1]);
            assert_eq!(seen[1], seen[2]);
            true
        }
    });
    let before = replicas[0].newest();
    let shares = replicas.iter().map(own_nodes).collect::<Vec<_>>();
    assert_eq!(shares.iter().sum::<usize>(), NODES, "{shares:?}");
    assert!(shares.iter().all(|share| *share > 60), "{shares:?}");
    let told = replicas[0].get("replicas")["items"].clone();
    let told = told.as_array().unwrap();
    let of = |key: &str| told.iter().map(|one| one[key].clone()).collect::<Vec<_>>();
    assert_eq!(of("name"), names);
    assert_eq!(of("me"), [true, false, false]);
    assert_eq!(of("feeds").iter().filter(|feeds| **feeds == true).count(), 1);
    assert_eq!(of("missing"), [Value::Null, Value::Null, Value::Null]);
    // It dies without a word.
    drop(replicas.remove(1));
    let after = before + 4 * TICK * 1000;
    until("four more ticks", || replicas.iter().all(|replica| replica.newest() >= after));
    for replica in &replicas {
        assert!(replica.all_up(), "{}: {:?}", replica.name, replica.states());
        check_sums(replica);
        for node in 1..=NODES {
            let times = replica.samples(node, before);
            let gaps: i64 =
                times.windows(2).map(|pair| (pair[1] - pair[0]) / 1000 / TICK - 1).sum();
            assert!(gaps <= 1, "{}: node-{node} missed {gaps} ticks: {times:?}", replica.name);
            assert!(times.len() >= 4, "{}: node-{node}: {times:?}", replica.name);
        }
    }
    assert_eq!(replicas.iter().map(own_nodes).sum::<usize>(), NODES);
    for replica in &replicas {
        replica.check_windows(setup);
    }
    // One that is asked to stop gives its nodes away before it goes.
    let stopped = replicas.remove(1);
    let last = replicas[0].newest();
    assert!(stopped.served.stop().success());
    until("two more ticks", || replicas[0].newest() >= last + 2 * TICK * 1000);
    assert!(replicas[0].all_up(), "{:?}", replicas[0].states());
    assert_eq!(own_nodes(&replicas[0]), NODES);
}

/// How many kubelets this process itself asked in its last tick, by its self-metrics.
fn own_nodes(replica: &Replica) -> usize {
    let text = replica.served.text("/metrics");
    let line = text.lines().find(|line| line.starts_with("taffrail_replica_own_nodes "));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_replicas_are_one() {
    let cluster = Cluster::of(sized(300, 3)).await;
    let mut token = tempfile::NamedTempFile::new().unwrap();
    token.write_all(b"a secret of the replicas\n").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let authority = serving(folder.path());
    let setup = Setup { cluster, token, folder, authority };
    spawn_blocking(move || run(&setup)).await.unwrap();
}
