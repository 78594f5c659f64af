//! The table of broken set-ups: each with the hop at which it shows, what a person is told there,
//! and the change that helps.

#[path = "setups/proxy.rs"]
mod proxy;
#[path = "setups/world.rs"]
mod world;

use cluster::diagnose::{Check, Outcome};
use futures_util::future::join_all;
use http::Response;

use crate::server::{Authority, Body, answer, cut, hang};
use world::World;

/// A broken set-up, and the first thing that is told of it.
struct Row {
    title: &'static str,
    breaks: fn(&mut World),
    /// Where: begin of what was tried, and the hop.
    at: (&'static str, &'static str),
    evidence: &'static str,
    change: &'static str,
}

const fn row(
    title: &'static str,
    breaks: fn(&mut World),
    at: (&'static str, &'static str),
    evidence: &'static str,
    change: &'static str,
) -> Row {
    Row { title, breaks, at, evidence, change }
}

const API: &str = "API server";
const LOGIN_PAGE: &str = "<!DOCTYPE html><html><body>Please log in</body></html>";

/// The kubeconfig and what it names.
const SETTINGS: &[Row] = &[
    row(
        "a proxy of an unknown kind",
        |world| world.kubeconfig = vec![("server:", "proxy-url: 'gopher://sesame@p:1', server:")],
        (API, "configuration"),
        "the proxy gopher://p:1",
        "http://, https:// or socks5://",
    ),
    row(
        "no kubeconfig there",
        |world| world.source = Some("kubernetes:?inClusterConfig=false&auth=/nonexistent/config"),
        (API, "configuration"),
        "/nonexistent/config",
        "kubectl config view",
    ),
    row(
        "an authority named beside a URL that is gone",
        |world| {
            world.source = Some("kubernetes:https://127.0.0.1:1?inClusterConfig=false&ca=/none");
        },
        (API, "configuration"),
        "the certificate authority /none cannot be read",
        "certificates in PEM",
    ),
    row(
        "a token named beside a URL that is gone",
        |world| {
            let source = "kubernetes:https://127.0.0.1:1?inClusterConfig=false&tokenFile=/none";
            world.source = Some(source);
        },
        (API, "configuration"),
        "the token /none cannot be read",
        "tokenFile=",
    ),
    row(
        "a kubeconfig that is no YAML",
        |world| world.kubeconfig = vec![("{apiVersion", "\t{apiVersion"), ("users:", "users: [")],
        (API, "configuration"),
        "failed to parse kubeconfig YAML: error: line",
        "kubectl config view",
    ),
    row(
        "a context that is not there",
        |world| world.kubeconfig = vec![("current-context: c", "current-context: staging")],
        (API, "configuration"),
        "context staging of ",
        "choose another context",
    ),
    row(
        "no current context",
        |world| world.kubeconfig = vec![("current-context: c,", "")],
        (API, "configuration"),
        "has no current context",
        "kubectl config use-context NAME",
    ),
    row(
        "a context whose cluster is not there",
        |world| world.kubeconfig = vec![("{cluster: c,", "{cluster: gone,")],
        (API, "configuration"),
        "gone",
        "correct the kubeconfig",
    ),
    row(
        "a context whose user is not there",
        |world| world.kubeconfig = vec![("user: u}", "user: gone}")],
        (API, "configuration"),
        "there is no user gone",
        "correct the kubeconfig",
    ),
    row(
        "a server without a scheme",
        |world| world.source = Some("kubernetes:?inClusterConfig=false"),
        (API, "configuration"),
        "inClusterConfig=false names no API server",
        "kubernetes:https://HOST:PORT",
    ),
    row(
        "in-cluster asked for outside of one",
        |world| world.source = Some("kubernetes:?inClusterConfig=true"),
        (API, "configuration"),
        "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set",
        "inClusterConfig=false and auth=",
    ),
    row(
        "an authority file that is gone",
        |world| world.files = vec![("ca.crt", None)],
        (API, "configuration"),
        "ca.crt",
        "correct the kubeconfig",
    ),
    row(
        "an authority file without a certificate",
        |world| world.files = vec![("ca.crt", Some("nothing".to_owned()))],
        (API, "configuration"),
        "holds no certificate",
        "correct certificate-authority there",
    ),
    row(
        "a client certificate that is gone",
        |world| "client-certificate: gone.crt, client-key: gone.key".clone_into(&mut world.user),
        (API, "configuration"),
        "gone.crt",
        "client certificate",
    ),
    row(
        "a client key of another certificate",
        |world| {
            let (one, other) = (world.ours.sign(&["me"]), world.ours.sign(&["me"]));
            world.client_certificate(&one);
            world.files.push(("client.key", Some(other.key_pem())));
        },
        (API, "configuration"),
        "do not belong together",
        "client certificate and key",
    ),
];

