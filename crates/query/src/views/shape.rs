//! What a view's series are labelled, and which conditions the store can check by itself.

use std::sync::Arc;

use model::{EntityKind, Pairs};

use super::found::is_looked_at;
use super::state::StateHistory;
use super::table::{Family, View};
use crate::promql::{Labels, METRIC_NAME, Matcher};

/// Conditions by where they are checked.
pub(super) struct Plan<'m> {
    /// On stored labels.
    pub(super) stored: Vec<Matcher>,
    /// On finished labels.
    pub(super) late: Vec<&'m Matcher>,
}

/// Labels that are stored under the name that they are shown under.
const SAME: [&str; 9] =
    ["container", "namespace", "pod", "node", "device", "make", "model", "acc_id", "volume"];

/// Divides the conditions; `None` when no series of the view can pass.
pub(super) fn plan<'m>(
    view: &View,
    matchers: impl Iterator<Item = &'m Matcher>,
    states: &StateHistory,
) -> Option<Plan<'m>> {
    let mut plan = Plan { stored: own(view, states), late: Vec::new() };
    for matcher in matchers {
        let name = matcher.name();
        let fixed = view.extra.iter().chain(view.family.fixed()).find(|(known, _)| *known == name);
        if let Some((_, value)) = fixed {
            if !matcher.is_match(value) {
                return None;
            }
            continue;
        }
        match place(view, name) {
            Place::Stored(stored) => plan.stored.push(matcher.on(stored)),
            Place::Late => plan.late.push(matcher),
            Place::Never => {
                if !matcher.is_match("") {
                    return None;
                }
            }
        }
    }
    Some(plan)
}

/// Conditions that whatever has a series of a view passes, where most of what is stored of its kind
/// does not: containers' filesystems in a view of nodes', volumes that come from no claim.
fn own(view: &View, states: &StateHistory) -> Vec<Matcher> {
    match view.family {
        Family::NodeExporter if view.kind != EntityKind::Node => {
            ["pod", "container"].map(|name| Matcher::equal(name, "")).into()
        }
        Family::Volumes => states.of_claims().into_iter().collect(),
        _ => Vec::new(),
    }
}

