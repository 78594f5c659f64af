//! Labels of one row in one reused buffer, so that walking a batch allocates nothing.

use std::hash::{DefaultHasher, Hash, Hasher as _};

/// Pairs of key and value.
#[derive(Debug, Default)]
pub(crate) struct Labels {
    text: String,
    spans: Vec<Span>,
}

#[derive(Debug, Clone, Copy)]
struct Span {
    key: usize,
    value: usize,
    end: usize,
}

impl Labels {
    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.spans.clear();
    }

    pub(crate) fn push(&mut self, key: &str, value: &str) {
        let start = self.text.len();
        self.text.push_str(key);
        let middle = self.text.len();
        self.text.push_str(value);
        self.spans.push(Span { key: start, value: middle, end: self.text.len() });
    }

    /// Sorts by key.
    pub(crate) fn sort(&mut self) {
        let text = &*self.text;
        self.spans.sort_unstable_by(|left, right| {
            text.get(left.key..left.value).cmp(&text.get(right.key..right.value))
        });
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.spans.iter().filter_map(|span| {
            Some((self.text.get(span.key..span.value)?, self.text.get(span.value..span.end)?))
        })
    }

    /// The value of `key`; empty when there is none.
    pub(crate) fn get(&self, key: &str) -> &str {
        self.iter().find(|(name, _)| *name == key).map_or("", |(_, value)| value)
    }

    /// Equal for equal labels, within this process.
    pub(crate) fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for (key, value) in self.iter() {
            key.hash(&mut hasher);
            value.hash(&mut hasher);
        }
        hasher.finish()
    }
}

/// Equal for what is equal, within this process.
pub(crate) fn digest(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}
