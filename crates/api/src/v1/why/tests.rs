//! Every reason for a missing value, by a small cluster in which each of them is true of something.

use std::sync::Arc;
use std::time::Duration;

use model::{
    Batch, Claim, ContainerSpec, ContainerState, ContainerStatus, Draft, EntityKind, Hop,
    Inventory, MetricId, Namespace, Node, Owner, Pod, Ready, Registry, Target, TargetState,
    Termination, Timestamp, Workload, metric,
};

use super::parse;
use super::reason::{Known, why};
use crate::state::Problem;

const NOW: i64 = 1_795_427_000;

fn at(offset: i64) -> Timestamp {
    Timestamp::from_secs(NOW + offset)
}

fn pod(name: &str, node: &str, phase: &str) -> Pod {
    let spec = ContainerSpec { name: "app".into(), ..ContainerSpec::default() };
    Pod {
        namespace: "web".into(),
        name: name.into(),
        node: node.into(),
        phase: phase.into(),
        containers: [spec].into(),
        started: at(-3600),
        ..Pod::default()
    }
}

fn with(mut pod: Pod, state: ContainerState) -> Pod {
    let status = ContainerStatus {
        name: "app".into(),
        restart_count: 3,
        state,
        ..ContainerStatus::default()
    };
    pod.statuses = [status].into();
    pod
}

fn inventory() -> Inventory {
    let mut inventory = Inventory::default();
    for name in ["up", "bad", "away", "fresh", "lean"] {
        inventory.put_node(Arc::new(Node {
            name: name.into(),
            ready: Ready::Yes,
            ..Node::default()
        }));
    }
    for name in ["web", "bare"] {
        inventory.put_namespace(Arc::new(Namespace { name: name.into(), ..Namespace::default() }));
    }
    for (name, desired) in [("idle", 0), ("stuck", 3)] {
        inventory.put_workload(Arc::new(Workload {
            namespace: "web".into(),
            kind: "Deployment".into(),
            name: name.into(),
            desired: Some(desired),
            ..Workload::default()
        }));
    }
    for (name, phase) in [("kept", "Bound"), ("wanted", "Pending")] {
        inventory.put(Claim {
            namespace: "web".into(),
            name: name.into(),
            phase: phase.into(),
            ..Claim::default()
        });
    }
    let crash = || ContainerState::Waiting("CrashLoopBackOff".into());
    let oom = Termination { reason: "OOMKilled".into(), exit_code: 137, ..Termination::default() };
    let pods = [
        pod("well", "up", "Running"),
        Pod { host_network: true, ..pod("host", "up", "Running") },
        pod("first", "up", "Running"),
        pod("restarted", "up", "Running"),
        pod("repeated", "up", "Running"),
        pod("fell", "up", "Running"),
        pod("lean", "lean", "Running"),
        pod("waits", "", "Pending"),
        with(pod("pulls", "up", "Pending"), ContainerState::Waiting("ImagePullBackOff".into())),
        pod("done", "up", "Succeeded"),
        Pod { reason: "Evicted".into(), ..pod("evicted", "up", "Failed") },
        pod("on-bad", "bad", "Running"),
        pod("on-away", "away", "Running"),
        pod("on-fresh", "fresh", "Running"),
        Pod { deleted: at(-5), ..pod("dying", "up", "Running") },
        Pod {
            claims: [("data".into(), "kept".into()), ("waits".into(), "wanted".into())].into(),
            ..pod("stores", "up", "Running")
        },
        Pod {
            owner: Some(Owner { kind: "Deployment".into(), name: "bad".into() }),
            ..pod("bad-1", "bad", "Running")
        },
        with(pod("crashes", "up", "Running"), crash()),
        with(pod("killed", "up", "Running"), ContainerState::Terminated(oom.into())),
        Pod { started: at(-12), ..pod("new", "up", "Running") },
        pod("lost", "up", "Running"),
    ];
    for pod in pods {
        inventory.put_pod(Arc::new(pod));
    }
    inventory
}

fn target(node: &str, path: &str, state: TargetState) -> Target {
    Target {
        node: node.into(),
        url: format!("https://{node}:10250{path}").into(),
        state,
        since: at(-600),
        last_success: Timestamp::NEVER,
        took: Duration::ZERO,
        body_bytes: 0,
        verified: model::Verified::NotAsked,
    }
}

/// A pod's row: sampled and started then, with these values.
type Row<'a> = (&'a str, i64, i64, &'a [(MetricId, f64)]);

