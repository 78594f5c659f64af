//! The source against fake kubelets: what is read, and what each failure is called.

use std::collections::HashSet;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use cluster::{Connection, Defaults, KubernetesSource, ResourceTaker, SourceOptions};
use model::{
    Draft, EntityKind, Hop, Inventory, Node, NodeSamples, Ready, Registry, Target, TargetState,
    Timestamp, Verified,
};
use pipeline::{Clock, Source, Window};
use tokio::time::Instant;

use crate::server::{Authority, LOCALHOST, Server, answer, cut, hang};

const SUMMARY: &[u8] = include_bytes!("../fixtures/kubelet_stats_summary");
const RESOURCE: &[u8] = include_bytes!("../fixtures/kubelet_metrics_resource");
const CADVISOR: &[u8] = include_bytes!("../fixtures/heapster_stats_container.json");
const START: Timestamp = Timestamp::from_secs(1_795_427_000);

fn node(name: &str) -> Node {
    Node {
        name: name.into(),
        ready: Ready::Yes,
        addresses: [("InternalIP".into(), LOCALHOST.to_string().into())].into(),
        ..Node::default()
    }
}

/// Deadline of a request that is answered: long, for a busy machine.
const PATIENCE: Duration = Duration::from_secs(4);

struct Bench {
    source: KubernetesSource,
    clock: Clock,
    registry: Registry,
    _files: tempfile::TempDir,
}

impl Bench {
    /// A source with one node, by Heapster's defaults and the options in `query`.
    async fn new(query: &str) -> Self {
        let text =
            format!("kubernetes.summary_api:http://127.0.0.1:1?inClusterConfig=false&{query}");
        Self::build(&text, PATIENCE, tempfile::tempdir().unwrap()).await
    }

    /// One whose credentials come from a kubeconfig that trusts `authority`.
    async fn with_authority(query: &str, authority: &Authority) -> Self {
        let files = tempfile::tempdir().unwrap();
        std::fs::write(files.path().join("ca.crt"), authority.pem()).unwrap();
        let kubeconfig = r"{apiVersion: v1, kind: Config, current-context: c,
            contexts: [{name: c, context: {cluster: c, user: u}}],
            clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1', certificate-authority: ca.crt}}],
            users: [{name: u, user: {token: secret}}]}";
        std::fs::write(files.path().join("config"), kubeconfig).unwrap();
        let path = files.path().join("config").display().to_string();
        let text = format!(
            "kubernetes.summary_api:?inClusterConfig=false&auth={path}&kubeletHttps=true&{query}"
        );
        Self::build(&text, PATIENCE, files).await
    }

    /// One whose node names another path for resource metrics.
    async fn with_path(query: &str, path: &str) -> Self {
        let text =
            format!("kubernetes.summary_api:http://127.0.0.1:1?inClusterConfig=false&{query}");
        let node = Node { resource_path: path.into(), ..node("node1") };
        Self::of(node, &text, PATIENCE, tempfile::tempdir().unwrap()).await
    }

    async fn build(text: &str, timeout: Duration, files: tempfile::TempDir) -> Self {
        Self::of(node("node1"), text, timeout, files).await
    }

    async fn of(node: Node, text: &str, timeout: Duration, files: tempfile::TempDir) -> Self {
        let mut options = SourceOptions::parse(text, &|_| None, Defaults::heapster()).unwrap();
        options.kubelet_timeout = timeout;
        let connection = Connection::resolve(&options, &|_| None).await.unwrap();
        let clock = Clock::starting_at(START);
        let mut inventory = Inventory::default();
        inventory.put_node(Arc::new(node));
        let source =
            KubernetesSource::new(&connection, Arc::new(RwLock::new(inventory)), clock).unwrap();
        Self { source, clock, registry: Registry::default(), _files: files }
    }

    async fn tick(&mut self) -> Draft {
        let end = self.clock.now();
        let window = Window {
            start: end.minus(Duration::from_mins(1)),
            end,
            deadline: Instant::now() + Duration::from_secs(5),
        };
        self.source.scrape(window, Draft::new(end, std::mem::take(&mut self.registry))).await
    }

    async fn target(&mut self) -> Target {
        let draft = self.tick().await;
        assert_eq!(draft.targets().len(), 1);
        draft.targets()[0].clone()
    }

    /// Expects a failure at `hop`; returns reason and advice.
    async fn fails(&mut self, expected: Hop) -> (String, String) {
        match self.target().await.state {
            TargetState::Failed { hop, reason, advice } => {
                assert_eq!(hop, expected, "{reason}");
                (reason, advice)
            }
            state => panic!("{state:?} is no failure"),
        }
    }
}

