//! The label index: which entities have a value, and which pass matchers.
//!
//! A value's entities are in one list, whatever their kind: a pod's containers, filesystems and
//! volumes lie together. A selection of one kind leaves the others out by their shapes.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasher as _;
use std::sync::Arc;

use hashbrown::HashTable;
use model::EntityKind;
use roaring::RoaringBitmap;

use super::Catalog;
use super::postings::Postings;
use super::shape::Shape;
use crate::Matcher;

/// How many entities are looked at rather than one value's list.
const ENTITIES_PER_LIST: u64 = 4;

fn hash(word: u32) -> u64 {
    foldhash::fast::FixedState::default().hash_one(word)
}

/// A name, and who has which value of it.
#[derive(Debug)]
pub(super) struct Label {
    pub(super) name: Arc<str>,
    /// By number of word.
    values: HashTable<(u32, Postings)>,
}

impl Label {
    pub(super) fn new(name: Arc<str>) -> Self {
        Self { name, values: HashTable::new() }
    }

    fn get(&self, word: u32) -> Option<&Postings> {
        self.values.find(hash(word), |(known, _)| *known == word).map(|(_, postings)| postings)
    }

    /// Whether any entity has the word as its value.
    pub(super) fn holds(&self, word: u32) -> bool {
        self.get(word).is_some()
    }

    /// Adds an entity, which is not there yet.
    pub(super) fn insert(&mut self, word: u32, id: u32) {
        if let Some((_, postings)) = self.values.find_mut(hash(word), |(known, _)| *known == word) {
            return postings.insert(id);
        }
        self.values.insert_unique(hash(word), (word, Postings::of(id)), |(word, _)| hash(*word));
    }

    /// Removes an entity; says whether no other has the word as its value.
    pub(super) fn remove(&mut self, word: u32, id: u32) -> bool {
        let Ok(mut entry) = self.values.find_entry(hash(word), |(known, _)| *known == word) else {
            return true;
        };
        let unused = entry.get_mut().1.remove(id);
        if unused {
            entry.remove();
        }
        unused
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let lists: usize = self.values.iter().map(|(_, postings)| postings.heap_bytes()).sum();
        lists + self.values.allocation_size()
    }
}

impl Catalog {
    pub(crate) fn select(&self, kind: EntityKind, matchers: &[Matcher]) -> RoaringBitmap {
        let mut found: Option<RoaringBitmap> = None;
        for matcher in matchers {
            let passed = self.pass(kind, matcher);
            found = Some(match found {
                None => passed,
                Some(found) => found & passed,
            });
        }
        found.unwrap_or_else(|| self.all(kind))
    }

    pub(super) fn shapes(&self, kind: EntityKind) -> impl Iterator<Item = &Shape> {
        self.shapes.iter().filter(move |shape| shape.kind == kind)
    }

    /// The entities of a kind.
    fn all(&self, kind: EntityKind) -> RoaringBitmap {
        union(self.shapes(kind).map(|shape| shape.ids.clone()))
    }

    /// The entities of a kind that have a label.
    fn with(&self, kind: EntityKind, label: u32) -> RoaringBitmap {
        let with = self.shapes(kind).filter(|shape| shape.has(label));
        union(with.map(|shape| shape.ids.clone()))
    }

    /// The position of a name, and what is known of it.
    fn named(&self, name: &str) -> Option<(u32, &Label)> {
        (0..).zip(&self.labels).find(|(_, label)| *label.name == *name)
    }

    fn is(&self, id: u32, kind: EntityKind) -> bool {
        self.entity(id).is_some_and(|(shape, _)| shape.kind == kind)
    }

    /// Adds those of a kind.
    fn add(&self, postings: &Postings, kind: EntityKind, found: &mut RoaringBitmap) {
        match postings {
            Postings::Many(ids) => {
                self.shapes(kind).for_each(|shape| *found |= &**ids & &shape.ids);
            }
            list => {
                let ids = list.list().unwrap_or_default().iter().copied();
                found.extend(ids.filter(|id| self.is(*id, kind)));
            }
        }
    }

    fn pass(&self, kind: EntityKind, matcher: &Matcher) -> RoaringBitmap {
        let mut ids = RoaringBitmap::new();
        let label = self.named(matcher.name());
        if let Some(present) = matcher.presence() {
            let with = label.map(|(label, _)| self.with(kind, label)).unwrap_or_default();
            return if present { with } else { self.all(kind) - with };
        }
        // What no entity of the kind has need not be looked through.
        let label = label.filter(|(at, _)| self.shapes(kind).any(|shape| shape.has(*at)));
        let label = label.map(|(_, label)| label);
        if let Some(wanted) = matcher.wanted() {
            let words = wanted.filter_map(|value| self.words.find(value));
            let found = words.filter_map(|word| label?.get(word));
            found.for_each(|postings| self.add(postings, kind, &mut ids));
            return ids;
        }
        // Collect whichever side leaves absent labels out, so that they need no list.
        let with_absent = matcher.accepts("");
        for (word, postings) in label.into_iter().flat_map(|label| &label.values) {
            if matcher.accepts(self.text(*word)) != with_absent {
                self.add(postings, kind, &mut ids);
            }
        }
        if with_absent { self.all(kind) - ids } else { ids }
    }

    /// Names of labels on entities of `kind`, or of any kind.
    pub(crate) fn label_names(&self, kind: Option<EntityKind>) -> BTreeSet<Arc<str>> {
        let wanted = |shape: &&Shape| kind.is_none_or(|kind| kind == shape.kind);
        let there = self.shapes.iter().filter(wanted).filter(|shape| !shape.ids.is_empty());
        there.flat_map(|shape| shape.names.iter().cloned()).collect()
    }

    /// Values of the label `name` on the entities of `kind`, or of any kind; of these on the ones
    /// among `ids`, or on all.
    pub(crate) fn label_values(
        &self,
        kind: Option<EntityKind>,
        name: &str,
        ids: Option<&RoaringBitmap>,
    ) -> BTreeSet<Arc<str>> {
        let Some((at, label)) = self.named(name) else { return BTreeSet::new() };
        let mut within = match kind {
            Some(kind) => self.with(kind, at),
            None => union(self.shapes.iter().filter(|one| one.has(at)).map(|one| one.ids.clone())),
        };
        if let Some(ids) = ids {
            within &= ids;
        }
        let mut words = RoaringBitmap::new();
        if within.len() <= label.values.len() as u64 * ENTITIES_PER_LIST {
            let places: BTreeMap<u32, usize> = (0..)
                .zip(&self.shapes)
                .filter_map(|(shape, one)| Some((shape, one.labels.iter().position(|l| *l == at)?)))
                .collect();
            for id in &within {
                let place = self.places[id as usize];
                let position = places.get(&place.shape);
                let row = super::row_of(&self.shapes, place);
                words.extend(position.and_then(|position| row.get(*position)).copied());
            }
        } else {
            let wanted = |postings: &Postings| match postings {
                Postings::Many(many) => !many.is_disjoint(&within),
                list => list.list().unwrap_or_default().iter().any(|id| within.contains(*id)),
            };
            let wanted = label.values.iter().filter(|(_, postings)| wanted(postings));
            words.extend(wanted.map(|(word, _)| *word));
        }
        words.iter().filter_map(|word| self.words.get(word).cloned()).collect()
    }
}

fn union(bitmaps: impl Iterator<Item = RoaringBitmap>) -> RoaringBitmap {
    bitmaps.reduce(|all, one| all | one).unwrap_or_default()
}
