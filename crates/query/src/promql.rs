//! PromQL over float samples: parsing, instant and range evaluation; knows no store and no HTTP.
//!
//! Behaviour follows Prometheus 2.42 and is compared with it (docs/decisions/0040). A [`Select`]
//! hands out series as columns; every expression is evaluated once over all steps, column by
//! column, and [`Limits`] bound what a query may cost.

#![expect(clippy::cast_precision_loss, reason = "PromQL's numbers are 64-bit floats")]

mod aggregate;
mod answer;
mod binary;
mod budget;
mod error;
mod eval;
mod expr;
mod functions;
mod fuzz;
mod labels;
mod locate;
mod lower;
mod matcher;
mod matching;
mod memory;
mod parse;
mod parsed;
mod rank;
mod scan;
mod select;
mod selector;
mod signature;
mod spans;
mod union;
mod value;

pub use model::{STALE, is_label_name, is_metric_name, is_stale};

pub use answer::{Answer, AnswerValue, InstantSample, RangeSeries, Stats};
pub use budget::{Limits, Options};
pub use error::{QueryError, SelectError};
pub use expr::ValueKind;
pub use fuzz::fuzz_promql;
pub use labels::{Labels, METRIC_NAME};
pub use matcher::{MatchOp, Matcher};
pub use memory::MemorySeries;
pub use parse::{Query, duration_ms, format, parse, parse_matchers};
pub use parsed::ParsedQueries;
pub use select::{Column, Database, MetricInfo, Select, SelectRequest, Selected, SeriesView};
pub use union::Union;
