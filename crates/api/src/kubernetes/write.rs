//! Items of metrics.k8s.io as JSON, objects or table rows, written straight into a buffer.

use std::time::Duration;

use model::{Shared, Timestamp};
use query::{PodUsage, Usage};

use super::quantity;

type Labels = [(Box<str>, Box<str>)];
/// Labels that pods of a template hold together.
pub(super) type SharedLabels = Shared<(Box<str>, Box<str>)>;

/// A node's metrics.
#[derive(Debug)]
pub(super) struct Node<'a> {
    pub(super) name: &'a str,
    pub(super) labels: &'a Labels,
    pub(super) usage: Usage,
    pub(super) now: Timestamp,
}

/// A pod's metrics.
#[derive(Debug)]
pub(super) struct Pod<'a> {
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
    pub(super) labels: &'a SharedLabels,
    pub(super) usage: PodUsage<'a>,
    pub(super) now: Timestamp,
}

/// How many different seconds are kept as text; windows hold fewer.
const SECONDS: usize = 64;

/// What stands in many items of a list, as text.
#[derive(Debug, Default)]
pub(super) struct Ink {
    /// Each at its place by [`SECONDS`].
    seconds: Vec<(i64, String)>,
    /// The labels that were written last: a template's pods follow one another.
    labels: Option<(SharedLabels, String)>,
}

impl Ink {
    /// Writes a time with whole seconds.
    fn time(&mut self, out: &mut String, time: Timestamp) {
        let second = time.secs();
        if self.seconds.is_empty() {
            let none = || (i64::MIN, String::new());
            self.seconds = std::iter::repeat_with(none).take(SECONDS).collect();
        }
        let place = usize::try_from(second).unwrap_or(0) % SECONDS;
        let Some((held, text)) = self.seconds.get_mut(place) else { return };
        if *held != second {
            (*held, *text) = (second, time.to_rfc3339_seconds());
        }
        out.push_str(text);
    }

    /// Writes labels that pods share.
    fn shared(&mut self, out: &mut String, labels: &SharedLabels) {
        if let Some((_, text)) = self.labels.as_ref().filter(|(held, _)| held.is_same(labels)) {
            out.push_str(text);
            return;
        }
        let mut text = self.labels.take().map(|(_, text)| text).unwrap_or_default();
        text.clear();
        put_labels(&mut text, labels);
        out.push_str(&text);
        self.labels = Some((labels.clone(), text));
    }
}

/// `text` in quotes. Names and labels need no escapes, but nothing is taken on trust.
fn quoted(out: &mut String, text: &str) {
    let is_special = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
    // Counted to the end, so that many bytes are looked at together.
    let escapes = text.bytes().filter(is_special).count();
    if escapes > 0 {
        out.push_str(&serde_json::Value::from(text).to_string());
        return;
    }
    out.push('"');
    out.push_str(text);
    out.push('"');
}

fn put_labels(out: &mut String, labels: &Labels) {
    for (at, (key, value)) in labels.iter().enumerate() {
        out.push_str(if at == 0 { ",\"labels\":{" } else { "," });
        quoted(out, key);
        out.push(':');
        quoted(out, value);
    }
    out.push_str(if labels.is_empty() { "}" } else { "}}" });
}

/// Metadata up to the labels, which end it.
fn metadata(out: &mut String, (namespace, name): (&str, &str), now: Timestamp, ink: &mut Ink) {
    out.push_str("\"metadata\":{\"name\":");
    quoted(out, name);
    if !namespace.is_empty() {
        out.push_str(",\"namespace\":");
        quoted(out, namespace);
    }
    out.push_str(",\"creationTimestamp\":\"");
    ink.time(out, now);
    out.push('"');
}

fn usage(out: &mut String, cpu: i64, memory: i64) {
    out.push_str("\"usage\":{\"cpu\":\"");
    quantity::put_cpu(out, cpu);
    out.push_str("\",\"memory\":\"");
    quantity::put_memory(out, memory);
    out.push_str("\"}");
}

/// What an object says first when it stands alone; nothing in a list.
fn begin(out: &mut String, kind: Option<(&str, &str)>) {
    out.push('{');
    if let Some((api_version, kind)) = kind {
        for part in ["\"kind\":\"", kind, "\",\"apiVersion\":\"", api_version, "\","] {
            out.push_str(part);
        }
    }
}

fn times(out: &mut String, at: Timestamp, window: Duration, ink: &mut Ink) {
    out.push_str(",\"timestamp\":\"");
    ink.time(out, at);
    out.push_str("\",\"window\":\"");
    quantity::put_duration(out, window);
    out.push_str("\",");
}

pub(super) fn node(out: &mut String, node: &Node<'_>, api_version: Option<&str>, ink: &mut Ink) {
    begin(out, api_version.map(|version| (version, "NodeMetrics")));
    metadata(out, ("", node.name), node.now, ink);
    put_labels(out, node.labels);
    times(out, node.usage.at, node.usage.window, ink);
    usage(out, node.usage.cpu_nanocores, node.usage.memory_bytes);
    out.push('}');
}

pub(super) fn pod(out: &mut String, pod: &Pod<'_>, api_version: Option<&str>, ink: &mut Ink) {
    begin(out, api_version.map(|version| (version, "PodMetrics")));
    metadata(out, (pod.namespace, pod.name), pod.now, ink);
    ink.shared(out, pod.labels);
    times(out, pod.usage.at, pod.usage.window, ink);
    out.push_str("\"containers\":[");
    for (at, container) in pod.usage.containers().enumerate() {
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

fn row(out: &mut String, name: &str, (cpu, memory): (i64, i64), window: Duration) {
    out.push_str("{\"cells\":[");
    quoted(out, name);
    out.push_str(",\"");
    quantity::put_cpu(out, cpu);
    out.push_str("\",\"");
    quantity::put_memory(out, memory);
    out.push_str("\",\"");
    quantity::put_duration(out, window);
    out.push_str("\"],\"object\":");
}

const PARTIAL: (&str, &str) = ("meta.k8s.io/v1", "PartialObjectMetadata");

pub(super) fn node_row(out: &mut String, node: &Node<'_>, ink: &mut Ink) {
    let used = (node.usage.cpu_nanocores, node.usage.memory_bytes);
    row(out, node.name, used, node.usage.window);
    begin(out, Some(PARTIAL));
    metadata(out, ("", node.name), node.now, ink);
    put_labels(out, node.labels);
    out.push_str("}}");
}

pub(super) fn pod_row(out: &mut String, pod: &Pod<'_>, ink: &mut Ink) {
    let (mut cpu, mut memory) = (0_i64, 0_i64);
    for container in pod.usage.containers() {
        cpu = cpu.saturating_add(container.cpu_nanocores);
        memory = memory.saturating_add(container.memory_bytes);
    }
    row(out, pod.name, (cpu, memory), pod.usage.window);
    begin(out, Some(PARTIAL));
    metadata(out, (pod.namespace, pod.name), pod.now, ink);
    ink.shared(out, pod.labels);
    out.push_str("}}");
}
