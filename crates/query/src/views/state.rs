//! What the cluster's objects were, and when: versions of the inventory's records.
//!
//! Records are shared with the inventory, so that a version that still holds costs a pointer.
//! What can never change on an object (its owner, its requests) also holds back to its creation.

mod keep;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use metrics::{counter, gauge};
use model::{
    Autoscaler, Claim, Held, Inventory, Namespace, Node, PersistentVolume, Pod, Quota,
    SharedInventory, Target, TargetState, Timestamp, Workload,
};

use crate::telemetry;

pub use keep::UnknownStates;

/// How long versions that no longer hold are kept, milliseconds.
const HORIZON_MS: i64 = 24 * 3_600_000;
/// How many versions that no longer hold are kept.
const MAX_CLOSED: usize = 100_000;

/// A record and the time in which it held: `from ≤ time < until`, milliseconds.
#[derive(Debug, Clone)]
pub(super) struct Version<T> {
    pub(super) from: i64,
    /// Where what never changes begins: the object's creation, for its first version.
    pub(super) created: i64,
    pub(super) until: i64,
    pub(super) record: Arc<T>,
}

/// The versions of one object, oldest first.
#[derive(Debug)]
struct Object<T> {
    seen: u64,
    versions: Vec<Version<T>>,
}

/// Every object of one kind by its key.
#[derive(Debug)]
pub(super) struct Objects<T> {
    by_key: HashMap<Box<str>, Object<T>, foldhash::fast::RandomState>,
}

impl<T> Default for Objects<T> {
    fn default() -> Self {
        Self { by_key: HashMap::default() }
    }
}

impl<T> Objects<T> {
    /// Of every object the versions that overlap the time, oldest first.
    pub(super) fn each_versions(
        &self,
        start: i64,
        end: i64,
    ) -> impl Iterator<Item = impl Iterator<Item = &Version<T>>> {
        let overlaps = move |version: &&Version<T>| {
            version.created.min(version.from) <= end && version.until > start
        };
        self.by_key.values().map(move |object| object.versions.iter().filter(overlaps))
    }

    /// Every version.
    #[cfg(test)]
    pub(super) fn versions(&self) -> impl Iterator<Item = &Version<T>> {
        self.by_key.values().flat_map(|object| &object.versions)
    }

    /// The newest version of an object, whether it still holds or not.
    pub(super) fn newest(&self, key: &str) -> Option<&Arc<T>> {
        self.by_key.get(key)?.versions.last().map(|version| &version.record)
    }

    /// `cut` is where an earlier process stopped to observe: what held then and is the same now
    /// goes on.
    fn see(&mut self, key: &str, record: &Arc<T>, created: i64, (turn, cut): Turn, now: i64)
    where
        T: PartialEq,
    {
        let version =
            Version { from: now, created: now, until: i64::MAX, record: Arc::clone(record) };
        let Some(object) = self.by_key.get_mut(key) else {
            let created = if created > 0 { created.min(now) } else { now };
            let versions = vec![Version { created, ..version }];
            self.by_key.insert(key.into(), Object { seen: turn, versions });
            return;
        };
        object.seen = turn;
        match object.versions.last_mut() {
            Some(last) if last.until == i64::MAX && Arc::ptr_eq(&last.record, record) => {}
            Some(last) if Some(last.until) == cut && last.record == *record => {
                (last.until, last.record) = (i64::MAX, Arc::clone(record));
            }
            Some(last) => {
                last.until = last.until.min(now);
                object.versions.push(version);
            }
            None => object.versions.push(version),
        }
    }

    /// Ends what still holds.
    fn cut(&mut self, at: i64) {
        for version in self.by_key.values_mut().filter_map(|object| object.versions.last_mut()) {
            version.until = version.until.min(at);
        }
    }

    /// Ends what was not seen in this turn, forgets what ended before `oldest`.
    fn end_turn(&mut self, turn: u64, now: i64, oldest: i64) -> usize {
        let mut closed = 0;
        self.by_key.retain(|_, object| {
            if object.seen != turn
                && let Some(last) = object.versions.last_mut()
            {
                last.until = last.until.min(now);
            }
            object.versions.retain(|version| version.until > oldest);
            closed += object.versions.iter().filter(|version| version.until <= now).count();
            !object.versions.is_empty()
        });
        closed
    }

    fn closed(&self, now: i64) -> impl Iterator<Item = i64> + '_ {
        let all = self.by_key.values().flat_map(|object| &object.versions);
        all.map(|version| version.until).filter(move |until| *until <= now)
    }
}

