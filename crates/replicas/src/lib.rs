//! What replicas tell each other each tick, so that each of them holds everything.
//!
//! A replica measures its own nodes, offers what came of it (its share), takes the shares of the
//! others, and computes rates and sums over the whole: every query is answered from one batch in
//! which each node stands once. docs/decisions/0121 weighs that against asking at query time.
#![forbid(unsafe_code)]

mod client;
mod exchange;
mod ledger;
mod merge;
mod server;
mod share;
mod source;
mod telemetry;
mod tls;
mod token;
mod wire;

pub use exchange::Taker;
pub use ledger::{Ledger, SharedSamples};
pub use server::Peers;
pub use source::SharedSource;
pub use tls::{PeerTls, PeerTlsError};
pub use token::{SHORTEST_TOKEN, Token, TokenError};
