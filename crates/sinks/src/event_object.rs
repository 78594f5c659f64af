//! The Kubernetes event object as Go prints it: for sinks that pass it on whole.
//!
//! Fields, their order and which are left out when empty: core `v1` of the client that Heapster
//! was built with, so that what newer servers added (`managedFields`) is left out.

use std::collections::BTreeMap;

use model::{Event, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::ser::PrettyFormatter;

/// A core `v1` event.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct EventObject {
    pub(crate) metadata: ObjectMeta,
    pub(crate) involved_object: ObjectReference,
    #[serde(skip_serializing_if = "String::is_empty")]
    reason: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    message: String,
    pub(crate) source: EventSource,
    first_timestamp: Option<String>,
    last_timestamp: Option<String>,
    #[serde(skip_serializing_if = "is_zero")]
    count: u32,
    #[serde(rename = "type", skip_serializing_if = "String::is_empty")]
    event_type: String,
    event_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    series: Option<Series>,
    #[serde(skip_serializing_if = "String::is_empty")]
    action: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    related: Option<ObjectReference>,
    reporting_component: String,
    reporting_instance: String,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ObjectMeta {
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    generate_name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    namespace: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    self_link: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    uid: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    resource_version: String,
    creation_timestamp: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ObjectReference {
    #[serde(skip_serializing_if = "String::is_empty")]
    kind: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    namespace: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    uid: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) api_version: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) resource_version: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    field_path: String,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct EventSource {
    #[serde(skip_serializing_if = "String::is_empty")]
    component: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    host: String,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Series {
    #[serde(skip_serializing_if = "is_zero")]
    count: u32,
    last_observed_time: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    state: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl EventObject {
    /// The object of `event`; where that came without one, what its fields say.
    pub(crate) fn of(event: &Event) -> Self {
        let parsed = event.object.as_deref().and_then(|text| serde_json::from_str(text).ok());
        parsed.unwrap_or_else(|| Self::from_fields(event))
    }

    fn from_fields(event: &Event) -> Self {
        let time = |time: Timestamp| (!time.is_never()).then(|| time.to_rfc3339_seconds());
        Self {
            metadata: ObjectMeta {
                namespace: event.namespace.as_ref().into(),
                uid: event.uid.as_ref().into(),
                ..ObjectMeta::default()
            },
            involved_object: ObjectReference {
                kind: event.object_kind.as_ref().into(),
                namespace: event.namespace.as_ref().into(),
                name: event.object_name.as_ref().into(),
                uid: event.object_uid.as_ref().into(),
                field_path: event.object_field.as_ref().into(),
                ..ObjectReference::default()
            },
            reason: event.reason.as_ref().into(),
            message: event.message.as_ref().into(),
            source: EventSource {
                component: event.component.as_ref().into(),
                host: event.host.as_ref().into(),
            },
            first_timestamp: time(event.first_seen),
            last_timestamp: time(event.last_seen),
            count: event.count,
            event_type: event.event_type.as_ref().into(),
            ..Self::default()
        }
    }

    /// Indented by one space, as `json.MarshalIndent(event, "", " ")`.
    pub(crate) fn indented(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let formatter = PrettyFormatter::with_indent(b" ");
        let mut serializer = serde_json::Serializer::with_formatter(&mut out, formatter);
        // Writing to a vector cannot fail, and no key is anything but text.
        self.serialize(&mut serializer).ok();
        as_go_escapes(out)
    }
}

/// `part` as compact JSON.
pub(crate) fn push_compact(out: &mut Vec<u8>, part: &impl Serialize) {
    out.extend_from_slice(&as_go_escapes(serde_json::to_vec(part).unwrap_or_default()));
}

/// Go escapes what HTML would take for its own; in JSON these stand in texts only.
fn as_go_escapes(json: Vec<u8>) -> Vec<u8> {
    if !json.iter().any(|byte| matches!(byte, b'<' | b'>' | b'&')) {
        return json;
    }
    let mut out = Vec::with_capacity(json.len() + 64);
    for byte in json {
        match byte {
            b'<' => out.extend_from_slice(b"\\u003c"),
            b'>' => out.extend_from_slice(b"\\u003e"),
            b'&' => out.extend_from_slice(b"\\u0026"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_of_a_newer_server_is_printed_as_heapsters_client_knew_it() {
        let object = r#"{"kind":"Event","apiVersion":"v1","metadata":{"name":"a.1","namespace":"ns","uid":"u","creationTimestamp":"2026-11-23T09:30:07Z","managedFields":[{"manager":"k3s"}]},"involvedObject":{"kind":"Pod","name":"a"},"reason":"R","message":"a < b & c","source":{},"firstTimestamp":null,"lastTimestamp":null,"type":"Normal","eventTime":"2026-11-23T09:30:07.123456Z","series":{"count":2,"lastObservedTime":null},"reportingComponent":"s","reportingInstance":"s-1"}"#;
        let event = Event { object: Some(object.into()), ..Event::default() };
        let mut printed = Vec::new();
        push_compact(&mut printed, &EventObject::of(&event));
        let expected = r#"{"metadata":{"name":"a.1","namespace":"ns","uid":"u","creationTimestamp":"2026-11-23T09:30:07Z"},"involvedObject":{"kind":"Pod","name":"a"},"reason":"R","message":"a \u003c b \u0026 c","source":{},"firstTimestamp":null,"lastTimestamp":null,"type":"Normal","eventTime":"2026-11-23T09:30:07.123456Z","series":{"count":2,"lastObservedTime":null},"reportingComponent":"s","reportingInstance":"s-1"}"#;
        assert_eq!(String::from_utf8(printed).unwrap(), expected);
    }

    #[test]
    fn without_an_object_the_fields_make_one() {
        let event = Event {
            uid: "u".into(),
            namespace: "ns".into(),
            object_kind: "Pod".into(),
            count: 1,
            last_seen: Timestamp::from_secs(1_577_934_245),
            object: Some("no json".into()),
            ..Event::default()
        };
        let mut printed = Vec::new();
        push_compact(&mut printed, &EventObject::of(&event));
        let expected = r#"{"metadata":{"namespace":"ns","uid":"u","creationTimestamp":null},"involvedObject":{"kind":"Pod","namespace":"ns"},"source":{},"firstTimestamp":null,"lastTimestamp":"2020-01-02T03:04:05Z","count":1,"eventTime":null,"reportingComponent":"","reportingInstance":""}"#;
        assert_eq!(String::from_utf8(printed).unwrap(), expected);
    }
}
