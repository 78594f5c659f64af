//! metrics-server's rules one by one, and ours beside them.

use model::{ContainerSpec, ContainerState, ContainerStatus, Pod, PodSamples, Sample};
use std::fmt::Write as _;

use super::*;

const RESOLUTION: Duration = Duration::from_secs(15);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_secs(1_000_000 + seconds)
}

/// Measured at, started at, CPU in milliseconds, memory in KiB.
fn sample(measured: i64, started: i64, cpu_ms: i64, memory: i64) -> Sample {
    Sample {
        at: at(measured),
        started: at(started),
        cpu_nanos: Some(cpu_ms * 1_000_000),
        memory_bytes: Some(memory << 10),
    }
}

struct Bench {
    windows: ResourceWindows,
    pod: Pod,
}

impl Bench {
    fn new(old_rules: bool) -> Self {
        let keep = if old_rules { Duration::ZERO } else { Duration::from_mins(1) };
        let options = ResourceOptions { resolution: RESOLUTION, keep, old_rules };
        let pod = Pod { namespace: "ns".into(), name: "p".into(), ..Pod::default() };
        Self { windows: ResourceWindows::new(options), pod }
    }

    fn take(&self, now: i64, containers: &[(&str, Sample)]) {
        let containers = containers.iter().map(|(name, sample)| ((*name).into(), *sample));
        let pod = PodSamples {
            namespace: "ns".into(),
            name: "p".into(),
            containers: containers.collect(),
        };
        let own = Sample { started: Timestamp::NEVER, ..sample(now, 0, now * 500, 1024) };
        let samples = NodeSamples { node: "n".into(), own, pods: vec![pod] };
        self.windows.take(samples, at(now));
    }

    /// Time, window in seconds and each container's nanocores and KiB.
    fn shown(&self, now: i64) -> String {
        let Some(window) = self.windows.node("n", at(now)) else { return "no node".to_owned() };
        let Some(usage) = window.pod(&self.pod) else { return "nothing".to_owned() };
        let mut text = format!("@{} {:?}", usage.at.secs() - 1_000_000, usage.window);
        for one in usage.containers() {
            let memory = one.memory_bytes >> 10;
            write!(text, " {}={}n,{memory}Ki", one.name, one.cpu_nanocores).unwrap();
        }
        text
    }
}

/// Feeds rounds, 15 s apart, of one container and compares what is shown after each.
fn check(rounds: &[Sample], expected: &[&str]) {
    for old_rules in [true, false] {
        let bench = Bench::new(old_rules);
        let mut shown = Vec::new();
        for (sample, now) in rounds.iter().zip((15..).step_by(15)) {
            bench.take(now, &[("c", *sample)]);
            shown.push(bench.shown(now));
        }
        assert_eq!(shown, expected, "old rules: {old_rules}, {rounds:?}");
    }
}

#[test]
fn a_window_needs_two_samples() {
    check(
        &[sample(14, -100, 1000, 7), sample(29, -100, 1300, 8)],
        &["nothing", "@29 15s c=20000000n,8Ki"],
    );
}

#[test]
fn cpu_is_truncated_to_whole_nanocores() {
    check(
        &[sample(14, -100, 1000, 7), sample(17, -100, 1001, 8)],
        &["nothing", "@17 3s c=333333n,8Ki"],
    );
}

#[test]
fn a_fresh_container_counts_from_its_start() {
    // Ten seconds old at its first sample, and younger than a round.
    check(&[sample(14, 4, 500, 7)], &["@14 10s c=50000000n,7Ki"]);
    check(&[sample(14, 5, 500, 7)], &["nothing"]);
    check(&[sample(14, -1, 500, 7)], &["nothing"]);
}

#[test]
fn a_restarted_container_waits_for_two_samples_of_its_new_life() {
    check(
        &[
            sample(14, -100, 9000, 7),
            sample(29, -100, 9300, 7),
            sample(44, 36, 10, 7),
            sample(59, 36, 310, 7),
        ],
        &["nothing", "@29 15s c=20000000n,7Ki", "nothing", "@59 15s c=20000000n,7Ki"],
    );
}

