//! Lists of pods of `metrics.k8s.io`: which, in what order, and piece by piece.
//!
//! Long lists are written while they are read: what a slow reader holds is one namespace's pods.

use std::collections::VecDeque;
use std::ops::ControlFlow::{self, Break};
use std::sync::{Arc, PoisonError};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream::unfold;
use model::{Line, Pod as PodRecord, SharedInventory, Timestamp, Word};
use query::Glance;

use super::super::accept::Form;
use super::super::paced::{self, CHUNK_BYTES, PIECE_BYTES, Place, with_type};
use super::super::parameters::Parameters;
use super::super::selector::Selection;
use super::super::write::{Ink, SharedLabels as Labels};
use super::super::{proto, write};
use super::{Asked, is_running, json, list_head, table_head, tail, token};

/// How many pods are looked up at once.
const LOOKED_UP: usize = 32;

/// The list of the pods of `namespace`, of all where that is empty.
pub(super) fn list(
    asked: Asked,
    namespace: &str,
    parameters: Parameters,
    place: Place,
) -> Response {
    let walk = Walk::new(&asked.inventory, namespace, parameters.selection, parameters.after);
    let mut writer = PodWriter::new(asked, walk, parameters.limit);
    if writer.asked.form == Form::Protobuf {
        return paced::whole(writer.all_protobuf(), proto::MEDIA_TYPE, place);
    }
    let first = writer.piece(CHUNK_BYTES);
    if writer.ended {
        return json(first);
    }
    let begin = (writer, Some(first), place);
    let chunks = unfold(begin, |(mut writer, waiting, place)| async move {
        let chunk = match waiting {
            Some(first) => first,
            None if writer.ended => return None,
            None => {
                if let Err(late) = place.ends() {
                    writer.ended = true;
                    return Some((Err(late), (writer, None, place)));
                }
                writer.piece(PIECE_BYTES)
            }
        };
        Some((Ok(Bytes::from(chunk)), (writer, None, place)))
    });
    with_type(Body::from_stream(chunks), "application/json")
}

/// Writes a list of pods, piece by piece.
struct PodWriter {
    asked: Asked,
    walk: Walk,
    limit: Option<usize>,
    count: usize,
    /// When the oldest of those that were written was measured.
    oldest: Timestamp,
    ended: bool,
    ink: Ink,
}

impl PodWriter {
    fn new(asked: Asked, walk: Walk, limit: Option<usize>) -> Self {
        let oldest = Timestamp::from_nanos(i64::MAX);
        Self { asked, walk, limit, count: 0, oldest, ended: false, ink: Ink::default() }
    }

    /// The next piece of about `bytes`, with the end when that is reached.
    fn piece(&mut self, bytes: usize) -> String {
        let windows = Arc::clone(&self.asked.windows);
        let glance = windows.glance(self.asked.now);
        let mut out = String::with_capacity(bytes + bytes / 4);
        while !self.ended && out.len() < bytes {
            if let Break(go_on) = self.some(&glance, |writer, pod| writer.item(&mut out, pod)) {
                self.end(&mut out, go_on.as_deref());
            }
        }
        out
    }

    fn all_protobuf(&mut self) -> [Bytes; 3] {
        let windows = Arc::clone(&self.asked.windows);
        let glance = windows.glance(self.asked.now);
        let mut written = proto::List::default();
        let go_on = loop {
            if let Break(go_on) = self.some(&glance, |_, pod| written.pod(pod)) {
                break go_on;
            }
        };
        self.asked.told(self.oldest);
        written.done(&self.asked.api_version, "PodMetricsList", go_on.as_deref())
    }

