//! Events: what happened, to which object, how often. Rendered both as core/v1 and as
//! events.k8s.io/v1.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Metadata, time};
use crate::plan::{Plan, Sec};

/// The component whose events have the newer form.
pub(crate) const SCHEDULER: &str = "default-scheduler";

/// The object an event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Involved {
    pub api_version: &'static str,
    pub kind: &'static str,
    pub namespace: Option<Arc<str>>,
    pub name: String,
    pub uid: String,
    pub field_path: Option<String>,
}

/// Something that happened, once or repeatedly.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub name: String,
    /// Index of the namespace it is stored in: the object's, or `default`.
    pub namespace: u32,
    pub involved: Involved,
    pub reason: &'static str,
    pub message: String,
    pub warning: bool,
    pub component: &'static str,
    pub host: Option<Arc<str>>,
    pub first: Sec,
    pub last: Sec,
    pub count: u32,
}

impl Event {
    pub(crate) const fn kind(&self) -> &'static str {
        if self.warning { "Warning" } else { "Normal" }
    }
}

pub(super) fn metadata(plan: &Plan, event: &Event) -> Metadata {
    Metadata {
        name: event.name.clone(),
        namespace: Some(Arc::clone(plan.namespace(event.namespace))),
        uid: plan.uid("Event", &event.name),
        created: event.first,
        ..Metadata::default()
    }
}

fn involved(event: &Event) -> Value {
    let one = &event.involved;
    let mut json = json!({
        "kind": one.kind, "name": one.name, "uid": one.uid, "apiVersion": one.api_version,
    });
    if let Some(namespace) = &one.namespace {
        json["namespace"] = (**namespace).into();
    }
    if let Some(path) = &one.field_path {
        json["fieldPath"] = path.as_str().into();
    }
    json
}

fn source(event: &Event) -> Value {
    let mut source = json!({ "component": event.component });
    if let Some(host) = &event.host {
        source["host"] = (**host).into();
    }
    source
}

/// Everything but `metadata`, core/v1.
pub(super) fn body(_plan: &Plan, event: &Event) -> Value {
    if event.component == SCHEDULER {
        return scheduler_body(event);
    }
    json!({
        "involvedObject": involved(event),
        "reason": event.reason,
        "message": event.message,
        "source": source(event),
        "firstTimestamp": time(event.first),
        "lastTimestamp": time(event.last),
        "count": event.count,
        "type": event.kind(),
        "eventTime": null,
        "reportingComponent": event.component,
        "reportingInstance": event.host.as_deref().unwrap_or(""),
    })
}

/// The scheduler uses the newer events API, which leaves the older fields empty.
fn scheduler_body(event: &Event) -> Value {
    let micros = |t: Sec| format!("{}.000000Z", time(t).trim_end_matches('Z'));
    let mut json = json!({
        "involvedObject": involved(event),
        "reason": event.reason,
        "message": event.message,
        "source": {},
        "firstTimestamp": null,
        "lastTimestamp": null,
        "type": event.kind(),
        "eventTime": micros(event.first),
        "action": if event.warning { "Scheduling" } else { "Binding" },
        "reportingComponent": SCHEDULER,
        "reportingInstance": "default-scheduler-sim",
    });
    if event.count > 1 {
        let last = micros(event.last);
        json["series"] = json!({ "count": event.count, "lastObservedTime": last });
    }
    json
}

/// The whole object as events.k8s.io/v1, made of its core/v1 form.
pub(crate) fn render_new(core: &mut Map<String, Value>) {
    for (old, new) in [
        ("involvedObject", "regarding"),
        ("message", "note"),
        ("source", "deprecatedSource"),
        ("firstTimestamp", "deprecatedFirstTimestamp"),
        ("lastTimestamp", "deprecatedLastTimestamp"),
        ("count", "deprecatedCount"),
        ("reportingComponent", "reportingController"),
    ] {
        if let Some(value) = core.remove(old) {
            core.insert(new.to_owned(), value);
        }
    }
}
