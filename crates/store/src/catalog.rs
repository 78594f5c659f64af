//! The catalog: every entity that is stored anywhere, numbered, with its label index.
//!
//! In memory only. Heads and blocks name entities by these numbers, so that a query matches
//! labels once, whatever the number of files. Knows no files and no values.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use hashbrown::HashTable;
use model::EntityKind;
use roaring::RoaringBitmap;

use crate::{Labels, Matcher};

/// With their number as large as a pointer and its tag.
const FEW: usize = 3;

/// The entities with one value of a label.
#[derive(Debug)]
enum Postings {
    /// The first `len` of `ids`; most values have few: a pod's containers and volumes.
    Few {
        len: u8,
        ids: [u32; FEW],
    },
    Many(Box<RoaringBitmap>),
}

impl Postings {
    fn of(id: u32) -> Self {
        Self::Few { len: 1, ids: [id, 0, 0] }
    }

    /// Adds `id`, which it does not hold yet.
    fn insert(&mut self, id: u32) {
        match self {
            Self::Few { len, ids } => {
                if let Some(place) = ids.get_mut(usize::from(*len)) {
                    *place = id;
                    *len += 1;
                } else {
                    let all = ids.iter().copied().chain([id]).collect();
                    *self = Self::Many(Box::new(all));
                }
            }
            Self::Many(ids) => {
                ids.insert(id);
            }
        }
    }

    /// Removes `id`; says whether none is left.
    fn remove(&mut self, id: u32) -> bool {
        match self {
            Self::Few { len, ids } => {
                let held = &mut ids[..usize::from(*len)];
                if let Some(at) = held.iter().position(|held| *held == id) {
                    held.swap(at, held.len() - 1);
                    *len -= 1;
                }
                *len == 0
            }
            Self::Many(ids) => {
                ids.remove(id);
                ids.is_empty()
            }
        }
    }

    fn few(&self) -> &[u32] {
        match self {
            Self::Few { len, ids } => &ids[..usize::from(*len)],
            Self::Many(_) => &[],
        }
    }

    fn add_to(&self, ids: &mut RoaringBitmap) {
        match self {
            Self::Few { .. } => ids.extend(self.few().iter().copied()),
            Self::Many(many) => *ids |= &**many,
        }
    }
}

/// A label's values.
type Values = HashMap<Arc<str>, Postings>;

/// The entities that have a label.
#[derive(Debug)]
struct Named {
    name: Arc<str>,
    values: Values,
    /// All of them.
    ids: RoaringBitmap,
}

/// The entities of one kind by label.
#[derive(Debug, Default)]
struct Index {
    all: RoaringBitmap,
    names: Vec<Named>,
    /// Names of labels as entities have them, each list once.
    shapes: Vec<Arc<[Arc<str>]>>,
}

impl Index {
    fn named(&self, name: &str) -> Option<&Named> {
        self.names.iter().find(|named| *named.name == *name)
    }

    fn values(&self, name: &str) -> Option<&Values> {
        self.named(name).map(|named| &named.values)
    }

    fn insert(&mut self, id: u32, labels: &mut Labels) {
        self.all.insert(id);
        let pairs = labels.pairs_mut();
        if !self.shapes.iter().any(|shape| pairs.share_names(shape)) {
            self.shapes.push(Arc::clone(pairs.names()));
        }
        let names = Arc::clone(pairs.names());
        for (name, value) in names.iter().zip(pairs.values_mut()) {
            let at = self.names.iter().position(|known| known.name == *name).unwrap_or_else(|| {
                let (name, values) = (Arc::clone(name), HashMap::new());
                self.names.push(Named { name, values, ids: RoaringBitmap::new() });
                self.names.len() - 1
            });
            let Named { values, ids, .. } = &mut self.names[at];
            ids.insert(id);
            if let Some((known, _)) = values.get_key_value(value) {
                // One allocation per value, whoever has it.
                value.clone_from(known);
            }
            values
                .entry(Arc::clone(value))
                .and_modify(|postings| postings.insert(id))
                .or_insert_with(|| Postings::of(id));
        }
    }

    fn remove(&mut self, id: u32, labels: &Labels) {
        self.all.remove(id);
        for (name, value) in labels.pairs().iter() {
            let Some(named) = self.names.iter_mut().find(|known| known.name == *name) else {
                continue;
            };
            named.ids.remove(id);
            if named.values.get_mut(value).is_some_and(|postings| postings.remove(id)) {
                named.values.remove(value);
            }
        }
    }

    fn select(&self, matchers: &[Matcher]) -> RoaringBitmap {
        let mut found: Option<RoaringBitmap> = None;
        for matcher in matchers {
            let passed = self.pass(matcher);
            found = Some(match found {
                None => passed,
                Some(found) => found & passed,
            });
        }
        found.unwrap_or_else(|| self.all.clone())
    }

    fn pass(&self, matcher: &Matcher) -> RoaringBitmap {
        if let Some(present) = matcher.presence() {
            let with = self.named(matcher.name()).map(|named| &named.ids);
            return match (present, with) {
                (true, Some(with)) => with.clone(),
                (true, None) => RoaringBitmap::new(),
                (false, Some(with)) => &self.all - with,
                (false, None) => self.all.clone(),
            };
        }
        let values = self.values(matcher.name());
        let mut ids = RoaringBitmap::new();
        if let Some(value) = matcher.single() {
            if let Some(postings) = values.and_then(|values| values.get(value)) {
                postings.add_to(&mut ids);
            }
            return ids;
        }
        // Collect whichever side leaves absent labels out, so that they need no list.
        let with_absent = matcher.accepts("");
        for (value, postings) in values.into_iter().flatten() {
            if matcher.accepts(value) != with_absent {
                postings.add_to(&mut ids);
            }
        }
        if with_absent { &self.all - ids } else { ids }
    }
}

