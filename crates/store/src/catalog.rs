//! The catalog: every entity that is stored anywhere, numbered, with its label index.
//!
//! In memory only. Heads and blocks name entities by these numbers, so that a query matches
//! labels once, whatever the number of files. Knows no files and no values.
//!
//! An entity is a row of numbers of words below the names that it shares with others: there are
//! millions, and most of what they are called is the same. [`Labels`] are made when asked for.

use std::cmp::Ordering;
use std::hash::{BuildHasher as _, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, PoisonError};

use hashbrown::HashTable;
use model::{EntityKind, Pairs};
use roaring::RoaringBitmap;

use crate::labels::{put_pairs, shared_name};
use crate::{Labels, wire};

mod index;
mod lately;
mod postings;
mod roll;
mod shape;
mod words;

use index::Label;
use lately::Lately;
pub(crate) use roll::Roll;
use shape::Shape;
use words::Words;

/// Where an entity's row is.
#[derive(Debug, Clone, Copy)]
struct Place {
    shape: u32,
    row: u32,
}

/// Of a number that is free.
const NOWHERE: Place = Place { shape: u32::MAX, row: 0 };

/// Every known entity.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    words: Words,
    shapes: Vec<Shape>,
    labels: Vec<Label>,
    /// By number.
    places: Vec<Place>,
    free: Vec<u32>,
    table: HashTable<u32>,
    /// The row that was looked for last.
    row: Vec<u32>,
    /// Locked after everything else.
    lately: Mutex<Lately>,
}

fn hash(shape: u32, row: &[u32]) -> u64 {
    let mut hasher = foldhash::quality::FixedState::default().build_hasher();
    shape.hash(&mut hasher);
    for word in row {
        hasher.write_u32(*word);
    }
    hasher.finish()
}

fn row_of(shapes: &[Shape], place: Place) -> &[u32] {
    shapes.get(place.shape as usize).map_or(&[], |shape| shape.row(place.row))
}

/// Names and texts of a row.
fn pairs<'a>(
    names: &'a [Arc<str>],
    row: &'a [u32],
    text: impl Fn(u32) -> &'a str,
) -> impl ExactSizeIterator<Item = (&'a str, &'a str)> {
    names.iter().zip(row).map(move |(name, word)| (&**name, text(*word)))
}

/// Names of labels, and numbers of the words below them.
type Row<'a> = (&'a [Arc<str>], &'a [u32]);

/// The order of two rows' pairs. Rows of one shape have the same list of names.
fn order<'a>((left, right): (Row<'a>, Row<'a>), text: impl Fn(u32) -> &'a str + Copy) -> Ordering {
    if std::ptr::eq(left.0, right.0) {
        // Words are numbered once: only different ones are read.
        let differs = left.1.iter().zip(right.1).find(|(left, right)| left != right);
        return differs.map_or(Ordering::Equal, |(left, right)| text(*left).cmp(text(*right)));
    }
    pairs(left.0, left.1, text).cmp(pairs(right.0, right.1, text))
}

