//! `POST /query`: many series over one range in one request.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::response::Response;
use model::{Entity, EntityKind, Registry, Timestamp, Unit, descriptor, lookup};
use query::{SeriesRef, SeriesValues};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::cell::Number;
use super::respond;
use crate::ApiState;
use crate::error::Error;
use crate::limits::{BODY_TIMEOUT, MAX_QUERY_BODY_BYTES, MAX_QUERY_POINTS, MAX_QUERY_SERIES, hit};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    start: i64,
    end: i64,
    points: usize,
    series: Vec<SeriesName>,
}

/// A series as a client names it; which fields it needs depends on `kind`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct SeriesName {
    kind: String,
    metric: String,
    name: Option<String>,
    namespace: Option<String>,
    pod: Option<String>,
    node: Option<String>,
    container: Option<String>,
    workload_kind: Option<String>,
    /// An accelerator's `make/model`.
    model: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    timestamps: Vec<i64>,
    step_ms: u128,
    series: Vec<SeriesAnswer>,
}

#[derive(Debug, Serialize)]
struct SeriesAnswer {
    unit: &'static str,
    avg: Vec<Option<Number>>,
    min: Option<Vec<Option<Number>>>,
    max: Option<Vec<Option<Number>>>,
}

pub(crate) async fn query(State(state): State<Arc<ApiState>>, body: Body) -> Response {
    let error = match timeout(BODY_TIMEOUT, to_bytes(body, MAX_QUERY_BODY_BYTES)).await {
        Ok(Ok(body)) => return respond(answer(&state, &body)),
        Ok(Err(_)) => Error::BodyTooLarge,
        Err(_) => Error::BodyTooSlow,
    };
    hit("query_body");
    error.as_json()
}

fn answer(state: &ApiState, body: &[u8]) -> Result<Answer, Error> {
    let query: Query =
        serde_json::from_slice(body).map_err(|error| Error::Body(error.to_string()))?;
    if query.series.len() > MAX_QUERY_SERIES {
        hit("query_series");
        return Err(Error::TooManySeries(query.series.len()));
    }
    if !(1..=MAX_QUERY_POINTS).contains(&query.points) {
        return Err(Error::count("points", &query.points.to_string()));
    }
    let mut registry = Registry::default();
    let series: Vec<SeriesRef> = query
        .series
        .iter()
        .enumerate()
        .map(|(index, name)| name.resolve(index, &mut registry))
        .collect::<Result<_, _>>()?;
    let (start, end) = (Timestamp::from_millis(query.start), Timestamp::from_millis(query.end));
    let range = state.window.range(&series, start, end, query.points);
    let units = series.iter().map(|one| lookup(&one.metric).map(descriptor));
    let units = units.map(|row| row.map_or(Unit::Count, |row| row.unit));
    Ok(Answer {
        timestamps: range.timestamps.into_iter().map(Timestamp::millis).collect(),
        step_ms: range.step.as_millis(),
        series: range.series.into_iter().zip(units).map(SeriesAnswer::from).collect(),
    })
}

impl SeriesName {
    fn resolve(&self, index: usize, registry: &mut Registry) -> Result<SeriesRef, Error> {
        let custom = self.metric.starts_with("custom/") || self.metric.ends_with("/request");
        if lookup(&self.metric).is_none() && !custom {
            return Err(Error::UnknownMetric(self.metric.clone()));
        }
        Ok(SeriesRef { entity: self.entity(index, registry)?, metric: self.metric.clone() })
    }

    fn entity(&self, index: usize, registry: &mut Registry) -> Result<Arc<Entity>, Error> {
        let Some(kind) = EntityKind::from_name(&self.kind) else {
            let names: Vec<_> = EntityKind::ALL.iter().map(|kind| kind.name()).collect();
            return Err(Error::Parameter {
                name: "kind",
                value: self.kind.clone(),
                takes: format!("one of {}", names.join(", ")),
            });
        };
        let need = |field: &'static str, value: &'_ Option<String>| {
            value.clone().ok_or(Error::SeriesPart { index, kind: kind.name(), needs: field })
        };
        let name = || need("name", &self.name);
        Ok(match kind {
            EntityKind::Cluster => registry.cluster(),
            EntityKind::Node => registry.node(&name()?),
            EntityKind::Namespace => registry.namespace(&name()?),
            EntityKind::Pod => registry.pod(&need("namespace", &self.namespace)?, &name()?, ""),
            EntityKind::Workload => registry.workload(
                &need("namespace", &self.namespace)?,
                &need("workloadKind", &self.workload_kind)?,
                &name()?,
            ),
            EntityKind::Container => {
                let namespace = need("namespace", &self.namespace)?;
                let pod = registry.pod(&namespace, &need("pod", &self.pod)?, "");
                registry.container(&pod, &name()?)
            }
            EntityKind::SystemContainer => {
                let node = registry.node(&need("node", &self.node)?);
                registry.system_container(&node, &name()?)
            }
            EntityKind::Volume => {
                let namespace = need("namespace", &self.namespace)?;
                let pod = registry.pod(&namespace, &need("pod", &self.pod)?, "");
                registry.part(kind, &pod, &name()?)
            }
            EntityKind::Filesystem | EntityKind::Disk => {
                let owner = self.owner(&need, registry)?;
                registry.part(kind, &owner, &name()?)
            }
            EntityKind::Accelerator => {
                let owner = self.owner(&need, registry)?;
                registry.accelerator(&owner, &need("model", &self.model)?, &name()?)
            }
        })
    }

    /// The node, or the container of a pod, that has the part.
    fn owner(
        &self,
        need: &impl Fn(&'static str, &Option<String>) -> Result<String, Error>,
        registry: &mut Registry,
    ) -> Result<Arc<Entity>, Error> {
        if let (Some(namespace), Some(pod)) = (&self.namespace, &self.pod) {
            let pod = registry.pod(namespace, pod, "");
            return Ok(registry.container(&pod, &need("container", &self.container)?));
        }
        let node = registry.node(&need("node", &self.node)?);
        Ok(match &self.container {
            Some(container) => registry.system_container(&node, container),
            None => node,
        })
    }
}

impl From<(SeriesValues, Unit)> for SeriesAnswer {
    fn from((values, unit): (SeriesValues, Unit)) -> Self {
        let numbers = |values: Vec<Option<f64>>| -> Vec<Option<Number>> {
            values.into_iter().map(|value| value.map(Number)).collect()
        };
        let (min, max) = values.extremes.map(|both| (both.min, both.max)).unzip();
        Self {
            unit: unit.name(),
            avg: numbers(values.avg),
            min: min.map(numbers),
            max: max.map(numbers),
        }
    }
}
