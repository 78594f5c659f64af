//! The API server's memory: every object's present version, a bounded history of changes, and the
//! steps that follow the world through time. Knows nothing of requests or JSON.

mod changed;
mod events;
mod initial;
mod nodes;
mod pods;
mod workloads;
mod written;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, VecDeque};
use std::ops::{Bound, RangeBounds};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;

use crate::objects::{Cluster, Object, Version};
use crate::plan::Sec;
use crate::telemetry;

pub(crate) use written::{Precondition, Refused};

/// How long before the start the store begins, so that there is a past to tell of.
const PRELUDE: Sec = 600;

/// What the store keeps, one map each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    Namespaces,
    Nodes,
    Pods,
    Events,
    Deployments,
    ReplicaSets,
    StatefulSets,
    DaemonSets,
    Jobs,
    CronJobs,
    Services,
    Claims,
    Leases,
    ConfigMaps,
    ServiceAccounts,
    Endpoints,
    ApiServices,
    Roles,
    RoleBindings,
    ClusterRoles,
    ClusterRoleBindings,
    Secrets,
    Budgets,
    Scalers,
    Quotas,
    Volumes,
    ControllerRevisions,
    Ships,
    EndpointSlices,
    ServiceMonitors,
    PodMonitors,
}

const KINDS: usize = Kind::PodMonitors as usize + 1;

/// Namespace index (0 for cluster-wide kinds) and name.
pub(crate) type Key = (u32, Arc<str>);

/// How an object changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Added,
    Modified,
    Deleted,
}

/// A change of one object. A deleted object's version is its last, under the deletion's number.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub kind: Kind,
    pub change: Change,
    pub key: Key,
    pub version: Version,
    pub previous: Option<Version>,
}

/// Something whose next change is planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Actor {
    Workload(u32),
    Slot(u32),
    /// The controller looks at a workload's autoscaler.
    Scaler(u32),
    Node(u32),
    /// A node has been silent for the grace period.
    Lost(u32),
    /// A node reports again.
    Back(u32),
}

/// A list as it was at one resource version.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub resource_version: u64,
    pub items: Vec<(Key, Version)>,
    /// Items after the last one returned.
    pub remaining: usize,
}

/// Changes of one kind, oldest first.
#[derive(Debug)]
pub(crate) struct Changes {
    pub entries: Vec<Entry>,
    /// The version up to which these are all.
    pub upto: u64,
    /// Whether there may be more.
    pub more: bool,
}

/// The asked version is older than the history, or newer than anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unavailable {
    Expired { oldest: u64 },
    Future { latest: u64 },
}

/// Which part of a list is wanted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Extent {
    pub namespace: Option<u32>,
    /// Only items after this key.
    pub after: Option<Key>,
    /// The version to list at; the present one when `None`.
    pub resource_version: Option<u64>,
    /// At most so many items.
    pub limit: Option<usize>,
}

/// The store, shared by all connections.
#[derive(Debug)]
pub(crate) struct Store {
    cluster: Arc<Cluster>,
    state: RwLock<State>,
    latest: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    cluster: Arc<Cluster>,
    maps: Vec<BTreeMap<Key, Version>>,
    history: VecDeque<Entry>,
    history_limit: usize,
    /// The newest resource version.
    version: u64,
    now: Sec,
    due: BinaryHeap<Reverse<(Sec, Actor)>>,
    /// Workloads whose pods changed in this second.
    touched: BTreeSet<u32>,
    /// Namespaces in which what quotas count changed in this second.
    recounted: BTreeSet<u32>,
    outages: HashMap<u32, nodes::Outage>,
    told: events::Told,
    /// How many objects clients have written.
    written: usize,
    /// How often clients changed objects of the world.
    changed: usize,
    /// Objects of the world that clients removed.
    gone: BTreeSet<(Kind, Key)>,
}

impl Store {
    /// The world at its start, with the events of the minutes before.
    pub(crate) fn new(cluster: Arc<Cluster>, history_limit: usize) -> Self {
        let start = cluster.plan.start;
        let mut state = State {
            maps: vec![BTreeMap::new(); KINDS],
            history: VecDeque::new(),
            history_limit: history_limit.max(1),
            version: 1000,
            now: start - PRELUDE,
            due: BinaryHeap::new(),
            touched: BTreeSet::new(),
            recounted: BTreeSet::new(),
            outages: HashMap::new(),
            told: events::Told::default(),
            written: 0,
            changed: 0,
            gone: BTreeSet::new(),
            cluster: Arc::clone(&cluster),
        };
        state.fill();
        state.advance(start);
        let latest = watch::Sender::new(state.version);
        Self { cluster, state: RwLock::new(state), latest }
    }

