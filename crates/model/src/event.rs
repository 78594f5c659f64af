//! An event: what a part of the cluster reported about an object.

use std::sync::Arc;

use crate::Timestamp;

/// A Kubernetes event, `v1` or `events.k8s.io/v1`, reduced to what is shown and searched.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Event {
    /// The event object's own uid; a repeated event keeps it while its count grows.
    pub uid: Box<str>,
    /// Namespace of the object; empty for cluster-wide objects.
    pub namespace: Box<str>,
    /// Kind of the object (`Pod`).
    pub object_kind: Box<str>,
    /// Name of the object.
    pub object_name: Box<str>,
    /// Uid of the object.
    pub object_uid: Box<str>,
    /// Why, in one word (`BackOff`).
    pub reason: Box<str>,
    /// `Normal` or `Warning`.
    pub event_type: Box<str>,
    /// What happened, for people.
    pub message: Box<str>,
    /// The component that reported it, with its host where known (`kubelet, node1`).
    pub source: Box<str>,
    /// The component alone (`kubelet`); not kept by the store.
    pub component: Box<str>,
    /// The component's host (`node1`), empty when it named none; not kept by the store.
    pub host: Box<str>,
    /// The field of the object that it is about (`spec.containers{web}`), empty when it is about
    /// the whole object; not kept by the store.
    pub object_field: Box<str>,
    /// How often it happened; at least 1.
    pub count: u32,
    /// When it first happened.
    pub first_seen: Timestamp,
    /// When it last happened.
    pub last_seen: Timestamp,
    /// The event object, core `v1`, as the API server's JSON, of at most
    /// [`Event::MAX_OBJECT_BYTES`]; `None` where it is unknown or larger. For sinks that pass it
    /// on whole; not kept by the store.
    pub object: Option<Arc<str>>,
}

impl Event {
    /// Most bytes of [`Event::object`] that are kept: `InfluxDB` takes no longer texts than twice
    /// that.
    pub const MAX_OBJECT_BYTES: usize = 32 << 10;
}

/// Events that were gathered since the batch before.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventBatch {
    /// The end of its window.
    pub timestamp: Timestamp,
    /// In the order in which they came.
    pub events: Vec<Event>,
}
