//! `/api/v1/query` and `/api/v1/query_range`.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::Request;
use query::promql::{Answer, AnswerValue, Labels, Options, QueryError};

use super::answer::{Failure, Kind, success};
use super::ask::{Patience, ask};
use super::number::{put, put_plain, put_text, put_time, put_value};
use super::parameters::Parameters;
use super::quick::SLICE;
use crate::ApiState;

pub(super) async fn instant(
    State(state): State<Arc<ApiState>>,
    request: Request<Body>,
) -> Response {
    respond(&state, request, false).await
}

pub(super) async fn range(State(state): State<Arc<ApiState>>, request: Request<Body>) -> Response {
    respond(&state, request, true).await
}

async fn respond(state: &Arc<ApiState>, request: Request<Body>, is_range: bool) -> Response {
    let parameters = match Parameters::of(request).await {
        Ok(parameters) => parameters,
        Err(failure) => return failure.into_response(),
    };
    let wanted = match parameters.duration("timeout") {
        Ok(wanted) => wanted,
        Err(failure) => return failure.into_response(),
    };
    let number = number(state, &parameters, is_range);
    let noted = move |state: &ApiState, parameters: &Parameters, patience: &Patience| {
        let began = Instant::now();
        let answer = evaluate(state, parameters, is_range, patience);
        state.quick.note(number, began.elapsed());
        answer
    };
    if state.quick.knows(number) {
        match noted(state, &parameters, &Patience::slice(SLICE)) {
            Err(Failure { kind: Kind::Canceled, .. }) => {}
            answer => return answer.unwrap_or_else(IntoResponse::into_response),
        }
    }
    ask(state, wanted, move |state, patience| noted(state, &parameters, patience)).await
}

/// The number of a question among those that may be quick: the times that it is about move on.
fn number(state: &ApiState, parameters: &Parameters, is_range: bool) -> u64 {
    let time = |name: &str| parameters.time(name, 0).unwrap_or(0);
    let length = is_range.then(|| (time("end") - time("start"), parameters.get("step")));
    state.quick.number((parameters.get("query"), length))
}

fn evaluate(
    state: &ApiState,
    parameters: &Parameters,
    is_range: bool,
    patience: &Patience,
) -> Result<Response, Failure> {
    let began = Instant::now();
    let options = options(parameters)?;
    let failed = |error: QueryError| Failure::query("query", &error, patience.is_late());
    let now = state.now().millis();
    let canceled = || patience.is_over();
    let text = parameters.get("query").unwrap_or("");
    let database = &*state.database;
    let (first, each, answer) = if is_range {
        let (start, end) = (required(parameters, "start")?, required(parameters, "end")?);
        if end < start {
            return Err(Failure::parameter("end", "end timestamp must not be before start time"));
        }
        let step = parameters.duration("step")?;
        let step = step
            .ok_or_else(|| Failure::parameter("step", "cannot parse \"\" to a valid duration"))?;
        if step <= 0 {
            let reason = "zero or negative query resolution step widths are not accepted. Try a \
                          positive integer";
            return Err(Failure::parameter("step", reason));
        }
        let query = state.queries.parse(text).map_err(failed)?;
        let answer = query.range(database, (start, end, step), &options, &canceled);
        (start, step, answer.map_err(failed)?)
    } else {
        let at = parameters.time("time", now)?;
        let query = state.queries.parse(text).map_err(failed)?;
        (at, 0, query.instant(database, at, &options, &canceled).map_err(failed)?)
    };
    let cost = parameters.get("stats").map(|_| Cost {
        took: began.elapsed().as_secs_f64(),
        first,
        step: each,
    });
    Ok(success(&data(&answer, cost.as_ref()), &answer.warnings))
}

/// How long a query took, and when its steps were, milliseconds.
struct Cost {
    took: f64,
    first: i64,
    step: i64,
}

fn required(parameters: &Parameters, name: &str) -> Result<i64, Failure> {
    if parameters.get(name).is_none() {
        return Err(Failure::parameter(name, "cannot parse \"\" to a valid timestamp"));
    }
    parameters.time(name, 0)
}