/// What is known of the objects over time.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) pods: Objects<Pod>,
    pub(super) nodes: Objects<Node>,
    pub(super) namespaces: Objects<Namespace>,
    pub(super) workloads: Objects<Workload>,
    pub(super) claims: Objects<Claim>,
    pub(super) volumes: Objects<PersistentVolume>,
    pub(super) autoscalers: Objects<Autoscaler>,
    pub(super) quotas: Objects<Quota>,
    /// Whether a node's kubelet answered.
    pub(super) targets: Objects<Up>,
    turn: u64,
    /// When it was observed last, milliseconds.
    last: i64,
    /// Where an earlier process stopped to observe; until this one has observed once.
    cut: Option<i64>,
}

/// The number of an observation, and where an earlier process stopped.
type Turn = (u64, Option<i64>);

/// How a node's kubelet answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Up {
    pub(super) node: Arc<str>,
    pub(super) up: bool,
}

/// Does the same with the versions of every kind.
macro_rules! every {
    ($state:expr, |$objects:ident| $done:expr) => {
        every!($state, |$objects| $done, pods nodes namespaces workloads claims volumes
            autoscalers quotas targets)
    };
    ($state:expr, |$objects:ident| $done:expr, $($kind:ident)*) => {$({
        let $objects = &mut $state.$kind;
        $done;
    })*};
}

impl State {
    /// The newest record of a workload, even when it is gone.
    pub(super) fn workload(
        &self,
        namespace: &str,
        kind: &str,
        name: &str,
    ) -> Option<&Arc<Workload>> {
        self.workloads.newest(&workload_key(namespace, kind, name))
    }

    fn begin_turn(&mut self, now: i64) -> Turn {
        self.turn += 1;
        self.last = now;
        (self.turn, self.cut.take())
    }

    /// Notes whether a node's kubelet answered.
    fn answers(&mut self, target: &Target, turn: Turn, now: i64) {
        if target.node.is_empty() {
            return;
        }
        let up = target.state == TargetState::Up;
        let known = self.targets.newest(&target.node).filter(|known| known.up == up);
        let record = match known {
            Some(known) => Arc::clone(known),
            None => Arc::new(Up { node: Arc::clone(&target.node), up }),
        };
        self.targets.see(&target.node, &record, now, turn, now);
    }

    fn end_turn(&mut self, now: i64) {
        let turn = self.turn;
        let mut oldest = now.saturating_sub(HORIZON_MS);
        for round in 0..2 {
            let mut closed = 0;
            every!(self, |objects| closed += objects.end_turn(turn, now, oldest));
            #[expect(clippy::cast_precision_loss, reason = "a gauge needs no more than 53 bits")]
            gauge!(telemetry::CLOSED_VERSIONS).set(closed as f64);
            if closed <= MAX_CLOSED || round == 1 {
                return;
            }
            counter!(telemetry::EVICTED, "bound" => "versions").increment(1);
            let mut ends = Vec::with_capacity(closed);
            every!(self, |objects| ends.extend(objects.closed(now)));
            ends.sort_unstable();
            oldest = ends.get(closed - MAX_CLOSED).copied().unwrap_or(now);
        }
    }
}

/// Versions of the inventory's records, shared between the tick (writer) and queries.
#[derive(Debug, Default)]
pub struct StateHistory {
    state: RwLock<State>,
}

impl StateHistory {
    /// Notes what the inventory holds and how targets answered at `now`, milliseconds. Both locks
    /// are held for one list of records at a time: others wait for them.
    pub fn observe(&self, inventory: &SharedInventory, targets: &[Target], now: i64) {
        let turn = self.write().begin_turn(now);
        let namespaces: Vec<Box<str>> =
            look(inventory, |held| held.pod_namespaces().map(Box::from).collect());
        for namespace in namespaces {
            let pods: Vec<_> =
                look(inventory, |held| held.pods_in(&namespace).map(Arc::clone).collect());
            self.note(&pods, |state, pod| {
                let key = key_of(&pod.namespace, &pod.name);
                state.pods.see(&key, pod, pod.created.millis(), turn, now);
            });
        }
        let nodes: Vec<_> = look(inventory, |held| held.nodes().map(Arc::clone).collect());
        self.note(&nodes, |state, node| {
            state.nodes.see(&node.name, node, node.created.millis(), turn, now);
        });
        let namespaces: Vec<_> =
            look(inventory, |held| held.namespaces().map(Arc::clone).collect());
        self.note(&namespaces, |state, namespace| {
            let created = namespace.created.millis();
            state.namespaces.see(&namespace.name, namespace, created, turn, now);
        });
        let workloads: Vec<_> = look(inventory, |held| held.workloads().map(Arc::clone).collect());
        self.note(&workloads, |state, workload| {
            let key = workload_key(&workload.namespace, &workload.kind, &workload.name);
            state.workloads.see(&key, workload, workload.created.millis(), turn, now);
        });
        let round = (turn, now);
        self.note_shelf(inventory, |state| &mut state.claims, |one| one.created, round);
        self.note_shelf(inventory, |state| &mut state.volumes, |one| one.created, round);
        self.note_shelf(inventory, |state| &mut state.autoscalers, |one| one.created, round);
        self.note_shelf(inventory, |state| &mut state.quotas, |one| one.created, round);
        let mut state = self.write();
        for target in targets {
            state.answers(target, turn, now);
        }
        state.end_turn(now);
    }

