//! Kafka against librdkafka's own mock cluster of three brokers, read back by its consumer.

use model::{Event, LabelOptions, Timestamp};
use serde_json::Value;
use sinks::Setup;

use crate::events::recorded;
use crate::python::Python;
use crate::servers::{batch, pods_batch};

/// The mock cluster; its process ends with it.
struct Cluster(Python);

impl Cluster {
    fn start(topics: &[&str]) -> Self {
        Self(Python::start("kafka_mock.py", topics))
    }

    fn settings(&self, more: &[(&str, &str)]) -> Setup {
        let brokers = self.0.address.split(',').map(|broker| ("brokers", broker));
        let settings = brokers.chain(more.iter().copied());
        Setup {
            settings: settings.map(|(name, value)| (name.into(), value.into())).collect(),
            labels: LabelOptions::default(),
            output: Box::new(std::io::sink()),
            clock: sinks::Clock::default(),
        }
    }

    fn take(&mut self, messages: usize) -> Vec<Value> {
        self.0.take(messages)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn brokers_take_metrics_in_every_compression() {
    let mut cluster = Cluster::start(&["heapster-metrics"]);
    let kind = sinks::find("kafka").unwrap();
    for (minute, compression) in (1..).zip(["none", "gzip", "snappy", "lz4"]) {
        let mut sink = kind.build(cluster.settings(&[("compression", compression)])).unwrap();
        sink.export(&batch(minute, minute)).unwrap();
        sink.settled().await;
        sink.stop().await;
        let seen = cluster.take(1);
        assert_eq!(seen[0]["time"], minute * 60_000, "{compression}");
        let expected = format!(
            r#"{{"MetricsName":"cpu/usage_rate","MetricsValue":{{"value":{minute}}},"MetricsTimestamp":"1970-01-01T00:0{minute}:00Z","MetricsTags":{{"type":"cluster"}}}}"#
        );
        assert_eq!(seen[0]["value"], expected, "{compression}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_partition_gets_its_share_of_a_large_batch() {
    let mut cluster = Cluster::start(&["pods"]);
    let settings = cluster.settings(&[("timeseriestopic", "pods"), ("compression", "lz4")]);
    let mut sink = sinks::find("kafka").unwrap().build(settings).unwrap();
    sink.export(&pods_batch(40_000)).unwrap();
    sink.settled().await;
    let seen = cluster.take(40_000);
    let mut names: Vec<String> = seen
        .iter()
        .map(|message| {
            let value: Value = serde_json::from_str(message["value"].as_str().unwrap()).unwrap();
            value["MetricsTags"]["pod_name"].as_str().unwrap().to_owned()
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 40_000, "each once");
    let mut partitions: Vec<_> = seen.iter().map(|message| &message["partition"]).collect();
    partitions.dedup();
    assert!(partitions.len() > 2, "{partitions:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn brokers_take_events() {
    let mut cluster = Cluster::start(&["heapster-events"]);
    let kind = sinks::find("kafka").unwrap();
    let mut sink = kind.build_events(cluster.settings(&[])).unwrap();
    let mut batch = recorded();
    batch.events.push(Event { uid: "e2".into(), ..Event::default() });
    sink.export(&batch).unwrap();
    sink.settled().await;
    let seen = cluster.take(2);
    assert_eq!(seen[0]["time"], Timestamp::from_secs(1_577_934_245).millis());
    let value: Value = serde_json::from_str(seen[0]["value"].as_str().unwrap()).unwrap();
    let object = value["EventValue"].as_str().unwrap();
    assert!(object.starts_with("{\n \"metadata\": {\n  \"name\": \"p.15\",\n"), "{object}");
    assert_eq!(value["EventTimestamp"], "2020-01-02T03:04:05Z");
    let tags = serde_json::json!({"eventID":"euid","hostname":"n1","pod_id":"puid","pod_name":"p"});
    assert_eq!(value["EventTags"], tags);
}
