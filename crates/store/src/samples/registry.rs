//! Which series there are: labels by number, numbers by label; knows no samples.

use std::collections::HashMap;
use std::sync::Arc;

use roaring::RoaringBitmap;

use super::Pairs;
use crate::matcher::Matcher;

type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// Series with numbers that are never used again.
#[derive(Debug, Default)]
pub(super) struct Registry {
    all: Map<u32, Arc<Pairs>>,
    ids: Map<Arc<Pairs>, u32>,
    postings: Map<Arc<str>, Map<Arc<str>, RoaringBitmap>>,
    next: u32,
}

impl Registry {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether any series has a label of this value.
    pub(super) fn has(&self, name: &str, value: &str) -> bool {
        self.postings.get(name).is_some_and(|values| values.contains_key(value))
    }

    pub(super) fn id(&self, labels: &Pairs) -> Option<u32> {
        self.ids.get(labels).copied()
    }

    pub(super) fn labels(&self, id: u32) -> Option<&Arc<Pairs>> {
        self.all.get(&id)
    }

    /// The number of a series, a new one if need be. Equal texts share memory.
    pub(super) fn insert(&mut self, labels: &Pairs) -> u32 {
        if let Some(id) = self.id(labels) {
            return id;
        }
        let id = self.next;
        self.next = self.next.wrapping_add(1);
        let mut pairs = Vec::with_capacity(labels.len());
        for (name, value) in labels {
            let known = self.postings.get_key_value(name).map(|(name, _)| Arc::clone(name));
            let name = known.unwrap_or_else(|| Arc::clone(name));
            let values = self.postings.entry(Arc::clone(&name)).or_default();
            let known = values.get_key_value(value).map(|(value, _)| Arc::clone(value));
            let value = known.unwrap_or_else(|| Arc::clone(value));
            values.entry(Arc::clone(&value)).or_default().insert(id);
            pairs.push((name, value));
        }
        let labels: Arc<Pairs> = pairs.into();
        self.all.insert(id, Arc::clone(&labels));
        self.ids.insert(labels, id);
        id
    }

    /// Drops a series.
    pub(super) fn forget(&mut self, id: u32) {
        let Some(labels) = self.all.remove(&id) else { return };
        self.ids.remove(&labels);
        for (name, value) in labels.iter() {
            let Some(values) = self.postings.get_mut(name) else { continue };
            if let Some(ids) = values.get_mut(value) {
                ids.remove(id);
                if ids.is_empty() {
                    values.remove(value);
                }
            }
            if values.is_empty() {
                self.postings.remove(name);
            }
        }
    }

    /// The series that pass every matcher.
    pub(super) fn find(&self, matchers: &[Matcher]) -> RoaringBitmap {
        let mut found: Option<RoaringBitmap> = None;
        let mut late = Vec::new();
        for matcher in matchers {
            if matcher.accepts("") {
                late.push(matcher);
                continue;
            }
            let passing = match matcher.wanted() {
                Some(values) => self.with(matcher.name(), values),
                None => self.having(matcher.name(), |value| matcher.accepts(value)),
            };
            let passing = match found {
                Some(found) => found & passing,
                None => passing,
            };
            if passing.is_empty() {
                return passing;
            }
            found = Some(passing);
        }
        let mut found = found.unwrap_or_else(|| self.all.keys().copied().collect());
        for matcher in late {
            found -= self.having(matcher.name(), |value| !matcher.accepts(value));
        }
        found
    }

    /// The series whose label has one of these values.
    fn with<'v>(&self, name: &str, values: impl Iterator<Item = &'v str>) -> RoaringBitmap {
        let mut ids = RoaringBitmap::new();
        if let Some(known) = self.postings.get(name) {
            values.filter_map(|value| known.get(value)).for_each(|some| ids |= some);
        }
        ids
    }

    fn having(&self, name: &str, wanted: impl Fn(&str) -> bool) -> RoaringBitmap {
        let mut ids = RoaringBitmap::new();
        for (_, some) in self.postings.get(name).into_iter().flatten().filter(|(v, _)| wanted(v)) {
            ids |= some;
        }
        ids
    }

    /// The values of a label, sorted.
    pub(super) fn values(&self, name: &str) -> Vec<Arc<str>> {
        let values = self.postings.get(name).into_iter().flatten();
        let mut values: Vec<Arc<str>> = values.map(|(value, _)| Arc::clone(value)).collect();
        values.sort_unstable();
        values
    }

    pub(super) fn ids(&self) -> Vec<u32> {
        self.all.keys().copied().collect()
    }
}
