//! The request's target: path and query as they came, however long.

use std::borrow::Cow;

use http::Request;
use percent_encoding::percent_decode_str;

/// The whole target of a request whose URI was cut for routing; an extension of the request.
#[derive(Debug, Clone)]
pub(crate) struct LongTarget(pub(crate) String);

/// Path and query of `request`.
pub(crate) fn target<B>(request: &Request<B>) -> (&str, &str) {
    match request.extensions().get::<LongTarget>() {
        Some(LongTarget(target)) => target.split_once('?').unwrap_or((target, "")),
        None => (request.uri().path(), request.uri().query().unwrap_or("")),
    }
}

/// A part of a path with its percent escapes resolved; invalid UTF-8 is replaced.
pub(crate) fn decoded(part: &str) -> Cow<'_, str> {
    percent_decode_str(part).decode_utf8_lossy()
}

/// A query string of `pairs`.
pub(crate) fn query_of<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// The pairs of a query string, in their order.
pub(crate) fn pairs(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    form_urlencoded::parse(query.as_bytes())
}
