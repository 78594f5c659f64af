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

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use model::{Draft, Hop, LabelOptions, Registry, Target, Timestamp};
    use query::{Window, WindowOptions};

    use super::*;
    use crate::state::{ApiOptions, ApiParts, Check, Facts, Status};

    /// Counts runs; each takes three seconds.
    #[derive(Default)]
    struct Counted {
        runs: AtomicUsize,
        failing: Mutex<Vec<String>>,
    }

    impl Status for Counted {
        fn facts(&self) -> Facts {
            Facts::default()
        }

        fn diagnose(
            &self,
            failing: Vec<String>,
        ) -> Pin<Box<dyn Future<Output = Vec<Check>> + Send>> {
            self.runs.fetch_add(1, Ordering::SeqCst);
            *self.failing.lock().unwrap() = failing;
            let check = |name, outcome, change: &str| Check {
                name,
                about: "server".to_owned(),
                outcome,
                evidence: "seen".to_owned(),
                change: change.to_owned(),
            };
            Box::pin(async move {
                tokio::time::sleep(Duration::from_secs(3)).await;
                vec![
                    check("connect", "pass", ""),
                    check("tls", "fail", "renew it"),
                    check("summary", "skip", ""),
                ]
            })
        }
    }

    fn state(status: &Arc<Counted>) -> Arc<ApiState> {
        let window = Window::new(WindowOptions::default());
        let mut draft = Draft::new(Timestamp::from_secs(60), Registry::default());
        for (node, state) in [
            ("good", TargetState::Up),
            (
                "bad",
                TargetState::Failed { hop: Hop::Tls, reason: String::new(), advice: String::new() },
            ),
        ] {
            draft.report(Target {
                node: node.into(),
                url: "".into(),
                state,
                since: Timestamp::NEVER,
                last_success: Timestamp::NEVER,
                took: Duration::ZERO,
                body_bytes: 0,
                verified: model::Verified::NotAsked,
            });
        }
        window.append(&draft.freeze().0).unwrap();
        let status: Arc<dyn Status> = Arc::<Counted>::clone(status);
        ApiState::new(ApiParts {
            window: Arc::new(window),
            inventory: Arc::default(),
            status,
            labels: LabelOptions::default(),
            clock: Arc::new(|| Timestamp::from_secs(61)),
            options: ApiOptions::default(),
            self_metrics: crate::telemetry::recorder().unwrap().build_recorder().handle(),
            dashboard: Arc::new(crate::NoDashboard),
            archive: None,
            past: None,
            resources: Arc::new(query::ResourceWindows::new(query::ResourceOptions::default())),
            database: Arc::new(query::promql::MemorySeries::default()),
            alerts: Arc::default(),
            intake: Arc::new(()),
            push: crate::intake::PushAccess::Closed,
            people: crate::PeopleParts::default(),
        })
    }

    #[tokio::test(start_paused = true)]
    async fn one_run_serves_all_who_ask_for_thirty_seconds() {
        let status = Arc::<Counted>::default();
        let state = state(&status);
        let (first, second) = tokio::join!(current(&state), current(&state));
        assert!(Arc::ptr_eq(&first, &second));
        assert_eq!(status.failing.lock().unwrap().as_slice(), ["bad"]);
        let json = serde_json::to_string(&first).unwrap();
        let expected = r#"{"timestamp":61000,"tookMs":3000,"outcome":"fail","firstChange":"renew it","checks":[{"name":"connect","#;
        assert!(json.starts_with(expected), "{json}");
        tokio::time::advance(Duration::from_secs(29)).await;
        current(&state).await;
        assert_eq!(status.runs.load(Ordering::SeqCst), 1);
        tokio::time::advance(Duration::from_secs(2)).await;
        current(&state).await;
        assert_eq!(status.runs.load(Ordering::SeqCst), 2);
    }
}