impl Catalog {
    /// The number of the entity of `kind` with these pairs, given now if it is new. They are
    /// sorted by name, each name once, no value empty, as in [`Labels`].
    pub(crate) fn intern<'a>(
        &mut self,
        kind: EntityKind,
        pairs: impl Iterator<Item = (&'a str, &'a str)> + Clone,
    ) -> u32 {
        let shape = self.shape(kind, pairs.clone().map(|(name, _)| name));
        let mut len = 0;
        for (at, (_, value)) in pairs.enumerate() {
            len = at + 1;
            match self.row.get_mut(at) {
                // Mostly it is that of the entity before: its pod, its node.
                Some(word) if self.words.get(*word).is_some_and(|text| **text == *value) => {}
                Some(word) => *word = self.words.add(value),
                None => self.row.push(self.words.add(value)),
            }
        }
        self.row.truncate(len);
        let hash = hash(shape, &self.row);
        let (shapes, places, row) = (&self.shapes, &self.places, &self.row);
        let same = |id: &u32| {
            let place = places[*id as usize];
            place.shape == shape && *row_of(shapes, place) == **row
        };
        if let Some(id) = self.table.find(hash, same) {
            return *id;
        }
        let id = self.free.pop().unwrap_or_else(|| {
            model::push_long(&mut self.places, NOWHERE);
            u32::try_from(self.places.len() - 1).unwrap_or(u32::MAX)
        });
        let known = &mut self.shapes[shape as usize];
        known.ids.insert(id);
        for (label, word) in known.labels.iter().zip(&self.row) {
            self.labels[*label as usize].insert(*word, id);
        }
        self.places[id as usize] = Place { shape, row: known.add(&self.row) };
        let (shapes, places) = (&self.shapes, &self.places);
        self.table.insert_unique(hash, id, |id| {
            let place = places[*id as usize];
            self::hash(place.shape, row_of(shapes, place))
        });
        id
    }

    /// The position of the shape of these names, made now if it is new.
    fn shape<'a>(&mut self, kind: EntityKind, names: impl Iterator<Item = &'a str> + Clone) -> u32 {
        let at = self.shapes.iter().position(|shape| shape.is(kind, names.clone()));
        let at = at.unwrap_or_else(|| {
            let labels: Box<[u32]> = names.map(|name| self.label(name)).collect();
            let name = |label: &u32| Arc::clone(&self.labels[*label as usize].name);
            let names: Arc<[Arc<str>]> = labels.iter().map(name).collect();
            // Kinds share lists of names, so that their labels compare fast.
            let names = self
                .shapes
                .iter()
                .find(|shape| shape.names == names)
                .map_or(names, |one| Arc::clone(&one.names));
            self.shapes.push(Shape::new(kind, names, labels));
            self.shapes.len() - 1
        });
        u32::try_from(at).unwrap_or(u32::MAX)
    }

    /// The position of a name, given now if it is new.
    fn label(&mut self, name: &str) -> u32 {
        let at = self.labels.iter().position(|label| *label.name == *name).unwrap_or_else(|| {
            self.labels.push(Label::new(shared_name(name)));
            self.labels.len() - 1
        });
        u32::try_from(at).unwrap_or(u32::MAX)
    }

    fn entity(&self, id: u32) -> Option<(&Shape, &[u32])> {
        let place = self.places.get(id as usize)?;
        let shape = self.shapes.get(place.shape as usize)?;
        Some((shape, shape.row(place.row)))
    }

    /// Whether a number is in use.
    pub(crate) fn holds(&self, id: u32) -> bool {
        self.places.get(id as usize).is_some_and(|place| place.shape != NOWHERE.shape)
    }

    /// The text of a word, which an entity has and so is there.
    fn text(&self, word: u32) -> &str {
        self.words.get(word).map_or("", |text| text)
    }

    /// The labels of a number that is in use, made anew.
    pub(crate) fn labels(&self, id: u32) -> Option<Labels> {
        let (shape, row) = self.entity(id)?;
        let values = row.iter().map(|word| self.words.get(*word).cloned().unwrap_or_default());
        let pairs = Pairs::of(Arc::clone(&shape.names), values.collect())?;
        Some(Labels::of_pairs(shape.kind, pairs))
    }

    /// Writes the labels of a number as a difference to those of `previous`.
    pub(crate) fn put(&self, id: u32, previous: Option<u32>, out: &mut Vec<u8>) {
        const NONE: (&[Arc<str>], &[u32]) = (&[], &[]);
        let (names, row) = self.entity(id).map_or(NONE, |(shape, row)| (&shape.names, row));
        let text = |word: u32| self.text(word);
        let before = previous.and_then(|id| self.entity(id));
        let before = before.into_iter().flat_map(|(shape, row)| pairs(&shape.names, row, text));
        put_pairs(pairs(names, row, text), before, out);
    }

    /// The order of two numbers' labels, as that of [`Labels`].
    pub(crate) fn compare(&self, left: u32, right: u32) -> Ordering {
        let (left, right) = match (self.entity(left), self.entity(right)) {
            (Some(left), Some(right)) => (left, right),
            (left, right) => return left.is_some().cmp(&right.is_some()),
        };
        let ((left, left_row), (right, right_row)) = (left, right);
        let rows = ((&*left.names, left_row), (&*right.names, right_row));
        let kinds = wire::kind_code(left.kind).cmp(&wire::kind_code(right.kind));
        kinds.then_with(|| order(rows, |word| self.text(word)))
    }

    /// Number of entities.
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// Forgets every entity that is not in `live`; their numbers will be given again.
    pub(crate) fn retain(&mut self, live: &RoaringBitmap) {
        let lately = self.lately.get_mut().unwrap_or_else(PoisonError::into_inner);
        for (id, slot) in (0_u32..).zip(&mut self.places) {
            if live.contains(id) || slot.shape == NOWHERE.shape {
                continue;
            }
            let place = std::mem::replace(slot, NOWHERE);
            let Some(shape) = self.shapes.get_mut(place.shape as usize) else { continue };
            let row = shape.row(place.row);
            if let Ok(entry) = self.table.find_entry(hash(place.shape, row), |known| *known == id) {
                entry.remove();
            }
            for (label, word) in shape.labels.iter().zip(row) {
                let unused = self.labels[*label as usize].remove(*word, id);
                if unused && !self.labels.iter().any(|label| label.holds(*word)) {
                    self.words.remove(*word);
                }
            }
            shape.ids.remove(id);
            shape.remove(place.row);
            lately.forget(id);
            self.free.push(id);
        }
    }

    /// Bytes that it takes, about.
    pub(crate) fn heap_bytes(&self) -> usize {
        let shapes: usize = self.shapes.iter().map(Shape::heap_bytes).sum();
        let labels: usize = self.labels.iter().map(Label::heap_bytes).sum();
        let lately = self.lately.lock().unwrap_or_else(PoisonError::into_inner).heap_bytes();
        let numbers = self.places.capacity() * size_of::<Place>() + self.free.capacity() * 4;
        self.words.heap_bytes() + shapes + labels + lately + numbers + self.table.allocation_size()
    }
}

#[cfg(test)]
mod tests;
