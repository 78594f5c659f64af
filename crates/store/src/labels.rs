//! The labels of a stored entity, named as kube-prometheus names them.
//!
//! A stored entity is a model entity plus the node it ran on: a pod that moves becomes a second
//! entity. Kubernetes labels and uids are not part of it.

use std::cmp::Ordering;
use std::fmt;
use std::sync::{Arc, LazyLock};

use model::{Context, Entity, EntityKind, Pairs};

use crate::wire::{self, Malformed, Parsed, Reader};

/// Most labels that one entity may have on disk.
const MAX_LABELS: usize = 64;

/// What an entity is called: its kind and its labels sorted by name.
#[derive(Clone, PartialEq, Eq)]
pub struct Labels {
    kind: EntityKind,
    pairs: Pairs,
}

/// [`Labels::NAMES`], to be shared.
static SHARED_NAMES: LazyLock<[Arc<str>; Labels::NAMES.len()]> =
    LazyLock::new(|| Labels::NAMES.map(Arc::from));

/// A name, to be shared when it is one of [`Labels::NAMES`].
pub(crate) fn shared_name(name: &str) -> Arc<str> {
    SHARED_NAMES.iter().find(|known| ***known == *name).map_or_else(|| Arc::from(name), Arc::clone)
}

impl Labels {
    /// The names that [`Labels::of`] gives.
    pub const NAMES: [&'static str; 11] = [
        "namespace",
        "pod",
        "container",
        "node",
        "workload",
        "workload_type",
        "volume",
        "device",
        "make",
        "model",
        "acc_id",
    ];

    /// Of these (name, value) pairs; empty values are dropped.
    pub fn new(kind: EntityKind, pairs: Vec<(Arc<str>, Arc<str>)>) -> Self {
        Self { kind, pairs: Pairs::new(pairs) }
    }

    /// Of pairs that are in order.
    pub(crate) fn of_pairs(kind: EntityKind, pairs: Pairs) -> Self {
        Self { kind, pairs }
    }

    /// Of a row's entity: `namespace`, `pod`, `container`, `node`, `workload` and
    /// `workload_type`, `volume`, `device`, `make`, `model` and `acc_id`, as far as they apply.
    pub fn of(entity: &Entity, context: &Context) -> Self {
        let mut pairs: Vec<(Arc<str>, Arc<str>)> = Vec::with_capacity(6);
        each_pair(entity, context, |name, value| pairs.push((shared_name(name), value.into())));
        Self::new(entity.kind(), pairs)
    }

    /// The pairs of [`Self::of`] in their order, put into `pairs` without a copy.
    pub(crate) fn describe<'a>(
        entity: &'a Entity,
        context: &'a Context,
        pairs: &mut Vec<(&'static str, &'a str)>,
    ) {
        pairs.clear();
        each_pair(entity, context, |name, value| {
            if !value.is_empty() {
                pairs.push((name, value));
            }
        });
        pairs.sort_unstable();
        pairs.dedup_by(|right, left| right.0 == left.0);
    }

    /// What it is.
    pub fn kind(&self) -> EntityKind {
        self.kind
    }

    /// The value of the label `name`; `None` when it has none.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs.get(name).map(|value| &**value)
    }

    /// Every (name, value), sorted by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> + Clone {
        let pairs = self.pairs.names().iter().zip(self.pairs.values());
        pairs.map(|(name, value)| (&**name, &**value))
    }

    /// Every (name, value), sorted by name, to be shared.
    pub fn pairs(&self) -> &Pairs {
        &self.pairs
    }

    /// Writes it as a difference to `previous`, the labels before it in the same file.
    #[cfg(test)]
    fn put(&self, previous: Option<&Self>, out: &mut Vec<u8>) {
        put_pairs(self.iter(), previous.into_iter().flat_map(Self::iter), out);
    }

    pub(crate) fn read(
        kind: EntityKind,
        previous: Option<&Self>,
        reader: &mut Reader<'_>,
    ) -> Parsed<Self> {
        let count = reader.at_most(MAX_LABELS)?;
        let previous = previous.map(|labels| &labels.pairs);
        let (mut names, mut values) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for at in 0..count {
            let known = previous.and_then(|pairs| pairs.names().get(at));
            let name = match reader.len()? {
                0 => Arc::clone(known.ok_or(Malformed)?),
                len => {
                    Arc::from(std::str::from_utf8(reader.bytes(len - 1)?).map_err(|_| Malformed)?)
                }
            };
            let shared = reader.len()?;
            let rest = reader.len()?;
            let rest = reader.bytes(rest)?;
            let value = match previous.and_then(|pairs| pairs.values().get(at)) {
                Some(known) if shared == known.len() && rest.is_empty() => Arc::clone(known),
                known => {
                    let known = known.map_or(&[][..], |known| known.as_bytes());
                    let bytes = [known.get(..shared).ok_or(Malformed)?, rest].concat();
                    Arc::from(String::from_utf8(bytes).map_err(|_| Malformed)?)
                }
            };
            names.push(name);
            values.push(value);
        }
        let same = previous.map(Pairs::names).filter(|known| ***known == *names);
        let names = same.map_or_else(|| names.into(), Arc::clone);
        Pairs::of(names, values.into()).map(|pairs| Self { kind, pairs }).ok_or(Malformed)
    }
}