#[test]
fn a_repeated_sample_keeps_its_window() {
    check(
        &[sample(14, -9, 1000, 7), sample(29, -9, 1300, 8), sample(29, -9, 1300, 8)],
        &["nothing", "@29 15s c=20000000n,8Ki", "@29 15s c=20000000n,8Ki"],
    );
    // Older than the newest but younger than the one before: counts from that one.
    check(
        &[sample(14, -9, 1000, 7), sample(29, -9, 1300, 8), sample(24, -9, 1100, 8)],
        &["nothing", "@29 15s c=20000000n,8Ki", "@24 10s c=10000000n,8Ki"],
    );
    check(
        &[sample(14, -9, 1000, 7), sample(29, -9, 1300, 8), sample(14, -9, 1000, 8)],
        &["nothing", "@29 15s c=20000000n,8Ki", "nothing"],
    );
}

#[test]
fn a_falling_counter_leaves_out_the_container_and_not_the_pod() {
    for old_rules in [true, false] {
        let bench = Bench::new(old_rules);
        bench.take(15, &[("a", sample(14, -9, 900, 1)), ("b", sample(13, -9, 900, 1))]);
        bench.take(30, &[("a", sample(29, -9, 100, 1)), ("b", sample(28, -9, 1050, 2))]);
        assert_eq!(bench.shown(30), "@28 15s b=10000000n,2Ki");
        bench.take(45, &[("a", sample(44, -20, 400, 1)), ("b", sample(43, -9, 1200, 2))]);
        assert_eq!(bench.shown(45), "@43 15s b=10000000n,2Ki");
    }
}

#[test]
fn the_earliest_container_gives_the_time() {
    let bench = Bench::new(true);
    bench.take(15, &[("a", sample(14, -9, 900, 1)), ("b", sample(10, -9, 900, 1))]);
    bench.take(30, &[("a", sample(29, -9, 900, 1)), ("b", sample(22, -9, 900, 2))]);
    assert_eq!(bench.shown(30), "@22 12s a=0n,1Ki b=0n,2Ki");
}

#[test]
fn one_container_without_cpu_or_memory_hides_the_pod_by_the_old_rules_only() {
    let idle = |now| sample(now, -9, 0, 1);
    let exited = |now| sample(now, -9, 50, 0);
    for (old_rules, expected) in
        [(true, "nothing"), (false, "@29 15s busy=20000000n,7Ki idle=0n,1Ki")]
    {
        let bench = Bench::new(old_rules);
        for (now, cpu) in [(14, 1000), (29, 1300)] {
            let busy = ("busy", sample(now, -9, cpu, 7));
            bench.take(now + 1, &[busy, ("idle", idle(now)), ("exited", exited(now))]);
        }
        assert_eq!(bench.shown(30), expected);
    }
}

#[test]
fn a_container_that_runs_and_was_measured_once_hides_the_pod() {
    let mut bench = Bench::new(false);
    bench.pod.containers = ["main", "side"]
        .map(|name| ContainerSpec { name: name.into(), ..ContainerSpec::default() })
        .into();
    bench.take(15, &[("main", sample(14, -9, 1000, 7))]);
    let second =
        |name: &'static str| [("main", sample(29, -9, 1300, 7)), (name, sample(29, 28, 9, 7))];
    bench.take(30, &second("side"));
    assert_eq!(bench.shown(30), "nothing");
    // The API server knows that it is done, or that it was there to initialize.
    bench.pod.statuses = [ContainerStatus {
        name: "side".into(),
        state: ContainerState::Waiting("CrashLoopBackOff".into()),
        ..ContainerStatus::default()
    }]
    .into();
    assert_eq!(bench.shown(30), "@29 15s main=20000000n,7Ki");
    let bench = Bench { pod: bench.pod, ..Bench::new(false) };
    bench.take(15, &[("main", sample(14, -9, 1000, 7))]);
    bench.take(30, &second("init"));
    assert_eq!(bench.shown(30), "@29 15s main=20000000n,7Ki");
}

