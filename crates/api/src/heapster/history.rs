//! `/api/v1/historical`: the model API's questions about any past, and aggregates over it.
//!
//! Where the past is kept is behind [`crate::Past`]. Aggregates are computed here, so that every
//! keeper's answers are alike.

mod aggregate;

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::Request;
use model::{Entity, EntityKind, Registry, Timestamp};
use serde::Serialize;

use self::aggregate::{Aggregated, Aggregations, bucket_length};
use super::model::{MetricResult, Question, entity};
use super::routes::{HistoryAsk, Of, Whose, find_history};
use super::{gojson, json};
use crate::ApiState;
use crate::error::Error;
use crate::observe::Handler;
use crate::past::{Past, PastNames, PastValues, PastWanted};
use crate::request::{pairs, target};

/// Answers any path of the historical API.
pub(crate) async fn history(
    State(state): State<Arc<ApiState>>,
    request: Request<Body>,
) -> Response {
    let (path, query) = target(&request);
    let rest = path.strip_prefix("/api/v1/historical/").unwrap_or_default();
    let Some((ask, taken)) = find_history(rest) else { return Error::NoModelPath.as_text() };
    let answer = match &state.past {
        Some(past) => answer(&state, &**past, ask, &taken, query).await,
        None => Err(Error::NoModelPath),
    };
    let mut response = answer.map_or_else(|error| error.as_text(), json);
    response.extensions_mut().insert(Handler("historical"));
    response
}

