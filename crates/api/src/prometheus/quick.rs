//! Questions whose answer took so little time that handing them to another thread would take more.
//!
//! A dashboard asks the same again and again: what one took tells what the next will.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hash};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What is answered within this is quick.
const QUICK: Duration = Duration::from_millis(1);
/// How long one that was quick may take where it is asked, before it goes to another thread.
pub(super) const SLICE: Duration = Duration::from_millis(5);
/// Most questions that are known; all are forgotten when there are more.
const MAX_KNOWN: usize = 4_096;

/// Questions that were quick when they were asked last.
#[derive(Debug, Default)]
pub(crate) struct QuickQuestions {
    /// Their hashes: one that is mistaken for another takes a slice and goes to another thread.
    known: Mutex<HashSet<u64>>,
    state: RandomState,
}

impl QuickQuestions {
    /// A question's number.
    pub(super) fn number(&self, question: impl Hash) -> u64 {
        self.state.hash_one(question)
    }

    /// Whether it was quick.
    pub(super) fn knows(&self, number: u64) -> bool {
        self.known().contains(&number)
    }

    /// Notes what it took.
    pub(super) fn note(&self, number: u64, took: Duration) {
        let mut known = self.known();
        if took > QUICK {
            known.remove(&number);
            return;
        }
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
        known.insert(number);
    }

    fn known(&self) -> MutexGuard<'_, HashSet<u64>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_quick_last_is_known_and_only_so_much() {
        let questions = QuickQuestions::default();
        let up = questions.number(("up", 0));
        assert!(!questions.knows(up));
        for (took, quick) in [(QUICK, true), (SLICE, false), (Duration::ZERO, true)] {
            questions.note(up, took);
            assert_eq!(questions.knows(up), quick, "{took:?}");
        }
        assert!(!questions.knows(questions.number(("up", 60))));
        for number in 0..MAX_KNOWN {
            questions.note(questions.number(number), Duration::ZERO);
            assert!(questions.known().len() <= MAX_KNOWN);
        }
        assert!(!questions.knows(up));
    }
}
