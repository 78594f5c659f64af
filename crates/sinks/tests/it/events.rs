//! Every encoder of events against the bytes that Heapster's eventer sent for the same event.

use model::{Event, EventBatch, LabelOptions, Timestamp};
use sinks::bench::EventEncoder;

use crate::golden::golden;
use crate::servers::{OK, Server};

/// The event of the recording, as its source reads it.
pub(crate) fn recorded() -> EventBatch {
    let object = r#"{"metadata":{"name":"p.15","namespace":"ns","uid":"euid","creationTimestamp":null},"involvedObject":{"kind":"Pod","namespace":"ns","name":"p","uid":"puid","fieldPath":"spec.containers{c}"},"reason":"BackOff","message":"Back-off \"x\"","source":{"component":"kubelet","host":"n1"},"firstTimestamp":"2020-01-02T02:04:05Z","lastTimestamp":"2020-01-02T03:04:05Z","count":3,"type":"Warning","eventTime":null,"reportingComponent":"","reportingInstance":""}"#;
    let event = Event {
        uid: "euid".into(),
        namespace: "ns".into(),
        object_kind: "Pod".into(),
        object_name: "p".into(),
        object_uid: "puid".into(),
        object_field: "spec.containers{c}".into(),
        reason: "BackOff".into(),
        event_type: "Warning".into(),
        message: "Back-off \"x\"".into(),
        source: "kubelet, n1".into(),
        component: "kubelet".into(),
        host: "n1".into(),
        count: 3,
        first_seen: Timestamp::from_secs(1_577_930_645),
        last_seen: Timestamp::from_secs(1_577_934_245),
        object: Some(object.into()),
    };
    EventBatch { timestamp: Timestamp::from_secs(1_577_934_245), events: vec![event] }
}

/// The recording's event of a node that has no time.
pub(crate) fn timeless() -> Event {
    Event {
        uid: "e2".into(),
        namespace: "ns".into(),
        object_kind: "Node".into(),
        object_name: "n1".into(),
        reason: "R".into(),
        event_type: "Normal".into(),
        message: "m".into(),
        count: 1,
        ..Event::default()
    }
}

fn encode(batch: &EventBatch, kind: &str, settings: &[(&str, &str)]) -> String {
    let mut encoder = EventEncoder::new(sinks::find(kind).unwrap(), settings).unwrap();
    let mut sent = Vec::new();
    encoder.encode(batch, |bytes| sent.extend_from_slice(bytes));
    String::from_utf8(sent).unwrap()
}

#[test]
fn log_prints_what_eventer_printed() {
    assert_eq!(encode(&recorded(), "log", &[]), golden("log/events.txt"));
}

#[test]
fn influxdb_writes_what_eventer_wrote() {
    assert_eq!(encode(&recorded(), "influxdb", &[]), golden("influxdb/events.txt"));
    let mut batch = recorded();
    batch.events.push(timeless());
    let written = encode(&batch, "influxdb", &[("withfields", "true")]);
    assert_eq!(written, golden("influxdb/event-fields.txt"));
}

#[test]
fn elasticsearch_5_gets_what_eventer_sent() {
    let written = encode(&recorded(), "elasticsearch", &[("ver", "5")]);
    let (id, _) = written.split_once("\",\"_index\"").unwrap();
    let id = id.strip_prefix("{\"index\":{\"_id\":\"").unwrap();
    assert_eq!(written.replace(id, ""), golden("elasticsearch/recorded-event.txt"));
}

#[test]
fn honeycomb_writes_what_eventer_wrote() {
    let written = encode(&recorded(), "honeycomb", &[("writekey", "k")]);
    assert_eq!(written, golden("honeycomb/k8s-events.txt").trim_end());
}

/// Both halves of a kind share a folder for their queues without getting in each other's way.
#[tokio::test]
async fn events_go_through_a_queue_of_their_own_and_its_filters() {
    let server = Server::http("127.0.0.1:0", |_, _| Some(OK.to_owned())).await;
    let folder = tempfile::tempdir().unwrap();
    let setup = |filter: &str| sinks::Setup {
        settings: vec![
            ("address".into(), format!("http://{}", server.address)),
            ("queue".into(), folder.path().to_str().unwrap().into()),
            ("exclude_namespace".into(), filter.into()),
        ],
        labels: LabelOptions::default(),
        output: Box::new(std::io::sink()),
        clock: sinks::Clock::default(),
    };
    let kind = sinks::find("influxdb").unwrap();
    let metrics = kind.build(setup("")).unwrap();
    let mut events = kind.build_events(setup("kube-*")).unwrap();
    let mut batch = recorded();
    batch.events.push(Event { namespace: "kube-system".into(), ..timeless() });
    events.export(&batch).unwrap();
    events.settled().await;
    assert_eq!(server.text(), golden("influxdb/events.txt"));
    events.stop().await;
    metrics.stop().await;
}