    /// Gives some more pods to `write`, until there are no more or it is enough; then where the list
    /// goes on, if it does.
    fn some(
        &mut self,
        glance: &Glance<'_>,
        mut write: impl FnMut(&mut Self, &write::Pod<'_>),
    ) -> ControlFlow<Option<String>> {
        let Some(line) = self.walk.line() else { return Break(None) };
        let (records, mut usages) = (self.walk.some(&line), Vec::with_capacity(LOOKED_UP));
        glance.pods(&records, &mut usages);
        for (record, usage) in records.into_iter().zip(usages) {
            let Some(usage) = usage else { continue };
            if self.limit.is_some_and(|limit| self.count >= limit) {
                let last = self.walk.written.take();
                return Break(last.map(|(namespace, name)| token(&namespace, &name)));
            }
            self.oldest = self.oldest.min(usage.at);
            let (namespace, name, labels) = (&record.namespace, &record.name, &record.labels);
            write(self, &write::Pod { namespace, name, labels, usage, now: self.asked.now });
            self.count += 1;
            if self.limit.is_some() {
                self.walk.written = Some((namespace.clone(), name.clone()));
            }
        }
        ControlFlow::Continue(())
    }

    fn item(&mut self, out: &mut String, pod: &write::Pod<'_>) {
        if self.count == 0 {
            out.push_str(&self.head(true));
        } else {
            out.push(',');
        }
        match self.asked.form {
            Form::Table(_) => write::pod_row(out, pod, &mut self.ink),
            Form::Json | Form::Protobuf => write::pod(out, pod, None, &mut self.ink),
        }
    }

    fn head(&self, any: bool) -> String {
        match self.asked.form {
            Form::Table(version) => table_head(version, any),
            Form::Json | Form::Protobuf => {
                list_head(&self.asked.api_version, "PodMetricsList", true)
            }
        }
    }

    fn end(&mut self, out: &mut String, go_on: Option<&str>) {
        if self.count == 0 {
            out.push_str(&self.head(false));
        }
        out.push_str(&tail(go_on));
        self.asked.told(self.oldest);
        self.ended = true;
    }
}

/// Running pods that are selected, by namespace and name, a namespace at a time.
struct Walk {
    inventory: SharedInventory,
    selection: Selection,
    namespaces: VecDeque<Box<str>>,
    /// The pods of the namespace that is walked through, and how far it is.
    line: Line<PodRecord>,
    place: usize,
    after: Option<(String, String)>,
    /// The labels that were looked at last, and whether they are wanted: a template's pods follow
    /// one another.
    labels: (Labels, bool),
    /// The last that was written, where somebody will ask.
    written: Option<(Word, Box<str>)>,
}

impl Walk {
    fn new(
        inventory: &SharedInventory,
        namespace: &str,
        selection: Selection,
        after: Option<(String, String)>,
    ) -> Self {
        let mut namespaces: Vec<Box<str>> = if namespace.is_empty() {
            let inventory = inventory.read().unwrap_or_else(PoisonError::into_inner);
            inventory.pod_namespaces().map(Box::from).collect()
        } else {
            vec![namespace.into()]
        };
        if let Some((from, _)) = &after {
            namespaces.retain(|namespace| **namespace >= **from);
        }
        namespaces.sort_unstable();
        let (inventory, namespaces) = (Arc::clone(inventory), namespaces.into());
        let labels = (Labels::default(), selection.matches_labels(&[]));
        let line = Line::default();
        Self { inventory, selection, namespaces, line, place: 0, after, labels, written: None }
    }

    /// The line that it is at; `None` when there is no more.
    fn line(&mut self) -> Option<Line<PodRecord>> {
        while self.place >= self.line.len() {
            let namespace = self.namespaces.pop_front()?;
            let inventory = self.inventory.read().unwrap_or_else(PoisonError::into_inner);
            self.line = inventory.pods_by_name(&namespace);
            drop(inventory);
            let after = self.after.as_ref().filter(|(from, _)| **from == *namespace);
            self.place =
                after.map_or(0, |(_, name)| self.line.partition_point(|pod| *pod.name <= **name));
        }
        Some(Arc::clone(&self.line))
    }

    /// Some more pods of `line`, where it is.
    fn some<'l>(&mut self, line: &'l Line<PodRecord>) -> Vec<&'l PodRecord> {
        let mut pods: Vec<&PodRecord> = Vec::with_capacity(LOOKED_UP);
        for pod in line.get(self.place..).unwrap_or_default() {
            if pods.len() >= LOOKED_UP {
                break;
            }
            self.place += 1;
            if is_running(pod) && self.is_selected(pod) {
                pods.push(pod);
            }
        }
        pods
    }

    fn is_selected(&mut self, pod: &PodRecord) -> bool {
        if !self.labels.0.is_same(&pod.labels) {
            self.labels = (pod.labels.clone(), self.selection.matches_labels(&pod.labels));
        }
        self.labels.1 && self.selection.matches_fields(&pod.namespace, &pod.name)
    }
}
