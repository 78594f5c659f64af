//! What the processors cost: `cargo run --release -p pipeline --example processors`.
//!
//! Prints the time of each tick over 1,000 nodes of 30 pods of one container, scrape left out.
#![expect(clippy::print_stdout, reason = "its output is the point")]

use std::sync::{Arc, RwLock};
use std::time::Instant;

use model::{
    ContainerSpec, ContainerStatus, Draft, Inventory, MetricId, Namespace, Node, Owner, Pod,
    Registry, Resources, Timestamp, Workload, metric,
};
use pipeline::Processors;

const NODES: usize = 1000;
const PODS: usize = 30;
const NAMESPACES: usize = 100;
const TICKS: i64 = 8;

const COUNTERS: [MetricId; 7] = [
    metric::CPU_USAGE,
    metric::MEMORY_PAGE_FAULTS,
    metric::MEMORY_MAJOR_PAGE_FAULTS,
    metric::NETWORK_RX,
    metric::NETWORK_RX_ERRORS,
    metric::NETWORK_TX,
    metric::NETWORK_TX_ERRORS,
];
const GAUGES: [MetricId; 4] = [
    metric::MEMORY_USAGE,
    metric::MEMORY_WORKING_SET,
    metric::MEMORY_RSS,
    metric::EPHEMERAL_STORAGE_USAGE,
];

fn main() {
    let inventory = Arc::new(RwLock::new(inventory()));
    let mut processors = Processors::default();
    let mut registry = Registry::default();
    for tick in 1..=TICKS {
        let mut draft = scrape(tick * 60, registry);
        let started = Instant::now();
        processors.run(&mut draft, &inventory);
        let took = started.elapsed();
        let (batch, back) = draft.freeze();
        registry = back;
        println!("tick {tick}: {} rows in {:.1} ms", batch.rows(), took.as_secs_f64() * 1e3);
    }
}

/// Ten pods are of one app.
fn app(node: usize, pod: usize) -> String {
    format!("app-{:02}", (node * 7 + pod) / NAMESPACES % 30)
}

fn pod_name(node: usize, pod: usize) -> String {
    format!("{}-7d4b9c6f5-{node:04}{pod:02}", app(node, pod))
}

fn namespace(node: usize, pod: usize) -> String {
    format!("team-{}", (node * 7 + pod) % NAMESPACES)
}

fn scrape(secs: i64, registry: Registry) -> Draft {
    let now = Timestamp::from_secs(secs);
    let mut draft = Draft::new(now, registry);
    for node in 0..NODES {
        let entity = draft.registry.node(&format!("node-{node}"));
        put(&mut draft, &entity, now, &COUNTERS);
        for pod in 0..PODS {
            let (namespace, name) = (namespace(node, pod), pod_name(node, pod));
            let entity = draft.registry.pod(&namespace, &name, "");
            put(&mut draft, &entity, now, &COUNTERS);
            let container = draft.registry.container(&entity, "app");
            put(&mut draft, &container, now, &COUNTERS[..3]);
        }
    }
    draft
}

fn put(draft: &mut Draft, entity: &Arc<model::Entity>, now: Timestamp, counters: &[MetricId]) {
    let row = draft.insert(entity).row;
    let table = draft.table_mut(entity.kind());
    table.set_scraped(row, now);
    table.set_started(row, Timestamp::from_secs(1));
    for counter in counters {
        table.set_int(row, *counter, now.nanos() / 10);
    }
    for gauge in GAUGES {
        table.set_int(row, gauge, 50 << 20);
    }
}

fn inventory() -> Inventory {
    let mut inventory = Inventory::default();
    let amounts = |cpu, memory| Resources {
        cpu_millicores: Some(cpu),
        memory_bytes: Some(memory),
        ephemeral_storage_bytes: Some(1 << 36),
    };
    for at in 0..NAMESPACES {
        let name = format!("team-{at}").into();
        inventory.put_namespace(Arc::new(Namespace { name, ..Namespace::default() }));
    }
    for node in 0..NODES {
        inventory.put_node(Arc::new(Node {
            name: format!("node-{node}").into(),
            capacity: amounts(32_000, 1 << 37),
            allocatable: amounts(31_000, 1 << 37),
            ..Node::default()
        }));
        for pod in 0..PODS {
            inventory.put_pod(Arc::new(self::pod(node, pod, amounts(100, 64 << 20))));
            let app = app(node, pod);
            inventory.put_workload(Arc::new(Workload {
                namespace: namespace(node, pod).into(),
                kind: "ReplicaSet".into(),
                name: format!("{app}-7d4b9c6f5").into(),
                owner: Some(Owner { kind: "Deployment".into(), name: app.into() }),
                ..Workload::default()
            }));
        }
    }
    inventory
}

fn pod(node: usize, pod: usize, requests: Resources) -> Pod {
    let name = pod_name(node, pod);
    let replica_set = format!("{}-7d4b9c6f5", app(node, pod));
    Pod {
        namespace: namespace(node, pod).into(),
        name: name.into(),
        node: format!("node-{node}").into(),
        phase: "Running".into(),
        owner: Some(Owner { kind: "ReplicaSet".into(), name: replica_set.into() }),
        containers: [ContainerSpec { name: "app".into(), requests, ..ContainerSpec::default() }]
            .into(),
        statuses: [ContainerStatus { name: "app".into(), ..ContainerStatus::default() }].into(),
        ..Pod::default()
    }
}
