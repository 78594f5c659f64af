//! Pods and containers get the inventory's record of their namespace.

use std::sync::Arc;

use model::{Draft, EntityKind, Namespace, SharedInventory, Table, read_in_turns};

use super::{Options, State};

pub(super) fn run(draft: &mut Draft, inventory: &SharedInventory, _: &Options, _: &mut State) {
    for kind in [EntityKind::Pod, EntityKind::Container] {
        complete(draft.table_mut(kind), inventory);
    }
}

fn complete(table: &mut Table, inventory: &SharedInventory) {
    let mut last: Option<Arc<Namespace>> = None;
    read_in_turns(inventory, 0..table.len(), |inventory, row| {
        let Some(name) = table.entities()[row].namespace() else { return };
        if last.as_ref().is_none_or(|last| *last.name != *name) {
            last = inventory.namespace(name).map(Arc::clone);
        }
        if last.is_some() {
            table.context_mut(row).namespace.clone_from(&last);
        }
    });
}
