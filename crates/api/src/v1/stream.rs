//! `GET /stream`: an event after every batch. A slow client skips to the newest.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{Stream, unfold};
use http::{Uri, header};
use metrics::gauge;
use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::status::no_parameters;
use crate::error::Error;
use crate::limits::{MAX_STREAMS, STREAM_KEEP_ALIVE, hit};
use crate::state::{Arrival, TargetCounts};
use crate::{ApiState, telemetry};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct BatchEvent {
    timestamp: i64,
    took_ms: u128,
    targets: TargetCounts,
}

pub(crate) async fn stream(State(state): State<Arc<ApiState>>, uri: Uri) -> Response {
    if let Err(error) = no_parameters(&uri) {
        return error.as_json();
    }
    let Some(place) = Place::take(&state.streams) else {
        hit("streams");
        return Error::TooManyStreams.as_json();
    };
    let events = events(state.arrivals.subscribe(), state.stopping.clone(), place);
    let keep_alive = KeepAlive::new().interval(STREAM_KEEP_ALIVE).text("keep-alive");
    // Proxies that buffer would hold events back.
    let headers = [(header::HeaderName::from_static("x-accel-buffering"), "no")];
    (headers, Sse::new(events).keep_alive(keep_alive)).into_response()
}

fn events(
    arrivals: watch::Receiver<Option<Arrival>>,
    stopping: CancellationToken,
    place: Place,
) -> impl Stream<Item = Result<Event, Infallible>> {
    unfold((arrivals, stopping, place), |(mut arrivals, stopping, place)| async move {
        loop {
            tokio::select! {
                () = stopping.cancelled() => return None,
                changed = arrivals.changed() => changed.ok()?,
            }
            let arrival = *arrivals.borrow_and_update();
            if let Some(event) = arrival.and_then(|arrival| event(&arrival)) {
                return Some((Ok(event), (arrivals, stopping, place)));
            }
        }
    })
}

fn event(arrival: &Arrival) -> Option<Event> {
    let batch = BatchEvent {
        timestamp: arrival.timestamp.millis(),
        took_ms: arrival.took.as_millis(),
        targets: arrival.targets,
    };
    Event::default().event("batch").json_data(batch).ok()
}

/// One of the places for open streams, given back when the stream ends.
pub(crate) struct Place(Arc<AtomicUsize>);

impl Place {
    pub(crate) fn take(open: &Arc<AtomicUsize>) -> Option<Self> {
        if open.fetch_add(1, Ordering::Relaxed) >= MAX_STREAMS {
            open.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        gauge!(telemetry::STREAMS).increment(1.0);
        Some(Self(Arc::clone(open)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
        gauge!(telemetry::STREAMS).decrement(1.0);
    }
}
