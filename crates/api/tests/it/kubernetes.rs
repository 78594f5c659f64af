//! metrics.k8s.io on the secure port: who is let in, and what they are answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use api::{
    Answered, ApiParts, ApiState, Attributes, Decision, Delegate, Gate, Listener, ServingKey,
    Trust, User,
};
use axum::body::Body;
use http::{Request, StatusCode, header};
use model::{Inventory, NodeSamples, Pod, PodSamples, Sample, Timestamp};
use query::{ResourceOptions, ResourceWindows};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower::ServiceExt;

use super::fixture::{inventory, parts, time};
use super::sockets::{Server, answer};

/// Two nodes, three running pods; measured at 09:17:45 and 09:18:00.
pub(crate) fn measured() -> Arc<ApiState> {
    let mut inventory = inventory();
    for (namespace, name, node) in
        [("web", "web-1", "node-1"), ("web", "web-2", "node-2"), ("batch", "job-1", "node-2")]
    {
        inventory.put_pod(Arc::new(Pod {
            namespace: namespace.into(),
            name: name.into(),
            node: node.into(),
            phase: "Running".into(),
            labels: [("app".into(), namespace.into())].into(),
            ..Pod::default()
        }));
    }
    let windows = ResourceWindows::new(ResourceOptions::default());
    for (at, cpu) in [("2026-11-23T09:17:45Z", 1_000), ("2026-11-23T09:18:00Z", 4_000)] {
        let at = time(at);
        let sample = |part: i64| Sample {
            at,
            started: Timestamp::from_secs(1),
            cpu_nanos: Some(cpu * 1_000_000 / part),
            memory_bytes: Some(52_428_800),
        };
        for (node, pods) in [
            ("node-1", vec![("web", "web-1")]),
            ("node-2", vec![("web", "web-2"), ("batch", "job-1")]),
        ] {
            let pods = pods.into_iter().map(|(namespace, name)| PodSamples {
                namespace: namespace.into(),
                name: name.into(),
                containers: vec![("app".into(), sample(10)), ("proxy".into(), sample(30))],
            });
            let samples = NodeSamples { node: node.into(), own: sample(1), pods: pods.collect() };
            windows.take(samples, at);
        }
        windows.round_begins(at);
    }
    ApiState::new(ApiParts { resources: Arc::new(windows), ..parts(&[], inventory) })
}

/// Past the gate.
pub(crate) async fn get(
    state: &Arc<ApiState>,
    path: &str,
    accept: &str,
) -> (StatusCode, String, Vec<u8>) {
    let request = Request::get(path).header(header::ACCEPT, accept).body(Body::empty()).unwrap();
    let response = api::kubernetes_router(state).oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let kind = head.headers.get("content-type").map_or("", |value| value.to_str().unwrap());
    let kind = kind.to_owned();
    (head.status, kind, axum::body::to_bytes(body, 1 << 24).await.unwrap().to_vec())
}

async fn json(state: &Arc<ApiState>, path: &str) -> Value {
    let (_, kind, body) = get(state, path, "application/json").await;
    assert!(kind.starts_with("application/json"), "{path}: {kind}");
    serde_json::from_slice(&body).unwrap()
}

pub(crate) const BASE: &str = "/apis/metrics.k8s.io/v1beta1";

#[tokio::test]
async fn objects_have_metrics_servers_shape() {
    let state = measured();
    let node = json(&state, &format!("{BASE}/nodes/node-1")).await;
    let expected = serde_json::json!({
        "kind": "NodeMetrics", "apiVersion": "metrics.k8s.io/v1beta1",
        "metadata": { "name": "node-1", "creationTimestamp": "2026-11-23T09:18:05Z" },
        "timestamp": "2026-11-23T09:18:00Z", "window": "15s",
        "usage": { "cpu": "200m", "memory": "50Mi" },
    });
    assert_eq!(node, expected);
    let pod = json(&state, &format!("{BASE}/namespaces/web/pods/web-1")).await;
    let expected = serde_json::json!({
        "kind": "PodMetrics", "apiVersion": "metrics.k8s.io/v1beta1",
        "metadata": {
            "name": "web-1", "namespace": "web", "creationTimestamp": "2026-11-23T09:18:05Z",
            "labels": { "app": "web" },
        },
        "timestamp": "2026-11-23T09:18:00Z", "window": "15s",
        "containers": [
            { "name": "app", "usage": { "cpu": "20m", "memory": "50Mi" } },
            { "name": "proxy", "usage": { "cpu": "6666666n", "memory": "50Mi" } },
        ],
    });
    assert_eq!(pod, expected);
}

