//! Why there is no value: a pure function over inventory, recent batches and their targets.

use std::sync::Arc;
use std::time::Duration;

use model::{
    Batch, Entity, EntityKind, Inventory, Registry, Table, Target, TargetState, Timestamp, Value,
    descriptor, lookup,
};

use super::{metric, owned, pod};
use crate::state::Problem;

/// What a volume's `resource_id` begins with.
const VOLUME: &str = "Volume:";

/// What has no value. Without a metric the question is why the thing is not measured at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) kind: EntityKind,
    pub(super) namespace: String,
    /// Of a container or volume.
    pub(super) pod: String,
    pub(super) name: String,
    /// A workload's kind (`Deployment`).
    pub(super) workload: String,
    pub(super) metric: String,
    /// The time that is asked for; now without.
    pub(super) at: Option<Timestamp>,
}

/// What an answer is found in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) inventory: &'a Inventory,
    /// Oldest first.
    pub(super) batches: &'a [Arc<Batch>],
    /// First and last tick of history.
    pub(super) history: Option<(Timestamp, Timestamp)>,
    pub(super) now: Timestamp,
    pub(super) resolution: Duration,
    pub(super) problems: &'a [Problem],
}

/// Why, as a name for programs, a sentence, what to do and what was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reason {
    pub(super) code: &'static str,
    pub(super) sentence: String,
    pub(super) advice: String,
    pub(super) evidence: Vec<String>,
}

impl Reason {
    pub(super) fn new(code: &'static str, sentence: String, advice: &str) -> Self {
        Self { code, sentence, advice: advice.to_owned(), evidence: Vec::new() }
    }

    pub(super) fn seen(mut self, evidence: String) -> Self {
        self.evidence.push(evidence);
        self
    }
}

impl Question {
    /// The value in the newest batch.
    pub(super) fn value(&self, known: &Known<'_>) -> Option<Value> {
        let (table, row) = known.latest()?.find(&self.entity())?;
        value(table, row, &self.metric)
    }

    pub(super) fn entity(&self) -> Arc<Entity> {
        let mut registry = Registry::default();
        match self.kind {
            EntityKind::Pod => registry.pod(&self.namespace, &self.name, ""),
            EntityKind::Container => {
                let pod = registry.pod(&self.namespace, &self.pod, "");
                registry.container(&pod, &self.name)
            }
            EntityKind::Workload => registry.workload(&self.namespace, &self.workload, &self.name),
            EntityKind::Volume => {
                let pod = registry.pod(&self.namespace, &self.pod, "");
                registry.part(EntityKind::Volume, &pod, &format!("{VOLUME}{}", self.volume()))
            }
            EntityKind::Node => registry.node(&self.name),
            EntityKind::Namespace => registry.namespace(&self.name),
            _ => registry.cluster(),
        }
    }

    /// A volume's name, as the pod's spec has it.
    pub(super) fn volume(&self) -> &str {
        self.name.strip_prefix(VOLUME).unwrap_or(&self.name)
    }

    /// `pod web/web-1`.
    pub(super) fn thing(&self) -> String {
        match self.kind {
            EntityKind::Pod => format!("pod {}/{}", self.namespace, self.name),
            EntityKind::Container => {
                format!("container {} of pod {}/{}", self.name, self.namespace, self.pod)
            }
            EntityKind::Volume => {
                format!("volume {} of pod {}/{}", self.volume(), self.namespace, self.pod)
            }
            EntityKind::Workload => {
                format!("{} {}/{}", self.workload, self.namespace, self.name)
            }
            EntityKind::Cluster => "the cluster".to_owned(),
            kind => format!("{} {}", kind.name(), self.name),
        }
    }
}

impl<'a> Known<'a> {
    pub(super) fn latest(&self) -> Option<&'a Batch> {
        self.batches.last().map(AsRef::as_ref)
    }

    /// The batch before the newest.
    pub(super) fn previous(&self) -> Option<&'a Batch> {
        self.batches.iter().rev().nth(1).map(AsRef::as_ref)
    }

    pub(super) fn target(&self, node: &str) -> Option<&'a Target> {
        self.latest()?.targets().iter().find(|target| *target.node == *node)
    }
}

/// Why `question` has no value, or that it has one.
pub(super) fn why(question: &Question, known: &Known<'_>) -> Reason {
    if let Some(reason) = not_carried(question) {
        return reason;
    }
    if let Some(reason) = out_of_history(question, known) {
        return reason;
    }
    let Some(latest) = known.latest() else { return nothing_measured(known) };
    let entity = question.entity();
    let found = latest.find(&entity);
    let mut reason = match found {
        Some((table, row))
            if question.metric.is_empty() || value(table, row, &question.metric).is_some() =>
        {
            Reason::new("present", format!("{} is measured", question.thing()), "")
        }
        Some((table, row)) => metric::missing(question, known, (table, row)),
        None => match question.kind {
            EntityKind::Pod => pod::missing(question, known),
            EntityKind::Container => pod::container_missing(question, known),
            EntityKind::Node => node_missing(question, known),
            EntityKind::Workload => owned::workload_missing(question, known),
            EntityKind::Volume => owned::volume_missing(question, known),
            _ => sum_missing(question, known),
        },
    };
    reason.evidence.push(format!("newest batch: {}", latest.timestamp().to_rfc3339_seconds()));
    if let Some(seen) = last_seen(question, known, &entity) {
        reason.evidence.push(format!("last value: {}", seen.to_rfc3339_seconds()));
    }
    if known.now > latest.timestamp().plus(known.resolution * 3) {
        reason.evidence.push("collection is behind: no batch came for three ticks".to_owned());
    }
    reason
}

