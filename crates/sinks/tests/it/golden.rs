//! Every encoder against the bytes that Heapster sent for one batch (golden/wire.txt is that batch
//! as its log sink printed it). Heapster's order is that of a Go map: lines are compared sorted.
//!
//! Deliberate differences stand here as pairs of what Heapster sent and what we send.

use std::path::Path;

use model::Batch;
use sinks::bench::Encoder;

use crate::batches::read;

pub(crate) fn golden(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file);
    std::fs::read_to_string(path).unwrap()
}

fn encode(batch: &Batch, kind: &str, settings: &[(&str, &str)]) -> Vec<String> {
    let mut encoder = Encoder::new(sinks::find(kind).unwrap(), settings).unwrap();
    let mut sent = Vec::new();
    encoder.encode(batch, |bytes| sent.push(String::from_utf8(bytes.to_vec()).unwrap()));
    sent
}

fn sorted<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut lines: Vec<_> = lines.collect();
    lines.sort_unstable();
    lines
}

/// Without labels that are there and empty: in the recording, made by hand, some sets lack labels
/// that Heapster's own sources always give them.
fn without_empty(text: &str) -> String {
    text.replace(r#""host_id":"","#, "").replace(r#""labels":"","#, "")
}

/// `differences` are (theirs, ours); an empty one of theirs is a line that only we send.
fn check_lines(ours: &[String], file: &str, differences: &[(&str, &str)]) {
    let theirs = golden(file);
    let added = differences.iter().filter(|(theirs, _)| theirs.is_empty()).map(|(_, ours)| *ours);
    let expected = theirs.lines().map(|line| {
        differences.iter().find(|(theirs, _)| *theirs == line).map_or(line, |(_, ours)| ours)
    });
    assert_eq!(sorted(ours.iter().flat_map(|text| text.lines())), sorted(expected.chain(added)));
}

#[test]
fn influxdb_writes_what_heapster_wrote() {
    let batch = read(&golden("wire.txt"));
    check_lines(&encode(&batch, "influxdb", &[]), "influxdb/plain.txt", &[]);
    let settings =
        [("withfields", "true"), ("cluster_name", "c1"), ("disable_counter_metrics", "true")];
    check_lines(&encode(&batch, "influxdb", &settings), "influxdb/fields.txt", &[]);
}

#[test]
fn graphite_writes_what_heapster_wrote_but_keeps_volumes_apart() {
    let batch = read(&golden("wire.txt"));
    let differences = [
        (
            "kubernetes.nodes.h1.filesystem.usage 42 1577934240",
            "kubernetes.nodes.h1.filesystem._.usage 42 1577934240",
        ),
        (
            "kubernetes.nodes.h1.pods.ns.p.filesystem.usage 7 1577934240",
            "kubernetes.nodes.h1.pods.ns.p.filesystem.Volume:data.usage 7 1577934240",
        ),
    ];
    check_lines(&encode(&batch, "graphite", &[]), "graphite/tcp.txt", &differences);
    let packets = encode(&batch, "graphite", &[("address", "udp://carbon")]);
    assert_eq!(packets.len(), 15, "one packet per metric");
}

#[test]
fn statsd_writes_what_heapster_wrote_but_no_colon_in_names() {
    let batch = read(&golden("wire.txt"));
    let differences = [(
        "px.node.h1.namespace.ns.pod.p.app.web.filesystem/usage.Volume:data:7|g",
        "px.node.h1.namespace.ns.pod.p.app.web.filesystem/usage.Volume_data:7|g",
    )];
    let etsy = encode(&batch, "statsd", &[("prefix", "px")]);
    check_lines(&etsy, "statsd/etsy.txt", &differences);
    assert_eq!(etsy.iter().map(|packet| packet.lines().count()).collect::<Vec<_>>(), [5, 5, 5]);
    let settings = [
        ("protocolType", "influxstatsd"),
        ("prefix", "px."),
        ("labelStyle", "lowerCamelCase"),
        ("renameLabels", "type:k8s_type"),
        ("numMetricsPerMsg", "2"),
    ];
    let influx = encode(&batch, "statsd", &settings);
    check_lines(&influx, "statsd/influx.txt", &[]);
    assert_eq!(influx.len(), 8);
}

#[test]
fn opentsdb_writes_what_heapster_wrote_and_labeled_metrics_too() {
    let batch = read(&golden("wire.txt"));
    let sent = encode(&batch, "opentsdb", &[]);
    assert_eq!(sent.len(), 1);
    let points = sent[0].strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap();
    let points = [points.replace("}},{", "}}\n{")];
    let node = r#"{"metric":"filesystem_usage_gauge","timestamp":1577934240,"value":42,"tags":{"cluster":"k8s-cluster","hostname":"h1","labels":"a_b_c_d","nodename":"n1","resource_id":"/","type":"node"}}"#;
    let pod = r#"{"metric":"filesystem_usage_gauge","timestamp":1577934240,"value":7,"tags":{"cluster":"k8s-cluster","hostname":"h1","labels":"app_web","namespace_id":"nsuid","namespace_name":"ns","nodename":"n1","pod_id":"uid","pod_name":"p","resource_id":"Volume_data","type":"pod"}}"#;
    check_lines(&points, "opentsdb/points.txt", &[("", node), ("", pod)]);
}

#[test]
fn wavefront_writes_what_heapster_wrote_with_tags_in_order() {
    let batch = read(&golden("wire.txt"));
    let words = |line: &str| sorted(line.split(' ')).join(" ");
    let sent = encode(&batch, "wavefront", &[("includeLabels", "true")]);
    let ours: Vec<_> = sent.iter().flat_map(|text| text.lines()).map(words).collect();
    let theirs = golden("wavefront/labels.txt");
    let theirs: Vec<_> = theirs.lines().map(words).collect();
    let by_line = |lines: &[String]| sorted(lines.iter().map(|line| &**line)).join("\n");
    assert_eq!(by_line(&ours), by_line(&theirs));
    assert!(sent[0].lines().next().unwrap().contains(" source=\"k8s-cluster\" cluster=\"k8s"));
    let sent = encode(&batch, "wavefront", &[("includeContainers", "false")]);
    assert!(!sent[0].contains("pod_container") && !sent[0].contains("label"), "{}", sent[0]);
}

#[test]
fn honeycomb_writes_what_heapster_wrote() {
    let batch = read(&golden("wire.txt"));
    let sent = encode(&batch, "honeycomb", &[("writekey", "wk")]);
    assert_eq!(sent.len(), 1);
    let events = sent[0].strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap();
    let events = without_empty(&events.replace("},{\"Data\"", "}\n{\"Data\""));
    let theirs = without_empty(&golden("honeycomb/events.txt"));
    assert_eq!(sorted(events.lines()), sorted(theirs.lines()));
}

#[test]
fn librato_writes_what_heapster_wrote() {
    let batch = read(&golden("wire.txt"));
    let settings = [
        ("username", "u"),
        ("token", "t"),
        ("prefix", "k8s"),
        ("tags", "cluster"),
        ("tag_cluster", "x"),
    ];
    let sent = encode(&batch, "librato", &settings);
    assert_eq!(sent.len(), 1);
    let head = r#"{"tags":{"cluster":"x"},"measurements":["#;
    let points = sent[0].strip_prefix(head).and_then(|text| text.strip_suffix("]}")).unwrap();
    let points = without_empty(&points.replace("},{\"name\"", "}\n{\"name\""));
    let theirs = without_empty(&golden("librato/measurements.txt"));
    assert_eq!(sorted(points.lines()), sorted(theirs.lines()));
}

/// The documents with their announcements, ids blanked.
fn documents(text: &str) -> Vec<String> {
    let lines: Vec<_> = text.lines().collect();
    let pair = |pair: &[&str]| {
        let id = pair[0].split('"').nth(5).unwrap();
        let announced = pair[0].replace(&format!("\"_id\":\"{id}\""), "\"_id\":\"\"");
        format!("{announced} {}", pair[1])
    };
    let mut documents: Vec<_> = lines.chunks(2).map(pair).collect();
    documents.sort();
    documents
}

#[test]
fn elasticsearch_5_gets_what_heapster_sent_and_later_ones_no_types() {
    let batch = read(&golden("wire.txt"));
    let sent = encode(&batch, "elasticsearch", &[("ver", "5")]).concat();
    let theirs = documents(&golden("elasticsearch/recorded.txt"));
    let theirs: Vec<_> = theirs.iter().map(|line| without_empty(line)).collect();
    let ours: Vec<_> = documents(&sent).iter().map(|line| without_empty(line)).collect();
    assert_eq!(ours, theirs);
    let ids: std::collections::BTreeSet<_> =
        sent.lines().step_by(2).map(|line| line.split('"').nth(5).unwrap()).collect();
    assert_eq!(ids.len(), theirs.len(), "every document has an id of its own");
    assert_eq!(encode(&batch, "elasticsearch", &[("ver", "5")]).concat(), sent, "the same ids");
    let later = encode(&batch, "elasticsearch", &[("ver", "8")]).concat();
    assert!(!later.contains("_type"), "{later}");
    let six = encode(&batch, "elasticsearch", &[("ver", "6")]).concat();
    assert!(six.contains("\"_type\":\"_doc\""), "{six}");
}

/// Requests with their bodies, points one by one.
fn requests(sent: impl Iterator<Item = String>) -> Vec<String> {
    let mut requests = Vec::new();
    for request in sent {
        match request.split_once(" [") {
            Some((head, points)) => {
                let points = points.trim_end_matches(']').replace("]},{\"id\"", "]}\n{\"id\"");
                requests.extend(
                    points.lines().map(|point| format!("{head} {}", point.trim_end_matches("]}"))),
                );
            }
            None => requests.push(without_empty(&request)),
        }
    }
    requests.sort();
    requests
}

#[test]
fn hawkular_gets_what_heapster_sent() {
    let batch = read(&golden("wire.txt"));
    let settings = [("tenant", "tt")];
    let mut encoder = Encoder::new(sinks::find("hawkular").unwrap(), &settings).unwrap();
    let mut sent = Vec::new();
    let mut take = |bytes: &[u8]| {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let (head, body) = text.split_once("\n\n").unwrap();
        let line = head.strip_suffix("\nhawkular-tenant: tt").unwrap();
        sent.push(format!("{line} {body}"));
    };
    encoder.encode(&batch, &mut take);
    let theirs = golden("hawkular/recorded.txt");
    let theirs = requests(theirs.lines().map(str::to_owned));
    assert_eq!(requests(std::mem::take(&mut sent).into_iter()), theirs);
    let mut again = Vec::new();
    encoder.encode(&batch, |bytes| again.push(String::from_utf8(bytes.to_vec()).unwrap()));
    assert!(again.iter().all(|request| request.starts_with("POST ")), "tags are sent once");
    let settings = [("filter", "name(^cpu/)"), ("filter", "label(type:^pod)")];
    let filtered = encode(&batch, "hawkular", &settings).concat();
    assert!(!filtered.contains("cpu/usage") && !filtered.contains("uptime"), "{filtered}");
    assert!(filtered.contains("machine/n1/memory/usage"), "{filtered}");
}

#[test]
fn every_sink_sends_only_what_its_filters_let_through() {
    let batch = read(&golden("wire.txt"));
    let check = |settings: &[(&str, &str)], expected: &[&str]| {
        let sent = encode(&batch, "graphite", settings);
        let paths = sent
            .iter()
            .flat_map(|text| text.lines())
            .map(|line| line.split(' ').next().unwrap().strip_prefix("kubernetes.").unwrap());
        assert_eq!(sorted(paths), expected, "{settings:?}");
    };
    check(
        &[("include", "cpu/usage_rate"), ("exclude_kind", "container")],
        &["cluster.cpu.usage_rate", "nodes.h1.cpu.usage_rate", "nodes.h1.pods.ns.p.cpu.usage_rate"],
    );
    check(
        &[("include", "cpu/*"), ("exclude", "cpu/node_*"), ("exclude_namespace", "n*")],
        &["cluster.cpu.usage_rate", "nodes.h1.cpu.usage", "nodes.h1.cpu.usage_rate"],
    );
    check(
        &[("include_kind", "volume"), ("include_namespace", "ns")],
        &["nodes.h1.pods.ns.p.filesystem.Volume:data.usage"],
    );
    check(&[("include_namespace", "other"), ("include_kind", "pod")], &[]);
}
