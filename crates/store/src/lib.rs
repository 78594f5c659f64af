//! The embedded time-series store: history of metrics and events on local disk.
//!
//! Synchronous, one folder, one owner. An entity (pod, node, …) is the unit of storage: batches
//! go through a write-ahead log into a window in memory, windows become immutable blocks, the
//! blocks of a day become one. Time is an argument; files are reached through [`Vfs`]. Knows no
//! network, no clock, no Kubernetes and no query language. Formats: docs/FORMAT.md.
#![forbid(unsafe_code)]

mod block;
mod catalog;
mod chunk;
mod column;
mod error;
mod events;
mod frame;
pub mod fuzz;
mod labels;
mod matcher;
mod merge;
mod numbers;
mod options;
mod packed;
mod record;
mod samples;
mod scale;
mod select;
mod store;
mod telemetry;
mod vfs;
mod wal;
mod window;
mod wire;

pub use error::{Damage, Error};
pub use events::EventQuery;
pub use labels::Labels;
pub use matcher::Matcher;
pub use options::{Durability, Options};
pub use samples::{
    Incoming, Pairs, Refused, SampleOptions, SampleQuery, SampleSeries, Samples, Taken, TooMuch,
};
pub use select::{Buckets, ColumnHead, Query, Selection, Slice, Values};
pub use store::{Appended, BlockSummary, Last, Maintained, Moment, Store, Summary, Verified};
pub use vfs::{Disk, Fault, File, Listed, LockError, LockGuard, Simulated, Vfs};

/// The newest version of the files that this program reads, and the one that it writes.
pub const FORMAT: u32 = 1;
