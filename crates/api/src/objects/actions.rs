//! `POST /objects/act/…/{action}`: what is done to one object, each action once for each key.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::place::{KindAddress, Place};
use super::{Asking, changeable, one, person, respond, revisions};
use crate::ApiState;
use crate::limits::{BODY_TIMEOUT, hit};
use crate::people::upstream::{self, Question};
use crate::people::{Person, Refusal};

/// Largest body of an action: an object, which etcd bounds to 1.5 MiB.
const MAX_BODY_BYTES: usize = 3 << 20;
/// Most replicas that are asked for from here.
const MAX_REPLICAS: u32 = 100_000;
/// Longest name of a job that still leaves room for its pods' endings.
const MAX_JOB_NAME: usize = 54;

/// What an action may be told.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Told {
    replicas: Option<u32>,
    /// Of what was looked at: another object of the same name stays.
    uid: Option<String>,
    resource_version: Option<String>,
    /// `Background`, `Foreground` or `Orphan`.
    propagation: Option<String>,
    suspend: Option<bool>,
    unschedulable: Option<bool>,
    revision: Option<i64>,
    object: Option<Value>,
    #[serde(default)]
    dry_run: bool,
}

pub(super) async fn act(
    State(state): State<Arc<ApiState>>,
    Path((group, version, plural, namespace, name, action)): Path<(
        String,
        String,
        String,
        String,
        String,
        String,
    )>,
    session: Asking,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let answer = async {
        let session = person(session)?;
        changeable(&state)?;
        let place = Place::read((group, version, plural, namespace, name))?;
        let told: Told = told_or_usual(body).await?;
        let dry = told.dry_run;
        let deed = Deed { person: &*session.person, place: &place, now: state.now() };
        let work = deed.run(&action, told);
        // A dry run changes nothing, and may be repeated.
        let done = if dry { work.await } else { session.deeds.once(&headers, work).await };
        if !dry {
            let (user, done) = (session.user().await.name, done.is_ok());
            tracing::info!(user, action, path = place.path(), done, "a person acts");
        }
        Ok(Json(done?).into_response())
    };
    respond(answer.await)
}

/// What the body says; nothing said is what is usual.
pub(super) async fn told_or_usual<T: DeserializeOwned + Default>(body: Body) -> Result<T, Refusal> {
    let body = read(body).await?;
    if body.is_empty() { Ok(T::default()) } else { parsed(&body) }
}

/// What the body says.
pub(super) async fn told<T: DeserializeOwned>(body: Body) -> Result<T, Refusal> {
    parsed(&read(body).await?)
}

fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::bad(format!("the body: {error}")))
}

/// The whole body.
async fn read(body: Body) -> Result<Bytes, Refusal> {
    if let Ok(Ok(body)) = timeout(BODY_TIMEOUT, to_bytes(body, MAX_BODY_BYTES)).await {
        return Ok(body);
    }
    hit("action_body");
    Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large or slow", ""))
}

/// One action on one object.
struct Deed<'a> {
    person: &'a dyn Person,
    place: &'a Place,
    now: model::Timestamp,
}

