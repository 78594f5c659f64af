//! An event: what a part of the cluster reported about an object.

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
    /// How often it happened; at least 1.
    pub count: u32,
    /// When it first happened.
    pub first_seen: Timestamp,
    /// When it last happened.
    pub last_seen: Timestamp,
}
