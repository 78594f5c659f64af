//! Persistent volume claims: what pods' volumes come from.

use std::collections::HashMap;
use std::sync::Arc;

use super::Inventory;
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

/// namespace → name → claim
pub(super) type Claims = HashMap<Box<str>, HashMap<Box<str>, Arc<Claim>>>;

impl Inventory {
    /// The claim of that namespace and name.
    pub fn claim(&self, namespace: &str, name: &str) -> Option<&Arc<Claim>> {
        self.claims.get(namespace)?.get(name)
    }

    /// Every claim, in no order.
    pub fn claims(&self) -> impl Iterator<Item = &Arc<Claim>> {
        self.claims.values().flat_map(HashMap::values)
    }

    /// Adds or replaces a claim.
    pub fn put_claim(&mut self, claim: Arc<Claim>) {
        let claims = self.claims.entry(claim.namespace.clone()).or_default();
        claims.insert(claim.name.clone(), claim);
    }

    /// Forgets a claim.
    pub fn remove_claim(&mut self, namespace: &str, name: &str) {
        if let Some(claims) = self.claims.get_mut(namespace) {
            claims.remove(name);
            if claims.is_empty() {
                self.claims.remove(namespace);
            }
        }
    }

    /// Keeps only the claims that `keep` accepts (after a relist).
    pub fn retain_claims(&mut self, mut keep: impl FnMut(&Claim) -> bool) {
        self.claims.retain(|_, claims| {
            claims.retain(|_, claim| keep(claim));
            !claims.is_empty()
        });
    }
}
