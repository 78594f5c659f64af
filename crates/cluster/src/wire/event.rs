//! Events as the API server sends them: `events.k8s.io/v1` and core `v1` are one object under two
//! sets of names, so one struct reads both.

use std::borrow::Cow;
use std::sync::Arc;

use k8s_openapi::NamespaceResourceScope;
use kube::api::ObjectMeta;
use model::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use serde_json::{Map, Value};

use super::object::Metadata;
use super::summary::Time;

/// By which API events are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventApi {
    /// `events.k8s.io/v1`.
    Events,
    /// Core `v1`.
    Core,
}

/// An event, with the JSON that it was read from.
#[derive(Debug, Clone)]
pub struct Event {
    /// What is read of it.
    pub fields: Fields,
    /// The whole object. Not raw text: a watch may send the object before its type, and serde then
    /// hands it over from a buffer, which holds none.
    json: Map<String, Value>,
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Map::<String, Value>::deserialize(deserializer)?;
        let fields = Fields::deserialize(&json).map_err(D::Error::custom)?;
        Ok(Self { fields, json })
    }
}

/// An event's fields.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Fields {
    /// Metadata.
    pub metadata: Metadata,
    /// What it is about.
    #[serde(alias = "regarding")]
    pub involved_object: Reference,
    /// Why, in one word.
    pub reason: Option<String>,
    /// What happened.
    #[serde(alias = "note")]
    pub message: Option<String>,
    /// Who reported it, in the older form.
    #[serde(alias = "deprecatedSource")]
    pub source: Option<Source>,
    /// When it first happened, in the older form.
    #[serde(alias = "deprecatedFirstTimestamp")]
    pub first_timestamp: Time,
    /// When it last happened, in the older form.
    #[serde(alias = "deprecatedLastTimestamp")]
    pub last_timestamp: Time,
    /// How often it happened, in the older form.
    #[serde(alias = "deprecatedCount")]
    pub count: Option<u32>,
    /// `Normal` or `Warning`.
    #[serde(rename = "type")]
    pub event_type: Option<String>,
    /// When it first happened, in the newer form.
    pub event_time: Time,
    /// How often and when last, in the newer form; only of what happened twice.
    pub series: Option<Series>,
    /// Who reported it, in the newer form (`kubelet`).
    #[serde(alias = "reportingController")]
    pub reporting_component: Option<String>,
    /// Which one of them (`kubelet-node-1`).
    pub reporting_instance: Option<String>,
}

/// An object that an event is about.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Reference {
    /// Kind.
    pub kind: String,
    /// Namespace; empty for cluster-wide ones.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Uid.
    pub uid: String,
    /// Which part of it (`spec.containers{web}`).
    pub field_path: String,
}

/// Who reported an event.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Source {
    /// The program.
    pub component: String,
    /// Its node.
    pub host: String,
}

/// An event that happened more than once.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Series {
    /// How often.
    pub count: u32,
    /// When last.
    pub last_observed_time: Time,
}

/// Names of the newer API, and core's for the same.
const RENAMED: [(&str, &str); 7] = [
    ("regarding", "involvedObject"),
    ("note", "message"),
    ("deprecatedSource", "source"),
    ("deprecatedFirstTimestamp", "firstTimestamp"),
    ("deprecatedLastTimestamp", "lastTimestamp"),
    ("deprecatedCount", "count"),
    ("reportingController", "reportingComponent"),
];

impl Event {
    /// The object's version, where the API server counts them, as all do that keep them in etcd.
    pub fn version(&self) -> Option<u64> {
        self.fields.metadata.object.resource_version.as_deref()?.parse().ok()
    }

    /// As the product keeps it; with the whole object, in core's names, where `whole` asks so.
    pub fn into_model(self, whole: bool) -> model::Event {
        let object = if whole { Self::core(self.json) } else { None };
        model::Event { object, ..self.fields.into_model() }
    }

    fn core(mut object: Map<String, Value>) -> Option<Arc<str>> {
        for (new, core) in RENAMED {
            if let Some(value) = object.remove(new) {
                object.insert(core.to_owned(), value);
            }
        }
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("managedFields");
        }
        let text = Value::Object(object).to_string();
        (text.len() <= model::Event::MAX_OBJECT_BYTES).then(|| text.into())
    }
}

