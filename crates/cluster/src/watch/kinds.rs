//! The watched kinds: what each becomes in the inventory.

use std::sync::Arc;

use model::{Counts, Held, Inventory, Namespace, Node, Owner, Pod, Workload};

use super::{Kind, Seen, Watched};
use crate::inventory;
use crate::wire::object;

/// Every watched kind; the first three are what the source and the processors cannot do without.
pub(super) const ALL: [&Kind; 13] = [
    Kind::of::<object::Node>(),
    Kind::of::<object::Namespace>(),
    Kind::of::<object::Pod>(),
    Kind::of::<object::ReplicaSet>(),
    Kind::of::<object::Deployment>(),
    Kind::of::<object::StatefulSet>(),
    Kind::of::<object::DaemonSet>(),
    Kind::of::<object::Job>(),
    Kind::of::<object::CronJob>(),
    Kind::of::<object::PersistentVolumeClaim>(),
    Kind::of::<object::PersistentVolume>(),
    Kind::of::<object::ResourceQuota>(),
    Kind::of::<object::HorizontalPodAutoscaler>(),
];

impl Watched for object::Node {
    type Record = Node;
    const PLURAL: &'static str = "nodes";

    fn record(self, host_id_annotation: &str) -> Node {
        inventory::node(self, host_id_annotation)
    }

    fn put(record: Node, inventory: &mut Inventory) {
        if inventory.node(&record.name).is_none_or(|known| **known != record) {
            inventory.put_node(Arc::new(record));
        }
    }

    fn remove(_: &str, name: &str, inventory: &mut Inventory) {
        inventory.remove_node(name);
    }

    fn is_held(_: &str, name: &str, inventory: &Inventory) -> bool {
        inventory.node(name).is_some()
    }

    fn retain(seen: &Seen, inventory: &mut Inventory) {
        inventory.retain_nodes(|node| seen.contains("", &node.name));
    }
}

impl Watched for object::Namespace {
    type Record = Namespace;
    const PLURAL: &'static str = "namespaces";

    fn record(self, _: &str) -> Namespace {
        inventory::namespace(self)
    }

    fn put(record: Namespace, inventory: &mut Inventory) {
        if inventory.namespace(&record.name).is_none_or(|known| **known != record) {
            inventory.put_namespace(Arc::new(record));
        }
    }

    fn remove(_: &str, name: &str, inventory: &mut Inventory) {
        inventory.remove_namespace(name);
    }

    fn is_held(_: &str, name: &str, inventory: &Inventory) -> bool {
        inventory.namespace(name).is_some()
    }

    fn retain(seen: &Seen, inventory: &mut Inventory) {
        inventory.retain_namespaces(|namespace| seen.contains("", &namespace.name));
    }
}

impl Watched for object::Pod {
    type Record = Pod;
    const PLURAL: &'static str = "pods";

    fn record(self, _: &str) -> Pod {
        inventory::pod(self)
    }

    fn put(record: Pod, inventory: &mut Inventory) {
        let known = inventory.pod(&record.namespace, &record.name);
        if known.is_none_or(|known| **known != record) {
            inventory.put_pod(Arc::new(record));
        }
    }

    fn remove(namespace: &str, name: &str, inventory: &mut Inventory) {
        inventory.remove_pod(namespace, name);
    }

    fn is_held(namespace: &str, name: &str, inventory: &Inventory) -> bool {
        inventory.pod(namespace, name).is_some()
    }

    fn retain(seen: &Seen, inventory: &mut Inventory) {
        inventory.retain_pods(|pod| seen.contains(&pod.namespace, &pod.name));
    }
}

/// A kind that is held on a shelf: its object, its record and how one becomes the other.
macro_rules! shelved {
    ($object:ident $record:ident $plural:literal $made:path) => {
        impl Watched for object::$object {
            type Record = model::$record;
            const PLURAL: &'static str = $plural;

            fn record(self, _: &str) -> model::$record {
                $made(self)
            }

            fn put(record: model::$record, inventory: &mut Inventory) {
                inventory.put(record);
            }

            fn remove(namespace: &str, name: &str, inventory: &mut Inventory) {
                model::$record::shelf_mut(inventory).remove(namespace, name);
            }

            fn is_held(namespace: &str, name: &str, inventory: &Inventory) -> bool {
                model::$record::shelf(inventory).get(namespace, name).is_some()
            }

            fn retain(seen: &Seen, inventory: &mut Inventory) {
                let shelf = model::$record::shelf_mut(inventory);
                shelf.retain(|one| seen.contains(one.namespace(), one.name()));
            }
        }
    };
}

shelved!(PersistentVolumeClaim Claim "persistentvolumeclaims" inventory::claim);
shelved!(PersistentVolume PersistentVolume "persistentvolumes" inventory::persistent_volume);
shelved!(ResourceQuota Quota "resourcequotas" inventory::quota);
shelved!(HorizontalPodAutoscaler Autoscaler "horizontalpodautoscalers" inventory::autoscaler);
shelved!(ServiceMonitor ServiceMonitor "servicemonitors" inventory::service_monitor);
shelved!(PodMonitor PodMonitor "podmonitors" inventory::pod_monitor);
shelved!(Service Service "services" inventory::service);
shelved!(EndpointSlice EndpointSlice "endpointslices" inventory::endpoint_slice);

