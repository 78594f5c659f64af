//! The sink `influxdb` and its reader against a real InfluxDB 1.x, which each test starts itself.

use std::sync::Arc;

use model::{Entity, EntityKind, LabelOptions, Registry, Timestamp, Value};
use sinks::{InfluxReader, Setup};

use crate::batches::read;
use crate::events::recorded;
use crate::golden::golden;
use crate::real::{Program, free, get, influxd};

/// A server; it ends with this.
struct Influxd {
    address: String,
    _program: Program,
}

impl Influxd {
    fn start() -> Self {
        let address = free();
        let program = influxd(&address);
        Self { address, _program: program }
    }

    fn settings(&self, more: &[(&str, &str)]) -> Vec<(String, String)> {
        let address = ("address".to_owned(), format!("http://{}", self.address));
        let more = more.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        [address].into_iter().chain(more).collect()
    }

    fn setup(&self, more: &[(&str, &str)]) -> Setup {
        Setup {
            settings: self.settings(more),
            labels: LabelOptions::default(),
            output: Box::new(std::io::sink()),
            clock: sinks::Clock::default(),
        }
    }

    /// Sends the recorded batch and event, and waits until they are there.
    async fn fill(&self, settings: &[(&str, &str)]) {
        let kind = sinks::find("influxdb").unwrap();
        let mut sink = kind.build(self.setup(settings)).unwrap();
        sink.export(&read(&golden("wire.txt"))).unwrap();
        sink.settled().await;
        sink.stop().await;
        let mut events = kind.build_events(self.setup(settings)).unwrap();
        events.export(&recorded()).unwrap();
        events.settled().await;
        events.stop().await;
    }
}

const NOON: Timestamp = Timestamp::from_secs(1_577_934_240);

async fn values(reader: &InfluxReader, entity: &Arc<Entity>, metric: &str) -> Vec<Value> {
    let second = std::time::Duration::from_secs(1);
    let found = reader.values(entity, metric, NOON.minus(second), NOON.plus(second)).await.unwrap();
    found
        .into_iter()
        .map(|(time, value)| {
            assert_eq!(time, NOON);
            value
        })
        .collect()
}

/// What the recorded batch holds, asked back in every way.
async fn check(settings: &[(&str, &str)]) {
    let server = Influxd::start();
    server.fill(settings).await;
    let reader = InfluxReader::new(server.settings(settings)).unwrap();
    let mut registry = Registry::default();
    let (node, pod) = (registry.node("n1"), registry.pod("ns", "p", ""));
    let container = registry.container(&pod, "c");
    let volume = registry.part(EntityKind::Volume, &pod, "Volume:data");
    let root = registry.part(EntityKind::Filesystem, &node, "/");
    let cluster = registry.cluster();
    let other = registry.node("n'1");
    for (entity, metric, expected) in [
        (&node, "cpu/usage_rate", Some(Value::Int(250))),
        (&node, "cpu/node_utilization", Some(Value::Float(0.37))),
        (&pod, "cpu/usage_rate", Some(Value::Int(-5))),
        (&pod, "custom/qps", Some(Value::Float(1.5))),
        (&pod, "uptime", Some(Value::Int(3_600_000))),
        (&container, "memory/working_set", Some(Value::Int(52_428_800))),
        (&volume, "filesystem/usage", Some(Value::Int(7))),
        (&root, "filesystem/usage", Some(Value::Int(42))),
        (&cluster, "cpu/usage_rate", Some(Value::Int(17))),
        (&other, "cpu/usage_rate", None),
        (&node, "no/such", None),
    ] {
        let found = values(&reader, entity, metric).await;
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{metric} of {entity}");
    }
    let exclusive =
        reader.values(&node, "cpu/usage_rate", NOON, NOON.plus(std::time::Duration::from_secs(1)));
    assert_eq!(exclusive.await.unwrap(), []);
    let names = async |key: &str, tags: &[(&str, &str)]| {
        let names = reader.tag_values(key, tags).await.unwrap();
        names.into_iter().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names("nodename", &[("type", "node")]).await, "n1");
    assert_eq!(names("pod_name", &[("type", "pod"), ("namespace_name", "ns")]).await, "p");
    assert_eq!(names("pod_name", &[("type", "pod"), ("namespace_name", "x")]).await, "");
    let tags = [("type", "pod_container"), ("namespace_name", "ns"), ("pod_name", "p")];
    assert_eq!(names("container_name", &tags).await, "c");
    let metrics = reader.metrics(&pod).await.unwrap();
    let listed: Vec<_> = metrics.iter().map(String::as_str).collect();
    assert_eq!(listed, ["cpu/usage_rate", "custom/qps", "filesystem/usage", "uptime"]);
}

#[tokio::test]
async fn what_was_written_is_read_back() {
    check(&[]).await;
}

#[tokio::test]
async fn what_was_written_as_fields_is_read_back() {
    check(&[("withfields", "true"), ("cluster_name", "c 1"), ("db", "my db")]).await;
}

#[tokio::test]
async fn a_reader_says_what_the_server_said() {
    let server = Influxd::start();
    let reader = InfluxReader::new(server.settings(&[("db", "none")])).unwrap();
    let node = Registry::default().node("n1");
    let error = reader.values(&node, "uptime", NOON, NOON).await.unwrap_err();
    let expected = format!("InfluxDB at http://{}: database not found: none", server.address);
    assert_eq!(error, expected);
    let mistake = InfluxReader::new(vec![("bogus".into(), "1".into())]).unwrap_err();
    assert!(mistake.to_string().contains("has no setting \"bogus\""), "{mistake}");
}

/// The server's own policy: it is made, changed with the setting, and refuses what is too old.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retention_is_what_the_server_does() {
    let server = Influxd::start();
    let kind = sinks::find("influxdb").unwrap();
    for (retention, expected) in [("7d", "168h0m0s"), ("30d", "720h0m0s"), ("INF", "0s")] {
        let mut sink = kind.build(server.setup(&[("retention", retention)])).unwrap();
        let status = sink.status().unwrap();
        sink.export(&read(&golden("wire.txt"))).unwrap();
        sink.settled().await;
        let refused = status.status().dropped;
        assert_eq!(refused.is_empty(), retention == "INF", "a batch of 2020: {refused:?}");
        sink.stop().await;
        let policies = get(&server.address, "/query?db=k8s&q=SHOW%20RETENTION%20POLICIES");
        let wanted = format!("[\"default\",\"{expected}\",");
        assert!(policies.contains(&wanted) && policies.contains("true]"), "{policies}");
    }
    let points = get(&server.address, "/query?db=k8s&q=SELECT%20*%20FROM%20%22uptime%22");
    assert!(points.contains("3600000"), "{points}");
}
