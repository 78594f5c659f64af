//! Questions that may take long: on a blocking thread, a bounded number at once, given up when
//! the client goes away.

use std::sync::Arc;

use axum::response::Response;
use query::Cancel;
use tokio::task::spawn_blocking;

use crate::ApiState;
use crate::error::Error;

/// Cancels when dropped: the handler's future is, once its client is gone.
struct Guard(Cancel);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// The answer that `work` makes on a thread where it may block.
pub(super) async fn ask(
    state: &Arc<ApiState>,
    work: impl FnOnce(&ApiState, &Cancel) -> Response + Send + 'static,
) -> Response {
    let Ok(permit) = Arc::clone(&state.questions).acquire_owned().await else {
        return Error::Busy.as_json();
    };
    let cancel = Cancel::default();
    let guard = Guard(cancel.clone());
    let state = Arc::clone(state);
    let answer = spawn_blocking(move || {
        let answer = work(&state, &cancel);
        drop(permit);
        answer
    });
    let answered = answer.await;
    drop(guard);
    answered.unwrap_or_else(|error| {
        tracing::error!(%error, "a question ended without an answer");
        Error::Archive(query::ArchiveError::Failed(error.to_string())).as_json()
    })
}
