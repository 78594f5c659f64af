//! What the cluster's objects were, and when: versions of the inventory's records.
//!
//! Records are shared with the inventory, so that a version that still holds costs a pointer.
//! What can never change on an object (its owner, its requests) also holds back to its creation.

mod keep;
mod key;
mod mounted;
mod objects;

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use metrics::{counter, gauge};
use model::{
    Autoscaler, Claim, Held, Inventory, Namespace, Node, PersistentVolume, Pod, Quota,
    SharedInventory, Target, TargetState, Timestamp, Workload,
};

use crate::promql::Matcher;
use crate::telemetry;

pub use keep::UnknownStates;
use key::Keyed;
use mounted::Mounted;
use objects::Turn;
pub(super) use objects::{Objects, Version};

/// How long versions that no longer hold are kept, milliseconds.
const HORIZON_MS: i64 = 24 * 3_600_000;
/// How many versions that no longer hold are kept.
const MAX_CLOSED: usize = 100_000;

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
    mounted: Mounted,
    turn: u64,
    /// When it was observed last, milliseconds.
    last: i64,
    /// Where an earlier process stopped to observe; until this one has observed once.
    cut: Option<i64>,
}

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
        self.workloads.newest([namespace, kind, name])
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
        let known = self.targets.newest(["", "", &target.node]).filter(|known| known.up == up);
        let record = match known {
            Some(known) => Arc::clone(known),
            None => Arc::new(Up { node: Arc::clone(&target.node), up }),
        };
        self.targets.see(&record, now, turn, now);
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
                if state.pods.see(pod, pod.created.millis(), turn, now) {
                    state.mounted.see(pod);
                }
            });
        }
        let nodes: Vec<_> = look(inventory, |held| held.nodes().map(Arc::clone).collect());
        self.note(&nodes, |state, node| {
            state.nodes.see(node, node.created.millis(), turn, now);
        });
        let namespaces: Vec<_> =
            look(inventory, |held| held.namespaces().map(Arc::clone).collect());
        self.note(&namespaces, |state, namespace| {
            state.namespaces.see(namespace, namespace.created.millis(), turn, now);
        });
        let workloads: Vec<_> = look(inventory, |held| held.workloads().map(Arc::clone).collect());
        self.note(&workloads, |state, workload| {
            state.workloads.see(workload, workload.created.millis(), turn, now);
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
    fn note_shelf<T: Held + Keyed>(
        &self,
        inventory: &SharedInventory,
        of: fn(&mut State) -> &mut Objects<T>,
        created: fn(&T) -> Timestamp,
        (turn, now): (Turn, i64),
    ) {
        let all: Vec<Arc<T>> = look(inventory, |held| held.shelf().all().map(Arc::clone).collect());
        self.note(&all, |state, one| {
            of(state).see(one, created(one).millis(), turn, now);
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
        let State { pods, mounted, .. } = &mut state;
        pods.versions().for_each(|version| mounted.see(&version.record));
        *self.write() = state;
        Ok(())
    }

    /// The newest record of a pod, even when it is gone.
    pub(super) fn pod(&self, namespace: &str, name: &str) -> Option<Arc<Pod>> {
        self.read().pods.newest(["", namespace, name]).map(Arc::clone)
    }

    /// A condition on volumes that all which come from claims pass, and few others; none where there
    /// are too many names.
    pub(super) fn of_claims(&self) -> Option<Matcher> {
        Some(Matcher::one_of("volume", self.read().mounted.names()?))
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
    fn objects_are_found_after_others_have_gone() {
        let history = StateHistory::default();
        let inventory = SharedInventory::default();
        let pod = |number: usize| {
            let (namespace, name) = ("ns".into(), number.to_string().into());
            Arc::new(Pod { namespace, name, ..Pod::default() })
        };
        (0..100).for_each(|number| inventory.write().unwrap().put_pod(pod(number)));
        history.observe(&inventory, &[], 1000);
        inventory.write().unwrap().retain_pods(|pod| pod.name.ends_with('7'));
        history.observe(&inventory, &[], 2000);
        history.observe(&inventory, &[], 2000 + HORIZON_MS);
        for number in 0..100 {
            let name = number.to_string();
            let found = history.pod("ns", &name).map(|pod| pod.name.to_string());
            assert_eq!(found, (number % 10 == 7).then_some(name), "{number}");
        }
        assert_eq!(history.read().pods.versions().count(), 10);
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
