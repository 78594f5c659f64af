//! Tokens and authorities that are replaced while we run.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use cluster::{Connection, Defaults, KubernetesSource, SourceOptions};
use model::{Draft, Inventory, Node, Ready, Registry, TargetState};
use pipeline::{Clock, Source, Window};
use tokio::time::Instant;

use crate::server::{Authority, Body, LOCALHOST, Seen, Server, answer};

const SUMMARY: &[u8] = include_bytes!("../fixtures/kubelet_stats_summary");
const VERSION: &str = include_str!("../fixtures/api_version.json");
const NODES: &str = include_str!("../fixtures/api_nodes.json");

/// Answers as an API server and as a kubelet, to whoever shows the token that is good now.
fn guarded(renewed: &Arc<AtomicBool>) -> impl Fn(&Seen) -> http::Response<Body> + use<> {
    let renewed = Arc::clone(renewed);
    move |seen| {
        let good = if renewed.load(Ordering::SeqCst) { "Bearer new" } else { "Bearer old" };
        match &*seen.path {
            _ if seen.authorization.as_deref() != Some(good) => answer(401, "Unauthorized"),
            "/version" => answer(200, VERSION),
            "/stats/summary" => answer(200, SUMMARY),
            _ => answer(200, NODES),
        }
    }
}

struct Setup {
    files: tempfile::TempDir,
    connection: Connection,
}

impl Setup {
    async fn new(api: &Server, kubelet_port: u16, authority: &Authority) -> Self {
        let files = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(files.path().join(name), text).unwrap();
        write("ca.crt", &authority.pem());
        write("token", "old");
        let kubeconfig = format!(
            "{{apiVersion: v1, kind: Config, current-context: c,
               contexts: [{{name: c, context: {{cluster: c, user: u}}}}],
               clusters: [{{name: c, cluster: {{server: 'https://{}', certificate-authority: ca.crt}}}}],
               users: [{{name: u, user: {{tokenFile: token}}}}]}}",
            api.address
        );
        write("config", &kubeconfig);
        let path = files.path().join("config").display().to_string();
        let source = format!(
            "kubernetes.summary_api:?inClusterConfig=false&auth={path}&kubeletPort={kubelet_port}&kubeletVia=direct"
        );
        let options = SourceOptions::parse(&source, &|_| None, Defaults::taffrail()).unwrap();
        let connection = Connection::resolve(&options, &|_| None).await.unwrap();
        Self { files, connection }
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.files.path().join(name), text).unwrap();
    }

    fn source(&self) -> KubernetesSource {
        let mut inventory = Inventory::default();
        inventory.put_node(Arc::new(Node {
            name: "node1".into(),
            ready: Ready::Yes,
            addresses: [("InternalIP".into(), LOCALHOST.to_string().into())].into(),
            ..Node::default()
        }));
        let inventory = Arc::new(RwLock::new(inventory));
        KubernetesSource::new(&self.connection, inventory, Clock::system()).unwrap()
    }
}

async fn tick(source: &KubernetesSource) -> TargetState {
    let end = Clock::system().now();
    let deadline = Instant::now() + Duration::from_secs(20);
    let window = Window { start: end.minus(Duration::from_mins(1)), end, deadline };
    let draft = source.scrape(window, Draft::new(end, Registry::default())).await;
    draft.targets()[0].state.clone()
}

#[tokio::test]
async fn a_replaced_token_costs_no_request() {
    let authority = Authority::new();
    let certificate = authority.sign(&["127.0.0.1"]);
    let renewed = Arc::new(AtomicBool::new(false));
    let api = Server::https(&certificate, guarded(&renewed)).await;
    let kubelet = Server::https(&certificate, guarded(&renewed)).await;
    let setup = Setup::new(&api, kubelet.port(), &authority).await;
    let source = setup.source();
    setup.connection.check().await.unwrap();
    assert_eq!(tick(&source).await, TargetState::Up);
    // The old one is revoked before the file is replaced: nothing helps yet.
    renewed.store(true, Ordering::SeqCst);
    assert!(setup.connection.check().await.unwrap_err().to_string().contains("(401)"));
    assert!(matches!(tick(&source).await, TargetState::Failed { .. }));
    setup.write("token", "new");
    assert_eq!(tick(&source).await, TargetState::Up);
    setup.connection.check().await.unwrap();
    // Whoever holds a client from before goes through the same door.
    let asked = kubelet.seen().len();
    assert_eq!(tick(&source).await, TargetState::Up);
    assert_eq!(kubelet.seen().len(), asked + 1);
}

#[tokio::test]
async fn a_replaced_authority_is_trusted_at_once() {
    let (before, after) = (Authority::new(), Authority::new());
    let certificate = after.sign(&["127.0.0.1"]);
    let never = Arc::new(AtomicBool::new(false));
    let api = Server::https(&certificate, guarded(&never)).await;
    let kubelet = Server::https(&certificate, guarded(&never)).await;
    let setup = Setup::new(&api, kubelet.port(), &before).await;
    let source = setup.source();
    assert!(setup.connection.check().await.unwrap_err().to_string().contains("not trusted"));
    assert!(matches!(tick(&source).await, TargetState::Failed { .. }));
    assert!(api.seen().is_empty() && kubelet.seen().is_empty());
    setup.write("ca.crt", &after.pem());
    assert_eq!(tick(&source).await, TargetState::Up);
    setup.connection.check().await.unwrap();
}
