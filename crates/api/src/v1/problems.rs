//! `GET /problems`: pods that do not run as they should, the worst first, each with its reason.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use http::Uri;
use model::{
    Batch, ContainerState, ContainerStatus, EntityKind, Inventory, Pod, Ready, Termination,
    Timestamp, Value, metric,
};
use serde::Serialize;

use super::cell::{Number, Row, millis};
use super::containers::{End, end_of};
use super::list::{Key, List, Page, Sort, is};
use super::pods::{STARTING, WorkloadName, reason, restarts};
use super::respond;
use crate::ApiState;
use crate::error::Error;

/// How long a pod may take to start, or be not ready, before that is a problem.
const PATIENCE: Duration = Duration::from_mins(5);
/// How long after it an end for want of memory is told.
const TOLD: Duration = Duration::from_hours(1);
/// Share of a limit from which a container is over it, as in the built-in rules.
const OVER: f64 = 0.95;
/// Share of throttled periods from which that is a problem, as in the built-in rules.
const THROTTLED: f64 = 0.25;
/// Over how long throttled periods are counted.
const THROTTLED_OVER: Duration = Duration::from_mins(5);
/// Why a container waits whose image does not come.
const IMAGE: [&str; 6] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "ImageInspectError",
    "RegistryUnavailable",
];

/// What is wrong, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
enum Problem {
    CrashLoop,
    ImagePull,
    CannotStart,
    Pending,
    OomKilled,
    NotReady,
    OverMemory,
    OverCpu,
    Throttled,
    Failed,
}

#[derive(Debug, Serialize)]
struct Answer {
    #[serde(flatten)]
    list: List<Item>,
    /// Pods by problem, those of other pages too.
    counts: BTreeMap<Problem, usize>,
}

#[derive(Debug, Serialize)]
struct Item {
    namespace: String,
    name: String,
    node: Option<String>,
    workload: Option<WorkloadName>,
    problem: Problem,
    /// The container that has it; of some the pod as a whole.
    container: Option<String>,
    /// The word of the API server for it; may be empty.
    reason: String,
    /// How the container ended last.
    last: Option<End>,
    /// Of the limit, or of the periods that were throttled: between 0 and 1, and beyond.
    share: Option<Number>,
    /// Since when, where that is known.
    since: Option<i64>,
    restarts: Option<u32>,
}

/// What one pod suffers from.
#[derive(Debug, Clone, PartialEq)]
struct Found {
    problem: Problem,
    container: Option<String>,
    reason: String,
    last: Option<Termination>,
    share: Option<f64>,
    since: Option<Timestamp>,
}

impl Found {
    fn new(problem: Problem, reason: &str) -> Self {
        let reason = reason.to_owned();
        Self { problem, container: None, reason, last: None, share: None, since: None }
    }

    fn of(status: &ContainerStatus, problem: Problem, reason: &str) -> Self {
        let last = end_of(status).cloned();
        let since = last.as_ref().map(|end| end.finished).filter(|at| !at.is_never());
        let container = Some(status.name.to_string());
        Self { container, last, since, ..Self::new(problem, reason) }
    }
}

pub(crate) async fn problems(State(state): State<Arc<ApiState>>, uri: Uri) -> Response {
    respond(gather(&state, uri.query().unwrap_or("")))
}

type Name<'a> = (&'a str, &'a str);