async fn names(state: &Arc<ApiState>, path: &str) -> String {
    let list = json(state, path).await;
    let names = list["items"].as_array().unwrap_or_else(|| panic!("{path}: {list}")).iter();
    let names: Vec<_> = names.map(|item| item["metadata"]["name"].as_str().unwrap()).collect();
    let more = list["metadata"]["continue"].as_str().map_or(String::new(), |at| format!(" …{at}"));
    names.join(" ") + &more
}

#[tokio::test]
async fn lists_are_sorted_selected_and_paged() {
    let state = measured();
    for (path, expected) in [
        ("/nodes", "node-1 node-2"),
        ("/nodes?limit=1", "node-1 …/node-1"),
        ("/nodes?limit=1&continue=/node-1", "node-2"),
        ("/nodes?fieldSelector=metadata.name%3Dnode-2", "node-2"),
        ("/pods", "job-1 web-1 web-2"),
        ("/pods?limit=2", "job-1 web-1 …web/web-1"),
        ("/pods?limit=2&continue=web/web-1", "web-2"),
        ("/pods?limit=3", "job-1 web-1 web-2"),
        ("/pods?labelSelector=app%20in%20(web),!x", "web-1 web-2"),
        ("/pods?labelSelector=app%3Dnone", ""),
        ("/namespaces/web/pods", "web-1 web-2"),
        ("/namespaces/web/pods?fieldSelector=metadata.name!%3Dweb-1", "web-2"),
        ("/namespaces/none/pods", ""),
    ] {
        assert_eq!(names(&state, &format!("{BASE}{path}")).await, expected, "{path}");
    }
}

#[tokio::test]
async fn tables_and_protobuf_are_there_for_who_asks() {
    let state = measured();
    let table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
    let (_, _, body) = get(&state, &format!("{BASE}/namespaces/web/pods"), table).await;
    let pods: Value = serde_json::from_slice(&body).unwrap();
    let columns = pods["columnDefinitions"].as_array().unwrap().iter();
    let columns: Vec<_> = columns.map(|column| column["name"].as_str().unwrap()).collect();
    assert_eq!(columns, ["Name", "cpu", "memory", "Window"]);
    assert_eq!(pods["rows"][0]["cells"], serde_json::json!(["web-1", "26666666n", "100Mi", "15s"]));
    assert_eq!(pods["rows"][1]["object"]["kind"], "PartialObjectMetadata");
    let (_, _, body) = get(&state, &format!("{BASE}/namespaces/none/pods"), table).await;
    let none: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        (&none["columnDefinitions"], &none["rows"]),
        (&Value::from(vec![(); 0]), &none["rows"])
    );

    let protobuf = "application/vnd.kubernetes.protobuf, application/json";
    let (_, kind, body) = get(&state, &format!("{BASE}/nodes/node-1"), protobuf).await;
    assert_eq!(kind, "application/vnd.kubernetes.protobuf");
    // Magic; TypeMeta{1: version, 2: kind}; then the object in field 2.
    let mut expected = b"k8s\0\x0a\x25\x0a\x16metrics.k8s.io/v1beta1\x12\x0bNodeMetrics".to_vec();
    let byte = |length: usize| u8::try_from(length).unwrap();
    let usage = |name: &str, value: &str| {
        let entry = [
            &[10, byte(name.len())],
            name.as_bytes(),
            &[18, byte(value.len() + 2), 10, byte(value.len())],
            value.as_bytes(),
        ]
        .concat();
        [&[34, byte(entry.len())], &*entry].concat()
    };
    let stamp = |text: &str| {
        let mut seconds = usize::try_from(time(text).secs()).unwrap();
        let mut bytes = vec![8];
        while seconds >= 128 {
            bytes.push(byte(seconds & 127) | 128);
            seconds >>= 7;
        }
        bytes.push(byte(seconds));
        bytes
    };
    let metadata =
        [b"\x0a\x06node-1\x42".as_slice(), &[6], &stamp("2026-11-23T09:18:05Z")].concat();
    let window: &[u8] = &[26, 6, 8, 0x80, 0xac, 0xc7, 0xf0, 0x37];
    let object = [
        &[10, byte(metadata.len())],
        &*metadata,
        &[18, 6],
        &stamp("2026-11-23T09:18:00Z"),
        window,
        &usage("cpu", "200m"),
        &usage("memory", "50Mi"),
    ]
    .concat();
    expected.extend([&[18, byte(object.len())], &*object, &[26, 0, 34, 0]].concat());
    assert_eq!(body, expected);
    let (_, kind, body) = get(&state, &format!("{BASE}/pods"), protobuf).await;
    assert_eq!(kind, "application/vnd.kubernetes.protobuf");
    assert!(body.starts_with(b"k8s\0"));
    let (status, _, body) = get(&state, &format!("{BASE}/nodes/none"), protobuf).await;
    assert_eq!(status, 404);
    assert!(String::from_utf8_lossy(&body).contains("nodemetrics.metrics.k8s.io"));
}

