//! Items of metrics.k8s.io as JSON, objects or table rows, written straight into a buffer.

use std::fmt::Write as _;

use model::Timestamp;
use query::{PodUsage, Usage};

use super::quantity;

/// A node's metrics.
#[derive(Debug)]
pub(super) struct Node<'a> {
    pub(super) name: &'a str,
    pub(super) labels: &'a [(Box<str>, Box<str>)],
    pub(super) usage: Usage,
    pub(super) now: Timestamp,
}

/// A pod's metrics.
#[derive(Debug)]
pub(super) struct Pod<'a> {
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
    pub(super) labels: &'a [(Box<str>, Box<str>)],
    pub(super) usage: PodUsage<'a>,
    pub(super) now: Timestamp,
}

/// `text` in quotes. Names and labels need no escapes, but nothing is taken on trust.
fn quoted(out: &mut String, text: &str) {
    let plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
    if text.bytes().all(plain) {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        out.push_str(&serde_json::Value::from(text).to_string());
    }
}

fn put(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let Ok(()) = out.write_fmt(arguments) else { return };
}

fn metadata(
    out: &mut String,
    (namespace, name): (&str, &str),
    labels: &[(Box<str>, Box<str>)],
    now: Timestamp,
) {
    out.push_str("\"metadata\":{\"name\":");
    quoted(out, name);
    if !namespace.is_empty() {
        out.push_str(",\"namespace\":");
        quoted(out, namespace);
    }
    put(out, format_args!(",\"creationTimestamp\":\"{}\"", now.to_rfc3339_seconds()));
    for (at, (key, value)) in labels.iter().enumerate() {
        out.push_str(if at == 0 { ",\"labels\":{" } else { "," });
        quoted(out, key);
        out.push(':');
        quoted(out, value);
    }
    out.push_str(if labels.is_empty() { "}" } else { "}}" });
}

fn usage(out: &mut String, cpu: i64, memory: i64) {
    let (cpu, memory) = (quantity::cpu(cpu), quantity::memory(memory));
    put(out, format_args!("\"usage\":{{\"cpu\":\"{cpu}\",\"memory\":\"{memory}\"}}"));
}

/// What an object says first when it stands alone; nothing in a list.
fn begin(out: &mut String, kind: Option<(&str, &str)>) {
    out.push('{');
    if let Some((api_version, kind)) = kind {
        put(out, format_args!("\"kind\":\"{kind}\",\"apiVersion\":\"{api_version}\","));
    }
}

fn times(out: &mut String, at: Timestamp, window: std::time::Duration) {
    let (at, window) = (at.to_rfc3339_seconds(), quantity::duration(window));
    put(out, format_args!(",\"timestamp\":\"{at}\",\"window\":\"{window}\","));
}

pub(super) fn node(out: &mut String, node: &Node<'_>, api_version: Option<&str>) {
    begin(out, api_version.map(|version| (version, "NodeMetrics")));
    metadata(out, ("", node.name), node.labels, node.now);
    times(out, node.usage.at, node.usage.window);
    usage(out, node.usage.cpu_nanocores, node.usage.memory_bytes);
    out.push('}');
}

pub(super) fn pod(out: &mut String, pod: &Pod<'_>, api_version: Option<&str>) {
    begin(out, api_version.map(|version| (version, "PodMetrics")));
    metadata(out, (pod.namespace, pod.name), pod.labels, pod.now);
    times(out, pod.usage.at, pod.usage.window);
    out.push_str("\"containers\":[");
    for (at, container) in pod.usage.containers.iter().enumerate() {
        out.push_str(if at == 0 { "{\"name\":" } else { ",{\"name\":" });
        quoted(out, container.name);
        out.push(',');
        usage(out, container.cpu_nanocores, container.memory_bytes);
        out.push('}');
    }
    out.push_str("]}");
}

/// The columns of a table, as metrics-server names them.
pub(super) const COLUMNS: &str = "[\
{\"name\":\"Name\",\"type\":\"string\",\"format\":\"name\",\"description\":\"Name of the resource\",\"priority\":0},\
{\"name\":\"cpu\",\"type\":\"string\",\"format\":\"quantity\",\"description\":\"\",\"priority\":0},\
{\"name\":\"memory\",\"type\":\"string\",\"format\":\"quantity\",\"description\":\"\",\"priority\":0},\
{\"name\":\"Window\",\"type\":\"string\",\"format\":\"duration\",\"description\":\"\",\"priority\":0}]";

fn row(out: &mut String, name: &str, (cpu, memory): (i64, i64), window: std::time::Duration) {
    out.push_str("{\"cells\":[");
    quoted(out, name);
    let (cpu, memory) = (quantity::cpu(cpu), quantity::memory(memory));
    let window = quantity::duration(window);
    put(out, format_args!(",\"{cpu}\",\"{memory}\",\"{window}\"],\"object\":"));
}

const PARTIAL: (&str, &str) = ("meta.k8s.io/v1", "PartialObjectMetadata");

pub(super) fn node_row(out: &mut String, node: &Node<'_>) {
    let used = (node.usage.cpu_nanocores, node.usage.memory_bytes);
    row(out, node.name, used, node.usage.window);
    begin(out, Some(PARTIAL));
    metadata(out, ("", node.name), node.labels, node.now);
    out.push_str("}}");
}

pub(super) fn pod_row(out: &mut String, pod: &Pod<'_>) {
    let containers = &pod.usage.containers;
    let cpu = containers.iter().map(|one| one.cpu_nanocores).fold(0, i64::saturating_add);
    let memory = containers.iter().map(|one| one.memory_bytes).fold(0, i64::saturating_add);
    row(out, pod.name, (cpu, memory), pod.usage.window);
    begin(out, Some(PARTIAL));
    metadata(out, (pod.namespace, pod.name), pod.labels, pod.now);
    out.push_str("}}");
}
