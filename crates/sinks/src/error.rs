//! What can go wrong with a sink.

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
    /// The setting cannot have that value.
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
    /// The output did not take the bytes.
    #[error("write to the output: {0}")]
    Write(#[from] std::io::Error),
}
