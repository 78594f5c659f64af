//! From a kubelet's bytes to rows of a draft. All or nothing: bytes that cannot be read whole leave
//! the draft as it was. Knows no HTTP.

mod cadvisor;
mod exposition;
mod resource;
mod rows;
mod summary;

use std::collections::HashMap;
use std::sync::Arc;

use model::{Draft, Kind, Metric, Node, Timestamp, ValueType};

use crate::wire::resource::ScanError;

/// Why a body could not be read, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at byte {offset}")]
pub struct DecodeError {
    /// What is wrong.
    pub reason: String,
    /// How far into the body.
    pub offset: usize,
}

impl From<ScanError> for DecodeError {
    fn from(error: ScanError) -> Self {
        Self { reason: error.reason.to_owned(), offset: error.offset }
    }
}

/// How many names of self-defined metrics are remembered; beyond that their values are dropped.
pub const MAX_CUSTOM_METRICS: usize = 200;

/// Reads kubelet answers. Keeps names of self-defined metrics between answers.
#[derive(Debug, Default)]
pub struct Decoder {
    custom: HashMap<Box<str>, Metric>,
}

impl Decoder {
    /// Reads a `/stats/summary` of `node` into `draft`. `now` serves uptimes.
    ///
    /// Sets, keys and rules: Heapster's summary source, with the differences named at the rules.
    pub fn summary(
        &mut self,
        body: &[u8],
        node: &Arc<Node>,
        now: Timestamp,
        draft: &mut Draft,
    ) -> Result<(), DecodeError> {
        let parsed = serde_json::from_slice(body).map_err(|error| json_error(body, &error))?;
        summary::fill(&parsed, self, rows::Rows { draft, node, now });
        Ok(())
    }

    /// Reads a `/metrics/resource` of `node` into `draft`: CPU, working set, swap and start times
    /// only. Rows that exist already are completed, not overwritten.
    pub fn resource(
        &mut self,
        body: &[u8],
        node: &Arc<Node>,
        now: Timestamp,
        draft: &mut Draft,
    ) -> Result<(), DecodeError> {
        resource::read(body, &mut rows::Rows { draft, node, now })
    }

    /// Reads a `/stats/container` of `node` into `draft`, as kubelets before 1.18 answer it.
    ///
    /// Sets, keys and rules: Heapster's cAdvisor source, with the differences named at the rules.
    pub fn container_stats(
        &mut self,
        body: &[u8],
        node: &Arc<Node>,
        now: Timestamp,
        draft: &mut Draft,
    ) -> Result<(), DecodeError> {
        let parsed = serde_json::from_slice(body).map_err(|error| json_error(body, &error))?;
        cadvisor::fill(&parsed, rows::Rows { draft, node, now });
        Ok(())
    }

    /// Reads a `/metrics/cadvisor` of `node` into `draft`: what the summary has, and page caches,
    /// load, throttling and disk I/O besides; no volumes.
    pub fn exposition(
        &mut self,
        body: &[u8],
        node: &Arc<Node>,
        now: Timestamp,
        draft: &mut Draft,
    ) -> Result<(), DecodeError> {
        exposition::read(body, &mut rows::Rows { draft, node, now })
    }

    /// The metric `custom/<name>`; `None` when too many names have been seen.
    fn custom_metric(&mut self, name: &str, kind: Kind, value: ValueType) -> Option<&Metric> {
        if !self.custom.contains_key(name) {
            if self.custom.len() >= MAX_CUSTOM_METRICS {
                metrics::counter!(crate::telemetry::CUSTOM_METRICS_DROPPED).increment(1);
                return None;
            }
            let metric = Metric::Custom { name: format!("custom/{name}").into(), kind, value };
            self.custom.insert(name.into(), metric);
        }
        self.custom.get(name)
    }
}

fn json_error(body: &[u8], error: &serde_json::Error) -> DecodeError {
    let line_start: usize = body
        .split_inclusive(|byte| *byte == b'\n')
        .take(error.line().saturating_sub(1))
        .map(<[u8]>::len)
        .sum();
    let text = error.to_string();
    let reason = text.rsplit_once(" at line ").map_or(&*text, |(reason, _)| reason);
    DecodeError { reason: reason.to_owned(), offset: (line_start + error.column()).min(body.len()) }
}

#[cfg(test)]
mod tests;
