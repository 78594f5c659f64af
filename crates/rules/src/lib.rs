//! Recording and alerting rules: their files, their evaluation, and what silences alerts.
//!
//! Behaviour follows Prometheus 2.42. Pure: no clock, no files, no network; series come from a
//! [`Select`](query::promql::Select), results go where the caller puts them.
#![forbid(unsafe_code)]

mod alert;
mod board;
mod builtin;
mod check;
mod evaluate;
mod file;
mod group;
mod journal;
mod replace;
mod restore;
mod silence;
mod telemetry;
mod template;

pub use alert::{Alert, AlertState};
pub use board::{AlertBoard, GroupStanding, Receiver, Receivers, RuleStanding, Standing};
pub use builtin::{BUILTIN, builtin};
pub use check::{Checked, check};
pub use evaluate::{Evaluated, GroupRun, Health, Ledger, Sample, Setting};
pub use file::{MAX_FILE_BYTES, Mistake, read};
pub use group::{Group, Rule, RuleKind};
pub use journal::{Change, ChangeKind, ChangesAsked, Journal};
pub use replace::Left;
pub use restore::Restored;
pub use silence::{Silence, SilenceAsked, SilenceError, SilenceMatcher, SilenceState, Silences};
pub use template::{Ask, Data, Found, Template, TemplateError, exponential, humanize, shortest};
