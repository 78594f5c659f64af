//! Series of objects: every name of kube-state-metrics has some, with its labels.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, RwLock};

use model::{
    Autoscaler, Claim, ContainerSpec, ContainerState, ContainerStatus, Counts, Inventory,
    Namespace, Node, Owner, Pairs, PersistentVolume, Pod, Quota, Ready, Resources, SharedInventory,
    Taint, Termination, Timestamp, Truth, Workload,
};
use query::promql::{AnswerValue, Database as _, Limits, Options, SelectError, parse};
use query::{Columns, ColumnsAsked, EntityRow, StateHistory, Views};

/// When everything was observed, milliseconds.
const NOW: i64 = 1_800_000_000_000;

/// Nothing was measured, at these ticks.
struct Nothing(Vec<i64>);

impl Columns for Nothing {
    fn times(&self, start: i64, end: i64) -> Result<Arc<[i64]>, SelectError> {
        Ok(self.0.iter().copied().filter(|at| (start..=end).contains(at)).collect())
    }

    fn read(
        &self,
        _: &ColumnsAsked<'_>,
        _: &mut dyn FnMut(&Arc<[i64]>, EntityRow) -> bool,
    ) -> Result<(), SelectError> {
        Ok(())
    }
}

/// Two pods, of which one is gone at the second of two ticks.
#[derive(Default)]
struct Ticked {
    /// The ticks that were read, first and last.
    read: Mutex<Vec<(i64, i64)>>,
}

const BEFORE: i64 = NOW - 60_000;

impl Columns for Ticked {
    fn times(&self, start: i64, end: i64) -> Result<Arc<[i64]>, SelectError> {
        Ok([BEFORE, NOW].into_iter().filter(|at| (start..=end).contains(at)).collect())
    }

    fn read(
        &self,
        asked: &ColumnsAsked<'_>,
        take: &mut dyn FnMut(&Arc<[i64]>, EntityRow) -> bool,
    ) -> Result<(), SelectError> {
        let mut times = self.times(asked.start, asked.end)?;
        if asked.newest {
            times = times.last().copied().into_iter().collect();
        }
        self.read.lock().unwrap().extend(times.first().copied().zip(times.last().copied()));
        for (pod, last) in [("stays", NOW), ("goes", BEFORE)] {
            let labels = [("namespace", "shop"), ("node", "n1"), ("pod", pod)];
            let labels = labels.map(|(name, value)| (name.into(), value.into()));
            let values: Vec<f64> = times.iter().filter(|at| **at <= last).map(|_| 7e6).collect();
            take(
                &times,
                EntityRow { labels: Pairs::new(labels.into()), start: 0, columns: vec![values] },
            );
        }
        Ok(())
    }
}

#[test]
fn the_newest_tick_alone_is_read_where_no_other_is_looked_at() {
    let columns = Arc::new(Ticked::default());
    let views = Views::new(Arc::clone(&columns) as _, Arc::default());
    let check = |expression: &str, at: i64, pods: &[&str], read: (i64, i64)| {
        let query = parse(expression, &Limits::default()).unwrap();
        let answer = query.instant(&views, at, &Options::default(), &|| false).unwrap();
        let AnswerValue::Vector(samples) = answer.value else { panic!("{expression}") };
        let mut found: Vec<_> =
            samples.iter().map(|one| one.labels.get("pod").to_owned()).collect();
        found.sort();
        assert_eq!(found, pods, "{expression} at {at}");
        let mut reads = std::mem::take(&mut *columns.read.lock().unwrap());
        reads.dedup();
        assert_eq!(reads, [read], "{expression} at {at}");
    };
    let name = "pod_memory_working_set_bytes";
    check(name, NOW, &["stays"], (NOW, NOW));
    check(name, NOW + 200_000, &["stays"], (NOW, NOW));
    check(name, NOW - 1, &["goes", "stays"], (BEFORE, BEFORE));
    check(&format!("{name} offset 1m"), NOW, &["goes", "stays"], (BEFORE, BEFORE));
    let both = (BEFORE, NOW);
    check(&format!("last_over_time({name}[5m])"), NOW, &["goes", "stays"], both);
    let query = parse(name, &Limits::default()).unwrap();
    let late = query.instant(&views, NOW + 300_001, &Options::default(), &|| false).unwrap();
    assert_eq!(late.value, AnswerValue::Vector(Vec::new()));
    assert!(columns.read.lock().unwrap().is_empty(), "there is no tick");
}

