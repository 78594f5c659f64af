//! `POST /query`: many series over one range in one request.

use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::response::Response;
use model::{Entity, EntityKind, Registry, Timestamp, Unit, descriptor, lookup};
use query::{Cancel, RangeAsked, SeriesRef, SeriesValues};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::ask::ask;
use super::cell::Number;
use super::respond;
use super::select::Selector;
use crate::ApiState;
use crate::error::Error;
use crate::limits::{BODY_TIMEOUT, MAX_QUERY_BODY_BYTES, MAX_QUERY_POINTS, MAX_QUERY_SERIES, hit};
use crate::people::Sight;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    start: i64,
    end: i64,
    points: usize,
    #[serde(default)]
    series: Vec<SeriesName>,
    #[serde(default)]
    select: Vec<Selector>,
}

/// A series as a client names it; which fields it needs depends on `kind`.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct SeriesName {
    kind: String,
    metric: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pod: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    workload_kind: Option<String>,
    /// An accelerator's `make/model`.
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
}

impl SeriesName {
    /// Whether somebody with `sight` may see it.
    fn shown(&self, sight: &Sight) -> bool {
        let namespace = if self.kind == "namespace" { &self.name } else { &self.namespace };
        namespace.as_deref().map_or(sight.nodes, |namespace| sight.namespace(namespace))
    }

