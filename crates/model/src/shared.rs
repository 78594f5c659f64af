//! A list that many hold and one allocates: what pods of one template have in common.

use std::collections::HashSet;
use std::hash::Hash;
use std::ops::Deref;
use std::sync::Arc;

/// A list behind a count; as cheap to clone as a number.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Shared<T>(Arc<[T]>);

impl<T> Shared<T> {
    /// Whether both are the same piece of memory.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// How many hold it.
    pub(crate) fn holders(&self) -> usize {
        Arc::strong_count(&self.0)
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self(Arc::from([]))
    }
}

impl<T> Deref for Shared<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T> From<Vec<T>> for Shared<T> {
    fn from(list: Vec<T>) -> Self {
        Self(list.into())
    }
}

impl<T> From<Box<[T]>> for Shared<T> {
    fn from(list: Box<[T]>) -> Self {
        Self(list.into())
    }
}

impl<T, const LENGTH: usize> From<[T; LENGTH]> for Shared<T> {
    fn from(list: [T; LENGTH]) -> Self {
        Self(list.into())
    }
}

impl<T> FromIterator<T> for Shared<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self(items.into_iter().collect())
    }
}

impl<'a, T> IntoIterator for &'a Shared<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

/// Lists that are held somewhere, to find an equal one.
#[derive(Debug)]
pub(crate) struct Pool<T> {
    lists: HashSet<Shared<T>>,
    /// How many there may be before those that nobody holds are looked for.
    room: usize,
}

/// The fewest lists that are worth a look.
const LEAST_ROOM: usize = 1024;

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self { lists: HashSet::new(), room: LEAST_ROOM }
    }
}

impl<T: Eq + Hash> Pool<T> {
    /// Puts an equal list that is held already in the place of `list`.
    pub(crate) fn share(&mut self, list: &mut Shared<T>) {
        if list.is_empty() {
            return;
        }
        if let Some(known) = self.lists.get(list) {
            *list = known.clone();
            return;
        }
        if self.lists.len() >= self.room {
            self.lists.retain(|list| list.holders() > 1);
            self.room = (self.lists.len() * 2).max(LEAST_ROOM);
        }
        self.lists.insert(list.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_lists_become_one_and_unheld_ones_go() {
        let mut pool = Pool::default();
        let (mut one, mut two): (Shared<u32>, Shared<u32>) = ([1, 2].into(), vec![1, 2].into());
        assert!(one == two && !one.is_same(&two));
        pool.share(&mut one);
        pool.share(&mut two);
        assert!(one.is_same(&two));
        for number in 0..10_000 {
            pool.share(&mut [number].into_iter().collect());
        }
        assert!(pool.lists.len() <= LEAST_ROOM, "{} lists are kept", pool.lists.len());
        let mut three = [1, 2].into();
        pool.share(&mut three);
        assert!(three.is_same(&one));
    }
}