enum Place {
    Stored(&'static str),
    Late,
    Never,
}

fn place(view: &View, name: &str) -> Place {
    use EntityKind::{Container, Node, SystemContainer};
    let same = SAME.into_iter().find(|known| *known == name);
    match (view.family, view.kind) {
        (Family::Own, _) => match name {
            "workload" => Place::Stored("workload"),
            "workload_type" => Place::Stored("workload_type"),
            _ => same.map_or(Place::Never, Place::Stored),
        },
        (Family::Rule | Family::Resource, _) => same.map_or(Place::Never, Place::Stored),
        (Family::Volumes, _) => match name {
            "namespace" | "node" => same.map_or(Place::Never, Place::Stored),
            "persistentvolumeclaim" => Place::Late,
            _ => Place::Never,
        },
        (Family::NodeExporter, _) => match name {
            "instance" | "node" => Place::Stored("node"),
            "mountpoint" if view.kind == EntityKind::Filesystem => Place::Stored("device"),
            "device" if view.kind != Node => Place::Stored("device"),
            _ => Place::Never,
        },
        (Family::Cadvisor, Container) if name == "image" => Place::Late,
        (Family::Cadvisor, Node | SystemContainer) => match name {
            "node" => Place::Stored("node"),
            "id" => Place::Late,
            _ => Place::Never,
        },
        (Family::Cadvisor, _) => match name {
            // A node's own parts have the root's id, a container's have none.
            "id" => Place::Late,
            _ => same.map_or(Place::Never, Place::Stored),
        },
    }
}

/// What is the same in the labels of all series of a view, to be shared by them.
pub(super) struct Words {
    /// The metric's name and labels that every series has.
    fixed: Vec<(Arc<str>, Arc<str>)>,
    id: Arc<str>,
    root: Arc<str>,
    node: Arc<str>,
    namespace: Arc<str>,
    claim: Arc<str>,
    instance: Arc<str>,
    device: Arc<str>,
    mountpoint: Arc<str>,
    image: Arc<str>,
    /// The value of an image that nobody knows.
    unknown: Arc<str>,
}

impl Words {
    pub(super) fn new(view: &View) -> Self {
        let mut fixed = vec![(METRIC_NAME.into(), Arc::clone(&view.name))];
        let same = view.extra.iter().chain(view.family.fixed());
        fixed.extend(same.map(|(name, value)| ((*name).into(), (*value).into())));
        Self {
            fixed,
            id: "id".into(),
            root: "/".into(),
            node: "node".into(),
            namespace: "namespace".into(),
            claim: "persistentvolumeclaim".into(),
            instance: "instance".into(),
            device: "device".into(),
            mountpoint: "mountpoint".into(),
            image: "image".into(),
            unknown: "unknown".into(),
        }
    }
}

/// Whether a volume comes from a claim: few do.
pub(super) fn is_of_claim(stored: &Pairs, states: &StateHistory) -> bool {
    claim(stored, states, |_| ()).is_some()
}

/// What `read` makes of the name of the claim that a pod's volume comes from.
fn claim<T>(stored: &Pairs, states: &StateHistory, read: impl FnOnce(&str) -> T) -> Option<T> {
    let (namespace, pod) = (stored.get("namespace")?, stored.get("pod")?);
    let (volume, pod) = (stored.get("volume")?, states.pod(namespace, pod)?);
    let (_, claim) = pod.claims.iter().find(|(name, _)| **name == **volume)?;
    Some(read(claim))
}

/// The labels of a row's series, or those of them that are `wanted`; `None` when it has no series
/// of this view. Objects are looked up row by row, so that whoever observes them waits for no
/// query.
pub(super) fn labels(
    (view, words): (&View, &Words),
    stored: &Pairs,
    wanted: Option<&[Arc<str>]>,
    states: &StateHistory,
) -> Option<Labels> {
    let value = |name: &str| stored.get(name);
    let is_wanted = |name: &str| is_looked_at(wanted, name);
    let mut pairs: Vec<(Arc<str>, Arc<str>)> = Vec::with_capacity(stored.len() + 6);
    let mut put = |name: &Arc<str>, value: &Arc<str>| {
        if is_wanted(name) {
            pairs.push((Arc::clone(name), Arc::clone(value)));
        }
    };
    for (name, value) in &words.fixed {
        put(name, value);
    }
    match (view.family, view.kind) {
        (Family::Cadvisor, EntityKind::SystemContainer) => {
            put(&words.id, &format!("/{}", value("container")?).into());
            if let Some(node) = value("node") {
                put(&words.node, node);
            }
        }
        (Family::Volumes, _) => {
            let claim: Arc<str> = claim(stored, states, |claim| claim.into())?;
            put(&words.namespace, value("namespace")?);
            put(&words.claim, &claim);
            if let Some(node) = value("node") {
                put(&words.node, node);
            }
        }
        (Family::NodeExporter, _) => {
            let node = value("node")?;
            put(&words.instance, node);
            put(&words.node, node);
            if view.kind != EntityKind::Node {
                let device = value("device")?;
                put(&words.device, device);
                if view.kind == EntityKind::Filesystem {
                    put(&words.mountpoint, device);
                }
            }
        }
        (Family::Cadvisor, _) => {
            for (name, value) in stored.iter() {
                put(name, value);
            }
            match (value("pod"), value("container")) {
                (Some(pod), Some(container))
                    if view.kind == EntityKind::Container && is_wanted("image") =>
                {
                    let image = image(states, value("namespace")?, pod, container);
                    put(&words.image, image.as_ref().unwrap_or(&words.unknown));
                }
                (None, None) => put(&words.id, &words.root),
                _ => {}
            }
        }
        (Family::Resource | Family::Rule | Family::Own, _) => {
            for (name, value) in stored.iter() {
                put(name, value);
            }
        }
    }
    pairs.sort_unstable();
    pairs.dedup_by(|right, left| right.0 == left.0);
    Some(Labels::from_sorted(pairs))
}

/// The image of a container; `None` where its pod is forgotten.
fn image(states: &StateHistory, namespace: &str, pod: &str, container: &str) -> Option<Arc<str>> {
    let pod = states.pod(namespace, pod)?;
    let spec = pod.containers.iter().find(|spec| *spec.name == *container)?;
    Some(Arc::clone(&spec.image))
}