    /// Makes it the name of nothing: it answers as what was never measured.
    fn hide(&mut self) {
        let named = [&mut self.name, &mut self.namespace, &mut self.pod, &mut self.node];
        for part in named.into_iter().filter(|part| part.is_some()) {
            *part = Some("/".to_owned());
        }
        if self.kind == "cluster" {
            "node".clone_into(&mut self.kind);
            self.name = Some("/".to_owned());
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    timestamps: Vec<i64>,
    step_ms: u128,
    series: Vec<SeriesAnswer>,
    /// By selector: how many entities passed it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    matched: Vec<usize>,
}

#[derive(Debug, Serialize)]
struct SeriesAnswer {
    /// Of a selected one: which selector found it.
    #[serde(skip_serializing_if = "Option::is_none")]
    select: Option<usize>,
    /// Of a selected one: what it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    of: Option<SeriesName>,
    unit: &'static str,
    avg: Vec<Option<Number>>,
    min: Option<Vec<Option<Number>>>,
    max: Option<Vec<Option<Number>>>,
}

pub(crate) async fn query(
    State(state): State<Arc<ApiState>>,
    sight: Option<Extension<Arc<Sight>>>,
    body: Body,
) -> Response {
    let sight = sight.map(|Extension(sight)| sight).filter(|sight| !sight.whole());
    let error = match timeout(BODY_TIMEOUT, to_bytes(body, MAX_QUERY_BODY_BYTES)).await {
        Ok(Ok(body)) => {
            return ask(&state, move |state, cancel| {
                respond(answer(state, sight.as_deref(), &body, cancel))
            })
            .await;
        }
        Ok(Err(_)) => Error::BodyTooLarge,
        Err(_) => Error::BodyTooSlow,
    };
    hit("query_body");
    error.as_json()
}

fn answer(
    state: &ApiState,
    sight: Option<&Sight>,
    body: &[u8],
    cancel: &Cancel,
) -> Result<Answer, Error> {
    let mut query: Query =
        serde_json::from_slice(body).map_err(|error| Error::Body(error.to_string()))?;
    if query.series.len() > MAX_QUERY_SERIES {
        hit("query_series");
        return Err(Error::TooManySeries(query.series.len()));
    }
    if !(1..=MAX_QUERY_POINTS).contains(&query.points) {
        return Err(Error::count("points", &query.points.to_string()));
    }
    if let Some(sight) = sight {
        query.series.iter_mut().filter(|one| !one.shown(sight)).for_each(SeriesName::hide);
    }
    let mut registry = Registry::default();
    let mut series: Vec<SeriesRef> = query
        .series
        .iter()
        .enumerate()
        .map(|(index, name)| name.resolve(index, &mut registry))
        .collect::<Result<_, _>>()?;
    let (start, end) = (Timestamp::from_millis(query.start), Timestamp::from_millis(query.end));
    let named = series.len();
    let (mut matched, mut selects) = (Vec::new(), Vec::new());
    for (number, selector) in query.select.iter().enumerate() {
        let found = selector.resolve(state, sight, (start, end), cancel)?;
        matched.push(found.matched);
        selects.extend(found.series.iter().map(|_| number));
        series.extend(found.series);
    }
    if series.len() > MAX_QUERY_SERIES {
        hit("query_series");
        return Err(Error::TooManySeries(series.len()));
    }
    let asked = RangeAsked { series: &series, start, end, points: query.points };
    let range = state.window.joined(state.archive.as_deref(), &asked, cancel);
    let range = range.map_err(Error::Archive)?;
    let answered = range.series.into_iter().zip(&series).enumerate().map(|(at, (values, one))| {
        let unit = lookup(&one.metric).map_or(Unit::Count, |id| descriptor(id).unit);
        let mut answer = SeriesAnswer::from((values, unit));
        if let Some(select) = at.checked_sub(named).and_then(|at| selects.get(at)) {
            answer.select = Some(*select);
            answer.of = Some(SeriesName::of(one));
        }
        answer
    });
    Ok(Answer {
        series: answered.collect(),
        timestamps: range.timestamps.into_iter().map(Timestamp::millis).collect(),
        step_ms: range.step.as_millis(),
        matched,
    })
}

/// The kind that `name` names.
pub(super) fn kind_named(name: &str) -> Result<EntityKind, Error> {
    EntityKind::from_name(name).ok_or_else(|| {
        let names: Vec<_> = EntityKind::ALL.iter().map(|kind| kind.name()).collect();
        let takes = format!("one of {}", names.join(", "));
        Error::Parameter { name: "kind", value: name.to_owned(), takes }
    })
}

/// Refuses a metric that nobody knows.
pub(super) fn known_metric(metric: &str) -> Result<(), Error> {
    let custom = metric.starts_with("custom/") || metric.ends_with("/request");
    if lookup(metric).is_none() && !custom {
        return Err(Error::UnknownMetric(metric.to_owned()));
    }
    Ok(())
}

impl SeriesName {
    fn resolve(&self, index: usize, registry: &mut Registry) -> Result<SeriesRef, Error> {
        known_metric(&self.metric)?;
        Ok(SeriesRef { entity: self.entity(index, registry)?, metric: self.metric.clone() })
    }

    /// What a client would write to ask for this very series.
    fn of(series: &SeriesRef) -> Self {
        let entity = &series.entity;
        let kind = entity.kind();
        let own = |value: Option<&str>| value.map(str::to_owned);
        let inside = |kinds: &[EntityKind]| !kinds.contains(&kind);
        let whole = [EntityKind::Cluster];
        Self {
            kind: kind.name().to_owned(),
            metric: series.metric.clone(),
            name: inside(&whole).then(|| entity.name().to_owned()),
            namespace: own(entity.namespace()).filter(|_| inside(&[EntityKind::Namespace])),
            pod: own(entity.pod()).filter(|_| inside(&[EntityKind::Pod])),
            node: own(entity.node()).filter(|_| inside(&[EntityKind::Node])),
            container: own(entity.container())
                .filter(|_| inside(&[EntityKind::Container, EntityKind::SystemContainer])),
            workload_kind: (kind == EntityKind::Workload).then(|| entity.variant().to_owned()),
            model: (kind == EntityKind::Accelerator).then(|| entity.variant().to_owned()),
        }
    }

    fn entity(&self, index: usize, registry: &mut Registry) -> Result<Arc<Entity>, Error> {
        let kind = kind_named(&self.kind)?;
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
            select: None,
            of: None,
            unit: unit.name(),
            avg: numbers(values.avg),
            min: min.map(numbers),
            max: max.map(numbers),
        }
    }
}
