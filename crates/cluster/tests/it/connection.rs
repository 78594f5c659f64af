//! Connections against fake API servers: what each failure is called.

use cluster::{ConnectError, Connection, Defaults, SourceOptions};
use http::Response;

use crate::server::{Authority, Body, Seen, Server, answer};

const VERSION: &str = include_str!("../fixtures/api_version.json");
const NODES: &str = include_str!("../fixtures/api_nodes.json");

async fn connect(source: &str) -> Connection {
    let options = SourceOptions::parse(source, &|_| None, Defaults::heapster()).unwrap();
    Connection::resolve(&options, &|_| None).await.unwrap()
}

async fn check(source: &str) -> Result<String, ConnectError> {
    connect(source).await.check().await.map(|version| version.git_version)
}

fn api(nodes: u16) -> impl Fn(&Seen) -> Response<Body> + Send + Sync {
    move |seen| match &*seen.path {
        "/version" => answer(200, VERSION),
        "/api/v1/nodes" if nodes == 200 => answer(200, NODES),
        _ => answer(
            nodes,
            format!(
                r#"{{"kind":"Status","apiVersion":"v1","status":"Failure","message":"no nodes for you","code":{nodes}}}"#
            ),
        ),
    }
}

fn http(server: &Server) -> String {
    format!("kubernetes:http://{}?inClusterConfig=false", server.address)
}

#[tokio::test]
async fn a_good_connection_tells_the_version() {
    let server = Server::http(api(200)).await;
    let connection = connect(&http(&server)).await;
    assert_eq!(connection.check().await.unwrap().git_version, "v1.21.2+k3s1");
    assert_eq!(connection.url(), format!("http://{}", server.address));
    assert_eq!(server.seen().last().map(|seen| &*seen.query).unwrap(), "&limit=1");
}

#[tokio::test]
async fn refusals_say_what_to_change() {
    let server = Server::http(api(401)).await;
    let error = check(&http(&server)).await.unwrap_err();
    assert!(matches!(error, ConnectError::Authentication(_)), "{error}");
    let server = Server::http(api(403)).await;
    let error = check(&http(&server)).await.unwrap_err();
    assert!(matches!(error, ConnectError::Authorization(_)), "{error}");
    let text = error.to_string();
    assert!(text.contains("refuses nodes (403): no nodes for you"), "{text}");
    assert!(text.contains(r#"resources: ["nodes"], verbs: ["get", "list", "watch"]"#), "{text}");
    let server = Server::http(|_| answer(200, "<html>hello</html>")).await;
    let error = check(&http(&server)).await.unwrap_err();
    assert!(matches!(error, ConnectError::Answer(_)), "{error}");
}

#[tokio::test]
async fn unreachable_servers_say_where_the_way_ends() {
    let closed = Server::http(api(200)).await.address;
    let error =
        check(&format!("kubernetes:http://{closed}?inClusterConfig=false")).await.unwrap_err();
    assert!(matches!(error, ConnectError::Connect(_)), "{error}");
    assert!(error.to_string().contains("connection refused"), "{error}");
    let error = check("kubernetes:http://name.invalid?inClusterConfig=false").await.unwrap_err();
    assert!(matches!(error, ConnectError::Dns(_)), "{error}");
}

#[tokio::test]
async fn tls_failures_name_the_certificates_fault() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let files = tempfile::tempdir().unwrap();
    std::fs::write(files.path().join("ca.crt"), ours.pem()).unwrap();
    let path = files.path().join("config");
    for (certificate, expected) in [
        (theirs.sign(&["127.0.0.1"]), "issuer is not trusted"),
        (ours.sign(&["other"]), "the certificate is for other, not for 127.0.0.1"),
        (ours.sign_until(&["127.0.0.1"], 2001), "the certificate expired at 2001-01-01T00:00:00Z"),
        (ours.sign(&["127.0.0.1"]), ""),
    ] {
        let server = Server::https(&certificate, api(200)).await;
        let kubeconfig = format!(
            "{{apiVersion: v1, kind: Config, current-context: c,
               contexts: [{{name: c, context: {{cluster: c, user: u}}}}],
               clusters: [{{name: c, cluster: {{server: 'https://{}', certificate-authority: ca.crt}}}}],
               users: [{{name: u, user: {{}}}}]}}",
            server.address
        );
        std::fs::write(&path, kubeconfig).unwrap();
        let source = format!("kubernetes:?inClusterConfig=false&auth={}", path.display());
        match check(&source).await {
            Ok(version) => assert_eq!((expected, &*version), ("", "v1.21.2+k3s1")),
            Err(ConnectError::Tls(trouble)) => {
                assert!(trouble.reason.contains(expected), "{}", trouble.reason);
            }
            Err(other) => panic!("{other}"),
        }
    }
}
