//! Elasticsearch's and Google's services as far as these sinks speak to them: neither can be
//! installed here, so small servers give the answers that their documentation shows.

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use model::{LabelOptions, Timestamp};
use serde_json::Value;
use sinks::{Clock, Setup};
use tokio::time::timeout;

use crate::events::recorded;
use crate::servers::{Server, batch, free_address};

fn json(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn setup(settings: &[(&str, &str)]) -> Setup {
    Setup {
        settings: settings.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        labels: LabelOptions::default(),
        output: Box::new(std::io::sink()),
        clock: Clock::new(|| Timestamp::from_secs(1_577_934_240)),
    }
}

/// Waits until the server has seen that many requests.
async fn requests(server: &Server, count: usize) -> Vec<crate::servers::Seen> {
    let seen = async {
        loop {
            let seen = server.seen();
            if seen.len() >= count {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(Duration::from_mins(2), seen).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn elasticsearch_gets_its_template_then_documents_until_it_takes_them() {
    let server = Server::http("127.0.0.1:0", |seen, before| {
        let busy = r#"{"errors":true,"items":[{"index":{"error":{"type":"es_rejected_execution_exception"}}}]}"#;
        let bad = r#"{"errors":true,"items":[{"index":{"error":{"type":"mapper_parsing_exception"}}}]}"#;
        Some(json(match before {
            _ if seen.line.starts_with("PUT") => r#"{"acknowledged":true}"#,
            1 => busy,
            3 => bad,
            _ => r#"{"errors":false}"#,
        }))
    })
    .await;
    let (gone, node) = (free_address().await, format!("http://{}", server.address));
    let gone = format!("http://{gone}");
    let settings =
        [("nodes", &*gone), ("nodes", &node), ("ver", "8"), ("index", "k"), ("pipeline", "p q")];
    let mut sink = sinks::find("elasticsearch").unwrap().build(setup(&settings)).unwrap();
    sink.export(&batch(1, 7)).unwrap();
    let seen = requests(&server, 3).await;
    assert_eq!(seen[0].line, "PUT /_template/k HTTP/1.1");
    assert!(seen[0].head.contains("content-type: application/json\r\n"), "{}", seen[0].head);
    let template: Value = serde_json::from_str(&seen[0].body).unwrap();
    assert_eq!(template["index_patterns"][0], "k-*");
    assert_eq!(template["aliases"]["k-cpu"]["filter"]["exists"]["field"], "CpuMetricsTimestamp");
    let tags = &template["mappings"]["properties"]["MetricsTags"]["properties"];
    assert_eq!(tags["pod_name"]["fields"]["raw"]["type"], "keyword");
    let target = "/_bulk?filter_path=errors,items.*.error.type,items.*.error.reason&pipeline=p+q";
    assert_eq!(seen[1].line, format!("POST {target} HTTP/1.1"));
    assert_eq!(seen[1].body, seen[2].body, "what was too much comes again");
    assert!(seen[1].body.contains("\"_index\":\"k-1970.01.01\""), "{}", seen[1].body);
    // What will never be taken does not stop the rest.
    sink.export(&batch(2, 8)).unwrap();
    sink.export(&batch(3, 9)).unwrap();
    let seen = requests(&server, 5).await;
    assert!(seen[3].body != seen[4].body);
}

#[tokio::test(start_paused = true)]
async fn elasticsearch_of_amazon_gets_signed_requests() {
    let server = Server::http("127.0.0.1:0", |_, _| Some(json(r#"{"errors":false}"#))).await;
    let address = format!("http://{}", server.address);
    let settings = [
        ("address", &*address),
        ("access_key", "AKID"),
        ("secret_key", "secret"),
        ("region", "eu-west-1"),
        ("ver", "opensearch"),
    ];
    let mut sink = sinks::find("elasticsearch").unwrap().build_events(setup(&settings)).unwrap();
    sink.export(&recorded()).unwrap();
    let seen = requests(&server, 2).await;
    for request in &seen {
        let signed = "authorization: AWS4-HMAC-SHA256 \
                      Credential=AKID/20200102/eu-west-1/es/aws4_request, ";
        assert!(request.head.contains(signed), "{}", request.head);
    }
    assert!(seen[1].body.contains("\"Message\":\"Back-off \\\"x\\\"\""), "{}", seen[1].body);
}

#[tokio::test(start_paused = true)]
async fn google_gives_a_token_for_a_signed_claim_once() {
    let server = Server::http("127.0.0.1:0", |seen, _| {
        Some(json(if seen.line.starts_with("POST /token") {
            r#"{"access_token":"t1","expires_in":3600,"token_type":"Bearer"}"#
        } else {
            "{}"
        }))
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key.json");
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let key = serde_json::json!({
        "client_email": "me@p.iam.gserviceaccount.com",
        "private_key": std::fs::read_to_string(fixtures.join("google-test-key.pem")).unwrap(),
        "token_uri": format!("http://{}/token", server.address),
        "project_id": "p1",
    });
    std::fs::write(&file, key.to_string()).unwrap();
    let api = format!("http://{}", server.address);
    let settings = [("credentials", file.to_str().unwrap()), ("api", &api)];
    let mut sink = sinks::find("gcl").unwrap().build_events(setup(&settings)).unwrap();
    sink.export(&recorded()).unwrap();
    sink.export(&recorded()).unwrap();
    let seen = requests(&server, 3).await;
    let lines: Vec<_> = seen.iter().map(|seen| seen.line.as_str()).collect();
    let write = "POST /v2/entries:write HTTP/1.1";
    assert_eq!(lines, ["POST /token HTTP/1.1", write, write]);
    let form = form_urlencoded::parse(seen[0].body.as_bytes());
    let form: std::collections::HashMap<_, _> = form.into_owned().collect();
    assert_eq!(form["grant_type"], "urn:ietf:params:oauth:grant-type:jwt-bearer");
    let claims = form["assertion"].split('.').nth(1).unwrap();
    let claims: Value =
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    assert_eq!((&claims["iss"], &claims["iat"]), (&key["client_email"], &1_577_934_240.into()));
    assert!(seen[1].head.contains("authorization: Bearer t1\r\n"), "{}", seen[1].head);
    let body: Value = serde_json::from_str(&seen[1].body).unwrap();
    assert_eq!(body["logName"], "projects/p1/logs/kubernetes.io%2Fevents");
    assert_eq!(body["entries"][0]["insertId"], "euid");
}

#[tokio::test]
async fn a_key_that_is_none_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key.json");
    std::fs::write(&file, "{}").unwrap();
    let settings = [("credentials", file.to_str().unwrap())];
    let refused = sinks::find("gcl").unwrap().build_events(setup(&settings));
    let said = refused.err().unwrap().to_string();
    let expected = format!("sink gcl: credentials={}: missing field", file.display());
    assert!(said.starts_with(&expected), "{said}");
}
