//! Pods and containers get the inventory's record of their namespace.

use std::sync::Arc;

use model::{Draft, EntityKind, Inventory, Namespace, Table};

use super::{Options, State};

pub(super) fn run(draft: &mut Draft, inventory: &Inventory, _: &Options, _: &mut State) {
    for kind in [EntityKind::Pod, EntityKind::Container] {
        complete(draft.table_mut(kind), inventory);
    }
}

fn complete(table: &mut Table, inventory: &Inventory) {
    let mut last: Option<Arc<Namespace>> = None;
    for row in 0..table.len() {
        let Some(name) = table.entities()[row].namespace() else { continue };
        if last.as_ref().is_none_or(|last| *last.name != *name) {
            last = inventory.namespace(name).map(Arc::clone);
        }
        if last.is_some() {
            table.context_mut(row).namespace.clone_from(&last);
        }
    }
}
