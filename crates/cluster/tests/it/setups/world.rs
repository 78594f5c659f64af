//! A cluster of one API server and one kubelet that is well until a row of the table breaks it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use cluster::diagnose::{Check, Nodes, diagnose, without_connection};
use cluster::{Connection, Defaults, SourceOptions};
use http::Response;
use model::Timestamp;
use pipeline::Clock;
use tokio::net::TcpListener;

use crate::server::{Authority, Body, Certificate, Seen, Server, answer};

const VERSION: &str = include_str!("../../fixtures/api_version.json");
const REVIEW: &str = r#"{"status":{"userInfo":{"username":"system:serviceaccount:a:b"}}}"#;

/// What a machine answers instead of what it should.
pub(crate) type Answers = fn(&Seen) -> Option<Response<Body>>;

/// A machine that listens, and how it presents itself.
#[expect(clippy::struct_excessive_bools, reason = "five faults that a row combines as it likes")]
pub(crate) struct Machine {
    /// Names and addresses in its certificate.
    pub(crate) names: &'static [&'static str],
    /// The years in which its certificate begins and ends.
    pub(crate) years: (i32, i32),
    /// Whether the other authority signed it.
    pub(crate) by_other: bool,
    /// Whether it speaks no TLS.
    pub(crate) plain: bool,
    /// Whether nobody listens.
    pub(crate) closed: bool,
    /// Whether it takes connections and never says a word.
    pub(crate) silent: bool,
    /// Whether it wants a client certificate of the cluster's authority.
    pub(crate) clients: bool,
    pub(crate) answers: Answers,
}

impl Machine {
    fn new() -> Self {
        Self {
            names: &["127.0.0.1", "n1"],
            years: (1990, 4000),
            by_other: false,
            plain: false,
            closed: false,
            silent: false,
            clients: false,
            answers: |_| None,
        }
    }
}

/// The set-up as a whole; every row changes some of it.
pub(crate) struct World {
    pub(crate) api: Machine,
    pub(crate) kubelet: Machine,
    /// Rights that are refused: group, resource with subresource, verb.
    pub(crate) denied: Vec<(String, String, String)>,
    /// The user in the kubeconfig.
    pub(crate) user: String,
    /// Texts of the kubeconfig that are replaced.
    pub(crate) kubeconfig: Vec<(&'static str, &'static str)>,
    /// Files beside the kubeconfig, `None` for one that is removed.
    pub(crate) files: Vec<(&'static str, Option<String>)>,
    /// Options of the source, beside `auth`.
    pub(crate) options: String,
    /// The whole source, where it is another.
    pub(crate) source: Option<&'static str>,
    /// How far our clock is ahead, in seconds.
    pub(crate) ahead: i64,
    /// The node's addresses as JSON, its readiness, and its kubelet's port where not the true one.
    pub(crate) addresses: &'static str,
    pub(crate) ready: &'static str,
    pub(crate) port: Option<u16>,
    pub(crate) nodes: bool,
    /// The port that `PROXY` in the kubeconfig stands for.
    pub(crate) proxy: u16,
    pub(crate) ours: Authority,
    pub(crate) theirs: Authority,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            api: Machine::new(),
            kubelet: Machine::new(),
            denied: Vec::new(),
            user: "token: sesame".to_owned(),
            kubeconfig: Vec::new(),
            files: Vec::new(),
            options: "kubeletVia=direct&kubeletTimeout=2s".to_owned(),
            source: None,
            ahead: 0,
            addresses: r#"[{"type":"InternalIP","address":"127.0.0.1"}]"#,
            ready: "True",
            port: None,
            nodes: true,
            proxy: 1,
            ours: Authority::new(),
            theirs: Authority::new(),
        }
    }

    /// A certificate and its key as the user's, in files beside the kubeconfig.
    pub(crate) fn client_certificate(&mut self, certificate: &Certificate) {
        "client-certificate: client.crt, client-key: client.key".clone_into(&mut self.user);
        self.files.push(("client.crt", Some(certificate.pem())));
        self.files.push(("client.key", Some(certificate.key_pem())));
    }

    /// What the diagnosis says of it.
    pub(crate) async fn checks(self) -> Vec<Check> {
        let kubelet = Listening::new(&self.kubelet, &self, summary).await;
        let nodes = self.node_list(self.port.unwrap_or(kubelet.port));
        let denied = self.denied.clone();
        let api = move |seen: &Seen| api(seen, &nodes, &denied);
        let api = Listening::new(&self.api, &self, api).await;
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text);
        write("ca.crt", &self.ours.pem()).unwrap();
        for (name, text) in &self.files {
            match text {
                Some(text) => write(name, text).unwrap(),
                None => std::fs::remove_file(folder.path().join(name)).unwrap(),
            }
        }
        let mut kubeconfig = format!(
            "{{apiVersion: v1, kind: Config, current-context: c,
               contexts: [{{name: c, context: {{cluster: c, user: u}}}}],
               clusters: [{{name: c, cluster: {{server: 'https://127.0.0.1:{}', certificate-authority: ca.crt}}}}],
               users: [{{name: u, user: {{{}}}}}]}}",
            api.port, self.user
        );
        for (from, to) in &self.kubeconfig {
            assert!(kubeconfig.contains(from), "{from} is not in {kubeconfig}");
            kubeconfig = kubeconfig.replace(
                from,
                &to.replace("PORT", &api.port.to_string())
                    .replace("PROXY", &self.proxy.to_string())
                    .replace("AUTHORITY", &BASE64_STANDARD.encode(self.ours.pem())),
            );
        }
        let kubeconfig = kubeconfig.replace("FOLDER", &folder.path().display().to_string());
        write("config", &kubeconfig).unwrap();
        let (path, options) = (folder.path().join("config"), &self.options);
        let options = options.replace("FOLDER", &folder.path().display().to_string());
        let ours = format!(
            "kubernetes.summary_api:?inClusterConfig=false&auth={}&{options}",
            path.display()
        );
        let source =
            self.source.map_or(ours, |source| source.replace("PORT", &api.port.to_string()));
        let options = SourceOptions::parse(&source, &|_| None, Defaults::taffrail()).unwrap();
        let now = Clock::system().now();
        let clock = Clock::starting_at(Timestamp::from_secs(now.secs() + self.ahead));
        match Connection::resolve(&options, &|_| None).await {
            Ok(connection) => diagnose(&connection, &Nodes::All, clock).await,
            Err(error) => without_connection(&error),
        }
    }

    fn node_list(&self, port: u16) -> String {
        let node = format!(
            r#"{{"metadata":{{"name":"n1","uid":"1"}},"status":{{"addresses":{},
                "conditions":[{{"type":"Ready","status":"{}"}}],
                "daemonEndpoints":{{"kubeletEndpoint":{{"Port":{port}}}}}}}}}"#,
            self.addresses, self.ready
        );
        let items = if self.nodes { node } else { String::new() };
        format!(
            r#"{{"kind":"NodeList","apiVersion":"v1","metadata":{{"resourceVersion":"1"}},"items":[{items}]}}"#
        )
    }
}

