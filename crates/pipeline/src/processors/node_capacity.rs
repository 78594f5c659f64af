//! Nodes get capacity, allocatable, utilization and reservation; the cluster gets theirs summed.
//!
//! Utilization and reservation are shares of the allocatable, memory counts as `memory/usage`:
//! both as in Heapster.

use std::sync::Arc;

use model::{
    Draft, EntityKind, MetricId, Resources, SharedInventory, Table, metric, read_in_turns,
};

use super::{Options, State};

/// The metrics of one resource of a node.
struct Resource {
    amount: fn(&Resources) -> Option<i64>,
    usage: MetricId,
    request: MetricId,
    capacity: MetricId,
    allocatable: MetricId,
    utilization: MetricId,
    reservation: MetricId,
}

const CPU: Resource = Resource {
    amount: |resources| resources.cpu_millicores,
    usage: metric::CPU_USAGE_RATE,
    request: metric::CPU_REQUEST,
    capacity: metric::CPU_NODE_CAPACITY,
    allocatable: metric::CPU_NODE_ALLOCATABLE,
    utilization: metric::CPU_NODE_UTILIZATION,
    reservation: metric::CPU_NODE_RESERVATION,
};
const MEMORY: Resource = Resource {
    amount: |resources| resources.memory_bytes,
    usage: metric::MEMORY_USAGE,
    request: metric::MEMORY_REQUEST,
    capacity: metric::MEMORY_NODE_CAPACITY,
    allocatable: metric::MEMORY_NODE_ALLOCATABLE,
    utilization: metric::MEMORY_NODE_UTILIZATION,
    reservation: metric::MEMORY_NODE_RESERVATION,
};
const EPHEMERAL_STORAGE: Resource = Resource {
    amount: |resources| resources.ephemeral_storage_bytes,
    usage: metric::EPHEMERAL_STORAGE_USAGE,
    request: metric::EPHEMERAL_STORAGE_REQUEST,
    capacity: metric::EPHEMERAL_STORAGE_NODE_CAPACITY,
    allocatable: metric::EPHEMERAL_STORAGE_NODE_ALLOCATABLE,
    utilization: metric::EPHEMERAL_STORAGE_NODE_UTILIZATION,
    reservation: metric::EPHEMERAL_STORAGE_NODE_RESERVATION,
};

pub(super) fn run(draft: &mut Draft, inventory: &SharedInventory, _: &Options, _: &mut State) {
    let nodes = draft.table_mut(EntityKind::Node);
    read_in_turns(inventory, 0..nodes.len(), |inventory, row| {
        let Some(node) = inventory.node(nodes.entities()[row].name()) else { return };
        nodes.context_mut(row).node = Some(Arc::clone(node));
        for resource in [CPU, MEMORY, EPHEMERAL_STORAGE] {
            resource.measure(nodes, row, &node.capacity, &node.allocatable);
        }
    });
    let (nodes, clusters) = draft.read_and_fill(EntityKind::Node, EntityKind::Cluster);
    if !clusters.is_empty() {
        CPU.total(nodes, clusters);
        MEMORY.total(nodes, clusters);
    }
}

impl Resource {
    /// Ephemeral storage is shown only by nodes that state both amounts, as in Heapster.
    fn measure(
        &self,
        nodes: &mut Table,
        row: usize,
        capacity: &Resources,
        allocatable: &Resources,
    ) {
        let (capacity, allocatable) = ((self.amount)(capacity), (self.amount)(allocatable));
        if self.usage == metric::EPHEMERAL_STORAGE_USAGE
            && (capacity.is_none() || allocatable.is_none())
        {
            return;
        }
        if let Some(capacity) = capacity {
            nodes.set_float(row, self.capacity, float(capacity));
        }
        let Some(allocatable) = allocatable.map(float) else { return };
        nodes.set_float(row, self.allocatable, allocatable);
        if allocatable <= 0.0 {
            return;
        }
        if let Some(usage) = nodes.get(row, self.usage) {
            nodes.set_float(row, self.utilization, usage.as_f64() / allocatable);
        }
        let request = nodes.get(row, self.request).map_or(0.0, model::Value::as_f64);
        nodes.set_float(row, self.reservation, request / allocatable);
    }

    /// Sums over the nodes of this batch. Shares count only nodes that have both sides.
    fn total(&self, nodes: &Table, clusters: &mut Table) {
        let sum = |wanted: MetricId, beside: MetricId| -> Option<f64> {
            let rows = 0..nodes.len();
            let found = rows.filter(|row| nodes.get(*row, beside).is_some());
            found
                .filter_map(|row| nodes.get(row, wanted))
                .map(model::Value::as_f64)
                .reduce(|left, right| left + right)
        };
        if let Some(capacity) = sum(self.capacity, self.capacity) {
            clusters.set_float(0, self.capacity, capacity);
        }
        if let Some(allocatable) = sum(self.allocatable, self.allocatable) {
            clusters.set_float(0, self.allocatable, allocatable);
        }
        if let (Some(usage), Some(allocatable)) =
            (sum(self.usage, self.utilization), sum(self.allocatable, self.utilization))
        {
            clusters.set_float(0, self.utilization, usage / allocatable);
        }
        if let Some(allocatable) = sum(self.allocatable, self.reservation) {
            let request = sum(self.request, self.reservation).unwrap_or(0.0);
            clusters.set_float(0, self.reservation, request / allocatable);
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "Heapster prints these amounts as floats")]
fn float(amount: i64) -> f64 {
    amount as f64
}
