//! `GET /sizing`: what containers used over days against what they ask for, and what would do.
//!
//! Pods of one workload are measured as one: what is right for a template has to be right for all
//! of its pods.

mod suggest;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use http::Uri;
use model::{Entity, EntityKind, Inventory, Registry, Timestamp, metric};
use once::Order as _;
use query::{Cancel, RangeAsked, SeriesRef};
use serde::Serialize;

use super::ask::ask;
use super::cell::{Number, Row, millis};
use super::respond;
use crate::ApiState;
use crate::error::Error;
use crate::limits::{DEFAULT_LIST_ITEMS, MAX_LIST_ITEMS, MAX_SELECTED, hit};
use crate::request::pairs;
use suggest::{Amount, Risk, Used};

/// Points that percentiles are taken of: over 14 days one is about an hour.
const POINTS: usize = 336;

/// What is read of every container.
const METRICS: [&str; 2] = ["cpu/usage_rate", "memory/working_set"];

const DAYS: [u64; 3] = [1, 7, 14];

#[derive(Debug, Serialize)]
struct Answer {
    timestamp: Option<i64>,
    /// What was read: from here to the newest batch. Later than asked where history is younger.
    from: Option<i64>,
    days: u64,
    total: usize,
    /// Of all containers that match, not of the page.
    waste: Waste,
    cluster: Commitment,
    items: Vec<Item>,
}

/// Asked for and not used: request less p95, times pods.
#[derive(Debug, Default, Serialize)]
struct Waste {
    cpu: Number,
    memory: Number,
}

/// Sums of the newest batch.
#[derive(Debug, Serialize)]
struct Commitment {
    cpu: Committed,
    memory: Committed,
}

#[derive(Debug, Serialize)]
struct Committed {
    request: Option<Number>,
    limit: Option<Number>,
    used: Option<Number>,
    allocatable: Option<Number>,
}

/// One container of one workload's template, or of a bare pod.
#[derive(Debug, Serialize)]
struct Item {
    namespace: String,
    kind: String,
    workload: String,
    container: String,
    pods: usize,
    restarts: u32,
    /// How often a container's last end was for want of memory.
    #[serde(rename = "oomKilled")]
    oom_killed: usize,
    cpu: Resource,
    memory: Resource,
    risk: Risk,
    #[serde(skip)]
    wasted: f64,
}

impl Item {
    /// The hours of CPU or of memory, whichever are more; below zero where nothing limits it.
    fn near_limit_hours(&self) -> f64 {
        let hours = [&self.cpu, &self.memory].map(|one| one.near_limit_hours);
        hours.into_iter().flatten().map(|one| one.0).fold(-1.0, f64::max)
    }
}

#[derive(Debug, Serialize)]
struct Resource {
    p50: Option<Number>,
    p95: Option<Number>,
    max: Option<Number>,
    request: Option<Number>,
    limit: Option<Number>,
    /// Request less p95, times pods; zero where more is used than asked for.
    waste: Option<Number>,
    /// For how many hours of the range it used at least 90 % of today's limit; of several pods,
    /// the one that did longest. `None` without a limit. See [`suggest::Samples::extend`].
    #[serde(rename = "nearLimitHours")]
    near_limit_hours: Option<Number>,
    #[serde(rename = "suggestedRequest")]
    suggested_request: Option<Number>,
    #[serde(rename = "suggestedLimit")]
    suggested_limit: Option<Number>,
    risk: Risk,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Waste,
    Risk,
    NearLimit,
    Name,
}

#[derive(Debug)]
struct Asked {
    days: u64,
    by: By,
    limit: usize,
    offset: usize,
    search: String,
    namespaces: Vec<String>,
}

pub(crate) async fn sizing(State(state): State<Arc<ApiState>>, uri: Uri) -> Response {
    match parse(uri.query().unwrap_or("")) {
        Ok(asked) => ask(&state, move |state, cancel| respond(gather(state, &asked, cancel))).await,
        Err(error) => error.as_json(),
    }
}

