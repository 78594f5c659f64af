//! The tick: sources fill a draft, processors complete it, the frozen batch goes to every sink.
//!
//! Owns time (the only reader of the wall clock) and the queues. Knows nothing of Kubernetes,
//! HTTP, files or any concrete source or sink.
#![forbid(unsafe_code)]

mod clock;
mod deliver;
mod processors;
mod queue;
mod schedule;
mod telemetry;
mod tick;
mod traits;

pub use clock::Clock;
pub use processors::{Options as ProcessorOptions, PodSum, Processors, RateOptions, STEPS, Step};
pub use queue::QUEUE_BATCHES;
pub use tick::{Pipeline, Stopped, TickOptions, TickStatus};
pub use traits::{BoxFuture, Sink, SinkError, Source, Window};
