//! Namespaces get the sums of their pods.

use model::{Draft, EntityKind, SharedInventory};

use super::sums::{NO_ROW, add_columns, count_pods, row32, summed_from_pods};
use super::{Options, State};

pub(super) fn run(draft: &mut Draft, _: &SharedInventory, _: &Options, state: &mut State) {
    let Draft { registry, .. } = draft;
    let mut namespaces = std::mem::take(registry);
    let (pods, table) = draft.read_and_fill(EntityKind::Pod, EntityKind::Namespace);
    state.rows.clear();
    let mut last = ("", NO_ROW);
    for (at, pod) in pods.entities().iter().enumerate() {
        let name = pod.namespace().unwrap_or_default();
        if last.1 == NO_ROW || last.0 != name {
            let row = table.insert(&namespaces.namespace(name));
            table.context_mut(row).namespace.clone_from(&pods.context(at).namespace);
            last = (name, row32(row));
        }
        state.rows.push(last.1);
    }
    add_columns(pods, table, &state.rows, summed_from_pods(EntityKind::Namespace));
    count_pods(table, &state.rows);
    draft.registry = namespaces;
}
