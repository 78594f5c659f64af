//! The entities that appends have met: from a row of a batch to its slot in the window.
//!
//! When a window is left they keep their catalog numbers, so that the next one need not look up
//! all labels.

use std::collections::HashMap;
use std::sync::Arc;

use hashbrown::HashTable;
use model::Entity;

use crate::window::Window;

/// Stands for the node of what runs on none.
const NOWHERE: u32 = u32::MAX;

/// Marks a place that is a catalog number; there are fewer of both.
const BY_NUMBER: u32 = 1 << 31;

/// Where an entity is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Its slot in the window.
    Slot(u32),
    /// Its catalog number; the window has not met it yet.
    Number(u32),
}

/// A model entity on a node, and its place.
struct Known {
    entity: Arc<Entity>,
    /// Position among the nodes, or [`NOWHERE`].
    node: u32,
    place: u32,
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
    /// The position of `entity` on `node`.
    pub(super) fn find(&self, entity: &Arc<Entity>, node: Option<&str>) -> Option<u32> {
        let same = |at: &u32| {
            let known = &self.all[*at as usize];
            (Arc::ptr_eq(&known.entity, entity) || known.entity == *entity)
                && self.nodes.get(known.node as usize).map(|node| &**node) == node
        };
        self.positions.find(entity.hash64(), same).copied()
    }

    /// The place of the one at a position, if there is one.
    pub(super) fn place(&self, at: u32) -> Option<Place> {
        Some(match self.all.get(at as usize)?.place {
            place if place < BY_NUMBER => Place::Slot(place),
            place => Place::Number(place - BY_NUMBER),
        })
    }

    /// Gives a slot to the one at a position.
    pub(super) fn settle(&mut self, at: u32, slot: u32) {
        self.all[at as usize].place = slot;
    }

    /// Adds one that is not known yet.
    pub(super) fn add(&mut self, entity: &Arc<Entity>, node: Option<&str>, slot: u32) {
        let Ok(at) = u32::try_from(self.all.len()) else { return };
        let node = node.map_or(NOWHERE, |node| self.number(node));
        model::push_long(&mut self.all, Known { entity: Arc::clone(entity), node, place: slot });
        self.point_at(at);
    }

    fn point_at(&mut self, at: u32) {
        let all = &self.all;
        let hash = |at: &u32| all[*at as usize].entity.hash64();
        self.positions.insert_unique(hash(&at), at, hash);
    }

    /// Takes catalog numbers for slots, for `window` is left.
    pub(super) fn leave(&mut self, window: &Window) {
        for known in self.all.iter_mut().filter(|known| known.place < BY_NUMBER) {
            let ids = &window.kinds[known.entity.kind().index()].ids;
            match ids.get(known.place as usize).filter(|id| **id < BY_NUMBER) {
                Some(id) => known.place = id | BY_NUMBER,
                // A write failed: the window never got it.
                None => return self.clear(),
            }
        }
    }

    /// Forgets those without a slot: they went before the window began.
    pub(super) fn forget_gone(&mut self) {
        let before = self.all.len();
        self.all.retain(|known| known.place < BY_NUMBER);
        if self.all.len() == before {
            return;
        }
        let nodes = std::mem::take(&mut self.nodes);
        self.numbers.clear();
        self.positions.clear();
        for at in 0..self.all.len() {
            if let Some(node) = nodes.get(self.all[at].node as usize) {
                self.all[at].node = self.number(node);
            }
            self.point_at(u32::try_from(at).unwrap_or(u32::MAX));
        }
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

    fn place(known: &KnownEntities, (entity, node): (&Arc<Entity>, Option<&str>)) -> Option<Place> {
        known.find(entity, node).and_then(|at| known.place(at))
    }

    #[test]
    fn an_entity_is_known_by_its_node_too() {
        let mut registry = model::Registry::default();
        let (one, two) = (registry.node("n1"), registry.node("n2"));
        let mut known = KnownEntities::default();
        known.add(&one, Some("a"), 7);
        known.add(&one, Some("b"), 8);
        known.add(&one, None, 9);
        known.add(&two, Some("a"), 10);
        let places =
            [Some("a"), Some("b"), None, Some("c")].map(|node| place(&known, (&one, node)));
        assert_eq!(
            places,
            [Some(Place::Slot(7)), Some(Place::Slot(8)), Some(Place::Slot(9)), None]
        );
        let places = [Some("a"), None].map(|node| place(&known, (&two, node)));
        assert_eq!(places, [Some(Place::Slot(10)), None]);
        assert_eq!(known.nodes.len(), 2);
    }

    #[test]
    fn numbers_outlive_a_window_and_who_is_gone_does_not() {
        let mut registry = model::Registry::default();
        let (one, two) = (registry.node("n1"), registry.node("n2"));
        let mut known = KnownEntities::default();
        known.add(&one, Some("a"), 0);
        known.add(&two, Some("b"), 1);
        let mut window = Window::new(1, 0, 1);
        window.kinds[one.kind().index()].ids = vec![70, 71];
        known.leave(&window);
        let (first, second) = ((&one, Some("a")), (&two, Some("b")));
        assert_eq!(place(&known, first), Some(Place::Number(70)));
        assert_eq!(place(&known, second), Some(Place::Number(71)));
        known.settle(known.find(&two, Some("b")).unwrap(), 0);
        known.forget_gone();
        assert_eq!(place(&known, first), None);
        assert_eq!(place(&known, second), Some(Place::Slot(0)));
        assert_eq!(known.nodes.len(), 1);
        // A window that never got it.
        known.settle(0, 2);
        known.leave(&window);
        assert_eq!(place(&known, second), None);
    }

    #[test]
    fn an_entity_takes_two_words() {
        assert_eq!(size_of::<Known>(), 16);
    }
}