#[tokio::test]
async fn what_cannot_be_answered_is_a_status() {
    let state = measured();
    for (path, code, reason, message) in [
        ("/nodes/none", 404, "NotFound", "nodemetrics.metrics.k8s.io \"none\" not found"),
        ("/nodes/node-3", 404, "NotFound", "nodemetrics.metrics.k8s.io \"node-3\" not found"),
        ("/namespaces/web/pods/none", 404, "NotFound", "pods \"none\" not found"),
        (
            "/namespaces/batch/pods/waits",
            404,
            "NotFound",
            "podmetrics.metrics.k8s.io \"batch/waits\" not found",
        ),
        ("/services", 404, "NotFound", "could not find"),
        ("/pods?watch=true", 405, "MethodNotAllowed", "watch is not supported"),
        ("/pods?watch=1&sendInitialEvents=true", 405, "MethodNotAllowed", "watch is not"),
        ("/pods?sendInitialEvents=true", 422, "Invalid", "forbidden for list"),
        ("/pods?labelSelector=a%20b%20c", 400, "BadRequest", "unable to parse requirement"),
        ("/pods?fieldSelector=spec.nodeName%3Dx", 400, "BadRequest", "spec.nodeName"),
        ("/pods?limit=many", 400, "BadRequest", "limit"),
        ("/pods?continue=nonsense", 400, "BadRequest", "continue"),
    ] {
        let status = json(&state, &format!("{BASE}{path}")).await;
        assert_eq!((&status["kind"], &status["code"]), (&"Status".into(), &code.into()), "{path}");
        assert_eq!(status["reason"], reason, "{path}");
        assert!(status["message"].as_str().unwrap().contains(message), "{path}: {status}");
    }
    let (status, _, _) = get(&state, &format!("{BASE}/pods"), "application/yaml").await;
    assert_eq!(status, 406);
}

