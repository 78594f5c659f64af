//! TLS on the main port, and client certificates as `--tls_client_ca` and `--allowed_users` ask.

use std::sync::Arc;

use api::{Listener, Tls, TlsError};
use model::Inventory;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::fixture::{recorded, state};
use super::sockets::{Server, answer};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn issue(authority: &Authority, name: &str) -> (rcgen::Certificate, KeyPair) {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().unwrap();
    (params.signed_by(&key, authority).unwrap(), key)
}

async fn ask(
    server: &Server,
    authority: &Authority,
    client: Option<(CertificateDer<'static>, PrivateKeyDer<'static>)>,
    path: &str,
) -> (u16, String) {
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match client {
        Some((certificate, key)) => builder.with_client_auth_cert(vec![certificate], key).unwrap(),
        None => builder.with_no_client_auth(),
    };
    let stream = TcpStream::connect(server.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let (status, _, body) = answer(&mut stream).await;
    (status, String::from_utf8(body).unwrap())
}

#[tokio::test]
async fn client_certificates_decide_who_may_ask() {
    let authority = authority();
    let (certificate, key) = issue(&authority, "server");
    let tls = |users: &[&str]| {
        let users: Vec<String> = users.iter().map(ToString::to_string).collect();
        let pem = certificate.pem();
        let ca = authority.pem();
        Tls::new(pem.as_bytes(), key.serialize_pem().as_bytes(), Some(ca.as_bytes()), &users)
    };
    let client = |name: &str| {
        let (certificate, key) = issue(&authority, name);
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        Some((certificate.der().clone(), key))
    };
    let state = state(&recorded(), Inventory::default());
    let anyone =
        Server::start(Arc::clone(&state), |socket| Listener::with_tls(socket, tls(&[]).unwrap()))
            .await;
    let only_bob =
        Server::start(state, |socket| Listener::with_tls(socket, tls(&["bob"]).unwrap())).await;
    let path = "/api/v1/model/namespaces/";
    let names = "[\n  \"ns\"\n ]";
    for (server, client, path, status, body) in [
        (&anyone, None, "/healthz", 200, "ok"),
        (&anyone, None, path, 401, "Unauthorized\n"),
        (&anyone, client("ann"), path, 200, names),
        (&only_bob, client("ann"), path, 403, "Forbidden\n"),
        (&only_bob, client("ann"), "/healthz", 200, "ok"),
        (&only_bob, client("bob"), path, 200, names),
    ] {
        let answer = ask(server, &authority, client, path).await;
        assert_eq!(answer, (status, body.to_owned()));
    }
    anyone.stop().await;
    only_bob.stop().await;
}

#[test]
fn broken_settings_are_named() {
    let authority = authority();
    let (certificate, key) = issue(&authority, "server");
    let (certificate, key) = (certificate.pem(), key.serialize_pem());
    let (certificate, key) = (certificate.as_bytes(), key.as_bytes());
    let users = ["ann".to_owned()];
    let check = |result: Result<Tls, TlsError>, expected: &str| {
        let message = result.unwrap_err().to_string();
        assert!(message.starts_with(expected), "{message}");
    };
    check(Tls::new(b"", key, None, &[]), "the serving certificate cannot be read");
    check(Tls::new(certificate, b"", None, &[]), "the serving key cannot be read");
    check(Tls::new(certificate, key, Some(b"x"), &[]), "the client CA cannot be read");
    check(Tls::new(certificate, key, None, &users), "allowed users need a client CA");
    let other = KeyPair::generate().unwrap().serialize_pem();
    check(Tls::new(certificate, other.as_bytes(), None, &[]), "certificate and key cannot be used");
}
