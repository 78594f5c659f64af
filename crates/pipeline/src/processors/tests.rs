//! The processors over drafts made by hand; numbers of `golden` are Heapster's own output.

use std::sync::{Arc, RwLock};
use std::time::Duration;

use model::{
    Batch, ContainerSpec, ContainerStatus, Draft, Entity, EntityKind, Inventory, MetricId,
    Namespace, Node, Owner, Pod, Registry, Resources, Timestamp, Value, Workload, metric,
};

use super::{Options, PodSum, Processors};

const GIB: i64 = 1 << 30;

/// Ticks by hand.
struct Bench {
    processors: Processors,
    inventory: Arc<RwLock<Inventory>>,
    registry: Registry,
}

impl Bench {
    fn new(inventory: Inventory) -> Self {
        Self::with(inventory, Options::default())
    }

    fn with(inventory: Inventory, options: Options) -> Self {
        let inventory = Arc::new(RwLock::new(inventory));
        Self { processors: Processors::new(options), inventory, registry: Registry::default() }
    }

    fn tick(&mut self, secs: i64, fill: impl FnOnce(&mut Fill)) -> Arc<Batch> {
        let registry = std::mem::take(&mut self.registry);
        let mut fill_in = Fill(Draft::new(Timestamp::from_secs(secs), registry));
        fill(&mut fill_in);
        let mut draft = fill_in.0;
        self.processors.run(&mut draft, &self.inventory);
        let (batch, registry) = draft.freeze();
        self.registry = registry;
        batch
    }
}

struct Fill(Draft);

impl Fill {
    fn pod(&mut self, name: &str) -> Arc<Entity> {
        self.0.registry.pod("ns", name, "")
    }

    fn container(&mut self, pod: &str, name: &str) -> Arc<Entity> {
        let pod = self.pod(pod);
        self.0.registry.container(&pod, name)
    }

    fn node(&mut self) -> Arc<Entity> {
        self.0.registry.node("n1")
    }

    /// A row with its scrape and start time in seconds (0: never), and values.
    fn row(
        &mut self,
        entity: &Arc<Entity>,
        (scraped, started): (i64, i64),
        values: &[(MetricId, i64)],
    ) {
        let row = self.0.insert(entity).row;
        let table = self.0.table_mut(entity.kind());
        table.set_scraped(row, Timestamp::from_secs(scraped));
        table.set_started(row, Timestamp::from_secs(started));
        for (metric, value) in values {
            table.set_int(row, *metric, *value);
        }
    }

    /// When CPU and memory of the entity were measured, in seconds.
    fn compute_time(&mut self, entity: &Arc<Entity>, secs: i64) {
        let row = self.0.insert(entity).row;
        self.0.table_mut(entity.kind()).set_compute_time(row, Timestamp::from_secs(secs));
    }
}

fn key(batch: &Batch, key: &str) -> Option<(EntityKind, usize)> {
    batch.tables().iter().find_map(|table| {
        let row = table.entities().iter().position(|entity| entity.to_string() == key)?;
        Some((table.kind(), row))
    })
}

fn get(batch: &Batch, of: &str, metric: MetricId) -> Option<f64> {
    let (kind, row) = key(batch, of)?;
    batch.table(kind).get(row, metric).map(Value::as_f64)
}

fn named(batch: &Batch, of: &str, name: &str) -> Option<f64> {
    let (kind, row) = key(batch, of)?;
    batch.table(kind).column_named(name)?.get(row).map(Value::as_f64)
}