#[test]
fn what_a_quota_allows_is_the_same_however_often_what_is_used_changes() {
    let states = Arc::new(StateHistory::default());
    // What may be used and is at each tick; it is away at one.
    let amounts = [Some((4, 1)), Some((4, 2)), None, Some((4, 2)), Some((4, 3)), Some((8, 3))];
    let ticks: Vec<i64> = (0..6).map(|tick| NOW + tick * 60_000).collect();
    for (now, amounts) in ticks.iter().zip(amounts) {
        let mut inventory = Inventory::default();
        if let Some((hard, used)) = amounts {
            inventory.put(Quota {
                namespace: "shop".into(),
                name: "compute".into(),
                hard: [("pods".into(), Some(hard * 1_000))].into(),
                used: Box::new([Some(used * 1_000)]),
                created: Timestamp::from_secs(1_799_990_000),
            });
        }
        states.observe(&Arc::new(RwLock::new(inventory)), &[], *now);
    }
    let views = Views::new(Arc::new(Nothing(ticks)), states);
    let values = |kind: &str| -> Vec<(i64, String)> {
        let text = format!("kube_resourcequota{{type=\"{kind}\"}}");
        let query = parse(&text, &Limits::default()).unwrap();
        let steps = (NOW, NOW + 5 * 60_000, 60_000);
        let answer = query.range(&views, steps, &Options::default(), &|| false).unwrap();
        let AnswerValue::Matrix(series) = answer.value else { panic!("{text}") };
        assert_eq!(series.len(), 1, "{text}");
        let sample = |(at, value): &(i64, f64)| ((at - NOW) / 60_000, value.to_string());
        series[0].samples.iter().map(sample).collect()
    };
    let at = |values: [&str; 5]| -> Vec<(i64, String)> {
        [0, 1, 3, 4, 5].into_iter().zip(values.map(str::to_owned)).collect()
    };
    assert_eq!(values("hard"), at(["4", "4", "4", "4", "8"]));
    assert_eq!(values("used"), at(["1", "2", "2", "3", "3"]));
}

fn pods(inventory: &mut Inventory) {
    let end = || Termination {
        reason: "Error".into(),
        exit_code: 1,
        finished: Timestamp::from_secs(1_799_999_000),
    };
    let resources = Resources {
        cpu_millicores: Some(250),
        memory_bytes: Some(1 << 20),
        ephemeral_storage_bytes: Some(1 << 30),
    };
    let spec = ContainerSpec {
        name: "app".into(),
        image: "registry/app:1".into(),
        requests: resources,
        limits: resources,
        extended_requests: Box::new([("nvidia.com/gpu".into(), 1)]),
        ..ContainerSpec::default()
    };
    let pod = |name: &str, phase: &str, state: ContainerState| Pod {
        namespace: "shop".into(),
        name: name.into(),
        uid: "u1".into(),
        node: "n1".into(),
        phase: phase.into(),
        labels: vec![("app.kubernetes.io/name".into(), "web".into())].into(),
        owner: Some(Owner { kind: "ReplicaSet".into(), name: "web-1".into() }),
        containers: vec![spec.clone()].into(),
        statuses: Box::new([ContainerStatus {
            name: "app".into(),
            restart_count: 3,
            ready: true,
            state,
            last_termination: Some(end().into()),
        }]),
        claims: Box::new([("data".into(), "disk".into())]),
        qos_class: "Guaranteed".into(),
        ready: Ready::Yes,
        started: Timestamp::from_secs(1_799_990_000),
        created: Timestamp::from_secs(1_799_990_000),
        deleted: Timestamp::from_secs(1_800_000_100),
        ..Pod::default()
    };
    let since = Timestamp::from_secs(1_799_991_000);
    inventory.put_pod(Arc::new(pod("runs", "Running", ContainerState::Running(since))));
    let waiting = ContainerState::Waiting("CrashLoopBackOff".into());
    inventory.put_pod(Arc::new(pod("waits", "Pending", waiting)));
    inventory.put_pod(Arc::new(pod("ended", "Failed", ContainerState::Terminated(end().into()))));
}

