//! One list that follows its objects: read once, then watched, for as long as somebody looks.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use bytes::BytesMut;
use futures_util::StreamExt as _;
use http::StatusCode;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::rows::{Column, Row, printed};
use super::tables::Subject;
use crate::limits::hit;
use crate::people::upstream::{self, Question};
use crate::people::{Person, Refusal};

/// Most rows of a list; further ones are not shown, and that is said.
const MAX_ROWS: usize = 20_000;
/// Rows read at once.
const PAGE_ROWS: &str = "500";
/// Longest line of a watch.
const MAX_LINE_BYTES: usize = 4 << 20;
/// How long a list is followed that nobody looks at.
const LINGER: Duration = Duration::from_secs(45);
/// How often that is looked at.
const LOOK: Duration = Duration::from_secs(15);
/// How soon a list is read again that could not be, or that cannot be watched.
const AGAIN: Duration = Duration::from_secs(10);
/// How long a page waits for the first rows.
const FIRST: Duration = Duration::from_secs(30);
/// As tables, where the API server prints any.
const AS_TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

/// What is known of a list.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) columns: Vec<Column>,
    /// By uid.
    pub(super) rows: BTreeMap<String, Row>,
    /// Whether they were read whole.
    pub(super) loaded: bool,
    /// Whether changes arrive by themselves.
    pub(super) live: bool,
    /// Whether there are more rows than are held.
    pub(super) capped: bool,
    /// Why it cannot be read now.
    pub(super) trouble: Option<Refusal>,
}

/// A followed list.
#[derive(Debug)]
pub(super) struct Live {
    held: RwLock<Held>,
    changes: watch::Sender<u64>,
    touched: Mutex<Instant>,
    ended: AtomicBool,
}

/// Why a watch came to its end.
enum Ended {
    /// It may go on from here.
    Quietly(String),
    /// What it would go on from is forgotten.
    Forgotten,
    /// This kind cannot be watched.
    Never,
    /// Nobody looks any more.
    Unwanted,
}

impl Live {
    /// Begins to follow `subject`.
    pub(super) fn begin(subject: Subject, person: Arc<dyn Person>) -> Arc<Self> {
        let live = Arc::new(Self {
            held: RwLock::default(),
            changes: watch::Sender::new(0),
            touched: Mutex::new(Instant::now()),
            ended: AtomicBool::new(false),
        });
        tokio::spawn(follow(Arc::downgrade(&live), subject, person));
        live
    }

    pub(super) fn ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// Whether a stream shows it.
    pub(super) fn watched(&self) -> bool {
        self.changes.receiver_count() > 0
    }

