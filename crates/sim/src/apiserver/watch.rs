//! Watches: changes as JSON lines, with bookmarks, initial events and 410 for what is forgotten.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, stream};
use http::Response;
use serde_json::{Value, json};
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, sleep_until};

use super::list::{Renderer, namespace_index};
use super::parameters::{Form, Parameters};
use super::resource::Resource;
use super::selector::fields_of;
use super::status::Status;
use super::{Api, table};
use crate::http::{Body, JSON, streamed};
use crate::objects::Version;
use crate::store::{Change, Entry, Extent, Key, Kind, Unavailable};

/// How long a watch lasts unless asked otherwise (--min-request-timeout of kube-apiserver).
const DEFAULT_TIMEOUT: Duration = Duration::from_mins(30);
/// Lines sent at once.
const BATCH: usize = 128;

/// The annotation that ends the initial events of a streaming list.
const INITIAL_EVENTS_END: &str = "k8s.io/initial-events-end";

struct Watch {
    api: Arc<Api>,
    renderer: Renderer,
    kind: Kind,
    namespace: Option<u32>,
    /// Everything up to here has been sent.
    position: u64,
    /// Objects still to be sent as added before the changes, and whether a bookmark ends them.
    initial: VecDeque<Version>,
    announce_end: bool,
    /// Lines not yet sent.
    lines: VecDeque<Value>,
    latest: Receiver<u64>,
    next_bookmark: Instant,
    deadline: Instant,
    /// Whether the columns of a table have been sent.
    headed: bool,
    ended: bool,
}

pub(super) fn begin(
    api: &Arc<Api>,
    resource: &'static Resource,
    namespace: Option<&str>,
    parameters: &Parameters,
) -> Result<Response<Body>, Status> {
    parameters.selection.check_fields(resource.kind, &fields_of(resource.kind))?;
    let now = Instant::now();
    let deadline = now + parameters.timeout.unwrap_or(DEFAULT_TIMEOUT);
    let latest = api.store.subscribe();
    let renderer = Renderer::new(api, resource, parameters, (api.now)().secs());
    let cluster = api.store.cluster();
    let found = namespace.map(|name| namespace_index(cluster, name));
    // A namespace that does not exist has nothing to watch, but may be watched.
    let nowhere = found == Some(None) || resource.stored.is_none();
    let mut watch = Watch {
        api: Arc::clone(api),
        renderer,
        kind: resource.stored.unwrap_or(Kind::Namespaces),
        namespace: if nowhere { Some(u32::MAX - 1) } else { found.flatten() },
        position: 0,
        initial: VecDeque::new(),
        announce_end: parameters.send_initial_events == Some(true) && parameters.bookmarks,
        lines: VecDeque::new(),
        latest,
        next_bookmark: now + api.bookmark_every,
        deadline,
        headed: false,
        ended: false,
    };
    watch.locate(parameters)?;
    Ok(streamed(JSON, watch.stream()))
}

impl Watch {
    /// Decides where to begin: at a version, or with everything that exists.
    fn locate(&mut self, parameters: &Parameters) -> Result<(), Status> {
        let latest = self.api.store.version();
        let asked = parameters.resource_version.filter(|version| *version > 0);
        if let Some(asked) = asked.filter(|asked| *asked > latest) {
            return Err(Status::unavailable(asked, Unavailable::Future { latest }));
        }
        match (asked, parameters.send_initial_events) {
            (Some(asked), None | Some(false)) => self.position = asked,
            (None, Some(false)) => self.position = latest,
            (_, Some(true)) | (None, None) => {
                let extent = Extent { namespace: self.namespace, ..Extent::default() };
                let snapshot = self.api.store.list(self.kind, &extent);
                let snapshot = snapshot.map_err(|why| Status::unavailable(0, why))?;
                self.position = snapshot.resource_version;
                let wanted =
                    snapshot.items.into_iter().filter(|(key, version)| self.wants(key, version));
                self.initial = wanted.map(|(_, version)| version).collect();
            }
        }
        Ok(())
    }

    fn wants(&self, key: &Key, version: &Version) -> bool {
        self.namespace.is_none_or(|namespace| key.0 == namespace)
            && self.renderer.parameters.selection.matches(&self.renderer.cluster, key, version)
    }

