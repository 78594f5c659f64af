//! How long questions took when they were asked last: one that was quick is answered where it is
//! asked, for handing it to another thread would take longer; one that was long gets two threads.
//!
//! A dashboard asks the same again and again: what one took tells what the next will.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use foldhash::fast::RandomState;

/// What is answered within this is quick.
const QUICK: Duration = Duration::from_millis(1);
/// How long one that was quick may take where it is asked, before it goes to another thread.
pub(super) const SLICE: Duration = Duration::from_millis(5);
/// What takes longer is long.
const LONG: Duration = Duration::from_millis(10);
/// What was long stays so while it takes this: the second thread saves less than half.
const STILL_LONG: Duration = Duration::from_millis(5);
/// Most questions that are known; all are forgotten when there are more.
const MAX_KNOWN: usize = 4_096;

/// How long a question takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// Less than to hand it over.
    Quick,
    /// Nothing special, or not known.
    Usual,
    /// Long enough for a second thread.
    Long,
}

/// How long questions took.
#[derive(Debug, Default)]
pub(crate) struct Paces {
    /// By their hashes: one that is mistaken for another takes a slice, or a thread for nothing.
    known: Mutex<HashMap<u64, Pace, RandomState>>,
    state: RandomState,
}

impl Paces {
    /// A question's number.
    pub(super) fn number(&self, question: impl Hash) -> u64 {
        self.state.hash_one(question)
    }

    /// How long it took.
    pub(super) fn of(&self, number: u64) -> Pace {
        self.known().get(&number).copied().unwrap_or(Pace::Usual)
    }

    /// Notes what it took, of which was known that it `was`.
    pub(super) fn note(&self, number: u64, was: Pace, took: Duration) {
        let pace = match took {
            _ if took <= QUICK => Pace::Quick,
            _ if took > LONG || was == Pace::Long && took > STILL_LONG => Pace::Long,
            _ => Pace::Usual,
        };
        if pace == was {
            return;
        }
        let mut known = self.known();
        if pace == Pace::Usual {
            known.remove(&number);
            return;
        }
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
        known.insert(number, pace);
    }

    fn known(&self) -> MutexGuard<'_, HashMap<u64, Pace, RandomState>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_question_took_last_is_known_and_only_so_much() {
        let paces = Paces::default();
        let up = paces.number(("up", 0));
        assert_eq!(paces.of(up), Pace::Usual);
        let ms = Duration::from_millis;
        for (took, pace) in [
            (QUICK, Pace::Quick),
            (SLICE, Pace::Usual),
            (LONG, Pace::Usual),
            (ms(11), Pace::Long),
            (ms(6), Pace::Long),
            (STILL_LONG, Pace::Usual),
            (ms(6), Pace::Usual),
            (ms(11), Pace::Long),
            (Duration::ZERO, Pace::Quick),
        ] {
            paces.note(up, paces.of(up), took);
            assert_eq!(paces.of(up), pace, "{took:?}");
        }
        assert_eq!(paces.of(paces.number(("up", 60))), Pace::Usual);
        for number in 0..MAX_KNOWN {
            paces.note(paces.number(number), Pace::Usual, Duration::ZERO);
            assert!(paces.known().len() <= MAX_KNOWN);
        }
        assert_eq!(paces.of(up), Pace::Usual);
    }
}
