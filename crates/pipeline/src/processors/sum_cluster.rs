//! The cluster gets the sums of its namespaces. Its row is always there.
//!
//! Where there are no namespaces (a machine without Kubernetes) its nodes' own usage is summed.

use model::{Draft, EntityKind, SharedInventory, metric};

use super::sums::{add_columns, summed_from_pods};
use super::{Options, State};

pub(super) fn run(draft: &mut Draft, _: &SharedInventory, _: &Options, state: &mut State) {
    let cluster = draft.registry.cluster();
    draft.insert(&cluster);
    let (namespaces, clusters) = draft.read_and_fill(EntityKind::Namespace, EntityKind::Cluster);
    state.rows.clear();
    state.rows.resize(namespaces.len(), 0);
    let metrics = summed_from_pods(EntityKind::Cluster);
    add_columns(namespaces, clusters, &state.rows, metrics.chain([metric::PODS]));
    if namespaces.is_empty() {
        let (nodes, clusters) = draft.read_and_fill(EntityKind::Node, EntityKind::Cluster);
        state.rows.resize(nodes.len(), 0);
        add_columns(nodes, clusters, &state.rows, summed_from_pods(EntityKind::Cluster));
    }
}
