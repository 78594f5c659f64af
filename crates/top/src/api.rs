//! How the server is reached: one trait, so that a server far away and one in this process are
//! asked alike.

use std::pin::Pin;

/// What the server says, or why it says nothing.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, Error>> + Send + 'a>>;

/// Taffrail's own API, below its prefix `/api/taffrail/v1`.
pub trait Api: Send + Sync {
    /// Who is asked, for people.
    fn name(&self) -> &str;

    /// The body of a GET of `path` with its query (`/nodes?limit=50`).
    fn get<'a>(&'a self, path: &'a str) -> Answer<'a>;

    /// The body of the answer to a POST of the JSON `body`.
    fn post<'a>(&'a self, path: &'a str, body: Vec<u8>) -> Answer<'a>;
}

/// Why there is nothing to show.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The server could not be reached, with what to change.
    #[error("{0}")]
    Unreachable(String),
    /// It answered that it will not.
    #[error("{server} refuses {path}: {reason}")]
    Refused {
        /// Who.
        server: String,
        /// What was asked.
        path: String,
        /// What it said, with its advice.
        reason: String,
    },
    /// Its answer is not what the API promises.
    #[error(
        "{server} answers {path} with something else than Taffrail's API ({reason}); is it a Taffrail of this version?"
    )]
    Foreign {
        /// Who.
        server: String,
        /// What was asked.
        path: String,
        /// Where reading it failed.
        reason: String,
    },
}
