//! What Kubernetes Dashboard 2 to 7 asks of `dashboard-metrics-scraper` (`--sidecar-host`).
//!
//! Points are averages of whole minutes on the minute, so that the dashboard's sums over pods
//! join; memory is the working set, as in `kubectl top`. Anything else answers 200, which is the
//! scraper's health check.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use http::{Request, header};
use model::{Entity, Registry, Timestamp, Value};
use serde::Serialize;

use crate::limits::ROUTING_PREFIX_BYTES;
use crate::observe::Handler;
use crate::request::{decoded, target};
use crate::{Answers, ApiState};

/// What every path with data begins with.
pub(crate) const PREFIX: &str = "/api/v1/dashboard/";
/// How far answers reach.
const HORIZON: Duration = Duration::from_mins(15);
const MINUTE: Duration = Duration::from_mins(1);

#[derive(Debug, Serialize)]
struct Answer {
    /// `null` where nobody of the named is known, as the scraper answers.
    items: Option<Vec<Item>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    data_points: [(); 0],
    metric_points: Vec<Point>,
    metric_name: String,
    /// The name that was asked for: the scraper calls it so.
    uids: [String; 1],
}

#[derive(Debug, Serialize)]
struct Point {
    timestamp: String,
    value: u64,
}

/// The routes of the sidecar's port.
pub fn router(state: &Arc<ApiState>) -> Answers {
    Answers::of(Router::new().fallback(any(answer)), state).compressed()
}

async fn answer(State(state): State<Arc<ApiState>>, request: Request<Body>) -> Response {
    state.callers.sidecar.used(request.headers(), state.now());
    let (path, _) = target(&request);
    let asked = path.strip_prefix(PREFIX).and_then(|rest| items(&state, rest));
    let mut response = match asked {
        Some(answer) => {
            let body = serde_json::to_vec(&answer).unwrap_or_default();
            ([(header::CONTENT_TYPE, "application/json")], body).into_response()
        }
        None => format!("URL: {}", shown(path)).into_response(),
    };
    response.extensions_mut().insert(Handler("sidecar"));
    response
}

/// As much of a path as tells which it is.
fn shown(path: &str) -> &str {
    path.get(..path.floor_char_boundary(ROUTING_PREFIX_BYTES)).unwrap_or_default()
}

/// From a name to the thing that is asked for.
type Named<'a> = Box<dyn Fn(&str) -> Arc<Entity> + 'a>;

/// `None` when the path asks for no metric.
fn items(state: &ApiState, rest: &str) -> Option<Answer> {
    let parts: Vec<&str> = rest.split('/').collect();
    // A registry each: what a path of a megabyte names shall not add up.
    let (names, metric, entity): (_, _, Named<'_>) = match *parts.as_slice() {
        ["nodes", names, "metrics", metric, ..] => {
            let node = |name: &str| Registry::default().node(name);
            (decoded(names), decoded(metric), Box::new(node))
        }
        ["namespaces", namespace, "pod-list", names, "metrics", metric, ..] => {
            let namespace = decoded(namespace);
            let pod = move |name: &str| Registry::default().pod(&namespace, name, "");
            (decoded(names), decoded(metric), Box::new(pod))
        }
        _ => return None,
    };
    // Anything but `cpu` is memory, as in the scraper.
    let source = if metric == "cpu" { "cpu/usage_rate" } else { "memory/working_set" };
    let newest = state.window.history().map_or(Timestamp::NEVER, |(_, newest)| newest);
    let (mut items, mut seen) = (Vec::new(), HashSet::new());
    // As the scraper: each once, however often it is named.
    for name in names.split(',').filter(|name| !name.is_empty() && seen.insert(*name)) {
        let samples = state.window.samples(&entity(name), source, newest.minus(HORIZON), newest);
        if samples.is_empty() {
            continue;
        }
        items.push(Item {
            data_points: [],
            metric_points: by_minute(&samples),
            metric_name: metric.clone().into_owned(),
            uids: [name.to_owned()],
        });
    }
    Some(Answer { items: (!items.is_empty()).then_some(items) })
}

/// The averages of whole minutes, as unsigned integers.
fn by_minute(samples: &[(Timestamp, Value)]) -> Vec<Point> {
    let minute = |(time, _): &(Timestamp, Value)| time.truncated(MINUTE);
    let average = |group: &[(Timestamp, Value)]| {
        let sum: i128 = group.iter().map(|(_, value)| i128::from(value.as_i64().max(0))).sum();
        let count = i128::try_from(group.len()).unwrap_or(1).max(1);
        Some(Point {
            timestamp: minute(group.first()?).to_rfc3339_seconds(),
            value: u64::try_from(sum / count).unwrap_or(0),
        })
    };
    samples.chunk_by(|left, right| minute(left) == minute(right)).filter_map(average).collect()
}
