//! What custom and external metrics share: the question's parts, the newest batch, the answer.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use http::{HeaderMap, Method, Request, header};
use model::{Batch, Table, Timestamp};
use serde_json::{Value, json};

use super::paced::{self, Place};
use super::selector::Selection;
use super::status::Status;
use crate::ApiState;
use crate::request::{decoded, pairs};

/// How many ticks old the newest batch may be: what is older must not scale anything.
const MAX_AGE_TICKS: u32 = 3;
/// How old it may be in any case.
const MIN_AGE: Duration = Duration::from_secs(30);

/// A question.
pub(super) struct Asked<'a> {
    state: &'a ApiState,
    parts: Vec<Cow<'a, str>>,
    query: &'a str,
    place: Place,
}

impl<'a> Asked<'a> {
    pub(super) fn read<B>(
        state: &'a Arc<ApiState>,
        group: &'static str,
        path: &'a str,
        request: &'a Request<B>,
    ) -> Result<Self, Status> {
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return Err(Status::unsupported(request.method().as_str(), group, "metrics"));
        }
        if !takes_json(request.headers()) {
            return Err(Status::not_acceptable());
        }
        let place = Place::take(state)?;
        let query = request.uri().query().unwrap_or("");
        Ok(Self { state, parts: path.split('/').map(decoded).collect(), query, place })
    }

    pub(super) fn parts(&self) -> Vec<&str> {
        self.parts.iter().map(AsRef::as_ref).collect()
    }

    /// The selector in this parameter.
    pub(super) fn selection(&self, parameter: &str) -> Result<Selection, Status> {
        let found = pairs(self.query).find(|(key, _)| key == parameter);
        Selection::parse(found.as_ref().map_or("", |(_, value)| value), "")
    }

    /// The newest batch, unless it is too old to act upon.
    pub(super) fn batch(&self) -> Result<Arc<Batch>, Status> {
        let batch = self.state.window.latest();
        let batch = batch.ok_or_else(|| Status::unavailable("nothing has been measured yet"))?;
        let age = self.state.now().since(batch.timestamp());
        let resolution = self.state.status.facts().resolution;
        if age > (resolution * MAX_AGE_TICKS).max(MIN_AGE) {
            let seconds = age.as_secs();
            return Err(Status::unavailable(format!("the newest measurement is {seconds} s old")));
        }
        Ok(batch)
    }
}

/// Whether the client reads JSON, whatever else it would rather have.
fn takes_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::ACCEPT).iter().peekable();
    if values.peek().is_none() {
        return true;
    }
    let texts = values.filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',')).any(|one| {
        let kind = one.split(';').next().unwrap_or("").trim();
        matches!(kind, "application/json" | "application/*" | "*/*")
    })
}

/// When a row was measured; sums, when their batch was.
pub(super) fn time(batch: &Batch, table: &Table, row: usize) -> Timestamp {
    let scraped = table.scraped(row);
    if scraped.is_never() { batch.timestamp() } else { scraped }
}

/// A list as the answer to `asked`.
pub(super) fn list(asked: Asked<'_>, kind: &str, api_version: &str, items: &[Value]) -> Response {
    let list = json!({ "kind": kind, "apiVersion": api_version, "metadata": {}, "items": items });
    paced::whole([list.to_string().into()], "application/json", asked.place)
}
