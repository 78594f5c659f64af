//! The diagnosis against fake API servers: what each broken set-up is called, and what helps.

use cluster::diagnose::{Check, Nodes, Outcome, diagnose, outcome, without_connection};
use cluster::{Connection, Defaults, SourceOptions};
use http::Response;
use model::Timestamp;
use pipeline::Clock;

use crate::server::{Authority, Body, Certificate, Seen, Server, answer};

const VERSION: &str = include_str!("../fixtures/api_version.json");
const REVIEW: &str = r#"{"status":{"userInfo":{"username":"system:serviceaccount:a:b"}}}"#;
const NO_NODES: &str =
    r#"{"kind":"NodeList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[]}"#;

/// An API server that allows what `allows` says of a review's body.
fn api(
    allows: impl Fn(&str) -> bool + Send + Sync,
) -> impl Fn(&Seen) -> Response<Body> + Send + Sync {
    move |seen| match &*seen.path {
        "/version" => answer(200, VERSION),
        "/api/v1/nodes" => answer(200, NO_NODES),
        "/apis/authentication.k8s.io/v1/selfsubjectreviews" => answer(201, REVIEW),
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews" => {
            let reason = "no role gives it";
            let allowed = allows(&seen.body);
            answer(201, format!(r#"{{"status":{{"allowed":{allowed},"reason":"{reason}"}}}}"#))
        }
        _ => answer(404, "{}"),
    }
}

/// A kubeconfig for `server` with the authority, token and more of the cluster.
struct Setup {
    files: tempfile::TempDir,
    source: String,
}

impl Setup {
    fn new(url: &str, authority: &Authority, user: &str) -> Self {
        let files = tempfile::tempdir().unwrap();
        std::fs::write(files.path().join("ca.crt"), authority.pem()).unwrap();
        let kubeconfig = format!(
            "{{apiVersion: v1, kind: Config, current-context: c,
               contexts: [{{name: c, context: {{cluster: c, user: u}}}}],
               clusters: [{{name: c, cluster: {{server: '{url}', certificate-authority: ca.crt}}}}],
               users: [{{name: u, user: {{{user}}}}}]}}"
        );
        std::fs::write(files.path().join("config"), kubeconfig).unwrap();
        let path = files.path().join("config").display().to_string();
        Self { files, source: format!("kubernetes:?inClusterConfig=false&auth={path}") }
    }

    async fn checks(&self) -> Vec<Check> {
        checks(&self.source).await
    }
}

async fn checks(source: &str) -> Vec<Check> {
    checks_at(source, Clock::system()).await
}

async fn checks_at(source: &str, clock: Clock) -> Vec<Check> {
    let options = SourceOptions::parse(source, &|_| None, Defaults::taffrail()).unwrap();
    match Connection::resolve(&options, &|_| None).await {
        Ok(connection) => diagnose(&connection, &Nodes::Sample(Vec::new()), clock).await,
        Err(error) => without_connection(&error),
    }
}

fn named<'a>(checks: &'a [Check], name: &str) -> &'a Check {
    checks.iter().find(|check| check.name == name).unwrap()
}

/// Expects the first failure at `name`, with these parts of evidence and change, and that nothing
/// after it passed on the same way.
fn fails(checks: &[Check], name: &str, evidence: &str, change: &str) {
    let first = checks.iter().find(|check| check.outcome == Outcome::Fail).unwrap();
    assert_eq!(first.name, name, "{first:?}");
    assert!(first.evidence.contains(evidence), "{}", first.evidence);
    assert!(first.change.contains(change), "{}", first.change);
    assert!(!first.evidence.contains('\n') && !first.evidence.contains("sesame"), "{first:?}");
    let at = checks.iter().position(|check| check == first).unwrap();
    let after = checks[at + 1..].iter().find(|check| check.about == first.about);
    assert!(after.is_none_or(|check| check.outcome == Outcome::Skip), "{after:?}");
    assert_eq!(outcome(checks), Outcome::Fail);
}

const TOKEN: &str = "token: sesame";

async fn tls(certificate: &Certificate, authority: &Authority) -> Vec<Check> {
    let server = Server::https(certificate, api(|_| true)).await;
    Setup::new(&format!("https://{}", server.address), authority, TOKEN).checks().await
}

#[tokio::test]
async fn certificates_are_told_by_names_issuer_and_end() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let good = tls(&ours.sign(&["127.0.0.1"]), &ours).await;
    assert_eq!(named(&good, "tls").outcome, Outcome::Pass, "{good:?}");
    assert!(named(&good, "tls").evidence.contains("for 127.0.0.1"), "{good:?}");
    let strange = tls(&theirs.sign(&["127.0.0.1"]), &ours).await;
    fails(&strange, "tls", "issuer is not trusted; it shows", "certificate-authority");
    let other = tls(&ours.sign(&["elsewhere"]), &ours).await;
    fails(&other, "tls", "is for elsewhere, not for 127.0.0.1", "tls-server-name");
    let over = tls(&ours.sign_until(&["127.0.0.1"], 2001), &ours).await;
    fails(&over, "tls", "expired at 2001-01-01T00:00:00Z", "renew the API server's certificate");
    assert_eq!(named(&over, "authentication").evidence, "after tls failed");
}

