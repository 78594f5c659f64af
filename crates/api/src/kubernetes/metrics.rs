//! `metrics.k8s.io`: CPU and memory of nodes and pods, from the resource windows.
//!
//! Long lists are written while they are read: what a slow reader holds is one namespace's pods.

use std::collections::VecDeque;
use std::ops::ControlFlow::{self, Break};
use std::sync::{Arc, PoisonError};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream::unfold;
use http::{Method, Request};
use metrics::histogram;
use model::{Line, Pod as PodRecord, SharedInventory, Timestamp, Word};
use query::{Glance, NodeWindow, ResourceWindows};

use super::accept::Form;
use super::paced::{self, CHUNK_BYTES, PIECE_BYTES, Place, with_type};
use super::parameters::Parameters;
use super::selector::Selection;
use super::status::Status;
use super::write::{Ink, SharedLabels as Labels};
use super::{proto, write};
use crate::ApiState;
use crate::request::decoded;
use crate::telemetry;

/// The group.
pub(super) const GROUP: &str = "metrics.k8s.io";

/// How many pods are looked up at once.
const LOOKED_UP: usize = 32;

/// What every answer needs.
struct Asked {
    windows: Arc<ResourceWindows>,
    inventory: SharedInventory,
    now: Timestamp,
    form: Form,
    api_version: String,
}

/// Answers `path` (what follows the version).
pub(super) fn answer(
    state: &Arc<ApiState>,
    version: &str,
    path: &str,
    request: &Request<Body>,
) -> Result<Response, Status> {
    let parts: Vec<_> = path.split('/').map(decoded).collect();
    let parts: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
    let (kind, namespace, name) = match *parts.as_slice() {
        ["nodes"] => ("nodemetrics", "", None),
        ["nodes", name] => ("nodemetrics", "", Some(name)),
        ["pods"] => ("podmetrics", "", None),
        ["namespaces", namespace, "pods"] if !namespace.is_empty() => {
            ("podmetrics", namespace, None)
        }
        ["namespaces", namespace, "pods", name] => ("podmetrics", namespace, Some(name)),
        _ => return Err(Status::no_path()),
    };
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return Err(Status::unsupported(request.method().as_str(), GROUP, kind));
    }
    let asked = Asked {
        windows: Arc::clone(&state.resources),
        inventory: Arc::clone(&state.inventory),
        now: state.now(),
        form: Form::of(request.headers())?,
        api_version: format!("{GROUP}/{version}"),
    };
    let parameters = Parameters::read(request.uri().query().unwrap_or(""))?;
    if parameters.watch {
        // Clients then list again; an open stream without a bookmark would leave them unsynced.
        return Err(Status::unsupported("watch", GROUP, kind));
    }
    match (kind, name) {
        ("nodemetrics", Some(name)) => asked.node(name),
        (_, Some(name)) => asked.pod(namespace, name),
        ("nodemetrics", None) => Ok(asked.nodes(&parameters, Place::take(state)?)),
        (_, None) => Ok(asked.pods(namespace, parameters, Place::take(state)?)),
    }
}

impl Asked {
    /// Notes how old the oldest measurement of an answer is.
    fn told(&self, oldest: Timestamp) {
        if oldest < Timestamp::from_nanos(i64::MAX) {
            histogram!(telemetry::FRESHNESS).record(self.now.since(oldest).as_secs_f64());
        }
    }

    fn node(&self, name: &str) -> Result<Response, Status> {
        let missing = || Status::not_found(GROUP, "nodemetrics", name);
        let inventory = self.inventory.read().unwrap_or_else(PoisonError::into_inner);
        let record = inventory.node(name).map(Arc::clone).ok_or_else(missing)?;
        drop(inventory);
        let window = self.windows.node(name, self.now).ok_or_else(missing)?;
        let usage = window.usage().ok_or_else(missing)?;
        self.told(usage.at);
        let node = write::Node { name, labels: &record.labels, usage, now: self.now };
        let mut out = String::new();
        Ok(match self.form {
            Form::Protobuf => protobuf(proto::node(&self.api_version, &node)),
            Form::Json => {
                write::node(&mut out, &node, Some(&self.api_version), &mut Ink::default());
                json(out)
            }
            Form::Table(version) => {
                out.push_str(&table_head(version, true));
                write::node_row(&mut out, &node, &mut Ink::default());
                json(out + "],\"metadata\":{}}")
            }
        })
    }

