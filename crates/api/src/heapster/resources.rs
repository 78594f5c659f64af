//! Heapster's resource metrics, `v1alpha1`: what `kubectl top` and HPAs of old clusters ask.
//!
//! Differences from Heapster, in `docs/COMPAT.md`: lists are sorted, an unknown pod is 404.

use std::sync::{Arc, PoisonError};

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{Request, StatusCode};
use model::{Batch, EntityKind, Line, Pod, Registry, Table, metric};
use serde_json::{Value, json};

use super::json as respond;
use crate::ApiState;
use crate::error::Error;
use crate::kubernetes::{Selection, cpu, memory};
use crate::request::{decoded, pairs};

/// Answers any path below the version.
pub(crate) async fn resources(
    State(state): State<Arc<ApiState>>,
    request: Request<Body>,
) -> Response {
    let path = request.uri().path();
    let rest = path.split_once("/v1alpha1/").map_or("", |(_, rest)| rest);
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let parts: Vec<_> = rest.split('/').map(decoded).collect();
    let parts: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
    let mut selected = pairs(request.uri().query().unwrap_or(""));
    let selector = selected.find(|(key, _)| key == "labelSelector").map(|(_, value)| value);
    let Ok(selection) = Selection::parse(&selector.unwrap_or_default(), "") else {
        return text(StatusCode::BAD_REQUEST, "Error while parsing selector");
    };
    let latest = state.window.latest();
    let answered = match *parts.as_slice() {
        ["nodes"] => Ok(list(nodes(&state, latest.as_deref(), &selection))),
        ["nodes", name] => latest
            .as_deref()
            .and_then(|batch| node(&state, batch, name))
            .ok_or_else(|| format!("No metrics for node {name}")),
        ["pods"] => Ok(list(pods(&state, latest.as_deref(), None, &selection))),
        ["namespaces", namespace, "pods"] => {
            Ok(list(pods(&state, latest.as_deref(), Some(namespace), &selection)))
        }
        ["namespaces", namespace, "pods", name] => {
            let inventory = state.inventory.read().unwrap_or_else(PoisonError::into_inner);
            let record = inventory.pod(namespace, name).map(Arc::clone);
            drop(inventory);
            record
                .zip(latest.as_deref())
                .and_then(|(record, batch)| pod(&state, batch, &record))
                // The old client's own spelling: it may be matched somewhere.
                .ok_or_else(|| format!("No metrics availalble for pod {namespace}/{name}"))
        }
        _ => return Error::NoModelPath.as_text(),
    };
    match answered {
        Ok(value) => respond(value.to_string()),
        Err(message) => text(StatusCode::NOT_FOUND, &message),
    }
}

fn text(code: StatusCode, message: &str) -> Response {
    let mut response = Response::new(Body::from(message.to_owned()));
    *response.status_mut() = code;
    let kind = http::HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(http::header::CONTENT_TYPE, kind);
    response
}

/// `null` for no items, as Go prints an empty slice that was never made.
fn list(items: Vec<Value>) -> Value {
    let items = if items.is_empty() { Value::Null } else { items.into() };
    json!({ "metadata": {}, "items": items })
}

fn usage(table: &Table, row: usize) -> Option<Value> {
    let millicores = table.get(row, metric::CPU_USAGE_RATE)?.as_i64();
    let bytes = table.get(row, metric::MEMORY_WORKING_SET)?.as_i64();
    Some(json!({ "cpu": cpu(millicores.saturating_mul(1_000_000)), "memory": memory(bytes) }))
}

fn item(state: &ApiState, batch: &Batch, mut metadata: Value, rest: (&str, Value)) -> Value {
    metadata["creationTimestamp"] = state.now().to_rfc3339_seconds().into();
    let timestamp = batch.timestamp().to_rfc3339_seconds();
    let mut item = json!({ "metadata": metadata, "timestamp": timestamp, "window": "1m0s" });
    item[rest.0] = rest.1;
    item
}

fn node(state: &ApiState, batch: &Batch, name: &str) -> Option<Value> {
    let table = batch.table(EntityKind::Node);
    let row = table.find(&Registry::default().node(name))?;
    Some(item(state, batch, json!({ "name": name }), ("usage", usage(table, row)?)))
}

fn nodes(state: &ApiState, batch: Option<&Batch>, selection: &Selection) -> Vec<Value> {
    let Some(batch) = batch else { return Vec::new() };
    let table = batch.table(EntityKind::Node);
    let mut names: Vec<&str> = (0..table.len())
        .filter(|row| {
            let labels = table.context(*row).node.as_ref().map(|node| &*node.labels);
            selection.matches("", table.entities()[*row].name(), labels.unwrap_or_default())
        })
        .map(|row| table.entities()[row].name())
        .collect();
    names.sort_unstable();
    names.into_iter().filter_map(|name| node(state, batch, name)).collect()
}

fn pod(state: &ApiState, batch: &Batch, record: &Pod) -> Option<Value> {
    let mut registry = Registry::default();
    let entity = registry.pod(&record.namespace, &record.name, "");
    let table = batch.table(EntityKind::Container);
    let mut containers = Vec::with_capacity(record.containers.len());
    for spec in &record.containers {
        let row = table.find(&registry.container(&entity, &spec.name))?;
        containers.push(json!({ "name": spec.name, "usage": usage(table, row)? }));
    }
    let metadata = json!({ "name": record.name, "namespace": *record.namespace });
    Some(item(state, batch, metadata, ("containers", containers.into())))
}

fn pods(
    state: &ApiState,
    batch: Option<&Batch>,
    namespace: Option<&str>,
    selection: &Selection,
) -> Vec<Value> {
    let Some(batch) = batch else { return Vec::new() };
    let inventory = state.inventory.read().unwrap_or_else(PoisonError::into_inner);
    let mut namespaces: Vec<&str> = match namespace {
        Some(namespace) => vec![namespace],
        None => inventory.pod_namespaces().collect(),
    };
    namespaces.sort_unstable();
    let lines: Vec<Line<Pod>> =
        namespaces.into_iter().map(|namespace| inventory.pods_by_name(namespace)).collect();
    drop(inventory);
    let all = lines.iter().flat_map(|line| line.iter());
    let wanted = all.filter(|pod| selection.matches(&pod.namespace, &pod.name, &pod.labels));
    wanted.filter_map(|record| pod(state, batch, record)).collect()
}
