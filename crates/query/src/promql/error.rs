//! Why a query was refused or failed, by name; where it is logged or rendered is not known here.

/// Why a source could not hand out series.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// The request's `max_series` or `max_samples` would be passed.
    #[error("more than {limit} {what} match")]
    TooMany {
        /// `series` or `samples`.
        what: &'static str,
        /// The bound.
        limit: usize,
    },
    /// The source failed.
    #[error("{0}")]
    Failed(String),
}

/// Why a query has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// Not PromQL, or types do not fit.
    #[error("{line}:{column}: parse error: {reason}")]
    Parse {
        /// Byte offset of the offending part in the query text.
        offset: usize,
        /// Its line, from 1.
        line: usize,
        /// Its column in characters, from 1.
        column: usize,
        /// What is wrong.
        reason: String,
    },
    /// A named bound of [`super::Limits`] would be passed.
    #[error("query needs more than the allowed {limit} {what}")]
    Limit {
        /// The bound's name: a field of [`super::Limits`].
        what: &'static str,
        /// Its value.
        limit: u64,
    },
    /// A step of zero, an end before the start, or a kind that ranges cannot have.
    #[error("{0}")]
    BadRequest(String),
    /// Evaluation failed, for example because a matching is ambiguous.
    #[error("{0}")]
    Execution(String),
    /// The asker gave up.
    #[error("query was canceled")]
    Canceled,
    /// The source failed.
    #[error("select: {0}")]
    Select(#[from] SelectError),
}

impl QueryError {
    pub(super) fn execution(reason: impl Into<String>) -> Self {
        Self::Execution(reason.into())
    }

    pub(super) fn parse(text: &str, offset: usize, reason: impl Into<String>) -> Self {
        let offset = offset.min(text.len());
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self::Parse {
            offset,
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or("").chars().count() + 1,
            reason: reason.into(),
        }
    }
}
