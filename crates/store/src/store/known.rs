//! The entities that appends have met in a window: from a row of a batch to its place there.

use std::sync::Arc;

use hashbrown::HashTable;
use model::Entity;

/// A model entity on a node, and its place in the window.
pub(super) struct Known {
    pub(super) entity: Arc<Entity>,
    pub(super) node: Option<Arc<str>>,
    /// Catalog number.
    pub(super) id: u32,
    /// `u32::MAX` until it has one.
    pub(super) slot: u32,
}

impl Known {
    fn is(&self, entity: &Arc<Entity>, node: Option<&str>) -> bool {
        (Arc::ptr_eq(&self.entity, entity) || self.entity == *entity)
            && self.node.as_deref() == node
    }
}

/// All of them, each once; a large cluster has millions, so they lie in a row and the table holds
/// their positions.
#[derive(Default)]
pub(super) struct KnownEntities {
    all: Vec<Known>,
    positions: HashTable<u32>,
}

impl KnownEntities {
    pub(super) fn find(&self, entity: &Arc<Entity>, node: Option<&str>) -> Option<&Known> {
        self.all.get(self.position(entity, node)?)
    }

    pub(super) fn find_mut(
        &mut self,
        entity: &Arc<Entity>,
        node: Option<&str>,
    ) -> Option<&mut Known> {
        let at = self.position(entity, node)?;
        self.all.get_mut(at)
    }

    fn position(&self, entity: &Arc<Entity>, node: Option<&str>) -> Option<usize> {
        let same = |at: &u32| self.all[*at as usize].is(entity, node);
        self.positions.find(entity.hash64(), same).map(|at| *at as usize)
    }

    /// Adds one that is not known yet.
    pub(super) fn add(&mut self, known: Known) {
        let Ok(at) = u32::try_from(self.all.len()) else { return };
        let hash = known.entity.hash64();
        model::push_long(&mut self.all, known);
        let all = &self.all;
        self.positions.insert_unique(hash, at, |at| all[*at as usize].entity.hash64());
    }

    pub(super) fn clear(&mut self) {
        self.all.clear();
        self.positions.clear();
    }
}
