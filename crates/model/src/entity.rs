//! An entity: the thing that is measured (a node, a pod, a container, …) and its identity.

use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;

/// What an [`Entity`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntityKind {
    /// The whole cluster; exactly one.
    Cluster,
    /// A namespace.
    Namespace,
    /// A Deployment, `StatefulSet`, `DaemonSet`, `CronJob`, … : the top of a pod's owner chain.
    Workload,
    /// A pod.
    Pod,
    /// A container of a pod. Parent: the pod.
    Container,
    /// A node.
    Node,
    /// A cgroup of the node outside pods (kubelet, runtime, a systemd slice). Parent: the node.
    SystemContainer,
    /// A volume of a pod; `resource_id` is `Volume:<name>`. Parent: the pod.
    Volume,
    /// A filesystem of a node or a container; `resource_id` is `/`, `logs` or a device.
    Filesystem,
    /// A block device with I/O counters. Parent: a node, container or system container.
    Disk,
    /// A GPU or other accelerator. Parent: a container.
    Accelerator,
}

impl EntityKind {
    /// Every kind, in the order of [`EntityKind::index`].
    pub const ALL: [Self; 11] = [
        Self::Cluster,
        Self::Namespace,
        Self::Workload,
        Self::Pod,
        Self::Container,
        Self::Node,
        Self::SystemContainer,
        Self::Volume,
        Self::Filesystem,
        Self::Disk,
        Self::Accelerator,
    ];

    /// Position in [`EntityKind::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Taffrail's own name of the kind, as in its API: `cluster`, `system_container`, …
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Namespace => "namespace",
            Self::Workload => "workload",
            Self::Pod => "pod",
            Self::Container => "container",
            Self::Node => "node",
            Self::SystemContainer => "system_container",
            Self::Volume => "volume",
            Self::Filesystem => "filesystem",
            Self::Disk => "disk",
            Self::Accelerator => "accelerator",
        }
    }

    /// The kind of that [`name`](Self::name).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Heapster's value of the `type` label; `None` for kinds it does not have, and for those
    /// that it shows as labeled metrics of their parent.
    pub const fn heapster_type(self) -> Option<&'static str> {
        match self {
            Self::Cluster => Some("cluster"),
            Self::Namespace => Some("ns"),
            Self::Pod => Some("pod"),
            Self::Container => Some("pod_container"),
            Self::Node => Some("node"),
            Self::SystemContainer => Some("sys_container"),
            Self::Workload | Self::Volume | Self::Filesystem | Self::Disk | Self::Accelerator => {
                None
            }
        }
    }

    /// Whether the entity is a part of its parent that Heapster shows as a labeled metric there.
    pub const fn is_labeled_part(self) -> bool {
        matches!(self, Self::Volume | Self::Filesystem | Self::Disk | Self::Accelerator)
    }
}

/// The identity of a measured thing, made by [`Registry`](crate::Registry) so that one thing is
/// one allocation for as long as it is seen.
///
/// Two entities are equal when kind, names and parents are; the uid is an attribute, not part of
/// the identity (a `StatefulSet`'s pod keeps its history when it is recreated).
#[derive(Debug)]
pub struct Entity {
    parent: Option<Arc<Entity>>,
    /// Its pieces one behind the other (see [`Identity::pieces`]); parts of many parents that are
    /// called the same have it in common.
    text: Arc<str>,
    /// Where the first and the second piece end in `text`.
    ends: [u32; 2],
    hash: u32,
    kind: EntityKind,
}

/// The parts that make an entity's identity, borrowed: what a lookup needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identity<'a> {
    pub(crate) kind: EntityKind,
    pub(crate) namespace: &'a str,
    pub(crate) variant: &'a str,
    pub(crate) name: &'a str,
    pub(crate) parent: Option<&'a Arc<Entity>>,
}

impl Identity<'_> {
    fn hash(&self) -> u32 {
        let mut hasher = foldhash::quality::FixedState::default().build_hasher();
        self.kind.hash(&mut hasher);
        self.namespace.hash(&mut hasher);
        self.variant.hash(&mut hasher);
        self.name.hash(&mut hasher);
        hasher.write_u32(self.parent.map_or(0, |parent| parent.hash));
        #[expect(
            clippy::cast_possible_truncation,
            reason = "half of the bits tell a million apart"
        )]
        let half = hasher.finish() as u32;
        half
    }

    /// What [`Entity::hash64`] of that entity is.
    pub(crate) fn hash64(&self) -> u64 {
        spread(self.hash())
    }

    pub(crate) fn matches(&self, entity: &Entity) -> bool {
        self.kind == entity.kind
            && self.name == entity.name()
            && self.namespace == entity.own_namespace()
            && self.variant == entity.variant()
            && match (self.parent, &entity.parent) {
                (None, None) => true,
                (Some(left), Some(right)) => left == right,
                _ => false,
            }
    }

    /// The pieces of the text: no kind has more than three.
    fn pieces<'a>(&'a self, uid: &'a str) -> [&'a str; 3] {
        match self.kind {
            EntityKind::Pod => [self.namespace, self.name, uid],
            EntityKind::Workload => [self.namespace, self.variant, self.name],
            _ => [self.variant, self.name, uid],
        }
    }

    pub(crate) fn to_entity(self, uid: &str) -> Entity {
        let pieces = self.pieces(uid);
        let end = |pieces: &[&str]| {
            u32::try_from(pieces.iter().map(|piece| piece.len()).sum::<usize>()).unwrap_or(u32::MAX)
        };
        Entity {
            parent: self.parent.map(Arc::clone),
            text: pieces.concat().into(),
            ends: [end(&pieces[..1]), end(&pieces[..2])],
            hash: self.hash(),
            kind: self.kind,
        }
    }
}

