//! Nodes get the sums of what their pods ask for. Usage of a node is the kubelet's own.

use std::sync::Arc;

use model::{Draft, EntityKind, MetricId, Node, SharedInventory, metric};

use super::sums::{NO_ROW, add_columns, count_pods, row32};
use super::{Options, State};

const SUMMED: [MetricId; 6] = [
    metric::CPU_REQUEST,
    metric::CPU_LIMIT,
    metric::MEMORY_REQUEST,
    metric::MEMORY_LIMIT,
    metric::EPHEMERAL_STORAGE_REQUEST,
    metric::EPHEMERAL_STORAGE_LIMIT,
];

/// Never adds a node: one that did not answer has no row.
pub(super) fn run(draft: &mut Draft, _: &SharedInventory, _: &Options, state: &mut State) {
    let mut registry = std::mem::take(&mut draft.registry);
    let (pods, nodes) = draft.read_and_fill(EntityKind::Pod, EntityKind::Node);
    state.rows.clear();
    let mut last: Option<(&Arc<Node>, u32)> = None;
    for row in 0..pods.len() {
        let target = match (&pods.context(row).node, last) {
            (Some(node), Some((same, target))) if Arc::ptr_eq(node, same) => target,
            (Some(node), _) => {
                let target = nodes.find(&registry.node(&node.name)).map_or(NO_ROW, row32);
                last = Some((node, target));
                target
            }
            (None, _) => NO_ROW,
        };
        state.rows.push(target);
    }
    add_columns(pods, nodes, &state.rows, SUMMED.into_iter());
    count_pods(nodes, &state.rows);
    draft.registry = registry;
}
