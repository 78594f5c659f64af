//! The entities that a selection is about, and where each of them is; knows no values.

use std::ops::Range;

use crate::Labels;

/// Where wanted entities are: catalog number, part, position there.
#[derive(Default)]
pub(crate) struct Targets(Vec<(u32, u32, u32)>);

impl Targets {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn add(&mut self, id: u32, part: usize, position: usize) {
        if let (Ok(part), Ok(position)) = (u32::try_from(part), u32::try_from(position)) {
            self.0.push((id, part, position));
        }
    }

    /// Entity by entity, with their places in one list.
    pub(crate) fn by_entity(mut self, labels: impl Fn(u32) -> Option<Labels>) -> Found {
        // Parts are searched in turn: first and last are of one part when all are.
        let part = self.0.first().map(|first| first.1);
        let one_part = part.filter(|part| self.0.last().is_some_and(|last| last.1 == *part));
        if one_part.is_none() {
            self.0.sort_unstable();
        }
        let places = self.0.iter().map(|(_, part, position)| (*part, *position)).collect();
        let mut targets = Vec::new();
        let mut start = 0;
        for group in self.0.chunk_by(|left, right| left.0 == right.0) {
            let at = start..start + group.len();
            start = at.end;
            if let Some(labels) = labels(group[0].0) {
                targets.push(Target { labels, at });
            }
        }
        Found { targets, places, one_part }
    }
}

/// The entities of a selection.
pub(crate) struct Found {
    pub(super) targets: Vec<Target>,
    /// Part and position, entity by entity.
    pub(super) places: Vec<(u32, u32)>,
    /// The part that all of them are in; they are then in its order.
    pub(super) one_part: Option<u32>,
}

/// An entity and where in the list of places its own are.
pub(crate) struct Target {
    pub(super) labels: Labels,
    pub(super) at: Range<usize>,
}
