//! Whom the secure port believes by files, instead of by what the cluster says.

use std::process::Command;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};
use rustls::pki_types::PrivateKeyDer;
use tokio::task::spawn_blocking;

use crate::secure::{Direct, Identity, serving};
use crate::served::Served;
use crate::simulated::{Cluster, sized};

type Authority = CertifiedIssuer<'static, KeyPair>;

const LIST: &str = "/apis/metrics.k8s.io/v1beta1/nodes";

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn client(authority: &Authority, name: &str, group: &str) -> Identity {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.distinguished_name.push(DnType::OrganizationName, group);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, authority).unwrap().der().clone();
    Identity { certificate, key: PrivateKeyDer::try_from(key.serialize_der()).unwrap() }
}

fn run(cluster: &Cluster) {
    let folder = tempfile::tempdir().unwrap();
    let trusted = serving(folder.path());
    let (clients, fronts) = (authority(), authority());
    std::fs::write(folder.path().join("clients.crt"), clients.pem()).unwrap();
    std::fs::write(folder.path().join("fronts.crt"), fronts.pem()).unwrap();
    let file = |flag: &str, name: &str| format!("{flag}={}", folder.path().join(name).display());
    let mut served = Served::start(&[
        "serve",
        &cluster.source(),
        "--no-history",
        "--secure-port=0",
        "--bind-address=127.0.0.1",
        &file("--tls-cert-file", "tls.crt"),
        &file("--tls-private-key-file", "tls.key"),
        &file("--client-ca-file", "clients.crt"),
        &file("--requestheader-client-ca-file", "fronts.crt"),
        "--requestheader-allowed-names=front,other-front",
        "--requestheader-username-headers=X-User",
        "--requestheader-group-headers=X-Group,X-Team",
        "--authentication-skip-lookup",
    ]);
    let secure = served.secure();
    let ask = |own: &Identity, headers: &[(&str, &str)]| {
        let (status, body) = Direct::new(&secure, trusted.as_bytes(), Some(own)).get(LIST, headers);
        assert!(status < 400 || body["kind"] == "Status", "{body}");
        status
    };
    let admin = client(&clients, "root", "system:masters");
    let nobody = client(&clients, "nobody", "devs");
    let stranger = client(&authority(), "root", "system:masters");
    let front = client(&fronts, "front", "");
    let unnamed = client(&fronts, "third-front", "");
    // Certificates: the file's authority and no other.
    assert_eq!(ask(&admin, &[]), 200);
    assert_eq!(ask(&nobody, &[]), 403);
    assert_eq!(ask(&stranger, &[]), 401);
    // Headers: the named ones, from the named front proxies.
    let says = [("X-User", "root"), ("X-Team", "system:masters")];
    assert_eq!(ask(&front, &says), 200);
    assert_eq!(
        ask(&front, &[("X-Remote-User", "root"), ("X-Remote-Group", "system:masters")]),
        401
    );
    assert_eq!(ask(&unnamed, &says), 401);
    assert_eq!(ask(&stranger, &says), 401);
    assert_eq!(ask(&nobody, &says), 403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_say_whom_to_believe() {
    let cluster = Cluster::of(sized(2, 3)).await;
    spawn_blocking(move || {
        run(&cluster);
        mistakes_are_named(&cluster);
    })
    .await
    .unwrap();
}

fn mistakes_are_named(cluster: &Cluster) {
    let source = cluster.source();
    let check = |flags: &[&str], code: i32, said: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_taffrail"))
            .args(["serve", &source, "--no-history", "--listen=127.0.0.1:0", "--secure-port=0"])
            .args(["--bind-address=127.0.0.1"])
            .args(flags)
            .env_clear()
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{flags:?}: {text}");
        assert!(text.contains(said), "{flags:?} did not say `{said}`: {text}");
    };
    check(&["--client-ca-file=/nope"], 78, "--client-ca-file=/nope: No such file");
    let kubeconfig = cluster.path().display();
    check(&[&format!("--client-ca-file={kubeconfig}")], 78, "it holds no certificate");
    check(
        &["--requestheader-allowed-names=front"],
        64,
        "--requestheader-allowed-names does nothing without --requestheader-client-ca-file",
    );
}
