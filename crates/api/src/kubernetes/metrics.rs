//! `metrics.k8s.io`: CPU and memory of nodes and pods, from the resource windows.
//!
//! Long lists are written while they are read: what a slow reader holds is one namespace's pods.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream::unfold;
use http::{Method, Request};
use metrics::histogram;
use model::{Inventory, Pod as PodRecord, SharedInventory, Timestamp, Word};
use query::{NodeWindow, PodUsage, ResourceWindows};

use super::accept::Form;
use super::paced::{self, CHUNK_BYTES, PIECE_BYTES, Place, with_type};
use super::parameters::Parameters;
use super::selector::Selection;
use super::status::Status;
use super::write::Ink;
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
        paced::whole(out, "application/json", place)
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
        let mut records = Vec::with_capacity(LOOKED_UP);
        let mut usages = Vec::with_capacity(LOOKED_UP);
        while !self.ended && out.len() < bytes {
            records.extend(self.walk.by_ref().take(LOOKED_UP));
            glance.pods(&records, &mut usages);
            for (record, usage) in records.iter().zip(&usages) {
                let Some(usage) = *usage else { continue };
                if self.limit.is_some_and(|limit| self.count >= limit) {
                    let last = self.walk.written.take();
                    let go_on = last.map(|(namespace, name)| token(&namespace, &name));
                    self.end(&mut out, go_on.as_deref());
                    return out;
                }
                self.item(&mut out, record, usage);
            }
            if records.len() < LOOKED_UP {
                self.end(&mut out, None);
            }
            records.clear();
        }
        out
    }

    fn item(&mut self, out: &mut String, record: &PodRecord, usage: PodUsage<'_>) {
        self.oldest = self.oldest.min(usage.at);
        self.begin_item(out);
        let (namespace, name, labels) = (&record.namespace, &record.name, &record.labels);
        let pod = write::Pod { namespace, name, labels, usage, now: self.asked.now };
        match self.asked.form {
            Form::Table(_) => write::pod_row(out, &pod, &mut self.ink),
            Form::Json | Form::Protobuf => write::pod(out, &pod, None, &mut self.ink),
        }
        if self.limit.is_some() {
            self.walk.written = Some((namespace.clone(), name.clone()));
        }
    }

    fn begin_item(&mut self, out: &mut String) {
        if self.count == 0 {
            out.push_str(&self.head(true));
        } else {
            out.push(',');
        }
        self.count += 1;
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

    fn all_protobuf(&mut self) -> Vec<u8> {
        let mut written = proto::List::default();
        let (mut last, mut go_on): (Option<Arc<PodRecord>>, _) = (None, None);
        let glance = self.asked.windows.glance(self.asked.now);
        for record in self.walk.by_ref() {
            let Some(usage) = glance.pod(&record) else { continue };
            if self.limit.is_some_and(|limit| self.count >= limit) {
                go_on = last.map(|last| token(&last.namespace, &last.name));
                break;
            }
            self.oldest = self.oldest.min(usage.at);
            let (namespace, name, labels) = (&record.namespace, &record.name, &record.labels);
            written.pod(&write::Pod { namespace, name, labels, usage, now: self.asked.now });
            self.count += 1;
            last = Some(record);
        }
        self.asked.told(self.oldest);
        written.done(&self.asked.api_version, "PodMetricsList", go_on.as_deref())
    }
}

/// Running pods that are selected, by namespace and name, a namespace at a time.
struct Walk {
    inventory: SharedInventory,
    selection: Selection,
    namespaces: VecDeque<Box<str>>,
    pods: std::vec::IntoIter<(Beginning, Arc<PodRecord>)>,
    after: Option<(String, String)>,
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
        let inventory = Arc::clone(inventory);
        let pods = Vec::new().into_iter();
        let namespaces = namespaces.into();
        Self { inventory, selection, namespaces, pods, after, written: None }
    }

    /// Its pods that are selected, each behind how its name begins.
    fn in_namespace(
        &self,
        inventory: &Inventory,
        namespace: &str,
    ) -> Vec<(Beginning, Arc<PodRecord>)> {
        let after = self.after.as_ref().filter(|(from, _)| from == namespace);
        let selected = |pod: &&Arc<PodRecord>| {
            is_running(pod)
                && after.is_none_or(|(_, name)| **name < *pod.name)
                && self.selection.matches(&pod.namespace, &pod.name, &pod.labels)
        };
        let selected = inventory.pods_in(namespace).filter(selected);
        selected.map(|pod| (beginning(&pod.name), Arc::clone(pod))).collect()
    }
}

impl Iterator for Walk {
    type Item = Arc<PodRecord>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((_, pod)) = self.pods.next() {
                return Some(pod);
            }
            let namespace = self.namespaces.pop_front()?;
            let inventory = self.inventory.read().unwrap_or_else(PoisonError::into_inner);
            let mut pods = self.in_namespace(&inventory, &namespace);
            drop(inventory);
            // Beginnings are compared where they lie; most names differ there.
            pods.sort_unstable_by(|left, right| {
                left.0.cmp(&right.0).then_with(|| left.1.name.cmp(&right.1.name))
            });
            self.pods = pods.into_iter();
        }
    }
}

/// How a name begins, as numbers that sort as it does: a template's pods differ behind its name and
/// its hash, within 32 bytes as a rule.
type Beginning = [u128; 2];

fn beginning(name: &str) -> Beginning {
    let mut bytes = [0; 32];
    let length = name.len().min(bytes.len());
    bytes[..length].copy_from_slice(&name.as_bytes()[..length]);
    let (halves, _) = bytes.as_chunks::<16>();
    [0, 1].map(|half| halves.get(half).map_or(0, |half| u128::from_be_bytes(*half)))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings_sort_as_names_do() {
        let template = "frontend-of-the-shop-6b7f9c8d5f-";
        assert_eq!(template.len(), 32);
        let names = ["", "a", "frontend-of-the-", "frontend-of-the-shop", template]
            .map(ToOwned::to_owned)
            .into_iter()
            .chain(["x2", "x", "a9"].map(|end| format!("{template}{end}")))
            .chain(["b", "frontend-of-the-s0", "~"].map(ToOwned::to_owned));
        let names: Vec<String> = names.collect();
        for left in &names {
            for right in &names {
                let order = beginning(left).cmp(&beginning(right));
                assert_eq!(order.then_with(|| left.cmp(right)), left.cmp(right), "{left} {right}");
            }
        }
        let end = |end: &str| beginning(&format!("frontend-of-the-shop-6b7f9c8d{end}"));
        assert!(end("a") < end("b"), "more than sixteen bytes are compared");
    }
}
