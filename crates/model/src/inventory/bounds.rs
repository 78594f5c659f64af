//! What bounds others: autoscalers bound the pods of a workload, quotas what a namespace may use.

use super::Owner;
use super::shelf::held;
use crate::{Shared, Timestamp};

/// What a condition says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not.
    False,
    /// Nobody knows.
    #[default]
    Unknown,
}

/// A horizontal pod autoscaler.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Autoscaler {
    /// Namespace.
    pub namespace: Box<str>,
    /// Name.
    pub name: Box<str>,
    /// What it scales.
    pub target: Owner,
    /// Group and version of what it scales (`apps/v1`).
    pub target_api: Box<str>,
    /// Fewest replicas.
    pub min: i64,
    /// Most replicas.
    pub max: i64,
    /// Replicas there were when it looked last.
    pub current: i64,
    /// Replicas that it wanted then.
    pub wanted: i64,
    /// How often it was changed.
    pub generation: Option<i64>,
    /// What it says of itself: `AbleToScale`, `ScalingActive`, `ScalingLimited`.
    pub conditions: Shared<(Box<str>, Truth)>,
    /// `metadata.creationTimestamp`.
    pub created: Timestamp,
}

/// A resource quota of a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Quota {
    /// Namespace.
    pub namespace: Box<str>,
    /// Name.
    pub name: Box<str>,
    /// Each resource, sorted by name, and how much of it may be used, in thousandths of its unit;
    /// `None` where that is not said.
    pub hard: Shared<(Box<str>, Option<i64>)>,
    /// How much of each is used, in the same order; likewise.
    pub used: Box<[Option<i64>]>,
    /// `metadata.creationTimestamp`.
    pub created: Timestamp,
}

held!(Autoscaler autoscalers, shares conditions);
held!(Quota quotas, shares hard);
