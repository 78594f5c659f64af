//! Code that several crates use and that is in the program once. What is generic is made anew in
//! every crate that uses it, unless a crate below has made it already for the same types.
#![forbid(unsafe_code)]

mod http;
mod json;
mod order;

pub use http::{Http, ask, client};
pub use json::json;
pub use order::Order;