    fn pod(&self, namespace: &str, name: &str) -> Result<Response, Status> {
        let inventory = self.inventory.read().unwrap_or_else(PoisonError::into_inner);
        let record = inventory.pod(namespace, name).map(Arc::clone);
        drop(inventory);
        let record = record.ok_or_else(|| Status::not_found("", "pods", name))?;
        let missing = || Status::not_found(GROUP, "podmetrics", &format!("{namespace}/{name}"));
        if !is_running(&record) {
            return Err(missing());
        }
        let window = self.windows.node(&record.node, self.now).ok_or_else(missing)?;
        let usage = window.pod(&record).ok_or_else(missing)?;
        self.told(usage.at);
        let pod = write::Pod { namespace, name, labels: &record.labels, usage, now: self.now };
        let mut out = String::new();
        Ok(match self.form {
            Form::Protobuf => protobuf(proto::pod(&self.api_version, &pod)),
            Form::Json => {
                write::pod(&mut out, &pod, Some(&self.api_version), &mut Ink::default());
                json(out)
            }
            Form::Table(version) => {
                out.push_str(&table_head(version, true));
                write::pod_row(&mut out, &pod, &mut Ink::default());
                json(out + "],\"metadata\":{}}")
            }
        })
    }

    fn nodes(&self, parameters: &Parameters, place: Place) -> Response {
        let inventory = self.inventory.read().unwrap_or_else(PoisonError::into_inner);
        let passes = |node: &&Arc<model::Node>| {
            let after = parameters.after.as_ref().is_none_or(|(_, name)| **name < *node.name);
            after && parameters.selection.matches("", &node.name, &node.labels)
        };
        let mut records: Vec<_> = inventory.nodes().filter(passes).map(Arc::clone).collect();
        drop(inventory);
        records.sort_unstable_by(|left, right| left.name.cmp(&right.name));
        let (mut out, mut written) = (String::new(), proto::List::default());
        let (mut count, mut last, mut go_on) = (0, None, None);
        let (mut items, mut oldest) = (String::new(), Timestamp::from_nanos(i64::MAX));
        let (glance, mut ink) = (self.windows.glance(self.now), Ink::default());
        for record in &records {
            let Some(usage) = glance.node(&record.name).and_then(NodeWindow::usage) else {
                continue;
            };
            if parameters.limit.is_some_and(|limit| count >= limit) {
                go_on = last.map(|name: &str| token("", name));
                break;
            }
            oldest = oldest.min(usage.at);
            let node =
                write::Node { name: &record.name, labels: &record.labels, usage, now: self.now };
            if count > 0 {
                items.push(',');
            }
            match self.form {
                Form::Protobuf => written.node(&node),
                Form::Json => write::node(&mut items, &node, None, &mut ink),
                Form::Table(_) => write::node_row(&mut items, &node, &mut ink),
            }
            count += 1;
            last = Some(&*record.name);
        }
        drop(glance);
        self.told(oldest);
        let go_on = go_on.as_deref();
        match self.form {
            Form::Protobuf => {
                let all = written.done(&self.api_version, "NodeMetricsList", go_on);
                return paced::whole(all, proto::MEDIA_TYPE, place);
            }
            Form::Json => out.push_str(&list_head(&self.api_version, "NodeMetricsList", true)),
            Form::Table(version) => out.push_str(&table_head(version, count > 0)),
        }
        out.push_str(&items);
        out.push_str(&tail(go_on));
        paced::whole([out.into()], "application/json", place)
    }

    fn pods(self, namespace: &str, parameters: Parameters, place: Place) -> Response {
        let walk = Walk::new(&self.inventory, namespace, parameters.selection, parameters.after);
        let mut writer = PodWriter::new(self, walk, parameters.limit);
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

fn is_running(pod: &PodRecord) -> bool {
    &*pod.phase == "Running"
}

/// Where a list goes on: names need no escapes.
fn token(namespace: &str, name: &str) -> String {
    format!("{namespace}/{name}")
}

fn list_head(api_version: &str, kind: &str, open: bool) -> String {
    let items = if open { "[" } else { "[]" };
    format!("{{\"kind\":\"{kind}\",\"apiVersion\":\"{api_version}\",\"items\":{items}")
}

/// An empty table has no columns, as metrics-server's.
fn table_head(version: &str, columns: bool) -> String {
    let columns = if columns { write::COLUMNS } else { "[]" };
    format!(
        "{{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/{version}\",\
         \"columnDefinitions\":{columns},\"rows\":["
    )
}

/// Ends a list: what comes next is known at its end only.
fn tail(go_on: Option<&str>) -> String {
    match go_on {
        Some(token) => format!("],\"metadata\":{{\"continue\":\"{token}\"}}}}"),
        None => "],\"metadata\":{}}".to_owned(),
    }
}

fn json(text: String) -> Response {
    with_type(Body::from(text), "application/json")
}

fn protobuf(bytes: Vec<u8>) -> Response {
    with_type(Body::from(bytes), proto::MEDIA_TYPE)
}
