//! Labels of an entity as names and values apart: whoever has the same names shares them.

use std::cmp::Ordering;
use std::sync::Arc;

/// Label names and values, sorted by name, each name once, no value empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Pairs {
    names: Arc<[Arc<str>]>,
    /// As many as names.
    values: Arc<[Arc<str>]>,
}

impl Pairs {
    /// Of pairs in any order; empty values are dropped, of a repeated name the least counts.
    pub fn new(mut pairs: Vec<(Arc<str>, Arc<str>)>) -> Self {
        pairs.retain(|(_, value)| !value.is_empty());
        pairs.sort_unstable();
        pairs.dedup_by(|right, left| right.0 == left.0);
        let (names, values): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        Self { names: names.into(), values: values.into() }
    }

    /// Of names that are sorted and values as many as they; `None` when those are fewer or more.
    pub fn of(names: Arc<[Arc<str>]>, values: Arc<[Arc<str>]>) -> Option<Self> {
        (names.len() == values.len()).then_some(Self { names, values })
    }

    /// The value of `name`.
    pub fn get(&self, name: &str) -> Option<&Arc<str>> {
        self.names.iter().position(|found| **found == *name).map(|at| &self.values[at])
    }

    /// Names and values in order of the names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Arc<str>, &Arc<str>)> {
        self.names.iter().zip(&*self.values)
    }

    /// Number of labels.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The names, sorted.
    pub fn names(&self) -> &Arc<[Arc<str>]> {
        &self.names
    }

    /// The values in order of the names.
    pub fn values(&self) -> &[Arc<str>] {
        &self.values
    }
}

impl Ord for Pairs {
    /// Pair by pair.
    fn cmp(&self, other: &Self) -> Ordering {
        if Arc::ptr_eq(&self.names, &other.names) {
            return self.values.cmp(&other.values);
        }
        self.iter().cmp(other.iter())
    }
}

impl PartialOrd for Pairs {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(all: &[(&str, &str)]) -> Pairs {
        Pairs::new(all.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect())
    }

    #[test]
    fn names_are_sorted_and_values_not_empty() {
        let pairs = pairs(&[("pod", "web"), ("node", ""), ("namespace", "shop"), ("pod", "zoo")]);
        let all: Vec<_> = pairs.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(all, [("namespace", "shop"), ("pod", "web")]);
        assert_eq!(pairs.get("pod").map(|value| &**value), Some("web"));
        assert_eq!(pairs.get("node"), None);
        assert_eq!(Pairs::of(Arc::clone(pairs.names()), Arc::from([])), None);
    }

    #[test]
    fn order_is_the_same_whether_names_are_shared_or_not() {
        let left = pairs(&[("namespace", "a"), ("pod", "z")]);
        let right = pairs(&[("namespace", "b"), ("pod", "a")]);
        assert_eq!(left.cmp(&right), Ordering::Less);
        let right = Pairs::of(Arc::clone(left.names()), right.values().into()).unwrap();
        assert!(Arc::ptr_eq(left.names(), right.names()));
        assert_eq!(left.cmp(&right), Ordering::Less);
        let longer = pairs(&[("namespace", "a"), ("pod", "z"), ("zone", "1")]);
        assert_eq!(left.cmp(&longer), Ordering::Less);
        let other = pairs(&[("node", "a")]);
        assert_eq!(left.cmp(&other), Ordering::Less);
    }
}
