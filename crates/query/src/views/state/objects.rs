//! The objects of one kind, and their versions.

use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use model::push_long;

use super::key::{Key, Keyed};

/// The number of an observation, and where an earlier process stopped.
pub(super) type Turn = (u64, Option<i64>);

/// A record and the time in which it held: `from ≤ time < until`, milliseconds.
#[derive(Debug, Clone)]
pub(in crate::views) struct Version<T> {
    pub(in crate::views) from: i64,
    /// Where what never changes begins: the object's creation, for its first version.
    pub(in crate::views) created: i64,
    pub(in crate::views) until: i64,
    pub(in crate::views) record: Arc<T>,
}

/// The versions of one object: most objects have but one.
#[derive(Debug)]
pub(super) struct Object<T> {
    seen: u64,
    pub(super) last: Version<T>,
    /// Those before it, oldest first.
    #[expect(clippy::box_collection, reason = "a pointer in every object, a list in few")]
    earlier: Option<Box<Vec<Version<T>>>>,
}

impl<T> Object<T> {
    /// Of an object's versions, oldest first; `None` where there are none.
    pub(super) fn of(mut versions: Vec<Version<T>>) -> Option<Self> {
        let last = versions.pop()?;
        let earlier = (!versions.is_empty()).then(|| Box::new(versions));
        Some(Self { seen: 0, last, earlier })
    }

    /// Oldest first.
    pub(super) fn versions(&self) -> impl Iterator<Item = &Version<T>> {
        self.earlier.iter().flat_map(|earlier| earlier.iter()).chain([&self.last])
    }

    /// Ends the last version where another begins.
    fn go_on(&mut self, next: Version<T>) {
        let mut before = std::mem::replace(&mut self.last, next);
        before.until = before.until.min(self.last.from);
        self.earlier.get_or_insert_default().push(before);
    }

    /// How many versions ended by then.
    fn closed(&self, now: i64) -> usize {
        let earlier = self.earlier.iter().flat_map(|earlier| earlier.iter());
        let ended = |version: &&Version<T>| version.until <= now;
        earlier.filter(ended).count() + usize::from(self.last.until <= now)
    }

    /// Forgets versions that ended before `oldest`; whether any are left.
    fn forget(&mut self, oldest: i64) -> bool {
        if let Some(earlier) = &mut self.earlier {
            earlier.retain(|version| version.until > oldest);
            if self.last.until <= oldest
                && let Some(kept) = earlier.pop()
            {
                self.last = kept;
            }
            if earlier.is_empty() {
                self.earlier = None;
            }
        }
        self.last.until > oldest
    }
}

/// Every object of one kind, found by its key, which its newest record says.
#[derive(Debug)]
pub(in crate::views) struct Objects<T> {
    /// In no order; a hash table of them would be half empty.
    pub(super) all: Vec<Object<T>>,
    /// Where each stands in `all`.
    index: HashTable<u32>,
    hasher: RandomState,
}

impl<T> Default for Objects<T> {
    fn default() -> Self {
        Self { all: Vec::new(), index: HashTable::new(), hasher: RandomState::default() }
    }
}

impl<T> Objects<T> {
    /// Of every object the versions that overlap the time, oldest first.
    pub(in crate::views) fn each_versions(
        &self,
        start: i64,
        end: i64,
    ) -> impl Iterator<Item = impl Iterator<Item = &Version<T>>> {
        let overlaps = move |version: &&Version<T>| {
            version.created.min(version.from) <= end && version.until > start
        };
        self.all.iter().map(move |object| object.versions().filter(overlaps))
    }

    /// Every version.
    pub(super) fn versions(&self) -> impl Iterator<Item = &Version<T>> {
        self.all.iter().flat_map(Object::versions)
    }

    /// Ends what still holds.
    pub(super) fn cut(&mut self, at: i64) {
        for object in &mut self.all {
            object.last.until = object.last.until.min(at);
        }
    }

