//! `/federate` and `/metrics/cluster`: newest samples as text for another Prometheus to scrape.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{Request, header};
use query::promql::{Labels, METRIC_NAME, Matcher, SelectRequest, is_stale};

use super::answer::{Failure, Kind};
use super::ask::ask;
use super::number::{put, put_value};
use super::parameters::Parameters;
use crate::ApiState;

/// How old the newest sample may be.
const LOOKBACK_MS: i64 = 300_000;
/// Most series of one exposition.
const MAX_SERIES: usize = 2_000_000;
/// Most samples that are read for one exposition.
const MAX_SAMPLES: usize = 50_000_000;

pub(super) async fn federate(
    State(state): State<Arc<ApiState>>,
    request: Request<Body>,
) -> Response {
    let sets = match Parameters::of(request).await.and_then(|parameters| parameters.matches()) {
        Ok(sets) => sets,
        Err(failure) => return failure.into_response(),
    };
    // As Prometheus, samples carry their own time.
    ask(&state, None, move |state, _| exposed(state, sets, true)).await
}

/// Every series that stands for a measurement or an object; recording rules are left out.
pub(super) async fn cluster(State(state): State<Arc<ApiState>>) -> Response {
    ask(&state, None, move |state, _| {
        let metrics = state.database.metrics().into_iter();
        let wanted = metrics.filter(|metric| !metric.name.contains(':'));
        let sets = wanted.map(|metric| vec![Matcher::equal(METRIC_NAME, &metric.name)]).collect();
        exposed(state, sets, false)
    })
    .await
}

fn exposed(
    state: &ApiState,
    sets: Vec<Vec<Matcher>>,
    with_time: bool,
) -> Result<Response, Failure> {
    let now = state.now().millis();
    let mut newest: BTreeMap<Labels, (i64, f64)> = BTreeMap::new();
    for matchers in sets {
        let request = SelectRequest {
            matchers: &matchers,
            start: now.saturating_sub(LOOKBACK_MS),
            end: now,
            max_series: MAX_SERIES.saturating_sub(newest.len()),
            max_samples: MAX_SAMPLES,
            samples: true,
            labels: None,
            ahead: false,
            newest: true,
        };
        let selected = state.database.select(&request);
        let selected =
            selected.map_err(|error| Failure::new(Kind::Execution, error.to_string()))?;
        for series in selected.series {
            let last = series.timestamps.last().zip(series.values.last());
            if let Some((at, value)) = last.filter(|(_, value)| !is_stale(**value)) {
                newest.insert(series.labels, (*at, *value));
            }
        }
    }
    let kinds: BTreeMap<_, _> =
        state.database.metrics().into_iter().map(|metric| (metric.name, metric.kind)).collect();
    let mut by_name: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for (labels, sample) in &newest {
        by_name.entry(labels.get(METRIC_NAME)).or_default().push((labels, *sample));
    }
    let mut text = String::new();
    for (name, series) in by_name {
        let known = kinds.get(name).copied().filter(|kind| !with_time && *kind != "unknown");
        let kind = known.unwrap_or("untyped");
        put(&mut text, format_args!("# TYPE {name} {kind}\n"));
        for (labels, (at, value)) in series {
            text.push_str(name);
            put_labels(&mut text, labels);
            text.push(' ');
            put_value(&mut text, value);
            if with_time {
                put(&mut text, format_args!(" {at}"));
            }
            text.push('\n');
        }
    }
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

fn put_labels(out: &mut String, labels: &Labels) {
    let mut first = true;
    for (name, value) in labels.iter().filter(|(name, _)| *name != METRIC_NAME) {
        out.push(if first { '{' } else { ',' });
        first = false;
        out.push_str(name);
        out.push_str("=\"");
        for c in value.chars() {
            match c {
                '\\' => out.push_str("\\\\"),
                '"' => out.push_str("\\\""),
                '\n' => out.push_str("\\n"),
                other => out.push(other),
            }
        }
        out.push('"');
    }
    if !first {
        out.push('}');
    }
}
