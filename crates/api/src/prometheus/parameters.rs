//! Parameters from the query string and, of a POST, from a form.

use axum::body::{Body, to_bytes};
use http::{Request, header};
use model::Timestamp;
use query::promql::{Limits, Matcher, parse_matchers};
use tokio::time::timeout;

use super::answer::{Failure, Kind};
use crate::limits::{BODY_TIMEOUT, MAX_QUERY_BODY_BYTES, hit};
use crate::request::{pairs, target};

/// Every parameter in its order.
#[derive(Debug, Default)]
pub(super) struct Parameters {
    /// Names and values, decoded, one behind the other.
    text: String,
    /// Where they end in it.
    ends: Vec<(usize, usize)>,
}

impl Parameters {
    /// Those of `request`; a form's come first, as in Go.
    pub(super) async fn of(mut request: Request<Body>) -> Result<Self, Failure> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let is_form =
            kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        let mut parameters = Self::default();
        if !is_form {
            parameters.add(target(&request).1);
            return Ok(parameters);
        }
        let refused = |reason| {
            hit("prometheus_body");
            Err(Failure::new(Kind::BadData, reason))
        };
        let body = std::mem::take(request.body_mut());
        match timeout(BODY_TIMEOUT, to_bytes(body, MAX_QUERY_BODY_BYTES)).await {
            Ok(Ok(body)) => {
                parameters.add(&String::from_utf8_lossy(&body));
                parameters.add(target(&request).1);
                Ok(parameters)
            }
            Ok(Err(_)) => refused("http: request body too large"),
            Err(_) => refused("the body did not come in time"),
        }
    }

    /// Adds those of a query string.
    fn add(&mut self, encoded: &str) {
        self.text.reserve(encoded.len());
        // As many as a range has, and more at once where there are.
        self.ends.reserve(4);
        for (name, value) in pairs(encoded) {
            self.text.push_str(&name);
            let name = self.text.len();
            self.text.push_str(&value);
            self.ends.push((name, self.text.len()));
        }
    }

    fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut begin = 0;
        self.ends.iter().filter_map(move |(name, value)| {
            let pair = (self.text.get(begin..*name)?, self.text.get(*name..*value)?);
            begin = *value;
            Some(pair)
        })
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut pairs = self.pairs();
        pairs.find_map(|(known, value)| (known == name && !value.is_empty()).then_some(value))
    }

    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.pairs().filter_map(move |(known, value)| (known == name).then_some(value))
    }

    /// A time in milliseconds.
    pub(super) fn time(&self, name: &str) -> Result<Option<i64>, Failure> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let millis = time(text).ok_or_else(|| {
            Failure::parameter(name, format!("cannot parse {text:?} to a valid timestamp"))
        })?;
        Ok(Some(millis))
    }

    /// A duration in milliseconds.
    pub(super) fn duration(&self, name: &str) -> Result<Option<i64>, Failure> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let millis = query::promql::duration_ms(text).ok_or_else(|| {
            Failure::parameter(name, format!("cannot parse {text:?} to a valid duration"))
        })?;
        Ok(Some(millis))
    }

    /// The sets of matchers of every `match[]`.
    pub(super) fn matches(&self) -> Result<Vec<Vec<Matcher>>, Failure> {
        let parsed = |text: &str| {
            parse_matchers(text, &Limits::default())
                .map_err(|error| Failure::query("match[]", &error, false))
        };
        self.all("match[]").map(parsed).collect()
    }
}

/// Seconds since the epoch with decimals, or RFC 3339; in milliseconds.
fn time(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<f64>() {
        let millis = (seconds * 1000.0).round();
        #[expect(clippy::cast_possible_truncation, reason = "within ±2^53")]
        return (millis.abs() < 9e15).then_some(millis as i64);
    }
    Timestamp::parse_rfc3339(text).map(Timestamp::millis)
}
