//! Events of the cluster, read once each: a watch from a position that is kept, and a list of
//! what was missed where the API server has forgotten that position.
//!
//! Holds no event: what is read goes to a bounded queue in batches, each with the position that
//! is reached once it is taken. A slow taker slows the reading down; nothing is dropped here.

mod position;

pub use position::Position;

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use futures_util::{StreamExt, pin_mut};
use kube::Api;
use kube::api::{ListParams, WatchEvent, WatchParams};
use model::Event;
use pipeline::Clock;
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};

use crate::Connection;
use crate::connect::{ConnectError, Trouble};
use crate::telemetry;
use crate::watch::{WatchBoard, waits};
use crate::wire::event::{self, EventApi};

/// The kind's name on the board.
pub(crate) const EVENTS: &str = "events";
/// Most events of a batch, and of a page of a list.
pub const MAX_BATCH: usize = 500;
/// Batches that may wait for their taker.
const QUEUED_BATCHES: usize = 4;
/// How long a watch lasts; a connection that died in silence is noticed then.
const WATCH_TIMEOUT: Duration = Duration::from_mins(5);
/// What the API server is told, a little less.
const WATCH_SECONDS: u32 = 290;
/// Events whose hand-over is remembered while a list is repeated; 16 bytes each.
const MAX_GIVEN: usize = 500_000;

/// Events in the order in which they were read, and how far that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventBatch {
    /// At most [`MAX_BATCH`]; an event that happened again comes again, with a higher count.
    pub events: Vec<Event>,
    /// What to keep once the events are taken; `None` in the middle of a list.
    pub position: Option<Position>,
    /// Whether they happened before anybody read events here: there was no position to go on
    /// from.
    pub past: bool,
}

/// Begins to read; must run inside a runtime. The batches end when the reader is given up.
pub(crate) fn reader(
    connection: &Connection,
    position: Option<Position>,
    whole: bool,
    board: WatchBoard,
    clock: Clock,
) -> (Reader, mpsc::Receiver<EventBatch>) {
    let (out, batches) = mpsc::channel(QUEUED_BATCHES);
    let reader = Reader {
        connection: connection.clone(),
        clock,
        board,
        out,
        whole,
        past: position.is_none(),
        must_list: position.as_ref().is_none_or(|position| position.version.is_empty()),
        position: position.unwrap_or_default(),
        identified: false,
        api: EventApi::Events,
        read: 0,
        given: HashSet::new(),
        hashes: RandomState::new(),
    };
    (reader, batches)
}

/// Reads events for ever.
#[expect(clippy::struct_excessive_bools, reason = "four facts that change apart")]
pub(crate) struct Reader {
    connection: Connection,
    clock: Clock,
    board: WatchBoard,
    out: mpsc::Sender<EventBatch>,
    /// Whether the whole objects are wanted.
    whole: bool,
    position: Position,
    /// Whether nothing was ever read.
    past: bool,
    /// Whether the position is not one that a watch can begin at.
    must_list: bool,
    /// Whether the cluster's identity was asked for.
    identified: bool,
    api: EventApi,
    read: usize,
    /// Hashes of what a list that is not complete handed over already.
    given: HashSet<u64>,
    hashes: RandomState,
}

/// Why reading stopped.
enum Stop {
    /// The position is forgotten by the API server, or a list's next page is.
    Gone,
    /// The other API may have them.
    NotThisApi(kube::Error),
    Failed(kube::Error),
    /// Nobody takes the batches any more.
    Unwanted,
}

impl From<kube::Error> for Stop {
    fn from(error: kube::Error) -> Self {
        match &error {
            kube::Error::Api(status) => match status.code {
                410 => Self::Gone,
                // A version of the future: the API server was restored from a backup.
                504 if status.message.contains("resource version") => Self::Gone,
                403 | 404 => Self::NotThisApi(error),
                _ => Self::Failed(error),
            },
            _ => Self::Failed(error),
        }
    }
}

