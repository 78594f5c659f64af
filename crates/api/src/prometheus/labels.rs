//! `/api/v1/series`, `/labels`, `/label/…/values` and `/metadata`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::Request;
use query::promql::{Labels, METRIC_NAME, Matcher, SelectError, SelectRequest, is_label_name};
use serde_json::{Value, json};

use super::answer::{Failure, Kind, respond, success};
use super::ask::{Patience, ask};
use super::parameters::Parameters;
use super::written::put_labels;
use crate::ApiState;

/// How far back labels are looked for when no start is given.
const DEFAULT_REACH_MS: i64 = 24 * 3_600_000;
/// Most series whose labels are looked at in one request.
const MAX_LABELED_SERIES: usize = 200_000;

pub(super) async fn series(State(state): State<Arc<ApiState>>, request: Request<Body>) -> Response {
    with_parameters(&state, request, |state, parameters, patience| {
        let sets = parameters.matches()?;
        if sets.is_empty() {
            return Err(Failure::new(Kind::BadData, "no match[] parameter provided"));
        }
        let mut found = Found::of(state, parameters, sets, patience)?;
        let limit = limit(parameters, found.series.len(), &mut found.warnings)?;
        let mut data = String::from("[");
        for (at, labels) in found.series.iter().take(limit).enumerate() {
            if at > 0 {
                data.push(',');
            }
            put_labels(&mut data, labels);
        }
        data.push(']');
        Ok(success(&data, &found.warnings))
    })
    .await
}

pub(super) async fn names(State(state): State<Arc<ApiState>>, request: Request<Body>) -> Response {
    with_parameters(&state, request, |state, parameters, patience| {
        let sets = parameters.matches()?;
        let mut found = Found::of(state, parameters, sets, patience)?;
        let names = found.series.iter().flat_map(|labels| labels.iter().map(|(name, _)| name));
        let names: BTreeSet<&str> = names.collect();
        let limit = limit(parameters, names.len(), &mut found.warnings)?;
        let names: Vec<&str> = names.into_iter().take(limit).collect();
        Ok(success(&json!(names).to_string(), &found.warnings))
    })
    .await
}

pub(super) async fn values(
    State(state): State<Arc<ApiState>>,
    Path(name): Path<String>,
    request: Request<Body>,
) -> Response {
    if !is_label_name(&name) {
        return Failure::new(Kind::BadData, format!("invalid label name: {name:?}"))
            .into_response();
    }
    with_parameters(&state, request, move |state, parameters, patience| {
        let sets = parameters.matches()?;
        let every_name = name == METRIC_NAME && sets.is_empty();
        let (metrics, mut found) = if every_name {
            (state.database.metrics(), Found::default())
        } else {
            (Vec::new(), Found::of(state, parameters, sets, patience)?)
        };
        let mut values: BTreeSet<&str> = metrics.iter().map(|metric| &*metric.name).collect();
        values.extend(found.series.iter().map(|labels| labels.get(&name)));
        values.remove("");
        let limit = limit(parameters, values.len(), &mut found.warnings)?;
        let values: Vec<&str> = values.into_iter().take(limit).collect();
        Ok(success(&json!(values).to_string(), &found.warnings))
    })
    .await
}

pub(super) async fn metadata(
    State(state): State<Arc<ApiState>>,
    request: Request<Body>,
) -> Response {
    let parameters = match Parameters::of(request).await {
        Ok(parameters) => parameters,
        Err(failure) => return failure.into_response(),
    };
    let limit = match parameters.get("limit").map(str::parse::<usize>) {
        None => usize::MAX,
        Some(Ok(limit)) => limit,
        Some(Err(_)) => {
            return Failure::new(Kind::BadData, "limit must be a number").into_response();
        }
    };
    let wanted = parameters.get("metric");
    let all = state.database.metrics().into_iter();
    let all: BTreeMap<String, Value> = all
        .filter(|metric| wanted.is_none_or(|wanted| wanted == &*metric.name))
        .take(limit)
        .map(|metric| {
            let entry = json!([{ "type": metric.kind, "help": &*metric.help, "unit": "" }]);
            (metric.name.to_string(), entry)
        })
        .collect();
    respond(Ok(json!(all)))
}

pub(super) async fn with_parameters(
    state: &Arc<ApiState>,
    request: Request<Body>,
    work: impl FnOnce(&ApiState, &Parameters, &Patience) -> Result<Response, Failure> + Send + 'static,
) -> Response {
    match Parameters::of(request).await {
        Ok(parameters) => {
            ask(state, None, move |state, patience| work(state, &parameters, patience)).await
        }
        Err(failure) => failure.into_response(),
    }
}

/// How many of `count` results are wanted; that there are more becomes a warning.
fn limit(
    parameters: &Parameters,
    count: usize,
    warnings: &mut Vec<String>,
) -> Result<usize, Failure> {
    let Some(text) = parameters.get("limit") else { return Ok(count) };
    let limit: usize = text
        .parse()
        .map_err(|_| Failure::parameter("limit", format!("cannot parse {text:?} to a number")))?;
    if limit == 0 || count <= limit {
        return Ok(count);
    }
    warnings.push("results truncated due to limit".to_owned());
    Ok(limit)
}

/// The labels of series.
#[derive(Default)]
pub(super) struct Found {
    pub(super) series: BTreeSet<Labels>,
    pub(super) warnings: Vec<String>,
}

impl Found {
    /// Series of any of `sets` in the time asked for; of every metric where there are none.
    pub(super) fn of(
        state: &ApiState,
        parameters: &Parameters,
        sets: Vec<Vec<Matcher>>,
        patience: &Patience,
    ) -> Result<Self, Failure> {
        let end = parameters.time("end")?.unwrap_or_else(|| state.now().millis());
        let start = parameters.time("start")?;
        let start = start.unwrap_or_else(|| end.saturating_sub(DEFAULT_REACH_MS));
        if end < start {
            return Err(Failure::parameter("end", "end timestamp must not be before start time"));
        }
        let every = sets.is_empty();
        let sets = if every {
            let metrics = state.database.metrics().into_iter();
            metrics.map(|metric| vec![Matcher::equal(METRIC_NAME, &metric.name)]).collect()
        } else {
            sets
        };
        let mut found = Self::default();
        for matchers in sets {
            if patience.is_over() {
                return Err(Failure::new(Kind::Timeout, "query timed out"));
            }
            let request = SelectRequest {
                matchers: &matchers,
                start,
                end,
                max_series: MAX_LABELED_SERIES.saturating_sub(found.series.len()),
                max_samples: usize::MAX,
                samples: false,
                labels: None,
                ahead: false,
                newest: false,
            };
            match state.database.select(&request) {
                Ok(selected) => {
                    found.series.extend(selected.series.into_iter().map(|one| one.labels));
                    found.warnings.extend(selected.warnings);
                }
                Err(SelectError::TooMany { .. }) if every => {
                    let warning = format!("labels of the first {MAX_LABELED_SERIES} series only");
                    found.warnings.push(warning);
                    break;
                }
                Err(error) => return Err(Failure::new(Kind::Execution, error.to_string())),
            }
        }
        Ok(found)
    }
}