fn port(server: &Server) -> String {
    format!("kubeletPort={}", server.port())
}

#[tokio::test]
async fn a_kubelet_is_read_over_one_connection() {
    let kubelet = Server::http(|_| answer(200, SUMMARY)).await;
    let mut bench = Bench::new(&port(&kubelet)).await;
    let draft = bench.tick().await;
    assert_eq!(draft.table(EntityKind::Pod).len(), 4);
    let node = draft.table(EntityKind::Node).context(0).node.as_ref().unwrap();
    assert_eq!(&*node.name, "node1");
    let target = &draft.targets()[0];
    assert_eq!((&target.state, &*target.node), (&TargetState::Up, "node1"));
    assert_eq!(*target.url, *format!("http://127.0.0.1:{}/stats/summary", kubelet.port()));
    assert_eq!(target.body_bytes, SUMMARY.len() as u64);
    assert!(target.since == target.last_success && target.since >= START);
    let again = bench.target().await;
    assert_eq!(again.since, target.since);
    assert!(again.last_success > target.last_success);
    assert_eq!((kubelet.seen().len(), kubelet.connections()), (2, 1));
    // Without https no token is sent.
    assert_eq!(kubelet.seen()[0].authorization, None);
}

#[tokio::test]
async fn each_refusal_has_its_hop_and_advice() {
    for (status, body, hop, advice) in [
        (
            401,
            "Unauthorized",
            Hop::Authentication,
            "give kubeletHttps=true: without it no token is sent",
        ),
        (
            403,
            "Forbidden (user=x, verb=get, resource=nodes, subresource=stats)",
            Hop::Authorization,
            r#"bind our user to a ClusterRole with the rule {apiGroups: [""], resources: ["nodes/stats"], verbs: ["get"]}"#,
        ),
        (500, "boom\ntrace", Hop::Http, "look into the kubelet's log on that node"),
        (
            400,
            "Client sent an HTTP request to an HTTPS server.\n",
            Hop::Tls,
            "give kubeletHttps=true",
        ),
    ] {
        let kubelet = Server::http(move |_| answer(status, body)).await;
        let mut bench = Bench::new(&port(&kubelet)).await;
        let (reason, got) = bench.fails(hop).await;
        assert_eq!(got, advice, "{reason}");
    }
    let kubelet = Server::http(|_| answer(500, "boom\ntrace")).await;
    let (reason, _) = Bench::new(&port(&kubelet)).await.fails(Hop::Http).await;
    assert_eq!(reason, "the kubelet answers 500 Internal Server Error: boom");
}

#[tokio::test]
async fn broken_bodies_are_told_apart() {
    let kubelet = Server::http(|_| answer(200, "{\"node\": 7}")).await;
    let mut bench = Bench::new(&port(&kubelet)).await;
    let (reason, _) = bench.fails(Hop::Decode).await;
    assert!(reason.ends_with("at byte 10"), "{reason}");

    let kubelet = Server::http(|_| cut(&SUMMARY[..5000])).await;
    bench = Bench::new(&port(&kubelet)).await;
    let (reason, _) = bench.fails(Hop::Body).await;
    assert!(reason.contains("in the middle") || reason.contains("closed"), "{reason}");

    let kubelet = Server::http(|_| {
        let mut huge = hang();
        huge.headers_mut().insert("content-length", "100000000".parse().unwrap());
        huge
    })
    .await;
    bench = Bench::new(&port(&kubelet)).await;
    assert_eq!(bench.fails(Hop::Body).await.0, "the answer is larger than 64 MiB");

    let kubelet = Server::http(|_| hang()).await;
    let text = format!(
        "kubernetes.summary_api:http://127.0.0.1:1?inClusterConfig=false&{}",
        port(&kubelet)
    );
    let impatience = Duration::from_millis(200);
    bench = Bench::build(&text, impatience, tempfile::tempdir().unwrap()).await;
    assert_eq!(bench.fails(Hop::Timeout).await.0, "no whole answer within 200ms");
}

#[tokio::test]
async fn late_nodes_fail_at_the_ticks_deadline() {
    let kubelet = Server::http(|_| hang()).await;
    let mut bench = Bench::new(&port(&kubelet)).await;
    let end = bench.clock.now();
    let deadline = Instant::now() + Duration::from_millis(50);
    let draft = Draft::new(end, std::mem::take(&mut bench.registry));
    let draft = bench.source.scrape(Window { start: end, end, deadline }, draft).await;
    assert!(deadline.elapsed() < PATIENCE);
    assert!(matches!(draft.targets()[0].state, TargetState::Failed { hop: Hop::Timeout, .. }));
}

