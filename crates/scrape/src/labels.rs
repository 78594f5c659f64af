//! Labels while they are made: names and values, borrowed as long as possible.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use model::SeriesPairs;

/// The label that holds a metric's name.
pub(crate) const METRIC_NAME: &str = "__name__";

/// Labels that are being made. An empty value is no label.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Labels<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Labels<'a> {
    /// The label's value; empty where there is none.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// Whether there is such a label.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// Sets a label; an empty value removes it.
    pub fn set(&mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) {
        let (name, value) = (name.into(), value.into());
        if value.is_empty() {
            self.remove(&name);
        } else if let Some((_, known)) = self.0.iter_mut().find(|(known, _)| *known == name) {
            *known = value;
        } else {
            self.0.push((name, value));
        }
    }

    /// Adds a label that is known to be new. An empty one must be dropped later.
    pub(crate) fn push(&mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) {
        self.0.push((name.into(), value.into()));
    }

    /// Removes labels without a value.
    pub(crate) fn drop_empty(&mut self) {
        self.0.retain(|(_, value)| !value.is_empty());
    }

    /// Removes a label.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(known, _)| known != name);
    }

    /// Keeps the labels whose name is accepted.
    pub fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) {
        self.0.retain(|(name, _)| keep(name));
    }

    /// Every label, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// How many labels there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sorted and shared; equal texts are held once in `pool`.
    pub(crate) fn finish(&self, pool: &mut Pool) -> Arc<SeriesPairs> {
        let mut pairs: Vec<(Arc<str>, Arc<str>)> =
            self.iter().map(|(name, value)| (pool.text(name), pool.text(value))).collect();
        pairs.sort_unstable_by(|left, right| left.0.cmp(&right.0));
        pairs.into()
    }

    /// Sorted, as texts of their own.
    pub(crate) fn sorted(&self) -> Vec<(String, String)> {
        let mut pairs: Vec<(String, String)> =
            self.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        pairs.sort_unstable();
        pairs
    }
}

impl<'a, N: Into<Cow<'a, str>>, V: Into<Cow<'a, str>>> FromIterator<(N, V)> for Labels<'a> {
    fn from_iter<T: IntoIterator<Item = (N, V)>>(pairs: T) -> Self {
        let mut labels = Self::default();
        for (name, value) in pairs {
            labels.set(name, value);
        }
        labels
    }
}

/// Texts that are held once.
#[derive(Debug, Default)]
pub(crate) struct Pool(HashSet<Arc<str>, foldhash::fast::RandomState>);

/// Longer texts are seldom equal to others.
const MAX_POOLED_BYTES: usize = 64;
/// Texts in a pool; later ones are held apart.
const MAX_POOLED: usize = 20_000;

impl Pool {
    pub(crate) fn text(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.get(text) {
            return Arc::clone(known);
        }
        let text: Arc<str> = text.into();
        if text.len() <= MAX_POOLED_BYTES && self.0.len() < MAX_POOLED {
            self.0.insert(Arc::clone(&text));
        }
        text
    }

    /// Forgets what nobody else holds.
    pub(crate) fn sweep(&mut self) {
        self.0.retain(|text| Arc::strong_count(text) > 1);
    }
}
