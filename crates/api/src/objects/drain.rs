//! `POST /objects/drain/{node}`: empties a node by evictions, which honour disruption budgets, and
//! tells how it goes, one JSON line each step. It stops when whoever asked goes away.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, Method, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::place::{self, KindAddress, Place};
use super::{Asking, actions, changeable, person, respond};
use crate::ApiState;
use crate::people::upstream::{self, Question};
use crate::people::{Refusal, Session};
use crate::request::query_of;

/// How long a budget may hold a pod back, and a pod may take to end.
const PATIENCE: Duration = Duration::from_mins(10);
/// How soon a held back pod is tried again, and an ending one looked for.
const AGAIN: Duration = Duration::from_secs(3);
/// Pods that are evicted at once.
const AT_ONCE: usize = 8;
/// Lines that wait for the client.
const MAX_LINES: usize = 64;
/// Most pods of a node that are looked at.
const MAX_PODS: &str = "2000";

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Told {
    /// Also pods that nobody will make anew.
    #[serde(default)]
    force: bool,
    /// Also pods whose files go with them.
    #[serde(default)]
    empty_dir: bool,
}

pub(super) async fn drain(
    State(state): State<Arc<ApiState>>,
    Path(name): Path<String>,
    session: Asking,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let answer = async {
        let session = person(session)?;
        changeable(&state)?;
        let kind = KindAddress::read("core", "v1", "nodes")?;
        let node = Place { kind, namespace: String::new(), name: place::name(&name)? };
        let told: Told = actions::told_or_usual(body).await?;
        if !session.deeds.first(&headers)? {
            return Err(Refusal::new(StatusCode::CONFLICT, "this drain was begun already", ""));
        }
        let user = session.user().await.name;
        tracing::info!(user, node = name, "a person drains a node");
        let (lines, told_lines) = mpsc::channel(MAX_LINES);
        let stopping = state.stopping.clone();
        let work = Drain { session, node, told, lines };
        tokio::spawn(async move { work.run(stopping).await });
        let lines = stream::unfold(told_lines, |mut lines| async move {
            let line: Value = lines.recv().await?;
            Some((Ok::<_, std::convert::Infallible>(Bytes::from(format!("{line}\n"))), lines))
        });
        let kind = [(header::CONTENT_TYPE, "application/x-ndjson")];
        Ok((kind, Body::from_stream(lines)).into_response())
    };
    respond(answer.await)
}

struct Drain {
    session: Arc<Session>,
    node: Place,
    told: Told,
    lines: mpsc::Sender<Value>,
}

/// A pod that is to go.
struct Leaving {
    place: Place,
    uid: String,
}

impl Drain {
    async fn run(self, stopping: CancellationToken) {
        let work = async {
            let outcome = self.empty().await;
            let line = match outcome {
                Ok(left) => {
                    json!({ "state": if left == 0 { "done" } else { "failed" }, "left": left })
                }
                Err(refusal) => json!({ "state": "failed", "reason": refusal.reason }),
            };
            self.tell(line).await;
        };
        tokio::select! {
            () = work => {}
            () = self.lines.closed() => {}
            () = stopping.cancelled() => {}
        }
    }

    async fn tell(&self, line: Value) {
        // Nobody listens any more: `run` ends.
        drop(self.lines.send(line).await);
    }

    /// Cordons the node and evicts its pods; how many are left.
    async fn empty(&self) -> Result<usize, Refusal> {
        let person = &*self.session.person;
        let leaving = self.leaving().await?;
        let change = json!({ "spec": { "unschedulable": true } });
        let path = self.node.path();
        upstream::json(person, Question::send(Method::PATCH, &path, &change)).await?;
        self.tell(json!({ "state": "cordoned", "pods": leaving.len() })).await;
        let evicted = stream::iter(leaving).map(|pod| self.evict(pod)).buffer_unordered(AT_ONCE);
        Ok(evicted.filter(|gone| futures_util::future::ready(!gone)).count().await)
    }

    /// The pods that have to go; refuses before anything is done where some would be lost.
    async fn leaving(&self) -> Result<Vec<Leaving>, Refusal> {
        let pods = KindAddress::read("core", "v1", "pods")?;
        let selector = format!("spec.nodeName={}", self.node.name);
        let query = query_of([("fieldSelector", selector.as_str()), ("limit", MAX_PODS)]);
        let path = format!("{}?{query}", pods.path(""));
        let found = upstream::json(&*self.session.person, Question::get(&path)).await?;
        let (mut leaving, mut lost) = (Vec::new(), Vec::new());
        for pod in found["items"].as_array().into_iter().flatten() {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let (namespace, name) =
                (text(&pod["metadata"]["namespace"]), text(&pod["metadata"]["name"]));
            match fate(pod, self.told) {
                Fate::Stays(why) => {
                    let pod = format!("{namespace}/{name}");
                    self.tell(json!({ "pod": pod, "state": "skipped", "reason": why })).await;
                }
                Fate::Lost(why) => lost.push(format!("{namespace}/{name} ({why})")),
                Fate::Leaves => leaving.push(Leaving {
                    place: Place { kind: pods.clone(), namespace, name },
                    uid: text(&pod["metadata"]["uid"]),
                }),
            }
        }
        if lost.is_empty() {
            return Ok(leaving);
        }
        Err(Refusal::bad(format!("these pods would lose something: {}", lost.join(", "))))
    }

