//! The store as the API's archive.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use model::{Context, Entity, EntityKind, Event, Registry, Timestamp};
use query::promql::MatchOp;
use query::{Archive, ArchiveError, Cancel, EventsAsked, LabelMatch, SeriesRef, Strip};
use store::{EventQuery, Labels, Matcher, Query, Selection, Store, Values};

/// Most values that one read may take from the store: some seconds of one core.
const MAX_VALUES: u64 = 200_000_000;

/// What the store keeps.
pub(crate) struct StoredArchive(pub(crate) Arc<Store>);

impl Archive for StoredArchive {
    fn reach(&self) -> Option<(Timestamp, Timestamp)> {
        self.0.reach()
    }

    fn ticks(&self, from: Timestamp, to: Timestamp) -> Result<Vec<i64>, ArchiveError> {
        let kind = EntityKind::Cluster;
        let query = Query { kind, matchers: &[], columns: &[], from, to, step: None };
        Ok(self.0.select_entities(&query).map_err(failed)?.times().to_vec())
    }

    fn resolution(&self, step: Duration) -> Option<Duration> {
        self.0.resolution(step)
    }

    fn read(
        &self,
        series: &[SeriesRef],
        (from, to): (Timestamp, Timestamp),
        step: Option<Duration>,
        cancel: &Cancel,
        each: &mut dyn FnMut(usize, Strip<'_>),
    ) -> Result<(), ArchiveError> {
        let mut groups: BTreeMap<(usize, &str), Vec<usize>> = BTreeMap::new();
        for (at, one) in series.iter().enumerate() {
            groups.entry((one.entity.kind().index(), &*one.metric)).or_default().push(at);
        }
        for ((kind, metric), members) in groups {
            cancel.check()?;
            let Some(kind) = EntityKind::ALL.get(kind).copied() else { continue };
            let wanted = Wanted::new(series, &members);
            let matchers = wanted.matchers();
            let columns = [metric];
            let query = Query { kind, matchers: &matchers, columns: &columns, from, to, step };
            let selection = self.0.select(&query).map_err(failed)?;
            affordable(&selection)?;
            hand_over(selection, &wanted, cancel, each)?;
        }
        Ok(())
    }

    fn entities(
        &self,
        kind: EntityKind,
        matches: &[LabelMatch],
        (from, to): (Timestamp, Timestamp),
    ) -> Result<Vec<Arc<Entity>>, ArchiveError> {
        let conditions = matches.iter().map(matcher).collect::<Result<Vec<_>, _>>()?;
        let conditions = &conditions[..];
        let query = Query { kind, matchers: conditions, columns: &[], from, to, step: None };
        let selection = self.0.select_entities(&query).map_err(failed)?;
        let mut registry = Registry::default();
        let mut known = BTreeSet::new();
        let mut found = Vec::with_capacity(selection.entities().len());
        for labels in selection.entities() {
            // A pod that moved is two stored entities and one here.
            let Some(entity) = entity(labels, &mut registry) else { continue };
            if known.insert(Arc::as_ptr(&entity)) {
                found.push(entity);
            }
        }
        Ok(found)
    }

    fn events(&self, asked: &EventsAsked, limit: usize) -> Result<Vec<Event>, ArchiveError> {
        let query = EventQuery {
            from: asked.from,
            to: asked.to,
            namespaces: &asked.namespaces,
            object_kind: asked.object_kind.as_deref(),
            object_name: asked.object_name.as_deref(),
            object_uid: None,
            reason: asked.reason.as_deref(),
            event_type: asked.event_type.as_deref(),
            text: asked.text.as_deref(),
            limit,
        };
        self.0.search_events(&query).map_err(failed)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err hands over")]
fn failed(error: store::Error) -> ArchiveError {
    ArchiveError::Failed(error.to_string())
}

fn affordable(selection: &Selection) -> Result<(), ArchiveError> {
    let values = selection.entities().len() as u64 * selection.times().len() as u64;
    if values > MAX_VALUES {
        return Err(ArchiveError::TooMuch { values, most: MAX_VALUES });
    }
    Ok(())
}

fn hand_over(
    selection: Selection,
    wanted: &Wanted,
    cancel: &Cancel,
    each: &mut dyn FnMut(usize, Strip<'_>),
) -> Result<(), ArchiveError> {
    let times = Arc::clone(selection.times());
    for slice in selection {
        cancel.check()?;
        let Some(values) = slice.columns.first().filter(|values| !values.is_empty()) else {
            continue;
        };
        let times = times.get(slice.start..).unwrap_or_default();
        let strip = match values {
            Values::Raw(values) => Strip::Raw { times, values },
            Values::Buckets(all) => Strip::Buckets {
                times: times.get(..all.count.len()).unwrap_or_default(),
                min: &all.min,
                max: &all.max,
                sum: &all.sum,
                count: &all.count,
            },
        };
        for at in wanted.positions(&slice.labels) {
            each(*at, strip);
        }
    }
    Ok(())
}

/// The series of one kind and metric, found by labels.
struct Wanted {
    /// By labels without the node where the entity does not say one.
    by_key: HashMap<String, Vec<usize>>,
    /// Labels that all have, with their values.
    common: BTreeMap<String, BTreeSet<String>>,
}

impl Wanted {
    fn new(series: &[SeriesRef], members: &[usize]) -> Self {
        let mut by_key: HashMap<String, Vec<usize>> = HashMap::new();
        let mut common: Option<BTreeMap<String, BTreeSet<String>>> = None;
        for at in members {
            let Some(one) = series.get(*at) else { continue };
            let labels = Labels::of(&one.entity, &Context::default());
            by_key.entry(key(&labels, true)).or_default().push(*at);
            let mut held = common.take().unwrap_or_else(|| {
                labels.iter().map(|(name, _)| (name.to_owned(), BTreeSet::new())).collect()
            });
            held.retain(|name, _| labels.get(name).is_some());
            for (name, values) in &mut held {
                values.extend(labels.get(name).map(str::to_owned));
            }
            common = Some(held);
        }
        Self { by_key, common: common.unwrap_or_default() }
    }

    fn matchers(&self) -> Vec<Matcher> {
        let matcher = |(name, values): (&String, &BTreeSet<String>)| match values.first() {
            Some(only) if values.len() == 1 => Matcher::equal(name, only),
            _ => Matcher::one_of(name, values.iter().map(String::as_str)),
        };
        self.common.iter().map(matcher).collect()
    }

    fn positions(&self, labels: &Labels) -> &[usize] {
        let whole = self.by_key.get(&key(labels, true));
        whole.or_else(|| self.by_key.get(&key(labels, false))).map_or(&[], Vec::as_slice)
    }
}

fn key(labels: &Labels, with_node: bool) -> String {
    let mut key = String::new();
    for (name, value) in labels.iter().filter(|(name, _)| with_node || *name != "node") {
        key.push_str(name);
        key.push('\0');
        key.push_str(value);
        key.push('\0');
    }
    key
}

/// A condition as the store takes it.
pub(crate) fn matcher(wanted: &LabelMatch) -> Result<Matcher, ArchiveError> {
    let (name, value) = (&*wanted.name, &*wanted.value);
    match wanted.op {
        MatchOp::Equal => Ok(Matcher::equal(name, value)),
        MatchOp::NotEqual => Ok(Matcher::not_equal(name, value)),
        MatchOp::Matches => Matcher::matches(name, value).map_err(failed),
        MatchOp::MatchesNot => Matcher::not_matches(name, value).map_err(failed),
    }
}

/// The entity that has these labels.
fn entity(labels: &Labels, registry: &mut Registry) -> Option<Arc<Entity>> {
    let get = |name: &str| labels.get(name);
    let pod = |registry: &mut Registry| Some(registry.pod(get("namespace")?, get("pod")?, ""));
    let owner = |registry: &mut Registry| {
        if get("pod").is_some() {
            let pod = pod(registry)?;
            return Some(registry.container(&pod, get("container")?));
        }
        let node = registry.node(get("node")?);
        Some(match get("container") {
            Some(container) => registry.system_container(&node, container),
            None => node,
        })
    };
    Some(match labels.kind() {
        EntityKind::Cluster => registry.cluster(),
        EntityKind::Namespace => registry.namespace(get("namespace")?),
        EntityKind::Node => registry.node(get("node")?),
        EntityKind::Pod => pod(registry)?,
        EntityKind::Workload => {
            registry.workload(get("namespace")?, get("workload_type")?, get("workload")?)
        }
        EntityKind::Container => {
            let pod = pod(registry)?;
            registry.container(&pod, get("container")?)
        }
        EntityKind::SystemContainer => {
            let node = registry.node(get("node")?);
            registry.system_container(&node, get("container")?)
        }
        EntityKind::Volume => {
            let pod = pod(registry)?;
            registry.part(EntityKind::Volume, &pod, &format!("Volume:{}", get("volume")?))
        }
        kind @ (EntityKind::Filesystem | EntityKind::Disk) => {
            let owner = owner(registry)?;
            registry.part(kind, &owner, get("device")?)
        }
        EntityKind::Accelerator => {
            let owner = owner(registry)?;
            let model = format!("{}/{}", get("make")?, get("model").unwrap_or(""));
            registry.accelerator(&owner, &model, get("acc_id")?)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_is_found_again_by_its_labels() {
        let mut registry = Registry::default();
        let node = registry.node("n1");
        let pod = registry.pod("shop", "web-1", "u");
        let container = registry.container(&pod, "app");
        let all = [
            registry.cluster(),
            registry.namespace("shop"),
            registry.workload("shop", "Deployment", "web"),
            registry.system_container(&node, "kubelet"),
            registry.part(EntityKind::Volume, &pod, "Volume:data"),
            registry.part(EntityKind::Filesystem, &container, "rootfs"),
            registry.part(EntityKind::Disk, &node, "sda"),
            registry.accelerator(&node, "nvidia/t4", "0"),
            node,
            pod,
            container,
        ];
        for one in all {
            let labels = Labels::of(&one, &Context::default());
            assert_eq!(entity(&labels, &mut Registry::default()).as_deref(), Some(&*one));
        }
    }
}
