//! Samples that others push: what is taken, where it goes, who may.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use metrics::counter;
pub(crate) use model::Described;
use query::promql::{Labels, METRIC_NAME, is_label_name, is_metric_name};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::ApiState;
use crate::limits::{BODY_TIMEOUT, hit};
use crate::telemetry::PUSHED;

pub(crate) mod otlp;
pub(crate) mod remote_write;

/// Most bytes of a body as it comes.
pub(crate) const MAX_BODY_BYTES: usize = 16 << 20;
/// Most bytes of a body once it is decompressed.
pub(crate) const MAX_DECODED_BYTES: usize = 64 << 20;
/// Most series in one body.
pub(crate) const MAX_SERIES: usize = 100_000;
/// Most samples in one body.
pub(crate) const MAX_SAMPLES: usize = 1_000_000;
/// Most labels of one series.
const MAX_LABELS: usize = 128;
/// Most bytes of a label's name.
const MAX_NAME_BYTES: usize = 256;
/// Most bytes of a label's value.
const MAX_VALUE_BYTES: usize = 4096;

/// One series with its samples (milliseconds, value).
#[derive(Debug, Clone, PartialEq)]
pub struct Pushed {
    /// With the metric's name.
    pub labels: Labels,
    /// In time's order.
    pub samples: Vec<(i64, f64)>,
}

/// What became of samples.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Kept.
    pub stored: usize,
    /// Not kept, by reason.
    pub refused: BTreeMap<&'static str, usize>,
}

/// A message that was read.
#[derive(Debug, Default)]
pub(crate) struct Message {
    pub(crate) series: Vec<Pushed>,
    described: Vec<Described>,
    outcome: Outcome,
}

impl Message {
    /// Without what cannot be kept.
    fn checked(mut self) -> Self {
        self.series = checked(self.series, &mut self.outcome);
        self
    }

    /// Keeps what there is, and counts. An error means that nothing was kept.
    fn keep(self, state: &ApiState) -> Result<Outcome, String> {
        let Self { series, described, mut outcome } = self;
        let kept = state.intake.take(&series, &described)?;
        outcome.stored += kept.stored;
        for (reason, count) in kept.refused {
            outcome.refuse(reason, count);
        }
        counted(&outcome);
        Ok(outcome)
    }
}

/// Most bodies that are decoded and stored at once; more wait.
pub(crate) const MAX_AT_ONCE: usize = 8;

/// Does `work` on a blocking thread, once one of the [`MAX_AT_ONCE`] places is free.
async fn at_work<T: Send + 'static>(
    state: &Arc<ApiState>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    let place = Arc::clone(&state.pushes).acquire_owned().await;
    let place = place.map_err(|error| error.to_string())?;
    let done = spawn_blocking(move || {
        let done = work();
        drop(place);
        done
    });
    done.await.map_err(|error| error.to_string())
}

/// A whole body, as it came, or why there is none.
async fn whole(body: Body) -> Result<Bytes, (StatusCode, &'static str)> {
    match timeout(BODY_TIMEOUT, to_bytes(body, MAX_BODY_BYTES)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(_)) => {
            hit("push_body");
            Err((StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than 16 MiB"))
        }
        Err(_) => Err((StatusCode::REQUEST_TIMEOUT, "the body did not come in time")),
    }
}

impl Outcome {
    pub(crate) fn refuse(&mut self, reason: &'static str, count: usize) {
        if count > 0 {
            *self.refused.entry(reason).or_default() += count;
        }
    }

    /// Every refusal with its number, for people.
    pub(crate) fn complaint(&self) -> Option<String> {
        let told: Vec<String> =
            self.refused.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        (!told.is_empty()).then(|| format!("samples were refused: {}", told.join(", ")))
    }
}

/// Takes samples.
pub trait Intake: Send + Sync {
    /// Keeps what can be kept. An error means that nothing was, and that it may be tried again.
    fn take(&self, series: &[Pushed], described: &[Described]) -> Result<Outcome, String>;
}

/// Who may push.
#[derive(Clone, Default)]
pub enum PushAccess {
    /// Nobody.
    #[default]
    Closed,
    /// Whoever reaches the port: it is on loopback.
    Open,
    /// Who shows this bearer token.
    Token(Arc<str>),
}

impl std::fmt::Debug for PushAccess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Closed => "Closed",
            Self::Open => "Open",
            Self::Token(_) => "Token",
        })
    }
}

impl PushAccess {
    /// Whether a request with these headers may push; else the answer.
    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<(), Box<Response>> {
        match self.refusal(headers) {
            None => Ok(()),
            Some((status, reason)) => Err(Box::new((status, reason).into_response())),
        }
    }

    /// Why a request with these headers may not push.
    pub(crate) fn refusal(&self, headers: &HeaderMap) -> Option<(StatusCode, &'static str)> {
        let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let shown = shown.and_then(|text| text.strip_prefix("Bearer "));
        let refused = match self {
            Self::Open => return None,
            Self::Closed => (
                StatusCode::FORBIDDEN,
                "nothing is taken here: this port is reachable by others; start Taffrail with \
                 --push-token-file\n",
            ),
            Self::Token(token) if shown.is_some_and(|shown| same(shown, token)) => return None,
            Self::Token(_) => (StatusCode::UNAUTHORIZED, "a bearer token is needed\n"),
        };
        counter!(PUSHED, "outcome" => "forbidden").increment(1);
        Some(refused)
    }
}

/// Compares in a time that does not tell how much was right.
fn same(left: &str, right: &str) -> bool {
    left.len() == right.len()
        && left.bytes().zip(right.bytes()).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

/// The series that may be kept; what is wrong with others is counted.
pub(crate) fn checked(series: Vec<Pushed>, outcome: &mut Outcome) -> Vec<Pushed> {
    let mut samples = 0;
    series
        .into_iter()
        .filter(|one| {
            samples += one.samples.len();
            let wrong =
                wrong(&one.labels).or((samples > MAX_SAMPLES).then_some("too_many_samples"));
            if let Some(reason) = wrong {
                outcome.refuse(reason, one.samples.len().max(1));
            }
            wrong.is_none()
        })
        .collect()
}

fn wrong(labels: &Labels) -> Option<&'static str> {
    let name = labels.get(METRIC_NAME);
    if name.is_empty() {
        return Some("no_metric_name");
    }
    if !is_metric_name(name) {
        return Some("bad_metric_name");
    }
    let mut count = 0;
    for (name, value) in labels.iter() {
        count += 1;
        if !is_label_name(name) {
            return Some("bad_label_name");
        }
        if name.len() > MAX_NAME_BYTES || value.len() > MAX_VALUE_BYTES {
            return Some("label_too_long");
        }
    }
    (count > MAX_LABELS).then_some("too_many_labels")
}

/// Counts what became of samples.
pub(crate) fn counted(outcome: &Outcome) {
    counter!(PUSHED, "outcome" => "stored").increment(outcome.stored as u64);
    for (reason, count) in &outcome.refused {
        counter!(PUSHED, "outcome" => *reason).increment(*count as u64);
    }
}

/// Nowhere: everything is refused.
impl Intake for () {
    fn take(&self, series: &[Pushed], _: &[Described]) -> Result<Outcome, String> {
        let mut outcome = Outcome::default();
        outcome.refuse("nothing_kept", series.iter().map(|one| one.samples.len()).sum());
        Ok(outcome)
    }
}