/// Heapster's golden input: node n1, pod web of three containers, one of which is not reported.
fn golden_inventory() -> Inventory {
    let mut inventory = Inventory::default();
    let amounts = |cpu: i64, memory: i64, storage: i64| Resources {
        cpu_millicores: Some(cpu),
        memory_bytes: Some(memory),
        ephemeral_storage_bytes: Some(storage),
    };
    inventory.put_node(Arc::new(Node {
        name: "n1".into(),
        hostname: "n1-host".into(),
        capacity: amounts(4000, 8 * GIB, 100 * GIB),
        allocatable: amounts(3500, 7 * GIB, 90 * GIB),
        ..Node::default()
    }));
    inventory.put_namespace(Arc::new(Namespace {
        name: "ns".into(),
        uid: "nsuid".into(),
        ..Namespace::default()
    }));
    let container = |name: &str, cpu: Option<i64>, memory: Option<i64>| ContainerSpec {
        name: name.into(),
        requests: Resources { cpu_millicores: cpu, memory_bytes: memory, ..Default::default() },
        ..ContainerSpec::default()
    };
    let mut first = container("c1", Some(100), Some(64 << 20));
    first.limits.cpu_millicores = Some(200);
    first.extended_requests = [("nvidia.com/gpu".into(), 1)].into();
    let status = |name: &str, restart_count| ContainerStatus {
        name: name.into(),
        restart_count,
        ..ContainerStatus::default()
    };
    inventory.put_pod(Arc::new(Pod {
        namespace: "ns".into(),
        name: "web".into(),
        uid: "puid".into(),
        node: "n1".into(),
        phase: "Running".into(),
        owner: Some(Owner { kind: "ReplicaSet".into(), name: "web-1".into() }),
        containers: [first, container("c2", None, None), container("gone", Some(50), None)].into(),
        statuses: [status("c1", 2), status("c2", 1)].into(),
        started: Timestamp::from_secs(5),
        ..Pod::default()
    }));
    inventory.put_workload(Arc::new(Workload {
        namespace: "ns".into(),
        kind: "ReplicaSet".into(),
        name: "web-1".into(),
        owner: Some(Owner { kind: "Deployment".into(), name: "web".into() }),
        ..Workload::default()
    }));
    inventory
}

/// The golden scrapes: counters grow by so much a second, times 1,000.
fn golden_scrape(fill: &mut Fill, secs: i64) {
    let times = (secs, 10);
    let node = fill.node();
    let (cpu, memory) = (metric::CPU_USAGE, metric::MEMORY_USAGE);
    fill.row(&node, times, &[(cpu, secs * 998_000_000), (memory, 4 * GIB)]);
    let web = fill.pod("web");
    fill.row(
        &web,
        times,
        &[(cpu, secs * 319_000_000), (memory, 3_000_000), (metric::NETWORK_RX, secs * 9987 / 10)],
    );
    let first = fill.container("web", "c1");
    fill.row(&first, times, &[(cpu, secs * 99_000_000), (memory, 1_000_000)]);
    let second = fill.container("web", "c2");
    fill.row(&second, times, &[(cpu, secs * 199_000_000), (memory, 1_000_000)]);
    // Heapster's pod "nocpu": only its container says something, the inventory knows nothing.
    let alone = fill.container("nocpu", "x");
    fill.row(&alone, times, &[(cpu, secs * 6_000_000), (memory, 100)]);
}

