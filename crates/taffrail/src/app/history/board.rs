//! What is wrong with history now: logged when it begins and ends, shown while it lasts.

use std::error::Error as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use api::Problem;
use model::{Hop, Timestamp};
use store::{Damage, Error};

/// Where it goes wrong; the first one's problem is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A batch was not written.
    Append,
    /// Files were not maintained.
    Maintain,
    /// A batch did not get as far as the disk.
    Queue,
}

/// One problem a place.
#[derive(Debug, Default)]
pub(super) struct Board {
    problems: Mutex<[Option<Problem>; 3]>,
}

impl Board {
    /// The problem to show.
    pub(super) fn problem(&self) -> Option<Problem> {
        self.lock().iter().flatten().next().cloned()
    }

    /// The store answered `error`.
    pub(super) fn failed(&self, place: Place, error: &Error, now: Timestamp) {
        let advice = match error {
            Error::Full { .. } => {
                "free space there or lower --retention-bytes; writing resumes by itself within \
                 30 seconds"
            }
            // Its cause was reported before.
            Error::Poisoned { .. } if self.problem().is_some() => return,
            _ => "check the disk and who may write there; writing is tried again every 30 seconds",
        };
        self.report(place, chain(error), advice, now);
    }

    /// It goes wrong at `place`.
    pub(super) fn report(&self, place: Place, reason: String, advice: &str, now: Timestamp) {
        let mut problems = self.lock();
        let slot = &mut problems[place as usize];
        if slot.as_ref().is_some_and(|known| known.reason == reason) {
            return;
        }
        let since = slot.as_ref().map_or(now, |known| known.since);
        tracing::error!(reason, advice, "history is not written");
        let (about, advice) = ("history on disk".to_owned(), advice.to_owned());
        *slot = Some(Problem { about, hop: Hop::Local, reason, advice, since });
    }

    /// It goes well at `place`.
    pub(super) fn clear(&self, place: Place) {
        let mut problems = self.lock();
        if problems[place as usize].take().is_some() && problems.iter().all(Option::is_none) {
            tracing::info!("history is written again");
        }
    }

    fn lock(&self) -> MutexGuard<'_, [Option<Problem>; 3]> {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The problem that files are damaged, if any are.
pub(super) fn damaged(damage: &[Damage], since: Timestamp) -> Option<Problem> {
    let first = damage.first()?;
    let more = match damage.len() {
        1 => String::new(),
        places => format!(", and {} more places", places - 1),
    };
    Some(Problem {
        about: "history on disk".to_owned(),
        hop: Hop::Local,
        reason: format!("{} is damaged at byte {}{more}", first.file.display(), first.offset),
        advice: "what was there shows as a gap, all else is served; check the disk, and put back \
                 a snapshot if you have one"
            .to_owned(),
        since,
    })
}

/// An error with its causes in one line.
pub(super) fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