impl Deed<'_> {
    async fn run(&self, action: &str, told: Told) -> Result<Value, Refusal> {
        match action {
            "scale" => self.scale(&told).await,
            "restart" => self.restart().await,
            "rollback" => revisions::roll_back(self.person, self.place, told.revision).await,
            "cordon" => {
                let wanted = told.unschedulable.ok_or_else(|| needs("unschedulable"))?;
                // As kubectl does: a node that may be used does not say so.
                let value = if wanted { Value::from(true) } else { Value::Null };
                self.only("", "nodes")?;
                self.merge("", &json!({ "spec": { "unschedulable": value } })).await
            }
            "suspend" => {
                let wanted = told.suspend.ok_or_else(|| needs("suspend"))?;
                self.only("batch", "cronjobs")?;
                self.merge("", &json!({ "spec": { "suspend": wanted } })).await
            }
            "trigger" => self.trigger().await,
            "delete" => self.delete(&told).await,
            "edit" => self.replace(told).await,
            _ => Err(Refusal::new(StatusCode::NOT_FOUND, "there is no such action", "")),
        }
    }

    fn only(&self, group: &str, plural: &str) -> Result<(), Refusal> {
        if self.place.kind.is(group, plural) {
            return Ok(());
        }
        Err(Refusal::bad(format!("this is only done to {plural}")))
    }

    async fn merge(&self, below: &str, change: &Value) -> Result<Value, Refusal> {
        let path = format!("{}{below}", self.place.path());
        let mut answer =
            upstream::json(self.person, Question::send(Method::PATCH, &path, change)).await?;
        one::clean(&self.place.kind, &mut answer, false);
        Ok(json!({ "object": answer }))
    }

    async fn scale(&self, told: &Told) -> Result<Value, Refusal> {
        let replicas = told.replicas.filter(|replicas| *replicas <= MAX_REPLICAS);
        let replicas = replicas.ok_or_else(|| needs("replicas"))?;
        self.merge("/scale", &json!({ "spec": { "replicas": replicas } })).await
    }

    /// A changed annotation of the template makes the controller replace every pod.
    async fn restart(&self) -> Result<Value, Refusal> {
        let at = self.now.to_rfc3339_seconds();
        let annotations = json!({ "kubectl.kubernetes.io/restartedAt": at });
        let template = json!({ "metadata": { "annotations": annotations } });
        self.merge("", &json!({ "spec": { "template": template } })).await
    }

    async fn trigger(&self) -> Result<Value, Refusal> {
        self.only("batch", "cronjobs")?;
        let owner = upstream::json(self.person, Question::get(&self.place.path())).await?;
        let template = &owner["spec"]["jobTemplate"];
        let mut annotations = template["metadata"]["annotations"].clone();
        if !annotations.is_object() {
            annotations = json!({});
        }
        annotations["cronjob.kubernetes.io/instantiate"] = "manual".into();
        let end = self.place.name.floor_char_boundary(MAX_JOB_NAME - "-m1795425572000".len());
        let base = self.place.name.get(..end).unwrap_or_default();
        let job = json!({
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": {
                "name": format!("{base}-m{}", self.now.millis()),
                "namespace": self.place.namespace,
                "labels": template["metadata"]["labels"],
                "annotations": annotations,
                "ownerReferences": [{
                    "apiVersion": "batch/v1", "kind": "CronJob", "name": self.place.name,
                    "uid": owner["metadata"]["uid"], "controller": true,
                }],
            },
            "spec": template["spec"],
        });
        let jobs = KindAddress::read("batch", "v1", "jobs")?;
        let path = jobs.path(&self.place.namespace);
        let question = Question::send(Method::POST, &path, &job);
        Ok(json!({ "object": upstream::json(self.person, question).await? }))
    }

    async fn delete(&self, told: &Told) -> Result<Value, Refusal> {
        let uid = told.uid.as_ref().ok_or_else(|| needs("uid"))?;
        let mut preconditions = json!({ "uid": uid });
        if let Some(version) = &told.resource_version {
            preconditions["resourceVersion"] = version.clone().into();
        }
        let propagation = told.propagation.as_deref().unwrap_or("Background");
        if !["Background", "Foreground", "Orphan"].contains(&propagation) {
            return Err(needs("propagation"));
        }
        let options = json!({
            "apiVersion": "v1", "kind": "DeleteOptions",
            "preconditions": preconditions, "propagationPolicy": propagation,
        });
        let path = self.place.path();
        upstream::json(self.person, Question::send(Method::DELETE, &path, &options)).await?;
        Ok(json!({ "deleted": true }))
    }

    async fn replace(&self, told: Told) -> Result<Value, Refusal> {
        let object = told.object.filter(Value::is_object).ok_or_else(|| needs("object"))?;
        // Without it, whatever somebody else changed meanwhile would be undone.
        if !object["metadata"]["resourceVersion"].is_string() {
            return Err(Refusal::bad("metadata.resourceVersion: keep the one that you were shown"));
        }
        let hidden = |field: &str| {
            let values = object[field].as_object().into_iter().flat_map(|data| data.values());
            values.into_iter().any(Value::is_null)
        };
        if self.place.kind.is("", "secrets") && (hidden("data") || hidden("stringData")) {
            return Err(Refusal::bad("show the secret's values before you change it"));
        }
        let dry = if told.dry_run { "&dryRun=All" } else { "" };
        let path =
            format!("{}?fieldManager=taffrail&fieldValidation=Strict{dry}", self.place.path());
        let question = Question::send(Method::PUT, &path, &object);
        let mut answer = upstream::json(self.person, question).await?;
        one::clean(&self.place.kind, &mut answer, true);
        Ok(json!({ "object": answer }))
    }
}

fn needs(field: &str) -> Refusal {
    Refusal::bad(format!("the action needs a good {field:?}"))
}