fn nodes(inventory: &mut Inventory) {
    let amounts = Resources {
        cpu_millicores: Some(4000),
        memory_bytes: Some(1 << 33),
        ephemeral_storage_bytes: Some(1 << 36),
    };
    inventory.put_node(Arc::new(Node {
        name: "n1".into(),
        addresses: Box::new([("InternalIP".into(), "10.0.0.1".into())]),
        ready: Ready::Yes,
        labels: Box::new([("node-role.kubernetes.io/worker".into(), "".into())]),
        capacity: amounts,
        allocatable: amounts,
        pod_capacity: 110,
        taints: Box::new([Taint {
            key: "dedicated".into(),
            value: "gpu".into(),
            effect: "NoSchedule".into(),
        }]),
        created: Timestamp::from_secs(1_700_000_000),
        ..Node::default()
    }));
    inventory.put_namespace(Arc::new(Namespace {
        name: "shop".into(),
        labels: Box::new([("team".into(), "a".into())]),
        phase: "Active".into(),
        created: Timestamp::from_secs(1_700_000_000),
        ..Namespace::default()
    }));
}

fn workloads(inventory: &mut Inventory) {
    let then = Timestamp::from_secs(1_799_000_000);
    let counts = Counts {
        current: Some(3),
        updated: Some(2),
        available: Some(1),
        misscheduled: Some(0),
        completions: Some(1),
        succeeded: Some(1),
        failed: Some(0),
        generation: Some(5),
        observed: Some(4),
        active: Some(1),
        complete: Some(true),
        suspended: Some(true),
        started: then,
        ended: then,
        scheduled: then,
    };
    let kinds = ["Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob"];
    let workload = |kind: &str, name: &str| Workload {
        namespace: "shop".into(),
        kind: kind.into(),
        name: name.into(),
        owner: Some(Owner { kind: "Deployment".into(), name: "web".into() }),
        desired: Some(3),
        ready: Some(2),
        counts,
        created: then,
    };
    for kind in kinds {
        inventory.put_workload(Arc::new(workload(kind, "web-1")));
    }
    let failed = Counts { complete: Some(false), ..counts };
    let failed = Workload { counts: failed, ..workload("Job", "broken") };
    inventory.put_workload(Arc::new(failed));
    inventory.put(Claim {
        namespace: "shop".into(),
        name: "disk".into(),
        phase: "Bound".into(),
        storage_class: "fast".into(),
        volume: "pv-1".into(),
        requested: Some(1 << 30),
        capacity: Some(1 << 30),
        created: then,
    });
}

fn bounds(inventory: &mut Inventory) {
    let then = Timestamp::from_secs(1_799_000_000);
    inventory.put(PersistentVolume {
        name: "pv-1".into(),
        phase: "Bound".into(),
        storage_class: "fast".into(),
        reclaim_policy: "Delete".into(),
        mode: "Filesystem".into(),
        capacity: Some(1 << 30),
        claim: Some(("shop".into(), "disk".into())),
        source: Box::new([
            ("csi_driver".into(), "csi.example.com".into()),
            ("csi_volume_handle".into(), "vol-1".into()),
        ]),
        created: then,
    });
    inventory.put(Autoscaler {
        namespace: "shop".into(),
        name: "web".into(),
        target: Owner { kind: "Deployment".into(), name: "web-1".into() },
        target_api: "apps/v1".into(),
        min: 2,
        max: 9,
        current: 3,
        wanted: 4,
        generation: Some(1),
        conditions: [
            ("AbleToScale".into(), Truth::True),
            ("ScalingActive".into(), Truth::Unknown),
            ("ScalingLimited".into(), Truth::False),
        ]
        .into(),
        created: then,
    });
    inventory.put(Quota {
        namespace: "shop".into(),
        name: "compute".into(),
        hard: [("pods".into(), Some(50_000)), ("requests.cpu".into(), Some(4000))].into(),
        used: Box::new([Some(3000), Some(750)]),
        created: then,
    });
}

