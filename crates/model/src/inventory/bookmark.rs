//! A number that a reader leaves on a record for whoever reads it next.

use std::sync::atomic::{AtomicU64, Ordering};

/// Where a reader found what it holds about a record. It is no part of the record: all are equal,
/// and what it says is looked at before it is believed.
#[derive(Default)]
pub struct Bookmark(AtomicU64);

impl Bookmark {
    /// What was left last; 0 where nothing was.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Leaves `place`; mostly it is there already, and nothing is written.
    pub fn leave(&self, place: u64) {
        if self.get() != place {
            self.0.store(place, Ordering::Relaxed);
        }
    }
}

impl Clone for Bookmark {
    fn clone(&self) -> Self {
        Self(AtomicU64::new(self.get()))
    }
}

impl PartialEq for Bookmark {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Bookmark {}

impl std::fmt::Debug for Bookmark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bookmark")
    }
}

#[cfg(test)]
mod tests {
    use super::Bookmark;

    #[test]
    fn what_is_left_is_found_and_makes_no_difference() {
        let (one, other) = (Bookmark::default(), Bookmark::default());
        one.leave(7);
        assert_eq!((one.get(), one.clone().get(), other.get()), (7, 7, 0));
        assert_eq!(one, other);
    }
}
