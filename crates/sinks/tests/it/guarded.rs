//! Servers that look at who asks: proxies, client certificates, log-ins.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::events::recorded;
use crate::pki::Pki;
use crate::python::Python;
use crate::real::{Program, free, port};
use crate::servers::batch;

const SOON: Duration = Duration::from_mins(1);

/// Debian's tinyproxy, which wants a user and a password; ends with its value.
struct Proxy {
    address: String,
    _program: Program,
}

impl Proxy {
    fn start() -> Self {
        let (folder, address) = (tempfile::tempdir().unwrap(), free());
        let port = port(&address);
        let config = format!("Port {port}\nListen 127.0.0.1\nBasicAuth me secret\n");
        fs::write(folder.path().join("conf"), config).unwrap();
        let arguments = ["-d", "-c", "conf"].map(str::to_owned);
        let program = Program::start("/usr/bin/tinyproxy", folder, &arguments, &address);
        Self { address, _program: program }
    }
}

fn setup(settings: &[(&str, &str)]) -> sinks::Setup {
    let settings = settings.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    sinks::Setup {
        settings: settings.collect(),
        labels: model::LabelOptions::default(),
        output: Box::new(std::io::sink()),
        clock: sinks::Clock::default(),
    }
}

/// Waits until `status` has what is looked for.
async fn until(handle: &sinks::StatusHandle, is: impl Fn(&sinks::SinkStatus) -> bool) {
    let begun = Instant::now();
    while !is(&handle.status()) {
        assert!(begun.elapsed() < SOON, "{:?}", handle.status());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The proxy wants a password, the server behind it a certificate: with both, what is sent arrives.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_and_a_client_certificate_are_both_shown() {
    let (pki, proxy) = (Pki::new(), Proxy::start());
    let mut server = Python::start("stores.py", &["webhook", "127.0.0.1:0", "-", &pki.folder()]);
    let address = format!("https://{}/hook", server.address);
    let through = format!("http://me:secret@{}", proxy.address);
    let refused = format!("http://me:wrong@{}", proxy.address);
    let (ca, cert, key) = (pki.path("ca.pem"), pki.path("client.pem"), pki.path("client.key"));
    let build = |more: &[(&str, &str)]| {
        let base = [("address", &*address), ("secret", "key"), ("cacert", &*ca)];
        let settings: Vec<_> = base.iter().chain(more).copied().collect();
        sinks::find("webhook").unwrap().build_events(setup(&settings)).unwrap()
    };
    let known = [("cert", &*cert), ("key", &*key)];
    let failure = async |more: &[(&str, &str)]| {
        let mut out = build(more);
        out.export(&recorded()).unwrap();
        let handle = out.status().unwrap();
        until(&handle, |status| status.failure.is_some()).await;
        handle.status().failure.unwrap()
    };
    let unknown = failure(&[("proxy", &through)]).await;
    assert!(unknown.contains("ertificate"), "{unknown}");
    let stopped = failure(&[("proxy", &refused), known[0], known[1]]).await;
    assert!(stopped.contains("tunnel error"), "{stopped}");
    assert_eq!(server.ask("list"), serde_json::json!([]), "nothing came so far");
    let mut out = build(&[("proxy", &through), known[0], known[1]]);
    out.export(&recorded()).unwrap();
    let handle = out.status().unwrap();
    until(&handle, |status| status.sent == 1).await;
    assert_eq!(server.ask("list"), serde_json::json!([[1_577_934_245, 3]]));
}

/// Each way to log in, over TLS with a client's certificate; a wrong password is said to be one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn brokers_are_shown_a_certificate_and_a_password() {
    let pki = Pki::new();
    let mut cluster =
        Python::start("kafka_mock.py", &["--guard", &pki.folder(), "heapster-metrics"]);
    let address = cluster.address.clone();
    let (ca, cert, key) = (pki.path("ca.pem"), pki.path("client.pem"), pki.path("client.key"));
    let build = |mechanism: &str, password: &str| {
        let mut settings: Vec<_> = address.split(',').map(|door| ("brokers", door)).collect();
        settings.extend([("cacert", &*ca), ("cert", &*cert), ("key", &*key), ("user", "me,=")]);
        settings.extend([("mechanism", mechanism), ("password", password)]);
        sinks::find("kafka").unwrap().build(setup(&settings)).unwrap()
    };
    for (minute, mechanism) in (1..).zip(["plain", "scram-sha-256", "scram-sha-512"]) {
        let mut out = build(mechanism, "wrong");
        out.export(&batch(minute, minute)).unwrap();
        let handle = out.status().unwrap();
        until(&handle, |status| status.failure.is_some()).await;
        let failure = handle.status().failure.unwrap();
        assert!(failure.contains("Authentication failed"), "{mechanism}: {failure}");
        let mut out = build(mechanism, "secret");
        out.export(&batch(minute, minute)).unwrap();
        let handle = out.status().unwrap();
        until(&handle, |status| status.sent == 1).await;
        let message = cluster.next();
        let value: Value = serde_json::from_str(message["value"].as_str().unwrap()).unwrap();
        assert_eq!(value["MetricsValue"]["value"], minute, "{mechanism}");
    }
}

/// Lines and Riemann's messages, to a server that wants a client's certificate.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn protocols_over_tcp_speak_tls_and_show_a_certificate() {
    let pki = Pki::new();
    let (ca, cert, key) = (pki.path("ca.pem"), pki.path("client.pem"), pki.path("client.key"));
    for kind in ["wavefront", "riemann"] {
        let mut server = Python::start("vendors.py", &[kind, "127.0.0.1:0", &pki.folder()]);
        let address = format!("tls://{}", server.address);
        let build = |more: &[(&str, &str)]| {
            let base = [("address", &*address), ("cacert", &*ca), ("include", "cpu/*")];
            let settings: Vec<_> = base.iter().chain(more).copied().collect();
            sinks::find(kind).unwrap().build(setup(&settings)).unwrap()
        };
        let mut stranger = build(&[]);
        stranger.export(&batch(1, 7)).unwrap();
        let handle = stranger.status().unwrap();
        until(&handle, |status| status.retried > 1).await;
        assert_eq!(handle.status().sent, 0, "{kind}");
        drop(stranger);
        assert_eq!(server.ask("list"), serde_json::json!([]), "{kind}: nothing came so far");
        let mut known = build(&[("cert", &cert), ("key", &key)]);
        known.export(&batch(1, 7)).unwrap();
        let handle = known.status().unwrap();
        until(&handle, |status| status.sent == 1).await;
        let held: Vec<(i64, f64)> = serde_json::from_value(server.ask("list")).unwrap();
        assert_eq!(held.last(), Some(&(60, 7.0)), "{kind}");
    }
}
