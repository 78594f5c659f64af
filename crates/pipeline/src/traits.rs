//! What the tick asks of its ends: a source fills drafts, a sink takes batches.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use model::{Batch, Draft, Timestamp};
use tokio::time::Instant;

/// A boxed future, by its usual name.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The stretch of time that one tick covers.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// Begin, exclusive.
    pub start: Timestamp,
    /// End, inclusive: the batch's timestamp.
    pub end: Timestamp,
    /// When the source must have answered with what it has.
    pub deadline: Instant,
}

/// Where measurements come from.
pub trait Source: Send + Sync {
    /// The name in logs and self-metrics (`kubernetes.summary_api`).
    fn name(&self) -> &str;

    /// Measures everything once. Partial by design: what failed is a
    /// [`Target`](model::Target) in the draft, never an error. Ends by `window.deadline`.
    fn scrape(&self, window: Window, draft: Draft) -> BoxFuture<'_, Draft>;
}

/// Why a batch did not reach a sink.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct SinkError {
    /// One line: which hop failed and why.
    pub reason: String,
}

/// Where batches go. Each sink has its own task and bounded queue, so it may take its time.
pub trait Sink: Send {
    /// The name in logs and self-metrics (`Log Sink`).
    fn name(&self) -> &str;

    /// Takes one batch.
    fn export(&mut self, batch: Arc<Batch>) -> BoxFuture<'_, Result<(), SinkError>>;

    /// Sends what it holds back, once no more batches come; nothing for most.
    fn finish(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}