fn gather(state: &ApiState, query: &str) -> Result<Answer, Error> {
    let page = Page::parse(query, &[Sort::Name], &["namespace", "node"])?;
    let batches = state.window.batches();
    let batch = batches.last().map(|batch| &**batch);
    let inventory = state.inventory.read().unwrap_or_else(PoisonError::into_inner);
    let mut found = stated(&inventory, state.now());
    if let Some(batch) = batch {
        let from = batch.timestamp().minus(THROTTLED_OVER);
        let before = batches.iter().find(|one| one.timestamp() >= from);
        measured(batch, before.map_or(batch, |one| &**one), &inventory, &mut found);
    }
    let node =
        |(namespace, name): &Name<'_>| inventory.pod(namespace, name).map_or("", |pod| &*pod.node);
    let shown = |name: &Name<'_>| {
        page.filter.namespace(name.0) && is(&page.filter.nodes, node(name)) && page.shows(name.1)
    };
    let all: Vec<(Name<'_>, Found)> = found.into_iter().filter(|(name, _)| shown(name)).collect();
    let mut counts: BTreeMap<Problem, usize> = BTreeMap::new();
    for (_, one) in &all {
        *counts.entry(one.problem).or_default() += 1;
    }
    let value = |(_, one): &(Name<'_>, Found)| Some(Key::Number(order(one)));
    let (total, shown) = page.of(all, value, |left, right| by_name(left.0, right.0));
    let items = shown.into_iter().map(|(name, one)| item(&inventory, name, one)).collect();
    Ok(Answer { list: List::new(batch.map(Batch::timestamp), total, items), counts })
}

fn by_name(left: Name<'_>, right: Name<'_>) -> Ordering {
    (left.1, left.0).cmp(&(right.1, right.0))
}

/// The worst first, of equal ones the newest. Times in milliseconds stay below the step between
/// two problems for three hundred years.
fn order(found: &Found) -> f64 {
    let since = found.since.map_or(0, Timestamp::millis);
    Value::Int(found.problem as i64 * 10_000_000_000_000 - since).as_f64()
}

fn item(inventory: &Inventory, (namespace, name): Name<'_>, found: Found) -> Item {
    let pod = inventory.pod(namespace, name);
    Item {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        node: pod.map(|pod| pod.node.to_string()).filter(|node| !node.is_empty()),
        workload: pod.and_then(|pod| inventory.top_owner(pod)).map(WorkloadName::from),
        problem: found.problem,
        container: found.container,
        reason: found.reason,
        last: found.last.as_ref().map(End::from),
        share: found.share.map(Number),
        since: found.since.and_then(millis),
        restarts: pod.map(|pod| restarts(pod)),
    }
}

/// What the objects say.
fn stated(inventory: &Inventory, now: Timestamp) -> HashMap<Name<'_>, Found> {
    inventory
        .pods()
        .filter_map(|pod| Some(((&*pod.namespace, &*pod.name), of_pod(pod, now)?)))
        .collect()
}

/// The worst that a pod's object says of it.
fn of_pod(pod: &Pod, now: Timestamp) -> Option<Found> {
    if &*pod.phase == "Succeeded" || !pod.deleted.is_never() {
        return None;
    }
    if &*pod.phase == "Failed" {
        let ended = pod.statuses.iter().find_map(|status| match &status.state {
            ContainerState::Terminated(end) if end.exit_code != 0 => Some((status, end)),
            _ => None,
        });
        return Some(match ended {
            Some((status, end)) if pod.reason.is_empty() => {
                Found::of(status, Problem::Failed, &end.reason)
            }
            _ => Found::new(Problem::Failed, reason(pod)),
        });
    }
    let of_containers = pod.statuses.iter().filter_map(|status| of_container(status, now));
    let worst = of_containers.min_by_key(|found| found.problem);
    worst.into_iter().chain(of_whole(pod, now)).min_by_key(|found| found.problem)
}

fn of_container(status: &ContainerStatus, now: Timestamp) -> Option<Found> {
    if let ContainerState::Waiting(why) = &status.state {
        let problem = match &**why {
            "" => None,
            "CrashLoopBackOff" => Some(Problem::CrashLoop),
            why if IMAGE.contains(&why) => Some(Problem::ImagePull),
            why if STARTING.contains(&why) => None,
            _ => Some(Problem::CannotStart),
        };
        if let Some(problem) = problem {
            return Some(Found::of(status, problem, why));
        }
    }
    let starved =
        |end: &&Termination| &*end.reason == "OOMKilled" && now.since(end.finished) < TOLD;
    end_of(status).filter(starved).map(|end| Found::of(status, Problem::OomKilled, &end.reason))
}

/// What is wrong with a pod, whatever its containers say.
fn of_whole(pod: &Pod, now: Timestamp) -> Option<Found> {
    let late = |since: Timestamp| !since.is_never() && now.since(since) > PATIENCE;
    match &*pod.phase {
        "Pending" if late(pod.created) => {
            let since = Some(pod.created);
            Some(Found { since, ..Found::new(Problem::Pending, reason(pod)) })
        }
        "Running" if pod.ready == Ready::No && late(pod.started) => {
            Some(Found::new(Problem::NotReady, reason(pod)))
        }
        _ => None,
    }
}

/// Adds containers over their limits; a pod keeps the worst of what it suffers from.
fn measured<'a>(
    batch: &'a Batch,
    before: &Batch,
    inventory: &Inventory,
    found: &mut HashMap<Name<'a>, Found>,
) {
    let table = batch.table(EntityKind::Container);
    for (at, entity) in table.entities().iter().enumerate() {
        let name = (entity.namespace().unwrap_or_default(), entity.pod().unwrap_or_default());
        // A pod that the watches knew then and no longer know is gone.
        if table.context(at).pod.is_some() && inventory.pod(name.0, name.1).is_none() {
            continue;
        }
        let row = Row(Some((table, at)));
        let over = |part, whole| row.share(part, whole).filter(|share| *share > OVER);
        let memory = over(metric::MEMORY_WORKING_SET, metric::MEMORY_LIMIT);
        let throttled = || throttled(row, Row(before.find(entity)));
        let cpu = || over(metric::CPU_USAGE_RATE, metric::CPU_LIMIT);
        let worst = memory
            .map(|share| (Problem::OverMemory, share))
            .or_else(|| cpu().map(|share| (Problem::OverCpu, share)))
            .or_else(|| throttled().map(|share| (Problem::Throttled, share)));
        let Some((problem, share)) = worst else { continue };
        let replaces = |held: &Found| {
            problem < held.problem || (problem == held.problem && held.share < Some(share))
        };
        if found.get(&name).is_none_or(replaces) {
            let container = Some(entity.name().to_owned());
            let one = Found { container, share: Some(share), ..Found::new(problem, "") };
            found.insert(name, one);
        }
    }
}

