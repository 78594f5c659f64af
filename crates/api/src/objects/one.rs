//! `GET /objects/one/…`: an object as the API server has it, without what nobody reads, and its
//! secret values only when they are asked for.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Uri, header};
use once::Order as _;
use serde::Serialize;
use serde_json::{Value, json};

use super::kinds::{self, Discovered};
use super::place::{self, KindAddress, Place};
use super::{Asking, person, respond};
use crate::ApiState;
use crate::people::upstream::{self, Question};
use crate::people::{Person, Refusal};
use crate::request::query_of;

/// Most owners above an object.
const MAX_OWNERS: usize = 5;
/// Where `kubectl apply` keeps a copy of all it was given, secret values too.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// Most events of an object.
const MAX_EVENTS: usize = 100;

#[derive(Debug, Serialize)]
struct Owner {
    #[serde(flatten)]
    address: Option<KindAddress>,
    kind: String,
    namespace: String,
    name: String,
}

pub(super) async fn one(
    State(state): State<Arc<ApiState>>,
    Path(parts): Path<(String, String, String, String, String)>,
    session: Asking,
    uri: Uri,
) -> Response {
    let answer = async {
        let session = person(session)?;
        let place = Place::read(parts)?;
        let reveal = uri.query() == Some("reveal=true");
        let mut object = upstream::json(&*session.person, Question::get(&place.path())).await?;
        let owners = match kinds::discovered(&session, state.now()).await {
            Ok(known) => owners(&*session.person, &known, &object).await,
            Err(_) => Vec::new(),
        };
        let masked = clean(&place.kind, &mut object, reveal);
        let body = json!({ "object": object, "masked": masked, "owners": owners });
        let mut response = Json(body).into_response();
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(response)
    };
    respond(answer.await)
}

/// Takes out what only the API server reads, and secret values unless `reveal`; whether some were.
pub(super) fn clean(kind: &KindAddress, object: &mut Value, reveal: bool) -> bool {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("managedFields");
    }
    if !kind.is("", "secrets") || reveal {
        return false;
    }
    if let Some(annotations) = object["metadata"]["annotations"].as_object_mut() {
        annotations.remove(LAST_APPLIED);
    }
    let mut masked = false;
    for field in ["data", "stringData"] {
        for value in object[field].as_object_mut().into_iter().flat_map(|data| data.values_mut()) {
            *value = Value::Null;
            masked = true;
        }
    }
    masked
}

/// Who owns it, who owns that, and so on.
async fn owners(person: &dyn Person, known: &Discovered, object: &Value) -> Vec<Owner> {
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
    let mut owners: Vec<Owner> = Vec::new();
    let mut references = object["metadata"]["ownerReferences"].clone();
    while owners.len() < MAX_OWNERS {
        let all = references.as_array().map_or(&[][..], Vec::as_slice);
        let controller = all.iter().find(|one| one["controller"] == true).or(all.first());
        let Some(one) = controller else { break };
        let text = |field: &str| one[field].as_str().unwrap_or_default().to_owned();
        let kind = known.named(&text("apiVersion"), &text("kind"));
        let namespaced = kind.is_none_or(|kind| kind.namespaced);
        let owner = Owner {
            address: kind.map(|kind| kind.address.clone()),
            kind: text("kind"),
            namespace: if namespaced { namespace.clone() } else { String::new() },
            name: text("name"),
        };
        let next = owner.address.clone().and_then(|kind| {
            let name = place::name(&owner.name).ok()?;
            Some(Place { kind, namespace: owner.namespace.clone(), name })
        });
        owners.push(owner);
        let Some(next) = next else { break };
        // An owner that may not be read, or is gone, is still named.
        let Ok(above) = upstream::json(person, Question::get(&next.path())).await else { break };
        references = above["metadata"]["ownerReferences"].clone();
    }
    owners
}

/// `GET /objects/events/{namespace}/{uid}`: what the API server still knows to have happened.
pub(super) async fn events(
    State(_): State<Arc<ApiState>>,
    Path((namespace, uid)): Path<(String, String)>,
    session: Asking,
) -> Response {
    let answer = async {
        let session = person(session)?;
        let namespace = place::namespace(&namespace)?;
        let uid = place::name(&uid)?;
        let events = KindAddress::read("core", "v1", "events")?;
        let selector = format!("involvedObject.uid={uid}");
        let query = query_of([("fieldSelector", selector.as_str()), ("limit", "500")]);
        let path = format!("{}?{query}", events.path(&namespace));
        let found = upstream::json(&*session.person, Question::get(&path)).await?;
        let mut items: Vec<Value> =
            found["items"].as_array().into_iter().flatten().map(event).collect();
        items.order_by(|left, right| right["last"].as_str().cmp(&left["last"].as_str()));
        items.truncate(MAX_EVENTS);
        Ok::<_, Refusal>(Json(json!({ "items": items })).into_response())
    };
    respond(answer.await)
}

fn event(event: &Value) -> Value {
    let first = |fields: &[&str]| {
        let found = fields.iter().map(|field| &event[*field]).find(|value| value.is_string());
        found.cloned().unwrap_or_default()
    };
    json!({
        "type": event["type"], "reason": event["reason"], "message": event["message"],
        "count": event["count"],
        "first": first(&["firstTimestamp", "eventTime"]),
        "last": first(&["lastTimestamp", "eventTime", "firstTimestamp"]),
        "source": event["source"]["component"],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_values_are_hidden_wherever_they_stand() {
        let secrets = KindAddress::read("core", "v1", "secrets").unwrap();
        let secret = || {
            json!({
                "metadata": { "name": "s", "managedFields": [{}],
                    "annotations": { LAST_APPLIED: "{\"data\":{\"a\":\"aGk=\"}}", "b": "c" } },
                "data": { "a": "aGk=" }, "stringData": { "b": "hi" },
            })
        };
        let mut hidden = secret();
        assert!(clean(&secrets, &mut hidden, false));
        let text = hidden.to_string();
        assert!(
            !text.contains("aGk") && !text.contains("hi") && !text.contains("managed"),
            "{text}"
        );
        assert_eq!(hidden["data"], json!({ "a": null }));
        let mut shown = secret();
        assert!(!clean(&secrets, &mut shown, true));
        assert_eq!(shown["data"]["a"], "aGk=");
    }
}
