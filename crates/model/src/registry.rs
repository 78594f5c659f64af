//! The registry: one allocation per measured thing, for as long as it is seen.

use std::sync::Arc;

use hashbrown::HashTable;

use crate::entity::Identity;
use crate::pool::Pool;
use crate::{Entity, EntityKind, Table};

/// Every so many ticks entities are looked for that nobody holds any more.
const FORGET_EVERY: u32 = 8;

/// Interns [`Entity`] values, so that a tick over known things allocates nothing.
#[derive(Debug, Default)]
pub struct Registry {
    table: HashTable<Arc<Entity>>,
    /// Of containers and other parts: thousands of parents have parts of the same name.
    texts: Pool<Arc<str>>,
    tick: u32,
    /// Rows of each kind in the last tick.
    rows: [usize; EntityKind::ALL.len()],
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

    /// Ends a tick that filled `tables`: now and then forgets what neither they nor anybody else
    /// holds.
    pub(crate) fn end_tick(&mut self, tables: &[Table]) {
        for table in tables {
            self.rows[table.kind().index()] = table.len();
        }
        self.tick = self.tick.wrapping_add(1);
        if self.tick.is_multiple_of(FORGET_EVERY) {
            self.table.retain(|entity| Arc::strong_count(entity) > 1);
        }
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
        let hash = identity.hash64();
        if let Some(known) = self.table.find_mut(hash, |known| identity.matches(known)) {
            if !uid.is_empty() && known.uid() != uid {
                *known = Arc::new(identity.to_entity(uid));
            }
            return Arc::clone(known);
        }
        let mut entity = identity.to_entity(uid);
        if identity.parent.is_some() {
            self.texts.share(entity.text_mut());
        }
        let entity = Arc::new(entity);
        self.table.insert_unique(hash, Arc::clone(&entity), |known| known.hash64());
        entity
    }
}

fn identity(kind: EntityKind, name: &str) -> Identity<'_> {
    Identity { kind, namespace: "", variant: "", name, parent: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::LEAST_ROOM;

    #[test]
    fn one_thing_is_one_allocation_until_forgotten() {
        let mut registry = Registry::default();
        let first = registry.pod("ns", "web", "u1");
        assert!(Arc::ptr_eq(&first, &registry.pod("ns", "web", "")));
        let recreated = registry.pod("ns", "web", "u2");
        assert_eq!(first, recreated);
        assert_eq!(recreated.uid(), "u2");
        assert_ne!(first, registry.pod("other", "web", "u1"));
        drop(first);
        for _ in 0..FORGET_EVERY {
            registry.end_tick(&[]);
        }
        assert_eq!(registry.len(), 1, "the other namespace's pod is held by nobody");
        assert!(Arc::ptr_eq(&recreated, &registry.pod("ns", "web", "u2")));
        drop(recreated);
        for _ in 0..FORGET_EVERY {
            registry.end_tick(&[]);
        }
        assert!(registry.is_empty());
    }

    #[test]
    fn parts_of_one_name_share_it_and_unheld_names_go() {
        let mut registry = Registry::default();
        let pods = ["a", "b"].map(|name| registry.pod("ns", name, ""));
        let [left, right] = pods.each_ref().map(|pod| registry.container(pod, "main"));
        assert_ne!(left, right);
        assert!(std::ptr::eq(left.name(), right.name()));
        for number in 0..10 * LEAST_ROOM {
            registry.container(&pods[0], &format!("c{number}"));
            if number.is_multiple_of(LEAST_ROOM / 2) {
                (0..FORGET_EVERY).for_each(|_| registry.end_tick(&[]));
            }
        }
        let texts = registry.texts.len();
        assert!(texts <= 2 * LEAST_ROOM, "{texts} texts are kept");
        assert!(std::ptr::eq(registry.container(&pods[1], "main").name(), left.name()));
    }

    #[test]
    fn pieces_come_back_whatever_the_kind() {
        let mut registry = Registry::default();
        let pod = registry.pod("ns", "web", "u1");
        let workload = registry.workload("ns", "Deployment", "web");
        let container = registry.container(&pod, "c");
        let gpu = registry.accelerator(&container, "nvidia/t4", "0");
        let pieces = |entity: &Entity| {
            [entity.variant(), entity.name(), entity.uid()].map(ToOwned::to_owned)
        };
        assert_eq!(pieces(&pod), ["", "web", "u1"]);
        assert_eq!(pieces(&workload), ["Deployment", "web", ""]);
        assert_eq!(pieces(&container), ["", "c", ""]);
        assert_eq!(pieces(&gpu), ["nvidia/t4", "0", ""]);
        assert_eq!((workload.namespace(), gpu.namespace()), (Some("ns"), Some("ns")));
        // Where a piece ends is part of the identity.
        assert_ne!(registry.workload("n", "sDeployment", "web"), workload);
        assert_ne!(registry.accelerator(&container, "nvidia/t", "40"), gpu);
    }
}
