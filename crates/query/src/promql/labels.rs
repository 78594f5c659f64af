//! A series' labels: sorted name and value pairs, shared; does not know which names mean what.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// The label that holds a metric's name.
pub const METRIC_NAME: &str = "__name__";

/// A map by labels.
pub(super) type LabelMap<V> = HashMap<Labels, V, foldhash::fast::RandomState>;

/// Sorted label names and values; an empty value is the same as no label.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels(Arc<[(Arc<str>, Arc<str>)]>);

impl Labels {
    /// Labels from pairs in any order; of a repeated name the last value counts.
    pub fn new<N: Into<Arc<str>>, V: Into<Arc<str>>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let mut all: Vec<(Arc<str>, Arc<str>)> = Vec::new();
        for (name, value) in pairs {
            let (name, value) = (name.into(), value.into());
            all.retain(|(known, _)| *known != name);
            if !value.is_empty() {
                all.push((name, value));
            }
        }
        all.sort_unstable();
        Self(all.into())
    }

    /// Labels from pairs whose names are sorted, differ, and have values.
    pub(crate) fn from_sorted(pairs: Vec<(Arc<str>, Arc<str>)>) -> Self {
        debug_assert!(pairs.windows(2).all(|pair| pair[0].0 < pair[1].0), "sorted by name");
        Self(pairs.into())
    }

    /// Labels that are shared already: sorted by name, each name once, none empty.
    pub fn shared(pairs: Arc<[(Arc<str>, Arc<str>)]>) -> Self {
        debug_assert!(pairs.windows(2).all(|pair| pair[0].0 < pair[1].0), "sorted by name");
        Self(pairs)
    }

    /// Names and values, sorted by name.
    pub fn pairs(&self) -> &[(Arc<str>, Arc<str>)] {
        &self.0
    }

    /// The value of `name`, or the empty string.
    pub fn get(&self, name: &str) -> &str {
        self.find(name).map_or("", |pair| &pair.1)
    }

    /// Names and values in order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// True where there is no label.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// These labels without the metric's name.
    #[must_use]
    pub fn without_name(&self) -> Self {
        if self.find(METRIC_NAME).is_none() {
            return self.clone();
        }
        self.filtered(|name| name != METRIC_NAME)
    }

    /// Only the labels named in `names`.
    pub(super) fn only(&self, names: &[Arc<str>]) -> Self {
        self.filtered(|name| names.iter().any(|listed| **listed == *name))
    }

    /// All labels but those named in `names`.
    pub(super) fn except(&self, names: &[Arc<str>]) -> Self {
        self.filtered(|name| names.iter().all(|listed| **listed != *name))
    }

    /// These labels with `name` set to `value`, or without it if `value` is empty.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        if self.get(name) == value {
            return self.clone();
        }
        let kept = self.0.iter().filter(|pair| *pair.0 != *name).cloned();
        let added = (!value.is_empty()).then(|| (Arc::from(name), Arc::from(value)));
        let mut all: Vec<(Arc<str>, Arc<str>)> = kept.chain(added).collect();
        all.sort_unstable();
        Self(all.into())
    }

    /// These labels with each of `names` as `other` has it, or without it where that has none.
    pub(super) fn with_of(&self, names: &[Arc<str>], other: &Self) -> Self {
        let is_named = |pair: &&(Arc<str>, Arc<str>)| names.iter().any(|name| **name == *pair.0);
        let kept = self.0.iter().filter(|pair| !is_named(pair));
        let mut all: Vec<(Arc<str>, Arc<str>)> =
            kept.chain(other.0.iter().filter(is_named)).cloned().collect();
        all.sort_unstable();
        Self(all.into())
    }

    /// Those whose names are kept; shared where all are.
    pub(super) fn filtered(&self, keep: impl Fn(&str) -> bool) -> Self {
        if self.0.iter().all(|pair| keep(&pair.0)) {
            return self.clone();
        }
        Self(self.0.iter().filter(|pair| keep(&pair.0)).cloned().collect())
    }

    fn find(&self, name: &str) -> Option<&(Arc<str>, Arc<str>)> {
        self.0.iter().find(|pair| *pair.0 == *name)
    }
}

impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.get(METRIC_NAME);
        let others = self.without_name();
        f.write_str(name)?;
        if others.is_empty() && !name.is_empty() {
            return Ok(());
        }
        f.write_str("{")?;
        for (index, (name, value)) in others.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{name}={value:?}")?;
        }
        f.write_str("}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_others_replace_add_and_remove() {
        let many = Labels::new([("pod", "web-0"), ("team", "a"), ("workload", "?")]);
        let one = Labels::new([("node", "n1"), ("pod", "other"), ("workload", "web")]);
        let names = ["workload", "team", "node", "none"].map(Arc::from);
        let expected = Labels::new([("node", "n1"), ("pod", "web-0"), ("workload", "web")]);
        assert_eq!(many.with_of(&names, &one), expected);
        assert_eq!(many.with_of(&[], &one), many);
    }
}