#[test]
fn golden_numbers_are_heapsters() {
    let mut bench = Bench::new(golden_inventory());
    bench.tick(60, |fill| golden_scrape(fill, 60));
    let batch = bench.tick(70, |fill| golden_scrape(fill, 70));
    for (of, metric, expected) in [
        ("cluster", metric::CPU_USAGE_RATE, 325.0),
        ("cluster", metric::CPU_REQUEST, 150.0),
        ("cluster", metric::CPU_LIMIT, 200.0),
        ("cluster", metric::MEMORY_USAGE, 3_000_100.0),
        ("cluster", metric::PODS, 2.0),
        ("cluster", metric::CPU_NODE_ALLOCATABLE, 3500.0),
        ("cluster", metric::MEMORY_NODE_UTILIZATION, 4.0 / 7.0),
        ("namespace:ns", metric::CPU_USAGE_RATE, 325.0),
        ("namespace:ns", metric::MEMORY_REQUEST, 67_108_864.0),
        ("namespace:ns", metric::RESTART_COUNT, 3.0),
        ("namespace:ns", metric::NETWORK_RX_RATE, 998.7),
        ("namespace:ns/workload:Deployment/web", metric::CPU_USAGE_RATE, 319.0),
        ("namespace:ns/workload:Deployment/web", metric::PODS, 1.0),
        ("namespace:ns/pod:web", metric::CPU_USAGE_RATE, 319.0),
        ("namespace:ns/pod:web", metric::CPU_REQUEST, 150.0),
        ("namespace:ns/pod:web", metric::RESTART_COUNT, 3.0),
        ("namespace:ns/pod:web", metric::MEMORY_USAGE, 3_000_000.0),
        ("namespace:ns/pod:web/container:c1", metric::CPU_USAGE_RATE, 99.0),
        ("namespace:ns/pod:web/container:c1", metric::CPU_LIMIT, 200.0),
        ("namespace:ns/pod:web/container:c2", metric::CPU_LIMIT, 0.0),
        ("namespace:ns/pod:web/container:gone", metric::CPU_REQUEST, 50.0),
        ("namespace:ns/pod:nocpu", metric::CPU_USAGE_RATE, 6.0),
        ("node:n1", metric::CPU_USAGE_RATE, 998.0),
        ("node:n1", metric::CPU_REQUEST, 150.0),
        ("node:n1", metric::PODS, 1.0),
        ("node:n1", metric::CPU_NODE_RESERVATION, 150.0 / 3500.0),
        ("node:n1", metric::CPU_NODE_UTILIZATION, 998.0 / 3500.0),
        ("node:n1", metric::EPHEMERAL_STORAGE_NODE_CAPACITY, 107_374_182_400.0),
        ("node:n1", metric::EPHEMERAL_STORAGE_NODE_RESERVATION, 0.0),
    ] {
        let name = model::descriptor(metric).name;
        assert_eq!(get(&batch, of, metric), Some(expected), "{name} of {of}");
    }
    for (of, metric) in [
        ("namespace:ns/pod:nocpu", metric::CPU_USAGE),
        ("namespace:ns/pod:nocpu", metric::CPU_REQUEST),
        ("namespace:ns/pod:web/container:gone", metric::MEMORY_USAGE),
        ("node:n1", metric::EPHEMERAL_STORAGE_NODE_UTILIZATION),
    ] {
        let name = model::descriptor(metric).name;
        assert_eq!(get(&batch, of, metric), None, "{name} of {of}");
    }
    assert_eq!(named(&batch, "namespace:ns/pod:web", "nvidia.com/gpu/request"), Some(1.0));
    let (kind, row) = key(&batch, "namespace:ns").unwrap();
    let namespace = batch.table(kind).context(row).namespace.as_ref().unwrap();
    assert_eq!(&*namespace.uid, "nsuid");
    let (kind, row) = key(&batch, "namespace:ns/pod:web/container:c1").unwrap();
    assert_eq!(batch.table(kind).created(row), Timestamp::from_secs(5));
    let (kind, row) = key(&batch, "namespace:ns/pod:nocpu/container:x").unwrap();
    assert_eq!(batch.table(kind).created(row), Timestamp::from_secs(10));
    let (kind, row) = key(&batch, "namespace:ns/pod:web/container:gone").unwrap();
    assert!(batch.table(kind).created(row).is_never());
    assert_eq!(&*batch.table(kind).context(row).node.as_ref().unwrap().name, "n1");
}

#[test]
fn pods_that_ended_get_no_rows_for_unreported_containers() {
    let mut inventory = golden_inventory();
    let mut pod = Pod::clone(inventory.pod("ns", "web").unwrap());
    pod.phase = "Succeeded".into();
    inventory.put_pod(Arc::new(pod));
    let batch = Bench::new(inventory).tick(60, |fill| {
        let web = fill.pod("web");
        fill.row(&web, (60, 10), &[]);
    });
    assert_eq!(batch.table(EntityKind::Container).len(), 0);
    assert_eq!(get(&batch, "cluster", metric::CPU_REQUEST), None);
}

#[test]
fn pods_no_kubelet_reported_have_no_row() {
    let batch = Bench::new(golden_inventory()).tick(60, |_| {});
    assert_eq!(batch.rows(), 1, "only the cluster");
}