/// A workload kind: its object, the name of its kind, and where its numbers stand.
macro_rules! workload {
    ($object:ident $kind:literal $plural:literal $desired:expr, $ready:expr, $counts:expr) => {
        impl Watched for object::$object {
            type Record = Workload;
            const PLURAL: &'static str = $plural;

            fn record(self, _: &str) -> Workload {
                let desired: fn(&Self) -> Option<i64> = $desired;
                let ready: fn(&Self) -> Option<i64> = $ready;
                let counts: fn(&Self) -> Counts = $counts;
                let (desired, ready) = (desired(&self), ready(&self));
                let counts = Counts { generation: self.metadata.generation, ..counts(&self) };
                inventory::workload(&self.metadata, $kind, desired, ready, counts)
            }

            fn put(record: Workload, inventory: &mut Inventory) {
                put_workload(record, inventory);
            }

            fn remove(namespace: &str, name: &str, inventory: &mut Inventory) {
                let owner = Owner { kind: $kind.into(), name: name.into() };
                inventory.remove_workload(namespace, &owner);
            }

            fn is_held(namespace: &str, name: &str, inventory: &Inventory) -> bool {
                let owner = Owner { kind: $kind.into(), name: name.into() };
                inventory.workload(namespace, &owner).is_some()
            }

            fn retain(seen: &Seen, inventory: &mut Inventory) {
                inventory.retain_workloads(|workload| {
                    &*workload.kind != $kind || seen.contains(&workload.namespace, &workload.name)
                });
            }
        }
    };
}

// The API server leaves out numbers that are zero, and defaults replicas to 1.
workload!(ReplicaSet "ReplicaSet" "replicasets"
    |set| Some(set.spec.replicas.unwrap_or(1)), |set| Some(set.status.ready_replicas.unwrap_or(0)),
    |set| replicas(&set.status));
workload!(Deployment "Deployment" "deployments"
    |set| Some(set.spec.replicas.unwrap_or(1)), |set| Some(set.status.ready_replicas.unwrap_or(0)),
    |set| replicas(&set.status));
workload!(StatefulSet "StatefulSet" "statefulsets"
    |set| Some(set.spec.replicas.unwrap_or(1)), |set| Some(set.status.ready_replicas.unwrap_or(0)),
    |set| replicas(&set.status));
workload!(DaemonSet "DaemonSet" "daemonsets"
    |set| Some(set.status.desired_number_scheduled.unwrap_or(0)), |set| Some(set.status.number_ready.unwrap_or(0)),
    |set| daemons(&set.status));
workload!(Job "Job" "jobs" |job| job.spec.parallelism, |job| job.status.ready,
    |job| job_counts(job));
workload!(CronJob "CronJob" "cronjobs" |_| None, |_| None,
    |job| cron_counts(job));

fn replicas(status: &object::ReplicaStatus) -> Counts {
    Counts {
        current: Some(status.replicas.unwrap_or(0)),
        updated: Some(status.updated_replicas.unwrap_or(0)),
        available: Some(status.available_replicas.unwrap_or(0)),
        observed: status.observed_generation,
        ..Counts::default()
    }
}

fn daemons(status: &object::DaemonStatus) -> Counts {
    Counts {
        current: Some(status.current_number_scheduled.unwrap_or(0)),
        updated: Some(status.updated_number_scheduled.unwrap_or(0)),
        available: Some(status.number_available.unwrap_or(0)),
        misscheduled: Some(status.number_misscheduled.unwrap_or(0)),
        observed: status.observed_generation,
        ..Counts::default()
    }
}

fn job_counts(job: &object::Job) -> Counts {
    let conditions = job.status.conditions.iter().flatten();
    let has = |kind: &str| {
        let mut held = conditions.clone().filter(|one| one.kind == kind && one.status == "True");
        held.next().map(|_| true)
    };
    Counts {
        current: Some(job.status.active.unwrap_or(0)),
        completions: job.spec.completions,
        succeeded: Some(job.status.succeeded.unwrap_or(0)),
        failed: Some(job.status.failed.unwrap_or(0)),
        complete: has("Complete").or(has("Failed").map(|_| false)),
        started: job.status.start_time.0,
        ended: job.status.completion_time.0,
        ..Counts::default()
    }
}

fn cron_counts(job: &object::CronJob) -> Counts {
    let active = job.status.active.as_ref().map_or(0, Vec::len);
    Counts {
        active: i64::try_from(active).ok(),
        suspended: Some(job.spec.suspend.unwrap_or(false)),
        scheduled: job.status.last_schedule_time.0,
        ..Counts::default()
    }
}

fn put_workload(record: Workload, inventory: &mut Inventory) {
    let key = Owner { kind: record.kind.clone(), name: record.name.clone() };
    if inventory.workload(&record.namespace, &key).is_none_or(|known| **known != record) {
        inventory.put_workload(Arc::new(record));
    }
}
