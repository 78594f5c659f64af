//! Resource samples: CPU and memory of a node and its containers, as one answer of its kubelet
//! has them. What the resource metrics API is made of; rows of a draft are for everything else.

use std::collections::HashMap;
use std::sync::Arc;

use crate::{Batch, EntityKind, Table, TargetState, Timestamp, metric};

/// CPU and memory of one thing at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sample {
    /// When the kubelet measured it; [`Timestamp::NEVER`] when it does not say.
    pub at: Timestamp,
    /// When it started; [`Timestamp::NEVER`] when unknown, and for nodes.
    pub started: Timestamp,
    /// Nanoseconds of CPU used since the start.
    pub cpu_nanos: Option<i64>,
    /// Working set in bytes.
    pub memory_bytes: Option<i64>,
}

impl Sample {
    /// Whether nothing was measured.
    pub fn is_empty(&self) -> bool {
        self.cpu_nanos.is_none() && self.memory_bytes.is_none()
    }
}

/// A pod's containers in one answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PodSamples {
    /// Its namespace.
    pub namespace: Box<str>,
    /// Its name.
    pub name: Box<str>,
    /// Each container with its sample, in the answer's order.
    pub containers: Vec<(Box<str>, Sample)>,
}

/// What one kubelet said in one answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeSamples {
    /// The node, as the API server names it.
    pub node: Arc<str>,
    /// The node's own sample.
    pub own: Sample,
    /// Its pods, each once.
    pub pods: Vec<PodSamples>,
}

impl NodeSamples {
    /// The samples of every node that answered in `batch`, in no order.
    pub fn of(batch: &Batch) -> Vec<Self> {
        let up = batch.targets().iter().filter(|target| target.state == TargetState::Up);
        let names: Vec<Arc<str>> = up.map(|target| Arc::clone(&target.node)).collect();
        Self::read(names, batch.table(EntityKind::Node), batch.table(EntityKind::Container))
    }

    /// The samples of `nodes` in tables that a kubelet's answer was decoded into.
    pub fn read(nodes: Vec<Arc<str>>, own: &Table, containers: &Table) -> Vec<Self> {
        let mut found: Vec<Self> =
            nodes.into_iter().map(|node| Self { node, ..Self::default() }).collect();
        let mut index: HashMap<Arc<str>, usize> = HashMap::with_capacity(found.len());
        for (at, samples) in found.iter().enumerate() {
            index.insert(Arc::clone(&samples.node), at);
        }
        for (row, entity) in own.entities().iter().enumerate() {
            if let Some(at) = index.get(entity.name()) {
                // A node's start is no part of the rules: its counter outlives the kubelet.
                let sample = Sample { started: Timestamp::NEVER, ..sample(own, row) };
                found[*at].own = sample;
            }
        }
        let mut pods: HashMap<(usize, &str, &str), usize> = HashMap::new();
        for (row, entity) in containers.entities().iter().enumerate() {
            let node = containers.context(row).node.as_ref();
            let Some(at) = node.and_then(|node| index.get(&*node.name).copied()) else { continue };
            let (Some(namespace), Some(name)) = (entity.namespace(), entity.pod()) else {
                continue;
            };
            let list = &mut found[at].pods;
            let place = *pods.entry((at, namespace, name)).or_insert_with(|| {
                let (namespace, name) = (namespace.into(), name.into());
                list.push(PodSamples { namespace, name, containers: Vec::new() });
                list.len() - 1
            });
            list[place].containers.push((entity.name().into(), sample(containers, row)));
        }
        found
    }
}

fn sample(table: &Table, row: usize) -> Sample {
    let value = |id| table.get(row, id).map(crate::Value::as_i64);
    Sample {
        at: table.compute_time(row),
        started: table.started(row),
        cpu_nanos: value(metric::CPU_USAGE),
        memory_bytes: value(metric::MEMORY_WORKING_SET),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Draft, Node, Registry};

    #[test]
    fn rows_become_samples_of_the_nodes_that_answered() {
        let mut draft = Draft::new(Timestamp::from_secs(60), Registry::default());
        let node = Arc::new(Node { name: "n1".into(), ..Node::default() });
        let pod = draft.registry.pod("ns", "p", "");
        for name in ["a", "b"] {
            let container = draft.registry.container(&pod, name);
            let row = draft.insert(&container).row;
            let table = draft.table_mut(EntityKind::Container);
            table.context_mut(row).node = Some(Arc::clone(&node));
            table.set_scraped(row, Timestamp::from_secs(55));
            table.set_started(row, Timestamp::from_secs(5));
            table.set_int(row, metric::CPU_USAGE, 7);
        }
        let names = vec![Arc::from("n1"), Arc::from("n2")];
        let read = NodeSamples::read(
            names,
            draft.table(EntityKind::Node),
            draft.table(EntityKind::Container),
        );
        assert_eq!(read.len(), 2);
        assert!(read[1].pods.is_empty() && read[0].own.is_empty());
        let [pod] = &*read[0].pods else { panic!("{read:?}") };
        assert_eq!((&*pod.namespace, &*pod.name, pod.containers.len()), ("ns", "p", 2));
        let sample = pod.containers[1].1;
        assert_eq!((sample.at.secs(), sample.started.secs()), (55, 5));
        assert_eq!((sample.cpu_nanos, sample.memory_bytes), (Some(7), None));
    }
}
