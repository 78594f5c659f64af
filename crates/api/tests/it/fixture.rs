//! States to ask: an empty one, the input of Heapster's recording, and a small cluster.

use std::io::Write as _;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use api::{
    ApiOptions, ApiParts, ApiState, Asset, ClusterFacts, Content, Dashboard, Facts, KubeletFacts,
    Problem, SinkFacts, Status,
};
use axum::body::{Body, Bytes, to_bytes};
use axum::response::Response;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, Request, StatusCode};
use metrics_exporter_prometheus::PrometheusHandle;
use model::{
    Batch, ContainerSpec, ContainerState, ContainerStatus, Context, Draft, EntityKind, Hop,
    Inventory, Kind, LabelOptions, Metric, Namespace, Node, Owner, Pod, Ready, Registry, Target,
    TargetState, Timestamp, Value, ValueType, Workload, metric,
};
use query::{ResourceOptions, ResourceWindows, Window, WindowOptions};
use tower::ServiceExt;

struct Fixed(Facts);

impl Status for Fixed {
    fn facts(&self) -> Facts {
        self.0.clone()
    }

    fn kubelets(&self) -> Option<KubeletFacts> {
        let why = "kubelets are reached at their own addresses from here".to_owned();
        Some(KubeletFacts { way: "direct", why, direct: 2, proxied: 0, failed: 1 })
    }

    fn sinks(&self) -> Vec<SinkFacts> {
        let dropped = [("full", 40), ("refused", 2)].into();
        vec![SinkFacts {
            name: "InfluxDB Sink".to_owned(),
            to: "http://influxdb:8086/k8s".to_owned(),
            on_disk: true,
            circuit: "open",
            failure: Some("tcp connect error".to_owned()),
            queued: 5120,
            sent: 4054,
            retried: 7,
            dropped,
            waiting_points: 1024,
            waiting_bytes: 181_034,
        }]
    }
}

/// `text` as gzip.
pub(crate) fn gzipped(text: &str) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap().into()
}

struct Page;

impl Dashboard for Page {
    fn asset(&self, path: &str) -> Option<Asset> {
        let (text, content_type, immutable) = match path {
            "index.html" => ("<!doctype html>", "text/html; charset=utf-8", false),
            "assets/app-1a2b.js" => ("let x", "text/javascript; charset=utf-8", true),
            _ => return None,
        };
        let content =
            if immutable { Content::Gzip(gzipped(text)) } else { Content::Plain(text.into()) };
        Some(Asset { content, content_type, etag: "\"1a2b\"", immutable })
    }

    fn page_at(&self, depth: usize) -> Option<Asset> {
        let page = format!("<base href=\"{}\">", "../".repeat(depth));
        Some(Asset { content: Content::Plain(page.into()), ..self.asset("index.html")? })
    }
}

