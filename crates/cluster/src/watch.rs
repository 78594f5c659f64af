//! Watches that keep an inventory equal to what the API server has, one task for each kind.
//!
//! A list replaces what was known only when it is complete: until then old objects stay, so that a
//! relist (after 410 Gone or a lost connection) leaves no gap. A kind that fails stops no other.

mod kinds;
mod monitors;
mod retry;
mod status;
mod unread;

pub use monitors::MonitorKinds;
pub(crate) use retry::waits;
pub use status::{WatchBoard, WatchStatus};

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures_util::{StreamExt, pin_mut};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Resource};
use model::{Inventory, SharedInventory};
use pipeline::Clock;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::Connection;
use crate::connect::{ConnectError, Trouble};
use crate::events::{self, EventBatch, Position};
use unread::Unread;

/// What every API server has, however old or small.
const EVERYWHERE: [&str; 3] = ["namespaces", "nodes", "pods"];
/// How many objects are asked for in one page of a list.
const PAGE_SIZE: u32 = 500;
/// How long a streamed list may be silent before it ends.
const STREAM_PATIENCE: Duration = Duration::from_secs(10);

/// The running watches. Dropping it ends them.
#[derive(Debug)]
pub struct Watches {
    /// How each stands.
    pub board: WatchBoard,
    tasks: JoinSet<&'static str>,
    clock: Clock,
}

impl Watches {
    /// No watch yet: for those who want nothing but events.
    pub fn none(clock: Clock) -> Self {
        let board = WatchBoard::new([], clock.now());
        Self { board, tasks: JoinSet::new(), clock }
    }

    /// Begins to read events, from `position` on; without one, what the API server still has
    /// comes first. `whole` keeps each event's JSON beside it. Must run inside a runtime. Reading
    /// ends when the receiver is dropped.
    pub fn follow_events(
        &mut self,
        connection: &Connection,
        position: Option<Position>,
        whole: bool,
    ) -> mpsc::Receiver<EventBatch> {
        self.board.add(events::EVENTS, self.clock.now());
        let (reader, batches) =
            events::reader(connection, position, whole, self.board.clone(), self.clock);
        self.tasks.spawn(reader.run());
        batches
    }

    /// Ends when a watch has ended, which none does by itself: only a panic ends one. Says which.
    pub async fn ended(&mut self) -> String {
        match self.tasks.join_next().await {
            Some(Ok(kind)) => format!("the watch of {kind} ended"),
            Some(Err(error)) => format!("a watch failed: {error}"),
            None => "no watch runs".to_owned(),
        }
    }
}

/// An object that is watched, and its place in the inventory.
pub(crate) trait Watched: Resource<DynamicType = ()> + DeserializeOwned + 'static {
    /// What it becomes.
    type Record: Send;
    /// Its name in URLs and RBAC rules (`replicasets`).
    const PLURAL: &'static str;
    /// Turns it into a record.
    fn record(self, host_id_annotation: &str) -> Self::Record;
    /// Adds or replaces a record.
    fn put(record: Self::Record, inventory: &mut Inventory);
    /// Forgets the record of that namespace and name.
    fn remove(namespace: &str, name: &str, inventory: &mut Inventory);
    /// Whether there is a record of that namespace and name.
    fn is_held(namespace: &str, name: &str, inventory: &Inventory) -> bool;
    /// Keeps only records whose namespace and name are in `seen`.
    fn retain(seen: &Seen, inventory: &mut Inventory);
}

/// What is done with the objects of a kind, as a table: the watch itself knows no kind.
#[derive(Debug)]
pub(crate) struct Kind {
    plural: &'static str,
    name: Named,
    group: Named,
    version: Named,
    /// Reads an object's JSON and puts its record, given the host id's annotation.
    put: fn(&str, &str, &SharedInventory) -> Result<(), serde_json::Error>,
    remove: fn(&str, &str, &mut Inventory),
    is_held: fn(&str, &str, &Inventory) -> bool,
    retain: fn(&Seen, &mut Inventory),
}

type Named = fn(&'static ()) -> Cow<'static, str>;

impl Kind {
    pub(crate) const fn of<K: Watched>() -> &'static Self {
        const {
            &Self {
                plural: K::PLURAL,
                name: K::kind,
                group: K::group,
                version: K::version,
                put: put::<K>,
                remove: K::remove,
                is_held: K::is_held,
                retain: K::retain,
            }
        }
    }
}

