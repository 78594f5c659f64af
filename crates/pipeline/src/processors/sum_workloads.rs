//! Workloads (Deployments, `StatefulSets`, `CronJobs`, …) get the sums of their pods.
//!
//! A pod without an owner belongs to none. Heapster has no such sums.

use std::sync::Arc;

use model::{Draft, EntityKind, Inventory, SharedInventory, read_in_turns};

use super::sums::{NO_ROW, add_columns, count_pods, row32, summed_from_pods};
use super::{Options, State};

pub(super) fn run(draft: &mut Draft, inventory: &SharedInventory, _: &Options, state: &mut State) {
    state.rows.clear();
    read_in_turns(inventory, 0..draft.table(EntityKind::Pod).len(), |inventory, row| {
        state.rows.push(workload_row(draft, inventory, row).map_or(NO_ROW, row32));
    });
    let (pods, workloads) = draft.read_and_fill(EntityKind::Pod, EntityKind::Workload);
    let metrics = summed_from_pods(EntityKind::Workload);
    add_columns(pods, workloads, &state.rows, metrics);
    count_pods(workloads, &state.rows);
}

/// The row of the workload that the pod in `row` belongs to, added where it is missing.
fn workload_row(draft: &mut Draft, inventory: &Inventory, row: usize) -> Option<usize> {
    let context = draft.table(EntityKind::Pod).context(row);
    let pod = Arc::clone(context.pod.as_ref()?);
    let namespace = context.namespace.clone();
    let owner = inventory.top_owner(&pod)?;
    let workload = draft.registry.workload(&pod.namespace, &owner.kind, &owner.name);
    let workloads = draft.table_mut(EntityKind::Workload);
    let row = workloads.insert(&workload);
    workloads.context_mut(row).namespace = namespace;
    Some(row)
}
