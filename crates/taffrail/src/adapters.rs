//! Where crates meet that do not know each other: newtypes of a few lines, and nothing else.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use model::Batch;
use pipeline::{BoxFuture, SinkError};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

mod archive;
mod cluster;
mod columns;
mod people;
mod samples;

pub(crate) use self::cluster::{FilledWindows, Reviews, fill_from};
pub(crate) use archive::{StoredArchive, matcher as archive_matcher};
pub(crate) use columns::StoredColumns;
pub(crate) use people::{LetIn, Provider};
pub(crate) use samples::{RuleLedger, StoredSamples};

/// How long an export waits for what it queued to be sent: long enough that a batch that meets a
/// destination in good health has arrived when its export ends, short enough for any resolution.
const SETTLE: Duration = Duration::from_secs(3);

/// A sink of the `sinks` crate behind the pipeline's queue. Encoding may block, so it runs on a
/// thread of its own.
pub(crate) struct QueuedSink {
    name: &'static str,
    state: State,
}

enum State {
    Idle(sinks::Sink),
    /// Taking a batch, maybe for longer than the pipeline waited.
    Busy(JoinHandle<(sinks::Sink, Result<(), sinks::Error>)>),
    /// It panicked.
    Gone,
}

impl QueuedSink {
    pub(crate) fn new(sink: sinks::Sink) -> Self {
        Self { name: sink.name(), state: State::Idle(sink) }
    }

    async fn hand_over(&mut self, batch: Arc<Batch>) -> Result<(), SinkError> {
        if let State::Busy(_) = self.state
            && let Err(error) = self.come_back().await
        {
            tracing::warn!(sink = self.name, %error, "an export that took long failed");
        }
        match std::mem::replace(&mut self.state, State::Gone) {
            State::Idle(mut sink) => {
                self.state = State::Busy(spawn_blocking(move || {
                    let outcome = sink.export(&batch);
                    (sink, outcome)
                }));
            }
            State::Busy(_) | State::Gone => return Err(failed("it failed for good earlier")),
        }
        self.come_back().await?;
        if let State::Idle(sink) = &self.state {
            // What is not sent by then stays in the sink's own queue.
            timeout(SETTLE, sink.settled()).await.ok();
        }
        Ok(())
    }

    /// Stops the sink, which sends what it gathered.
    async fn stop(&mut self) {
        if let State::Busy(_) = self.state {
            self.come_back().await.ok();
        }
        if let State::Idle(sink) = std::mem::replace(&mut self.state, State::Gone) {
            sink.stop().await;
        }
    }

    /// Waits for the export that is under way. May be given up and tried again.
    async fn come_back(&mut self) -> Result<(), SinkError> {
        let State::Busy(task) = &mut self.state else { return Ok(()) };
        match task.await {
            Ok((sink, outcome)) => {
                self.state = State::Idle(sink);
                outcome.map_err(failed)
            }
            Err(error) => {
                self.state = State::Gone;
                Err(failed(error))
            }
        }
    }
}

impl pipeline::Sink for QueuedSink {
    fn name(&self) -> &str {
        self.name
    }

    fn export(&mut self, batch: Arc<Batch>) -> BoxFuture<'_, Result<(), SinkError>> {
        Box::pin(self.hand_over(batch))
    }

    fn finish(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(self.stop())
    }
}

/// How a sink stands, for the API.
pub(crate) fn sink_facts(status: sinks::SinkStatus) -> api::SinkFacts {
    api::SinkFacts {
        name: match status.takes {
            "metrics" => status.name.to_owned(),
            takes => format!("{} ({takes})", status.name),
        },
        to: status.to,
        on_disk: status.on_disk,
        circuit: status.circuit,
        failure: status.failure,
        queued: status.queued,
        sent: status.sent,
        retried: status.retried,
        dropped: status.dropped.into_iter().collect(),
        waiting_points: status.waiting_points,
        waiting_bytes: status.waiting_bytes,
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
            content: match asset.content {
                web::Content::Plain(bytes) => api::Content::Plain(Bytes::from_static(bytes)),
                web::Content::Gzip(packed) => api::Content::Gzip(Bytes::from_static(packed)),
            },
            content_type: asset.content_type,
            etag: asset.etag,
            immutable: asset.immutable,
        })
    }

    fn page_at(&self, depth: usize) -> Option<api::Asset> {
        let index = web::index();
        if depth == 0 {
            return self.asset("index.html");
        }
        Some(api::Asset {
            content: api::Content::Plain(Bytes::from(web::index_at(depth))),
            content_type: index.content_type,
            etag: index.etag,
            immutable: false,
        })
    }
}