#[tokio::test]
async fn a_closed_port_and_a_node_that_comes_back() {
    let closed = Server::http(|_| answer(200, SUMMARY)).await.port();
    let mut bench = Bench::new(&format!("kubeletPort={closed}")).await;
    let first = bench.target().await;
    let second = bench.target().await;
    assert!(matches!(&second.state, TargetState::Failed { hop: Hop::Connect, reason, .. }
        if reason == "connection refused"));
    assert_eq!((first.since, second.last_success), (second.since, Timestamp::NEVER));
}

#[tokio::test]
async fn older_and_newer_endpoints_stand_in() {
    let kubelet = Server::http(|seen| match &*seen.path {
        "/metrics/resource" => answer(200, RESOURCE),
        _ => answer(404, "404 page not found"),
    })
    .await;
    let mut bench = Bench::new(&port(&kubelet)).await;
    let draft = bench.tick().await;
    assert_eq!(draft.table(EntityKind::Container).len(), 5);
    assert!(draft.targets()[0].url.ends_with("/metrics/resource"));

    let old = Server::http(|seen| match (&*seen.method, &*seen.path) {
        ("POST", "/stats/container/") => answer(200, CADVISOR),
        _ => answer(404, "404 page not found"),
    })
    .await;
    let mut bench = Bench::new(&format!("{}&kubeletEndpoint=container", port(&old))).await;
    let draft = bench.tick().await;
    assert_eq!(draft.table(EntityKind::Disk).len(), 4, "{:?}", draft.targets());
    assert!(draft.targets()[0].url.ends_with("/stats/container/"));

    // A kubelet of today, asked by a user who may only get: the refusal hides that it has it not.
    let new = Server::http(|seen| match &*seen.method {
        "POST" => answer(403, "Forbidden"),
        _ => answer(200, SUMMARY),
    })
    .await;
    let mut bench = Bench::new(&format!("{}&kubeletEndpoint=container", port(&new))).await;
    for _ in 0..2 {
        assert_eq!(bench.target().await.state, TargetState::Up);
    }
    let methods: Vec<String> = new.seen().into_iter().map(|seen| seen.method).collect();
    assert_eq!(methods, ["POST", "GET", "GET"]);
}

#[tokio::test]
async fn certificates_are_verified_by_address_or_node_name() {
    let authority = Authority::new();
    for (names, expected) in [(&["127.0.0.1"], Verified::Address), (&["node1"], Verified::NodeName)]
    {
        let certificate = authority.sign(names);
        let kubelet = Server::https(&certificate, |_| answer(200, SUMMARY)).await;
        let mut bench = Bench::with_authority(&port(&kubelet), &authority).await;
        let target = bench.target().await;
        assert_eq!((target.state, target.verified), (TargetState::Up, expected));
        assert_eq!(kubelet.seen()[0].authorization.as_deref(), Some("Bearer secret"));
        assert!(bench.source.notices().is_empty());
    }
}

#[tokio::test]
async fn a_bad_certificate_says_what_is_wrong_with_it() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    for (certificate, expected) in [
        (
            theirs.sign(&["node1", "127.0.0.1"]),
            "the certificate (for node1, 127.0.0.1) is signed by an authority that is not trusted",
        ),
        (
            ours.sign(&["node2", "10.0.0.2"]),
            "the certificate is for node2, 10.0.0.2, not for 127.0.0.1 or node1",
        ),
        (ours.sign_until(&["127.0.0.1"], 2001), "the certificate expired at 2001-01-01T00:00:00Z"),
    ] {
        let kubelet = Server::https(&certificate, |_| answer(200, SUMMARY)).await;
        let mut bench = Bench::with_authority(&port(&kubelet), &ours).await;
        let (reason, advice) = bench.fails(Hop::Tls).await;
        assert_eq!(reason, expected);
        assert!(!advice.is_empty());
        // The token was not shown to a stranger.
        assert!(kubelet.seen().is_empty());
        bench =
            Bench::with_authority(&format!("{}&kubeletInsecure=true", port(&kubelet)), &ours).await;
        let target = bench.target().await;
        assert_eq!((target.state, target.verified), (TargetState::Up, Verified::Nothing));
        assert_eq!(bench.source.notices().len(), 1);
    }
}

#[tokio::test]
async fn the_wrong_scheme_is_told() {
    let authority = Authority::new();
    let plain = Server::http(|_| answer(200, SUMMARY)).await;
    let mut bench = Bench::with_authority(&port(&plain), &authority).await;
    let (_, advice) = bench.fails(Hop::Tls).await;
    assert_eq!(advice, "give kubeletHttps=false, or the port that speaks https");
    let kubelet =
        Server::https(&authority.sign(&["127.0.0.1"]), |_| answer(401, "Unauthorized")).await;
    bench = Bench::with_authority(&port(&kubelet), &authority).await;
    let (_, advice) = bench.fails(Hop::Authentication).await;
    assert!(advice.contains("--authentication-token-webhook"), "{advice}");
}