    /// Evicts one pod and waits until it is gone; whether it is.
    async fn evict(&self, pod: Leaving) -> bool {
        let person = &*self.session.person;
        let shown = format!("{}/{}", pod.place.namespace, pod.place.name);
        let eviction = json!({
            "apiVersion": "policy/v1", "kind": "Eviction",
            "metadata": { "name": pod.place.name, "namespace": pod.place.namespace },
            "deleteOptions": { "preconditions": { "uid": pod.uid } },
        });
        let path = format!("{}/eviction", pod.place.path());
        let until = Instant::now() + PATIENCE;
        let mut held = false;
        loop {
            let asked = upstream::json(person, Question::send(Method::POST, &path, &eviction));
            match asked.await {
                Ok(_) => break,
                Err(refusal) if refusal.status == StatusCode::NOT_FOUND => break,
                Err(refusal)
                    if refusal.status == StatusCode::TOO_MANY_REQUESTS
                        && Instant::now() < until =>
                {
                    if !std::mem::replace(&mut held, true) {
                        let reason = refusal.reason;
                        self.tell(json!({ "pod": shown, "state": "held", "reason": reason })).await;
                    }
                    sleep(AGAIN).await;
                }
                Err(refusal) => {
                    let reason = refusal.reason;
                    self.tell(json!({ "pod": shown, "state": "failed", "reason": reason })).await;
                    return false;
                }
            }
        }
        self.tell(json!({ "pod": shown, "state": "evicted" })).await;
        while Instant::now() < until {
            match upstream::json(person, Question::get(&pod.place.path())).await {
                Ok(found) if found["metadata"]["uid"] == pod.uid.as_str() => sleep(AGAIN).await,
                // Another of the same name is not the one that was to go.
                Ok(_) => break,
                Err(refusal) if refusal.status == StatusCode::NOT_FOUND => break,
                Err(_) => sleep(AGAIN).await,
            }
        }
        let gone = Instant::now() < until;
        let state = if gone { "gone" } else { "failed" };
        self.tell(json!({ "pod": shown, "state": state })).await;
        gone
    }
}

/// What becomes of a pod when its node is drained.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Leaves,
    Stays(&'static str),
    Lost(&'static str),
}

/// As `kubectl drain` decides.
fn fate(pod: &Value, told: Told) -> Fate {
    let metadata = &pod["metadata"];
    let owners = metadata["ownerReferences"].as_array().map_or(&[][..], Vec::as_slice);
    let finished = pod["status"]["phase"] == "Succeeded" || pod["status"]["phase"] == "Failed";
    if metadata["annotations"]["kubernetes.io/config.mirror"].is_string() {
        return Fate::Stays("static pod");
    }
    if owners.iter().any(|owner| owner["kind"] == "DaemonSet") {
        return Fate::Stays("daemon set");
    }
    if finished {
        return Fate::Leaves;
    }
    if owners.is_empty() && !told.force {
        return Fate::Lost("nobody makes it anew");
    }
    let volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
    if !told.empty_dir && volumes.into_iter().any(|volume| volume["emptyDir"].is_object()) {
        return Fate::Lost("its emptyDir goes with it");
    }
    Fate::Leaves
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_leave_stay_or_would_be_lost() {
        let check = |pod: Value, told: Told, expected: Fate| {
            assert_eq!(fate(&pod, told), expected, "{pod}");
        };
        let careful = Told::default();
        let bold = Told { force: true, empty_dir: true };
        let owned = |kind: &str| json!([{ "kind": kind, "controller": true }]);
        check(
            json!({ "metadata": { "ownerReferences": owned("ReplicaSet") } }),
            careful,
            Fate::Leaves,
        );
        check(
            json!({ "metadata": { "ownerReferences": owned("DaemonSet") } }),
            bold,
            Fate::Stays("daemon set"),
        );
        check(json!({ "metadata": {} }), careful, Fate::Lost("nobody makes it anew"));
        check(json!({ "metadata": {} }), bold, Fate::Leaves);
        check(json!({ "metadata": {}, "status": { "phase": "Failed" } }), careful, Fate::Leaves);
        let files = json!({ "metadata": { "ownerReferences": owned("ReplicaSet") },
            "spec": { "volumes": [{ "emptyDir": {} }] } });
        check(files.clone(), careful, Fate::Lost("its emptyDir goes with it"));
        check(files, bold, Fate::Leaves);
    }
}
