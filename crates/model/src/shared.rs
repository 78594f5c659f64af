//! What many hold and one allocates: lists that pods of one template have in common, and words.

use std::collections::HashSet;
use std::hash::Hash;
use std::ops::Deref;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::Word;

/// A list behind a count: as cheap to clone as a number, and as small in a record as a pointer. The
/// empty one takes nothing else.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Shared<T>(Option<Arc<Box<[T]>>>);

impl<T> Shared<T> {
    /// Whether both are the same piece of memory.
    pub fn is_same(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => true,
            _ => false,
        }
    }

    /// How many hold it; nobody holds the empty one.
    pub(crate) fn holders(&self) -> usize {
        self.0.as_ref().map_or(0, Arc::strong_count)
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(self.0.as_ref().map(Arc::clone))
    }
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Deref for Shared<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.0.as_deref().map_or(&[], |list| list)
    }
}

impl<T> From<Box<[T]>> for Shared<T> {
    fn from(list: Box<[T]>) -> Self {
        Self((!list.is_empty()).then(|| Arc::new(list)))
    }
}

impl<T> From<Vec<T>> for Shared<T> {
    fn from(list: Vec<T>) -> Self {
        list.into_boxed_slice().into()
    }
}

impl<T, const LENGTH: usize> From<[T; LENGTH]> for Shared<T> {
    fn from(list: [T; LENGTH]) -> Self {
        Box::<[T]>::from(list).into()
    }
}

impl<T> FromIterator<T> for Shared<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        items.into_iter().collect::<Box<[T]>>().into()
    }
}

impl<'a, T> IntoIterator for &'a Shared<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// What can be held once by many.
pub(crate) trait Common: Clone + Eq + Hash {
    /// Whether nobody saves anything by holding it together.
    fn is_nothing(&self) -> bool;
    /// How many hold it.
    fn count(&self) -> usize;
}

impl<T: Eq + Hash> Common for Shared<T> {
    fn is_nothing(&self) -> bool {
        self.is_empty()
    }

    fn count(&self) -> usize {
        self.holders()
    }
}

impl Common for Word {
    fn is_nothing(&self) -> bool {
        self.is_empty()
    }

    fn count(&self) -> usize {
        self.holders()
    }
}

/// Lists or words that are held somewhere, to find an equal one.
#[derive(Debug)]
pub(crate) struct Pool<T> {
    held: HashSet<T, RandomState>,
    /// How many there may be before those that nobody holds are looked for.
    room: usize,
}

/// The fewest that are worth a look.
const LEAST_ROOM: usize = 1024;

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self { held: HashSet::default(), room: LEAST_ROOM }
    }
}

impl<T: Common> Pool<T> {
    /// Puts an equal one that is held already in the place of `one`.
    pub(crate) fn share(&mut self, one: &mut T) {
        if one.is_nothing() {
            return;
        }
        if let Some(known) = self.held.get(one) {
            *one = known.clone();
            return;
        }
        if self.held.len() >= self.room {
            self.held.retain(|one| one.count() > 1);
            self.room = (self.held.len() * 2).max(LEAST_ROOM);
        }
        self.held.insert(one.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_lists_become_one_and_unheld_ones_go() {
        let mut pool = Pool::<Shared<u32>>::default();
        let (mut one, mut two): (Shared<u32>, Shared<u32>) = ([1, 2].into(), vec![1, 2].into());
        assert!(one == two && !one.is_same(&two));
        pool.share(&mut one);
        pool.share(&mut two);
        assert!(one.is_same(&two));
        for number in 0..10_000 {
            pool.share(&mut [number].into_iter().collect());
        }
        assert!(pool.held.len() <= LEAST_ROOM, "{} lists are kept", pool.held.len());
        let mut three = [1, 2].into();
        pool.share(&mut three);
        assert!(three.is_same(&one));
    }

    #[test]
    fn equal_words_become_one_and_the_empty_is_not_kept() {
        let mut pool = Pool::default();
        let (mut one, mut two) = (Word::from("web"), Word::from("web"));
        for word in [&mut one, &mut two, &mut Word::default()] {
            pool.share(word);
        }
        assert!(one.is_same(&two));
        assert_eq!((one.holders(), pool.held.len()), (3, 1));
    }
}