/// The way to the API server.
const WAY: &[Row] = &[
    row(
        "a name that does not resolve",
        |world| world.kubeconfig = vec![("https://127.0.0.1:", "https://api.invalid:")],
        (API, "address"),
        "the name api.invalid does not resolve",
        "this machine's DNS",
    ),
    row(
        "a closed port",
        |world| world.api.closed = true,
        (API, "connect"),
        "connection refused",
        "start the cluster, or correct the server's address",
    ),
    row(
        "a server that takes connections and is silent",
        |world| world.api.silent = true,
        (API, "tls"),
        "no handshake within 5s",
        "firewalls",
    ),
    row(
        "HTTP on the TLS port",
        |world| world.api.plain = true,
        (API, "tls"),
        "does not answer in TLS",
        "write http:// instead of https://",
    ),
    row(
        "TLS on the HTTP port",
        |world| world.kubeconfig = vec![("https://", "http://")],
        (API, "authentication"),
        "speaks TLS",
        "write https:// instead of http://",
    ),
    row(
        "TLS on the HTTP port, as Go's servers tell it",
        |world| {
            world.kubeconfig = vec![("https://", "http://")];
            world.api.plain = true;
            world.api.answers =
                |_| Some(answer(400, "Client sent an HTTP request to an HTTPS server.\n"));
        },
        (API, "authentication"),
        "speaks TLS",
        "write https:// instead of http://",
    ),
    row(
        "a wrong authority",
        |world| world.files = vec![("ca.crt", Some(world.theirs.pem()))],
        (API, "tls"),
        "the certificate's issuer is not trusted; it shows",
        "certificate-authority",
    ),
    row(
        "a proxy in between that opens TLS",
        |world| world.api.by_other = true,
        (API, "tls"),
        "issued by",
        "a proxy that opens TLS",
    ),
    row(
        "an expired certificate",
        |world| world.api.years = (1990, 2001),
        (API, "tls"),
        "the certificate expired at 2001-01-01T00:00:00Z",
        "renew the API server's certificate, or correct this machine's clock",
    ),
    row(
        "a certificate of the future",
        |world| world.api.years = (2200, 2210),
        (API, "tls"),
        "the certificate is not valid before 2200-01-01T00:00:00Z",
        "correct this machine's clock",
    ),
    row(
        "an address that the certificate does not name",
        |world| world.api.names = &["kubernetes.default.svc"],
        (API, "tls"),
        "the certificate is for kubernetes.default.svc, not for 127.0.0.1",
        "tls-server-name",
    ),
    row(
        "a tls-server-name that the certificate does not name",
        |world| world.kubeconfig = vec![("server:", "tls-server-name: wrong.example, server:")],
        (API, "tls"),
        "not for wrong.example",
        "tls-server-name",
    ),
    row(
        "a proxy whose port is closed",
        |world| {
            world.kubeconfig =
                vec![("server:", "proxy-url: 'http://u:sesame@127.0.0.1:1', server:")];
        },
        (API, "connect"),
        "the proxy 127.0.0.1:1: connection refused",
        "correct proxy-url",
    ),
    row(
        "a proxy whose name does not resolve",
        |world| {
            world.kubeconfig = vec![("server:", "proxy-url: 'http://proxy.invalid:8', server:")];
        },
        (API, "address"),
        "the proxy proxy.invalid:8: the name proxy.invalid does not resolve",
        "correct proxy-url",
    ),
    row(
        "a proxy that refuses to connect",
        |world| {
            world.kubeconfig = vec![
                ("https://127.0.0.1:", "https://api.example:"),
                ("server:", "proxy-url: 'http://127.0.0.1:PORT', server:"),
            ];
            world.api.plain = true;
            world.api.answers = |_| Some(answer(403, "not you"));
        },
        (API, "authentication"),
        "the proxy does not let us through: unsuccessful",
        "let the proxy pass us",
    ),
    row(
        "a login page in between",
        |world| world.api.answers = |_| Some(answer(200, LOGIN_PAGE)),
        (API, "version"),
        "does not answer like a Kubernetes API server",
        "not a proxy's or dashboard's",
    ),
    row(
        "a redirect to a login page",
        |world| world.api.answers = |_| Some(redirect()),
        (API, "authentication"),
        "302",
        "a login page",
    ),
    row(
        "an API server that is not ready",
        |world| world.api.answers = |_| Some(answer(503, "etcd is away")),
        (API, "authentication"),
        "answers 503",
        "check the API server's health and log",
    ),
    row(
        "an API server that never answers",
        |world| world.api.answers = |_| Some(hang()),
        (API, "authentication"),
        "gave no answer in 10s",
        "check that the API server is healthy",
    ),
    row(
        "our clock two hours behind",
        |world| world.ahead = -7205,
        (API, "clock"),
        "the API server's clock is 2 h ahead of ours",
        "timedatectl set-ntp true",
    ),
    row(
        "our clock two hours ahead",
        |world| world.ahead = 7205,
        (API, "clock"),
        "the API server's clock is 2 h behind ours",
        "on this machine if ours is the wrong one",
    ),
];

