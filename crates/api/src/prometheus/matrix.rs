//! `/api/v1/query` and `/api/v1/query_range`.

use std::num::NonZero;
use std::sync::{Arc, LazyLock};
use std::thread::available_parallelism;
use std::time::Instant;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::Request;
use query::promql::{Options, QueryError};

use super::Question;
use super::answer::{Failure, Kind};
use super::ask::{Patience, ask};
use super::pace::{Pace, SLICE};
use super::parameters::Parameters;
use super::written::{Cost, respond_with};
use crate::ApiState;

/// The answer to `question`.
pub(super) async fn answer(
    state: &Arc<ApiState>,
    request: Request<Body>,
    question: Question,
) -> Response {
    let parameters = match Parameters::of(request).await {
        Ok(parameters) => parameters,
        Err(failure) => return failure.into_response(),
    };
    let wanted = match parameters.duration("timeout") {
        Ok(wanted) => wanted,
        Err(failure) => return failure.into_response(),
    };
    let is_range = question == Question::Range;
    let number = number(state, &parameters, is_range);
    let pace = state.paces.of(number);
    let noted = move |state: &ApiState, parameters: &Parameters, patience: &Patience| {
        let began = Instant::now();
        let ahead = pace == Pace::Long && has_two_cores();
        let answer = evaluate(state, parameters, is_range, ahead, patience);
        state.paces.note(number, pace, began.elapsed());
        answer
    };
    if pace == Pace::Quick {
        match noted(state, &parameters, &Patience::slice(SLICE)) {
            Err(Failure { kind: Kind::Canceled, .. }) => {}
            answer => return answer.unwrap_or_else(IntoResponse::into_response),
        }
    }
    ask(state, wanted, move |state, patience| noted(state, &parameters, patience)).await
}

/// The number of a question among those whose pace is known: the times that it is about move on.
fn number(state: &ApiState, parameters: &Parameters, is_range: bool) -> u64 {
    let time = |name: &str| parameters.time(name).ok().flatten().unwrap_or(0);
    let length = is_range.then(|| (time("end") - time("start"), parameters.get("step")));
    state.paces.number((parameters.get("query"), length))
}

fn evaluate(
    state: &ApiState,
    parameters: &Parameters,
    is_range: bool,
    ahead: bool,
    patience: &Patience,
) -> Result<Response, Failure> {
    let began = parameters.get("stats").map(|_| Instant::now());
    let options = Options { ahead, ..options(parameters)? };
    let failed = |error: QueryError| Failure::query("query", &error, patience.is_late());
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
        let at = parameters.time("time")?.unwrap_or_else(|| state.now().millis());
        let query = state.queries.parse(text).map_err(failed)?;
        (at, 0, query.instant(database, at, &options, &canceled).map_err(failed)?)
    };
    let cost = began.map(|began| Cost { took: began.elapsed().as_secs_f64() });
    Ok(respond_with(answer, (first, each), cost.as_ref()))
}

/// Whether a second thread would have a core.
fn has_two_cores() -> bool {
    static CORES: LazyLock<usize> =
        LazyLock::new(|| available_parallelism().map_or(1, NonZero::get));
    *CORES > 1
}

fn required(parameters: &Parameters, name: &str) -> Result<i64, Failure> {
    let missing = || Failure::parameter(name, "cannot parse \"\" to a valid timestamp");
    parameters.time(name)?.ok_or_else(missing)
}

fn options(parameters: &Parameters) -> Result<Options, Failure> {
    let mut options = Options::default();
    if let Some(lookback) = parameters.duration("lookback_delta")? {
        options.lookback_ms = lookback;
    }
    options.per_step = parameters.get("stats") == Some("all");
    Ok(options)
}