fn put<K: Watched>(
    json: &str,
    host_id_annotation: &str,
    inventory: &SharedInventory,
) -> Result<(), serde_json::Error> {
    let record = serde_json::from_str::<K>(json)?.record(host_id_annotation);
    K::put(record, &mut inventory.write().unwrap_or_else(PoisonError::into_inner));
    Ok(())
}

/// Names that a list contained, by namespace.
#[derive(Default)]
pub(crate) struct Seen(HashMap<Box<str>, HashSet<Box<str>>>);

impl Seen {
    pub(crate) fn contains(&self, namespace: &str, name: &str) -> bool {
        self.0.get(namespace).is_some_and(|names| names.contains(name))
    }

    fn insert(&mut self, (namespace, name): (Box<str>, Box<str>)) {
        self.0.entry(namespace).or_default().insert(name);
    }

    fn len(&self) -> usize {
        self.0.values().map(HashSet::len).sum()
    }
}

/// Starts every watch.
pub(crate) fn start(connection: &Connection, clock: Clock) -> (SharedInventory, Watches) {
    let inventory: SharedInventory = Arc::new(RwLock::new(Inventory::default()));
    let board = WatchBoard::new(kinds::ALL.map(|kind| kind.plural), clock.now());
    let mut tasks = JoinSet::new();
    let watch = Watch {
        connection: connection.clone(),
        inventory: Arc::clone(&inventory),
        board: board.clone(),
        clock,
        paging: Arc::default(),
    };
    for kind in kinds::ALL {
        tasks.spawn(watch.clone().run(kind));
    }
    (inventory, Watches { board, tasks, clock })
}

#[derive(Clone)]
struct Watch {
    connection: Connection,
    inventory: SharedInventory,
    board: WatchBoard,
    clock: Clock,
    /// Whether lists come in pages, because this API server streams none.
    paging: Arc<AtomicBool>,
}