fn batch(offset: i64, registry: Registry, rows: &[Row<'_>]) -> (Arc<Batch>, Registry) {
    let mut draft = Draft::new(at(offset), registry);
    for (name, sampled, started, values) in rows {
        let pod = draft.registry.pod("web", name, "");
        let row = draft.insert(&pod).row;
        let table = draft.table_mut(EntityKind::Pod);
        table.set_scraped(row, at(*sampled));
        table.set_started(row, at(*started));
        for (id, value) in *values {
            table.set_float(row, *id, *value);
        }
        if *name == "lean" {
            let node = Node { name: "lean".into(), ..Node::default() };
            table.context_mut(row).node = Some(Arc::new(node));
        }
    }
    let node = draft.registry.node("up");
    let row = draft.insert(&node).row;
    draft.table_mut(EntityKind::Node).set_float(row, metric::MEMORY_USAGE, 9.0);
    let failed = TargetState::Failed {
        hop: Hop::Tls,
        reason: "the certificate expired".to_owned(),
        advice: "renew it".to_owned(),
    };
    let skipped = TargetState::Skipped { reason: "the node is not ready".to_owned() };
    draft.report(target("up", "/stats/summary", TargetState::Up));
    draft.report(target("lean", "/metrics/resource", TargetState::Up));
    draft.report(target("bad", "/stats/summary", failed));
    draft.report(target("away", "", skipped));
    draft.freeze()
}

fn batches() -> Vec<Arc<Batch>> {
    let counter = [(metric::CPU_USAGE, 5.0)];
    let rate = [(metric::CPU_USAGE, 9.0), (metric::CPU_USAGE_RATE, 4.0)];
    let (first, registry) = batch(
        -60,
        Registry::default(),
        &[
            ("well", -65, -3600, &rate),
            ("restarted", -65, -3600, &counter),
            ("repeated", -65, -3600, &counter),
            ("fell", -65, -3600, &counter),
            ("lost", -65, -3600, &counter),
        ],
    );
    let (second, _) = batch(
        0,
        registry,
        &[
            ("well", -5, -3600, &rate),
            ("host", -5, -3600, &rate),
            ("first", -5, -3600, &counter),
            ("restarted", -5, -30, &counter),
            ("repeated", -65, -3600, &counter),
            ("fell", -5, -3600, &counter),
            ("lean", -5, -3600, &rate),
        ],
    );
    vec![first, second]
}

fn ask(query: &str, batches: &[Arc<Batch>], problems: &[Problem]) -> (&'static str, String) {
    let inventory = if batches.is_empty() { Inventory::default() } else { inventory() };
    let known = Known {
        inventory: &inventory,
        batches,
        history: (!batches.is_empty()).then(|| (at(-60), at(0))),
        now: at(1),
        resolution: Duration::from_mins(1),
        problems,
    };
    let reason = why(&parse(query).unwrap(), &known);
    let words = format!("{}\n{}\n{}", reason.sentence, reason.advice, reason.evidence.join("\n"));
    (reason.code, words)
}

fn check(query: &str, code: &str, part: &str) {
    let (found, words) = ask(query, &batches(), &[]);
    assert_eq!(found, code, "{query}: {words}");
    assert!(words.contains(part), "{query}: {words}");
}

fn check_pod(name: &str, metric: &str, code: &str, part: &str) {
    check(&format!("kind=pod&namespace=web&name={name}&metric={metric}"), code, part);
}

const RATE: &str = "cpu/usage_rate";

#[test]
fn a_pod_that_is_not_measured_has_its_reason() {
    check_pod("waits", RATE, "not_scheduled", "on no node yet: its phase is Pending");
    check_pod("pulls", RATE, "no_container_runs", "ImagePullBackOff");
    check_pod("done", RATE, "ended", "its phase is Succeeded");
    check_pod("evicted", RATE, "ended", "Failed (Evicted)");
    check_pod("on-bad", RATE, "node_failed", "fails at tls");
    check_pod("on-bad", RATE, "node_failed", "the certificate expired");
    check_pod("on-away", RATE, "node_skipped", "the node is not ready");
    check_pod("on-fresh", RATE, "node_unknown", "node fresh, which is not asked");
    check_pod("dying", RATE, "deleting", "being deleted");
    check_pod("crashes", RATE, "no_container_runs", "CrashLoopBackOff");
    check_pod("killed", RATE, "no_container_runs", "OOMKilled (exit code 137)");
    check_pod("new", RATE, "just_started", "started 13 s ago");
    check_pod("lost", "", "not_reported", "the kubelet of node up answered");
    check_pod("lost", "", "not_reported", "last value: 2026-11-23T");
    check_pod("nobody", RATE, "unknown", "there is no pod web/nobody");
    check("kind=pod&namespace=none&name=x", "unknown", "there is no namespace none");
}

#[test]
fn a_metric_that_is_missing_has_its_reason() {
    check_pod("well", RATE, "present", "is measured");
    check_pod("well", "", "present", "is measured");
    check_pod("well", "cpu/node_utilization", "not_carried", "a metric of cluster, node");
    check_pod("first", RATE, "first_sample", "needs two samples");
    check_pod("restarted", RATE, "restarted", "started between them");
    check_pod("repeated", RATE, "repeated_sample", "repeated an old sample");
    check_pod("fell", RATE, "counter_fell", "fell");
    check_pod("host", "network/rx_rate", "host_network", "uses its node's network");
    check_pod("well", "network/rx", "not_in_answer", "without network/rx");
    check_pod("lean", "memory/rss", "resource_endpoint", "/metrics/resource");
    check_pod("well", "memory/limit", "not_set", "states a memory limit");
    check("kind=node&name=up&metric=cpu/node_capacity", "not_stated", "kubectl describe node up");
}

#[test]
fn other_things_have_reasons_too() {
    check("kind=node&name=bad&metric=uptime", "node_failed", "renew it");
    check("kind=node&name=fresh", "not_asked", "wait");
    check("kind=node&name=none", "unknown", "5 nodes are known");
    check("kind=namespace&name=web", "nothing_to_sum", "none of the 21 pods");
    check("kind=namespace&name=bare", "no_pods", "no pods to sum");
    check("kind=namespace&name=none", "unknown", "there is no namespace none");
    check("kind=cluster", "nothing_to_sum", "none of the 21 pods");
    let container = |pod: &str, name: &str| {
        format!("kind=container&namespace=web&pod={pod}&name={name}&metric={RATE}")
    };
    check(&container("well", "app"), "not_reported", "did not report container app");
    check(&container("well", "other"), "unknown", "containers of the pod: app");
    check(&container("crashes", "app"), "no_container_runs", "CrashLoopBackOff");
    check(&container("on-bad", "app"), "node_failed", "renew it");
}

#[test]
fn workloads_and_volumes_have_reasons() {
    let workload = |kind: &str, name: &str| {
        format!("kind=workload&namespace=web&workload={kind}&name={name}&metric={RATE}")
    };
    check(&workload("Deployment", "idle"), "no_pods", "scaled to zero");
    check(&workload("Deployment", "stuck"), "no_pods", "has no pods of 3 wanted");
    check(&workload("Deployment", "bad"), "nothing_to_sum", "bad-1: node bad cannot be measured");
    check(&workload("Deployment", "none"), "unknown", "there is no Deployment web/none");
    let volume = |pod: &str, name: &str| {
        format!("kind=volume&namespace=web&pod={pod}&name={name}&metric=filesystem/usage")
    };
    check(&volume("stores", "data"), "not_reported", "NodeGetVolumeStats");
    check(&volume("stores", "waits"), "pending", "its claim wanted is Pending");
    check(&volume("stores", "tmp"), "not_reported", "comes from no claim");
    check(&volume("none", "data"), "unknown", "there is no pod web/none");
    check(&volume("on-bad", "Volume:data"), "node_failed", "renew it");
}

#[test]
fn time_has_its_reasons() {
    let early = format!("kind=cluster&at={}", at(-3600).millis());
    check(&early, "before_history", "history begins at");
    let late = format!("kind=cluster&at={}", at(3600).millis());
    check(&late, "not_yet", "the newest batch is of");
    let problem = Problem {
        about: "API server".to_owned(),
        hop: Hop::Connect,
        reason: "connection refused".to_owned(),
        advice: "start the cluster".to_owned(),
        since: at(-60),
    };
    let (code, words) = ask("kind=cluster", &[], &[]);
    assert_eq!((code, words.lines().nth(1)), ("no_batch", Some("wait: a batch comes every 60 s")));
    let (code, words) = ask("kind=cluster", &[], &[problem]);
    assert_eq!(code, "no_batch");
    assert!(words.contains("API server fails at connect\nstart the cluster"), "{words}");
}

#[test]
fn questions_that_cannot_be_asked_say_what_is_missing() {
    for (query, part) in [
        ("", "kind"),
        ("kind=disk&name=x", "kind"),
        ("kind=volume&name=x", "namespace"),
        ("kind=workload&namespace=a&name=x", "workload"),
        ("kind=pod&name=x", "namespace"),
        ("kind=container&namespace=a&name=x", "pod"),
        ("kind=node", "name"),
        ("kind=cluster&at=soon", "at"),
        ("kind=cluster&metric=cpu/usag", "cpu/usag"),
        ("kind=cluster&colour=red", "colour"),
    ] {
        let error = parse(query).unwrap_err().to_string();
        assert!(error.contains(part), "{query}: {error}");
    }
}