/// Every known entity.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    entities: Vec<Option<Labels>>,
    free: Vec<u32>,
    table: HashTable<u32>,
    kinds: [Index; EntityKind::ALL.len()],
}

impl Catalog {
    /// The number of these labels, given now if they are new.
    pub(crate) fn intern(&mut self, mut labels: Labels) -> u32 {
        let hash = labels.hash64();
        let entities = &self.entities;
        let same = |id: &u32| entities[*id as usize].as_ref() == Some(&labels);
        if let Some(id) = self.table.find(hash, same) {
            return *id;
        }
        let id = self.free.pop().unwrap_or_else(|| {
            model::push_long(&mut self.entities, None);
            u32::try_from(self.entities.len() - 1).unwrap_or(u32::MAX)
        });
        self.kinds[labels.kind().index()].insert(id, &mut labels);
        self.entities[id as usize] = Some(labels);
        let entities = &self.entities;
        self.table.insert_unique(hash, id, |id| {
            entities[*id as usize].as_ref().map_or(0, Labels::hash64)
        });
        id
    }

    /// The labels of a number that is in use.
    pub(crate) fn labels(&self, id: u32) -> Option<&Labels> {
        self.entities.get(id as usize)?.as_ref()
    }

    pub(crate) fn select(&self, kind: EntityKind, matchers: &[Matcher]) -> RoaringBitmap {
        self.kinds[kind.index()].select(matchers)
    }

    /// Names of labels on entities of `kind`, or of any kind.
    pub(crate) fn label_names(&self, kind: Option<EntityKind>) -> BTreeSet<Arc<str>> {
        self.indexes(kind)
            .flat_map(|index| &index.names)
            .filter(|named| !named.values.is_empty())
            .map(|named| Arc::clone(&named.name))
            .collect()
    }

    /// Values of the label `name` on the entities among `ids`, or on all.
    pub(crate) fn label_values(
        &self,
        kind: Option<EntityKind>,
        name: &str,
        ids: Option<&RoaringBitmap>,
    ) -> BTreeSet<Arc<str>> {
        let mut found = BTreeSet::new();
        for values in self.indexes(kind).filter_map(|index| index.values(name)) {
            for (value, postings) in values {
                let wanted = ids.is_none_or(|ids| match postings {
                    Postings::Few { .. } => postings.few().iter().any(|id| ids.contains(*id)),
                    Postings::Many(many) => !many.is_disjoint(ids),
                });
                if wanted {
                    found.insert(Arc::clone(value));
                }
            }
        }
        found
    }

    /// Number of entities.
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// Forgets every entity that is not in `live`; their numbers will be given again.
    pub(crate) fn retain(&mut self, live: &RoaringBitmap) {
        for (id, slot) in (0_u32..).zip(&mut self.entities) {
            let Some(labels) = slot.take_if(|_| !live.contains(id)) else { continue };
            self.kinds[labels.kind().index()].remove(id, &labels);
            if let Ok(entry) = self.table.find_entry(labels.hash64(), |known| *known == id) {
                entry.remove();
            }
            self.free.push(id);
        }
    }

    fn indexes(&self, kind: Option<EntityKind>) -> impl Iterator<Item = &Index> {
        let kinds = EntityKind::ALL.into_iter();
        kinds
            .filter(move |one| kind.is_none_or(|kind| kind == *one))
            .map(|kind| &self.kinds[kind.index()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog() -> Catalog {
        let mut catalog = Catalog::default();
        for (pod, node) in [("web-0", "n1"), ("web-1", "n2"), ("db-0", "n1"), ("lost", "")] {
            let pairs = vec![("pod".into(), pod.into()), ("node".into(), node.into())];
            catalog.intern(Labels::new(EntityKind::Pod, pairs));
        }
        catalog
    }

    fn check(matchers: &[Matcher], expected: &[u32]) {
        let found = catalog().select(EntityKind::Pod, matchers);
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{matchers:?}");
    }

    #[test]
    fn matchers_select() {
        check(&[], &[0, 1, 2, 3]);
        check(&[Matcher::equal("node", "n1")], &[0, 2]);
        check(&[Matcher::equal("node", "")], &[3]);
        check(&[Matcher::not_equal("node", "n1")], &[1, 3]);
        check(&[Matcher::not_equal("node", "")], &[0, 1, 2]);
        check(&[Matcher::matches("pod", "web-.*").unwrap()], &[0, 1]);
        check(&[Matcher::not_matches("pod", "web-.*").unwrap()], &[2, 3]);
        check(&[Matcher::matches("node", "n2|").unwrap()], &[1, 3]);
        check(&[Matcher::equal("node", "n1"), Matcher::matches("pod", "db.*").unwrap()], &[2]);
        check(&[Matcher::equal("absent", "x")], &[]);
        check(&[Matcher::not_equal("absent", "x")], &[0, 1, 2, 3]);
    }

    #[test]
    fn forgotten_numbers_are_given_again() {
        let mut catalog = catalog();
        catalog.retain(&[0_u32, 3].into_iter().collect());
        assert_eq!(catalog.len(), 2);
        assert!(catalog.select(EntityKind::Pod, &[Matcher::equal("node", "n2")]).is_empty());
        let id = catalog.intern(Labels::new(EntityKind::Pod, vec![("pod".into(), "new".into())]));
        assert!(id == 1 || id == 2);
        assert_eq!(catalog.label_values(None, "pod", None).len(), 3);
    }
}