    pub(super) fn touch(&self) {
        *self.touched.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    pub(super) fn touched(&self) -> Instant {
        *self.touched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells of changes for as long as it is kept.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Waits until there is something to show.
    pub(super) async fn ready(&self) {
        let mut changes = self.changes();
        let shows = |live: &Self| live.read(|held| held.loaded || held.trouble.is_some());
        let waited = async { while !shows(self) && changes.changed().await.is_ok() {} };
        // What is not there by then is shown as empty and still loading.
        drop(timeout(FIRST, waited).await);
    }

    pub(super) fn read<T>(&self, read: impl FnOnce(&Held) -> T) -> T {
        read(&self.held.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, write: impl FnOnce(&mut Held)) {
        write(&mut self.held.write().unwrap_or_else(PoisonError::into_inner));
        self.changes.send_modify(|number| *number += 1);
    }

    fn wanted(&self) -> bool {
        self.watched() || self.touched().elapsed() < LINGER
    }
}

async fn follow(live: Weak<Live>, subject: Subject, person: Arc<dyn Person>) {
    let mut from: Option<String> = None;
    while let Some(held) = live.upgrade() {
        if !held.wanted() {
            held.ended.store(true, Ordering::Relaxed);
            return;
        }
        let version = match from.take() {
            Some(version) => version,
            None => match list(&held, &subject, &*person).await {
                Ok(version) => version,
                Err(refusal) => {
                    held.write(|held| {
                        held.trouble = Some(refusal);
                        held.live = false;
                    });
                    drop(held);
                    sleep(AGAIN).await;
                    continue;
                }
            },
        };
        drop(held);
        match watch(&live, &subject, &*person, version).await {
            Ended::Quietly(version) => from = Some(version),
            Ended::Forgotten => {}
            Ended::Never => sleep(AGAIN).await,
            Ended::Unwanted => {
                if let Some(held) = live.upgrade() {
                    held.ended.store(true, Ordering::Relaxed);
                }
                return;
            }
        }
    }
}

/// Reads the list, page by page; the version that it is of.
async fn list(live: &Live, subject: &Subject, person: &dyn Person) -> Result<String, Refusal> {
    let mut rows = BTreeMap::new();
    let mut columns = Vec::new();
    let mut next: Option<String> = None;
    let mut capped = false;
    let version = loop {
        let token = next.take().unwrap_or_default();
        let more: &[_] = &[("limit", PAGE_ROWS), ("continue", token.as_str())];
        let path = subject.query(if token.is_empty() { &more[..1] } else { more });
        let question = Question { accept: AS_TABLE, ..Question::get(&path) };
        let page = printed(upstream::json(person, question).await?);
        if columns.is_empty() {
            columns = page.columns;
        }
        rows.extend(page.rows.into_iter().map(|row| (row.uid.clone(), row)));
        if rows.len() >= MAX_ROWS {
            hit("object_rows");
            capped = page.next.is_some();
            break page.resource_version;
        }
        if page.next.is_none() {
            break page.resource_version;
        }
        next = page.next;
    };
    live.write(|held| {
        *held = Held { columns, rows, loaded: true, live: false, capped, trouble: None };
    });
    Ok(version)
}

/// Follows changes after `version`.
async fn watch(
    live: &Weak<Live>,
    subject: &Subject,
    person: &dyn Person,
    mut version: String,
) -> Ended {
    let path = subject.query(&[
        ("watch", "1"),
        ("allowWatchBookmarks", "true"),
        ("timeoutSeconds", "280"),
        ("resourceVersion", &version),
    ]);
    let question = Question { accept: AS_TABLE, ..Question::get(&path) };
    let body = match upstream::streamed(person, question).await {
        Ok(answer) => answer.into_body(),
        Err(refusal) => match refusal.status {
            StatusCode::GONE => return Ended::Forgotten,
            _ => return Ended::Never,
        },
    };
    if let Some(live) = live.upgrade() {
        live.write(|held| held.live = true);
    }
    let mut chunks = body.into_data_stream();
    let mut buffer = BytesMut::new();
    loop {
        let Some(held) = live.upgrade() else { return Ended::Unwanted };
        if !held.wanted() {
            return Ended::Unwanted;
        }
        drop(held);
        let chunk = match timeout(LOOK, chunks.next()).await {
            Err(_) => continue,
            Ok(Some(Ok(chunk))) => chunk,
            Ok(Some(Err(_)) | None) => return Ended::Quietly(version),
        };
        buffer.extend_from_slice(&chunk);
        let Some(end) = buffer.iter().rposition(|byte| *byte == b'\n') else {
            if buffer.len() > MAX_LINE_BYTES {
                hit("watch_line");
                return Ended::Forgotten;
            }
            continue;
        };
        let lines = buffer.split_to(end + 1);
        let Some(held) = live.upgrade() else { return Ended::Unwanted };
        if !apply(&held, &lines, &mut version) {
            return Ended::Forgotten;
        }
    }
}

/// Applies the changes in `lines`; false when the watch has lost its place.
fn apply(live: &Live, lines: &[u8], version: &mut String) -> bool {
    let mut whole = true;
    let mut touched = false;
    let mut changes = Vec::new();
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let Ok(mut change) = once::json(line) else { return false };
        let kind = change["type"].as_str().unwrap_or_default().to_owned();
        if kind == "ERROR" {
            whole = false;
            break;
        }
        let table = printed(change["object"].take());
        if !table.resource_version.is_empty() {
            version.clone_from(&table.resource_version);
        }
        if kind != "BOOKMARK" {
            touched = true;
            changes.push((kind == "DELETED", table.rows));
        }
    }
    if touched {
        live.write(|held| {
            for (deleted, rows) in changes {
                for row in rows {
                    if deleted {
                        held.rows.remove(&row.uid);
                    } else if held.rows.len() < MAX_ROWS || held.rows.contains_key(&row.uid) {
                        held.rows.insert(row.uid.clone(), row);
                    } else {
                        held.capped = true;
                    }
                }
            }
        });
    }
    whole
}
