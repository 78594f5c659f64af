//! Dotted paths of metric sets, as graphite and statsd write them: alike but for a few words.

use model::EntityKind;

use crate::labels::Labels;
use crate::select::Row;
use crate::text::push_clean;

/// What a format calls the levels of a path.
pub(crate) struct Words {
    pub(crate) namespaces: &'static str,
    pub(crate) workloads: &'static str,
    pub(crate) nodes: &'static str,
    /// Between a node and the namespace of its pods.
    pub(crate) namespaces_of_node: &'static str,
    /// Between a namespace and a pod, if anything.
    pub(crate) pods: Option<&'static str>,
    pub(crate) containers: &'static str,
    pub(crate) system_containers: &'static str,
}

impl Words {
    /// Appends the path of the metric set that `row` is in, each part ended by a dot; characters
    /// that `allowed` refuses become underscores.
    pub(crate) fn push(
        &self,
        out: &mut Vec<u8>,
        row: Row<'_>,
        labels: &Labels,
        allowed: impl Fn(char) -> bool + Copy,
    ) {
        let owner = row.owner;
        let (nodes, host) = (Some(self.nodes), Some(labels.get("hostname")));
        let (of_node, pods) = (Some(self.namespaces_of_node), self.pods);
        let namespace = Some(owner.namespace().unwrap_or_default());
        let pod = Some(owner.pod().unwrap_or_default());
        let name = Some(owner.name());
        let parts: &[Option<&str>] = match owner.kind() {
            EntityKind::Cluster => &[Some("cluster")],
            EntityKind::Namespace => &[Some(self.namespaces), name],
            EntityKind::Workload => {
                let (kind, workloads) = (Some(owner.variant()), Some(self.workloads));
                &[Some(self.namespaces), namespace, workloads, kind, name]
            }
            EntityKind::Node => &[nodes, host],
            EntityKind::Pod => &[nodes, host, of_node, namespace, pods, name],
            EntityKind::Container => {
                let containers = Some(self.containers);
                &[nodes, host, of_node, namespace, pods, pod, containers, name]
            }
            EntityKind::SystemContainer => &[nodes, host, Some(self.system_containers), name],
            kind => &[Some(kind.name()), name],
        };
        for part in parts.iter().flatten() {
            push_clean(out, part, allowed);
            out.push(b'.');
        }
    }
}