    pub(crate) fn cluster(&self) -> &Arc<Cluster> {
        &self.cluster
    }

    /// Applies everything that happens up to `now` and wakes the watches.
    pub(crate) fn step(&self, now: Sec) {
        if self.read(|state| state.is_current(now)) {
            return;
        }
        let version = self.write(|state| {
            state.advance(now);
            state.version
        });
        self.announce(version);
    }

    /// Tells which kubelets have been silent since `now`, and that all others are not.
    pub(crate) fn set_down(&self, down: &BTreeSet<u32>, now: Sec) {
        self.write(|state| state.set_down(down, now));
    }

    /// The newest resource version.
    pub(crate) fn version(&self) -> u64 {
        self.read(|state| state.version)
    }

    /// Follows the newest resource version.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.latest.subscribe()
    }

    pub(crate) fn get(&self, kind: Kind, key: &Key) -> Option<Version> {
        self.read(|state| state.maps[kind as usize].get(key).cloned())
    }

    pub(crate) fn list(&self, kind: Kind, extent: &Extent) -> Result<Snapshot, Unavailable> {
        self.read(|state| state.list(kind, extent))
    }

    /// The first `limit` changes of a kind after `version`.
    pub(crate) fn changes(
        &self,
        kind: Kind,
        version: u64,
        limit: usize,
    ) -> Result<Changes, Unavailable> {
        self.read(|state| {
            let wanted = state.since(version)?.filter(|entry| entry.kind == kind);
            let entries: Vec<Entry> = wanted.take(limit).cloned().collect();
            let full = entries.len() == limit;
            let last = entries.last().filter(|_| full).map(|entry| entry.version.resource_version);
            Ok(Changes { upto: last.unwrap_or(state.version), more: full, entries })
        })
    }

    fn announce(&self, version: u64) {
        self.latest.send_if_modified(|latest| {
            let newer = version > *latest;
            *latest = (*latest).max(version);
            newer
        });
    }

    fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.write().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    fn is_current(&self, now: Sec) -> bool {
        self.now >= now
            || (self.due.peek().is_none_or(|Reverse((at, _))| *at > now) && !self.told.expired(now))
    }

    /// Applies what is due, second by second, in an order that does not depend on how often this
    /// is called.
    fn advance(&mut self, now: Sec) {
        while let Some(Reverse((at, _))) = self.due.peek().copied() {
            if at > now {
                break;
            }
            self.forget_events(at);
            while let Some(Reverse((due, actor))) = self.due.peek().copied() {
                if due != at {
                    break;
                }
                self.due.pop();
                self.act(actor, at);
            }
            for workload in std::mem::take(&mut self.touched) {
                self.refresh_workload(workload, at);
            }
            for namespace in std::mem::take(&mut self.recounted) {
                self.refresh_quota(namespace, at);
            }
        }
        self.forget_events(now);
        self.now = self.now.max(now);
    }

    fn act(&mut self, actor: Actor, at: Sec) {
        let cluster = Arc::clone(&self.cluster);
        let plan = &cluster.plan;
        match actor {
            Actor::Workload(index) => {
                self.touched.insert(index);
                self.begin(index, at);
                let next = plan.next_workload_change(&plan.workloads[index as usize], at);
                self.plan_next(actor, next);
            }
            Actor::Slot(slot) => {
                self.change_slot(slot, at);
                self.touched.insert(plan.slots[slot as usize].workload);
                self.plan_next(actor, plan.next_change(slot, at));
            }
            Actor::Scaler(index) => {
                self.look(index, at);
                self.plan_next(actor, Some(at + workloads::SYNC));
            }
            Actor::Node(node) => {
                self.report(node, at);
                self.plan_next(actor, Some(plan.next_node_change(node, at)));
            }
            Actor::Lost(node) => self.lose(node, at),
            Actor::Back(node) => self.regain(node, at),
        }
    }

    fn plan_next(&mut self, actor: Actor, at: Option<Sec>) {
        if let Some(at) = at {
            self.due.push(Reverse((at, actor)));
        }
    }

    /// Adds or replaces an object.
    fn put(&mut self, kind: Kind, key: Key, object: Object, at: Sec) {
        let Some(object) = self.with_changes(kind, &key, object) else { return };
        self.version += 1;
        let version = Version { resource_version: self.version, at, object };
        let previous = self.maps[kind as usize].insert(key.clone(), version.clone());
        let change = if previous.is_some() { Change::Modified } else { Change::Added };
        self.remember(Entry { kind, change, key, version, previous });
    }

    fn delete(&mut self, kind: Kind, key: &Key, at: Sec) {
        let Some((key, previous)) = self.maps[kind as usize].remove_entry(key) else { return };
        self.version += 1;
        // The last second in which the object existed is what watchers see of it.
        let (object, at) = (previous.object.clone(), previous.at.max(at - 1));
        let version = Version { resource_version: self.version, at, object };
        self.remember(Entry {
            kind,
            change: Change::Deleted,
            key,
            version,
            previous: Some(previous),
        });
    }

    fn remember(&mut self, entry: Entry) {
        if self.history.len() >= self.history_limit {
            self.history.pop_front();
            metrics::counter!(telemetry::HISTORY_COMPACTED).increment(1);
        }
        self.history.push_back(entry);
    }

    /// The oldest version from which all changes are known.
    fn oldest(&self) -> u64 {
        self.version - self.history.len() as u64
    }

    /// Changes after `version`, oldest first.
    fn since(&self, version: u64) -> Result<impl DoubleEndedIterator<Item = &Entry>, Unavailable> {
        if version > self.version {
            return Err(Unavailable::Future { latest: self.version });
        }
        let Some(skip) = version.checked_sub(self.oldest()) else {
            return Err(Unavailable::Expired { oldest: self.oldest() });
        };
        Ok(self.history.range(usize::try_from(skip).unwrap_or(usize::MAX)..))
    }

    fn list(&self, kind: Kind, extent: &Extent) -> Result<Snapshot, Unavailable> {
        let resource_version = extent.resource_version.unwrap_or(self.version);
        // Undoing the changes since then, newest first, gives what was there.
        let mut undone: BTreeMap<&Key, Option<&Version>> = BTreeMap::new();
        for entry in self.since(resource_version)?.rev().filter(|entry| entry.kind == kind) {
            undone.insert(&entry.key, entry.previous.as_ref());
        }
        let (low, high) = bounds(extent);
        let inside = (low.as_ref(), high.as_ref());
        let then: Vec<(&Key, Option<&Version>)> =
            undone.into_iter().filter(|(key, _)| contains(inside, key)).collect();
        let present = self.maps[kind as usize].range((low.clone(), high.clone()));
        let limit = extent.limit.unwrap_or(usize::MAX);
        let mut items = Vec::new();
        let mut remaining = 0;
        for (key, version) in merge(present, then) {
            if items.len() < limit {
                items.push((key.clone(), version.clone()));
            } else {
                remaining += 1;
            }
        }
        Ok(Snapshot { resource_version, items, remaining })
    }
}

