//! Lists as slow readers take them: a place among those that are read at once, bodies in pieces, and
//! an end for whoever takes too long.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures_util::stream::unfold;
use http::{HeaderValue, header};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::status::Status;
use crate::ApiState;
use crate::limits::{LIST_TIMEOUT, hit};

/// A list that is no longer is sent whole.
pub(super) const CHUNK_BYTES: usize = 64 << 10;
/// How much of a longer list is written at once; hyper queues 16 such pieces, so that a reader of a
/// list holds a quarter of a megabyte, which a processor's cache holds too.
pub(super) const PIECE_BYTES: usize = 16 << 10;

/// A place among the lists that are read at once, until the list is read or it takes too long.
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
    until: Instant,
}

impl Place {
    /// A place, if there is one now.
    pub(super) fn take(state: &ApiState) -> Result<Self, Status> {
        let Ok(permit) = Arc::clone(&state.lists).try_acquire_owned() else {
            hit("lists");
            return Err(Status::busy("too many lists are being read, try again"));
        };
        Ok(Self { _permit: permit, until: Instant::now() + LIST_TIMEOUT })
    }

    /// Whether its time is over: who reads a little now and then would hold it for ever.
    pub(super) fn ends(&self) -> io::Result<()> {
        if Instant::now() <= self.until {
            return Ok(());
        }
        hit("list_time");
        Err(io::ErrorKind::TimedOut.into())
    }
}

/// A list that is whole already, in parts that follow one another.
pub(super) fn whole<const PARTS: usize>(
    parts: [Bytes; PARTS],
    kind: &'static str,
    place: Place,
) -> Response {
    if parts.iter().map(Bytes::len).sum::<usize>() <= CHUNK_BYTES {
        return with_type(Body::from(parts.concat()), kind);
    }
    let pieces = unfold((VecDeque::from(parts), place), |(mut parts, place)| async move {
        let mut rest = parts.pop_front()?;
        if let Err(late) = place.ends() {
            return Some((Err(late), (VecDeque::new(), place)));
        }
        let piece = rest.split_to(rest.len().min(PIECE_BYTES));
        if !rest.is_empty() {
            parts.push_front(rest);
        }
        Some((Ok(piece), (parts, place)))
    });
    with_type(Body::from_stream(pieces), kind)
}

/// An answer that nobody keeps.
pub(super) fn with_type(body: Body, kind: &'static str) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    response
}
