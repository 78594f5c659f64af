//! Batches from the text that a log sink printed. Knows no other sink.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{
    Batch, ContainerSpec, Draft, Entity, EntityKind, Kind, Metric, Namespace, Node, Pod, Registry,
    Timestamp, Value, ValueType, lookup,
};

/// One printed metric set.
#[derive(Default)]
struct Set<'a> {
    key: &'a str,
    scraped: Timestamp,
    created: Timestamp,
    labels: BTreeMap<&'a str, &'a str>,
    metrics: Vec<(&'a str, &'a str)>,
    parts: Vec<(&'a str, &'a str, BTreeMap<&'a str, &'a str>)>,
}

/// The batch that a log sink printed as `text`.
pub(crate) fn read(text: &str) -> Batch {
    let mut sets: Vec<Set<'_>> = Vec::new();
    let mut section = "";
    let mut timestamp = Timestamp::NEVER;
    for line in text.lines() {
        let words = line.trim_start();
        let indent = line.len() - words.len();
        let pair = || words.split_once(" =").map(|(key, value)| (key, value.trim())).unwrap();
        match (indent, section) {
            (0, _) if words.starts_with("DataBatch") => {
                timestamp = time(words.split_once("Timestamp: ").unwrap().1);
            }
            (0, _) if words.is_empty() => {}
            (0, _) => {
                let key = words.strip_prefix("MetricSet: ").unwrap();
                sets.push(Set { key, ..Set::default() });
            }
            (3, _) => match words.split_once(" time: ") {
                Some(("Scrape", at)) => sets.last_mut().unwrap().scraped = time(at),
                Some((_, at)) => sets.last_mut().unwrap().created = time(at),
                None => section = words,
            },
            (6, "Labels:") => {
                let (key, value) = pair();
                sets.last_mut().unwrap().labels.insert(key, value);
            }
            (6, "Metrics:") => sets.last_mut().unwrap().metrics.push(pair()),
            (6, _) => {
                let (name, value) = pair();
                sets.last_mut().unwrap().parts.push((name, value, BTreeMap::new()));
            }
            _ => {
                let (key, value) = pair();
                let part = sets.last_mut().unwrap().parts.last_mut().unwrap();
                part.2.insert(key, value);
            }
        }
    }
    let mut draft = Draft::new(timestamp, Registry::default());
    for set in &sets {
        put(&mut draft, set);
    }
    Arc::into_inner(draft.freeze().0).unwrap()
}

/// `2026-11-23 09:29:50 +0000 UTC 1795426190000000000`, or without the number.
fn time(text: &str) -> Timestamp {
    let mut words = text.split(' ');
    let rfc3339 = format!("{}T{}Z", words.next().unwrap(), words.next().unwrap());
    Timestamp::parse_rfc3339(&rfc3339).unwrap()
}

fn put(draft: &mut Draft, set: &Set<'_>) {
    let label = |key| set.labels.get(key).copied().unwrap_or_default();
    let registry = &mut draft.registry;
    let pod = registry.pod(label("namespace_name"), label("pod_name"), label("pod_id"));
    let node = registry.node(label("nodename"));
    let entity = match label("type") {
        "cluster" => registry.cluster(),
        "ns" => registry.namespace(label("namespace_name")),
        "pod" => pod,
        "pod_container" => registry.container(&pod, label("container_name")),
        "node" => node,
        "sys_container" => registry.system_container(&node, label("container_name")),
        other => panic!("{other}"),
    };
    assert_eq!(entity.to_string(), set.key);
    let row = draft.insert(&entity).row;
    let table = draft.table_mut(entity.kind());
    table.set_scraped(row, set.scraped);
    table.set_started(row, set.created);
    for (name, value) in &set.metrics {
        put_value(table, row, name, value);
    }
    put_context(table.context_mut(row), set, entity.kind());
    put_parts(draft, &entity, set);
}

fn put_value(table: &mut model::Table, row: usize, name: &str, text: &str) {
    let (value, value_type) = if text.contains('.') {
        (Value::Float(text.parse().unwrap()), ValueType::Float)
    } else {
        (Value::Int(text.parse().unwrap()), ValueType::Int)
    };
    let metric = lookup(name).map_or_else(
        || Metric::Custom { name: name.into(), kind: Kind::Gauge, value: value_type },
        Metric::Known,
    );
    table.column_for(&metric).unwrap().set(row, value);
}

fn put_context(context: &mut model::Context, set: &Set<'_>, kind: EntityKind) {
    let label = |key| set.labels.get(key).copied().unwrap_or_default();
    let known = |key: &str| set.labels.contains_key(key);
    let labels: Box<[(Box<str>, Box<str>)]> = label("labels")
        .split(',')
        .filter_map(|pair| pair.split_once(':'))
        .map(|(key, value)| (key.into(), value.into()))
        .collect();
    if known("nodename") {
        context.node = Some(Arc::new(Node {
            name: label("nodename").into(),
            hostname: label("hostname").into(),
            host_id: label("host_id").into(),
            labels: if kind == EntityKind::Node { labels.clone() } else { Box::default() },
            ..Node::default()
        }));
    }
    if known("namespace_id") {
        context.namespace = Some(Arc::new(Namespace {
            name: label("namespace_name").into(),
            uid: label("namespace_id").into(),
            ..Namespace::default()
        }));
    }
    if (known("labels") || known("container_base_image")) && kind != EntityKind::Node {
        let spec = ContainerSpec {
            name: label("container_name").into(),
            image: label("container_base_image").into(),
            ..ContainerSpec::default()
        };
        context.pod = Some(Arc::new(Pod {
            uid: label("pod_id").into(),
            labels: labels.into(),
            containers: [spec].into(),
            ..Pod::default()
        }));
    }
}

fn put_parts(draft: &mut Draft, owner: &Arc<Entity>, set: &Set<'_>) {
    for (name, value, labels) in &set.parts {
        let part = match labels.get("resource_id").copied() {
            Some(id) if id.starts_with("Volume:") => {
                draft.registry.part(EntityKind::Volume, owner, id)
            }
            Some(id) => draft.registry.part(EntityKind::Filesystem, owner, id),
            None => {
                let make_and_model = format!("{}/{}", labels["make"], labels["model"]);
                draft.registry.accelerator(owner, &make_and_model, labels["accelerator_id"])
            }
        };
        let row = draft.insert(&part).row;
        put_value(draft.table_mut(part.kind()), row, name, value);
    }
}
