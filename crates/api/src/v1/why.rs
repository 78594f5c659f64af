//! `GET /why`: why a pod, container, workload, volume, node, namespace or the cluster has no value
//! of a metric now.

mod metric;
mod owned;
mod pod;
mod reason;

use std::sync::{Arc, PoisonError};

use axum::extract::State;
use axum::response::Response;
use http::Uri;
use model::{EntityKind, Timestamp, lookup};
use serde::Serialize;

use super::cell::Number;
use super::respond;
use crate::ApiState;
use crate::error::Error;
use crate::request::pairs;
use reason::{Known, Question, Reason};

/// The kinds that can be asked for.
const KINDS: [EntityKind; 7] = [
    EntityKind::Pod,
    EntityKind::Container,
    EntityKind::Workload,
    EntityKind::Volume,
    EntityKind::Node,
    EntityKind::Namespace,
    EntityKind::Cluster,
];

#[derive(Debug, Serialize)]
struct Answer {
    /// The value, where there is one after all.
    value: Option<Number>,
    timestamp: Option<i64>,
    reason: &'static str,
    sentence: String,
    advice: String,
    evidence: Vec<String>,
}

pub(crate) async fn why(State(state): State<Arc<ApiState>>, uri: Uri) -> Response {
    respond(parse(uri.query().unwrap_or("")).map(|question| answer(&state, &question)))
}

fn answer(state: &ApiState, question: &Question) -> Answer {
    let facts = state.status.facts();
    let batches = state.window.batches();
    let inventory = state.inventory.read().unwrap_or_else(PoisonError::into_inner);
    let known = Known {
        inventory: &inventory,
        batches: &batches,
        history: state.window.history(),
        now: state.now(),
        resolution: facts.resolution,
        problems: &facts.problems,
    };
    let value = question.value(&known);
    let Reason { code, sentence, advice, evidence } = reason::why(question, &known);
    Answer {
        value: value.map(|value| Number(value.as_f64())),
        timestamp: batches.last().map(|batch| batch.timestamp().millis()),
        reason: code,
        sentence,
        advice,
        evidence,
    }
}

fn parse(query: &str) -> Result<Question, Error> {
    let (mut kind, mut metric, mut at) = (None, None, None);
    let (mut namespace, mut pod, mut name, mut workload) = (None, None, None, None);
    for (key, value) in pairs(query) {
        match &*key {
            "kind" => kind = Some(kind_named(&value)?),
            "metric" => metric = Some(value.into_owned()),
            "namespace" => namespace = Some(value.into_owned()),
            "pod" => pod = Some(value.into_owned()),
            "workload" => workload = Some(value.into_owned()),
            "name" => name = Some(value.into_owned()),
            "at" => {
                let millis = value.parse().map_err(|_| Error::Parameter {
                    name: "at",
                    value: value.to_string(),
                    takes: "milliseconds since the epoch".to_owned(),
                })?;
                at = Some(Timestamp::from_millis(millis));
            }
            _ => return Err(Error::UnknownParameter(key.into_owned())),
        }
    }
    let kind = kind.map_or_else(|| kind_named(""), Ok)?;
    let missing = |field: &'static str| Error::Parameter {
        name: field,
        value: String::new(),
        takes: format!("the {field}: a {} needs it", kind.name()),
    };
    let need = |field, value: Option<String>, needed: bool| match value {
        Some(value) if !value.is_empty() => Ok(value),
        _ if needed => Err(missing(field)),
        _ => Ok(String::new()),
    };
    let within = matches!(kind, EntityKind::Container | EntityKind::Volume);
    let inside = within || matches!(kind, EntityKind::Pod | EntityKind::Workload);
    let question = Question {
        namespace: need("namespace", namespace, inside)?,
        pod: need("pod", pod, within)?,
        workload: need("workload", workload, kind == EntityKind::Workload)?,
        name: need("name", name, kind != EntityKind::Cluster)?,
        metric: need("metric", metric, false)?,
        kind,
        at,
    };
    let known = lookup(&question.metric).is_some()
        || question.metric.is_empty()
        || question.metric.starts_with("custom/")
        || question.metric.ends_with("/request");
    if known { Ok(question) } else { Err(Error::UnknownMetric(question.metric)) }
}

fn kind_named(text: &str) -> Result<EntityKind, Error> {
    KINDS.into_iter().find(|kind| kind.name() == text).ok_or_else(|| Error::Parameter {
        name: "kind",
        value: text.to_owned(),
        takes: "pod, container, node, namespace or cluster".to_owned(),
    })
}

#[cfg(test)]
mod tests;
