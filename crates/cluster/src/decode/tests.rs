//! Golden and hostile bodies through the decoder. Knows no HTTP.

use std::collections::BTreeMap;
use std::fmt::Write;

use model::{EntityKind, Registry, metric};

use super::*;

const NOW: &str = "2026-11-23T09:40:00Z";

fn time(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

fn node(name: &str) -> Arc<Node> {
    Arc::new(Node { name: name.into(), ..Node::default() })
}

fn draft() -> Draft {
    Draft::new(time(NOW), Registry::default())
}

fn summary(body: &[u8]) -> Result<Draft, DecodeError> {
    let mut draft = draft();
    Decoder::default().summary(body, &node("node1"), time(NOW), &mut draft)?;
    Ok(draft)
}

/// `key metric=value …`, a line for each row.
fn dump(draft: &Draft) -> String {
    let mut lines = Vec::new();
    for table in EntityKind::ALL.map(|kind| draft.table(kind)) {
        for (row, entity) in table.entities().iter().enumerate() {
            let mut line = entity.to_string();
            for column in table.columns() {
                match column.get(row) {
                    Some(model::Value::Int(value)) => {
                        write!(line, " {}={value}", column.metric().name())
                    }
                    Some(model::Value::Float(value)) => {
                        write!(line, " {}={value}", column.metric().name())
                    }
                    None => Ok(()),
                }
                .unwrap();
            }
            let own_node = table.context(row).node.is_some();
            assert_ne!(
                own_node,
                entity.kind().is_labeled_part(),
                "{entity}: the node of its owner"
            );
            lines.push(line);
        }
    }
    lines.join("\n")
}

/// Expects exactly the rows of one small pod in an otherwise empty summary.
fn check(pod: &str, expected: &str) {
    let body = format!(r#"{{"node":{{"nodeName":"n"}},"pods":[{pod}]}}"#);
    let got = dump(&summary(body.as_bytes()).unwrap());
    assert_eq!(got.replace("\nnode:node1", ""), expected, "{pod}");
}

#[test]
fn heapsters_own_input() {
    let draft = summary(include_bytes!("../../tests/fixtures/heapster_summary.json")).unwrap();
    let expected = include_str!("../../tests/golden/heapster_summary.txt");
    golden("heapster_summary.txt", expected, &dump(&draft));
    let pods = draft.table(EntityKind::Pod);
    assert_eq!(pods.scraped(0), time("2026-11-23T09:30:57Z"));
    assert_eq!(pods.started(0), time("2026-11-23T09:20:57Z"));
    assert_eq!(pods.entities()[0].uid(), "puid");
}

#[test]
fn recorded_summaries_and_resource_metrics() {
    let draft = summary(include_bytes!("../../tests/fixtures/kubelet_stats_summary")).unwrap();
    let expected = include_str!("../../tests/golden/kubelet_stats_summary.txt");
    golden("kubelet_stats_summary.txt", expected, &dump(&draft));
    let small =
        include_bytes!("../../tests/fixtures/kubelet_stats_summary_only_cpu_and_memory_true");
    assert_eq!(summary(small).unwrap().table(EntityKind::Pod).len(), 4);

    let mut draft = self::draft();
    let body = include_bytes!("../../tests/fixtures/kubelet_metrics_resource");
    Decoder::default().resource(body, &node("node1"), time(NOW), &mut draft).unwrap();
    let expected = include_str!("../../tests/golden/kubelet_metrics_resource.txt");
    golden("kubelet_metrics_resource.txt", expected, &dump(&draft));
    let nodes = draft.table(EntityKind::Node);
    assert_eq!(nodes.scraped(0), Timestamp::from_millis(1_795_426_637_563));
}

#[test]
fn heapsters_cadvisor_input() {
    let mut draft = draft();
    let body = include_bytes!("../../tests/fixtures/heapster_stats_container.json");
    Decoder::default().container_stats(body, &node("n1"), time(NOW), &mut draft).unwrap();
    let expected = include_str!("../../tests/golden/heapster_stats_container.txt");
    golden("heapster_stats_container.txt", expected, &dump(&draft));
}

/// Compares with a file of `tests/golden`, or writes it when `UPDATE=1`.
fn golden(file: &str, expected: &str, got: &str) {
    if std::env::var_os("UPDATE").is_some() {
        let path = format!("{}/tests/golden/{file}", env!("CARGO_MANIFEST_DIR"));
        std::fs::write(path, format!("{got}\n")).unwrap();
    } else {
        assert_eq!(got.trim_end(), expected.trim_end(), "{file}");
    }
}

#[test]
fn absent_and_impossible_numbers_are_gaps() {
    check(
        r#"{"podRef":{"name":"p","namespace":"ns"},"containers":[{"name":"c","startTime":null,
            "cpu":{"time":null},"memory":{"usageBytes":null,"workingSetBytes":18446744073709551615,"rssBytes":-1},
            "rootfs":{"usedBytes":null},"logs":{"usedBytes":3}}],"volume":null,"swap":{"swapUsageBytes":7}}"#,
        "namespace:ns/pod:p memory/swap=7\n\
         namespace:ns/pod:p/container:c\n\
         namespace:ns/pod:p/container:c/filesystem:/\n\
         namespace:ns/pod:p/container:c/filesystem:logs filesystem/usage=3",
    );
}