/// Writes an entity's pairs as differences to those of the one before it in the same file.
pub(crate) fn put_pairs<'a>(
    pairs: impl ExactSizeIterator<Item = (&'a str, &'a str)>,
    mut previous: impl Iterator<Item = (&'a str, &'a str)>,
    out: &mut Vec<u8>,
) {
    wire::put_len(out, pairs.len());
    for (name, value) in pairs {
        let before = previous.next();
        if before.is_some_and(|(known, _)| known == name) {
            wire::put_u64(out, 0);
        } else {
            wire::put_len(out, name.len() + 1);
            out.extend_from_slice(name.as_bytes());
        }
        let shared = before.map_or(0, |(_, known)| shared_prefix(known, value));
        wire::put_len(out, shared);
        let rest = value.as_bytes().get(shared..).unwrap_or_default();
        wire::put_len(out, rest.len());
        out.extend_from_slice(rest);
    }
}

/// Calls `put` with each name and value of a row's entity, in any order.
fn each_pair<'a>(
    entity: &'a Entity,
    context: &'a Context,
    mut put: impl FnMut(&'static str, &'a str),
) {
    match entity.kind() {
        EntityKind::Workload => {
            put("workload", entity.name());
            put("workload_type", entity.variant());
        }
        EntityKind::Volume => {
            put("volume", entity.name().strip_prefix("Volume:").unwrap_or(entity.name()));
        }
        EntityKind::Filesystem | EntityKind::Disk => put("device", entity.name()),
        EntityKind::Accelerator => {
            let (make, model) = entity.variant().split_once('/').unwrap_or((entity.variant(), ""));
            put("make", make);
            put("model", model);
            put("acc_id", entity.name());
        }
        _ => {}
    }
    for (name, value) in [
        ("namespace", entity.namespace()),
        ("pod", entity.pod()),
        ("container", entity.container()),
        ("node", node_of(entity, context)),
    ] {
        if let Some(value) = value {
            put(name, value);
        }
    }
}

/// The node a row ran on or is; `None` for what belongs to no node.
pub(crate) fn node_of<'a>(entity: &'a Entity, context: &'a Context) -> Option<&'a str> {
    match entity.kind() {
        EntityKind::Cluster | EntityKind::Namespace | EntityKind::Workload => None,
        _ => entity.node().or_else(|| context.node.as_ref().map(|node| &*node.name)),
    }
}

fn shared_prefix(left: &str, right: &str) -> usize {
    if left == right {
        return left.len();
    }
    left.bytes().zip(right.bytes()).take_while(|(left, right)| left == right).count()
}

impl Ord for Labels {
    /// By kind's code, then label by label: the order of entities in a block.
    fn cmp(&self, other: &Self) -> Ordering {
        wire::kind_code(self.kind)
            .cmp(&wire::kind_code(other.kind))
            .then_with(|| self.pairs.cmp(&other.pairs))
    }
}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// `pod{namespace="shop",pod="web-0"}`
impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{{", self.kind.name())?;
        for (at, (name, value)) in self.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(f, "{comma}{name}={value:?}")?;
        }
        f.write_str("}")
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Registry;

    #[test]
    fn names_follow_kube_prometheus() {
        let mut registry = Registry::default();
        let pod = registry.pod("shop", "web-0", "u");
        let volume = registry.part(EntityKind::Volume, &pod, "Volume:data");
        let labels = Labels::of(&volume, &Context::default());
        assert_eq!(labels.to_string(), r#"volume{namespace="shop",pod="web-0",volume="data"}"#);
        let node = registry.node("n1");
        let kubelet = registry.system_container(&node, "kubelet");
        let labels = Labels::of(&kubelet, &Context::default());
        assert_eq!(labels.to_string(), r#"system_container{container="kubelet",node="n1"}"#);
    }

    #[test]
    fn differences_come_back() {
        let mut registry = Registry::default();
        let mut out = Vec::new();
        let all: Vec<Labels> = ["web-1", "web-12", "db-0"]
            .map(|name| Labels::of(&registry.pod("shop", name, ""), &Context::default()))
            .into();
        for (at, labels) in all.iter().enumerate() {
            labels.put(at.checked_sub(1).map(|at| &all[at]), &mut out);
        }
        let mut reader = Reader::new(&out);
        let mut previous = None;
        for labels in &all {
            let read = Labels::read(EntityKind::Pod, previous.as_ref(), &mut reader).unwrap();
            assert_eq!(read, *labels);
            previous = Some(read);
        }
    }
}
