//! `/api/v1/model`: names and recent values of what Heapster modelled.
//!
//! Knows the window and the shapes; which path asks for what stands in `routes.rs`.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::Request;
use model::{
    Batch, Entity, EntityKind, Metric, Registry, Table, Timestamp, Value, descriptor, metric,
};
use serde::{Serialize, Serializer};

use super::routes::{Ask, Of, find};
use super::{gojson, gotime, json};
use crate::ApiState;
use crate::error::Error;
use crate::limits::{MAX_MODEL_POINTS, hit};
use crate::observe::Handler;
use crate::request::{pairs, target};

/// How far answers reach without `start` for the two metrics that Heapster kept longer.
const LONG_HORIZON: Duration = Duration::from_mins(15);
/// How far answers reach without `start` for all others.
const SHORT_HORIZON: Duration = Duration::from_secs(140);

/// Old names that clients still ask for.
const ALIASES: [(&str, &str); 5] = [
    ("cpu-usage", "cpu/usage_rate"),
    ("cpu-limit", "cpu/limit"),
    ("memory-limit", "memory/limit"),
    ("memory-usage", "memory/usage"),
    ("memory-working", "memory/working_set"),
];

/// Answers any path of the model API.
pub(crate) async fn model(State(state): State<Arc<ApiState>>, request: Request<Body>) -> Response {
    state.callers.model.used(request.headers(), state.now());
    let (path, query) = target(&request);
    let rest = path.strip_prefix("/api/v1/model/").unwrap_or_default();
    let Some((route, taken)) = find(rest) else { return Error::NoModelPath.as_text() };
    let answer = answer(&state, route.ask, &taken, query);
    let mut response = answer.map_or_else(|error| error.as_text(), json);
    response.extensions_mut().insert(Handler(route.handler));
    response
}

