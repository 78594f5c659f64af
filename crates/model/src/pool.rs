//! What is held somewhere, to find an equal one: so that what many have in common is allocated once.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::counted::{Content, Counted};

/// What can be held once by many.
pub(crate) trait Common: Clone + Eq + Hash {
    /// Whether nobody saves anything by holding it together.
    fn is_nothing(&self) -> bool;
    /// How many hold it.
    fn count(&self) -> usize;
}

impl<T: Content + Eq + Hash + ?Sized> Common for Counted<T> {
    fn is_nothing(&self) -> bool {
        self.is_empty()
    }

    fn count(&self) -> usize {
        self.holders()
    }
}

impl Common for Arc<str> {
    fn is_nothing(&self) -> bool {
        self.is_empty()
    }

    fn count(&self) -> usize {
        Self::strong_count(self)
    }
}

/// Lists or texts that are held somewhere, to find an equal one.
#[derive(Debug)]
pub(crate) struct Pool<T> {
    held: HashSet<T, RandomState>,
    /// How many there may be before those that nobody holds are looked for.
    room: usize,
}

/// The fewest that are worth a look.
pub(crate) const LEAST_ROOM: usize = 1024;

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self { held: HashSet::default(), room: LEAST_ROOM }
    }
}

impl<T: Common> Pool<T> {
    /// How many there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.held.len()
    }

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
    use crate::{Shared, Word};

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
        assert!(pool.len() <= LEAST_ROOM, "{} lists are kept", pool.len());
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
        assert_eq!((one.holders(), pool.len()), (3, 1));
    }
}
