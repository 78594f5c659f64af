//! Objects by namespace and name, where the record's own name is the key.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::{Arc, OnceLock};

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

/// Records of one namespace by name, as they were when somebody asked.
pub type Line<T> = Arc<Vec<Arc<T>>>;

/// The records of one namespace.
#[derive(Debug)]
struct Names<T> {
    table: HashTable<Arc<T>>,
    hasher: RandomState,
    /// All of `table` by name, once somebody asked; kept so while nobody else holds it.
    line: OnceLock<Line<T>>,
}

impl<T> Default for Places<T> {
    fn default() -> Self {
        Self(HashMap::default())
    }
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self { table: HashTable::new(), hasher: RandomState::default(), line: OnceLock::new() }
    }
}

impl<T: Named> Names<T> {
    fn get(&self, name: &str) -> Option<&Arc<T>> {
        self.table.find(self.hasher.hash_one(name), |one| one.name() == name)
    }

    fn put(&mut self, one: Arc<T>) {
        self.line_up(one.name(), Some(&one));
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
        self.line_up(name, None);
        let hash = self.hasher.hash_one(name);
        if let Ok(there) = self.table.find_entry(hash, |one| one.name() == name) {
            there.remove();
        }
    }

    /// Those whose name is `name` become `one` in the line, if there is a line: a reader that holds
    /// it keeps what it has, and who asks next gets a new one.
    fn line_up(&mut self, name: &str, one: Option<&Arc<T>>) {
        let Some(line) = self.line.get_mut() else { return };
        let Some(line) = Arc::get_mut(line) else {
            self.line.take();
            return;
        };
        match (line.binary_search_by(|there| there.name().cmp(name)), one) {
            (Ok(place), Some(one)) => line[place] = Arc::clone(one),
            (Ok(place), None) => drop(line.remove(place)),
            (Err(place), Some(one)) => line.insert(place, Arc::clone(one)),
            (Err(_), None) => {}
        }
    }

    fn line(&self) -> Line<T> {
        let made = || {
            let begin = |one: &Arc<T>| (beginning(one.name()), Arc::clone(one));
            let mut all: Vec<_> = self.table.iter().map(begin).collect();
            // Beginnings are compared where they lie; most names differ there.
            all.sort_unstable_by(|(begin, one), (other_begin, other)| {
                begin.cmp(other_begin).then_with(|| one.name().cmp(other.name()))
            });
            Arc::new(all.into_iter().map(|(_, one)| one).collect())
        };
        Arc::clone(self.line.get_or_init(made))
    }
}

/// How a name begins, as numbers that sort as it does: a template's pods differ behind its name and
/// its hash, within 32 bytes as a rule.
type Beginning = [u128; 2];

fn beginning(name: &str) -> Beginning {
    let mut bytes = [0; 32];
    let length = name.len().min(bytes.len());
    bytes[..length].copy_from_slice(&name.as_bytes()[..length]);
    let (halves, _) = bytes.as_chunks::<16>();
    [0, 1].map(|half| halves.get(half).map_or(0, |half| u128::from_be_bytes(*half)))
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
    /// Those of one namespace, by name.
    pub(super) fn line(&self, namespace: &str) -> Line<T> {
        self.0.get(namespace).map(Names::line).unwrap_or_default()
    }

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
            names.line.take();
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

    #[test]
    fn a_line_follows_what_changes_and_stays_for_who_holds_it() {
        let names = |line: &Line<Thing>| -> Vec<(String, u32)> {
            line.iter().map(|thing| (thing.1.clone(), thing.2)).collect()
        };
        let mut places = Places::default();
        let put = |places: &mut Places<Thing>, name: &str, round| {
            places.put(Arc::new(Thing(0, name.into(), round)));
        };
        assert!(places.line("even").is_empty());
        for name in ["c", "a", "b"] {
            put(&mut places, name, 0);
        }
        let held = places.line("even");
        let expected = |names: &[(&str, u32)]| -> Vec<(String, u32)> {
            names.iter().map(|(name, round)| ((*name).into(), *round)).collect()
        };
        assert_eq!(names(&held), expected(&[("a", 0), ("b", 0), ("c", 0)]));
        for is_held in [true, false] {
            let before = is_held.then(|| places.line("even"));
            put(&mut places, "b", 1);
            put(&mut places, "ab", 1);
            places.remove("even", "c");
            places.remove("even", "none");
            let line = places.line("even");
            assert_eq!(names(&line), expected(&[("a", 0), ("ab", 1), ("b", 1)]), "{is_held}");
            assert!(before.is_none_or(|before| !Arc::ptr_eq(&before, &line)));
            drop(line);
            put(&mut places, "c", 0);
            places.remove("even", "ab");
            put(&mut places, "b", 0);
        }
        assert_eq!(names(&held).len(), 3, "as it was");
        places.retain(|thing| thing.1 != "a");
        assert_eq!(names(&places.line("even")), expected(&[("b", 0), ("c", 0)]));
    }

    #[test]
    fn beginnings_sort_as_names_do() {
        let template = "frontend-of-the-shop-6b7f9c8d5f-";
        assert_eq!(template.len(), 32);
        let names = ["", "a", "frontend-of-the-", "frontend-of-the-shop", template]
            .map(ToOwned::to_owned)
            .into_iter()
            .chain(["x2", "x", "a9"].map(|end| format!("{template}{end}")))
            .chain(["b", "frontend-of-the-s0", "~"].map(ToOwned::to_owned));
        let names: Vec<String> = names.collect();
        for left in &names {
            for right in &names {
                let order = beginning(left).cmp(&beginning(right));
                assert_eq!(order.then_with(|| left.cmp(right)), left.cmp(right), "{left} {right}");
            }
        }
        let end = |end: &str| beginning(&format!("frontend-of-the-shop-6b7f9c8d{end}"));
        assert!(end("a") < end("b"), "more than sixteen bytes are compared");
    }
}
