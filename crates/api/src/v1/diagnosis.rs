//! `GET /diagnosis`: every hop between the process and what it measures, tried now or lately.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use http::Uri;
use model::TargetState;
use tokio::time::Instant;

use super::respond;
use super::status::no_parameters;
use crate::ApiState;
use crate::state::{Diagnosis, LastDiagnosis};

/// How long a diagnosis is good for: asking often must not become load on the cluster.
const GOOD_FOR: Duration = Duration::from_secs(30);

pub(crate) async fn diagnosis(State(state): State<Arc<ApiState>>, uri: Uri) -> Response {
    match no_parameters(&uri) {
        Ok(()) => respond(Ok(current(&state).await)),
        Err(error) => error.as_json(),
    }
}

/// The last one if it is fresh enough, else a new one. Who asks meanwhile waits for it.
async fn current(state: &ApiState) -> Arc<Diagnosis> {
    let mut last = state.diagnosis.lock().await;
    if let Some(last) = last.as_ref().filter(|last| last.made.elapsed() < GOOD_FOR) {
        return Arc::clone(&last.diagnosis);
    }
    let (begin, timestamp) = (Instant::now(), state.now());
    let checks = state.status.diagnose(failing(state)).await;
    let diagnosis = Arc::new(Diagnosis::new(timestamp, begin.elapsed(), checks));
    *last = Some(LastDiagnosis { made: Instant::now(), diagnosis: Arc::clone(&diagnosis) });
    diagnosis
}

/// Nodes that failed in the newest batch: what a diagnosis is asked for.
fn failing(state: &ApiState) -> Vec<String> {
    let latest = state.window.latest();
    let targets = latest.iter().flat_map(|batch| batch.targets());
    targets
        .filter(|target| matches!(target.state, TargetState::Failed { .. }))
        .map(|target| target.node.to_string())
        .collect()
}
