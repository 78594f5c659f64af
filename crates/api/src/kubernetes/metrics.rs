//! `metrics.k8s.io`: CPU and memory of nodes and pods, from the resource windows.

mod pods;

use std::sync::{Arc, PoisonError};

use axum::body::Body;
use axum::response::Response;
use http::{Method, Request};
use metrics::histogram;
use model::{Pod as PodRecord, SharedInventory, Timestamp};
use query::{NodeWindow, ResourceWindows};

use super::accept::Form;
use super::paced::{self, Place, with_type};
use super::parameters::Parameters;
use super::status::Status;
use super::write::Ink;
use super::{proto, write};
use crate::ApiState;
use crate::request::decoded;
use crate::telemetry;

/// The group.
pub(super) const GROUP: &str = "metrics.k8s.io";

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
        (_, None) => Ok(pods::list(asked, namespace, parameters, Place::take(state)?)),
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