/// Half a hash for tables that look at both ends of a whole one.
fn spread(half: u32) -> u64 {
    // 2^64 by the golden ratio, as Knuth multiplies.
    u64::from(half).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

impl Entity {
    /// What it is.
    pub fn kind(&self) -> EntityKind {
        self.kind
    }

    /// Its own name: the pod's, the node's, the container's, `cluster`, or the `resource_id` of
    /// a volume, filesystem, disk or accelerator.
    pub fn name(&self) -> &str {
        self.piece(if self.kind == EntityKind::Workload { 2 } else { 1 })
    }

    /// The workload's kind (`Deployment`), the accelerator's `make/model`; empty otherwise.
    pub fn variant(&self) -> &str {
        match self.kind {
            EntityKind::Pod => "",
            EntityKind::Workload => self.piece(1),
            _ => self.piece(0),
        }
    }

    /// The object's uid as the kubelet gave it; empty when unknown.
    pub fn uid(&self) -> &str {
        if self.kind == EntityKind::Workload { "" } else { self.piece(2) }
    }

    /// The pod of a container or volume, the node of a system container, the owner of a part.
    pub fn parent(&self) -> Option<&Arc<Self>> {
        self.parent.as_ref()
    }

    /// The namespace it lives in (or is), through its parents; `None` outside namespaces.
    pub fn namespace(&self) -> Option<&str> {
        match self.kind {
            EntityKind::Namespace => Some(self.name()),
            EntityKind::Pod | EntityKind::Workload => Some(self.piece(0)),
            _ => self.parent.as_ref().and_then(|parent| parent.namespace()),
        }
    }

    /// The pod's name, for a pod and what is inside one.
    pub fn pod(&self) -> Option<&str> {
        self.ancestor(EntityKind::Pod).map(Self::name)
    }

    /// The container's name, for a (system) container and what is inside one.
    pub fn container(&self) -> Option<&str> {
        self.ancestor(EntityKind::Container)
            .or_else(|| self.ancestor(EntityKind::SystemContainer))
            .map(Self::name)
    }

    /// The node's name, for a node and what is identified by one (not for pods: those move).
    pub fn node(&self) -> Option<&str> {
        self.ancestor(EntityKind::Node).map(Self::name)
    }

    /// The identity's hash, stable within a process.
    pub fn hash64(&self) -> u64 {
        spread(self.hash)
    }

    /// Its text, to be exchanged for an equal one that others have already.
    pub(crate) fn text_mut(&mut self) -> &mut Arc<str> {
        &mut self.text
    }

    /// The namespace that is part of its own name.
    fn own_namespace(&self) -> &str {
        match self.kind {
            EntityKind::Pod | EntityKind::Workload => self.piece(0),
            _ => "",
        }
    }

    /// A piece of the text: see [`Identity::pieces`].
    fn piece(&self, at: usize) -> &str {
        let end = |at: usize| self.ends.get(at).map_or(self.text.len(), |end| *end as usize);
        let start = if at == 0 { 0 } else { end(at - 1) };
        self.text.get(start..end(at)).unwrap_or_default()
    }

    /// Of the text what is not the uid.
    fn identity(&self) -> &str {
        let end = match self.kind {
            EntityKind::Workload => self.text.len(),
            _ => self.ends[1] as usize,
        };
        self.text.get(..end).unwrap_or_default()
    }

    fn ancestor(&self, kind: EntityKind) -> Option<&Self> {
        if self.kind == kind {
            return Some(self);
        }
        self.parent.as_ref().and_then(|parent| parent.ancestor(kind))
    }
}

impl PartialEq for Entity {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
            || (self.hash == other.hash
                && self.kind == other.kind
                && self.ends == other.ends
                && self.identity() == other.identity()
                && self.parent == other.parent)
    }
}

impl Eq for Entity {}

impl Hash for Entity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u32(self.hash);
    }
}

/// Heapster's key of the set: `cluster`, `namespace:<ns>/pod:<pod>/container:<c>`, `node:<n>`, …
/// Kinds that Heapster lacks follow the same pattern.
impl fmt::Display for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        match self.kind {
            EntityKind::Cluster => f.write_str("cluster"),
            EntityKind::Namespace => write!(f, "namespace:{name}"),
            EntityKind::Node => write!(f, "node:{name}"),
            EntityKind::Pod => write!(f, "namespace:{}/pod:{name}", self.piece(0)),
            EntityKind::Workload => {
                write!(f, "namespace:{}/workload:{}/{name}", self.piece(0), self.variant())
            }
            kind => {
                if let Some(parent) = &self.parent {
                    write!(f, "{parent}/")?;
                }
                let part = match kind {
                    EntityKind::Container | EntityKind::SystemContainer => "container",
                    other => other.name(),
                };
                write!(f, "{part}:{name}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Registry;

    #[test]
    fn keys_are_heapsters() {
        let mut registry = Registry::default();
        let pod = registry.pod("ns", "web", "uid-1");
        let container = registry.container(&pod, "c1");
        let node = registry.node("n1");
        let kubelet = registry.system_container(&node, "kubelet");
        assert_eq!(container.to_string(), "namespace:ns/pod:web/container:c1");
        assert_eq!(kubelet.to_string(), "node:n1/container:kubelet");
        assert_eq!(registry.cluster().to_string(), "cluster");
        assert_eq!(registry.namespace("ns").to_string(), "namespace:ns");
        assert_eq!((container.namespace(), container.pod()), (Some("ns"), Some("web")));
        assert_eq!(kubelet.node(), Some("n1"));
    }
}
