//! Which targets there are: annotated pods, and what monitors select, by what the inventory holds.
//! Pure but for the rules that it keeps compiled from one time to the next.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use model::{
    EndpointSlice, Inventory, Monitor, MonitorKind, NamespaceChoice, Pod, Requirement, Service,
};
use once::Order as _;

use crate::labels::{Labels, Pool as Texts};
use crate::limits::MAX_DROPPED_SHOWN;
use crate::meta;
use crate::pool::{self, ANNOTATED, Pool};
use crate::settings::Settings;
use crate::target::{Placed, Target, place};

/// Something that will not be scraped, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RefusedTarget {
    /// The monitor's endpoint, or the pod.
    pub about: String,
    /// Why.
    pub reason: String,
}

/// Labels, sorted, as texts of their own.
pub(crate) type Shown = Vec<(String, String)>;

/// What there is to scrape.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// By key.
    pub(crate) targets: BTreeMap<Arc<str>, Target>,
    /// What relabelling drops: pool and discovered labels; empty unless asked for.
    pub(crate) dropped: Vec<(Arc<str>, Shown)>,
    /// How much relabelling drops.
    pub(crate) dropped_count: usize,
    /// What cannot be scraped, sorted.
    pub(crate) refused: Vec<RefusedTarget>,
    /// Targets beyond the bound.
    pub(crate) left_out: usize,
}

type MonitorKey = (MonitorKind, Box<str>, Box<str>);
type Pools = Arc<[Result<Arc<Pool>, String>]>;

/// Finds targets.
#[derive(Debug)]
pub(crate) struct Discovery {
    settings: Arc<Settings>,
    annotated: Result<Arc<Pool>, String>,
    pools: HashMap<MonitorKey, (Arc<Monitor>, Pools)>,
    texts: Texts,
}

impl Discovery {
    pub(crate) fn new(settings: &Arc<Settings>) -> Self {
        Self {
            annotated: pool::annotated(settings).map(Arc::new),
            settings: Arc::clone(settings),
            pools: HashMap::new(),
            texts: Texts::default(),
        }
    }

    /// The targets now; with `show`, the labels too that each was discovered with. The bound is
    /// on those that are `mine`.
    pub(crate) fn find(
        &mut self,
        inventory: &Inventory,
        show: bool,
        mine: &dyn Fn(&str) -> bool,
    ) -> Found {
        let mut finding = Finding { found: Found::default(), show, texts: &mut self.texts };
        if self.settings.annotations {
            match &self.annotated {
                Ok(pool) => finding.annotated(pool, inventory),
                Err(why) => finding.refuse(ANNOTATED.to_owned(), why.clone()),
            }
        }
        if self.settings.monitors {
            let mut pools = HashMap::new();
            for monitor in inventory.monitors() {
                let key = (monitor.kind, monitor.namespace.clone(), monitor.name.clone());
                let known =
                    self.pools.remove(&key).filter(|(known, _)| Arc::ptr_eq(known, monitor));
                let (monitor, of_monitor) = known
                    .unwrap_or_else(|| (Arc::clone(monitor), compiled(monitor, &self.settings)));
                finding.monitored(&monitor, &of_monitor, inventory);
                pools.insert(key, (monitor, of_monitor));
            }
            self.pools = pools;
        }
        let mut found = finding.found;
        self.texts.sweep();
        let mut left = self.settings.limits.targets;
        found.targets.retain(|key, _| {
            let counts = mine(key);
            let fits = !counts || left > 0;
            left -= usize::from(counts && fits);
            found.left_out += usize::from(!fits);
            fits
        });
        found.refused.order();
        // A rule that is wrong for many targets is one thing to mend.
        found.refused.dedup();
        found
    }
}

fn compiled(monitor: &Monitor, settings: &Settings) -> Pools {
    let numbered = monitor.endpoints.iter().enumerate();
    let pools = numbered
        .map(|(index, endpoint)| pool::monitored(monitor, index, endpoint, settings).map(Arc::new));
    pools.collect()
}

struct Finding<'t> {
    found: Found,
    show: bool,
    texts: &'t mut Texts,
}