    /// Sees each of `records`.
    fn note<T>(&self, records: &[Arc<T>], see: impl Fn(&mut State, &Arc<T>)) {
        let mut state = self.write();
        for record in records {
            see(&mut state, record);
        }
    }

    /// Sees every object of a shelf.
    fn note_shelf<T: Held>(
        &self,
        inventory: &SharedInventory,
        of: fn(&mut State) -> &mut Objects<T>,
        created: fn(&T) -> Timestamp,
        (turn, now): (Turn, i64),
    ) {
        let all: Vec<Arc<T>> = look(inventory, |held| held.shelf().all().map(Arc::clone).collect());
        self.note(&all, |state, one| {
            let key = key_of(one.namespace(), one.name());
            of(state).see(&key, one, created(one).millis(), turn, now);
        });
    }

    /// Everything that is known, as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        keep::write(&self.read())
    }

    /// Goes on with what an earlier process wrote. What held when it stopped ends there, unless
    /// the first observation finds the very same.
    pub fn restore(&self, bytes: &[u8]) -> Result<(), UnknownStates> {
        let mut state = keep::read(bytes)?;
        let cut = state.last.saturating_add(1);
        every!(state, |objects| objects.cut(cut));
        state.cut = Some(cut);
        *self.write() = state;
        Ok(())
    }

    /// The newest record of a pod, even when it is gone.
    pub(super) fn pod(&self, namespace: &str, name: &str) -> Option<Arc<Pod>> {
        self.read().pods.newest(&key_of(namespace, name)).map(Arc::clone)
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What `read` finds in the inventory; its lock is held meanwhile.
fn look<T>(inventory: &SharedInventory, read: impl FnOnce(&Inventory) -> T) -> T {
    read(&inventory.read().unwrap_or_else(PoisonError::into_inner))
}

fn key_of(namespace: &str, name: &str) -> String {
    // Asked for each container of a query.
    [namespace, "/", name].concat()
}

fn workload_key(namespace: &str, kind: &str, name: &str) -> String {
    format!("{namespace}/{kind}/{name}")
}

#[cfg(test)]
mod tests {
    use model::Truth;

    use super::*;

    fn spans(history: &StateHistory) -> Vec<(i64, i64, String)> {
        let state = history.read();
        let mut spans: Vec<_> = state
            .pods
            .versions()
            .map(|version| (version.from, version.until, version.record.phase.to_string()))
            .collect();
        spans.sort();
        spans
    }

    #[test]
    fn a_version_holds_until_another_or_none_follows() {
        let history = StateHistory::default();
        let inventory = SharedInventory::default();
        let pod = |phase: &str| {
            Arc::new(Pod {
                namespace: "ns".into(),
                name: "web".into(),
                phase: phase.into(),
                ..Pod::default()
            })
        };
        inventory.write().unwrap().put_pod(pod("Pending"));
        history.observe(&inventory, &[], 1000);
        history.observe(&inventory, &[], 2000);
        inventory.write().unwrap().put_pod(pod("Running"));
        history.observe(&inventory, &[], 3000);
        inventory.write().unwrap().remove_pod("ns", "web");
        history.observe(&inventory, &[], 4000);
        let expected = [(1000, 3000, "Pending".to_owned()), (3000, 4000, "Running".to_owned())];
        assert_eq!(spans(&history), expected);
        history.observe(&inventory, &[], 4000 + HORIZON_MS);
        assert_eq!(spans(&history), []);
    }

    #[test]
    fn versions_outlive_the_process() {
        let inventory = SharedInventory::default();
        let pod = |name: &str, phase: &str| {
            Arc::new(Pod {
                namespace: "ns".into(),
                name: name.into(),
                phase: phase.into(),
                labels: vec![("app".into(), "web".into())].into(),
                scrape: Some(Box::default()),
                ..Pod::default()
            })
        };
        inventory.write().unwrap().put_pod(pod("same", "Running"));
        inventory.write().unwrap().put_pod(pod("other", "Pending"));
        inventory.write().unwrap().put_pod(pod("gone", "Running"));
        inventory.write().unwrap().put(Claim { name: "c".into(), ..Claim::default() });
        let before = StateHistory::default();
        before.observe(&inventory, &[], 1000);
        before.observe(&inventory, &[], 2000);
        let bytes = before.to_bytes();
        let after = StateHistory::default();
        after.restore(&bytes).unwrap();
        assert_eq!(after.restore(&bytes[..bytes.len() - 1]), Err(UnknownStates));
        assert_eq!(after.restore(b"TFST\x00"), Err(UnknownStates));
        // A process that lists the same objects anew.
        let inventory = SharedInventory::default();
        inventory.write().unwrap().put_pod(pod("same", "Running"));
        inventory.write().unwrap().put_pod(pod("other", "Running"));
        after.observe(&inventory, &[], 9000);
        let expected = [
            (1000, 2001, "Pending".to_owned()),
            (1000, 2001, "Running".to_owned()),
            (1000, i64::MAX, "Running".to_owned()),
            (9000, i64::MAX, "Running".to_owned()),
        ];
        assert_eq!(spans(&after), expected);
    }

    #[test]
    fn autoscalers_quotas_and_volumes_are_written_and_read() {
        let inventory = SharedInventory::default();
        inventory.write().unwrap().put(Autoscaler {
            name: "a".into(),
            conditions: [("AbleToScale".into(), Truth::True), ("Odd".into(), Truth::Unknown)]
                .into(),
            ..Autoscaler::default()
        });
        let hard = [("pods".into(), Some(5000)), ("requests.cpu".into(), None)].into();
        let used = Box::new([None, Some(-1)]);
        inventory.write().unwrap().put(Quota { name: "q".into(), hard, used, ..Quota::default() });
        inventory.write().unwrap().put(PersistentVolume {
            name: "v".into(),
            claim: Some(("ns".into(), "c".into())),
            source: Box::new([("csi_driver".into(), "d".into())]),
            ..PersistentVolume::default()
        });
        let before = StateHistory::default();
        before.observe(&inventory, &[], 1000);
        let bytes = before.to_bytes();
        let after = StateHistory::default();
        after.restore(&bytes).unwrap();
        // The very same goes on.
        after.observe(&inventory, &[], 2000);
        before.observe(&inventory, &[], 2000);
        assert_eq!(after.to_bytes(), before.to_bytes());
    }

    #[test]
    fn versions_beyond_the_bound_go_whatever_they_are_of() {
        let history = StateHistory::default();
        let inventory = SharedInventory::default();
        let each = i64::try_from(MAX_CLOSED).unwrap() / 100;
        for round in 0..102 {
            for number in 0..each {
                inventory.write().unwrap().put(Quota {
                    name: number.to_string().into(),
                    used: Box::new([Some(round)]),
                    ..Quota::default()
                });
            }
            history.observe(&inventory, &[], round * 1000);
        }
        let state = history.read();
        let all = state.quotas.versions().count();
        let (most, each) = (MAX_CLOSED, usize::try_from(each).unwrap());
        assert!((most..=most + each).contains(&all), "{all}");
    }

    #[test]
    fn the_layout_is_as_it_was() {
        let history = StateHistory::default();
        let inventory = SharedInventory::default();
        inventory.write().unwrap().put_node(Arc::new(Node { name: "n".into(), ..Node::default() }));
        inventory.write().unwrap().put_pod(Arc::new(Pod { name: "p".into(), ..Pod::default() }));
        let workload = Workload { name: "w".into(), ..Workload::default() };
        inventory.write().unwrap().put_workload(Arc::new(workload));
        inventory.write().unwrap().put(Claim { name: "c".into(), ..Claim::default() });
        inventory
            .write()
            .unwrap()
            .put(PersistentVolume { name: "v".into(), ..PersistentVolume::default() });
        inventory.write().unwrap().put(Autoscaler { name: "a".into(), ..Autoscaler::default() });
        inventory.write().unwrap().put(Quota { name: "q".into(), ..Quota::default() });
        history.observe(&inventory, &[], 1000);
        let bytes = history.to_bytes();
        let sum = bytes.iter().fold(0u32, |sum, byte| sum.wrapping_mul(31) ^ u32::from(*byte));
        assert_eq!(
            (bytes.len(), sum),
            (265, 3_264_813_518),
            "another layout needs another LAYOUT in keep.rs"
        );
    }
}