fn options(parameters: &Parameters) -> Result<Options, Failure> {
    let mut options = Options::default();
    if let Some(lookback) = parameters.duration("lookback_delta")? {
        options.lookback_ms = lookback;
    }
    options.per_step = parameters.get("stats") == Some("all");
    Ok(options)
}

/// About how many bytes an answer takes.
fn expected(value: &AnswerValue) -> usize {
    const LABELS: usize = 256;
    const SAMPLE: usize = 32;
    let samples: usize = match value {
        AnswerValue::Matrix(series) => {
            series.iter().map(|one| LABELS + one.samples.len() * SAMPLE).sum()
        }
        AnswerValue::Vector(samples) => samples.len() * (LABELS + SAMPLE),
        AnswerValue::Scalar(..) | AnswerValue::Text(..) => 0,
    };
    LABELS + samples
}

/// `{"resultType":…,"result":…}`, with what it cost where that was asked for.
fn data(answer: &Answer, cost: Option<&Cost>) -> String {
    let mut out = String::with_capacity(expected(&answer.value));
    let kind = match &answer.value {
        AnswerValue::Scalar(..) => "scalar",
        AnswerValue::Text(..) => "string",
        AnswerValue::Vector(_) => "vector",
        AnswerValue::Matrix(_) => "matrix",
    };
    put(&mut out, format_args!(r#"{{"resultType":"{kind}","result":"#));
    match &answer.value {
        AnswerValue::Scalar(at, value) => {
            out.push('[');
            put_time(&mut out, *at);
            out.push_str(",\"");
            put_plain(&mut out, *value);
            out.push_str("\"]");
        }
        AnswerValue::Text(at, text) => {
            out.push('[');
            put_time(&mut out, *at);
            out.push(',');
            put_text(&mut out, text);
            out.push(']');
        }
        AnswerValue::Vector(samples) => list(&mut out, samples, |out, sample| {
            out.push_str(r#"{"metric":"#);
            put_labels(out, &sample.labels);
            out.push_str(r#","value":"#);
            put_pair(out, sample.timestamp, sample.value);
            out.push('}');
        }),
        AnswerValue::Matrix(series) => list(&mut out, series, |out, series| {
            out.push_str(r#"{"metric":"#);
            put_labels(out, &series.labels);
            out.push_str(r#","values":"#);
            list(out, &series.samples, |out, (at, value)| put_pair(out, *at, *value));
            out.push('}');
        }),
    }
    if let Some(cost) = cost {
        put_cost(&mut out, answer, cost);
    }
    out.push('}');
    out
}

/// What a query cost, in Prometheus' words.
fn put_cost(out: &mut String, answer: &Answer, cost: &Cost) {
    let (took, stats) = (cost.took, answer.stats);
    put(
        out,
        format_args!(
            r#","stats":{{"timings":{{"evalTotalTime":{took},"resultSortTime":0,"queryPreparationTime":0,"innerEvalTime":{took},"execQueueTime":0,"execTotalTime":{took}}},"samples":{{"#
        ),
    );
    if !answer.by_step.is_empty() {
        out.push_str(r#""totalQueryableSamplesPerStep":"#);
        let times = std::iter::successors(Some(cost.first), |at| at.checked_add(cost.step));
        let steps: Vec<(i64, usize)> = times.zip(answer.by_step.iter().copied()).collect();
        list(out, &steps, |out, (at, count)| {
            out.push('[');
            put_time(out, *at);
            put(out, format_args!(",{count}]"));
        });
        out.push(',');
    }
    put(
        out,
        format_args!(
            r#""totalQueryableSamples":{},"peakSamples":{}}}}}"#,
            stats.looked,
            stats.samples + stats.values
        ),
    );
}

fn list<T>(out: &mut String, items: &[T], each: impl Fn(&mut String, &T)) {
    out.push('[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        each(out, item);
    }
    out.push(']');
}

fn put_pair(out: &mut String, at: i64, value: f64) {
    out.push('[');
    put_time(out, at);
    out.push_str(",\"");
    put_value(out, value);
    out.push_str("\"]");
}

/// Appends labels as a JSON object.
pub(super) fn put_labels(out: &mut String, labels: &Labels) {
    out.push('{');
    for (at, (name, value)) in labels.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        put_text(out, name);
        out.push(':');
        put_text(out, value);
    }
    out.push('}');
}