impl Reader {
    /// Ends only when the batches' receiver is dropped.
    pub(crate) async fn run(mut self) -> &'static str {
        let mut pauses = waits();
        loop {
            match self.follow().await {
                // A watch that lasted its time: the next one begins where it ended.
                Ok(()) => continue,
                Err(Stop::Unwanted) => return EVENTS,
                Err(Stop::Gone) => {
                    metrics::counter!(telemetry::WATCH_RELISTS, "kind" => EVENTS).increment(1);
                    self.must_list = true;
                    continue;
                }
                Err(Stop::NotThisApi(_)) if self.api == EventApi::Events => {
                    self.api = EventApi::Core;
                    continue;
                }
                Err(Stop::NotThisApi(error)) => {
                    self.api = EventApi::Events;
                    self.failed(&error);
                }
                Err(Stop::Failed(error)) => self.failed(&error),
            }
            tokio::select! {
                () = sleep(pauses.next().unwrap_or(WATCH_TIMEOUT)) => {}
                () = self.out.closed() => return EVENTS,
            }
        }
    }

    async fn follow(&mut self) -> Result<(), Stop> {
        if !self.identified {
            self.identify().await?;
        }
        if self.must_list {
            self.list().await?;
            self.must_list = false;
            self.past = false;
            self.given = HashSet::new();
        }
        self.watch().await
    }

    fn events(&self) -> Api<event::Event> {
        Api::all_with(self.connection.client(), &self.api)
    }

    /// A position in another cluster is none in this one.
    async fn identify(&mut self) -> Result<(), Stop> {
        #[derive(Deserialize)]
        struct Identity {
            metadata: crate::wire::object::Metadata,
        }
        let request = http::Request::get("/api/v1/namespaces/kube-system").body(Vec::new());
        let request = request.map_err(|error| Stop::Failed(kube::Error::HttpError(error)))?;
        let asked = self.connection.client().request::<Identity>(request).await;
        let cluster = match asked {
            Ok(namespace) => namespace.metadata.uid().to_owned(),
            Err(kube::Error::Api(status)) if matches!(status.code, 403 | 404) => String::new(),
            Err(error) => return Err(Stop::Failed(error)),
        };
        let known = &self.position.cluster;
        if !known.is_empty() && !cluster.is_empty() && *known != cluster {
            tracing::warn!("the kept position of events is another cluster's: beginning anew");
            self.position = Position::default();
            self.past = true;
            self.must_list = true;
        }
        if !cluster.is_empty() {
            self.position.cluster = cluster;
        }
        self.identified = true;
        Ok(())
    }

    /// Hands over what a list has beyond the position, and moves to the list's version. Pages, as
    /// API servers keep no events in the cache that streaming lists are served from.
    async fn list(&mut self) -> Result<(), Stop> {
        let events = self.events();
        let mut page = ListParams::default().limit(u32::try_from(MAX_BATCH).unwrap_or(u32::MAX));
        let mut reached = Position { newest: self.position.newest, ..Position::default() };
        loop {
            let list = events.list(&page).await?;
            reached.version = list.metadata.resource_version.unwrap_or_default();
            let mut fresh = Vec::new();
            for object in list.items {
                let version = object.version();
                let hash = self.hashes.hash_one((object.fields.metadata.uid(), version));
                let event = object.into_model(self.whole);
                reached.newest = reached.newest.max(event.last_seen);
                if self.is_new(version, &event, reached.count()) && !self.given.contains(&hash) {
                    if self.given.len() < MAX_GIVEN {
                        self.given.insert(hash);
                    }
                    fresh.push(event);
                }
            }
            self.well(false);
            let Some(token) = list.metadata.continue_.filter(|token| !token.is_empty()) else {
                self.position = Position { cluster: self.position.cluster.clone(), ..reached };
                self.hand_over(fresh, Some(self.position.clone())).await?;
                self.well(true);
                return Ok(());
            };
            self.hand_over(fresh, None).await?;
            page = page.continue_token(&token);
        }
    }

    /// Whether the position does not cover an event of a list at version `listed`. Where versions
    /// cannot be compared (an API server that was set back), its time decides.
    fn is_new(&self, version: Option<u64>, event: &Event, listed: Option<u64>) -> bool {
        if self.past {
            return true;
        }
        match (self.position.count(), version, listed) {
            (Some(position), Some(version), Some(listed)) if listed >= position => {
                version > position
            }
            _ => event.last_seen >= self.position.newest,
        }
    }

    async fn watch(&mut self) -> Result<(), Stop> {
        let ends = Instant::now() + WATCH_TIMEOUT;
        let parameters = WatchParams::default().timeout(WATCH_SECONDS);
        let events = self.events();
        let opened = timeout_at(ends, events.watch(&parameters, &self.position.version)).await;
        let Ok(opened) = opened else { return Ok(()) };
        let changes = opened?.ready_chunks(MAX_BATCH);
        pin_mut!(changes);
        self.well(true);
        while let Ok(Some(chunk)) = timeout_at(ends, changes.next()).await {
            let mut fresh = Vec::new();
            let mut stop = None;
            let before = self.position.version.clone();
            for change in chunk {
                match change {
                    Ok(WatchEvent::Added(object) | WatchEvent::Modified(object)) => {
                        self.move_to(object.fields.metadata.object.resource_version.as_deref());
                        let event = object.into_model(self.whole);
                        self.position.newest = self.position.newest.max(event.last_seen);
                        fresh.push(event);
                    }
                    Ok(WatchEvent::Deleted(object)) => {
                        self.move_to(object.fields.metadata.object.resource_version.as_deref());
                    }
                    Ok(WatchEvent::Bookmark(mark)) => {
                        self.move_to(Some(&mark.metadata.resource_version));
                    }
                    Ok(WatchEvent::Error(status)) => stop = Some(kube::Error::Api(status).into()),
                    Err(kube::Error::SerdeError(error)) => {
                        metrics::counter!(telemetry::EVENTS_UNREAD).increment(1);
                        tracing::warn!(%error, "an event cannot be read and is left out");
                    }
                    Err(error) => stop = Some(Stop::Failed(error)),
                }
            }
            if !fresh.is_empty() || before != self.position.version {
                self.hand_over(fresh, Some(self.position.clone())).await?;
            }
            if let Some(stop) = stop {
                return Err(stop);
            }
            self.well(true);
        }
        Ok(())
    }

    fn move_to(&mut self, version: Option<&str>) {
        if let Some(version) = version.filter(|version| !version.is_empty()) {
            version.clone_into(&mut self.position.version);
        }
    }

    async fn hand_over(
        &mut self,
        events: Vec<Event>,
        position: Option<Position>,
    ) -> Result<(), Stop> {
        let count = events.len();
        self.read += count;
        metrics::counter!(telemetry::EVENTS_READ)
            .increment(u64::try_from(count).unwrap_or(u64::MAX));
        let batch = EventBatch { events, position, past: self.past };
        self.out.send(batch).await.map_err(|_| Stop::Unwanted)
    }

    fn well(&self, synced: bool) {
        if self.board.well(EVENTS, synced, self.read, self.clock.now()) {
            tracing::info!(read = self.read, "events are read");
        }
    }

    fn failed(&self, error: &kube::Error) {
        metrics::counter!(telemetry::WATCH_ERRORS, "kind" => EVENTS).increment(1);
        let explained = match error {
            kube::Error::Api(status) if status.code == 404 => ConnectError::Answer(Trouble {
                reason: "the API server has no events".to_owned(),
                advice: "check that the URL is a Kubernetes API server's".to_owned(),
            }),
            error => self.connection.explain(error, EVENTS),
        };
        if self.board.failed(EVENTS, explained.to_failure(), self.clock.now()) {
            tracing::warn!(error = %explained, "events cannot be read, will be tried again");
        }
    }
}
