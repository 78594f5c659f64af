//! Takes a share into a draft: each node once, whoever came first.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError};

use model::{Draft, Entity, EntityKind, Node, Registry, Row, SharedInventory};

use crate::share::{EntityView, Share, ShareError};
use crate::telemetry;

/// What became of a share.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Merged {
    /// Nodes that were taken.
    pub(crate) nodes: usize,
    /// Nodes that were there already.
    pub(crate) twice: usize,
    /// Rows that were taken.
    pub(crate) rows: usize,
}

/// Adds the nodes of `share` that are not in `covered`, and puts them there.
pub(crate) fn merge(
    share: &Share,
    draft: &mut Draft,
    inventory: &SharedInventory,
    covered: &mut HashSet<Arc<str>>,
) -> Result<Merged, ShareError> {
    let mut merged = Merged::default();
    // What is taken of each target: its node's record.
    let mut taken: Vec<Option<Arc<Node>>> = Vec::with_capacity(share.targets.len());
    {
        let inventory = inventory.read().unwrap_or_else(PoisonError::into_inner);
        for target in &share.targets {
            if covered.insert(Arc::clone(&target.node)) {
                let unknown = || Arc::new(Node { name: (*target.node).into(), ..Node::default() });
                let node = inventory.node(&target.node).map_or_else(unknown, Arc::clone);
                taken.push(Some(node));
                draft.report(target.clone());
                merged.nodes += 1;
            } else {
                taken.push(None);
                merged.twice += 1;
            }
        }
    }
    let at = std::cell::Cell::new(None);
    let draft = std::cell::RefCell::new(draft);
    share.rows(
        &mut |row| {
            at.set(None);
            let Some(Some(node)) = taken.get(row.node) else { return };
            let mut draft = draft.borrow_mut();
            let Some(entity) = entity(&row.entity, &mut draft.registry) else { return };
            let place = draft.insert(&entity);
            let table = draft.table_mut(place.kind);
            table.context_mut(place.row).node = Some(Arc::clone(node));
            let [scraped, computed, started, created] = row.times;
            // Times that are never are left out: a table is only as long as its last one.
            for (time, set) in [
                (scraped, model::Table::set_scraped as fn(&mut model::Table, usize, _)),
                (computed, model::Table::set_compute_time),
                (started, model::Table::set_started),
                (created, model::Table::set_created),
            ] {
                if !time.is_never() {
                    set(table, place.row, time);
                }
            }
            merged.rows += 1;
            at.set(Some(place));
        },
        &mut |metric, value| {
            let Some(Row { kind, row }) = at.get() else { return };
            if let Some(column) = draft.borrow_mut().table_mut(kind).column_for(metric) {
                column.set(row, value);
            }
        },
    )?;
    metrics::counter!(telemetry::NODES_TWICE).increment(merged.twice as u64);
    Ok(merged)
}

/// The entity in this process; `None` for one that no source measures.
fn entity(view: &EntityView<'_>, registry: &mut Registry) -> Option<Arc<Entity>> {
    let parent = match &view.parent {
        Some(parent) => Some(entity(parent, registry)?),
        None => None,
    };
    Some(match (view.kind, parent) {
        (EntityKind::Node, None) => registry.node(view.name),
        (EntityKind::Pod, None) => registry.pod(view.namespace, view.name, view.uid),
        (EntityKind::Container, Some(pod)) => registry.container(&pod, view.name),
        (EntityKind::SystemContainer, Some(node)) => registry.system_container(&node, view.name),
        (EntityKind::Accelerator, Some(parent)) => {
            registry.accelerator(&parent, view.variant, view.name)
        }
        (kind @ (EntityKind::Volume | EntityKind::Filesystem | EntityKind::Disk), Some(parent)) => {
            registry.part(kind, &parent, view.name)
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use model::{TargetState, Timestamp, Value, metric};

    use super::*;
    use crate::share::encode;

    /// Nodes `names` with a pod, a container and a filesystem each; CPU is `cpu`.
    fn draft(names: &[&str], cpu: i64) -> Draft {
        let mut draft = Draft::new(Timestamp::from_secs(60), Registry::default());
        for name in names {
            let record = Arc::new(Node { name: (*name).into(), ..Node::default() });
            let node = draft.registry.node(name);
            let pod = draft.registry.pod("web", &format!("p-{name}"), "uid");
            let container = draft.registry.container(&pod, "app");
            let filesystem = draft.registry.part(EntityKind::Filesystem, &container, "/");
            for entity in [&node, &pod, &container] {
                let row = draft.insert(entity);
                let table = draft.table_mut(row.kind);
                table.context_mut(row.row).node = Some(Arc::clone(&record));
                table.set_scraped(row.row, Timestamp::from_secs(59));
                table.set_int(row.row, metric::CPU_USAGE, cpu);
            }
            let row = draft.insert(&filesystem);
            draft.table_mut(row.kind).set_int(row.row, metric::FILESYSTEM_USAGE, 7);
            draft.report(model::Target {
                node: (*name).into(),
                url: "https://x".into(),
                state: TargetState::Up,
                since: Timestamp::from_secs(1),
                last_success: Timestamp::from_secs(60),
                took: std::time::Duration::from_millis(3),
                body_bytes: 9,
                verified: model::Verified::Pinned,
            });
        }
        draft
    }

    #[test]
    fn a_node_stands_once_whoever_measured_it() {
        let share = Share::read(&encode(&draft(&["b", "c"], 2))).unwrap();
        let mut own = draft(&["a", "b"], 1);
        let mut covered: HashSet<Arc<str>> = ["a".into(), "b".into()].into();
        let inventory = SharedInventory::default();
        let merged = merge(&share, &mut own, &inventory, &mut covered).unwrap();
        assert_eq!(merged, Merged { nodes: 1, twice: 1, rows: 4 });
        let names: Vec<&str> = own.targets().iter().map(|target| &*target.node).collect();
        assert_eq!(names, ["a", "b", "c"]);
        let nodes = own.table(EntityKind::Node);
        let cpu: Vec<_> = (0..3).map(|row| nodes.get(row, metric::CPU_USAGE)).collect();
        assert_eq!(cpu, [1, 1, 2].map(|cpu| Some(Value::Int(cpu))));
        assert_eq!(nodes.scraped(2), Timestamp::from_secs(59));
        let filesystems = own.table(EntityKind::Filesystem);
        assert_eq!(filesystems.get(2, metric::FILESYSTEM_USAGE), Some(Value::Int(7)));
        let pods = own.table(EntityKind::Pod);
        assert_eq!(pods.context(2).node.as_ref().map(|node| &*node.name), Some("c"));
        assert_eq!(pods.entities()[2].uid(), "uid");
        // Twice the same share adds nothing.
        let again = merge(&share, &mut own, &inventory, &mut covered).unwrap();
        assert_eq!(again, Merged { nodes: 0, twice: 2, rows: 0 });
    }

    #[test]
    fn a_damaged_share_is_refused_whole() {
        let bytes = encode(&draft(&["a"], 1));
        assert_eq!(
            Share::read(&bytes::Bytes::from_static(b"TFS0")).unwrap_err(),
            ShareError::Version
        );
        for end in [5, 20, bytes.len() - 1] {
            assert_eq!(Share::read(&bytes.slice(..end)).unwrap_err(), ShareError::Damaged);
        }
    }
}