    fn stream(self) -> impl Stream<Item = Result<Bytes, io::Error>> + Send + 'static {
        stream::unfold(self, |mut watch| async move {
            loop {
                watch.fill();
                if !watch.lines.is_empty() {
                    let chunk = watch.take_lines();
                    return Some((chunk, watch));
                }
                if watch.ended {
                    return None;
                }
                watch.wait().await;
            }
        })
    }

    /// Turns what is to be told into lines.
    fn fill(&mut self) {
        if !self.lines.is_empty() || self.ended {
            return;
        }
        if !self.initial.is_empty() {
            for _ in 0..BATCH {
                let Some(version) = self.initial.pop_front() else { break };
                self.tell("ADDED", &version);
            }
            return;
        }
        if std::mem::take(&mut self.announce_end) {
            let bookmark = self.bookmark(true);
            self.lines.push_back(bookmark);
        }
        loop {
            let changes = match self.api.store.changes(self.kind, self.position, BATCH) {
                Ok(changes) => changes,
                Err(why) => {
                    let status = Status::unavailable(self.position, why);
                    self.lines.push_back(json!({ "type": "ERROR", "object": status.json() }));
                    self.ended = true;
                    return;
                }
            };
            for entry in &changes.entries {
                self.follow(entry);
            }
            self.position = changes.upto;
            if !changes.more || !self.lines.is_empty() {
                return;
            }
        }
    }

    /// Tells a change as the selection sees it: coming into view is adding, leaving it deleting.
    fn follow(&mut self, entry: &Entry) {
        let was = entry.previous.as_ref().is_some_and(|previous| self.wants(&entry.key, previous));
        let is = entry.change != Change::Deleted && self.wants(&entry.key, &entry.version);
        match (was, is) {
            (false, true) => self.tell("ADDED", &entry.version),
            (true, true) => self.tell("MODIFIED", &entry.version),
            (true, false) => self.tell("DELETED", &entry.version),
            (false, false) => {}
        }
    }

    fn tell(&mut self, kind: &str, version: &Version) {
        let headers = !std::mem::replace(&mut self.headed, true);
        self.renderer.now = (self.api.now)().secs();
        let object = self.renderer.single(version, headers);
        self.lines.push_back(json!({ "type": kind, "object": object }));
    }

    fn bookmark(&self, end_of_initial: bool) -> Value {
        let mut metadata = json!({
            "resourceVersion": self.position.to_string(), "creationTimestamp": null,
        });
        if end_of_initial {
            metadata["annotations"] = json!({ INITIAL_EVENTS_END: "true" });
        }
        let resource = self.renderer.resource;
        let object = match self.renderer.parameters.form {
            Form::Table => {
                let mut table = table::frame(resource, false, &metadata);
                let partial = json!({
                    "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
                });
                table["rows"] = json!([{ "cells": [], "object": partial }]);
                table
            }
            Form::Partial => {
                json!({ "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata })
            }
            Form::Whole => {
                json!({ "kind": resource.kind, "apiVersion": resource.api_version(), "metadata": metadata })
            }
        };
        json!({ "type": "BOOKMARK", "object": object })
    }

    fn take_lines(&mut self) -> Result<Bytes, io::Error> {
        let mut chunk = Vec::new();
        for _ in 0..BATCH {
            let Some(line) = self.lines.pop_front() else { break };
            serde_json::to_writer(&mut chunk, &line)?;
            chunk.push(b'\n');
        }
        Ok(chunk.into())
    }

    /// Waits for a change, a bookmark's time, the watch's end or the server's.
    async fn wait(&mut self) {
        let shutdown = self.api.shutdown.clone();
        let bookmarks = self.renderer.parameters.bookmarks;
        tokio::select! {
            biased;
            () = shutdown.cancelled() => self.ended = true,
            () = sleep_until(self.deadline) => {
                if bookmarks {
                    let last = self.bookmark(false);
                    self.lines.push_back(last);
                }
                self.ended = true;
            }
            changed = self.latest.changed() => self.ended = changed.is_err(),
            () = sleep_until(self.next_bookmark), if bookmarks => {
                self.next_bookmark = Instant::now() + self.api.bookmark_every;
                let bookmark = self.bookmark(false);
                self.lines.push_back(bookmark);
            }
        }
    }
}
