//! The machine that runs the test.

use std::path::PathBuf;

use model::{EntityKind, metric};

use crate::scrape::{Bench, get, names};

#[tokio::test]
async fn numbers_of_this_machine_are_plausible() {
    let mut bench = Bench::new(PathBuf::from("/"));
    bench.scrape().await;
    let batch = bench.scrape().await;
    let node = &names(&batch, EntityKind::Node)[0];
    let value = |metric| get(&batch, &format!("node:{node}"), metric).unwrap();
    let total = value(metric::MEMORY_NODE_CAPACITY);
    assert!(total > 64e6, "{total}");
    let usage = value(metric::MEMORY_USAGE);
    assert!(usage > 1e6 && usage < total, "{usage} of {total}");
    assert!(value(metric::MEMORY_WORKING_SET) <= usage);
    let cpus = value(metric::CPU_NODE_CAPACITY) / 1000.0;
    assert!((1.0..=4096.0).contains(&cpus), "{cpus}");
    let (uptime, cpu) = (value(metric::UPTIME), value(metric::CPU_USAGE));
    assert!(cpu > 0.0 && cpu / 1e6 <= uptime * cpus, "{cpu} ns in {uptime} ms");
    let rate = value(metric::CPU_USAGE_RATE);
    assert!((0.0..=value(metric::CPU_NODE_CAPACITY) * 1000.0).contains(&rate), "{rate}");
    assert!(value(metric::PROCESSES) >= 1.0);
    assert!(names(&batch, EntityKind::Filesystem).contains(&"/".to_owned()));
    assert!(bench.inventory.read().unwrap().node(node).is_some());
}