#[tokio::test]
async fn a_certificate_is_renewed_before_it_ends() {
    let ours = Authority::new();
    let server = Server::https(&ours.sign_until(&["127.0.0.1"], 2099), api(|_| true)).await;
    let setup = Setup::new(&format!("https://{}", server.address), &ours, TOKEN);
    let eve = Timestamp::parse_rfc3339("2098-12-24T00:00:00Z").unwrap();
    let checks = checks_at(&setup.source, Clock::starting_at(eve)).await;
    let tls = named(&checks, "tls");
    assert_eq!(tls.outcome, Outcome::Warn, "{tls:?}");
    assert!(tls.change.contains("before 2099-01-01T00:00:00Z"), "{tls:?}");
    // Either clock may be the wrong one; what follows is tried nevertheless.
    let clock = named(&checks, "clock");
    assert_eq!(clock.outcome, Outcome::Fail, "{clock:?}");
    assert!(clock.evidence.contains("behind ours"), "{clock:?}");
    assert_eq!(named(&checks, "rights").outcome, Outcome::Pass);
}

#[tokio::test]
async fn a_proxy_in_between_is_a_hop_of_its_own() {
    let ours = Authority::new();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let setup = Setup::new("https://api.invalid", &ours, TOKEN);
    let path = setup.files.path().join("config");
    let text = std::fs::read_to_string(&path).unwrap();
    let proxied =
        text.replace("server:", &format!("proxy-url: 'http://u:sesame@{closed}', server:"));
    std::fs::write(&path, proxied).unwrap();
    let evidence = format!("the proxy {closed}: connection refused");
    fails(&setup.checks().await, "connect", &evidence, "correct proxy-url");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_by_hop() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let checks_of = |url: String| async move {
        checks(&format!("kubernetes:{url}?inClusterConfig=false")).await
    };
    let away = checks_of(format!("http://{closed}")).await;
    fails(&away, "connect", "connection refused", "start the cluster");
    let nameless = checks_of("http://name.invalid".to_owned()).await;
    fails(&nameless, "address", "name.invalid does not resolve", "DNS");
    let ours = Authority::new();
    let plain = Server::http(api(|_| true)).await;
    let setup = Setup::new(&format!("https://{}", plain.address), &ours, TOKEN);
    fails(&setup.checks().await, "tls", "does not answer in TLS", "http://");
    let other = Server::http(|_| answer(200, "<html>hello</html>")).await;
    let web = checks_of(format!("http://{}", other.address)).await;
    fails(&web, "version", "does not answer like a Kubernetes API server", "a proxy's");
    let missing = checks("kubernetes:?inClusterConfig=false&auth=/nonexistent/config").await;
    fails(&missing, "configuration", "/nonexistent/config", "kubectl config view");
}

#[tokio::test]
async fn credentials_are_described_and_never_shown() {
    let ours = Authority::new();
    let certificate = ours.sign(&["127.0.0.1"]);
    let refuse = |_: &Seen| answer(401, "{}");
    let server = Server::https(&certificate, refuse).await;
    let url = format!("https://{}", server.address);
    // {"exp":1000000000}, signed with "sig"
    let ended = "token: eyJhbGciOiJub25lIn0.eyJleHAiOjEwMDAwMDAwMDB9.c2ln";
    let expired = Setup::new(&url, &ours, ended).checks().await;
    fails(
        &expired,
        "authentication",
        "which ended at 2001-09-09T01:46:40Z (401)",
        "kubectl create token",
    );
    let revoked = Setup::new(&url, &ours, TOKEN).checks().await;
    fails(
        &revoked,
        "authentication",
        "a token from the configuration (401)",
        "kubectl create token",
    );
    let bare = Setup::new(&url, &ours, "").checks().await;
    fails(&bare, "authentication", "no credentials (401)", "give the user");
    let dead = "exec: {apiVersion: client.authentication.k8s.io/v1, command: /nonexistent/login, interactiveMode: Never}";
    let dead = Setup::new(&url, &ours, dead).checks().await;
    fails(&dead, "authentication", "unable to run auth exec", "login command");
    let file = Setup::new(&url, &ours, "tokenFile: token");
    std::fs::write(file.files.path().join("token"), "sesame").unwrap();
    fails(&file.checks().await, "authentication", "the token in ", "is renewed");
    assert!(
        server.seen().iter().any(|seen| seen.authorization.as_deref() == Some("Bearer sesame"))
    );
}

#[tokio::test]
async fn missing_rights_are_one_role() {
    let refused = |body: &str| {
        (body.contains(r#""resource":"pods""#) && body.contains(r#""verb":"watch""#))
            || body.contains(r#""subresource":"stats""#)
            || body.contains(r#""resource":"events""#)
    };
    let server = Server::http(api(move |body| !refused(body))).await;
    let checks =
        checks(&format!("kubernetes.summary_api:http://{}?inClusterConfig=false", server.address))
            .await;
    let of = |about: &str| {
        let found = checks.iter().find(|check| check.about == about);
        found.unwrap_or_else(|| panic!("{checks:?}"))
    };
    let evidence = "may not watch (no role gives it): pods have no labels, requests and owners";
    assert_eq!((of("pods").outcome, &*of("pods").evidence), (Outcome::Fail, evidence));
    assert_eq!(of("events").outcome, Outcome::Warn);
    assert_eq!(of("nodes/metrics").outcome, Outcome::Pass);
    let stats = "add to rules of a ClusterRole that a ClusterRoleBinding gives to \
                 system:serviceaccount:a:b:\n- apiGroups: [\"\"]\n  resources: \
                 [\"nodes/stats\"]\n  verbs: [\"get\"]";
    assert_eq!(of("nodes/stats").change, stats);
    let both = "- apiGroups: [\"\"]\n  resources: [\"pods\"]\n  verbs: [\"list\", \"watch\"]\n\
                - apiGroups: [\"\"]\n  resources: [\"nodes/stats\"]\n  verbs: [\"get\"]";
    assert!(of("pods").change.ends_with(both), "{}", of("pods").change);
    let nodes = checks.iter().find(|check| check.name == "nodes").unwrap();
    assert_eq!(nodes.evidence, "the cluster has no nodes");
}
