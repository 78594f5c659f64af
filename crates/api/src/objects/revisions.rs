//! What a workload was before, and how it becomes that again: replica sets of deployments,
//! controller revisions of stateful sets and daemon sets. Source: `kubectl rollout undo`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode};
use once::Order as _;
use serde_json::{Value, json};

use super::place::{KindAddress, Place};
use super::{Asking, person, respond};
use crate::ApiState;
use crate::people::upstream::{self, Question};
use crate::people::{Person, Refusal};
use crate::request::query_of;

/// The annotation with a replica set's number.
const REVISION: &str = "deployment.kubernetes.io/revision";
/// The label that tells replica sets' pods apart; a deployment has none.
const HASH: &str = "pod-template-hash";
/// Most revisions that are read.
const MAX_REVISIONS: &str = "500";

/// One of them.
struct Revision {
    number: i64,
    /// What the template was.
    template: Value,
    /// What is sent to make it so again.
    patch: Value,
    created: Value,
    current: bool,
}

pub(super) async fn revisions(
    State(_): State<Arc<ApiState>>,
    Path(parts): Path<(String, String, String, String, String)>,
    session: Asking,
) -> Response {
    let answer = async {
        let session = person(session)?;
        let place = Place::read(parts)?;
        let owner = upstream::json(&*session.person, Question::get(&place.path())).await?;
        let found = past(&*session.person, &place, &owner).await?;
        let items: Vec<Value> = found.iter().map(Revision::shown).collect();
        Ok(Json(json!({ "items": items })).into_response())
    };
    respond(answer.await)
}

/// Makes the workload what it was at `revision`, or before the present one.
pub(super) async fn roll_back(
    person: &dyn Person,
    place: &Place,
    revision: Option<i64>,
) -> Result<Value, Refusal> {
    let owner = upstream::json(person, Question::get(&place.path())).await?;
    let past = past(person, place, &owner).await?;
    let current = past.iter().find(|one| one.current).map(|one| one.number);
    let wanted = match revision {
        Some(number) => past.iter().find(|one| one.number == number),
        None => past.iter().filter(|one| !one.current).find(|one| Some(one.number) < current),
    };
    let wanted = wanted.ok_or_else(|| {
        Refusal::new(StatusCode::NOT_FOUND, "there is no such revision to go back to", "")
    })?;
    let strategic = !place.kind.is("apps", "deployments");
    let address = format!("{}?fieldManager=taffrail", place.path());
    let mut change = wanted.patch.clone();
    let question = if strategic {
        Question {
            content_type: "application/strategic-merge-patch+json",
            ..Question::send(Method::PATCH, &address, &change)
        }
    } else {
        // Only what was looked at is replaced.
        let version = &owner["metadata"]["resourceVersion"];
        change = json!([
            { "op": "test", "path": "/metadata/resourceVersion", "value": version },
            { "op": "replace", "path": "/spec/template", "value": wanted.template },
        ]);
        Question {
            content_type: "application/json-patch+json",
            ..Question::send(Method::PATCH, &address, &change)
        }
    };
    let mut object = upstream::json(person, question).await?;
    super::one::clean(&place.kind, &mut object, false);
    Ok(json!({ "object": object, "revision": wanted.number }))
}

/// The revisions of `owner`, newest first.
async fn past(person: &dyn Person, place: &Place, owner: &Value) -> Result<Vec<Revision>, Refusal> {
    let deployment = place.kind.is("apps", "deployments");
    if !deployment && !place.kind.is("apps", "statefulsets") && !place.kind.is("apps", "daemonsets")
    {
        return Err(Refusal::bad("this kind has no revisions"));
    }
    let plural = if deployment { "replicasets" } else { "controllerrevisions" };
    let list = KindAddress::read("apps", "v1", plural)?.path(&place.namespace);
    let selector = selector(owner);
    let pairs = selector.as_deref().map(|selector| ("labelSelector", selector));
    let query = query_of([("limit", MAX_REVISIONS)].into_iter().chain(pairs));
    let path = format!("{list}?{query}");
    let found = upstream::json(person, Question::get(&path)).await?;
    let uid = &owner["metadata"]["uid"];
    let belongs = |one: &&Value| {
        let owners = one["metadata"]["ownerReferences"].as_array();
        owners.is_some_and(|owners| owners.iter().any(|owner| owner["uid"] == *uid))
    };
    let items = found["items"].as_array().map_or(&[][..], Vec::as_slice);
    let read = if deployment { of_replica_set } else { of_controller_revision };
    let mut past: Vec<Revision> = items.iter().filter(belongs).filter_map(read).collect();
    past.order_by_key(|one| std::cmp::Reverse(one.number));
    if deployment {
        let number = owner["metadata"]["annotations"][REVISION].as_str();
        let number = number.and_then(|text| text.parse().ok());
        for one in &mut past {
            one.current = Some(one.number) == number;
        }
    } else if let Some(newest) = past.first_mut() {
        newest.current = true;
    }
    Ok(past)
}

/// The labels that the owner selects by, where they are plain pairs.
fn selector(owner: &Value) -> Option<String> {
    let labels = owner["spec"]["selector"]["matchLabels"].as_object()?;
    let pairs: Vec<String> = labels
        .iter()
        .filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?)))
        .collect();
    (!pairs.is_empty()).then(|| pairs.join(","))
}

fn of_replica_set(set: &Value) -> Option<Revision> {
    let number = set["metadata"]["annotations"][REVISION].as_str()?.parse().ok()?;
    let mut template = set["spec"]["template"].clone();
    if let Some(labels) = template["metadata"]["labels"].as_object_mut() {
        labels.remove(HASH);
    }
    let created = set["metadata"]["creationTimestamp"].clone();
    Some(Revision { number, template, patch: Value::Null, created, current: false })
}

fn of_controller_revision(revision: &Value) -> Option<Revision> {
    Some(Revision {
        number: revision["revision"].as_i64()?,
        template: revision["data"]["spec"]["template"].clone(),
        patch: revision["data"].clone(),
        created: revision["metadata"]["creationTimestamp"].clone(),
        current: false,
    })
}

impl Revision {
    fn shown(&self) -> Value {
        let containers = self.template["spec"]["containers"].as_array();
        let images: Vec<&str> =
            containers.into_iter().flatten().filter_map(|one| one["image"].as_str()).collect();
        json!({
            "revision": self.number, "created": self.created, "current": self.current,
            "images": images,
        })
    }
}
