//! By which of their labels series are grouped or meet, without making lists of those.

use std::hash::{BuildHasher as _, Hash as _, Hasher as _};
use std::sync::Arc;

use hashbrown::HashTable;

use super::{Labels, METRIC_NAME};

type LabelPair = (Arc<str>, Arc<str>);

/// The labels that count: those of a list, or all but those of a list and the metric's name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signature<'n> {
    pub(super) without: bool,
    pub(super) names: &'n [Arc<str>],
}

impl Signature<'_> {
    fn counts(self, name: &str) -> bool {
        let listed = self.names.iter().any(|listed| **listed == *name);
        if self.without { name != METRIC_NAME && !listed } else { listed }
    }

    fn kept(self, labels: &Labels) -> impl Iterator<Item = &LabelPair> {
        labels.pairs().iter().filter(move |(name, _)| self.counts(name))
    }

    /// These labels without those that do not count.
    pub(super) fn of(self, labels: &Labels) -> Labels {
        labels.filtered(|name| self.counts(name))
    }
}

/// Finds the place of what has the same signature, by the order in which each came first.
#[derive(Debug)]
pub(super) struct Places<'n> {
    signature: Signature<'n>,
    state: foldhash::fast::RandomState,
    table: HashTable<usize>,
    /// By place: labels with that signature.
    labels: Vec<Labels>,
}

impl<'n> Places<'n> {
    pub(super) fn new(signature: Signature<'n>) -> Self {
        Self {
            signature,
            state: foldhash::fast::RandomState::default(),
            table: HashTable::new(),
            labels: Vec::new(),
        }
    }

    /// The place of `labels`, if it is known.
    pub(super) fn find(&self, labels: &Labels) -> Option<usize> {
        let hash = hash_of(&self.state, self.signature.kept(labels));
        self.table.find(hash, |place| self.is_same(*place, labels)).copied()
    }

    /// The place of `labels`, and whether it is new; what `stands` for it is kept then.
    pub(super) fn of(
        &mut self,
        labels: &Labels,
        stands: impl FnOnce(&Labels) -> Labels,
    ) -> (usize, bool) {
        let signature = self.signature;
        let hash = hash_of(&self.state, signature.kept(labels));
        if let Some(place) = self.table.find(hash, |place| self.is_same(*place, labels)) {
            return (*place, false);
        }
        let Self { state, table, labels: known, .. } = self;
        let place = known.len();
        table.insert_unique(hash, place, |place| hash_of(state, signature.kept(&known[*place])));
        known.push(stands(labels));
        (place, true)
    }

    fn is_same(&self, place: usize, labels: &Labels) -> bool {
        let known = self.signature.kept(&self.labels[place]);
        known.eq(self.signature.kept(labels))
    }

    /// What stands at each place.
    pub(super) fn into_labels(self) -> Vec<Labels> {
        self.labels
    }
}

fn hash_of<'l>(
    state: &foldhash::fast::RandomState,
    pairs: impl Iterator<Item = &'l LabelPair>,
) -> u64 {
    let mut hasher = state.build_hasher();
    pairs.for_each(|pair| pair.hash(&mut hasher));
    hasher.finish()
}
