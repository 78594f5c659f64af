//! The entities that appends have met in a window: from a row of a batch to its slot there.

use std::collections::HashMap;
use std::sync::Arc;

use hashbrown::HashTable;
use model::Entity;

/// Stands for the node of what runs on none.
const NOWHERE: u32 = u32::MAX;

/// A model entity on a node, and its slot in the window.
struct Known {
    entity: Arc<Entity>,
    /// Position among the nodes, or [`NOWHERE`].
    node: u32,
    slot: u32,
}

/// All of them, each once; a large cluster has millions, so they lie in a row and the table holds
/// their positions.
#[derive(Default)]
pub(super) struct KnownEntities {
    all: Vec<Known>,
    positions: HashTable<u32>,
    nodes: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, u32>,
}

impl KnownEntities {
    /// The slot of `entity` on `node`.
    pub(super) fn slot(&self, entity: &Arc<Entity>, node: Option<&str>) -> Option<u32> {
        let same = |at: &u32| {
            let known = &self.all[*at as usize];
            (Arc::ptr_eq(&known.entity, entity) || known.entity == *entity)
                && self.nodes.get(known.node as usize).map(|node| &**node) == node
        };
        let at = self.positions.find(entity.hash64(), same)?;
        Some(self.all[*at as usize].slot)
    }

    /// Adds one that is not known yet.
    pub(super) fn add(&mut self, entity: &Arc<Entity>, node: Option<&str>, slot: u32) {
        let Ok(at) = u32::try_from(self.all.len()) else { return };
        let node = node.map_or(NOWHERE, |node| self.number(node));
        model::push_long(&mut self.all, Known { entity: Arc::clone(entity), node, slot });
        let all = &self.all;
        let hash = |at: &u32| all[*at as usize].entity.hash64();
        self.positions.insert_unique(entity.hash64(), at, hash);
    }

    fn number(&mut self, node: &str) -> u32 {
        if let Some(number) = self.numbers.get(node) {
            return *number;
        }
        let number = u32::try_from(self.nodes.len()).unwrap_or(NOWHERE);
        let name: Arc<str> = node.into();
        self.nodes.push(Arc::clone(&name));
        self.numbers.insert(name, number);
        number
    }

    pub(super) fn clear(&mut self) {
        self.all.clear();
        self.positions.clear();
        self.nodes.clear();
        self.numbers.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_is_known_by_its_node_too() {
        let mut registry = model::Registry::default();
        let (one, two) = (registry.node("n1"), registry.node("n2"));
        let mut known = KnownEntities::default();
        known.add(&one, Some("a"), 7);
        known.add(&one, Some("b"), 8);
        known.add(&one, None, 9);
        known.add(&two, Some("a"), 10);
        let slots = [Some("a"), Some("b"), None, Some("c")].map(|node| known.slot(&one, node));
        assert_eq!(slots, [Some(7), Some(8), Some(9), None]);
        assert_eq!([Some("a"), None].map(|node| known.slot(&two, node)), [Some(10), None]);
        assert_eq!(known.nodes.len(), 2);
        known.clear();
        assert_eq!(known.slot(&one, Some("a")), None);
    }

    #[test]
    fn an_entity_takes_two_words() {
        assert_eq!(size_of::<Known>(), 16);
    }
}