#[test]
fn old_pod_sums_add_to_what_the_pod_reported() {
    let options = Options { pod_sum: PodSum::Added, ..Options::default() };
    let batch = Bench::with(Inventory::default(), options).tick(60, |fill| {
        let web = fill.pod("web");
        fill.row(&web, (60, 10), &[(metric::MEMORY_USAGE, 5000)]);
        let container = fill.container("web", "c1");
        fill.row(&container, (60, 10), &[(metric::MEMORY_USAGE, 2_000_000)]);
    });
    assert_eq!(get(&batch, "namespace:ns/pod:web", metric::MEMORY_USAGE), Some(2_005_000.0));
}

/// One container's samples as (batch time, scrape time, start time, CPU seconds); the rates in
/// millicores that follow.
fn rates(samples: &[(i64, i64, i64, i64)]) -> Vec<Option<f64>> {
    let mut bench = Bench::new(Inventory::default());
    let mut rates = Vec::new();
    for (at, scraped, started, cpu) in samples {
        let batch = bench.tick(*at, |fill| {
            // A scrape that failed has no row.
            if *scraped >= 0 {
                let container = fill.container("web", "c1");
                let cpu = cpu * 1_000_000_000;
                fill.row(&container, (*scraped, *started), &[(metric::CPU_USAGE, cpu)]);
            }
        });
        rates.push(get(&batch, "namespace:ns/pod:web/container:c1", metric::CPU_USAGE_RATE));
    }
    rates
}

#[test]
fn rates_follow_the_counters() {
    let missed = (120, -1, 0, 0);
    for (case, samples, expected) in [
        ("steady", &[(60, 58, 1, 10), (120, 118, 1, 40)][..], &[None, Some(500.0)][..]),
        (
            "a missed scrape widens the interval",
            &[(60, 58, 1, 10), missed, (180, 178, 1, 70)],
            &[None, None, Some(500.0)],
        ),
        (
            "forgotten after five minutes",
            &[(60, 58, 1, 10), missed, (480, 478, 1, 70), (540, 538, 1, 100)],
            &[None, None, None, Some(500.0)],
        ),
        (
            "restart with a new start time",
            &[(60, 58, 1, 10), (120, 118, 100, 40), (180, 178, 100, 46)],
            &[None, None, Some(100.0)],
        ),
        (
            "counter fell under the same start time",
            &[(60, 58, 1, 10), (120, 118, 1, 4), (180, 178, 1, 34)],
            &[None, None, Some(500.0)],
        ),
        (
            "start time jitters, counters grow",
            &[(60, 58, 10, 10), (120, 118, 12, 40), (180, 178, 11, 70)],
            &[None, Some(500.0), Some(500.0)],
        ),
        (
            "start time jitters, counters fell",
            &[(60, 58, 10, 10), (120, 118, 12, 1), (180, 178, 12, 31)],
            &[None, None, Some(500.0)],
        ),
        (
            "repeated sample carries the rate for a while",
            &[
                (60, 58, 1, 10),
                (120, 118, 1, 40),
                (180, 118, 1, 40),
                (240, 118, 1, 40),
                (300, 118, 1, 40),
                (360, 358, 1, 160),
            ],
            &[None, Some(500.0), Some(500.0), Some(500.0), None, Some(500.0)],
        ),
        (
            "late sample",
            &[(60, 58, 1, 10), (120, 50, 1, 9), (180, 178, 1, 70)],
            &[None, None, Some(500.0)],
        ),
        (
            "batch that is not newer",
            &[(60, 58, 1, 10), (60, 118, 1, 40), (120, 118, 1, 40)],
            &[None, None, Some(500.0)],
        ),
        ("stub without a scrape time", &[(60, 0, 1, 10), (120, 0, 1, 40)], &[None, None]),
    ] {
        assert_eq!(rates(samples), expected, "{case}");
    }
}

#[test]
fn one_counter_that_fell_leaves_the_others_their_rates() {
    let mut bench = Bench::new(Inventory::default());
    let mut scrape = |at: i64, cpu: i64, rx: i64| {
        bench.tick(at, |fill| {
            let web = fill.pod("web");
            fill.row(
                &web,
                (at, 1),
                &[(metric::CPU_USAGE, cpu * 1_000_000), (metric::NETWORK_RX, rx)],
            );
        })
    };
    scrape(60, 0, 900);
    let batch = scrape(70, 1000, 100);
    assert_eq!(get(&batch, "namespace:ns/pod:web", metric::CPU_USAGE_RATE), Some(100.0));
    assert_eq!(get(&batch, "namespace:ns/pod:web", metric::NETWORK_RX_RATE), None);
}