#[test]
fn a_failed_node_keeps_its_true_window_for_a_while() {
    for (old_rules, soon, late) in
        [(true, "no node", "no node"), (false, "@29 15s c=20000000n,8Ki", "no node")]
    {
        let bench = Bench::new(old_rules);
        bench.take(15, &[("c", sample(14, -9, 1000, 7))]);
        bench.take(30, &[("c", sample(29, -9, 1300, 8))]);
        bench.windows.failed("n");
        assert_eq!(bench.shown(45), soon);
        assert_eq!(bench.shown(90), soon);
        assert_eq!(bench.shown(91), late);
    }
}

#[test]
fn a_window_after_a_long_silence_begins_anew() {
    let bench = Bench::new(false);
    bench.take(15, &[("c", sample(14, -9, 1000, 7))]);
    bench.take(400, &[("c", sample(399, -9, 1300, 8))]);
    assert_eq!(bench.shown(400), "nothing");
}

#[test]
fn nodes_need_cpu_and_memory_and_no_start() {
    let windows = ResourceWindows::new(ResourceOptions::default());
    let own = |now, cpu| Sample { started: Timestamp::NEVER, ..sample(now, 0, cpu, 9) };
    let take = |now, cpu| {
        let samples = NodeSamples { node: "n".into(), own: own(now, cpu), pods: Vec::new() };
        windows.take(samples, at(now));
        windows.node("n", at(now)).unwrap().usage()
    };
    assert_eq!(take(0, 1000), None);
    let usage = take(15, 1300).unwrap();
    assert_eq!((usage.cpu_nanocores, usage.window), (20_000_000, RESOLUTION));
    assert_eq!(take(30, 0), None);
    assert!(!windows.is_ready(), "no container was seen");
}

#[test]
fn nodes_that_are_gone_are_forgotten() {
    let bench = Bench::new(false);
    bench.take(15, &[("c", sample(14, -9, 1000, 7))]);
    bench.take(30, &[("c", sample(29, -9, 1300, 8))]);
    assert!(bench.windows.is_ready());
    bench.windows.round_ends(|_| true, at(31));
    assert!(bench.windows.is_ready());
    bench.windows.round_ends(|name| name != "n", at(31));
    assert!(!bench.windows.is_ready());
    bench.windows.round_begins(at(31));
    assert_eq!(bench.windows.last_round(), at(31));
}

#[test]
fn many_pods_are_what_each_is_alone() {
    let windows = ResourceWindows::new(ResourceOptions::default());
    // So many that some of them have equal tags.
    let name = |number: i64| -> Box<str> { format!("pod-{number}").into() };
    for now in [15, 30] {
        let pod = |number: i64| PodSamples {
            namespace: "ns".into(),
            name: name(number),
            containers: vec![("c".into(), sample(now, -9, now * (number + 1), 7))],
        };
        let own = Sample { started: Timestamp::NEVER, ..sample(now, 0, now, 9) };
        let pods = (0..1000).map(pod).collect();
        windows.take(NodeSamples { node: "n".into(), own, pods }, at(now));
    }
    let record = |number: i64| {
        let node = if number % 7 == 0 { "gone" } else { "n" };
        let (namespace, name) = ("ns".into(), name(number));
        Pod { namespace, name, node: node.into(), ..Pod::default() }
    };
    let records: Vec<Pod> = (0..1100).map(record).collect();
    let records: Vec<&Pod> = records.iter().collect();
    let glance = windows.glance(at(30));
    let cpu = |usage: Option<PodUsage<'_>>| {
        usage.map(|usage| usage.containers().map(|one| one.cpu_nanocores).collect::<Vec<_>>())
    };
    let mut all = Vec::new();
    glance.pods(&records, &mut all);
    let all: Vec<_> = all.into_iter().map(cpu).collect();
    let of = |record: &&Pod| cpu(glance.node(&record.node).and_then(|node| node.pod(record)));
    let alone: Vec<_> = records.iter().map(of).collect();
    assert_eq!(all, alone);
    assert_eq!((all[0].as_ref(), all[1].as_ref()), (None, Some(&vec![2_000_000])));
    assert_eq!(all.iter().flatten().count(), 857);
}

