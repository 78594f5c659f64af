//! The cluster gets the sums of its namespaces. Its row is always there.

use model::{Draft, EntityKind, Inventory, metric};

use super::sums::{add_columns, summed_from_pods};
use super::{Options, State};

pub(super) fn run(draft: &mut Draft, _: &Inventory, _: &Options, state: &mut State) {
    let cluster = draft.registry.cluster();
    draft.insert(&cluster);
    let (namespaces, clusters) = draft.read_and_fill(EntityKind::Namespace, EntityKind::Cluster);
    state.rows.clear();
    state.rows.resize(namespaces.len(), 0);
    let metrics = summed_from_pods(EntityKind::Cluster).chain([metric::PODS]);
    add_columns(namespaces, clusters, &state.rows, metrics);
}