impl Fields {
    fn into_model(self) -> model::Event {
        let series = self.series.unwrap_or_default();
        let known = |times: &[Timestamp]| {
            times.iter().copied().find(|time| !time.is_never()).unwrap_or_default()
        };
        let (first, event, created) =
            (self.first_timestamp.0, self.event_time.0, self.metadata.created.0);
        let first_seen = known(&[first, event, self.last_timestamp.0, created]);
        let last_seen = self.last_timestamp.0.max(series.last_observed_time.0).max(first_seen);
        let old = self.source.unwrap_or_default();
        let reporter = |old: String, new: Option<String>| {
            if old.is_empty() { new.unwrap_or_default() } else { old }
        };
        let component = reporter(old.component, self.reporting_component);
        let host = reporter(old.host, self.reporting_instance);
        let source = match (&*component, &*host) {
            (component, "") => component.into(),
            ("", host) => host.into(),
            (component, host) => format!("{component}, {host}").into(),
        };
        let text = |text: Option<String>| Box::from(text.unwrap_or_default());
        model::Event {
            uid: self.metadata.uid().into(),
            namespace: self.involved_object.namespace.into(),
            object_kind: self.involved_object.kind.into(),
            object_name: self.involved_object.name.into(),
            object_uid: self.involved_object.uid.into(),
            object_field: self.involved_object.field_path.into(),
            reason: text(self.reason),
            event_type: text(self.event_type),
            message: text(self.message),
            source,
            component: component.into(),
            host: host.into(),
            count: self.count.unwrap_or(0).max(series.count).max(1),
            first_seen,
            last_seen,
            object: None,
        }
    }
}

impl kube::Resource for Event {
    type DynamicType = EventApi;
    type Scope = NamespaceResourceScope;

    fn kind(_: &EventApi) -> Cow<'_, str> {
        "Event".into()
    }

    fn group(api: &EventApi) -> Cow<'_, str> {
        match api {
            EventApi::Events => "events.k8s.io".into(),
            EventApi::Core => "".into(),
        }
    }

    fn version(_: &EventApi) -> Cow<'_, str> {
        "v1".into()
    }

    fn plural(_: &EventApi) -> Cow<'_, str> {
        "events".into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.fields.metadata.object
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.fields.metadata.object
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, expected: &str) {
        let event: Event = serde_json::from_str(json).unwrap();
        // A watch may send the object before its type.
        let line = format!(r#"{{"object":{json},"type":"ADDED"}}"#);
        let change: kube::core::WatchEvent<Event> = serde_json::from_str(&line).unwrap();
        assert!(matches!(change, kube::core::WatchEvent::Added(_)));
        let event = event.into_model(true);
        let core: Event = serde_json::from_str(event.object.as_deref().unwrap()).unwrap();
        assert_eq!(model::Event { object: event.object.clone(), ..core.into_model(false) }, event);
        let shown = format!(
            "{} {} {}/{} {}: {} [{}] x{} {}..{}",
            event.event_type,
            event.object_kind,
            event.namespace,
            event.object_name,
            event.reason,
            event.message,
            event.source,
            event.count,
            event.first_seen,
            event.last_seen
        );
        assert_eq!(shown, expected);
    }

    #[test]
    fn both_shapes_and_both_forms_are_read() {
        // The kubelet's form under core's names.
        check(
            r#"{"metadata":{"name":"p.1","namespace":"ns","uid":"e","resourceVersion":"7"},
                "involvedObject":{"kind":"Pod","namespace":"ns","name":"p","uid":"u","fieldPath":"x"},
                "reason":"BackOff","message":"again","source":{"component":"kubelet","host":"n1"},
                "firstTimestamp":"2026-01-02T02:04:05Z","lastTimestamp":"2026-01-02T03:04:05Z",
                "count":3,"type":"Warning","eventTime":null,"reportingComponent":"","reportingInstance":""}"#,
            "Warning Pod ns/p BackOff: again [kubelet, n1] x3 2026-01-02T02:04:05Z..2026-01-02T03:04:05Z",
        );
        // The same under the newer names.
        check(
            r#"{"metadata":{"uid":"e"},"regarding":{"kind":"Pod","namespace":"ns","name":"p"},
                "reason":"BackOff","note":"again","deprecatedSource":{"component":"kubelet","host":"n1"},
                "deprecatedFirstTimestamp":"2026-01-02T02:04:05Z","deprecatedCount":3,
                "deprecatedLastTimestamp":"2026-01-02T03:04:05Z","type":"Warning","eventTime":null}"#,
            "Warning Pod ns/p BackOff: again [kubelet, n1] x3 2026-01-02T02:04:05Z..2026-01-02T03:04:05Z",
        );
        // The scheduler's form: no counts until it happens again.
        check(
            r#"{"metadata":{"uid":"e"},"regarding":{"kind":"Pod","namespace":"ns","name":"p"},
                "reason":"FailedScheduling","note":"no node","deprecatedSource":{},"type":"Warning",
                "eventTime":"2026-01-02T02:04:05.500000Z","deprecatedFirstTimestamp":null,
                "series":{"count":4,"lastObservedTime":"2026-01-02T02:05:05.250000Z"},
                "reportingController":"default-scheduler","reportingInstance":"s-0"}"#,
            "Warning Pod ns/p FailedScheduling: no node [default-scheduler, s-0] x4 \
             2026-01-02T02:04:05.5Z..2026-01-02T02:05:05.25Z",
        );
        // As little as may be.
        check(
            r#"{"metadata":{"creationTimestamp":"2026-01-02T02:04:05Z"},"involvedObject":{"kind":"Node","name":"n"},
                "firstTimestamp":null,"lastTimestamp":null,"source":{},"eventTime":null}"#,
            " Node /n :  [] x1 2026-01-02T02:04:05Z..2026-01-02T02:04:05Z",
        );
    }
}