/// The healthy API server.
fn api(seen: &Seen, nodes: &str, denied: &[(String, String, String)]) -> Response<Body> {
    match &*seen.path {
        "/version" => answer(200, VERSION),
        "/api/v1/nodes" => answer(200, nodes.to_owned()),
        "/apis/authentication.k8s.io/v1/selfsubjectreviews" => answer(201, REVIEW),
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews" => {
            let review: serde_json::Value = serde_json::from_str(&seen.body).unwrap();
            let text = |field: &str| review["spec"]["resourceAttributes"][field].as_str().unwrap();
            let slash = if text("subresource").is_empty() { "" } else { "/" };
            let resource = format!("{}{slash}{}", text("resource"), text("subresource"));
            let asked = (text("group").to_owned(), resource, text("verb").to_owned());
            let allowed = !denied.contains(&asked);
            answer(201, format!(r#"{{"status":{{"allowed":{allowed}}}}}"#))
        }
        "/api/v1/nodes/n1/proxy/stats/summary" => summary(seen),
        _ => answer(404, "{}"),
    }
}

/// The healthy kubelet.
fn summary(_: &Seen) -> Response<Body> {
    let now = Clock::system().now();
    answer(
        200,
        format!(
            r#"{{"node":{{"nodeName":"n1","startTime":"{now}","cpu":{{"time":"{now}","usageNanoCores":1,
            "usageCoreNanoSeconds":1}},"memory":{{"time":"{now}","workingSetBytes":1}}}},"pods":[]}}"#
        ),
    )
}

/// A machine's port, and what keeps it open.
struct Listening {
    port: u16,
    _server: Option<Server>,
    _silent: Option<TcpListener>,
}

impl Listening {
    async fn new(
        machine: &Machine,
        world: &World,
        well: impl Fn(&Seen) -> Response<Body> + Send + Sync + 'static,
    ) -> Self {
        if machine.closed || machine.silent {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let silent = machine.silent.then_some(listener);
            return Self { port, _server: None, _silent: silent };
        }
        let answers = machine.answers;
        let answer = move |seen: &Seen| answers(seen).unwrap_or_else(|| well(seen));
        let authority = if machine.by_other { &world.theirs } else { &world.ours };
        let (from, until) = machine.years;
        let certificate = authority.sign_between(machine.names, from, until);
        let server = match (machine.plain, machine.clients) {
            (true, _) => Server::http(answer).await,
            (_, true) => Server::mutual(&certificate, &world.ours, answer).await,
            _ => Server::https(&certificate, answer).await,
        };
        Self { port: server.port(), _server: Some(server), _silent: None }
    }
}