#[test]
fn of_two_containers_or_pods_of_one_name_the_younger_counts() {
    let container = |start: &str, used: u32| {
        format!(r#"{{"name":"c","startTime":"{start}","memory":{{"usageBytes":{used}}}}}"#)
    };
    let (old, young) = ("2026-11-23T09:00:00Z", "2026-11-23T09:30:00Z");
    for (first, second) in [(old, young), (young, old)] {
        let used = |start| if start == young { 2 } else { 1 };
        check(
            &format!(
                r#"{{"podRef":{{"name":"p","namespace":"ns","uid":"u"}},"containers":[{},{}]}}"#,
                container(first, used(first)),
                container(second, used(second)),
            ),
            "namespace:ns/pod:p\nnamespace:ns/pod:p/container:c uptime=600000 memory/usage=2",
        );
        let pod = |start| {
            format!(
                r#"{{"podRef":{{"name":"p","namespace":"ns","uid":"u"}},"startTime":"{start}","memory":{{"usageBytes":{}}}}}"#,
                used(start)
            )
        };
        check(
            &format!("{},{}", pod(first), pod(second)),
            "namespace:ns/pod:p uptime=600000 memory/usage=2",
        );
    }
}

#[test]
fn a_pod_without_network_is_measured_when_its_cpu_is() {
    let body = br#"{"node":{},"pods":[{"podRef":{"name":"p","namespace":"ns"},
        "cpu":{"time":"2026-11-23T09:30:00Z","usageCoreNanoSeconds":5}}]}"#;
    let draft = summary(body).unwrap();
    assert_eq!(draft.table(EntityKind::Pod).scraped(0), time("2026-11-23T09:30:00Z"));
}

#[test]
fn a_skewed_clock_gives_no_negative_uptime() {
    check(
        r#"{"podRef":{"name":"p","namespace":"ns"},"startTime":"2030-01-01T00:00:00Z"}"#,
        "namespace:ns/pod:p uptime=0",
    );
}

#[test]
fn names_of_user_metrics_are_bounded() {
    let metrics: Vec<String> = (0..MAX_CUSTOM_METRICS + 50)
        .map(|n| format!(r#"{{"name":"m{n}","type":"cumulative","value":1.5}}"#))
        .collect();
    let body = format!(
        r#"{{"node":{{}},"pods":[{{"podRef":{{"name":"p","namespace":"ns"}},"containers":[
            {{"name":"c","userDefinedMetrics":[{}]}}]}}]}}"#,
        metrics.join(",")
    );
    let draft = summary(body.as_bytes()).unwrap();
    let columns = draft.table(EntityKind::Container).columns();
    let first = columns.first().unwrap();
    assert_eq!((first.metric().name(), first.metric().kind()), ("custom/m0", Kind::Counter));
    assert!(columns.len() <= MAX_CUSTOM_METRICS, "{}", columns.len());
}

#[test]
fn garbage_is_refused_with_its_place_and_leaves_no_rows() {
    for (body, expected) in [
        ("", "EOF while parsing a value at byte 0"),
        ("<html>", "expected value at byte 1"),
        (
            "{\"node\":\n{\"cpu\":{\"usageCoreNanoSeconds\":\"7\"}}}",
            "invalid type: string \"7\", expected a number or null at byte 43",
        ),
        ("{\"node\":{\"startTime\":\"soon\"}}", "\"soon\" is not an RFC 3339 time at byte 27"),
        ("{\"node\":{},\"pods\":[{}]}", "missing field `podRef` at byte 21"),
        ("{\"node\":{}} x", "trailing characters at byte 13"),
    ] {
        assert_eq!(summary(body.as_bytes()).unwrap_err().to_string(), expected, "{body}");
    }
    let whole = include_bytes!("../../tests/fixtures/kubelet_stats_summary");
    let mut draft = draft();
    let cut = &whole[..whole.len() - 200];
    assert!(Decoder::default().summary(cut, &node("n"), time(NOW), &mut draft).is_err());
    assert_eq!(dump(&draft), "");
    let text = include_bytes!("../../tests/fixtures/kubelet_metrics_resource");
    let cut = &text[..text.len() / 2];
    assert!(Decoder::default().resource(cut, &node("n"), time(NOW), &mut draft).is_err());
    assert_eq!(dump(&draft), "");
    let failed =
        Decoder::default().resource(b"scrape_error 1\n", &node("n"), time(NOW), &mut draft);
    assert_eq!(
        failed.unwrap_err().reason,
        "the kubelet could not measure anything (scrape_error is 1)"
    );
}