fn inventory() -> SharedInventory {
    let mut inventory = Inventory::default();
    pods(&mut inventory);
    nodes(&mut inventory);
    workloads(&mut inventory);
    bounds(&mut inventory);
    Arc::new(RwLock::new(inventory))
}

fn views() -> Views {
    let states = StateHistory::default();
    states.observe(&inventory(), &[], NOW);
    Views::new(Arc::new(Nothing(vec![NOW])), Arc::new(states))
}

/// The series of a query: labels and value.
fn asked(views: &Views, text: &str) -> BTreeSet<String> {
    let options = Options::default();
    let query = parse(text, &options.limits).unwrap();
    let answer = query.instant(views, NOW, &options, &|| false).unwrap();
    let AnswerValue::Vector(samples) = answer.value else { panic!("{text}: no vector") };
    let labels: BTreeSet<String> = samples.iter().map(|sample| sample.labels.to_string()).collect();
    assert_eq!(labels.len(), samples.len(), "{text}: labels twice");
    samples.iter().map(|sample| format!("{} {}", sample.labels, sample.value)).collect()
}

#[test]
fn every_name_of_objects_has_series() {
    let views = views();
    let names = views.metrics().into_iter().map(|metric| metric.name);
    let stated: Vec<_> = names.filter(|name| name.starts_with("kube_")).collect();
    assert!(stated.len() > 98, "{}", stated.len());
    let empty: Vec<_> = stated.iter().filter(|name| asked(&views, name).is_empty()).collect();
    assert!(empty.is_empty(), "{empty:?}");
}

/// Objects that have one version go another way than those that have two.
#[test]
fn sums_are_the_same_whether_all_labels_are_looked_at() {
    let changed = inventory();
    let states = StateHistory::default();
    states.observe(&changed, &[], NOW - 60_000);
    {
        let mut held = changed.write().unwrap();
        let pods: Vec<Pod> = held.pods().map(|pod| Pod::clone(pod)).collect();
        for pod in pods {
            held.put_pod(Arc::new(Pod { ready: Ready::No, host_network: true, ..pod }));
        }
    }
    states.observe(&changed, &[], NOW);
    let changed = Views::new(Arc::new(Nothing(vec![NOW])), Arc::new(states));
    for views in [views(), changed] {
        for name in views.metrics().into_iter().map(|metric| metric.name) {
            for grouped in ["sum", "count by (namespace, pod)", "max by (job, resource, __name__)"]
            {
                // Where two vectors meet, all their labels are looked at.
                let whole = asked(&views, &format!("{grouped} ({name} or {name})"));
                assert_eq!(
                    asked(&views, &format!("{grouped} ({name})")),
                    whole,
                    "{grouped} {name}"
                );
            }
        }
    }
}

fn checked(views: &Views, text: &str, expected: &[&str]) {
    let expected: BTreeSet<String> = expected.iter().map(|one| (*one).to_owned()).collect();
    assert_eq!(asked(views, text), expected, "{text}");
}

