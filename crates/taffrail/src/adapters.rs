//! Where crates meet that do not know each other: newtypes of a few lines, and nothing else.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use model::Batch;
use pipeline::{BoxFuture, SinkError};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// How long an export waits for what it queued to be sent: long enough that a batch that meets a
/// destination in good health has arrived when its export ends, short enough for any resolution.
const SETTLE: Duration = Duration::from_secs(3);

/// A sink of the `sinks` crate behind the pipeline's queue. Encoding may block, so it runs on a
/// thread of its own.
pub(crate) struct QueuedSink {
    name: &'static str,
    /// `None` while a batch is on its way, and for ever after a panic.
    sink: Option<sinks::Sink>,
}

impl QueuedSink {
    pub(crate) fn new(sink: sinks::Sink) -> Self {
        Self { name: sink.name(), sink: Some(sink) }
    }

    async fn hand_over(&mut self, batch: Arc<Batch>) -> Result<(), SinkError> {
        let Some(mut sink) = self.sink.take() else {
            return Err(failed("an earlier export never came back"));
        };
        let (sink, outcome) = spawn_blocking(move || {
            let outcome = sink.export(&batch);
            (sink, outcome)
        })
        .await
        .map_err(failed)?;
        let settled = sink.settled();
        self.sink = Some(sink);
        // What is not sent by then stays in the sink's own queue.
        timeout(SETTLE, settled).await.ok();
        outcome.map_err(failed)
    }
}

impl pipeline::Sink for QueuedSink {
    fn name(&self) -> &str {
        self.name
    }

    fn export(&mut self, batch: Arc<Batch>) -> BoxFuture<'_, Result<(), SinkError>> {
        Box::pin(self.hand_over(batch))
    }
}

fn failed(reason: impl std::fmt::Display) -> SinkError {
    SinkError { reason: reason.to_string() }
}

/// The embedded dashboard as the API serves it.
pub(crate) struct EmbeddedDashboard;

impl api::Dashboard for EmbeddedDashboard {
    fn asset(&self, path: &str) -> Option<api::Asset> {
        web::asset(path).map(|asset| api::Asset {
            bytes: Bytes::from_static(asset.bytes),
            gzip: asset.gzip.map(Bytes::from_static),
            content_type: asset.content_type,
            etag: asset.etag,
            immutable: asset.immutable,
        })
    }
}
