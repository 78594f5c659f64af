//! The live window and the questions asked of it: newest batch, ranges, rankings, and PromQL.
//!
//! Pure: no clock, no files, no network, no async. Time comes from the batches and arguments.
#![forbid(unsafe_code)]

mod chunk;
mod graphed;
mod history;
pub mod promql;
mod range;
mod rank;
pub mod telemetry;
mod window;

pub use range::{Extremes, RangeAnswer, SeriesRef, SeriesValues};
pub use rank::top;
pub use window::{Rejected, Window, WindowOptions};
