//! `GET /workloads/…/replicas`: how many pods a workload wanted, had, and had ready, over a range,
//! and between which bounds its autoscaler held them.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use http::Uri;
use query::Cancel;
use query::promql::{AnswerValue, Options};
use serde::Serialize;

use super::ask::ask;
use super::cell::Number;
use super::respond;
use crate::ApiState;
use crate::error::Error;
use crate::limits::MAX_QUERY_POINTS;
use crate::request::pairs;

/// By kind: the label that names it, and what its wanted, present and ready pods are series of.
const KINDS: [(&str, &str, [&str; 3]); 4] = [
    (
        "Deployment",
        "deployment",
        [
            "kube_deployment_spec_replicas",
            "kube_deployment_status_replicas",
            "kube_deployment_status_replicas_ready",
        ],
    ),
    (
        "StatefulSet",
        "statefulset",
        [
            "kube_statefulset_replicas",
            "kube_statefulset_status_replicas",
            "kube_statefulset_status_replicas_ready",
        ],
    ),
    (
        "DaemonSet",
        "daemonset",
        [
            "kube_daemonset_status_desired_number_scheduled",
            "kube_daemonset_status_current_number_scheduled",
            "kube_daemonset_status_number_ready",
        ],
    ),
    (
        "ReplicaSet",
        "replicaset",
        [
            "kube_replicaset_spec_replicas",
            "kube_replicaset_status_replicas",
            "kube_replicaset_status_ready_replicas",
        ],
    ),
];

/// The bounds of autoscalers, and how the narrowest and the widest of several is taken.
const BOUNDS: [(&str, &str); 2] = [
    ("min", "kube_horizontalpodautoscaler_spec_min_replicas"),
    ("max", "kube_horizontalpodautoscaler_spec_max_replicas"),
];

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    timestamps: Vec<i64>,
    step_ms: i64,
    wanted: Vec<Option<Number>>,
    present: Vec<Option<Number>>,
    ready: Vec<Option<Number>>,
    at_least: Vec<Option<Number>>,
    at_most: Vec<Option<Number>>,
}

/// What is asked for.
struct Asked {
    start: i64,
    end: i64,
    points: i64,
}

pub(crate) async fn replicas(
    State(state): State<Arc<ApiState>>,
    Path((namespace, kind, name)): Path<(String, String, String)>,
    uri: Uri,
) -> Response {
    let asked = match Asked::read(uri.query().unwrap_or("")) {
        Ok(asked) => asked,
        Err(error) => return error.as_json(),
    };
    ask(&state, move |state, cancel| {
        respond(answer(state, (&namespace, &kind, &name), &asked, cancel))
    })
    .await
}

impl Asked {
    fn read(query: &str) -> Result<Self, Error> {
        let (mut start, mut end, mut points) = (None, None, 600);
        for (key, value) in pairs(query) {
            let wrong = |name, takes: &str| {
                let (value, takes) = (value.clone().into_owned(), takes.to_owned());
                Error::Parameter { name, value, takes }
            };
            let time =
                |name| value.parse().map_err(|_| wrong(name, "milliseconds since the epoch"));
            match &*key {
                "start" => start = Some(time("start")?),
                "end" => end = Some(time("end")?),
                "points" => {
                    let given = value.parse().ok();
                    let given = given.filter(|points| (1..=MAX_QUERY_POINTS).contains(points));
                    points = given.ok_or_else(|| Error::count("points", &value))?;
                }
                _ => return Err(Error::UnknownParameter(key.into_owned())),
            }
        }
        let need = |name, value: Option<i64>| {
            let takes = "milliseconds since the epoch".to_owned();
            value.ok_or(Error::Parameter { name, value: String::new(), takes })
        };
        let points = i64::try_from(points).unwrap_or(i64::MAX);
        Ok(Self { start: need("start", start)?, end: need("end", end)?, points })
    }
}

fn answer(
    state: &ApiState,
    (namespace, kind, name): (&str, &str, &str),
    asked: &Asked,
    cancel: &Cancel,
) -> Result<Answer, Error> {
    let found = KINDS.iter().find(|(known, ..)| *known == kind);
    // Jobs and kinds of others have no such numbers.
    let Some((_, label, names)) = found else { return Ok(Answer::default()) };
    let tick = i64::try_from(state.status.facts().resolution.as_millis()).unwrap_or(i64::MAX);
    let tick = tick.max(1);
    let ticks = asked.end.saturating_sub(asked.start) / tick / asked.points + 1;
    let step = ticks.max(1).saturating_mul(tick);
    // On whole steps, so that a later question gets the same points.
    let start = asked.start.div_euclid(step).saturating_add(1).saturating_mul(step);
    if start > asked.end {
        return Ok(Answer { step_ms: step, ..Answer::default() });
    }
    let timestamps: Vec<i64> = std::iter::successors(Some(start), |at| Some(at + step))
        .take_while(|at| *at <= asked.end)
        .collect();
    let matched = format!("{{namespace={},{label}={}}}", quoted(namespace), quoted(name));
    // A pause of more than two ticks stays one.
    let options = Options { lookback_ms: step.max(2 * tick), ..Options::default() };
    let numbers = names.iter().map(|series| format!("{series}{matched}"));
    let bounds = BOUNDS.iter().map(|(over, series)| bound(over, series, (namespace, kind, name)));
    let mut columns = numbers.chain(bounds).map(|expression| {
        column(state, &expression, (start, asked.end, step), &timestamps, &options, cancel)
    });
    let mut next = || columns.next().unwrap_or_else(|| Ok(Vec::new()));
    let (wanted, present, ready) = (next()?, next()?, next()?);
    let (at_least, at_most) = (next()?, next()?);
    Ok(Answer { timestamps, step_ms: step, wanted, present, ready, at_least, at_most })
}

/// A bound of the autoscalers that scaled a workload, at each time those that did then.
fn bound(over: &str, series: &str, (namespace, kind, name): (&str, &str, &str)) -> String {
    let namespace = format!("namespace={}", quoted(namespace));
    format!(
        "{over}({series}{{{namespace}}} and on (namespace, horizontalpodautoscaler) \
         kube_horizontalpodautoscaler_info{{{namespace},scaletargetref_kind={},\
         scaletargetref_name={}}})",
        quoted(kind),
        quoted(name),
    )
}

/// The values of one series at `timestamps`.
fn column(
    state: &ApiState,
    expression: &str,
    range: (i64, i64, i64),
    timestamps: &[i64],
    options: &Options,
    cancel: &Cancel,
) -> Result<Vec<Option<Number>>, Error> {
    let failed = |error: query::promql::QueryError| {
        Error::Archive(query::ArchiveError::Failed(error.to_string()))
    };
    let query = state.queries.parse(expression).map_err(failed)?;
    let canceled = || cancel.check().is_err();
    let answer = query.range(&*state.database, range, options, &canceled).map_err(failed)?;
    let AnswerValue::Matrix(series) = answer.value else { return Ok(Vec::new()) };
    let samples = series.first().map_or(&[][..], |one| &one.samples);
    let value = |at: &i64| {
        let found = samples.binary_search_by_key(at, |(at, _)| *at).ok();
        found.and_then(|index| samples.get(index)).map(|(_, value)| Number(*value))
    };
    Ok(timestamps.iter().map(value).collect())
}

/// A string as PromQL writes it.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_strings() {
        assert_eq!(quoted("web"), "\"web\"");
        assert_eq!(quoted("a\"} or up{x=\"\\\n"), "\"a\\\"} or up{x=\\\"\\\\\\n\"");
    }
}
