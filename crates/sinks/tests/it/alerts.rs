//! Alerts: by webhook as they are templated and signed, by email through a real mail server.

use std::time::Duration;

use model::{Alert, AlertBatch, LabelOptions, Timestamp};
use sinks::{AlertSink, Setup};
use tokio::time::timeout;

use crate::events::recorded;
use crate::pki::Pki;
use crate::python::Python;
use crate::servers::{OK, Server};

const SOON: Duration = Duration::from_mins(1);

fn pairs(pairs: &[(&str, &str)]) -> Vec<(Box<str>, Box<str>)> {
    pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

/// One that fires, and one that is over and has odd texts.
pub(crate) fn alerts() -> AlertBatch {
    let firing = Alert {
        name: "PodCrashLooping".into(),
        labels: pairs(&[("namespace", "shop"), ("pod", "web-0"), ("severity", "critical")]),
        annotations: pairs(&[
            ("description", "web-0 restarted 7 times"),
            ("summary", "Pod is crash looping"),
        ]),
        value: 7.0,
        started: Timestamp::from_secs(1_577_934_000),
        ended: Timestamp::NEVER,
        link: "https://taffrail.example/#/explore?q=up".into(),
    };
    let resolved = Alert {
        name: "Näme \"q\"".into(),
        labels: pairs(&[("severity", "info")]),
        annotations: pairs(&[("summary", "a line\n.\nand \\ another")]),
        value: f64::NAN,
        started: Timestamp::from_secs(1_577_934_000),
        ended: Timestamp::from_secs(1_577_934_240),
        link: "".into(),
    };
    AlertBatch { timestamp: Timestamp::from_secs(1_577_934_240), alerts: vec![firing, resolved] }
}

fn setup(settings: &[(&str, &str)]) -> Setup {
    let settings = settings.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    Setup {
        settings: settings.collect(),
        labels: LabelOptions::default(),
        output: Box::new(std::io::sink()),
        clock: sinks::Clock::new(|| Timestamp::from_secs(1_577_934_300)),
    }
}

fn sink(kind: &str, settings: &[(&str, &str)]) -> AlertSink {
    sinks::find(kind).unwrap().build_alerts(setup(settings)).unwrap()
}

/// The key and the signature are checked with `openssl dgst -sha256 -hmac key`.
#[tokio::test(start_paused = true)]
async fn webhooks_get_templated_and_signed_alerts_once_each() {
    let server = Server::http("127.0.0.1:0", |_, before| {
        let busy = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";
        Some(if before == 0 { busy } else { OK }.to_owned())
    })
    .await;
    let address = format!("http://{}/hook", server.address);
    let template = r#"{"text": "{{labels.pod}}: {{annotations.summary}}", "open": "{{state}}"}"#;
    let settings = [
        ("address", &*address),
        ("template", template),
        ("secret", "key"),
        ("exclude_label", "severity=info"),
    ];
    let mut out = sink("webhook", &settings);
    out.export(&alerts()).unwrap();
    let sent = async {
        while server.seen().len() < 2 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(SOON, sent).await.unwrap();
    out.settled().await;
    let seen = server.seen();
    assert_eq!(seen.len(), 2, "one attempt failed, one alert was filtered out");
    let body = r#"{"text": "web-0: Pod is crash looping", "open": "firing"}"#;
    assert_eq!(seen[1].body, body);
    let header = |seen: &crate::servers::Seen, name: &str| {
        let line = seen.head.lines().find(|line| line.starts_with(name)).unwrap();
        line.to_owned()
    };
    let id = "idempotency-key";
    assert_eq!(header(&seen[0], id), header(&seen[1], id), "the same alert again");
    let signature = "1e115811cb5e81eed22506955c6e0eac59facd5f6dd88acfbc80f1ba152af6aa";
    let expected = format!("x-taffrail-signature: sha256={signature}");
    assert_eq!(header(&seen[1], "x-taffrail-signature"), expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_server_gets_alerts_and_events_over_tls() {
    let pki = Pki::new();
    let mut server = Python::start("smtp.py", &[&pki.path("server.pem"), &pki.path("server.key")]);
    let (address, ca) = (format!("smtp://{}", server.address), pki.path("ca.pem"));
    let settings = [
        ("address", &*address),
        ("cacert", &*ca),
        ("from", "taffrail@example.com"),
        ("to", "never@example.com"),
        ("to", "oncall@example.com"),
        ("to", "later@example.com"),
        ("user", "me"),
        ("pw", "secret"),
    ];
    let mut out = sink("email", &settings);
    out.export(&alerts()).unwrap();
    let seen = server.next();
    assert_eq!(seen["tls"], true);
    assert_eq!(seen["user"], "me");
    assert_eq!(seen["from"], "taffrail@example.com");
    assert_eq!(seen["to"], serde_json::json!(["oncall@example.com", "later@example.com"]));
    let subject = "[taffrail] firing: PodCrashLooping: Pod is crash looping and 1 more";
    assert_eq!(seen["subject"], subject);
    assert_eq!(seen["date"], "2020-01-02T03:05:00+00:00");
    assert_eq!(seen["defects"], serde_json::json!([]));
    let expected = "firing: PodCrashLooping: Pod is crash looping\n\
                    description: web-0 restarted 7 times\nnamespace = shop\npod = web-0\n\
                    severity = critical\nvalue: 7\nsince: 2020-01-02T03:00:00Z\n\
                    https://taffrail.example/#/explore?q=up\n\nresolved: Näme \"q\": a line\n  .\n  \
                    and \\ another\nseverity = info\nvalue: NaN\nsince: 2020-01-02T03:00:00Z\n\
                    until: 2020-01-02T03:04:00Z\n";
    assert_eq!(seen["text"].as_str().unwrap().replace("\r\n", "\n"), expected);
    let mut out = sinks::find("email").unwrap().build_events(setup(&settings)).unwrap();
    out.export(&recorded()).unwrap();
    let seen = server.next();
    assert_eq!(seen["subject"], "[taffrail] Pod ns/p: BackOff");
    assert!(seen["id"].as_str().unwrap().ends_with("@example.com>"), "{seen}");
}

/// A wrong password, a server without TLS and an unknown mailbox: said, and who may get better is
/// tried again.
#[tokio::test]
async fn a_mail_server_that_refuses_is_told_of() {
    let pki = Pki::new();
    let server = Python::start("smtp.py", &[&pki.path("server.pem"), &pki.path("server.key")]);
    let (address, ca) = (format!("smtp://{}", server.address), pki.path("ca.pem"));
    let check = async |to: &str, password: &str, more: &[(&str, &str)]| {
        let mut settings = vec![
            ("address", &*address),
            ("cacert", &*ca),
            ("from", "taffrail@example.com"),
            ("to", to),
            ("user", "me"),
            ("pw", password),
        ];
        settings.extend(more);
        let mut out = sink("email", &settings);
        let status = out.status().unwrap();
        out.export(&alerts()).unwrap();
        timeout(SOON, out.settled()).await.unwrap();
        status.status()
    };
    let wrong = check("oncall@example.com", "wrong", &[]).await;
    let reason = wrong.failure.unwrap();
    assert!(reason.starts_with("log-in: 535"), "{reason}");
    assert_eq!(wrong.waiting_chunks, 1, "who logs in can be mended");
    let never = check("never@example.com", "secret", &[]).await;
    assert_eq!((never.dropped, never.waiting_chunks), (vec![("refused", 2)], 0));
    let plain = check("oncall@example.com", "secret", &[("encryption", "none")]).await;
    let reason = plain.failure.unwrap();
    assert!(reason.starts_with("the server offers no AUTH"), "{reason}");
}