impl Finding<'_> {
    fn refuse(&mut self, about: String, reason: String) {
        self.found.refused.push(RefusedTarget { about, reason });
    }

    fn take(&mut self, pool: &Arc<Pool>, labels: Labels<'_>) -> Option<Arc<str>> {
        let shown =
            (self.show && self.found.dropped.len() < MAX_DROPPED_SHOWN).then(|| labels.sorted());
        match place(pool, labels, self.show, self.texts) {
            Placed::Target(target) => {
                let key = Arc::clone(&target.key);
                self.found.targets.entry(Arc::clone(&key)).or_insert(*target);
                return Some(key);
            }
            Placed::Dropped => {
                self.found.dropped_count += 1;
                self.found.dropped.extend(shown.map(|labels| (Arc::clone(&pool.name), labels)));
            }
            Placed::Wrong(why) => self.refuse(pool.name.to_string(), why),
        }
        None
    }

    fn annotated(&mut self, pool: &Arc<Pool>, inventory: &Inventory) {
        for pod in inventory.pods() {
            let Some(hint) = pod.scrape.as_ref().filter(|hint| &*hint.scrape == "true") else {
                continue;
            };
            if pod.ip.is_empty() {
                continue;
            }
            let mut base = Labels::default();
            meta::of_pod(pod, &mut base);
            let about = || format!("{ANNOTATED} {}/{}", pod.namespace, pod.name);
            if !hint.port.is_empty() {
                if let Ok(port) = hint.port.parse() {
                    meta::one_target_of_pod(pod, port, &mut base);
                    self.take(pool, base);
                } else {
                    let why =
                        format!("its annotation prometheus.io/port `{}` is no port", hint.port);
                    self.refuse(about(), why);
                }
                continue;
            }
            let has_ports = pod.containers.iter().any(|container| !container.ports.is_empty());
            if !has_ports {
                let why = "it has neither the annotation prometheus.io/port nor a port in its spec";
                self.refuse(about(), why.to_owned());
                continue;
            }
            meta::targets_of_pod(pod, &base, |labels| {
                if labels.has("__meta_kubernetes_pod_container_port_number") {
                    self.take(pool, labels);
                }
            });
        }
    }

    fn monitored(&mut self, monitor: &Monitor, pools: &Pools, inventory: &Inventory) {
        for (index, pool) in pools.iter().enumerate() {
            let pool = match pool {
                Ok(pool) => pool,
                Err(why) => {
                    let Monitor { kind, namespace, name, .. } = monitor;
                    self.refuse(format!("{}/{namespace}/{name}/{index}", kind.pool()), why.clone());
                    continue;
                }
            };
            let mut keys = HashSet::new();
            match monitor.kind {
                MonitorKind::Service => self.services(monitor, pool, inventory, &mut keys),
                MonitorKind::Pod => self.pods(monitor, pool, inventory, &mut keys),
            }
            if pool.target_limit > 0 && keys.len() as u64 > pool.target_limit {
                let why = format!(
                    "its targetLimit of {} is exceeded by {}",
                    pool.target_limit,
                    keys.len()
                );
                self.refuse(pool.name.to_string(), why);
                for key in keys {
                    self.found.targets.remove(&key);
                }
            }
        }
        if pools.is_empty() {
            let Monitor { kind, namespace, name, refused, .. } = monitor;
            if let Some(why) = refused {
                self.refuse(format!("{}/{namespace}/{name}", kind.pool()), why.to_string());
            }
        }
    }

    fn services(
        &mut self,
        monitor: &Monitor,
        pool: &Arc<Pool>,
        inventory: &Inventory,
        keys: &mut HashSet<Arc<str>>,
    ) {
        let slices = inventory.shelf::<EndpointSlice>();
        let services = inventory.shelf::<Service>();
        let mut each = |slice: &EndpointSlice| {
            let Some(service) = services.get(&slice.namespace, &slice.service) else { return };
            if accepts(&monitor.selector, &service.labels) {
                meta::targets_of_slice(slice, service, inventory, monitor.attach_node, |labels| {
                    keys.extend(self.take(pool, labels));
                });
            }
        };
        match &monitor.namespaces {
            NamespaceChoice::Own => slices.within(&monitor.namespace).for_each(|one| each(one)),
            NamespaceChoice::Any => slices.all().for_each(|one| each(one)),
            NamespaceChoice::Names(names) => {
                names.iter().flat_map(|name| slices.within(name)).for_each(|one| each(one));
            }
        }
    }

    fn pods(
        &mut self,
        monitor: &Monitor,
        pool: &Arc<Pool>,
        inventory: &Inventory,
        keys: &mut HashSet<Arc<str>>,
    ) {
        let mut each = |pod: &Pod| {
            if !accepts(&monitor.selector, &pod.labels) {
                return;
            }
            let mut base = Labels::default();
            meta::of_pod(pod, &mut base);
            if monitor.attach_node
                && let Some(node) = inventory.node(&pod.node)
            {
                meta::of_node(node, &mut base);
            }
            meta::targets_of_pod(pod, &base, |labels| keys.extend(self.take(pool, labels)));
        };
        match &monitor.namespaces {
            NamespaceChoice::Own => inventory.pods_in(&monitor.namespace).for_each(|one| each(one)),
            NamespaceChoice::Any => inventory.pods().for_each(|one| each(one)),
            NamespaceChoice::Names(names) => {
                names.iter().flat_map(|name| inventory.pods_in(name)).for_each(|one| each(one));
            }
        }
    }
}

fn accepts(selector: &[Requirement], labels: &[(Box<str>, Box<str>)]) -> bool {
    selector.iter().all(|requirement| requirement.accepts(labels))
}

#[cfg(test)]
mod tests;