fn redirect() -> Response<Body> {
    let mut response = answer(302, "");
    response.headers_mut().insert("location", "https://login.example/".parse().unwrap());
    response
}

fn refuse_us(world: &mut World, user: &str) {
    user.clone_into(&mut world.user);
    world.api.answers = |_| Some(answer(401, r#"{"message":"Unauthorized"}"#));
}

fn login_command(world: &mut World, script: &str) {
    world.files.push(("login", Some(script.to_owned())));
    "exec: {apiVersion: client.authentication.k8s.io/v1, command: sh, args: [FOLDER/login], \
     interactiveMode: Never}"
        .clone_into(&mut world.user);
}

/// What is shown to be let in.
const CREDENTIALS: &[Row] = &[
    row(
        "a revoked token",
        |world| refuse_us(world, "token: sesame"),
        (API, "authentication"),
        "does not accept a token from the configuration (401)",
        "kubectl create token",
    ),
    row(
        "an expired token",
        // {"exp":1000000000}, signed with "sig"
        |world| {
            refuse_us(world, "token: eyJhbGciOiJub25lIn0.eyJleHAiOjEwMDAwMDAwMDB9.c2ln");
        },
        (API, "authentication"),
        "which ended at 2001-09-09T01:46:40Z (401)",
        "kubectl create token",
    ),
    row(
        "no credentials",
        |world| refuse_us(world, ""),
        (API, "authentication"),
        "does not accept no credentials (401)",
        "give the user in ",
    ),
    row(
        "user and password",
        |world| refuse_us(world, "username: me, password: sesame"),
        (API, "authentication"),
        "user and password (401)",
        "API servers since 1.19 take none",
    ),
    row(
        "a token file that is gone",
        |world| "tokenFile: gone".clone_into(&mut world.user),
        (API, "authentication"),
        "gone",
        "its token file",
    ),
    row(
        "an empty token file",
        |world| {
            refuse_us(world, "tokenFile: token");
            world.files.push(("token", Some(String::new())));
        },
        (API, "authentication"),
        "token",
        "token",
    ),
    row(
        "a login command that is not installed",
        |world| {
            "exec: {apiVersion: client.authentication.k8s.io/v1, command: /nonexistent/login, \
             interactiveMode: Never}"
                .clone_into(&mut world.user);
        },
        (API, "authentication"),
        "the login command `/nonexistent/login`: ",
        "run the login command `/nonexistent/login` by hand",
    ),
    row(
        "a login command that fails",
        |world| login_command(world, "echo 'session expired' >&2; echo sesame; exit 1"),
        (API, "authentication"),
        "the login command `sh`: it ends with exit status: 1: session expired",
        "run the login command `sh` by hand",
    ),
    row(
        "a login command that talks nonsense",
        |world| login_command(world, "echo hello"),
        (API, "authentication"),
        "parse",
        "run the login command `sh` by hand",
    ),
    row(
        "an expired client certificate",
        |world| {
            let certificate = world.ours.sign_until(&["me"], 2001);
            world.client_certificate(&certificate);
            world.api.clients = true;
        },
        (API, "authentication"),
        "ended at 2001-01-01T00:00:00Z",
        "renew the client certificate",
    ),
    row(
        "a client certificate of another cluster",
        |world| {
            let certificate = Authority::new().sign(&["me"]);
            world.client_certificate(&certificate);
            world.api.clients = true;
        },
        (API, "authentication"),
        "the server ended the TLS handshake with alert",
        "this cluster's CA",
    ),
    row(
        "a server that wants a client certificate",
        |world| world.api.clients = true,
        (API, "authentication"),
        "CertificateRequired",
        "client certificate",
    ),
];

/// What the API server has.
const OBJECTS: &[Row] = &[
    row(
        "nodes that may not be listed after all",
        |world| {
            world.api.answers = |seen| {
                let message = r#"{"kind":"Status","apiVersion":"v1","status":"Failure","message":"nodes is forbidden","reason":"Forbidden","code":403}"#;
                (seen.path == "/api/v1/nodes").then(|| answer(403, message))
            };
        },
        ("nodes", "nodes"),
        "refuses nodes (403): nodes is forbidden",
        r#"resources: ["nodes"]"#,
    ),
    row(
        "a cluster without nodes",
        |world| world.nodes = false,
        ("nodes", "nodes"),
        "the cluster has no nodes",
        "join a node to the cluster",
    ),
    row(
        "a node that is not ready",
        |world| world.ready = "False",
        ("nodes", "nodes"),
        "1 not ready and so not measured: n1",
        "kubectl describe node n1",
    ),
    row(
        "a node without an address",
        |world| world.addresses = "[]",
        ("n1", "address"),
        "no valid hostname and/or IP address",
        "kubectl describe node n1",
    ),
];

/// The kubelet.
const KUBELET: &[Row] = &[
    row(
        "a closed port",
        |world| world.kubelet.closed = true,
        ("n1", "connect"),
        "connection refused",
        "check that the kubelet runs there, and kubeletPort",
    ),
    row(
        "a kubelet that takes connections and is silent",
        |world| world.kubelet.silent = true,
        ("n1", "tls"),
        "no handshake within 5s",
        "network policies and firewalls",
    ),
    row(
        "a kubelet that never answers",
        |world| world.kubelet.answers = |_| Some(hang()),
        ("n1", "summary"),
        "no whole answer within 2s",
        "kubeletTimeout",
    ),
    row(
        "HTTP on the TLS port",
        |world| world.kubelet.plain = true,
        ("n1", "tls"),
        "does not answer in TLS",
        "kubeletHttps=false",
    ),
    row(
        "TLS on the HTTP port",
        |world| world.options.push_str("&kubeletHttps=false"),
        ("n1", "summary"),
        "speaks TLS",
        "kubeletHttps=true",
    ),
    row(
        "TLS on the HTTP port, as kubelets tell it",
        |world| {
            world.options.push_str("&kubeletHttps=false");
            world.kubelet.plain = true;
            world.kubelet.answers =
                |_| Some(answer(400, "Client sent an HTTP request to an HTTPS server.\n"));
        },
        ("n1", "summary"),
        "the kubelet speaks https on this port",
        "kubeletHttps=true",
    ),
    row(
        "a wrong authority",
        |world| world.kubelet.by_other = true,
        ("n1", "tls"),
        "signed by an authority that is not trusted; it shows",
        "serverTLSBootstrap: true",
    ),
    row(
        "an authority file for kubelets that is gone",
        |world| world.options.push_str("&kubeletCA=/nonexistent/ca.crt"),
        ("kubelets", "configuration"),
        "/nonexistent/ca.crt cannot be read",
        "certificates in PEM",
    ),
    row(
        "a pinned certificate that is another now",
        |world| {
            world.kubelet.by_other = true;
            let pin = format!("n1 sha256:{}", "00".repeat(32));
            world.files.push(("pins", Some(pin)));
            world.options.push_str("&kubeletPins=FOLDER/pins");
        },
        ("n1", "tls"),
        "signed by an authority that is not trusted; it shows",
        "line for kubeletPins: n1 sha256:",
    ),
    row(
        "a file of pins that cannot be read",
        |world| {
            world.files.push(("pins", Some("n1 AB:CD".to_owned())));
            world.options.push_str("&kubeletPins=FOLDER/pins");
        },
        ("kubelets", "configuration"),
        "line 1 is not `NODE sha256:HEX`",
        "correct kubeletPins",
    ),
    row(
        "an expired certificate",
        |world| world.kubelet.years = (1990, 2001),
        ("n1", "tls"),
        "the certificate expired at 2001-01-01T00:00:00Z",
        "renew the kubelet's certificate",
    ),
    row(
        "neither address nor name in the certificate",
        |world| world.kubelet.names = &["elsewhere"],
        ("n1", "tls"),
        "the certificate is for elsewhere, not for 127.0.0.1 or n1",
        "issue the kubelet a certificate with its address or node name",
    ),
    row(
        "a kubelet that does not know us",
        |world| world.kubelet.answers = |_| Some(answer(401, "Unauthorized")),
        ("n1", "authentication"),
        "the kubelet does not know us (401: Unauthorized)",
        "--authentication-token-webhook",
    ),
    row(
        "a kubelet that does not know us without a token",
        |world| {
            let certificate = world.ours.sign(&["me"]);
            world.client_certificate(&certificate);
            world.kubelet.answers = |_| Some(answer(401, "Unauthorized"));
        },
        ("n1", "authentication"),
        "the kubelet does not know us (401: Unauthorized)",
        "a token or a client certificate that kubelets trust",
    ),
    row(
        "a kubelet that refuses us",
        |world| world.kubelet.answers = |_| Some(answer(403, "Forbidden (user=a, verb=get)")),
        ("n1", "authorization"),
        "we may not read /stats/summary (403: Forbidden (user=a, verb=get))",
        r#"resources: ["nodes/stats"], verbs: ["get"]"#,
    ),
    row(
        "a kubelet that wants a client certificate",
        |world| world.kubelet.clients = true,
        ("n1", "summary"),
        "CertificateRequired",
        "--client-ca-file",
    ),
    row(
        "no measurements at this port",
        |world| world.kubelet.answers = |_| Some(answer(404, "404 page not found")),
        ("n1", "summary"),
        "the kubelet has no /metrics/resource (404)",
        "check kubeletPort",
    ),
    row(
        "a kubelet that fails",
        |world| world.kubelet.answers = |_| Some(answer(500, "failed to get node info")),
        ("n1", "summary"),
        "the kubelet answers 500 Internal Server Error: failed to get node info",
        "look into the kubelet's log",
    ),
    row(
        "a kubelet that is overloaded",
        |world| world.kubelet.answers = |_| Some(answer(503, "")),
        ("n1", "summary"),
        "the kubelet answers 503",
        "look into the kubelet's log",
    ),
    row(
        "bytes that mean nothing",
        |world| world.kubelet.answers = |_| Some(answer(200, "\u{0}\u{1}garbage")),
        ("n1", "summary"),
        "/stats/summary cannot be read",
        "check what answers at https://127.0.0.1:",
    ),
    row(
        "a login page in between",
        |world| world.kubelet.answers = |_| Some(answer(200, LOGIN_PAGE)),
        ("n1", "summary"),
        "/stats/summary cannot be read: it is a web page",
        "check what answers at https://127.0.0.1:",
    ),
    row(
        "an answer that breaks off",
        |world| world.kubelet.answers = |_| Some(cut("{\"node\":")),
        ("n1", "summary"),
        "the connection",
        "it may have restarted",
    ),
    row(
        "the read-only port, which is closed",
        |world| {
            world.port = Some(10255);
            world.addresses = r#"[{"type":"InternalIP","address":"127.77.1.2"}]"#;
            world.options.push_str("&kubeletPort=10255&kubeletHttps=false");
        },
        ("n1", "connect"),
        "127.77.1.2:10255: connection refused",
        "the read-only port is closed on this cluster: use kubeletPort=10250&kubeletHttps=true",
    ),
    row(
        "a node whose clock is two hours behind",
        |world| world.kubelet.answers = |_| Some(stale()),
        ("n1", "clock"),
        "n1's clock is 2 h behind ours",
        "timedatectl set-ntp true` on n1",
    ),
    row(
        "the API server's proxy, which may not be used",
        |world| {
            "kubeletVia=proxy".clone_into(&mut world.options);
            world.api.answers =
                |seen| seen.path.contains("/proxy/").then(|| answer(403, r#"{"message":"no"}"#));
        },
        ("n1", "authorization"),
        "we may not read /stats/summary (403",
        r#"resources: ["nodes/proxy"]"#,
    ),
    row(
        "a kubelet that the API server does not reach either",
        |world| {
            "kubeletVia=proxy".clone_into(&mut world.options);
            world.api.answers = |seen| {
                let message = "error trying to reach service: dial tcp 10.0.0.1:10250: i/o timeout";
                seen.path.contains("/proxy/").then(|| answer(503, message))
            };
        },
        ("n1", "summary"),
        "the API server does not reach the kubelet (503 Service Unavailable: error trying",
        "from the API server to the node",
    ),
];

/// An answer of two hours ago by its own clock.
fn stale() -> Response<Body> {
    let then = model::Timestamp::from_secs(pipeline::Clock::system().now().secs() - 7260);
    let body = format!(
        r#"{{"node":{{"nodeName":"n1","cpu":{{"time":"{then}","usageNanoCores":1}}}},"pods":[]}}"#
    );
    let mut response = answer(200, body);
    let date = httpdate(then);
    response.headers_mut().insert("date", date.parse().unwrap());
    response
}

/// `Thu, 26 Nov 2026 03:00:00 GMT`; nobody reads the day of the week.
fn httpdate(at: model::Timestamp) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let text = at.to_rfc3339_seconds();
    let parts: Vec<&str> = text.split(['-', 'T', 'Z']).collect();
    let month = MONTHS[parts[1].parse::<usize>().unwrap() - 1];
    format!("Mon, {} {month} {} {} GMT", parts[2], parts[0], parts[3])
}

/// What is wrong with what is told of a row; `None` when all is right.
async fn judge(row: &Row) -> Option<String> {
    let mut world = World::new();
    (row.breaks)(&mut world);
    let checks = world.checks().await;
    let wrong = |check: &&Check| matches!(check.outcome, Outcome::Fail | Outcome::Warn);
    let failed = checks.iter().find(|check| check.outcome == Outcome::Fail);
    let Some(told) = failed.or_else(|| checks.iter().find(wrong)) else {
        return Some(format!("{}: nothing is told", row.title));
    };
    let right = told.about.starts_with(row.at.0)
        && told.name == row.at.1
        && told.evidence.contains(row.evidence)
        && told.change.contains(row.change)
        && !told.evidence.contains('\n');
    let shows = checks.iter().any(|check| format!("{check:?}").contains("sesame"));
    (!right || shows).then(|| {
        format!(
            "{}:\n    expected {:?} {:?} {:?}\n    told {told:?}",
            row.title, row.at, row.evidence, row.change
        )
    })
}

async fn check(rows: &[Row]) {
    let wrong: Vec<String> = join_all(rows.iter().map(judge)).await.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

#[tokio::test]
async fn what_is_well_is_told_so() {
    let checks = World::new().checks().await;
    assert!(checks.iter().all(|check| check.outcome == Outcome::Pass), "{checks:#?}");
}

#[tokio::test]
async fn broken_settings_are_told() {
    check(SETTINGS).await;
}

#[tokio::test]
async fn a_broken_way_to_the_api_server_is_told() {
    check(WAY).await;
}

#[tokio::test]
async fn broken_credentials_are_told() {
    check(CREDENTIALS).await;
}

#[tokio::test]
async fn missing_objects_are_told() {
    check(OBJECTS).await;
}

#[tokio::test]
async fn a_broken_kubelet_is_told() {
    check(KUBELET).await;
}

/// Every verb of every rule, taken away alone.
#[tokio::test]
async fn each_missing_verb_is_told_with_its_rule() {
    let options = cluster::SourceOptions::new(cluster::Defaults::taffrail());
    let needed = cluster::diagnose::rights(&options);
    let each = needed.iter().flat_map(|right| right.verbs.iter().map(move |verb| (right, *verb)));
    let judged = join_all(each.map(|(right, verb)| async move {
        let mut world = World::new();
        world.denied = vec![(right.group.to_owned(), right.resource.clone(), verb.to_owned())];
        let checks = world.checks().await;
        let told: Vec<&Check> =
            checks.iter().filter(|check| check.outcome != Outcome::Pass).collect();
        let [told] = &*told else { panic!("{verb} {right:?}: {told:#?}") };
        assert_eq!(told.name, "rights", "{told:?}");
        assert!(told.evidence.starts_with(&format!("may not {verb}: ")), "{told:?}");
        let rule = format!(
            "to system:serviceaccount:a:b:\n- apiGroups: [\"{}\"]\n  resources: [\"{}\"]\n  verbs: [",
            right.group, right.resource
        );
        assert!(told.change.contains(&rule) && told.change.contains(&format!("\"{verb}\"")), "{told:?}");
    }));
    assert!(judged.await.len() >= 22);
}

/// The watches say so at once, and what is known stays.
#[tokio::test]
async fn an_api_server_that_goes_down_meanwhile_is_told() {
    let server = crate::server::Server::http(|seen| {
        let list = r#"{"kind":"List","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[{"metadata":{"name":"n1","resourceVersion":"1"}}]}"#;
        match &*seen.path {
            _ if seen.query.contains("sendInitialEvents") => crate::watches::no_streams(),
            // The watch ends at once, and is asked for again.
            _ if seen.query.contains("watch=true") => answer(200, ""),
            "/api/v1/nodes" => answer(200, list),
            _ => answer(200, list.replace(r#"{"metadata":{"name":"n1","resourceVersion":"1"}}"#, "")),
        }
    })
    .await;
    let source = format!("kubernetes:http://{}?inClusterConfig=false", server.address);
    let defaults = cluster::Defaults::taffrail();
    let options = cluster::SourceOptions::parse(&source, &|_| None, defaults).unwrap();
    let connection = cluster::Connection::resolve(&options, &|_| None).await.unwrap();
    let watched = cluster::Cluster::start(&connection, pipeline::Clock::system());
    let board = &watched.watches.board;
    board.until(|statuses| statuses.iter().all(|status| status.synced)).await;
    drop(server);
    // Who was reading hears of the end first.
    let refused = |failure: &cluster::Failure| failure.reason.contains("connection refused");
    board
        .until(|statuses| {
            statuses.iter().all(|status| status.failure.as_ref().is_some_and(refused))
        })
        .await;
    let statuses = board.statuses();
    let failure = statuses[0].failure.as_ref().unwrap();
    assert!(failure.advice.contains("start the cluster"), "{failure:?}");
    assert_eq!(watched.inventory.read().unwrap().nodes().len(), 1);
}

/// What `sh login` prints.
const LOGGED_IN: &str = r#"echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"sesame"}}'"#;

/// A title, what it changes, and who we are then.
type Way = (&'static str, fn(&mut World), &'static str);

/// Ways in that work.
const WAYS: &[Way] = &[
    ("a token", |_| {}, "a token from the configuration"),
    (
        "a token file",
        |world| {
            "tokenFile: token".clone_into(&mut world.user);
            world.files.push(("token", Some("sesame".to_owned())));
        },
        "/token",
    ),
    (
        "a client certificate",
        |world| {
            let certificate = world.ours.sign(&["me"]);
            world.client_certificate(&certificate);
            world.api.clients = true;
            world.kubelet.clients = true;
        },
        "the client certificate of ",
    ),
    ("a login command", |world| login_command(world, LOGGED_IN), "the login command sh gives"),
    (
        "user and password",
        |world| "username: me, password: sesame".clone_into(&mut world.user),
        "user and password",
    ),
    (
        "an authority written out",
        |world| {
            let text = ("certificate-authority: ca.crt", "certificate-authority-data: AUTHORITY");
            world.kubeconfig = vec![text];
        },
        "a token",
    ),
    (
        "another name of the server",
        |world| {
            world.api.names = &["api.internal"];
            world.kubeconfig = vec![("server:", "tls-server-name: api.internal, server:")];
        },
        "a token",
    ),
    (
        "no verification",
        |world| {
            world.api.by_other = true;
            let text = ("certificate-authority: ca.crt", "insecure-skip-tls-verify: true");
            world.kubeconfig = vec![text];
        },
        "a token",
    ),
    (
        "no verification by the source's option",
        |world| {
            world.api.by_other = true;
            world.options.push_str("&insecure=true");
        },
        "a token",
    ),
    (
        "the insecure port",
        |world| {
            world.api.plain = true;
            world.kubeconfig = vec![("https://", "http://")];
        },
        "a token",
    ),
    (
        "another context",
        |world| {
            world.kubeconfig = vec![("current-context: c,", "current-context: gone,")];
            world.options.push_str("&context=c");
        },
        "a token",
    ),
];

#[tokio::test]
async fn every_way_in_works() {
    let judged = WAYS.iter().map(|(title, prepare, who)| async move {
        let mut world = World::new();
        prepare(&mut world);
        let checks = world.checks().await;
        let failed: Vec<&Check> =
            checks.iter().filter(|check| check.outcome == Outcome::Fail).collect();
        assert!(failed.is_empty(), "{title}: {failed:#?}");
        let known = checks.iter().find(|check| check.name == "authentication").unwrap();
        assert!(known.evidence.contains(who), "{title}: {known:?}");
    });
    join_all(judged).await;
}

#[tokio::test]
async fn proxies_pass_us_on() {
    use proxy::{Proxy, Speaks};
    for (speaks, server) in [
        (Speaks::Connect(None), "proxy-url: 'http://127.0.0.1:PROXY', server:"),
        (
            // `me:sesame`
            Speaks::Connect(Some("proxy-authorization: basic bWU6c2VzYW1l")),
            "proxy-url: 'http://me:sesame@127.0.0.1:PROXY', server:",
        ),
        (Speaks::Socks, "proxy-url: 'socks5://127.0.0.1:PROXY', server:"),
    ] {
        let proxy = Proxy::start(speaks).await;
        let mut world = World::new();
        world.proxy = proxy.port;
        world.kubeconfig = vec![("server:", server)];
        let checks = world.checks().await;
        let failed: Vec<&Check> =
            checks.iter().filter(|check| check.outcome == Outcome::Fail).collect();
        assert!(failed.is_empty(), "{server}: {failed:#?}");
        assert!(proxy.passed.load(std::sync::atomic::Ordering::SeqCst) > 0, "{server}");
    }
}
