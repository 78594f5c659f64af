//! Why a scrape has no samples.

/// Why there is no answer, or why nothing of it is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The reason as counters name it.
    pub(crate) name: &'static str,
    /// For people.
    pub(crate) reason: String,
}

impl Failure {
    pub(crate) fn new(name: &'static str, reason: impl Into<String>) -> Self {
        Self { name, reason: reason.into() }
    }
}