fn parse(query: &str) -> Result<Asked, Error> {
    let mut asked = Asked {
        days: 7,
        by: By::Waste,
        limit: DEFAULT_LIST_ITEMS,
        offset: 0,
        search: String::new(),
        namespaces: Vec::new(),
    };
    for (key, value) in pairs(query) {
        let wrong = |name: &'static str, takes: &str| Error::Parameter {
            name,
            value: value.to_string(),
            takes: takes.to_owned(),
        };
        match &*key {
            "days" => {
                let days = value.parse().ok().filter(|days| DAYS.contains(days));
                asked.days = days.ok_or_else(|| wrong("days", "1, 7 or 14"))?;
            }
            "sort" => {
                asked.by = match &*value {
                    "waste" => By::Waste,
                    "risk" => By::Risk,
                    "nearLimit" => By::NearLimit,
                    "name" => By::Name,
                    _ => return Err(wrong("sort", "waste, risk, nearLimit or name")),
                }
            }
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=MAX_LIST_ITEMS).contains(limit));
                asked.limit = limit.ok_or_else(|| Error::count("limit", &value))?;
            }
            "offset" => {
                asked.offset = value.parse().map_err(|_| wrong("offset", "a number from 0"))?;
            }
            "search" => asked.search = value.to_lowercase(),
            "namespace" if value.is_empty() => {}
            "namespace" => asked.namespaces.push(value.into_owned()),
            _ => return Err(Error::UnknownParameter(key.into_owned())),
        }
    }
    Ok(asked)
}

/// Namespace, kind, workload, container.
type Name = (String, String, String, String);

/// The containers of one template.
#[derive(Debug, Default)]
struct Group {
    containers: Vec<Arc<Entity>>,
    restarts: u32,
    oom_killed: usize,
    cpu: Amount,
    memory: Amount,
}

fn gather(state: &ApiState, asked: &Asked, cancel: &Cancel) -> Result<Answer, Error> {
    let latest = state.window.latest();
    let end = latest.as_deref().map_or_else(|| state.now(), model::Batch::timestamp);
    let start = end.minus(Duration::from_hours(24 * asked.days));
    let groups = {
        let inventory = state.inventory.read().unwrap_or_else(PoisonError::into_inner);
        groups(&inventory, asked)
    };
    let count: usize = groups.iter().map(|(_, group)| group.containers.len()).sum();
    if count * METRICS.len() > MAX_SELECTED {
        hit("query_selected");
        return Err(Error::TooManySelected(count * METRICS.len()));
    }
    let used = used(state, &groups, (start, end), cancel)?;
    let mut items: Vec<Item> = groups
        .into_iter()
        .zip(used)
        .map(|((name, group), used)| item(name, &group, &used))
        .collect();
    let mut waste = Waste::default();
    for item in &items {
        waste.cpu.0 += item.cpu.waste.map_or(0.0, |one| one.0);
        waste.memory.0 += item.memory.waste.map_or(0.0, |one| one.0);
    }
    share_waste(&mut items, &waste);
    items.order_by(|left, right| {
        let by = match asked.by {
            By::Waste => right.wasted.total_cmp(&left.wasted),
            By::Risk => right.risk.cmp(&left.risk),
            By::NearLimit => right.near_limit_hours().total_cmp(&left.near_limit_hours()),
            By::Name => std::cmp::Ordering::Equal,
        };
        let name =
            |item: &Item| (item.workload.clone(), item.container.clone(), item.namespace.clone());
        by.then_with(|| name(left).cmp(&name(right)))
    });
    let total = items.len();
    let items = items.into_iter().skip(asked.offset).take(asked.limit).collect();
    let kept = state.archive.as_ref().and_then(|archive| archive.reach());
    let live = state.window.history();
    let first = kept.into_iter().chain(live).map(|(first, _)| first).min();
    Ok(Answer {
        timestamp: latest.as_deref().map(|batch| batch.timestamp().millis()),
        from: first.and_then(|first| millis(first.max(start))),
        days: asked.days,
        total,
        waste,
        cluster: commitment(state),
        items,
    })
}

/// How much of all waste an item has, CPU and memory alike: cores and bytes cannot be added.
fn share_waste(items: &mut [Item], all: &Waste) {
    let part = |one: Option<Number>, all: Number| {
        one.filter(|_| all.0 > 0.0).map_or(0.0, |one| one.0 / all.0)
    };
    for item in items {
        item.wasted = part(item.cpu.waste, all.cpu) + part(item.memory.waste, all.memory);
    }
}