/// What Heapster printed of a set: scrape time, and values by metric name and `resource_id`.
type Printed = BTreeMap<String, (i64, BTreeMap<(String, String), String>)>;

fn printed(batch: &str) -> Printed {
    let mut sets = Printed::new();
    let mut key = String::new();
    let mut labeled: Option<(String, String)> = None;
    let mut section = "";
    for line in batch.lines() {
        if let Some(name) = line.strip_prefix("MetricSet: ") {
            name.clone_into(&mut key);
            sets.insert(key.clone(), (0, BTreeMap::new()));
        }
        let Some((scraped, values)) = sets.get_mut(&key) else { continue };
        let trimmed = line.trim();
        if let Some(text) = trimmed.strip_prefix("Scrape time: ") {
            *scraped = text.rsplit(' ').next().unwrap().parse().unwrap();
        } else if trimmed.ends_with(':') {
            section = if trimmed == "Metrics:" { "m" } else { "" };
            section = if trimmed == "Labeled Metrics:" { "l" } else { section };
        } else if let Some((name, value)) = trimmed.split_once(" = ") {
            match section {
                "m" => drop(values.insert((name.to_owned(), String::new()), value.to_owned())),
                "l" if name == "resource_id" => {
                    let (metric, number) = labeled.take().unwrap();
                    values.insert((metric, value.to_owned()), number);
                }
                "l" => labeled = Some((name.to_owned(), value.to_owned())),
                _ => {}
            }
        }
    }
    sets
}

fn check_pair(raw: &[u8], batch: &str) {
    let expected = printed(batch);
    let draft = summary(raw).unwrap();
    let mut checked = 0;
    for table in EntityKind::ALL.map(|kind| draft.table(kind)) {
        for (row, entity) in table.entities().iter().enumerate() {
            let (set, id) = match entity.kind() {
                EntityKind::Filesystem | EntityKind::Volume => {
                    (entity.parent().unwrap().to_string(), entity.name())
                }
                _ => (entity.to_string(), ""),
            };
            let (scraped, values) = expected.get(&set).unwrap_or_else(|| panic!("no set {set}"));
            if id.is_empty() {
                assert_eq!(table.scraped(row).nanos(), *scraped, "{set}");
            }
            for column in table.columns() {
                let name = column.metric().name();
                // Uptime depends on the second of decoding, the others Heapster did not have.
                if matches!(name, "uptime" | "processes" | "memory/swap") {
                    continue;
                }
                let got = column.get(row).map(|value| value.as_i64().to_string());
                let key = (name.to_owned(), id.to_owned());
                assert_eq!(got.as_ref(), values.get(&key), "{set} {name} {id}");
                checked += 1;
            }
        }
    }
    let measured = ["cpu/usage", "memory/usage", "network/rx", "filesystem/usage"];
    let printed: usize = expected
        .values()
        .flat_map(|(scraped, values)| values.keys().map(move |key| (scraped, key)))
        .filter(|(scraped, (name, _))| **scraped > 0 && measured.contains(&&**name))
        .count();
    assert!(checked > 3 * printed && printed > 20, "{checked} values checked, {printed} printed");
}

#[test]
fn decodes_what_heapster_decoded() {
    check_pair(
        include_bytes!("../../tests/fixtures/001.raw.json"),
        include_str!("../../tests/fixtures/001.batch.txt"),
    );
    check_pair(
        include_bytes!("../../tests/fixtures/004.raw.json"),
        include_str!("../../tests/fixtures/004.batch.txt"),
    );
}

#[test]
fn recorded_cadvisor_exposition() {
    let body = include_bytes!("../../tests/fixtures/kubelet_metrics_cadvisor");
    let now = time("2026-11-23T09:37:30Z");
    let mut draft = Draft::new(now, Registry::default());
    let node = Arc::new(Node { name: "node1".into(), ..Node::default() });
    Decoder::default().exposition(body, &node, now, &mut draft).unwrap();
    golden(
        "kubelet_metrics_cadvisor.txt",
        include_str!("../../tests/golden/kubelet_metrics_cadvisor.txt"),
        &dump(&draft),
    );
    let pods = draft.table(EntityKind::Pod);
    let burner = pods.entities().iter().position(|pod| pod.name() == "burner-6c65cdf8d-4879v");
    let value = |metric| pods.get(burner.unwrap(), metric).map(model::Value::as_i64);
    assert_eq!(value(metric::CPU_USAGE), Some(20_901_166_337));
    assert_eq!(value(metric::NETWORK_RX), Some(1996));
    let containers = draft.table(EntityKind::Container);
    assert_eq!(containers.len(), 5, "the pause containers are none of ours");
    assert!(containers.get(0, metric::MEMORY_CACHE).is_some());
}