#[test]
fn labels_are_those_of_kube_state_metrics() {
    let views = views();
    let check = |text: &str, expected: &[&str]| checked(&views, text, expected);
    check(
        "sum by (namespace, persistentvolumeclaim, phase) (kube_persistentvolumeclaim_status_phase == 1)",
        &[r#"{namespace="shop", persistentvolumeclaim="disk", phase="Bound"} 1"#],
    );
    check(
        "sum by (storageclass, volumename) (kube_persistentvolumeclaim_info)",
        &[r#"{storageclass="fast", volumename="pv-1"} 1"#],
    );
    check("sum by (job_name) (kube_job_failed{condition=\"true\"})", &[r#"{job_name="broken"} 1"#]);
    check("sum(kube_job_complete{condition=\"true\"})", &["{} 1"]);
    check(
        "kube_deployment_metadata_generation - kube_deployment_status_observed_generation",
        &[r#"{deployment="web-1", job="kube-state-metrics", namespace="shop"} 1"#],
    );
    check("sum by (cronjob) (kube_cronjob_status_active)", &[r#"{cronjob="web-1"} 1"#]);
    check("sum by (pod) (kube_pod_completion_time)", &[r#"{pod="ended"} 1799999000"#]);
    check(
        "sum by (type, address) (kube_node_status_addresses)",
        &[r#"{address="10.0.0.1", type="InternalIP"} 1"#],
    );
}

#[test]
fn volumes_autoscalers_and_quotas_are_labelled_likewise() {
    let views = views();
    let check = |text: &str, expected: &[&str]| checked(&views, text, expected);
    check(
        "sum without () (kube_persistentvolume_info)",
        &[concat!(
            r#"{csi_driver="csi.example.com", csi_volume_handle="vol-1", job="kube-state-metrics", "#,
            r#"persistentvolume="pv-1", reclaim_policy="Delete", storageclass="fast"} 1"#
        )],
    );
    check(
        "kube_persistentvolume_capacity_bytes * on (persistentvolume) group_left(claim_namespace, name) kube_persistentvolume_claim_ref",
        &[
            r#"{claim_namespace="shop", job="kube-state-metrics", name="disk", persistentvolume="pv-1"} 1073741824"#,
        ],
    );
    check(
        "sum by (phase) (kube_persistentvolume_status_phase)",
        &[
            r#"{phase="Available"} 0"#,
            r#"{phase="Bound"} 1"#,
            r#"{phase="Failed"} 0"#,
            r#"{phase="Pending"} 0"#,
            r#"{phase="Released"} 0"#,
        ],
    );
    check(
        "sum without (job) (kube_resourcequota{resourcequota=\"compute\"})",
        &[
            r#"{namespace="shop", resource="pods", resourcequota="compute", type="hard"} 50"#,
            r#"{namespace="shop", resource="pods", resourcequota="compute", type="used"} 3"#,
            r#"{namespace="shop", resource="requests.cpu", resourcequota="compute", type="hard"} 4"#,
            r#"{namespace="shop", resource="requests.cpu", resourcequota="compute", type="used"} 0.75"#,
        ],
    );
    check("kube_resourcequota{resourcequota=\"other\"}", &[]);
    check(
        "sum without (job) (kube_horizontalpodautoscaler_info)",
        &[concat!(
            r#"{horizontalpodautoscaler="web", namespace="shop", scaletargetref_api_version="apps/v1", "#,
            r#"scaletargetref_kind="Deployment", scaletargetref_name="web-1"} 1"#
        )],
    );
    check(
        "sum by (condition, status) (kube_horizontalpodautoscaler_status_condition == 1)",
        &[
            r#"{condition="AbleToScale", status="true"} 1"#,
            r#"{condition="ScalingActive", status="unknown"} 1"#,
            r#"{condition="ScalingLimited", status="false"} 1"#,
        ],
    );
    check(
        "sum by (__name__) ({__name__=~\"kube_horizontalpodautoscaler_s.+_replicas\"})",
        &[
            "kube_horizontalpodautoscaler_spec_max_replicas 9",
            "kube_horizontalpodautoscaler_spec_min_replicas 2",
            "kube_horizontalpodautoscaler_status_current_replicas 3",
            "kube_horizontalpodautoscaler_status_desired_replicas 4",
        ],
    );
}
