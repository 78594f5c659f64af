//! Trees of files as machines with cgroup v1 and v2 show them.

use model::{EntityKind, Hop, TargetState, metric};

use crate::scrape::{Bench, NOW, fixture, get, names};

#[tokio::test]
async fn the_machine_is_a_node() {
    let mut bench = Bench::new(fixture("v2"));
    let batch = bench.scrape().await;
    let kib = 1024.0;
    for (metric, expected) in [
        (metric::UPTIME, 2_862_510.0),
        (metric::CPU_USAGE, 796.53e9),
        (metric::CPU_LOAD, 580.0),
        (metric::MEMORY_USAGE, (24_684_096.0 - 23_467_412.0) * kib),
        (metric::MEMORY_WORKING_SET, (24_684_096.0 - 23_467_412.0 - 424_956.0) * kib),
        (metric::MEMORY_RSS, 24_328.0 * kib),
        (metric::MEMORY_CACHE, 814_960.0 * kib),
        (metric::SWAP_USAGE, 8192.0 * kib),
        (metric::MEMORY_PAGE_FAULTS, 20_496_724.0),
        (metric::PROCESSES, 2.0),
        (metric::NETWORK_RX, 567_491_014.0),
        (metric::NETWORK_RX_ERRORS, 4.0),
        (metric::NETWORK_TX, 1_474_345.0),
        (metric::NETWORK_TX_ERRORS, 1.0),
        (metric::CPU_NODE_CAPACITY, 2000.0),
        (metric::MEMORY_NODE_ALLOCATABLE, 24_684_096.0 * kib),
    ] {
        let name = model::descriptor(metric).name;
        assert_eq!(get(&batch, "node:new-host", metric), Some(expected), "{name}");
    }
    assert!(get(&batch, "node:new-host", metric::MEMORY_NODE_UTILIZATION).unwrap() > 0.04);
    assert_eq!(names(&batch, EntityKind::Disk), ["/dev/vda", "/dev/vda", "/dev/vda"]);
    let disk = "node:new-host/disk:/dev/vda";
    let read = get(&batch, disk, metric::DISK_IO_READ_BYTES);
    assert_eq!(read, Some(13_229_106.0 * 512.0));
    assert_eq!(names(&batch, EntityKind::Filesystem), ["/", "/srv/my files"]);
    let limit = get(&batch, "node:new-host/filesystem:/", metric::FILESYSTEM_LIMIT);
    assert!(limit.unwrap() > 0.0);
    let (table, row) = (batch.table(EntityKind::Node), 0);
    assert_eq!(table.started(row).secs(), 1_795_421_940);
    assert!(table.scraped(row) >= NOW);
    let target = &batch.targets()[0];
    assert_eq!((&*target.node, target.state.clone()), ("new-host", TargetState::Up));
    assert!(target.body_bytes > 1000);
}

#[tokio::test]
async fn cgroups_of_v2_are_system_containers() {
    let batch = Bench::new(fixture("v2")).scrape().await;
    assert_eq!(
        names(&batch, EntityKind::SystemContainer),
        [
            "containerd-aa10c3d4e5f6",
            "docker-4f1d8e2c9b7a",
            "kubepods-burstable.slice",
            "kubepods.slice",
            "pod8eafaeff-3a48-4891-b7d0-2e276c2df931",
            "podman-aa10c3d4e5f6",
            "ssh.service",
            "system.slice",
            "user-1000.slice",
            "user.slice",
            "user@1000.service",
        ]
    );
    let docker = "node:new-host/container:docker-4f1d8e2c9b7a";
    for (metric, expected) in [
        (metric::CPU_USAGE, 7e9),
        (metric::CPU_CFS_PERIODS, 900.0),
        (metric::CPU_CFS_THROTTLED_PERIODS, 30.0),
        (metric::MEMORY_USAGE, 6e8),
        (metric::MEMORY_WORKING_SET, 4e8),
        (metric::MEMORY_RSS, 3e8),
        (metric::MEMORY_CACHE, 2.9e8),
        (metric::SWAP_USAGE, 8192.0),
        (metric::MEMORY_PAGE_FAULTS, 1234.0),
        (metric::MEMORY_MAJOR_PAGE_FAULTS, 5.0),
    ] {
        let name = model::descriptor(metric).name;
        assert_eq!(get(&batch, docker, metric), Some(expected), "{name}");
    }
    let disk = format!("{docker}/disk:/dev/vda");
    assert_eq!(get(&batch, &disk, metric::DISK_IO_READ_BYTES), Some(4096.0));
    assert_eq!(get(&batch, &disk, metric::DISK_IO_WRITE_BYTES), Some(8192.0));
}

#[tokio::test]
async fn cgroups_of_v1_are_system_containers() {
    let batch = Bench::new(fixture("v1")).scrape().await;
    assert_eq!(
        names(&batch, EntityKind::SystemContainer),
        [
            "container-aa10c3d4e5f6",
            "cron.service",
            "docker",
            "docker-4f1d8e2c9b7a",
            "process_api",
            "system.slice"
        ]
    );
    let docker = "node:old-host/container:docker-4f1d8e2c9b7a";
    for (metric, expected) in [
        (metric::CPU_USAGE, 7e9),
        (metric::CPU_CFS_THROTTLED_PERIODS, 2.0),
        (metric::MEMORY_WORKING_SET, 4e8),
        (metric::MEMORY_RSS, 3e8),
        (metric::SWAP_USAGE, 4096.0),
        (metric::MEMORY_PAGE_FAULTS, 1_395_937.0),
    ] {
        let name = model::descriptor(metric).name;
        assert_eq!(get(&batch, docker, metric), Some(expected), "{name}");
    }
    let disk = format!("{docker}/disk:/dev/vda");
    assert_eq!(get(&batch, &disk, metric::DISK_IO_READ_BYTES), Some(40_960.0));
    let cron = "node:old-host/container:cron.service";
    assert_eq!(get(&batch, cron, metric::MEMORY_WORKING_SET), Some(0.0), "never negative");
    let partial = "node:old-host/container:process_api";
    assert_eq!(get(&batch, partial, metric::CPU_USAGE), None);
    assert_eq!(get(&batch, partial, metric::MEMORY_USAGE), Some(77.0));
}

#[tokio::test]
async fn an_empty_root_is_a_failed_target_and_no_rows() {
    let mut bench = Bench::new(fixture("nothing-here"));
    let batch = bench.scrape().await;
    assert_eq!(batch.table(EntityKind::Node).len(), 0);
    let target = &batch.targets()[0];
    let TargetState::Failed { hop, reason, advice } = &target.state else { unreachable!() };
    assert_eq!(*hop, Hop::Local);
    assert!(reason.contains("nothing-here/proc/stat: No such file"), "{reason}");
    assert!(advice.starts_with("mount the machine's /proc"), "{advice}");
    assert!(target.last_success.is_never());
    let since = target.since;
    let batch = bench.scrape().await;
    assert_eq!(batch.targets()[0].since, since, "failed since the first scrape");
}