#[tokio::test]
async fn discovery_schemas_and_probes_are_there() {
    let state = measured();
    let group = json(&state, "/apis/metrics.k8s.io").await;
    assert_eq!(group["preferredVersion"]["groupVersion"], "metrics.k8s.io/v1beta1");
    let resources = json(&state, BASE).await;
    assert_eq!(resources["resources"][1]["kind"], "PodMetrics");
    assert_eq!(resources["resources"][0]["verbs"], serde_json::json!(["get", "list"]));
    let accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    let (_, kind, body) = get(&state, "/apis", accept).await;
    let all: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(kind, accept);
    assert_eq!(all["items"][0]["versions"][0]["resources"][1]["scope"], "Namespaced");
    let v2 = json(&state, "/openapi/v2").await;
    assert!(v2["definitions"]["io.k8s.metrics.pkg.apis.metrics.v1beta1.PodMetrics"].is_object());
    let index = json(&state, "/openapi/v3").await;
    let url = index["paths"]["apis/metrics.k8s.io/v1beta1"]["serverRelativeURL"].as_str().unwrap();
    assert_eq!(json(&state, url).await["openapi"], "3.0.0");
    for probe in ["/livez", "/readyz", "/healthz"] {
        let (status, _, body) = get(&state, probe, "*/*").await;
        assert_eq!((status.as_u16(), &*body), (200, b"ok".as_slice()), "{probe}");
    }
    let early = super::fixture::state(&[], Inventory::default());
    let (status, _, body) = get(&early, "/readyz", "*/*").await;
    assert_eq!(status, 500);
    assert!(String::from_utf8_lossy(&body).contains("[-]metric-storage-ready failed"));
}

/// A cluster that knows two tokens, and counts what it is asked.
#[derive(Default)]
struct Cluster {
    asked: AtomicUsize,
}

impl Delegate for Cluster {
    fn token(&self, token: String) -> Answered<Option<User>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let known = matches!(&*token, "viewer" | "guest");
        let away = token == "away";
        Box::pin(std::future::ready(if away {
            Err("connection refused".to_owned())
        } else {
            Ok(known.then(|| User { name: token, ..User::default() }))
        }))
    }

    fn access(&self, user: User, wanted: Attributes) -> Answered<Decision> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let allowed = matches!(&*user.name, "viewer" | "alice") && wanted.verb == "list";
        Box::pin(std::future::ready(Ok(Decision { allowed, reason: String::new() })))
    }
}

pub(crate) type Authority = CertifiedIssuer<'static, KeyPair>;

pub(crate) fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

pub(crate) type Identity = (CertificateDer<'static>, PrivateKeyDer<'static>);

pub(crate) fn client(authority: &Authority, name: &str, group: &str) -> Identity {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.distinguished_name.push(DnType::OrganizationName, group);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    (certificate.der().clone(), PrivateKeyDer::try_from(key.serialize_der()).unwrap())
}

pub(crate) struct Secure {
    pub(crate) server: Server,
    serving: CertificateDer<'static>,
    cluster: Arc<Cluster>,
}

impl Secure {
    pub(crate) async fn start(trust: Trust) -> Self {
        Self::over(measured(), trust).await
    }

    pub(crate) async fn over(state: Arc<ApiState>, trust: Trust) -> Self {
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let serving =
            ServingKey::new(certificate.pem().as_bytes(), key.serialize_pem().as_bytes()).unwrap();
        let cluster = Arc::new(Cluster::default());
        let gate = Gate::new(Arc::clone(&cluster) as Arc<dyn Delegate>);
        gate.trust(trust).unwrap();
        let server =
            Server::start(state, |socket| Listener::secure(socket, &serving, gate).unwrap()).await;
        Self { server, serving: certificate.der().clone(), cluster }
    }

    pub(crate) async fn ask(
        &self,
        identity: Option<&Identity>,
        path: &str,
        headers: &str,
    ) -> (u16, String) {
        let mut stream = self.open(identity, path, headers).await;
        let (status, _, body) = answer(&mut stream).await;
        (status, String::from_utf8(body).unwrap())
    }

