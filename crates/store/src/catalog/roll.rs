//! What the entities of a selection are called, for as long as it lasts: the catalog may forget
//! or learn others meanwhile.

use std::cmp::Ordering;
use std::sync::{Arc, OnceLock, PoisonError};

use model::{EntityKind, Pairs};

use super::{Catalog, Row, lately, order};
use crate::Labels;

/// Names of entities by their places in the list that was asked for.
#[derive(Debug)]
pub(crate) enum Roll {
    /// Few: the catalog keeps what it made for the next who asks.
    Made(Vec<Labels>),
    /// Many: labels would be more than the catalog itself, so they are made one by one.
    Rows(Rows),
}

/// Rows as the catalog has them, with the words that they need.
#[derive(Debug)]
pub(crate) struct Rows {
    kind: EntityKind,
    words: Vec<Arc<str>>,
    shapes: Vec<Arc<[Arc<str>]>>,
    /// By entity: its shape, and where its row begins among the numbers.
    places: Vec<(u32, u32)>,
    numbers: Vec<u32>,
    /// All labels, for who wants them at once.
    made: OnceLock<Vec<Labels>>,
}

impl Roll {
    /// The labels of the entity at `at`.
    pub(crate) fn labels(&self, at: u32) -> Labels {
        match self {
            Self::Made(all) => all[at as usize].clone(),
            Self::Rows(rows) => rows.labels(rows.places[at as usize]),
        }
    }

    /// Those of the entity at `at`, kept: of many entities, all are made for it.
    pub(crate) fn kept(&self, at: u32) -> &Labels {
        let all = match self {
            Self::Made(all) => all,
            Self::Rows(rows) => rows
                .made
                .get_or_init(|| rows.places.iter().map(|place| rows.labels(*place)).collect()),
        };
        &all[at as usize]
    }

    /// The order of two entities' labels.
    pub(crate) fn compare(&self, left: u32, right: u32) -> Ordering {
        match self {
            Self::Made(all) => all[left as usize].cmp(&all[right as usize]),
            Self::Rows(rows) => rows.compare(left, right),
        }
    }
}

impl Rows {
    fn row(&self, (shape, start): (u32, u32)) -> Row<'_> {
        let names = &*self.shapes[shape as usize];
        (names, &self.numbers[start as usize..start as usize + names.len()])
    }

    fn labels(&self, place: (u32, u32)) -> Labels {
        let (names, (_, row)) = (&self.shapes[place.0 as usize], self.row(place));
        let values = row.iter().map(|word| Arc::clone(&self.words[*word as usize])).collect();
        let pairs = Pairs::of(Arc::clone(names), values).unwrap_or_default();
        Labels::of_pairs(self.kind, pairs)
    }

    fn compare(&self, left: u32, right: u32) -> Ordering {
        let row = |at: u32| self.row(self.places[at as usize]);
        order((row(left), row(right)), |word| &*self.words[word as usize])
    }
}

impl Catalog {
    /// What entities of `kind` are called, by their place among `ids`, which are in use.
    pub(crate) fn roll(&self, kind: EntityKind, ids: &[u32]) -> Roll {
        if ids.len() > lately::MOST {
            return Roll::Rows(self.rows(kind, ids));
        }
        let mut lately = self.lately.lock().unwrap_or_else(PoisonError::into_inner);
        lately.grow(self.places.len());
        let labels = |id: &u32| lately.get(*id, || self.labels(*id));
        let nameless = || Labels::new(kind, Vec::new());
        Roll::Made(ids.iter().map(labels).map(|one| one.unwrap_or_else(nameless)).collect())
    }

    fn rows(&self, kind: EntityKind, ids: &[u32]) -> Rows {
        let shapes = self.shapes.iter().map(|shape| Arc::clone(&shape.names)).collect();
        let widest = self.shapes(kind).map(|shape| shape.names.len()).max().unwrap_or(0);
        let mut found = Rows {
            kind,
            words: Vec::new(),
            shapes,
            places: Vec::with_capacity(ids.len()),
            numbers: Vec::with_capacity(ids.len() * widest),
            made: OnceLock::new(),
        };
        // By word: its number here, from 1 on.
        let mut numbers = vec![0_u32; self.words.numbers()];
        let nowhere = u32::try_from(found.shapes.len()).unwrap_or(u32::MAX);
        found.shapes.push(Arc::from([]));
        for id in ids {
            let start = u32::try_from(found.numbers.len()).unwrap_or(u32::MAX);
            let place = self.places.get(*id as usize).filter(|place| place.shape < nowhere);
            found.places.push((place.map_or(nowhere, |place| place.shape), start));
            let row = place.map_or(&[][..], |place| super::row_of(&self.shapes, *place));
            for word in row {
                let number = &mut numbers[*word as usize];
                if *number == 0 {
                    found.words.push(self.words.get(*word).cloned().unwrap_or_default());
                    *number = u32::try_from(found.words.len()).unwrap_or(u32::MAX);
                }
                found.numbers.push(*number - 1);
            }
        }
        found
    }
}
