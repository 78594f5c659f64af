//! The live window and the questions asked of it: newest batch, ranges, rankings, and PromQL.
//!
//! Pure: no clock, no files, no network, no async. Time comes from the batches and arguments.
#![forbid(unsafe_code)]

mod archive;
mod chunk;
mod columns;
mod graphed;
mod history;
mod joined;
pub mod promql;
mod range;
mod rank;
mod resource;
pub mod telemetry;
mod views;
mod window;

pub use archive::{Archive, ArchiveError, Cancel, EventsAsked, LabelMatch, Strip, label_of};
pub use columns::{Columns, ColumnsAsked, EntityRow};
pub use joined::RangeAsked;
pub use range::{Extremes, RangeAnswer, SeriesRef, SeriesValues};
pub use rank::top;
pub use resource::{
    ContainerUsage, Glance, NodeWindow, PodUsage, ResourceOptions, ResourceWindows, Usage,
};
pub use views::{StateHistory, UnknownStates, Views};
pub use window::{Rejected, Window, WindowOptions};
