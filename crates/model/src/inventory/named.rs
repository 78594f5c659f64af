//! Objects by namespace and name, where the record's own name is the key.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

/// A record that says its own name.
pub(super) trait Named {
    /// Its namespace; empty for what is in none.
    fn namespace(&self) -> &str;
    /// Its name within its namespace.
    fn name(&self) -> &str;
}

/// Records by namespace and name.
#[derive(Debug)]
pub(super) struct Places<T>(HashMap<Box<str>, Names<T>, RandomState>);

/// The records of one namespace.
#[derive(Debug)]
struct Names<T> {
    table: HashTable<Arc<T>>,
    hasher: RandomState,
}

impl<T> Default for Places<T> {
    fn default() -> Self {
        Self(HashMap::default())
    }
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self { table: HashTable::new(), hasher: RandomState::default() }
    }
}

impl<T: Named> Names<T> {
    fn get(&self, name: &str) -> Option<&Arc<T>> {
        self.table.find(self.hasher.hash_one(name), |one| one.name() == name)
    }

    fn put(&mut self, one: Arc<T>) {
        let hash = self.hasher.hash_one(one.name());
        let hasher = |one: &Arc<T>| self.hasher.hash_one(one.name());
        match self.table.entry(hash, |known| known.name() == one.name(), hasher) {
            Entry::Occupied(mut there) => *there.get_mut() = one,
            Entry::Vacant(place) => {
                place.insert(one);
            }
        }
    }

    fn remove(&mut self, name: &str) {
        let hash = self.hasher.hash_one(name);
        if let Ok(there) = self.table.find_entry(hash, |one| one.name() == name) {
            there.remove();
        }
    }
}

impl<T> Places<T> {
    /// Every record, in no order.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<T>> {
        self.0.values().flat_map(|names| &names.table)
    }

    /// Those of one namespace, in no order.
    pub(super) fn within(&self, namespace: &str) -> impl Iterator<Item = &Arc<T>> {
        self.0.get(namespace).into_iter().flat_map(|names| &names.table)
    }

    /// The namespaces that have any, in no order.
    pub(super) fn namespaces(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(AsRef::as_ref)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.values().map(|names| names.table.len()).sum()
    }
}

impl<T: Named> Places<T> {
    /// The record of that namespace and name.
    pub(super) fn get(&self, namespace: &str, name: &str) -> Option<&Arc<T>> {
        self.0.get(namespace)?.get(name)
    }

    /// Adds or replaces one.
    pub(super) fn put(&mut self, one: Arc<T>) {
        match self.0.get_mut(one.namespace()) {
            Some(names) => names.put(one),
            None => self.0.entry(one.namespace().into()).or_default().put(one),
        }
    }

    /// Forgets one.
    pub(super) fn remove(&mut self, namespace: &str, name: &str) {
        if let Some(names) = self.0.get_mut(namespace) {
            names.remove(name);
            if names.table.is_empty() {
                self.0.remove(namespace);
            }
        }
    }

    /// Keeps only what `keep` accepts.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        self.0.retain(|_, names| {
            names.table.retain(|one| keep(one));
            !names.table.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Thing(usize, String, u32);

    impl Named for Thing {
        fn namespace(&self) -> &str {
            ["even", "odd"][self.0 % 2]
        }
        fn name(&self) -> &str {
            &self.1
        }
    }

    #[test]
    fn a_name_has_one_record_until_it_is_forgotten() {
        let mut places = Places::default();
        for round in 0..2 {
            for number in 0..1000 {
                places.put(Arc::new(Thing(number, number.to_string(), round)));
            }
        }
        assert_eq!((places.len(), places.all().count()), (1000, 1000));
        assert!(places.all().all(|thing| thing.2 == 1), "the later one holds");
        assert_eq!(**places.get("odd", "7").unwrap(), Thing(7, "7".into(), 1));
        assert!(places.get("even", "7").is_none() && places.get("none", "7").is_none());
        places.remove("odd", "7");
        places.remove("odd", "7");
        assert!(places.get("odd", "7").is_none());
        assert_eq!((places.within("odd").count(), places.within("even").count()), (499, 500));
        places.retain(|thing| thing.1 == "9");
        assert_eq!(places.namespaces().collect::<Vec<_>>(), ["odd"]);
        places.remove("odd", "9");
        assert_eq!((places.namespaces().count(), places.len()), (0, 0));
    }
}