fn answer(
    state: &ApiState,
    ask: Ask,
    taken: &[Cow<'_, str>],
    query: &str,
) -> Result<String, Error> {
    let latest = state.window.latest();
    let names = |find: &dyn Fn(&Batch) -> BTreeSet<String>| {
        gojson::pretty(&latest.as_deref().map(find).unwrap_or_default())
    };
    let take = |at: usize| taken.get(at).map_or("", AsRef::as_ref);
    Ok(match ask {
        Ask::NodeNames => names(&node_names),
        Ask::NamespaceNames => names(&|batch| named(batch, EntityKind::Namespace, |_| true)),
        Ask::PodNames => {
            names(&|batch| named(batch, EntityKind::Pod, |pod| pod.namespace() == Some(take(0))))
        }
        Ask::ContainerNames => names(&|batch| {
            named(batch, EntityKind::Container, |container| {
                container.pod() == Some(take(1)) && container.namespace() == Some(take(0))
            })
        }),
        Ask::SystemContainerNames => names(&|batch| {
            let node = node_name(Some(batch), take(0));
            named(batch, EntityKind::SystemContainer, |part| part.node() == Some(&*node))
        }),
        Ask::AllKeys => names(&all_keys),
        Ask::MetricNames(of) => {
            let entity = entity(&mut Registry::default(), latest.as_deref(), of, taken);
            gojson::pretty(&metric_names(state, &entity))
        }
        Ask::Values(of) => {
            let entity = entity(&mut Registry::default(), latest.as_deref(), of, taken);
            let question = Question::parse(taken, query)?;
            gojson::pretty(&question.ask(state, &mut Registry::default(), &entity))
        }
        Ask::PodListValues => {
            let question = Question::parse(taken, query)?;
            let (mut items, mut points) = (Vec::new(), 0);
            for name in take(1).split(',') {
                // A registry each: what a path of a megabyte names shall not add up.
                let mut registry = Registry::default();
                let pod = registry.pod(take(0), name, "");
                let item = question.ask(state, &mut registry, &pod);
                points += item.metrics.len();
                if points > MAX_MODEL_POINTS {
                    hit("model_points");
                    return Err(Error::TooManyPoints);
                }
                items.push(item);
            }
            gojson::compact(&PodList { items })
        }
    })
}

/// The nodes by hostname, as Heapster lists them; by name where two share a hostname.
fn node_names(batch: &Batch) -> BTreeSet<String> {
    let table = batch.table(EntityKind::Node);
    let mut names = BTreeSet::new();
    for (row, node) in table.entities().iter().enumerate() {
        let hostname = table.context(row).node.as_ref().map_or("", |node| &node.hostname);
        if hostname.is_empty() || !names.insert(hostname.to_owned()) {
            names.insert(node.name().to_owned());
        }
    }
    names
}

fn named(batch: &Batch, kind: EntityKind, keep: impl Fn(&Entity) -> bool) -> BTreeSet<String> {
    let entities = batch.table(kind).entities().iter();
    entities.filter(|entity| keep(entity)).map(|entity| entity.name().to_owned()).collect()
}

fn all_keys(batch: &Batch) -> BTreeSet<String> {
    let tables = batch.tables().iter().filter(|table| table.kind().heapster_type().is_some());
    tables.flat_map(Table::entities).map(ToString::to_string).collect()
}

/// The entity that a path names, measured or not.
pub(super) fn entity(
    registry: &mut Registry,
    latest: Option<&Batch>,
    of: Of,
    taken: &[Cow<'_, str>],
) -> Arc<Entity> {
    let take = |at: usize| taken.get(at).map_or("", AsRef::as_ref);
    match of {
        Of::Cluster => registry.cluster(),
        Of::Namespace => registry.namespace(take(0)),
        Of::Node => registry.node(&node_name(latest, take(0))),
        Of::Pod => registry.pod(take(0), take(1), ""),
        Of::Container => {
            let pod = registry.pod(take(0), take(1), "");
            registry.container(&pod, take(2))
        }
        Of::SystemContainer => {
            let node = registry.node(&node_name(latest, take(0)));
            registry.system_container(&node, take(1))
        }
    }
}

/// The name of the node that is called `asked`, or has that hostname; `asked` if there is none.
fn node_name<'a>(latest: Option<&'a Batch>, asked: &'a str) -> Cow<'a, str> {
    let Some(table) = latest.map(|batch| batch.table(EntityKind::Node)) else {
        return Cow::Borrowed(asked);
    };
    let nodes = table.entities();
    let is_hostname =
        |row: usize| table.context(row).node.as_ref().is_some_and(|node| *node.hostname == *asked);
    if nodes.iter().any(|node| node.name() == asked) {
        return Cow::Borrowed(asked);
    }
    let row = (0..table.len()).find(|row| is_hostname(*row));
    Cow::Borrowed(row.map_or(asked, |row| nodes[row].name()))
}

/// Heapster's metrics of `entity`, and those that the cluster itself named.
fn metric_names(state: &ApiState, entity: &Entity) -> BTreeSet<String> {
    let listed = |metric: &Metric| match metric {
        Metric::Known(id) => descriptor(*id).heapster.contains(entity.kind()),
        Metric::Custom { .. } => true,
    };
    let metrics = state.window.metrics_of(entity).into_iter();
    metrics.filter(listed).map(|metric| metric.name().to_owned()).collect()
}

/// Which metric, of which part of an entity, from when to when.
pub(super) struct Question {
    pub(super) metric: String,
    /// Pairs that name a labeled part; empty for the entity itself.
    labels: Vec<(String, String)>,
    pub(super) start: Option<Timestamp>,
    pub(super) end: Option<Timestamp>,
}

impl Question {
    /// From what a path took, the metric last, and the query string.
    pub(super) fn parse(taken: &[Cow<'_, str>], query: &str) -> Result<Self, Error> {
        let asked = taken.last().map_or("", AsRef::as_ref);
        let alias = ALIASES.iter().find(|(old, _)| *old == asked);
        let metric = alias.map_or(asked, |(_, name)| name).to_owned();
        let value = |key: &str| {
            let found = pairs(query).find(|(name, _)| name == key);
            found.map(|(_, value)| value).filter(|value| !value.is_empty())
        };
        let time = |key: &str| {
            let time = value(key).map(|text| gotime::parse(&text));
            time.transpose().map_err(Error::Time)
        };
        let start = time("start")?;
        let end = time("end")?;
        let labels = match value("labels") {
            Some(text) => label_pairs(&text)?,
            None => Vec::new(),
        };
        Ok(Self { metric, labels, start, end })
    }

    fn ask(&self, state: &ApiState, registry: &mut Registry, entity: &Arc<Entity>) -> MetricResult {
        let newest = state.window.history().map_or(Timestamp::NEVER, |(_, newest)| newest);
        let start = self.start.unwrap_or_else(|| {
            let kept_long = [metric::CPU_USAGE_RATE, metric::MEMORY_USAGE]
                .iter()
                .any(|id| descriptor(*id).name == self.metric);
            let horizon = if kept_long { LONG_HORIZON } else { SHORT_HORIZON };
            newest.minus(horizon).plus(Duration::from_nanos(1))
        });
        let end = self.end.unwrap_or(Timestamp::from_nanos(i64::MAX));
        let mut points = Vec::new();
        for entity in self.measured(registry, entity) {
            points = state.window.samples(&entity, self.source(state), start, end);
            if !points.is_empty() {
                break;
            }
        }
        MetricResult::of(points)
    }

    /// The metric whose values are shown.
    fn source(&self, state: &ApiState) -> &str {
        match self.metric.as_str() {
            "memory/usage" if state.options.dashboard_working_set => "memory/working_set",
            metric => metric,
        }
    }

    /// What carries the metric: the entity itself, or its parts that have exactly these labels.
    pub(super) fn measured(
        &self,
        registry: &mut Registry,
        entity: &Arc<Entity>,
    ) -> Vec<Arc<Entity>> {
        let label = |key: &str| {
            let found = self.labels.iter().find(|(name, _)| name == key);
            found.map(|(_, value)| value.as_str())
        };
        match self.labels.len() {
            0 => vec![Arc::clone(entity)],
            1 => {
                let Some(id) = label("resource_id") else { return Vec::new() };
                [EntityKind::Filesystem, EntityKind::Volume, EntityKind::Disk]
                    .map(|kind| registry.part(kind, entity, id))
                    .into()
            }
            3 => match (label("make"), label("model"), label("accelerator_id")) {
                (Some(make), Some(model), Some(id)) => {
                    let (plain, joined) = (make.to_owned(), format!("{make}/{model}"));
                    let variant = if model.is_empty() { plain } else { joined };
                    vec![registry.accelerator(entity, &variant, id)]
                }
                _ => Vec::new(),
            },
            _ => Vec::new(),
        }
    }
}

fn label_pairs(text: &str) -> Result<Vec<(String, String)>, Error> {
    let pair = |pair: &str| match pair.split_once(':') {
        Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
        None => Err(Error::LabelPair(pair.to_owned())),
    };
    text.split(',').map(pair).collect()
}

#[derive(Serialize)]
struct PodList {
    items: Vec<MetricResult>,
}

#[derive(Serialize)]
pub(super) struct MetricResult {
    metrics: Vec<MetricPoint>,
    #[serde(rename = "latestTimestamp")]
    latest_timestamp: Time,
}

impl MetricResult {
    /// Values by time.
    pub(super) fn of(points: Vec<(Timestamp, Value)>) -> Self {
        Self {
            latest_timestamp: Time(points.last().map_or(Timestamp::NEVER, |(time, _)| *time)),
            metrics: points.into_iter().map(MetricPoint::from).collect(),
        }
    }
}

#[derive(Serialize)]
struct MetricPoint {
    timestamp: Time,
    /// Unsigned, since old clients read it as such: floats truncated, negatives shown as 0.
    value: u64,
    /// The whole number behind a truncated `value`; HPA's old client prefers it.
    #[serde(rename = "floatValue", skip_serializing_if = "Option::is_none")]
    float_value: Option<f64>,
}

impl From<(Timestamp, Value)> for MetricPoint {
    fn from((timestamp, value): (Timestamp, Value)) -> Self {
        let float_value = match value {
            Value::Int(_) => None,
            Value::Float(value) => Some(value).filter(|value| value.is_finite()),
        };
        let value = u64::try_from(value.as_i64()).unwrap_or(0);
        Self { timestamp: Time(timestamp), value, float_value }
    }
}

/// A time as Go's JSON prints it.
#[derive(Clone, Copy)]
pub(super) struct Time(pub(super) Timestamp);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}