/// Pins stand behind authorities: a certificate that one vouches for needs none.
#[tokio::test]
async fn a_pinned_certificate_needs_no_authority() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let certificate = theirs.sign(&["elsewhere"]);
    let kubelet = Server::https(&certificate, |_| answer(200, SUMMARY)).await;
    let files = tempfile::tempdir().unwrap();
    let path = files.path().join("pins");
    let text = format!("node1 {}\n", certificate.fingerprint());
    std::fs::write(&path, &text).unwrap();
    let options = format!("{}&kubeletPins={}", port(&kubelet), path.display());
    let mut bench = Bench::with_authority(&options, &ours).await;
    let target = bench.target().await;
    assert_eq!((target.state, target.verified), (TargetState::Up, Verified::Pinned));
    assert!(bench.source.notices().is_empty());
    // Another node's pin is none of this one's.
    std::fs::write(&path, text.replace("node1", "node2")).unwrap();
    bench = Bench::with_authority(&options, &ours).await;
    bench.fails(Hop::Tls).await;
}

#[tokio::test]
async fn outside_the_cluster_the_api_server_stands_in_where_our_rights_allow_it() {
    for allowed in [true, false] {
        let api = Server::http(move |seen| match &*seen.path {
            "/api/v1/nodes/node1/proxy/stats/summary" => answer(200, SUMMARY),
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews" => {
                assert!(seen.body.contains(r#""subresource":"proxy""#), "{}", seen.body);
                answer(201, format!(r#"{{"status":{{"allowed":{allowed}}}}}"#))
            }
            other => answer(404, other.to_owned()),
        })
        .await;
        let closed = Server::http(|_| answer(200, SUMMARY)).await.port();
        let text = format!(
            "kubernetes.summary_api:http://127.0.0.1:{}?inClusterConfig=false&kubeletPort={closed}&kubeletVia=auto",
            api.port()
        );
        let mut bench = Bench::build(&text, PATIENCE, tempfile::tempdir().unwrap()).await;
        if !allowed {
            bench.fails(Hop::Connect).await;
            continue;
        }
        let target = bench.target().await;
        assert_eq!((&target.state, target.verified), (&TargetState::Up, Verified::ByApiServer));
        assert!(target.url.ends_with("/api/v1/nodes/node1/proxy/stats/summary"), "{}", target.url);
        assert_eq!(bench.target().await.state, TargetState::Up);
        let asked = api.seen().iter().filter(|seen| seen.path.contains("selfsubject")).count();
        assert_eq!(asked, 1);
    }
}

/// Takes the names of nodes that answered.
#[derive(Default)]
struct Answered(tokio::sync::watch::Sender<Option<NodeSamples>>);

impl ResourceTaker for Answered {
    fn begins(&self, _: Timestamp) {}

    fn answered(&self, samples: NodeSamples, _: Timestamp) {
        self.0.send_replace(Some(samples));
    }

    fn failed(&self, node: &str) {
        panic!("{node} failed");
    }

    fn ends(&self, _: &HashSet<Box<str>>, _: Timestamp) {}
}

#[tokio::test]
async fn the_path_that_a_node_names_is_asked_for_resource_metrics() {
    let kubelet = Server::http(|seen| match &*seen.path {
        "/proxied/resource" => answer(200, RESOURCE),
        _ => answer(404, "no"),
    })
    .await;
    let mut bench = Bench::with_path(&port(&kubelet), "/proxied/resource").await;
    // By the tick, where there is no summary.
    let draft = bench.tick().await;
    assert_eq!(draft.targets()[0].state, TargetState::Up);
    assert!(draft.targets()[0].url.ends_with("/proxied/resource"), "{}", draft.targets()[0].url);
    assert!(draft.table(EntityKind::Node).len() == 1);
    let way = bench.source.way();
    assert_eq!((way.way, way.direct, way.failed), ("direct", 1, 0));
    // And by the quick loop.
    let taker = Answered::default();
    let mut answered = taker.0.subscribe();
    let got = async {
        let got = answered.wait_for(Option::is_some).await.unwrap();
        got.as_ref().map(|samples| samples.node.to_string())
    };
    let name = tokio::select! {
        () = bench.source.follow_resources(Duration::from_secs(15), &taker) => None,
        name = got => name,
    };
    assert_eq!(name.as_deref(), Some("node1"));
}