impl Watch {
    async fn run(self, kind: &'static Kind) -> &'static str {
        let mut names = Listed::default();
        if !self.paging.load(Ordering::Relaxed) {
            let streaming = watcher::Config::default().streaming_lists();
            self.follow(kind, streaming, Some(STREAM_PATIENCE), &mut names).await;
            if !self.paging.swap(true, Ordering::Relaxed) {
                tracing::info!(
                    kind = kind.plural,
                    "the API server streams no lists, asking in pages"
                );
            }
        }
        let pages = watcher::Config::default().page_size(PAGE_SIZE);
        self.follow(kind, pages, None, &mut names).await;
        kind.plural
    }

    /// Follows a watch that lists as `config` says. With `patience` it ends when the API server
    /// takes no such list, or leaves one unfinished for so long without a word.
    async fn follow(
        &self,
        kind: &'static Kind,
        config: watcher::Config,
        patience: Option<Duration>,
        names: &mut Listed,
    ) {
        let api: Api<Unread> = Api::all_with(self.connection.client(), &kind);
        let events = watcher(api, config).backoff(waits());
        pin_mut!(events);
        let mut listing = true;
        loop {
            let next = match patience.filter(|_| listing) {
                Some(patience) => match timeout(patience, events.next()).await {
                    Ok(next) => next,
                    Err(_) => return,
                },
                None => events.next().await,
            };
            match next {
                Some(Ok(event)) => {
                    listing = match event {
                        watcher::Event::Init | watcher::Event::InitApply(_) => true,
                        watcher::Event::InitDone => false,
                        _ => listing,
                    };
                    self.apply(kind, event, names);
                }
                Some(Err(error)) if patience.is_some() && streams_none(&error) => return,
                Some(Err(error)) => {
                    // What waits for its next try is not silent.
                    listing = false;
                    self.failed(&error, kind.plural);
                }
                None => return,
            }
        }
    }

    fn apply(&self, kind: &Kind, event: watcher::Event<Unread>, names: &mut Listed) {
        let synced = matches!(event, watcher::Event::InitDone);
        match event {
            watcher::Event::Init => {
                // The begin of a list proves nothing yet.
                names.listed = Seen::default();
                return;
            }
            watcher::Event::InitApply(object) => {
                names.listed.insert(name_of(&object));
                self.put(kind, &object);
                return;
            }
            watcher::Event::InitDone => {
                metrics::counter!(crate::telemetry::WATCH_RELISTS, "kind" => kind.plural)
                    .increment(1);
                let seen = std::mem::take(&mut names.listed);
                let mut inventory = self.inventory.write().unwrap_or_else(PoisonError::into_inner);
                (kind.retain)(&seen, &mut inventory);
                names.held = seen.len();
            }
            watcher::Event::Apply(object) => {
                let (namespace, name) = name_of(&object);
                let new = !self.is_held(kind, &namespace, &name);
                if !self.put(kind, &object) {
                    // It stays told of until something goes well.
                    return;
                }
                names.held += usize::from(new);
            }
            watcher::Event::Delete(object) => {
                let (namespace, name) = name_of(&object);
                let held = self.is_held(kind, &namespace, &name);
                names.held = names.held.saturating_sub(usize::from(held));
                let mut inventory = self.inventory.write().unwrap_or_else(PoisonError::into_inner);
                (kind.remove)(&namespace, &name, &mut inventory);
            }
        }
        metrics::gauge!(crate::telemetry::WATCHED_OBJECTS, "kind" => kind.plural)
            .set(u32::try_from(names.held).unwrap_or(u32::MAX));
        if self.board.well(kind.plural, synced, names.held, self.clock.now()) {
            tracing::info!(kind = kind.plural, objects = names.held, "watch is in sync");
        }
    }

    fn is_held(&self, kind: &Kind, namespace: &str, name: &str) -> bool {
        let inventory = self.inventory.read().unwrap_or_else(PoisonError::into_inner);
        (kind.is_held)(namespace, name, &inventory)
    }

    /// Whether the object could be read; else it is told of and keeps the record that it had.
    fn put(&self, kind: &Kind, object: &Unread) -> bool {
        let annotation = &self.connection.options.host_id_annotation;
        let put = (kind.put)(&object.json, annotation, &self.inventory).map_err(|error| {
            let error = watcher::Error::WatchFailed(kube::Error::SerdeError(error));
            self.failed(&error, kind.plural);
        });
        put.is_ok()
    }

    fn failed(&self, error: &watcher::Error, kind: &'static str) {
        metrics::counter!(crate::telemetry::WATCH_ERRORS, "kind" => kind).increment(1);
        let Some(explained) = self.explain(error, kind) else { return };
        let failure = explained.to_failure();
        if !self.board.failed(kind, failure, self.clock.now()) {
            return;
        }
        if explained.concerns_everything() {
            tracing::debug!(kind, error = %explained, "watch failed, will be tried again");
        } else {
            tracing::warn!(kind, error = %explained, "watch failed, will be tried again");
        }
    }

    /// `None` for what is part of a watch's normal life.
    fn explain(&self, error: &watcher::Error, kind: &str) -> Option<ConnectError> {
        let answer = |reason: String| {
            ConnectError::Answer(Trouble {
                reason,
                advice: "check the API server's log".to_owned(),
            })
        };
        Some(match error {
            watcher::Error::InitialListFailed(error)
            | watcher::Error::WatchStartFailed(error)
            | watcher::Error::WatchFailed(error) => match error {
                kube::Error::Api(status) if status.code == 410 => return None,
                kube::Error::Api(status) if status.code == 404 => ConnectError::Answer(Trouble {
                    reason: format!("the API server has no {kind}"),
                    advice: if EVERYWHERE.contains(&kind) {
                        "check the server's address: what answers there is no API server".to_owned()
                    } else {
                        "nothing: this cluster is too old or too small for them".to_owned()
                    },
                }),
                error => self.connection.explain(error, kind),
            },
            watcher::Error::WatchError(status) if status.code == 410 => return None,
            watcher::Error::WatchError(status) => answer(format!(
                "the watch of {kind} ended with {}: {}",
                status.code, status.message
            )),
            watcher::Error::NoResourceVersion => {
                answer(format!("the list of {kind} has no resourceVersion"))
            }
        })
    }
}

/// Whether an error says that this API server streams no lists: one that is too old, or whose
/// feature gate is off.
fn streams_none(error: &watcher::Error) -> bool {
    let status = match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => match error {
            kube::Error::Api(status) => status,
            _ => return false,
        },
        watcher::Error::WatchError(status) => status,
        watcher::Error::NoResourceVersion => return false,
    };
    matches!(status.code, 400 | 422)
}

/// How many objects are held, and the names of those that a list has brought so far.
#[derive(Default)]
struct Listed {
    held: usize,
    listed: Seen,
}

fn name_of(object: &Unread) -> (Box<str>, Box<str>) {
    let meta = &object.meta;
    let text = |field: &Option<String>| Box::from(field.as_deref().unwrap_or_default());
    (text(&meta.namespace), text(&meta.name))
}
