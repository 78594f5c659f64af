//! `POST /objects/apply`: makes objects what a text says they should be (server-side apply).

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method};
use serde::Deserialize;
use serde_json::{Value, json};

use super::kinds;
use super::place::{self, Place};
use super::{Asking, actions, changeable, one, person, respond};
use crate::ApiState;
use crate::people::upstream::{self, Question};
use crate::people::{Refusal, Session};

/// Who says so, for the API server's book of owned fields.
const MANAGER: &str = "taffrail";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Told {
    object: Value,
    /// Where the object says no namespace.
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    dry_run: bool,
    /// Takes fields from whoever else owns them.
    #[serde(default)]
    force: bool,
}

pub(super) async fn apply(
    State(state): State<Arc<ApiState>>,
    session: Asking,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let answer = async {
        let session = person(session)?;
        changeable(&state)?;
        let told: Told = actions::told(body).await?;
        let (dry, work) = (told.dry_run, put(&state, &session, told));
        let done = if dry { work.await } else { session.deeds.once(&headers, work).await };
        if !dry {
            let user = session.user().await.name;
            tracing::info!(user, done = done.is_ok(), "a person applies");
        }
        Ok(Json(done?).into_response())
    };
    respond(answer.await)
}

async fn put(state: &ApiState, session: &Session, told: Told) -> Result<Value, Refusal> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (api_version, kind) = (text(&told.object["apiVersion"]), text(&told.object["kind"]));
    let known = kinds::discovered(session, state.now()).await?;
    let found = known.named(&api_version, &kind).ok_or_else(|| {
        Refusal::bad(format!("the API server has no kind {kind:?} of {api_version:?}"))
    })?;
    let mut address = found.address.clone();
    address.version = api_version.rsplit('/').next().unwrap_or_default().to_owned();
    let given = text(&told.object["metadata"]["namespace"]);
    let namespace = match (found.namespaced, given.is_empty()) {
        (false, _) => String::new(),
        (true, false) => given,
        (true, true) if told.namespace.is_empty() => "default".to_owned(),
        (true, true) => told.namespace.clone(),
    };
    if !namespace.is_empty() {
        place::name(&namespace)?;
    }
    let name = text(&told.object["metadata"]["name"]);
    let name =
        place::name(&name).map_err(|_| Refusal::bad("metadata.name: give the object a name"))?;
    let place = Place { kind: address, namespace, name };
    let (dry, force) = (if told.dry_run { "&dryRun=All" } else { "" }, told.force);
    let path = format!(
        "{}?fieldManager={MANAGER}&fieldValidation=Strict&force={force}{dry}",
        place.path()
    );
    // What is there now, to compare with; nothing when it will be new.
    let before = upstream::json(&*session.person, Question::get(&place.path())).await;
    let mut before = before.unwrap_or(Value::Null);
    let question = Question {
        content_type: "application/apply-patch+yaml",
        ..Question::send(Method::PATCH, &path, &told.object)
    };
    let mut after = upstream::json(&*session.person, question).await?;
    if !before.is_null() {
        one::clean(&place.kind, &mut before, true);
    }
    one::clean(&place.kind, &mut after, true);
    Ok(json!({
        "before": before, "object": after, "address": place.kind,
        "namespace": place.namespace, "name": place.name,
    }))
}