#[test]
fn cpu_and_network_of_a_pod_have_times_of_their_own() {
    let mut bench = Bench::new(Inventory::default());
    let mut scrape = |at: i64, cpu_at: i64, network_at: i64| {
        bench.tick(at, |fill| {
            let (cpu, rx) = (metric::CPU_USAGE, metric::NETWORK_RX);
            let web = fill.pod("web");
            let counters = [(cpu, cpu_at * 50_000_000), (rx, network_at * 10)];
            fill.row(&web, (network_at, 1), &counters);
            fill.compute_time(&web, cpu_at);
        })
    };
    scrape(10, 8, 9);
    for (at, cpu_at, network_at) in [(20, 19, 11), (30, 21, 11), (40, 21, 38)] {
        let batch = scrape(at, cpu_at, network_at);
        assert_eq!(get(&batch, "namespace:ns/pod:web", metric::CPU_USAGE_RATE), Some(50.0));
        assert_eq!(get(&batch, "namespace:ns/pod:web", metric::NETWORK_RX_RATE), Some(10.0));
    }
}

#[test]
fn disks_have_rates_of_their_own() {
    let mut bench = Bench::new(Inventory::default());
    let mut scrape = |at: i64, read: i64| {
        bench.tick(at, |fill| {
            let node = fill.node();
            let disk = fill.0.registry.part(EntityKind::Disk, &node, "sda");
            fill.row(&disk, (at, 1), &[(metric::DISK_IO_READ_BYTES, read)]);
        })
    };
    scrape(60, 1000);
    let batch = scrape(70, 1005);
    assert_eq!(get(&batch, "node:n1/disk:sda", metric::DISK_IO_READ_BYTES_RATE), Some(0.5));
}

#[test]
fn every_counter_with_a_rate_is_covered() {
    for row in model::CATALOG {
        let Some(counter) = row.name.strip_suffix("_rate").and_then(model::lookup) else {
            continue;
        };
        for kind in model::descriptor(counter).entities.iter() {
            let mut bench = Bench::new(Inventory::default());
            let mut scrape = |at: i64| {
                bench.tick(at, |fill| {
                    let node = fill.node();
                    let entity = match kind {
                        EntityKind::Node => node,
                        EntityKind::Pod => fill.pod("web"),
                        EntityKind::Container => fill.container("web", "c1"),
                        EntityKind::SystemContainer => {
                            fill.0.registry.system_container(&node, "kubelet")
                        }
                        other => fill.0.registry.part(other, &node, "sda"),
                    };
                    fill.row(&entity, (at, 1), &[(counter, at * 1_000_000)]);
                })
            };
            scrape(60);
            let batch = scrape(120);
            let column = batch.table(kind).column(row.id).expect(row.name);
            assert!(column.get(0).is_some(), "{} on {}", row.name, kind.name());
        }
    }
}

#[test]
fn utilization_is_absent_until_usage_is_known() {
    let mut bench = Bench::new(golden_inventory());
    let batch = bench.tick(60, |fill| golden_scrape(fill, 60));
    assert_eq!(get(&batch, "node:n1", metric::CPU_NODE_UTILIZATION), None);
    assert_eq!(get(&batch, "cluster", metric::CPU_NODE_UTILIZATION), None);
    assert_eq!(get(&batch, "cluster", metric::CPU_NODE_RESERVATION), Some(150.0 / 3500.0));
}

#[test]
fn history_is_forgotten_when_things_go() {
    let mut bench = Bench::new(Inventory::default());
    for at in 0..12 {
        bench.tick(60 + at * 60, |fill| {
            let pod = fill.pod(&format!("job-{at}"));
            fill.row(&pod, (60 + at * 60, 1), &[(metric::CPU_USAGE, 1)]);
        });
    }
    let kept = bench.processors.state.rates.pods_known();
    let expected = Duration::from_mins(5).as_secs() / 60 + 1;
    assert_eq!(kept as u64, expected);
}
