//! Work that may take long: on a blocking thread, a bounded number at once, given up when its
//! time is up or the client goes away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::response::{IntoResponse, Response};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::answer::{Failure, Kind};
use crate::ApiState;
use crate::limits::{MAX_QUERY_TIME, hit};

/// Whether anybody still waits.
#[derive(Debug, Clone)]
pub(super) struct Patience {
    gone: Arc<AtomicBool>,
    deadline: Instant,
    /// Whether another thread goes on when the time is up.
    slice: bool,
}

impl Patience {
    /// For as long as `slice`, after which another thread begins anew.
    pub(super) fn slice(slice: Duration) -> Self {
        Self { gone: Arc::default(), deadline: Instant::now() + slice, slice: true }
    }

    /// Whether the time is up.
    pub(super) fn is_late(&self) -> bool {
        !self.slice && Instant::now() >= self.deadline
    }

    /// Whether the work is for nothing.
    pub(super) fn is_over(&self) -> bool {
        self.gone.load(Ordering::Relaxed) || Instant::now() >= self.deadline
    }
}

/// Ends the work when dropped: the handler's future is, once its client is gone.
struct Guard(Arc<AtomicBool>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The answer that `work` makes within `wanted`, at most [`MAX_QUERY_TIME`].
pub(super) async fn ask(
    state: &Arc<ApiState>,
    wanted: Option<i64>,
    work: impl FnOnce(&ApiState, &Patience) -> Result<Response, Failure> + Send + 'static,
) -> Response {
    let wanted = wanted.and_then(|millis| u64::try_from(millis).ok()).map(Duration::from_millis);
    let allowed = wanted.unwrap_or(MAX_QUERY_TIME).min(MAX_QUERY_TIME);
    let deadline = Instant::now() + allowed;
    let permit = timeout(allowed, Arc::clone(&state.questions).acquire_owned()).await;
    let Ok(Ok(permit)) = permit else {
        hit("prometheus_concurrency");
        return Failure::new(Kind::Timeout, "query timed out in query queue").into_response();
    };
    let gone = Arc::new(AtomicBool::new(false));
    let guard = Guard(Arc::clone(&gone));
    let patience = Patience { gone, deadline, slice: false };
    let state = Arc::clone(state);
    let answer = spawn_blocking(move || {
        let answer = work(&state, &patience);
        drop(permit);
        answer
    });
    let answered = answer.await;
    drop(guard);
    match answered {
        Ok(Ok(response)) => response,
        Ok(Err(failure)) => failure.into_response(),
        Err(error) => {
            tracing::error!(%error, "a query ended without an answer");
            Failure::new(Kind::Internal, error.to_string()).into_response()
        }
    }
}