    /// A connection on which that was asked; nothing of the answer is read.
    pub(crate) async fn open(
        &self,
        identity: Option<&Identity>,
        path: &str,
        headers: &str,
    ) -> TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(self.serving.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match identity {
            Some((certificate, key)) => {
                builder.with_client_auth_cert(vec![certificate.clone()], key.clone_key()).unwrap()
            }
            None => builder.with_no_client_auth(),
        };
        let socket = TcpSocket::new_v4().unwrap();
        // Small, so that what nobody reads fills it.
        socket.set_recv_buffer_size(16 << 10).unwrap();
        let stream = socket.connect(self.server.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }
}

pub(crate) fn trust(front: &Authority, clients: &Authority) -> Trust {
    let one = |text: &str| vec![text.to_owned()];
    Trust {
        client_ca: Some(clients.pem()),
        front_proxy_ca: Some(front.pem()),
        allowed_names: one("front-proxy-client"),
        username_headers: one("X-Remote-User"),
        uid_headers: Vec::new(),
        group_headers: one("X-Remote-Group"),
        extra_prefixes: one("X-Remote-Extra-"),
    }
}

#[tokio::test]
async fn front_proxies_certificates_and_tokens_are_believed_and_nothing_else() {
    let (front, clients) = (authority(), authority());
    let secure = Secure::start(trust(&front, &clients)).await;
    let list = "/apis/metrics.k8s.io/v1beta1/nodes";
    let one = "/apis/metrics.k8s.io/v1beta1/nodes/node-1";
    let proxy = client(&front, "front-proxy-client", "");
    let imposter = client(&front, "somebody", "");
    let forger = client(&authority(), "front-proxy-client", "");
    let alice = client(&clients, "alice", "devs");
    let admin = client(&clients, "admin", "system:masters");
    let as_alice = "X-Remote-User: alice\r\nX-Remote-Group: devs\r\n";
    let as_master = "X-Remote-User: bob\r\nX-Remote-Group: system:masters\r\n";
    let token = |token: &str| format!("Authorization: Bearer {token}\r\n");
    let (viewer, guest, expired) = (token("viewer"), token("guest"), token("expired"));
    let (away, long) = (token("away"), token(&"x".repeat(20_000)));
    let cases: &[(Option<&Identity>, &str, &str, u16, &str)] = &[
        (Some(&proxy), list, as_alice, 200, "NodeMetricsList"),
        (Some(&proxy), one, as_alice, 403, "User \\\"alice\\\" cannot get resource \\\"nodes\\\""),
        (Some(&proxy), one, as_master, 200, "NodeMetrics"),
        // Headers without the certificate, with somebody else's, with a forged one.
        (None, list, as_master, 401, "Unauthorized"),
        (Some(&imposter), list, as_master, 401, "Unauthorized"),
        (Some(&forger), list, as_master, 401, "Unauthorized"),
        (Some(&alice), one, as_master, 403, "alice"),
        (Some(&alice), list, "", 200, "NodeMetricsList"),
        (Some(&admin), one, "", 200, "NodeMetrics"),
        (None, list, &viewer, 200, "NodeMetricsList"),
        (None, list, &guest, 403, "cannot list resource"),
        (None, list, &expired, 401, "Unauthorized"),
        (None, list, &long, 401, "Unauthorized"),
        (None, list, &away, 503, "connection refused"),
        (None, list, "", 401, "Unauthorized"),
        (None, "/livez", "", 200, "ok"),
        (None, "/metrics", "", 401, "Unauthorized"),
    ];
    for (identity, path, headers, expected, said) in cases {
        let (status, body) = secure.ask(*identity, path, headers).await;
        assert_eq!(status, *expected, "{path} {headers}: {body}");
        assert!(body.contains(said), "{path} {headers}: {body}");
        if *expected >= 400 {
            let status: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(status["kind"], "Status");
        }
    }
    let before = secure.cluster.asked.load(Ordering::SeqCst);
    for _ in 0..5 {
        assert_eq!(secure.ask(None, list, &viewer).await.0, 200);
    }
    assert_eq!(secure.cluster.asked.load(Ordering::SeqCst), before, "answers are remembered");
    secure.server.stop().await;
}

#[tokio::test]
async fn the_sidecar_answers_whole_minutes_and_says_who_asked() {
    let batches = super::fixture::cluster();
    let state = super::fixture::state(&batches, inventory());
    let ask = |path: &'static str| {
        let request = Request::get(path).header("user-agent", "dashboard/v7").body(Body::empty());
        let router = api::sidecar_router(&state);
        async move {
            let response = router.oneshot(request.unwrap()).await.unwrap();
            assert_eq!(response.status(), 200);
            let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
            String::from_utf8(body.to_vec()).unwrap()
        }
    };
    let pods =
        ask("/api/v1/dashboard/namespaces/web/pod-list/none,web-1/metrics/cpu/usage_rate").await;
    let points = |values: [i64; 3]| {
        let point = |at: usize| {
            format!("{{\"timestamp\":\"2026-11-23T09:{}:00Z\",\"value\":{}}}", 16 + at, values[at])
        };
        [0, 1, 2].map(point).join(",")
    };
    let item = |metric: &str, points: &str, name: &str| {
        format!(
            "{{\"items\":[{{\"dataPoints\":[],\"metricPoints\":[{points}],\"metricName\":\"{metric}\",\"uids\":[\"{name}\"]}}]}}"
        )
    };
    assert_eq!(pods, item("cpu", &points([128, 136, 144]), "web-1"));
    let node = ask("/api/v1/dashboard/nodes/node-1/metrics/memory/usage").await;
    assert_eq!(node, item("memory", &points([4000, 4000, 4000]), "node-1"));
    assert_eq!(ask("/api/v1/dashboard/nodes/none/metrics/cpu/x").await, r#"{"items":null}"#);
    assert_eq!(ask("/healthz").await, "URL: /healthz");
    let status = super::fixture::get(&state, "/api/taffrail/v1/status").await;
    let status: Value = serde_json::from_str(&status.body).unwrap();
    let caller = &status["dashboards"]["sidecarHost"];
    assert_eq!((&caller["requests"], &caller["userAgent"]), (&4.into(), &"dashboard/v7".into()));
    assert_eq!(status["dashboards"]["heapsterHost"], Value::Null);
}

#[tokio::test(start_paused = true)]
async fn a_probe_says_when_rounds_are_late() {
    let state = measured();
    let windows = Duration::from_secs(15);
    // The clock stands 5 s after the last round began; 1.5 rounds are 22.5 s.
    assert!(windows.mul_f64(1.5) > Duration::from_secs(5));
    let (status, _, body) = get(&state, "/livez?verbose", "*/*").await;
    assert_eq!(status, 200);
    assert_eq!(body, b"[+]ping ok\n[+]metric-collection-timely ok\nlivez check passed\n");
}

#[tokio::test]
async fn heapsters_resource_metrics_keep_their_shape() {
    let state = super::fixture::state(&super::fixture::cluster(), inventory());
    for prefix in ["/apis/metrics/v1alpha1", "/apis/metrics.k8s.io/v1alpha1"] {
        let one = super::fixture::get(&state, &format!("{prefix}/nodes/node-1")).await;
        let expected = "{\"metadata\":{\"creationTimestamp\":\"2026-11-23T09:18:05Z\",\"name\":\"node-1\"},\"timestamp\":\"2026-11-23T09:18:00Z\",\"usage\":{\"cpu\":\"144m\",\"memory\":\"4000\"},\"window\":\"1m0s\"}";
        assert_eq!(one.body, expected);
        let pods = super::fixture::get(&state, &format!("{prefix}/namespaces/web/pods")).await;
        let pods: Value = serde_json::from_str(&pods.body).unwrap();
        assert_eq!(pods["items"][0]["containers"][0]["usage"]["cpu"], "108m");
        let none = super::fixture::get(&state, &format!("{prefix}/pods?labelSelector=a%3Db")).await;
        assert_eq!(none.body, r#"{"items":null,"metadata":{}}"#);
        for (path, code, text) in [
            ("/nodes/none", 404, "No metrics for node none"),
            ("/namespaces/batch/pods/waits", 404, "No metrics availalble for pod batch/waits"),
            ("/pods?labelSelector=a%20b%20c", 400, "selector"),
        ] {
            let answer = super::fixture::get(&state, &format!("{prefix}{path}")).await;
            assert_eq!(answer.status.as_u16(), code, "{path}");
            assert!(answer.body.contains(text), "{path}: {}", answer.body);
        }
    }
}
