//! Events of three replicas, which ask each other over mutual TLS, with one sink: when the one that
//! feeds it dies, another takes over, and every event is there, the repeated ones in the same form.

use std::io::Write as _;
use std::path::Path;

use tokio::task::spawn_blocking;

use crate::eventer::{Influx, cluster, listed, until};
use crate::secure::{Direct, serving};
use crate::served::Served;
use crate::simulated::Cluster;

/// A certificate of all replicas, signed by itself, in files of a folder.
fn certificate() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let params = rcgen::CertificateParams::new(vec!["taffrail-peers".to_owned()]).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap().pem();
    std::fs::write(folder.path().join("tls.crt"), certificate).unwrap();
    std::fs::write(folder.path().join("tls.key"), key.serialize_pem()).unwrap();
    std::fs::create_dir(folder.path().join("serving")).unwrap();
    serving(&folder.path().join("serving"));
    folder
}

/// Its port for metrics.k8s.io, once that has every node: each replica asks all kubelets itself.
fn shown(replica: &mut Served, tls: &Path, token: &str) -> Direct {
    let authority = std::fs::read(tls.join("serving/tls.crt")).unwrap();
    let port = Direct::new(&replica.secure(), &authority, None);
    until("metrics.k8s.io has all nodes", || nodes(&port, token) == 6);
    port
}

fn nodes(port: &Direct, token: &str) -> usize {
    let bearer = format!("Bearer {token}");
    let path = "/apis/metrics.k8s.io/v1beta1/nodes";
    let (_, list) = port.get(path, &[("authorization", &bearer)]);
    list["items"].as_array().map_or(0, Vec::len)
}

fn start(name: &str, cluster: &Cluster, (token, tls): (&Path, &Path), influx: &Influx) -> Served {
    let file = |flag: &str, name: &str| format!("{flag}={}", tls.join(name).display());
    Served::start(&[
        "serve",
        &cluster.source(),
        "--no-history",
        "--metric-resolution=12s",
        "--resource-resolution=10s",
        "--secure-port=0",
        "--bind-address=127.0.0.1",
        &file("--tls-cert-file", "serving/tls.crt"),
        &file("--tls-private-key-file", "serving/tls.key"),
        "--lease-namespace=default",
        "--lease-duration=3s",
        &format!("--peer-name={name}"),
        "--peer-listen=127.0.0.1:0",
        &format!("--peer-token-file={}", token.display()),
        &file("--peer-cert-file", "tls.crt"),
        &file("--peer-key-file", "tls.key"),
        &file("--peer-ca-file", "tls.crt"),
        &format!("--event-sink=influxdb:http://{}", influx.address),
    ])
}

/// Which of how many replicas feeds the sink, as this one sees it.
fn feeder(served: &Served) -> Option<(usize, usize)> {
    let told = served.get("/api/taffrail/v1/replicas");
    let items = told["items"].as_array()?;
    let at = items.iter().position(|one| one["feeds"] == true)?;
    Some((at, items.len()))
}

fn run(cluster: &Cluster, token: &Path) {
    let (api, bearer) = (&cluster.plain_url, &cluster.token);
    let (influx, tls) = (Influx::start(), certificate());
    let names = ["r-0", "r-1", "r-2"];
    let mut replicas: Vec<Served> =
        names.iter().map(|name| start(name, cluster, (token, tls.path()), &influx)).collect();
    let agreed = |replicas: &[Served], count: usize| {
        let seen: Vec<_> = replicas.iter().map(feeder).collect();
        seen[0].filter(|(_, all)| *all == count && seen.iter().all(|one| *one == seen[0]))
    };
    until("all three know each other", || agreed(&replicas, 3).is_some());
    // Over mutual TLS.
    let covered = |served: &Served| served.get("/api/taffrail/v1/status")["targets"]["up"] == 6;
    until("each covers all nodes", || replicas.iter().all(covered));
    let mut ports: Vec<Direct> =
        replicas.iter_mut().map(|replica| shown(replica, tls.path(), bearer)).collect();
    let (feeds, _) = agreed(&replicas, 3).unwrap();
    until("events are written", || !influx.events().is_empty());
    // Everybody reads by now: what comes from here on has to arrive.
    let before = listed(api);
    let written = influx.events().len();
    until("more events are written", || influx.events().len() > written);
    // It dies without a word.
    drop(replicas.remove(feeds));
    drop(ports.remove(feeds));
    // Nothing that metrics.k8s.io shows was the dead one's.
    assert!(ports.iter().all(|port| nodes(port, bearer) == 6));
    let seen = listed(api);
    until("events happen while nobody feeds", || listed(api) != seen);
    until("one of the two feeds", || agreed(&replicas, 2).is_some());
    let taken_over = listed(api);
    until("and events happen after that", || listed(api) != taken_over);
    let all = listed(api);
    let wanted: Vec<_> = all.iter().filter(|event| !before.contains(event)).collect();
    assert!(!wanted.is_empty());
    until("every event is written", || {
        let events = influx.events();
        wanted.iter().all(|event| events.contains_key(*event))
    });
    // Who took over sends what it remembers again: the same bytes, so that the sink has it once.
    let forms = influx.forms();
    for (event, forms) in &forms {
        assert_eq!(forms.len(), 1, "{event:?} has several forms: {forms:?}");
    }
    // What came after the take-over was sent by one of them alone.
    let events = influx.events();
    for event in all.iter().filter(|event| !taken_over.contains(event)) {
        assert_eq!(events[event], 1, "{event:?} was sent twice");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feeder_that_dies_loses_no_event() {
    let cluster = cluster().await;
    let mut token = tempfile::NamedTempFile::new().unwrap();
    token.write_all(b"a secret of the replicas\n").unwrap();
    spawn_blocking(move || run(&cluster, token.path())).await.unwrap();
}
