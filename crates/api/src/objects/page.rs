//! `GET /objects/list/…` and `/objects/stream/…`: a page of a list, once or for as long as it is
//! looked at.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{Stream, unfold};
use http::{HeaderName, Uri};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::live::{Held, Live};
use super::place::{self, KindAddress};
use super::rows::{Choice, Column, Row, choose};
use super::tables::Subject;
use super::{Asking, kinds, person, respond};
use crate::ApiState;
use crate::limits::{DEFAULT_LIST_ITEMS, MAX_LIST_ITEMS, STREAM_KEEP_ALIVE, hit};
use crate::people::Refusal;
use crate::request::pairs;
use crate::v1::Place as StreamPlace;

/// Most often that a page is sent anew.
const PACE: Duration = Duration::from_millis(500);
/// Longest label selector.
const MAX_SELECTOR_BYTES: usize = 2048;

#[derive(Debug, Serialize)]
struct Page<'a> {
    columns: &'a [Column],
    total: usize,
    items: Vec<&'a Row>,
    loaded: bool,
    live: bool,
    capped: bool,
    trouble: Option<Value>,
}

impl<'a> Page<'a> {
    fn of(held: &'a Held, choice: &Choice) -> Self {
        let (total, items) = choose(&held.rows, &held.columns, choice);
        Self {
            columns: &held.columns,
            total,
            items,
            loaded: held.loaded,
            live: held.live,
            capped: held.capped,
            trouble: held.trouble.as_ref().map(|refusal| refusal.json()["error"].take()),
        }
    }
}

type Address = Path<(String, String, String)>;

pub(super) async fn list(
    State(state): State<Arc<ApiState>>,
    Path(address): Address,
    session: Asking,
    uri: Uri,
) -> Response {
    let answer = async {
        let (live, choice) = open(&state, address, session, &uri).await?;
        live.ready().await;
        live.read(|held| match &held.trouble {
            Some(refusal) if !held.loaded => Err(refusal.clone()),
            _ => Ok(Json(Page::of(held, &choice)).into_response()),
        })
    };
    respond(answer.await)
}

pub(super) async fn stream(
    State(state): State<Arc<ApiState>>,
    Path(address): Address,
    session: Asking,
    uri: Uri,
) -> Response {
    let answer = async {
        let (live, choice) = open(&state, address, session, &uri).await?;
        let Some(place) = StreamPlace::take(&state.streams) else {
            hit("streams");
            return Err(Refusal::busy("streams"));
        };
        let following = Following {
            changes: live.changes(),
            live,
            choice,
            sent: String::new(),
            next: Instant::now(),
            stopping: state.stopping.clone(),
            _place: place,
        };
        let keep_alive = KeepAlive::new().interval(STREAM_KEEP_ALIVE).text("keep-alive");
        // Proxies that buffer would hold events back.
        let headers = [(HeaderName::from_static("x-accel-buffering"), "no")];
        let events = Sse::new(following.events()).keep_alive(keep_alive);
        Ok((headers, events).into_response())
    };
    respond(answer.await)
}

/// The list that a request asks for, and which of its rows.
async fn open(
    state: &ApiState,
    (group, version, plural): (String, String, String),
    session: Asking,
    uri: &Uri,
) -> Result<(Arc<Live>, Choice), Refusal> {
    let session = person(session)?;
    let kind = KindAddress::read(&group, &version, &plural)?;
    let mut choice = Choice {
        sort: "name".to_owned(),
        descending: false,
        search: String::new(),
        offset: 0,
        limit: DEFAULT_LIST_ITEMS,
    };
    let (mut namespace, mut labels) = (String::new(), String::new());
    for (key, value) in pairs(uri.query().unwrap_or("")) {
        let number = || value.parse::<usize>().ok();
        match &*key {
            "sort" => choice.sort = value.into_owned(),
            "order" => choice.descending = value == "desc",
            "search" => choice.search = value.to_lowercase(),
            "offset" => {
                choice.offset = number().ok_or_else(|| Refusal::bad("offset: give a number"))?;
            }
            "limit" => {
                let limit = number().filter(|limit| (1..=MAX_LIST_ITEMS).contains(limit));
                choice.limit = limit.ok_or_else(|| Refusal::bad("limit: give 1 to 1000"))?;
            }
            "namespace" if value.is_empty() => {}
            "namespace" => namespace = place::name(&value)?,
            "label" if value.len() > MAX_SELECTOR_BYTES => {
                return Err(Refusal::bad("the label selector is too long"));
            }
            "label" => labels = value.into_owned(),
            _ => return Err(Refusal::bad(format!("{key}: no such parameter"))),
        }
    }
    // Pages carry the chosen namespace along; what is in none has no such part.
    if !namespace.is_empty() {
        let known = kinds::discovered(&session, state.now()).await?;
        if known.at(&kind).is_some_and(|kind| !kind.namespaced) {
            namespace.clear();
        }
    }
    let subject = Subject { path: kind.path(&namespace), labels };
    Ok((session.tables.open(subject, &session.person)?, choice))
}

/// A page that is sent again when it changes.
struct Following {
    live: Arc<Live>,
    changes: watch::Receiver<u64>,
    choice: Choice,
    sent: String,
    next: Instant,
    stopping: CancellationToken,
    _place: StreamPlace,
}

impl Following {
    fn events(self) -> impl Stream<Item = Result<Event, Infallible>> {
        unfold(self, |mut following| async move {
            loop {
                if let Some(page) = following.page() {
                    following.sent = page;
                    following.next = Instant::now() + PACE;
                    let event = Event::default().event("page").data(&following.sent);
                    return Some((Ok(event), following));
                }
                tokio::select! {
                    () = following.stopping.cancelled() => return None,
                    changed = following.changes.changed() => changed.ok()?,
                }
                sleep_until(following.next).await;
                // What changed meanwhile is shown with it.
                following.changes.borrow_and_update();
            }
        })
    }

    /// The page, if it is another than what was sent.
    fn page(&self) -> Option<String> {
        let page = self.live.read(|held| {
            let shows = held.loaded || held.trouble.is_some();
            shows.then(|| serde_json::to_string(&Page::of(held, &self.choice)).ok()).flatten()
        })?;
        (page != self.sent).then_some(page)
    }
}
