//! Protobuf as Kubernetes wraps it: a magic number, the type, and the object.
//!
//! Field numbers: `k8s.io/metrics` v1beta1 and `k8s.io/apimachinery` meta/v1 `generated.proto`.

use bytes::Bytes;

use super::quantity;
use super::status::Status;
use super::write::{Node, Pod};

pub(crate) const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";
const MAGIC: &[u8] = b"k8s\0";

/// Bytes of a message under construction.
#[derive(Debug, Default)]
struct Message {
    bytes: Vec<u8>,
    /// A quantity before it stands there.
    quantity: String,
}

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.bytes.push(value.to_le_bytes()[0]);
    }

    /// What stands before so many bytes.
    fn head(&mut self, field: u32, length: usize) {
        self.varint(u64::from(field << 3 | 2));
        self.varint(length as u64);
    }

    fn text(&mut self, field: u32, text: &str) {
        self.head(field, text.len());
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn number(&mut self, field: u32, value: i64) {
        self.varint(u64::from(field << 3));
        self.varint(value.cast_unsigned());
    }

    /// A message within, behind its length: a byte is kept for that, which is enough for most.
    fn message(&mut self, field: u32, fill: impl FnOnce(&mut Self)) {
        self.head(field, 0);
        let from = self.bytes.len();
        fill(self);
        let length = self.bytes.len() - from;
        if let (Ok(short @ 0..0x80), Some(place)) =
            (u8::try_from(length), self.bytes.get_mut(from - 1))
        {
            *place = short;
        } else {
            let mut long = Self::default();
            long.varint(length as u64);
            self.bytes.splice(from - 1..from, long.bytes);
        }
    }

    fn time(&mut self, field: u32, time: model::Timestamp) {
        self.message(field, |message| message.number(1, time.secs()));
    }

    fn usage(&mut self, field: u32, cpu: i64, memory: i64) {
        self.amount(field, "cpu", |value| quantity::put_cpu(value, cpu));
        self.amount(field, "memory", |value| quantity::put_memory(value, memory));
    }

    fn amount(&mut self, field: u32, name: &str, put: impl FnOnce(&mut String)) {
        let mut value = std::mem::take(&mut self.quantity);
        value.clear();
        put(&mut value);
        self.message(field, |entry| {
            entry.text(1, name);
            entry.message(2, |amount| amount.text(1, &value));
        });
        self.quantity = value;
    }
}

/// What stands before and behind an object of so many bytes that `api_version` calls `kind`.
fn around(api_version: &str, kind: &str, length: usize) -> [Message; 2] {
    let (mut before, mut behind) = (Message::default(), Message::default());
    before.bytes.extend_from_slice(MAGIC);
    before.message(1, |kinds| {
        kinds.text(1, api_version);
        kinds.text(2, kind);
    });
    before.head(2, length);
    behind.text(3, "");
    behind.text(4, "");
    [before, behind]
}

/// `object` as what `api_version` calls `kind`.
fn wrapped(api_version: &str, kind: &str, object: &Message) -> Vec<u8> {
    let [before, behind] = around(api_version, kind, object.bytes.len());
    [&*before.bytes, &object.bytes, &behind.bytes].concat()
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

    /// The list's bytes, in parts that follow one another.
    pub(super) fn done(self, api_version: &str, kind: &str, go_on: Option<&str>) -> [Bytes; 3] {
        let (mut list, items) = (Message::default(), self.0.bytes);
        list.message(1, |metadata| {
            if let Some(token) = go_on {
                metadata.text(3, token);
            }
        });
        let [mut before, behind] = around(api_version, kind, list.bytes.len() + items.len());
        before.bytes.append(&mut list.bytes);
        [before.bytes, items, behind.bytes].map(Bytes::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_any_length_stands_behind_its_length() {
        for length in [0, 1, 127, 128, 16_383, 16_384, 3_000_000] {
            let inner = vec![7; length];
            let mut message = Message::default();
            message.text(1, "before");
            message.message(2, |within| within.bytes.extend_from_slice(&inner));
            message.text(3, "behind");
            let mut expected = Message::default();
            expected.text(1, "before");
            expected.head(2, length);
            expected.bytes.extend_from_slice(&inner);
            expected.text(3, "behind");
            assert!(message.bytes == expected.bytes, "{length}");
        }
    }
}
