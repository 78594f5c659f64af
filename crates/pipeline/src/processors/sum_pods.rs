//! Pods get the sums of what their containers have and they themselves did not report.
//!
//! Counters of the catalog and the parts of containers are not summed; requests, restarts and
//! custom metrics are.

use metrics::counter;
use model::{Draft, EntityKind, Kind, Metric, SharedInventory, descriptor};

use super::sums::NO_ROW;
use super::{Options, PodSum, State, enrich_pods};
use crate::telemetry;

pub(super) fn run(draft: &mut Draft, _: &SharedInventory, options: &Options, state: &mut State) {
    enrich_pods::pod_rows(draft, &mut state.rows);
    let (containers, pods) = draft.read_and_fill(EntityKind::Container, EntityKind::Pod);
    let pod_count = pods.len();
    for from in containers.columns().iter().filter(|column| is_summed(column.metric())) {
        let Some(into) = pods.column_for(from.metric()) else {
            counter!(telemetry::COLUMNS_REFUSED).increment(1);
            continue;
        };
        state.had.clear();
        state.had.resize(pod_count, false);
        if options.pod_sum == PodSum::Missing {
            into.iter().for_each(|(row, _)| state.had[row] = true);
        }
        for (row, value) in from.iter() {
            let target = state.rows[row];
            if target != NO_ROW && !state.had[target as usize] {
                into.add(target as usize, value);
            }
        }
    }
}

fn is_summed(metric: &Metric) -> bool {
    match metric {
        Metric::Known(id) => {
            let row = descriptor(*id);
            row.kind == Kind::Gauge && row.entities.contains(EntityKind::Pod)
        }
        Metric::Custom { .. } => true,
    }
}
