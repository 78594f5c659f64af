//! What can go wrong in the store, by what the caller can do about it.

use std::io;
use std::path::{Path, PathBuf};

use model::Timestamp;

/// Why an operation on the store failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another process owns the folder.
    #[error("{} is in use by {holder}", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// What the owner wrote into it (process id and start time).
        holder: String,
    },
    /// The disk (or quota) is full. Reads go on; [`Store::resume`](crate::Store::resume) tries
    /// to write again.
    #[error("no space left for {}", file.display())]
    Full {
        /// The file that could not grow.
        file: PathBuf,
    },
    /// The operating system refused.
    #[error("{operation} {}", file.display())]
    Io {
        /// What was tried (`open`, `sync`, …).
        operation: &'static str,
        /// On which file.
        file: PathBuf,
        /// Its answer.
        #[source]
        source: io::Error,
    },
    /// An earlier failed write or sync left the log in doubt: no more writes until
    /// [`Store::resume`](crate::Store::resume) succeeds. Reads go on.
    #[error("writing stopped: {reason}")]
    Poisoned {
        /// The failure that stopped it.
        reason: String,
    },
    /// A file does not hold what it should.
    #[error("{} is damaged at byte {offset}: {what}", file.display())]
    Corrupt {
        /// The file.
        file: PathBuf,
        /// Where in it.
        offset: u64,
        /// What was expected there.
        what: &'static str,
    },
    /// A file was written by a version of Taffrail that this one does not know.
    #[error("{} has format {found}, this program reads up to {known}", file.display())]
    Version {
        /// The file.
        file: PathBuf,
        /// Its version.
        found: u32,
        /// The newest known version.
        known: u32,
    },
    /// The batch is not newer than the newest stored one.
    #[error("batch of {batch} is not after {newest}")]
    OutOfOrder {
        /// The batch's time.
        batch: Timestamp,
        /// The newest stored time.
        newest: Timestamp,
    },
    /// A matcher's regular expression does not compile.
    #[error("regular expression {pattern}")]
    Pattern {
        /// The expression.
        pattern: String,
        /// Why.
        #[source]
        source: Box<regex::Error>,
    },
}

impl Error {
    /// Wraps the operating system's answer; a full disk becomes [`Error::Full`].
    pub(crate) fn io(operation: &'static str, file: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Self::Full { file: file.to_owned() },
            _ => Self::Io { operation, file: file.to_owned(), source },
        }
    }

    pub(crate) fn corrupt(file: &Path, offset: u64, what: &'static str) -> Self {
        Self::Corrupt { file: file.to_owned(), offset, what }
    }
}

/// A place in a file that does not hold what it should; what was there reads as a gap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub file: PathBuf,
    /// Where in it.
    pub offset: u64,
    /// What was expected there.
    pub what: &'static str,
}