pub(crate) fn time(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

pub(crate) fn facts() -> Facts {
    Facts {
        version: "0.1.0".to_owned(),
        source: "kubernetes.summary_api".to_owned(),
        cluster: Some(ClusterFacts {
            name: "demo".to_owned(),
            url: "https://127.0.0.1:6443".to_owned(),
            kubernetes_version: Some("v1.34.1".to_owned()),
        }),
        started_at: time("2026-11-23T09:00:00Z"),
        resolution: Duration::from_mins(1),
        problems: vec![Problem {
            about: "watch of pods".to_owned(),
            hop: Hop::Authorization,
            reason: "pods is forbidden".to_owned(),
            advice: "apply the role".to_owned(),
            since: time("2026-11-23T09:01:00Z"),
        }],
    }
}

/// A recorder's handle that nobody writes to.
pub(crate) fn no_metrics() -> PrometheusHandle {
    api::telemetry::recorder().unwrap().build_recorder().handle()
}

pub(crate) fn parts(batches: &[Arc<Batch>], inventory: Inventory) -> ApiParts {
    let window = Window::new(WindowOptions::default());
    for batch in batches {
        window.append(batch).unwrap();
    }
    ApiParts {
        window: Arc::new(window),
        inventory: Arc::new(RwLock::new(inventory)),
        status: Arc::new(Fixed(facts())),
        labels: LabelOptions::default(),
        clock: Arc::new(|| time("2026-11-23T09:18:05Z")),
        options: ApiOptions::default(),
        self_metrics: no_metrics(),
        dashboard: Arc::new(Page),
        archive: None,
        past: None,
        resources: Arc::new(ResourceWindows::new(ResourceOptions::default())),
        database: Arc::new(query::promql::MemorySeries::default()),
        alerts: Arc::default(),
        intake: Arc::new(()),
        push: api::PushAccess::Closed,
        people: api::PeopleParts::default(),
    }
}

pub(crate) fn state(batches: &[Arc<Batch>], inventory: Inventory) -> Arc<ApiState> {
    ApiState::new(parts(batches, inventory))
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

pub(crate) async fn send(state: &Arc<ApiState>, request: Request<Body>) -> Answer {
    read(api::router(state).oneshot(request).await.unwrap()).await
}

async fn read(response: Response) -> Answer {
    let (head, body) = response.into_parts();
    let body = to_bytes(body, 1 << 24).await.unwrap();
    let body = String::from_utf8_lossy(&body).into_owned();
    Answer { status: head.status, headers: head.headers, body }
}

pub(crate) async fn get(state: &Arc<ApiState>, path: &str) -> Answer {
    send(state, Request::get(path).body(Body::empty()).unwrap()).await
}

/// The two batches that Heapster had when its answers were recorded.
pub(crate) fn recorded() -> Vec<Arc<Batch>> {
    let mut registry = Registry::default();
    let mut batches = Vec::new();
    for text in ["2026-11-23T09:17:00Z", "2026-11-23T09:18:00Z"] {
        let (batch, back) = recorded_batch(Draft::new(time(text), registry)).freeze();
        batches.push(batch);
        registry = back;
    }
    batches
}

fn recorded_batch(mut draft: Draft) -> Draft {
    let label = |key: &str, value: &str| (key.into(), value.into());
    let node = Arc::new(Node {
        name: "n1".into(),
        hostname: "h1".into(),
        labels: [label("a", "b"), label("c", "d")].into(),
        ..Node::default()
    });
    let pod = Arc::new(Pod {
        namespace: "ns".into(),
        name: "p".into(),
        uid: "uid".into(),
        labels: [label("app", "web")].into(),
        containers: [ContainerSpec {
            name: "c".into(),
            image: "img:1".into(),
            ..Default::default()
        }]
        .into(),
        ..Pod::default()
    });
    let namespace =
        Arc::new(Namespace { name: "ns".into(), uid: "nsuid".into(), ..Namespace::default() });
    let on_node = Context { node: Some(Arc::clone(&node)), ..Context::default() };
    let of_pod = Context { pod: Some(Arc::clone(&pod)), ..on_node.clone() };

    let cluster = draft.registry.cluster();
    let ns = draft.registry.namespace("ns");
    let p = draft.registry.pod("ns", "p", "uid");
    let c = draft.registry.container(&p, "c");
    let n1 = draft.registry.node("n1");
    let kubelet = draft.registry.system_container(&n1, "kubelet");
    let root = draft.registry.part(EntityKind::Filesystem, &n1, "/");
    let mut fill =
        |entity: &Arc<model::Entity>, context: Context, values: &[(model::MetricId, f64)]| {
            let row = draft.insert(entity).row;
            let table = draft.table_mut(entity.kind());
            *table.context_mut(row) = context;
            table.set_started(row, time("2026-11-23T08:18:00Z"));
            for (id, value) in values {
                table.set_float(row, *id, *value);
            }
        };
    fill(&cluster, Context::default(), &[(metric::CPU_USAGE_RATE, 17.0)]);
    fill(&ns, Context::default(), &[(metric::CPU_USAGE_RATE, 17.0)]);
    let namespaced = Context { namespace: Some(namespace), ..of_pod.clone() };
    fill(&p, namespaced, &[(metric::CPU_USAGE_RATE, -5.0)]);
    let used = [(metric::CPU_USAGE_RATE, 17.0), (metric::MEMORY_WORKING_SET, 52_428_800.0)];
    fill(&c, of_pod, &used);
    fill(&kubelet, on_node.clone(), &[(metric::CPU_USAGE_RATE, 9.0)]);
    fill(&root, Context::default(), &[(metric::FILESYSTEM_USAGE, 42.0)]);
    let measured = [
        (metric::CPU_NODE_CAPACITY, 4000.0),
        (metric::CPU_USAGE, 2000.0),
        (metric::CPU_USAGE_RATE, 250.0),
        (metric::MEMORY_WORKING_SET, 1_234_567_890.0),
        (metric::MEMORY_USAGE, 2000.0),
        (metric::CPU_NODE_UTILIZATION, 0.25),
        (metric::NETWORK_RX_RATE, 12.9),
    ];
    fill(&n1, on_node, &measured);
    let qps =
        Metric::Custom { name: "custom/qps".into(), kind: Kind::Gauge, value: ValueType::Float };
    let pods = draft.table_mut(EntityKind::Pod);
    let row = pods.find(&p).unwrap();
    pods.column_for(&qps).unwrap().set(row, Value::Float(1.5));
    draft
}

/// Three nodes, one of which failed; pods with and without usage; two workloads.
pub(crate) fn inventory() -> Inventory {
    let mut inventory = Inventory::default();
    for (name, ready) in [("node-1", Ready::Yes), ("node-2", Ready::Yes), ("node-3", Ready::No)] {
        inventory.put_node(Arc::new(Node {
            name: name.into(),
            hostname: name.into(),
            ready,
            pressures: if ready == Ready::No {
                ["MemoryPressure".into()].into()
            } else {
                [].into()
            },
            unschedulable: name == "node-2",
            pod_capacity: 110,
            kubelet_version: "v1.34.1".into(),
            created: time("2026-11-20T00:00:00Z"),
            ..Node::default()
        }));
    }
    for name in ["web", "batch"] {
        inventory.put_namespace(Arc::new(Namespace { name: name.into(), ..Namespace::default() }));
    }
    let owner = |kind: &str, name: &str| Some(Owner { kind: kind.into(), name: name.into() });
    inventory.put_workload(Arc::new(Workload {
        namespace: "web".into(),
        kind: "ReplicaSet".into(),
        name: "web-abc".into(),
        owner: owner("Deployment", "web"),
        ..Workload::default()
    }));
    let status = |restart_count, ready, state| ContainerStatus {
        restart_count,
        ready,
        state,
        ..ContainerStatus::default()
    };
    let container = |name: &str| ContainerSpec { name: name.into(), ..ContainerSpec::default() };
    let started = time("2026-11-23T08:00:00Z");
    let running = ContainerState::Running(started);
    inventory.put_pod(Arc::new(Pod {
        namespace: "web".into(),
        name: "web-1".into(),
        node: "node-1".into(),
        phase: "Running".into(),
        owner: owner("ReplicaSet", "web-abc"),
        containers: [container("app"), container("proxy")].into(),
        statuses: [status(0, true, running.clone()), status(2, true, running)].into(),
        started,
        ..Pod::default()
    }));
    inventory.put_pod(Arc::new(Pod {
        namespace: "batch".into(),
        name: "job-1".into(),
        node: "node-2".into(),
        phase: "Running".into(),
        owner: owner("Job", "job"),
        containers: [container("main")].into(),
        statuses: [status(7, false, ContainerState::Waiting("CrashLoopBackOff".into()))].into(),
        started,
        ..Pod::default()
    }));
    inventory.put_pod(Arc::new(Pod {
        namespace: "batch".into(),
        name: "waits".into(),
        phase: "Pending".into(),
        containers: [container("main")].into(),
        ..Pod::default()
    }));
    inventory
}

/// Three batches of that cluster, a minute apart, the last at 09:18:00Z.
pub(crate) fn cluster() -> Vec<Arc<Batch>> {
    let mut registry = Registry::default();
    let mut batches = Vec::new();
    for minute in 16..=18 {
        let at = time(&format!("2026-11-23T09:{minute}:00Z"));
        let (batch, back) = cluster_batch(Draft::new(at, registry), f64::from(minute)).freeze();
        batches.push(batch);
        registry = back;
    }
    batches
}

type Values = Vec<(model::MetricId, f64)>;

fn used(cpu: f64, memory: f64) -> Values {
    vec![
        (metric::CPU_USAGE_RATE, cpu),
        (metric::MEMORY_WORKING_SET, memory),
        (metric::MEMORY_USAGE, 2.0 * memory),
        (metric::NETWORK_RX_RATE, cpu / 4.0),
        (metric::NETWORK_TX_RATE, cpu / 8.0),
    ]
}

fn sized(mut values: Values) -> Values {
    values.extend([
        (metric::CPU_REQUEST, 300.0),
        (metric::CPU_LIMIT, 600.0),
        (metric::CPU_NODE_ALLOCATABLE, 3900.0),
        (metric::CPU_NODE_CAPACITY, 4000.0),
        (metric::MEMORY_REQUEST, 1024.0),
        (metric::MEMORY_LIMIT, 4096.0),
        (metric::MEMORY_NODE_ALLOCATABLE, 8000.0),
        (metric::MEMORY_NODE_CAPACITY, 8192.0),
        (metric::PODS, 2.0),
    ]);
    values
}

fn cluster_batch(mut draft: Draft, cpu: f64) -> Draft {
    let web = draft.registry.pod("web", "web-1", "");
    let mut rows = vec![
        (draft.registry.cluster(), sized(used(10.0 * cpu, 5000.0))),
        (draft.registry.namespace("web"), used(8.0 * cpu, 3000.0)),
        (draft.registry.namespace("batch"), used(2.0 * cpu, 2000.0)),
        (draft.registry.workload("web", "Deployment", "web"), used(8.0 * cpu, 3000.0)),
        (draft.registry.container(&web, "app"), used(6.0 * cpu, 2500.0)),
        (draft.registry.container(&web, "proxy"), used(2.0 * cpu, 500.0)),
        (web, used(8.0 * cpu, 3000.0)),
        (draft.registry.pod("batch", "job-1", ""), used(2.0 * cpu, 2000.0)),
        // Known to the kubelet only.
        (draft.registry.pod("web", "static-1", ""), used(0.5, 10.0)),
    ];
    for (name, cpu) in [("node-1", 8.0 * cpu), ("node-2", 2.0 * cpu)] {
        let node = draft.registry.node(name);
        let root = draft.registry.part(EntityKind::Filesystem, &node, "/");
        rows.push((
            root,
            vec![(metric::FILESYSTEM_USAGE, 70.0), (metric::FILESYSTEM_LIMIT, 100.0)],
        ));
        let mut values = sized(used(cpu, 4000.0));
        values.push((metric::UPTIME, 3_600_000.0));
        rows.push((node, values));
    }
    for (entity, values) in rows {
        let row = draft.insert(&entity).row;
        for (id, value) in values {
            draft.table_mut(entity.kind()).set_float(row, id, value);
        }
    }
    let failed = TargetState::Failed {
        hop: Hop::Tls,
        reason: "certificate expired".to_owned(),
        advice: "renew the kubelet's certificate".to_owned(),
    };
    for (node, state) in
        [("node-1", TargetState::Up), ("node-2", TargetState::Up), ("node-3", failed)]
    {
        let up = state == TargetState::Up;
        draft.report(Target {
            node: node.into(),
            url: format!("https://{node}:10250/stats/summary").into(),
            state,
            since: time("2026-11-23T09:10:00Z"),
            last_success: if up { draft.timestamp() } else { Timestamp::NEVER },
            took: Duration::from_millis(12),
            body_bytes: if up { 2048 } else { 0 },
            verified: model::Verified::Address,
        });
    }
    draft
}
