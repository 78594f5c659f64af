//! The processors, in the order in which they complete a draft.
//!
//! Each is a function of the draft, the inventory, the options and the state it keeps between
//! ticks. None does I/O or reads a clock. Order and results follow Heapster's processors;
//! deliberate differences are listed in docs/COMPAT.md.

mod enrich_namespaces;
mod enrich_pods;
mod node_capacity;
mod rates;
mod sum_cluster;
mod sum_namespaces;
mod sum_nodes;
mod sum_pods;
mod sum_workloads;
mod sums;

use std::time::Instant;

use metrics::histogram;
use model::{Draft, SharedInventory};

use crate::telemetry;

pub use rates::Options as RateOptions;

/// How a pod's values follow from its containers'.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PodSum {
    /// Containers' values make up only what the pod itself did not report (Heapster 1.6).
    #[default]
    Missing,
    /// Containers' values are added to whatever the pod reported (Heapster up to 1.5.4).
    Added,
}

/// What the processors can be told.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// For `rates`.
    pub rates: RateOptions,
    /// For `sum_pods`.
    pub pod_sum: PodSum,
}

/// What processors keep from tick to tick: counter samples, and vectors that are reused.
#[derive(Debug, Default)]
struct State {
    rates: rates::State,
    rows: Vec<u32>,
    counts: Vec<u32>,
    had: Vec<bool>,
}

/// One processor.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// Its name in self-metrics: Heapster's where it had the processor.
    pub name: &'static str,
    run: fn(&mut Draft, &SharedInventory, &Options, &mut State),
}

/// Every processor, in order.
pub const STEPS: &[Step] = &[
    Step { name: "rate calculator", run: rates::run },
    Step { name: "pod_based_enricher", run: enrich_pods::run },
    Step { name: "namespace_based_enricher", run: enrich_namespaces::run },
    Step { name: "pod_aggregator", run: sum_pods::run },
    Step { name: "workload_aggregator", run: sum_workloads::run },
    Step { name: "namespace_aggregator", run: sum_namespaces::run },
    Step { name: "node_aggregator", run: sum_nodes::run },
    Step { name: "cluster_aggregator", run: sum_cluster::run },
    Step { name: "node_autoscaling_enricher", run: node_capacity::run },
];

/// The processors with their options and state.
#[derive(Debug, Default)]
pub struct Processors {
    options: Options,
    state: State,
}

impl Processors {
    /// Processors that have seen nothing yet.
    pub fn new(options: Options) -> Self {
        Self { options, state: State::default() }
    }

    /// Completes `draft`. The inventory is read in turns, by processors that look things up there.
    pub fn run(&mut self, draft: &mut Draft, inventory: &SharedInventory) {
        for step in STEPS {
            let started = Instant::now();
            (step.run)(draft, inventory, &self.options, &mut self.state);
            histogram!(telemetry::PROCESSOR_DURATION, "processor" => step.name)
                .record(started.elapsed().as_secs_f64() * 1000.0);
        }
    }
}

#[cfg(test)]
mod tests;