/// What is there now, replaced by what was there then where that differs; both in order of key.
fn merge<'a>(
    now: impl Iterator<Item = (&'a Key, &'a Version)>,
    then: Vec<(&'a Key, Option<&'a Version>)>,
) -> impl Iterator<Item = (&'a Key, &'a Version)> {
    let mut now = now.peekable();
    let mut then = then.into_iter().peekable();
    std::iter::from_fn(move || {
        loop {
            let Some((key, version)) = then.peek().copied() else { return now.next() };
            if now.peek().is_some_and(|(present, _)| *present < key) {
                return now.next();
            }
            then.next();
            now.next_if(|(present, _)| *present == key);
            if let Some(version) = version {
                return Some((key, version));
            }
        }
    })
}

fn bounds(extent: &Extent) -> (Bound<Key>, Bound<Key>) {
    let start = |namespace: u32| Bound::Included((namespace, Arc::from("")));
    let low = match (&extent.after, extent.namespace) {
        (Some(after), _) => Bound::Excluded(after.clone()),
        (None, Some(namespace)) => start(namespace),
        (None, None) => Bound::Unbounded,
    };
    let high = match extent.namespace {
        Some(namespace) => Bound::Excluded((namespace + 1, Arc::from(""))),
        None => Bound::Unbounded,
    };
    (low, high)
}

fn contains(bounds: (Bound<&Key>, Bound<&Key>), key: &Key) -> bool {
    RangeBounds::<Key>::contains(&bounds, key)
}
