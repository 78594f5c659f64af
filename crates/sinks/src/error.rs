//! What can go wrong with a sink.

use std::path::PathBuf;

/// Why a sink could not be made, or did not take a batch.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No sink has that key.
    #[error("sink not recognized: {key:?} (known: {known})")]
    NotRecognized {
        /// What was asked for.
        key: String,
        /// Every key, joined by commas.
        known: String,
    },
    /// The sink does not take that.
    #[error("sink {sink} takes {takes}, no {what}")]
    NotTaken {
        /// The sink's key.
        sink: &'static str,
        /// What it was to take: `metrics`, `events` or `alerts`.
        what: &'static str,
        /// What it takes.
        takes: &'static str,
    },
    /// The sink has no such setting.
    #[error("sink {sink} has no setting {name:?} (known: {known})")]
    UnknownSetting {
        /// The sink's key.
        sink: &'static str,
        /// What was set.
        name: String,
        /// Every setting, joined by commas.
        known: String,
    },
    /// The setting cannot have that value. Never made of a secret.
    #[error("sink {sink}: {name}={value:?} is not one of {known}")]
    BadSetting {
        /// The sink's key.
        sink: &'static str,
        /// The setting.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        known: &'static str,
    },
    /// A file that a setting names cannot be used.
    #[error("sink {sink}: {name}={}: {reason}", path.display())]
    BadFile {
        /// The sink's key.
        sink: &'static str,
        /// The setting.
        name: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The output did not take the bytes.
    #[error("write to the output: {0}")]
    Write(#[from] std::io::Error),
    /// The queue's folder cannot be used.
    #[error("queue {}: {source}", path.display())]
    Queue {
        /// The folder.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Another process, or another sink, uses the queue's folder.
    #[error("queue {} is in use by another process or sink", path.display())]
    QueueInUse {
        /// The folder.
        path: PathBuf,
    },
    /// A sink with a queue sends from a task of its own.
    #[error("sink {sink} needs a runtime to send from")]
    NoRuntime {
        /// The sink's key.
        sink: &'static str,
    },
}

impl Error {
    /// The setting that it is about, if it is about one.
    pub fn setting(&self) -> Option<&str> {
        match self {
            Self::UnknownSetting { name, .. } => Some(name),
            Self::BadSetting { name, .. } | Self::BadFile { name, .. } => Some(name),
            _ => None,
        }
    }
}
