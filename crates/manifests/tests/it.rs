//! The manifests as clusters, kubectl and Helm read them.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on panics")]

#[path = "it/chart.rs"]
mod chart;
#[path = "it/files.rs"]
mod files;
#[path = "it/rights.rs"]
mod rights;
#[path = "it/schemas.rs"]
mod schemas;
#[path = "it/support.rs"]
mod support;