fn value(table: &Table, row: usize, metric: &str) -> Option<Value> {
    match lookup(metric) {
        Some(id) => table.get(row, id),
        None => table.column_named(metric)?.get(row),
    }
}

fn not_carried(question: &Question) -> Option<Reason> {
    let row = descriptor(lookup(&question.metric)?);
    if row.entities.contains(question.kind) {
        return None;
    }
    let carriers: Vec<&str> = row.entities.iter().map(EntityKind::name).collect();
    let sentence = format!(
        "a {} never has {}: it is a metric of {}",
        question.kind.name(),
        row.name,
        carriers.join(", ")
    );
    Some(Reason::new("not_carried", sentence, "ask for it there, or for another metric"))
}

fn out_of_history(question: &Question, known: &Known<'_>) -> Option<Reason> {
    let (at, (from, to)) = (question.at?, known.history?);
    let show = Timestamp::to_rfc3339_seconds;
    if at < from {
        let sentence = format!("history begins at {}, after {}", show(from), show(at));
        let advice =
            "nothing earlier is kept: the process was not running, or memory is only so long";
        return Some(Reason::new("before_history", sentence, advice));
    }
    if at > to {
        let sentence = format!("the newest batch is of {}, before {}", show(to), show(at));
        return Some(Reason::new("not_yet", sentence, "wait for the next batch"));
    }
    None
}

fn nothing_measured(known: &Known<'_>) -> Reason {
    match known.problems.first() {
        Some(problem) => {
            let sentence =
                format!("nothing is measured: {} fails at {}", problem.about, problem.hop.name());
            Reason::new("no_batch", sentence, &problem.advice).seen(problem.reason.clone())
        }
        None => Reason::new(
            "no_batch",
            "nothing has been measured yet".to_owned(),
            &format!("wait: a batch comes every {} s", known.resolution.as_secs()),
        ),
    }
}

/// When the newest batch that has a value was made, if it is not the newest of all.
fn last_seen(question: &Question, known: &Known<'_>, entity: &Entity) -> Option<Timestamp> {
    let (_, earlier) = known.batches.split_last()?;
    let has = |batch: &&Arc<Batch>| {
        batch.find(entity).is_some_and(|(table, row)| {
            question.metric.is_empty() || value(table, row, &question.metric).is_some()
        })
    };
    earlier.iter().rev().find(has).map(|batch| batch.timestamp())
}

fn node_missing(question: &Question, known: &Known<'_>) -> Reason {
    if let Some(reason) = target_reason(&question.name, known) {
        return reason;
    }
    if known.inventory.node(&question.name).is_none() {
        return no_such(question, known, known.inventory.nodes().len(), "nodes");
    }
    let sentence = format!("node {} was not asked yet", question.name);
    Reason::new("not_asked", sentence, "wait for the next batch")
}

/// Why nothing of `node` could be measured; `None` when it answered or is not known as a target.
pub(super) fn target_reason(node: &str, known: &Known<'_>) -> Option<Reason> {
    let target = known.target(node)?;
    let since = format!("since {}", target.since.to_rfc3339_seconds());
    match &target.state {
        TargetState::Up => None,
        TargetState::Failed { hop, reason, advice } => {
            let sentence = format!("node {node} cannot be measured: it fails at {}", hop.name());
            let reason = Reason::new("node_failed", sentence, advice).seen(reason.clone());
            Some(reason.seen(format!("{}, {since}", target.url)))
        }
        TargetState::Skipped { reason } => {
            let sentence = format!("node {node} is not asked: {reason}");
            let advice = format!("`kubectl describe node {node}` says why");
            Some(Reason::new("node_skipped", sentence, &advice).seen(since))
        }
    }
}

fn sum_missing(question: &Question, known: &Known<'_>) -> Reason {
    let thing = question.thing();
    let inventory = known.inventory;
    if question.kind == EntityKind::Namespace && inventory.namespace(&question.name).is_none() {
        return no_such(question, known, inventory.namespaces().len(), "namespaces");
    }
    let pods = match question.kind {
        EntityKind::Namespace => inventory.pods_in(&question.name).count(),
        _ => inventory.pod_count(),
    };
    if pods == 0 {
        return Reason::new("no_pods", format!("{thing} has no pods to sum"), "");
    }
    let sentence = format!("none of the {pods} pods of {thing} was measured");
    Reason::new("nothing_to_sum", sentence, "ask why for one of its pods")
}

/// The API server has no such thing, or has not told us.
pub(super) fn no_such(question: &Question, known: &Known<'_>, count: usize, kind: &str) -> Reason {
    let thing = question.thing();
    if count > 0 {
        let advice = "check the name; what was deleted is kept in history only";
        return Reason::new("unknown", format!("there is no {thing}"), advice)
            .seen(format!("{count} {kind} are known"));
    }
    let sentence = format!("whether there is a {thing} is not known: the {kind} are not listed");
    match known.problems.first() {
        Some(problem) => {
            Reason::new("not_listed", sentence, &problem.advice).seen(problem.reason.clone())
        }
        None => Reason::new("not_listed", sentence, "wait for the API server's first list"),
    }
}
