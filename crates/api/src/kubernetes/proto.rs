//! Protobuf as Kubernetes wraps it: a magic number, the type, and the object.
//!
//! Field numbers: `k8s.io/metrics` v1beta1 and `k8s.io/apimachinery` meta/v1 `generated.proto`.

use super::quantity;
use super::status::Status;
use super::write::{Node, Pod};

pub(crate) const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";
const MAGIC: &[u8] = b"k8s\0";

/// Bytes of a message under construction.
#[derive(Debug, Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.0.push(value.to_le_bytes()[0]);
    }

    fn bytes(&mut self, field: u32, bytes: &[u8]) {
        self.varint(u64::from(field << 3 | 2));
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn text(&mut self, field: u32, text: &str) {
        self.bytes(field, text.as_bytes());
    }

    fn number(&mut self, field: u32, value: i64) {
        self.varint(u64::from(field << 3));
        self.varint(value.cast_unsigned());
    }

    fn message(&mut self, field: u32, fill: impl FnOnce(&mut Self)) {
        let mut inner = Self::default();
        fill(&mut inner);
        self.bytes(field, &inner.0);
    }

    fn time(&mut self, field: u32, time: model::Timestamp) {
        self.message(field, |message| message.number(1, time.secs()));
    }

    fn usage(&mut self, field: u32, cpu: i64, memory: i64) {
        for (name, value) in [("cpu", quantity::cpu(cpu)), ("memory", quantity::memory(memory))] {
            self.message(field, |entry| {
                entry.text(1, name);
                entry.message(2, |amount| amount.text(1, &value));
            });
        }
    }
}

/// `object` as what `api_version` calls `kind`.
fn wrapped(api_version: &str, kind: &str, object: &Message) -> Vec<u8> {
    let mut unknown = Message::default();
    unknown.message(1, |kinds| {
        kinds.text(1, api_version);
        kinds.text(2, kind);
    });
    unknown.bytes(2, &object.0);
    unknown.text(3, "");
    unknown.text(4, "");
    [MAGIC, &unknown.0].concat()
}

pub(super) fn status(status: &Status) -> Vec<u8> {
    let mut object = Message::default();
    object.message(1, |_| {});
    object.text(2, "Failure");
    object.text(3, &status.message);
    object.text(4, status.reason);
    if status.about.is_some() || status.retry_after.is_some() {
        object.message(5, |details| {
            if let Some((name, group, kind)) = &status.about {
                details.text(1, name);
                details.text(2, group);
                details.text(3, kind);
            }
            if let Some(seconds) = status.retry_after {
                details.number(5, i64::from(seconds));
            }
        });
    }
    object.number(6, i64::from(status.code.as_u16()));
    wrapped("v1", "Status", &object)
}

fn metadata(
    object: &mut Message,
    (namespace, name): (&str, &str),
    labels: &[(Box<str>, Box<str>)],
    now: model::Timestamp,
) {
    object.message(1, |metadata| {
        metadata.text(1, name);
        if !namespace.is_empty() {
            metadata.text(3, namespace);
        }
        metadata.time(8, now);
        for (key, value) in labels {
            metadata.message(11, |entry| {
                entry.text(1, key);
                entry.text(2, value);
            });
        }
    });
}

fn fill_node(object: &mut Message, node: &Node<'_>) {
    metadata(object, ("", node.name), node.labels, node.now);
    object.time(2, node.usage.at);
    let window = i64::try_from(node.usage.window.as_nanos()).unwrap_or(i64::MAX);
    object.message(3, |duration| duration.number(1, window));
    object.usage(4, node.usage.cpu_nanocores, node.usage.memory_bytes);
}

fn fill_pod(object: &mut Message, pod: &Pod<'_>) {
    metadata(object, (pod.namespace, pod.name), pod.labels, pod.now);
    object.time(2, pod.usage.at);
    let window = i64::try_from(pod.usage.window.as_nanos()).unwrap_or(i64::MAX);
    object.message(3, |duration| duration.number(1, window));
    for container in pod.usage.containers() {
        object.message(4, |message| {
            message.text(1, container.name);
            message.usage(2, container.cpu_nanocores, container.memory_bytes);
        });
    }
}

pub(super) fn node(api_version: &str, node: &Node<'_>) -> Vec<u8> {
    let mut object = Message::default();
    fill_node(&mut object, node);
    wrapped(api_version, "NodeMetrics", &object)
}

pub(super) fn pod(api_version: &str, pod: &Pod<'_>) -> Vec<u8> {
    let mut object = Message::default();
    fill_pod(&mut object, pod);
    wrapped(api_version, "PodMetrics", &object)
}

/// A list under construction: its length stands before it, so it is made whole.
#[derive(Debug, Default)]
pub(super) struct List(Message);

impl List {
    pub(super) fn node(&mut self, node: &Node<'_>) {
        self.0.message(2, |item| fill_node(item, node));
    }

    pub(super) fn pod(&mut self, pod: &Pod<'_>) {
        self.0.message(2, |item| fill_pod(item, pod));
    }

    pub(super) fn done(self, api_version: &str, kind: &str, go_on: Option<&str>) -> Vec<u8> {
        let mut list = Message::default();
        list.message(1, |metadata| {
            if let Some(token) = go_on {
                metadata.text(3, token);
            }
        });
        list.0.extend_from_slice(&self.0.0);
        wrapped(api_version, kind, &list)
    }
}
