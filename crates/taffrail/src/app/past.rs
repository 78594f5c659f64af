//! What the historical API is asked of: the store on disk, or the InfluxDB that
//! `--historical-source` names.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};

use api::{Past, PastAnswer, PastNames, PastValues, PastWanted};
use model::{Context, Entity, EntityKind, Timestamp, Value, ValueType};
use sinks::InfluxReader;
use store::{Labels, Matcher, Query, Store, Values};
use tokio::task::spawn_blocking;

use crate::config::Config;
use crate::exit::Failure;
use crate::outputs;

/// The only kind of sink that can be read.
const INFLUXDB: &str = "influxdb";

/// What `config` names; without `--historical-source` the store, if there is one.
pub(super) fn past(
    config: &Config,
    store: Option<&Arc<Store>>,
) -> Result<Option<Arc<dyn Past>>, Failure> {
    let Some(source) = &config.historical_source else {
        return Ok(store.map(|store| Arc::new(StorePast(Arc::downgrade(store))) as Arc<dyn Past>));
    };
    let mistake = |reason: String| {
        Failure::config(format!("--historical-source={}: {reason}", sinks::redact(source)))
    };
    let (key, settings) = outputs::parse(source).map_err(mistake)?;
    if key != INFLUXDB {
        let reason = "give the influxdb:… of one of the sinks, or nothing for our own history";
        return Err(mistake(format!("{key} cannot be asked for the past: {reason}")));
    }
    let reader = InfluxReader::new(settings).map_err(|error| mistake(error.to_string()))?;
    Ok(Some(Arc::new(InfluxPast(Arc::new(reader)))))
}

struct InfluxPast(Arc<InfluxReader>);

impl Past for InfluxPast {
    fn values(&self, wanted: PastWanted) -> PastAnswer<PastValues> {
        let reader = Arc::clone(&self.0);
        Box::pin(async move {
            let PastWanted { entity, metric, start, end } = wanted;
            reader.values(&entity, &metric, start, end).await
        })
    }

    fn names(&self, of: PastNames) -> PastAnswer<BTreeSet<String>> {
        let reader = Arc::clone(&self.0);
        Box::pin(async move {
            match of {
                PastNames::Metrics(entity) => reader.metrics(&entity).await,
                PastNames::Nodes => reader.tag_values("nodename", &[("type", "node")]).await,
                PastNames::Namespaces => {
                    reader.tag_values("namespace_name", &[("type", "ns")]).await
                }
                PastNames::Pods { namespace } => {
                    let tags = [("type", "pod"), ("namespace_name", &*namespace)];
                    reader.tag_values("pod_name", &tags).await
                }
                PastNames::Containers { namespace, pod } => {
                    let tags = [
                        ("type", "pod_container"),
                        ("namespace_name", &*namespace),
                        ("pod_name", &*pod),
                    ];
                    reader.tag_values("container_name", &tags).await
                }
                PastNames::SystemContainers { node } => {
                    let tags = [("type", "sys_container"), ("nodename", &*node)];
                    reader.tag_values("container_name", &tags).await
                }
            }
        })
    }
}

/// Weak, so that a question under way does not keep the store's folder.
struct StorePast(Weak<Store>);

impl StorePast {
    fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Store) -> Result<T, store::Error> + Send + 'static,
    ) -> PastAnswer<T> {
        let store = self.0.upgrade();
        Box::pin(async move {
            let store = store.ok_or("history is being closed")?;
            let asked = spawn_blocking(move || ask(&store).map_err(|error| error.to_string()));
            asked.await.map_err(|error| error.to_string())?
        })
    }
}

impl Past for StorePast {
    fn values(&self, wanted: PastWanted) -> PastAnswer<PastValues> {
        self.ask(move |store| values(store, &wanted))
    }

    fn names(&self, of: PastNames) -> PastAnswer<BTreeSet<String>> {
        self.ask(move |store| names(store, &of))
    }
}

/// Everything that there is.
const FROM: Timestamp = Timestamp::from_secs(0);
const TO: Timestamp = Timestamp::from_secs(i64::MAX / 2_000_000_000);

/// What an entity is found by, wherever it ran.
fn matchers(entity: &Entity) -> Vec<Matcher> {
    let labels = Labels::of(entity, &Context::default());
    labels.iter().map(|(name, value)| Matcher::equal(name, value)).collect()
}

fn values(store: &Store, wanted: &PastWanted) -> Result<PastValues, store::Error> {
    let columns = [&*wanted.metric];
    let selection = store.select(&Query {
        kind: wanted.entity.kind(),
        matchers: &matchers(&wanted.entity),
        columns: &columns,
        from: Timestamp::from_millis(wanted.start.millis().saturating_add(1)),
        to: Timestamp::from_nanos(wanted.end.nanos().saturating_sub(1)),
        step: None,
    })?;
    let float =
        matches!(selection.columns().first(), Some(head) if head.value == Some(ValueType::Float));
    let times = Arc::clone(selection.times());
    let mut found = PastValues::new();
    for slice in selection {
        let Some(Values::Raw(values)) = slice.columns.first() else { continue };
        let times = times.get(slice.start..).unwrap_or_default();
        for (time, value) in times.iter().zip(values).filter(|(_, value)| !value.is_nan()) {
            let value = Value::Float(*value);
            let value = if float { value } else { Value::Int(value.as_i64()) };
            found.push((Timestamp::from_millis(*time), value));
        }
    }
    // A pod that moved is stored once for each of its nodes.
    found.sort_by_key(|(time, _)| *time);
    found.dedup_by_key(|(time, _)| *time);
    Ok(found)
}

fn names(store: &Store, of: &PastNames) -> Result<BTreeSet<String>, store::Error> {
    let values = |kind, label: &str, matchers: &[Matcher]| {
        let found = store.label_values(Some(kind), label, matchers, FROM, TO)?;
        Ok(found.iter().map(ToString::to_string).collect())
    };
    match of {
        PastNames::Nodes => values(EntityKind::Node, "node", &[]),
        PastNames::Namespaces => values(EntityKind::Namespace, "namespace", &[]),
        PastNames::Pods { namespace } => {
            values(EntityKind::Pod, "pod", &[Matcher::equal("namespace", namespace)])
        }
        PastNames::Containers { namespace, pod } => {
            let of_pod = [Matcher::equal("namespace", namespace), Matcher::equal("pod", pod)];
            values(EntityKind::Container, "container", &of_pod)
        }
        PastNames::SystemContainers { node } => {
            values(EntityKind::SystemContainer, "container", &[Matcher::equal("node", node)])
        }
        PastNames::Metrics(entity) => metrics(store, entity),
    }
}

/// The metrics of Heapster's that `entity` had in what is kept.
fn metrics(store: &Store, entity: &Entity) -> Result<BTreeSet<String>, store::Error> {
    let kind = entity.kind();
    let names = store.metric_names(kind, FROM, TO)?;
    let listed = |name: &str| {
        model::lookup(name).is_none_or(|id| model::descriptor(id).heapster.contains(kind))
    };
    let columns: Vec<&str> = names.iter().map(|name| &**name).filter(|name| listed(name)).collect();
    let (mut newest, matchers) = (BTreeSet::new(), matchers(entity));
    for last in store.last(kind, &matchers, &columns, FROM)? {
        let had = columns.iter().zip(last.values).filter(|(_, value)| value.is_some());
        newest.extend(had.map(|(name, _)| (*name).to_owned()));
    }
    Ok(newest)
}