/// Containers of running pods by template.
fn groups(inventory: &Inventory, asked: &Asked) -> Vec<(Name, Group)> {
    let mut registry = Registry::default();
    let mut groups: HashMap<Name, Group> = HashMap::new();
    for pod in inventory.pods() {
        let in_namespace = asked.namespaces.is_empty()
            || asked.namespaces.iter().any(|one| *one == *pod.namespace);
        if !in_namespace || matches!(&*pod.phase, "Succeeded" | "Failed") {
            continue;
        }
        let (kind, workload): (&str, &str) = match inventory.top_owner(pod) {
            Some(owner) => (&owner.kind, &owner.name),
            None => ("Pod", &pod.name),
        };
        let entity = registry.pod(&pod.namespace, &pod.name, "");
        for spec in &pod.containers {
            let shown = |name: &str| name.to_lowercase().contains(&asked.search);
            if !shown(workload) && !shown(&spec.name) {
                continue;
            }
            let name: Name = (
                pod.namespace.to_string(),
                kind.to_owned(),
                workload.to_owned(),
                spec.name.to_string(),
            );
            let group = groups.entry(name).or_default();
            group.containers.push(registry.container(&entity, &spec.name));
            group.cpu = Amount::of(spec.requests.cpu_millicores, spec.limits.cpu_millicores);
            group.memory = Amount::of(spec.requests.memory_bytes, spec.limits.memory_bytes);
            if let Some(status) = pod.statuses.iter().find(|status| *status.name == *spec.name) {
                group.restarts += status.restart_count;
                let ended = status.last_termination.as_ref();
                group.oom_killed +=
                    usize::from(ended.is_some_and(|end| &*end.reason == "OOMKilled"));
            }
        }
    }
    let mut groups: Vec<(Name, Group)> = groups.into_iter().collect();
    groups.order_by(|left, right| left.0.cmp(&right.0));
    groups
}

/// CPU and memory of every group over the range.
fn used(
    state: &ApiState,
    groups: &[(Name, Group)],
    (start, end): (Timestamp, Timestamp),
    cancel: &Cancel,
) -> Result<Vec<[Used; 2]>, Error> {
    let named = |entity: &Arc<Entity>| {
        METRICS.map(|metric| SeriesRef { entity: Arc::clone(entity), metric: metric.to_owned() })
    };
    let series: Vec<SeriesRef> =
        groups.iter().flat_map(|(_, group)| group.containers.iter().flat_map(named)).collect();
    let asked = RangeAsked { series: &series, start, end, points: POINTS };
    let answer = state.window.joined(state.archive.as_deref(), &asked, cancel);
    let answer = answer.map_err(Error::Archive)?;
    let hours = answer.step.as_secs_f64() / 3600.0;
    let mut values = answer.series.into_iter();
    let mut found = Vec::with_capacity(groups.len());
    for (_, group) in groups {
        let near = [suggest::CPU.near_limit(group.cpu), suggest::MEMORY.near_limit(group.memory)];
        let mut both = near.map(|near| suggest::Samples::new(near, hours));
        for _ in &group.containers {
            for samples in &mut both {
                samples.extend(values.next());
            }
        }
        found.push(both.map(suggest::Samples::used));
    }
    Ok(found)
}

fn item((namespace, kind, workload, container): Name, group: &Group, used: &[Used; 2]) -> Item {
    let pods = group.containers.len();
    let cpu = resource(group.cpu, used[0], pods, suggest::CPU);
    let memory = resource(group.memory, used[1], pods, suggest::MEMORY);
    let risk = if group.oom_killed > 0 { Risk::NearLimit } else { cpu.risk.max(memory.risk) };
    Item {
        namespace,
        kind,
        workload,
        container,
        pods,
        restarts: group.restarts,
        oom_killed: group.oom_killed,
        cpu,
        memory,
        risk,
        wasted: 0.0,
    }
}

#[expect(clippy::cast_precision_loss, reason = "no template has 2^53 pods")]
fn resource(amount: Amount, used: Used, pods: usize, rules: suggest::Rules) -> Resource {
    let suggestion = suggest::suggest(amount, used, rules);
    let waste = suggest::wasted(amount, used).map(|one| one * pods as f64);
    Resource {
        p50: used.p50.map(Number),
        p95: used.p95.map(Number),
        max: used.max.map(Number),
        request: amount.request.map(Number),
        limit: amount.limit.map(Number),
        waste: waste.map(Number),
        near_limit_hours: used.near_hours.map(Number),
        suggested_request: suggestion.request.map(Number),
        suggested_limit: suggestion.limit.map(Number),
        risk: suggest::risk(amount, used, rules),
    }
}

fn commitment(state: &ApiState) -> Commitment {
    let latest = state.window.latest();
    let table = latest.as_deref().map(|batch| batch.table(EntityKind::Cluster));
    let row = Row(table.filter(|table| !table.is_empty()).map(|table| (table, 0)));
    Commitment {
        cpu: Committed {
            request: row.get(metric::CPU_REQUEST),
            limit: row.get(metric::CPU_LIMIT),
            used: row.get(metric::CPU_USAGE_RATE),
            allocatable: row.get(metric::CPU_NODE_ALLOCATABLE),
        },
        memory: Committed {
            request: row.get(metric::MEMORY_REQUEST),
            limit: row.get(metric::MEMORY_LIMIT),
            used: row.get(metric::MEMORY_WORKING_SET),
            allocatable: row.get(metric::MEMORY_NODE_ALLOCATABLE),
        },
    }
}