/// A node's answer with those pods, each with so much CPU in cores.
fn answered(node: &str, pods: &[(&str, i64)], now: i64) -> NodeSamples {
    let pod = |(name, cores): &(&str, i64)| PodSamples {
        namespace: "ns".into(),
        name: (*name).into(),
        containers: vec![("c".into(), sample(now, -100, (now + 100) * cores * 1_000, 1))],
    };
    let own = Sample { started: Timestamp::NEVER, ..sample(now, 0, (now + 1) * 500, 1024) };
    NodeSamples { node: node.into(), own, pods: pods.iter().map(pod).collect() }
}

#[test]
fn pods_are_found_wherever_they_are_and_not_where_they_were() {
    let windows = ResourceWindows::new(ResourceOptions::default());
    let on = |name: &str, node: &str| Pod {
        namespace: "ns".into(),
        name: name.into(),
        node: node.into(),
        ..Pod::default()
    };
    let records = [on("a", "one"), on("b", "one"), on("c", "two"), on("b", "two"), on("x", "no")];
    // Cores of each record, looked for twice: the second time where it was found the first.
    let shown = |now: i64| {
        let glance = windows.glance(at(now));
        let (records, mut usages): (Vec<&Pod>, _) = (records.iter().collect(), Vec::new());
        let mut twice = [(); 2].map(|()| {
            glance.pods(&records, &mut usages);
            let cores = |usage: &Option<PodUsage<'_>>| {
                Some(usage.as_ref()?.containers().next()?.cpu_nanocores / 1_000_000_000)
            };
            usages.iter().map(cores).collect::<Vec<_>>()
        });
        assert_eq!(twice[0], twice[1]);
        std::mem::take(&mut twice[0])
    };
    let rounds = |from: i64, nodes: &[(&str, &[(&str, i64)])]| {
        for now in [from, from + 15] {
            for (node, pods) in nodes {
                windows.take(answered(node, pods, now), at(now));
            }
            windows.round_ends(|node| nodes.iter().any(|(name, _)| *name == node), at(now));
        }
        shown(from + 15)
    };
    let none = None;
    assert_eq!(shown(0), [none; 5]);
    let (one, two): (&[_], &[_]) = (&[("a", 1), ("b", 2)], &[("c", 3)]);
    assert_eq!(rounds(15, &[("one", one), ("two", two)]), [Some(1), Some(2), Some(3), none, none]);
    // In another order, and a new one before the others.
    let (one, two): (&[_], &[_]) = (&[("new", 9), ("b", 2), ("a", 1)], &[("b", 4), ("c", 3)]);
    let all = [Some(1), Some(2), Some(3), Some(4), none];
    assert_eq!(rounds(45, &[("one", one), ("two", two)]), all);
    // The first node goes, and another takes its seat: its pods are not those of the first.
    let (three, two): (&[_], &[_]) = (&[("z", 7), ("new", 9), ("q", 8)], &[("b", 4), ("c", 3)]);
    let gone = [none, none, Some(3), Some(4), none];
    assert_eq!(rounds(75, &[("three", three), ("two", two)]), gone);
    assert_eq!(rounds(105, &[("one", one), ("two", two)]), all);
}

#[test]
fn pods_of_the_inventory_are_told_where_they_are() {
    let inventory = SharedInventory::default();
    let pods = [("a", "one"), ("b", "one"), ("c", "two"), ("d", "one")].map(|(name, node)| {
        let (namespace, name, node) = ("ns".into(), name.into(), node.into());
        Arc::new(Pod { namespace, name, node, ..Pod::default() })
    });
    for pod in &pods {
        inventory.write().unwrap().put_pod(Arc::clone(pod));
    }
    let windows =
        ResourceWindows::new(ResourceOptions::default()).with_inventory(Arc::clone(&inventory));
    // The kubelet of one node says what the inventory knows of another, and what it does not know.
    for now in [15, 30] {
        windows.take(answered("one", &[("a", 1), ("b", 2), ("c", 3), ("x", 4)], now), at(now));
    }
    let told = pods.each_ref().map(|pod| Found::on(pod));
    let [Some(a), Some(b), None, None] = told else { panic!("{told:?}") };
    assert!(a.seat == b.seat && a.place < b.place, "{told:?}");
    let one = windows.node("one", at(30)).unwrap();
    assert!(one.sheet.at(b.place, PodKey::of("ns", "b")).is_some());
    assert_eq!(one.points(), (1, 4));
}
