//! `GET /events`: what the cluster reported, searched, with how often over the range; and
//! `GET /events/export`: all of it as a file.

mod file;

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use http::Uri;
use model::{Event, Timestamp};
use query::EventsAsked;
use serde::Serialize;

use super::ask::ask;
use super::cell::millis;
use super::respond;
use crate::ApiState;
use crate::error::Error;
use crate::limits::{DEFAULT_LIST_ITEMS, MAX_EVENT_BUCKETS, MAX_EVENTS, MAX_LIST_ITEMS, hit};
use crate::people::Sight;
use crate::request::pairs;

/// How far back a search looks when nobody says it.
const DEFAULT_RANGE: Duration = Duration::from_hours(1);
/// Buckets of the histogram when nobody says it.
const DEFAULT_BUCKETS: usize = 60;

#[derive(Debug, Serialize)]
struct Found {
    from: i64,
    to: i64,
    /// How many were found, at most [`MAX_EVENTS`].
    total: usize,
    /// Whether there are more than `total`.
    capped: bool,
    items: Vec<Item>,
    histogram: Histogram,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    uid: Box<str>,
    namespace: Box<str>,
    kind: Box<str>,
    name: Box<str>,
    reason: Box<str>,
    #[serde(rename = "type")]
    event_type: Box<str>,
    message: Box<str>,
    source: Box<str>,
    count: u32,
    first_seen: Option<i64>,
    last_seen: Option<i64>,
}

/// Events by the time they were last seen.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Histogram {
    step_ms: i64,
    timestamps: Vec<i64>,
    normal: Vec<u32>,
    warning: Vec<u32>,
}

struct Search {
    asked: EventsAsked,
    limit: usize,
    offset: usize,
    buckets: usize,
}

pub(crate) async fn events(
    State(state): State<Arc<ApiState>>,
    sight: Option<Extension<Arc<Sight>>>,
    uri: Uri,
) -> Response {
    let search = match Search::read(uri.query().unwrap_or(""), state.now()) {
        Ok(search) => search,
        Err(error) => return error.as_json(),
    };
    let sight = sight.map(|Extension(sight)| sight);
    ask(&state, move |state, _| respond(search.run(state, sight.as_deref()))).await
}

/// `GET /events/export`.
pub(crate) async fn export(
    State(state): State<Arc<ApiState>>,
    sight: Option<Extension<Arc<Sight>>>,
    uri: Uri,
) -> Response {
    let asked = file::Format::taken_from(uri.query().unwrap_or(""))
        .and_then(|(format, query)| Ok((format, Search::read(&query, state.now())?)));
    let (format, search) = match asked {
        Ok(asked) => asked,
        Err(error) => return error.as_json(),
    };
    let sight = sight.map(|Extension(sight)| sight);
    ask(&state, move |state, _| match search.find(state, sight.as_deref()) {
        Ok((found, capped)) => format.answer(found.into_iter().map(Item::from), capped),
        Err(error) => error.as_json(),
    })
    .await
}

impl Search {
    fn read(query: &str, now: Timestamp) -> Result<Self, Error> {
        let (mut from, mut to) = (None, None);
        let (mut limit, mut offset, mut buckets) = (DEFAULT_LIST_ITEMS, 0, DEFAULT_BUCKETS);
        let mut asked = EventsAsked::default();
        for (name, value) in pairs(query) {
            let number = |name, most: usize| {
                value.parse().ok().filter(|number| *number <= most).ok_or_else(|| {
                    let takes = format!("a number up to {most}");
                    Error::Parameter { name, value: value.clone().into_owned(), takes }
                })
            };
            let text = || Some(value.clone().into_owned());
            match &*name {
                "from" => from = Some(time("from", &value)?),
                "to" => to = Some(time("to", &value)?),
                "limit" => limit = number("limit", MAX_LIST_ITEMS)?,
                "offset" => offset = number("offset", MAX_EVENTS)?,
                "buckets" => buckets = number("buckets", MAX_EVENT_BUCKETS)?,
                "namespace" => asked.namespaces.push(value.clone().into_owned()),
                "kind" => asked.object_kind = text(),
                "name" => asked.object_name = text(),
                "reason" => asked.reason = text(),
                "type" => asked.event_type = text(),
                "text" => asked.text = text(),
                _ => return Err(Error::UnknownParameter(name.into_owned())),
            }
        }
        asked.to = to.unwrap_or(now);
        asked.from = from.unwrap_or_else(|| asked.to.minus(DEFAULT_RANGE));
        Ok(Self { asked, limit, offset, buckets })
    }

    /// What is found and may be seen, newest first, and whether there is more.
    fn find(&self, state: &ApiState, sight: Option<&Sight>) -> Result<(Vec<Event>, bool), Error> {
        let archive = state.archive.as_ref().ok_or(Error::NothingKept)?;
        let mut found = archive.events(&self.asked, MAX_EVENTS + 1).map_err(Error::Archive)?;
        if let Some(sight) = sight {
            found.retain(|event| sight.tells(&event.namespace));
        }
        let capped = found.len() > MAX_EVENTS;
        if capped {
            hit("events");
            found.truncate(MAX_EVENTS);
        }
        Ok((found, capped))
    }

    fn run(&self, state: &ApiState, sight: Option<&Sight>) -> Result<Found, Error> {
        let (found, capped) = self.find(state, sight)?;
        let (from, to) = (self.asked.from.millis(), self.asked.to.millis());
        let histogram = Histogram::of(&found, (from, to), self.buckets);
        let total = found.len();
        let page = found.into_iter().skip(self.offset).take(self.limit);
        let items = page.map(Item::from).collect();
        Ok(Found { from, to, total, capped, items, histogram })
    }
}

fn time(name: &'static str, value: &str) -> Result<Timestamp, Error> {
    let takes = || "milliseconds since the epoch".to_owned();
    let wrong = || Error::Parameter { name, value: value.to_owned(), takes: takes() };
    Ok(Timestamp::from_millis(value.parse().map_err(|_| wrong())?))
}

impl Histogram {
    fn of(events: &[Event], (from, to): (i64, i64), buckets: usize) -> Self {
        let Ok(count) = i64::try_from(buckets) else { return Self::default() };
        if count == 0 || to < from {
            return Self::default();
        }
        let step_ms = (to - from) / count + 1;
        let mut histogram = Self {
            step_ms,
            timestamps: (0..count).map(|number| from + number * step_ms).collect(),
            normal: vec![0; buckets],
            warning: vec![0; buckets],
        };
        for event in events {
            let number = (event.last_seen.millis().clamp(from, to) - from) / step_ms;
            let column = match &*event.event_type {
                "Warning" => &mut histogram.warning,
                _ => &mut histogram.normal,
            };
            if let Some(bucket) = usize::try_from(number).ok().and_then(|at| column.get_mut(at)) {
                *bucket += 1;
            }
        }
        histogram
    }
}

impl From<Event> for Item {
    fn from(event: Event) -> Self {
        Self {
            uid: event.uid,
            namespace: event.namespace,
            kind: event.object_kind,
            name: event.object_name,
            reason: event.reason,
            event_type: event.event_type,
            message: event.message,
            source: event.source,
            count: event.count,
            first_seen: millis(event.first_seen),
            last_seen: millis(event.last_seen),
        }
    }
}
