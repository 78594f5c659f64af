//! Persistent volume claims and the volumes that they are bound to: what pods' volumes come from.

use super::shelf::held;
use crate::Timestamp;

/// A persistent volume claim.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Claim {
    /// Namespace.
    pub namespace: Box<str>,
    /// Name.
    pub name: Box<str>,
    /// `status.phase`: `Bound`, `Pending`, `Lost`.
    pub phase: Box<str>,
    /// `spec.storageClassName`.
    pub storage_class: Box<str>,
    /// The volume it is bound to; empty while it is not.
    pub volume: Box<str>,
    /// Bytes asked for.
    pub requested: Option<i64>,
    /// Bytes there are.
    pub capacity: Option<i64>,
    /// `metadata.creationTimestamp`.
    pub created: Timestamp,
}

/// A persistent volume.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PersistentVolume {
    /// Name.
    pub name: Box<str>,
    /// `status.phase`: `Pending`, `Available`, `Bound`, `Released`, `Failed`.
    pub phase: Box<str>,
    /// `spec.storageClassName`.
    pub storage_class: Box<str>,
    /// What becomes of it without its claim: `Delete`, `Retain`, `Recycle`.
    pub reclaim_policy: Box<str>,
    /// `Filesystem` or `Block`.
    pub mode: Box<str>,
    /// Bytes there are.
    pub capacity: Option<i64>,
    /// Namespace and name of the claim that it is bound to, or is kept for.
    pub claim: Option<(Box<str>, Box<str>)>,
    /// Where it is, under kube-state-metrics' names (`csi_driver`, `csi_volume_handle`).
    pub source: Box<[(Box<str>, Box<str>)]>,
    /// `metadata.creationTimestamp`.
    pub created: Timestamp,
}

held!(Claim claims);
held!(PersistentVolume | _one | "", volumes);
