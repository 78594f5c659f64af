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
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Those of `request`; a form's come first, as in Go.
    pub(super) async fn of(request: Request<Body>) -> Result<Self, Failure> {
        let own = |text: &str| -> Vec<(String, String)> {
            pairs(text).map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
        };
        let in_url = own(target(&request).1);
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let is_form =
            kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        if !is_form {
            return Ok(Self(in_url));
        }
        let refused = |reason| {
            hit("prometheus_body");
            Err(Failure::new(Kind::BadData, reason))
        };
        match timeout(BODY_TIMEOUT, to_bytes(request.into_body(), MAX_QUERY_BODY_BYTES)).await {
            Ok(Ok(body)) => {
                let mut all = own(&String::from_utf8_lossy(&body));
                all.extend(in_url);
                Ok(Self(all))
            }
            Ok(Err(_)) => refused("http: request body too large"),
            Err(_) => refused("the body did not come in time"),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, value)| known == name && !value.is_empty());
        found.map(|(_, value)| value.as_str())
    }

    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A time in milliseconds; `default` where it is not given.
    pub(super) fn time(&self, name: &str, default: i64) -> Result<i64, Failure> {
        let Some(text) = self.get(name) else { return Ok(default) };
        time(text).ok_or_else(|| {
            Failure::parameter(name, format!("cannot parse {text:?} to a valid timestamp"))
        })
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
