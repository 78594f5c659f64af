//! The registry: one allocation per measured thing, for as long as it is seen.

use std::sync::Arc;

use hashbrown::HashTable;

use crate::entity::Identity;
use crate::{Entity, EntityKind, Table};

/// How many ticks an entity may go unseen before it is forgotten.
const KEEP_TICKS: u32 = 30;

/// Interns [`Entity`] values, so that a tick over known things allocates nothing.
#[derive(Debug, Default)]
pub struct Registry {
    table: HashTable<Slot>,
    tick: u32,
    /// Rows of each kind in the last tick.
    rows: [usize; EntityKind::ALL.len()],
}

#[derive(Debug)]
struct Slot {
    entity: Arc<Entity>,
    last_seen: u32,
}

impl Registry {
    /// The cluster.
    pub fn cluster(&mut self) -> Arc<Entity> {
        self.intern(&identity(EntityKind::Cluster, "cluster"), "")
    }

    /// A namespace by name.
    pub fn namespace(&mut self, name: &str) -> Arc<Entity> {
        self.intern(&identity(EntityKind::Namespace, name), "")
    }

    /// A node by name.
    pub fn node(&mut self, name: &str) -> Arc<Entity> {
        self.intern(&identity(EntityKind::Node, name), "")
    }

    /// A pod by namespace and name. `uid` may be empty; a new uid replaces the old attribute.
    pub fn pod(&mut self, namespace: &str, name: &str, uid: &str) -> Arc<Entity> {
        self.intern(&Identity { namespace, ..identity(EntityKind::Pod, name) }, uid)
    }

    /// A workload by namespace, kind (`Deployment`) and name.
    pub fn workload(&mut self, namespace: &str, kind: &str, name: &str) -> Arc<Entity> {
        let identity =
            Identity { namespace, variant: kind, ..identity(EntityKind::Workload, name) };
        self.intern(&identity, "")
    }

    /// A container of `pod`.
    pub fn container(&mut self, pod: &Arc<Entity>, name: &str) -> Arc<Entity> {
        self.part(EntityKind::Container, pod, name)
    }

    /// A cgroup of `node` outside pods.
    pub fn system_container(&mut self, node: &Arc<Entity>, name: &str) -> Arc<Entity> {
        self.part(EntityKind::SystemContainer, node, name)
    }

    /// A volume, filesystem or disk of `parent`; `id` is Heapster's `resource_id`.
    pub fn part(&mut self, kind: EntityKind, parent: &Arc<Entity>, id: &str) -> Arc<Entity> {
        self.intern(&Identity { parent: Some(parent), ..identity(kind, id) }, "")
    }

    /// An accelerator of `parent`; `id` is its accelerator id.
    pub fn accelerator(
        &mut self,
        parent: &Arc<Entity>,
        make_and_model: &str,
        id: &str,
    ) -> Arc<Entity> {
        let identity = Identity {
            parent: Some(parent),
            variant: make_and_model,
            ..identity(EntityKind::Accelerator, id)
        };
        self.intern(&identity, "")
    }

    /// How many rows of `kind` the next tick will have, if little changes.
    pub(crate) fn expected_rows(&self, kind: EntityKind) -> usize {
        let last = self.rows[kind.index()];
        last + last / 32
    }

    /// Ends a tick that filled `tables`: forgets what was not asked for during the last 30 ticks.
    pub(crate) fn end_tick(&mut self, tables: &[Table]) {
        for table in tables {
            self.rows[table.kind().index()] = table.len();
        }
        self.tick = self.tick.wrapping_add(1);
        let tick = self.tick;
        self.table.retain(|slot| tick.wrapping_sub(slot.last_seen) <= KEEP_TICKS);
    }

    /// How many entities are known.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    fn intern(&mut self, identity: &Identity<'_>, uid: &str) -> Arc<Entity> {
        let hash = identity.hash();
        let tick = self.tick;
        if let Some(slot) = self.table.find_mut(hash, |slot| identity.matches(&slot.entity)) {
            slot.last_seen = tick;
            if !uid.is_empty() && slot.entity.uid() != uid {
                slot.entity = Arc::new(identity.to_entity(uid));
            }
            return Arc::clone(&slot.entity);
        }
        let entity = Arc::new(identity.to_entity(uid));
        let slot = Slot { entity: Arc::clone(&entity), last_seen: tick };
        self.table.insert_unique(hash, slot, |slot| slot.entity.hash64());
        entity
    }
}

fn identity(kind: EntityKind, name: &str) -> Identity<'_> {
    Identity { kind, namespace: "", variant: "", name, parent: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_is_one_allocation_until_forgotten() {
        let mut registry = Registry::default();
        let first = registry.pod("ns", "web", "u1");
        assert!(Arc::ptr_eq(&first, &registry.pod("ns", "web", "")));
        let recreated = registry.pod("ns", "web", "u2");
        assert_eq!(first, recreated);
        assert_eq!(recreated.uid(), "u2");
        assert_ne!(first, registry.pod("other", "web", "u1"));
        for _ in 0..=KEEP_TICKS {
            registry.end_tick(&[]);
        }
        assert!(registry.is_empty());
    }
}
