//! The entities that a selection is about, and where each of them is; knows no values.

use std::ops::Range;

use crate::catalog::Roll;

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

    /// Entity by entity, with their places in one list. The first `blocks` parts are blocks, which
    /// have their entities in the order of their labels: they are read group by group, so that
    /// each group is decoded once. `roll` tells what the catalog calls its numbers.
    pub(crate) fn by_entity(mut self, blocks: usize, roll: impl FnOnce(&[u32]) -> Roll) -> Found {
        let of_blocks = self.0.partition_point(|(_, part, _)| (*part as usize) < blocks);
        // Parts were searched in turn: first and last are of one part when all are.
        let one_block = is_one_part(&self.0[..of_blocks]);
        if !is_one_part(&self.0) {
            self.0.sort_unstable();
        }
        let places: Vec<_> = self.0.iter().map(|(_, part, position)| (*part, *position)).collect();
        let (mut ids, mut targets) = (Vec::new(), Vec::new());
        let mut start = 0;
        for group in self.0.chunk_by(|left, right| left.0 == right.0) {
            let end = start + u32::try_from(group.len()).unwrap_or(u32::MAX);
            let name = u32::try_from(ids.len()).unwrap_or(u32::MAX);
            targets.push(Target { name, start, end });
            ids.push(group[0].0);
            start = end;
        }
        drop(self);
        let roll = roll(&ids);
        if of_blocks > 0 {
            // As their first parts have them: of several blocks that is one ordered run for each.
            targets.sort_unstable_by_key(|target| places[target.start as usize]);
            if !one_block {
                targets.sort_by(|left, right| roll.compare(left.name, right.name));
            }
        }
        let ordered = of_blocks > 0 && (!one_block || of_blocks == places.len());
        Found { targets, roll, places, ordered }
    }
}

fn is_one_part(places: &[(u32, u32, u32)]) -> bool {
    places.first().map(|first| first.1) == places.last().map(|last| last.1)
}

/// The entities of a selection.
pub(crate) struct Found {
    pub(super) targets: Vec<Target>,
    pub(super) roll: Roll,
    /// Part and position, entity by entity.
    pub(super) places: Vec<(u32, u32)>,
    /// Whether they are in the order of their labels.
    pub(super) ordered: bool,
}

/// An entity: its place in the roll, and where in the list of places its own begin and end.
pub(crate) struct Target {
    pub(super) name: u32,
    start: u32,
    end: u32,
}

impl Target {
    pub(super) fn places(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}