    /// When those that ended by then did.
    pub(super) fn closed(&self, now: i64) -> impl Iterator<Item = i64> + '_ {
        let all = self.all.iter().flat_map(Object::versions);
        all.map(|version| version.until).filter(move |until| *until <= now)
    }
}

impl<T: Keyed> Objects<T> {
    /// The newest version of an object, whether it still holds or not.
    pub(super) fn newest(&self, key: Key<'_>) -> Option<&Arc<T>> {
        let at = self.index.find(self.hasher.hash_one(key), is(&self.all, key))?;
        self.all.get(*at as usize).map(|object| &object.last.record)
    }

    /// Ends what was not seen in this turn, forgets what ended before `oldest`.
    pub(super) fn end_turn(&mut self, turn: u64, now: i64, oldest: i64) -> usize {
        let mut closed = 0;
        // From behind, so that what takes the place of a forgotten one has been looked at.
        for at in (0..self.all.len()).rev() {
            let Some(object) = self.all.get_mut(at) else { continue };
            if object.seen != turn {
                object.last.until = object.last.until.min(now);
            }
            if object.forget(oldest) {
                closed += object.closed(now);
            } else {
                self.remove(at);
            }
        }
        closed
    }

    /// `cut` is where an earlier process stopped to observe: what held then and is the same now
    /// goes on. Whether the record is a new version.
    pub(super) fn see(&mut self, record: &Arc<T>, created: i64, (turn, cut): Turn, now: i64) -> bool
    where
        T: PartialEq,
    {
        let next = Version { from: now, created: now, until: i64::MAX, record: Arc::clone(record) };
        let at = self.index.find(self.hasher.hash_one(record.key()), is(&self.all, record.key()));
        let Some(object) = at.and_then(|at| self.all.get_mut(*at as usize)) else {
            let created = if created > 0 { created.min(now) } else { now };
            let last = Version { created, ..next };
            self.add(Object { seen: turn, last, earlier: None });
            return true;
        };
        object.seen = turn;
        let last = &mut object.last;
        if last.until == i64::MAX && Arc::ptr_eq(&last.record, record) {
            return false;
        }
        let goes_on = Some(last.until) == cut && last.record == *record;
        if goes_on {
            (last.until, last.record) = (i64::MAX, Arc::clone(record));
        } else {
            object.go_on(next);
        }
        !goes_on
    }

    /// Adds an object; one of the same key goes.
    pub(super) fn add(&mut self, object: Object<T>) {
        let key = object.last.record.key();
        let hash = self.hasher.hash_one(key);
        if let Some(at) = self.index.find(hash, is(&self.all, key)) {
            if let Some(there) = self.all.get_mut(*at as usize) {
                *there = object;
            }
        } else if let Ok(at) = u32::try_from(self.all.len()) {
            push_long(&mut self.all, object);
            let again = |at: &u32| hash_at(&self.all, &self.hasher, *at as usize);
            self.index.insert_unique(hash, at, again);
        }
    }

    /// Forgets the object there; the last one takes its place.
    fn remove(&mut self, at: usize) {
        let last = self.all.len() - 1;
        let hash = |at| hash_at(&self.all, &self.hasher, at);
        let (gone, moved) = (hash(at), hash(last));
        if let Ok(there) = self.index.find_entry(gone, |one| *one as usize == at) {
            let (place, _) = there.remove();
            if let Some(one) = self.index.find_mut(moved, |one| *one as usize == last) {
                *one = place;
            }
        }
        self.all.swap_remove(at);
    }
}

/// Whether the object there has the key.
fn is<T: Keyed>(all: &[Object<T>], key: Key<'_>) -> impl Fn(&u32) -> bool {
    move |at| all.get(*at as usize).is_some_and(|object| object.last.record.key() == key)
}

fn hash_at<T: Keyed>(all: &[Object<T>], hasher: &RandomState, at: usize) -> u64 {
    all.get(at).map_or(0, |object| hasher.hash_one(object.last.record.key()))
}