async fn answer(
    state: &ApiState,
    past: &dyn Past,
    ask: HistoryAsk,
    taken: &[Cow<'_, str>],
    query: &str,
) -> Result<String, Error> {
    let take = |at: usize| taken.get(at).map_or("", AsRef::as_ref).to_owned();
    let names = match ask {
        HistoryAsk::Nodes => PastNames::Nodes,
        HistoryAsk::Namespaces => PastNames::Namespaces,
        HistoryAsk::Pods => PastNames::Pods { namespace: take(0) },
        HistoryAsk::Containers => PastNames::Containers { namespace: take(0), pod: take(1) },
        HistoryAsk::SystemContainers => PastNames::SystemContainers { node: node(state, taken) },
        HistoryAsk::Metrics(of) => {
            let latest = state.window.latest();
            PastNames::Metrics(entity(&mut Registry::default(), latest.as_deref(), of, taken))
        }
        HistoryAsk::Values(whose) => {
            let question = Asked::parse(state, taken, query)?;
            let mut items = Vec::new();
            for entity in subjects(state, whose, taken)? {
                items.push(MetricResult::of(question.ask(past, &entity).await?));
            }
            return Ok(print(whose, items));
        }
        HistoryAsk::Aggregates(whose) => {
            let question = Asked::parse(state, taken, query)?;
            let at = taken.len().saturating_sub(2);
            let aggregations = Aggregations::parse(&take(at))?;
            let bucket = pairs(query).find(|(name, _)| name == "bucket");
            let bucket = bucket.map(|(_, text)| bucket_length(&text)).transpose()?.flatten();
            let mut items = Vec::new();
            for entity in subjects(state, whose, taken)? {
                let values = question.ask(past, &entity).await?;
                items.push(aggregations.over(&values, question.start, bucket));
            }
            return Ok(print::<Aggregated>(whose, items));
        }
    };
    let found = past.names(names).await.map_err(Error::Past)?;
    Ok(gojson::pretty(&found))
}

/// One item as it is, several as a list.
fn print<T: Serialize>(whose: Whose, items: Vec<T>) -> String {
    match (whose, items.first()) {
        (Whose::Pods | Whose::PodIds, _) => gojson::compact(&Items { items }),
        (_, Some(item)) => gojson::pretty(item),
        (_, None) => String::new(),
    }
}

#[derive(Serialize)]
struct Items<T> {
    items: Vec<T>,
}

/// The name of the node that the path begins with.
fn node(state: &ApiState, taken: &[Cow<'_, str>]) -> String {
    let latest = state.window.latest();
    entity(&mut Registry::default(), latest.as_deref(), Of::Node, taken).name().to_owned()
}

/// Whose values a path asks for.
fn subjects(
    state: &ApiState,
    whose: Whose,
    taken: &[Cow<'_, str>],
) -> Result<Vec<Arc<Entity>>, Error> {
    let take = |at: usize| taken.get(at).map_or("", AsRef::as_ref);
    let mut registry = Registry::default();
    Ok(match whose {
        Whose::One(of) => {
            vec![entity(&mut registry, state.window.latest().as_deref(), of, taken)]
        }
        Whose::Pods => take(1).split(',').map(|name| registry.pod(take(0), name, "")).collect(),
        Whose::PodId => vec![pod_of_id(state, &mut registry, take(0))?],
        Whose::PodIds => take(0)
            .split(',')
            .map(|id| pod_of_id(state, &mut registry, id))
            .collect::<Result<_, _>>()?,
        Whose::ContainerOfPodId => {
            let pod = pod_of_id(state, &mut registry, take(0))?;
            vec![registry.container(&pod, take(1))]
        }
    })
}

/// The pod that has that id now: history is kept by name.
fn pod_of_id(state: &ApiState, registry: &mut Registry, id: &str) -> Result<Arc<Entity>, Error> {
    let latest = state.window.latest();
    let measured = latest.as_deref().and_then(|batch| {
        let table = batch.table(EntityKind::Pod);
        let has_id = |row: usize| {
            let pod = table.context(row).pod.as_ref();
            *table.entities()[row].uid() == *id || pod.is_some_and(|pod| *pod.uid == *id)
        };
        let row = (0..table.len()).find(|row| has_id(*row))?;
        let pod = &table.entities()[row];
        Some((pod.namespace().unwrap_or_default().to_owned(), pod.name().to_owned()))
    });
    match measured {
        Some((namespace, name)) if !id.is_empty() => Ok(registry.pod(&namespace, &name, "")),
        _ => Err(Error::Past(format!(
            "No pod has the id {id:?} now; history is kept by name: ask for namespaces/…/pods/…"
        ))),
    }
}

/// What a path and its query ask of the past.
struct Asked {
    question: Question,
    start: Timestamp,
    end: Timestamp,
}

impl Asked {
    fn parse(state: &ApiState, taken: &[Cow<'_, str>], query: &str) -> Result<Self, Error> {
        let question = Question::parse(taken, query)?;
        let start = question.start.filter(|start| !start.is_never()).ok_or(Error::NoStart)?;
        let end = question.end.filter(|end| !end.is_never()).unwrap_or_else(|| state.now());
        Ok(Self { question, start, end })
    }

    /// The values of `entity`, or of its part that the labels name.
    async fn ask(&self, past: &dyn Past, entity: &Arc<Entity>) -> Result<PastValues, Error> {
        for part in self.question.measured(&mut Registry::default(), entity) {
            let wanted = PastWanted {
                entity: part,
                metric: self.question.metric.clone(),
                start: self.start,
                end: self.end,
            };
            let values = past.values(wanted).await.map_err(Error::Past)?;
            if !values.is_empty() {
                return Ok(values);
            }
        }
        let (metric, described) = (&self.question.metric, describe(entity));
        Err(Error::Past(format!("No results for metric {metric:?} describing {described:?}")))
    }
}

/// An entity in Heapster's words.
fn describe(entity: &Entity) -> String {
    let namespace = entity.namespace().unwrap_or_default();
    let (pod, node) = (entity.pod().unwrap_or_default(), entity.node().unwrap_or_default());
    let name = entity.name();
    let path = match entity.kind() {
        EntityKind::Cluster => "cluster".to_owned(),
        EntityKind::Node => format!("node:{name}"),
        EntityKind::Namespace => format!("ns:{name}"),
        EntityKind::Pod => format!("ns:{namespace}/pod:{name}"),
        EntityKind::Container => format!("ns:{namespace}/pod:{pod}/container:{name}"),
        _ => format!("node:{node}/container:{name}"),
    };
    format!("({})[{path}]", entity.kind().heapster_type().unwrap_or_default())
}