/// Share of the periods since `before` in which the limit throttled, if that is a problem.
fn throttled(now: Row<'_>, before: Row<'_>) -> Option<f64> {
    let grown = |counter| {
        let (Number(now), Number(before)) = (now.get(counter)?, before.get(counter)?);
        (now >= before).then_some(now - before)
    };
    let (hit, all) = (grown(metric::CPU_CFS_THROTTLED_PERIODS)?, grown(metric::CPU_CFS_PERIODS)?);
    (all > 0.0).then(|| hit / all).filter(|share| *share > THROTTLED)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_795_425_600);

    fn status(state: ContainerState, last: Option<(&str, i64)>) -> ContainerStatus {
        let end = |(reason, ago): (&str, i64)| Termination {
            reason: reason.into(),
            exit_code: 1,
            finished: Timestamp::from_secs(NOW.secs() - ago),
        };
        let last_termination = last.map(|last| Box::new(end(last)));
        ContainerStatus { name: "app".into(), state, last_termination, ..Default::default() }
    }

    fn check(pod: &Pod, expected: Option<(Problem, &str)>) {
        let found = of_pod(pod, NOW);
        let found = found.as_ref().map(|one| (one.problem, &*one.reason));
        assert_eq!(found, expected, "{pod:?}");
    }

    #[test]
    fn objects_tell_what_is_wrong() {
        let waiting = |reason: &str| ContainerState::Waiting(reason.into());
        let running = || ContainerState::Running(NOW);
        let ago = |secs: i64| Timestamp::from_secs(NOW.secs() - secs);
        let pod = |phase: &str, statuses: Vec<ContainerStatus>| Pod {
            phase: phase.into(),
            created: ago(3600),
            started: ago(3600),
            ready: Ready::Yes,
            statuses: statuses.into(),
            ..Pod::default()
        };
        check(&pod("Running", vec![status(running(), None)]), None);
        let crash = status(waiting("CrashLoopBackOff"), Some(("OOMKilled", 30)));
        check(&pod("Running", vec![crash]), Some((Problem::CrashLoop, "CrashLoopBackOff")));
        let starved = |ago| vec![status(running(), Some(("OOMKilled", ago)))];
        check(&pod("Running", starved(30)), Some((Problem::OomKilled, "OOMKilled")));
        check(&pod("Running", starved(3601)), None);
        let image = || vec![status(waiting("ErrImagePull"), None)];
        check(&pod("Pending", image()), Some((Problem::ImagePull, "ErrImagePull")));
        let config = vec![status(waiting("CreateContainerConfigError"), None)];
        let cannot = (Problem::CannotStart, "CreateContainerConfigError");
        check(&pod("Pending", config), Some(cannot));
        check(&pod("Pending", Vec::new()), Some((Problem::Pending, "")));
        check(&Pod { created: ago(299), ..pod("Pending", Vec::new()) }, None);
        let unready = |since| Pod { ready: Ready::No, started: since, ..pod("Running", vec![]) };
        check(&unready(ago(301)), Some((Problem::NotReady, "")));
        check(&unready(ago(299)), None);
        check(&Pod { deleted: NOW, ..pod("Pending", image()) }, None);
        check(&pod("Succeeded", starved(1)), None);
        let evicted = Pod { reason: "Evicted".into(), ..pod("Failed", Vec::new()) };
        check(&evicted, Some((Problem::Failed, "Evicted")));
    }

    #[test]
    fn the_worst_comes_first_and_of_equal_ones_the_newest() {
        let since = |problem, secs| Found {
            since: Some(Timestamp::from_secs(secs)),
            ..Found::new(problem, "")
        };
        let sorted = [
            since(Problem::CrashLoop, 9_000_000_000),
            since(Problem::CrashLoop, 1),
            Found::new(Problem::CrashLoop, ""),
            since(Problem::ImagePull, 9_000_000_000),
            Found::new(Problem::Failed, ""),
        ];
        assert!(sorted.iter().map(order).is_sorted());
    }
}
