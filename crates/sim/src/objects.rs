//! API objects as JSON, rendered when asked for from the plan and a time. Knows nothing of
//! requests, watches or selectors.

mod batch;
mod changed;
mod event;
mod node;
mod plain;
mod pod;
pub(crate) mod quota;
pub(crate) mod scaler;
pub(crate) mod slice;
mod spec;
mod workload;
mod written;

use std::borrow::Cow;
use std::sync::Arc;

use model::Timestamp;
use serde_json::{Map, Value, json};

pub(crate) use batch::{Outcome, outcome, schedule};
pub(crate) use changed::{difference, lay};
pub(crate) use event::{Event, Involved, SCHEDULER, render_new as render_new_event};
pub(crate) use plain::{API_SERVICE, cluster_address, volume_name};
pub(crate) use pod::{status_word, unschedulable};
pub(crate) use spec::duration;
pub(crate) use workload::{Counts, counts, versions};
pub(crate) use written::Written;

use crate::plan::{Plan, Sec};

/// What every object is rendered from.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub plan: Plan,
    /// The HTTPS port that nodes announce for their kubelets.
    pub kubelet_port: u16,
}

/// Which object, and what of its state is not a function of time.
#[derive(Debug, Clone)]
pub(crate) enum Object {
    Namespace(u32),
    Node {
        node: u32,
        /// Since when the kubelet has not been heard of.
        lost: Option<Sec>,
        /// When it was last heard of again.
        back: Option<Sec>,
    },
    Pod {
        slot: u32,
        generation: u32,
    },
    Deployment(u32),
    ReplicaSet {
        workload: u32,
        version: u32,
    },
    StatefulSet(u32),
    DaemonSet(u32),
    /// The first one of a stateful set or daemon set.
    Revision(u32),
    Job {
        workload: u32,
        run: u32,
    },
    CronJob(u32),
    Service(u32),
    /// The endpoint slice of a workload's service.
    Slice(u32),
    Claim(u32),
    /// The volume of a slot's claim.
    Volume(u32),
    /// The autoscaler of a workload.
    Scaler(u32),
    /// The quota of a namespace.
    Quota(u32),
    Lease(u32),
    Event(Arc<Event>),
    /// A client's own.
    Written(Arc<Written>),
    /// One of the others with what clients changed of it.
    Changed {
        base: Box<Object>,
        /// A merge patch.
        patch: Arc<Value>,
    },
}

/// An object as it was at one resource version.
#[derive(Debug, Clone)]
#[expect(clippy::struct_field_names, reason = "it is the API's word for it")]
pub(crate) struct Version {
    pub resource_version: u64,
    /// The time to render it at.
    pub at: Sec,
    pub object: Object,
}

/// `metadata` of an object.
#[derive(Debug, Default)]
pub(crate) struct Metadata {
    pub name: String,
    pub generate_name: Option<String>,
    pub namespace: Option<Arc<str>>,
    pub uid: String,
    pub created: Sec,
    /// When its deletion was asked for.
    pub deleted: Option<Sec>,
    pub generation: Option<u32>,
    pub labels: Vec<(&'static str, Cow<'static, str>)>,
    pub annotations: Vec<(&'static str, String)>,
    pub owner: Option<Owner>,
}

/// The controller of an object.
#[derive(Debug)]
pub(crate) struct Owner {
    pub api_version: &'static str,
    pub kind: &'static str,
    pub name: String,
    pub uid: String,
}

/// RFC 3339 with whole seconds.
pub(crate) fn time(t: Sec) -> String {
    Timestamp::from_secs(t).to_rfc3339_seconds()
}

impl Version {
    /// The same moment of `object`.
    pub(crate) fn of(&self, object: &Object) -> Self {
        Self { object: object.clone(), ..*self }
    }
}

/// `metadata` of a version, without its resource version.
pub(crate) fn metadata(cluster: &Cluster, version: &Version) -> Metadata {
    let (plan, at) = (&cluster.plan, version.at);
    match &version.object {
        Object::Namespace(index) => plain::namespace_metadata(plan, *index),
        Object::Node { node, .. } => node::metadata(plan, *node),
        Object::Pod { slot, generation } => pod::metadata(plan, *slot, *generation, at),
        Object::Deployment(index)
        | Object::StatefulSet(index)
        | Object::DaemonSet(index)
        | Object::CronJob(index) => workload::metadata(plan, *index, at),
        Object::ReplicaSet { workload, version } => {
            workload::replica_set_metadata(plan, *workload, *version)
        }
        Object::Revision(index) => workload::revision_metadata(plan, *index),
        Object::Job { workload, run } => batch::job_metadata(plan, *workload, *run),
        Object::Service(index) => plain::service_metadata(plan, *index),
        Object::Slice(index) => slice::metadata(plan, *index),
        Object::Claim(slot) => plain::claim_metadata(plan, *slot),
        Object::Volume(slot) => plain::volume_metadata(plan, *slot),
        Object::Scaler(index) => scaler::metadata(plan, *index),
        Object::Quota(namespace) => quota::metadata(plan, *namespace),
        Object::Lease(node) => plain::lease_metadata(plan, *node),
        Object::Event(event) => event::metadata(plan, event),
        Object::Written(written) => written.metadata(plan),
        Object::Changed { base, .. } => metadata(cluster, &version.of(base)),
    }
}

/// `metadata` as JSON.
pub(crate) fn metadata_json(metadata: &Metadata, resource_version: u64) -> Value {
    let mut json = Map::new();
    let mut put = |key: &str, value: Value| {
        json.insert(key.to_owned(), value);
    };
    put("name", metadata.name.clone().into());
    if let Some(prefix) = &metadata.generate_name {
        put("generateName", prefix.clone().into());
    }
    if let Some(namespace) = &metadata.namespace {
        put("namespace", (**namespace).into());
    }
    put("uid", metadata.uid.clone().into());
    put("resourceVersion", resource_version.to_string().into());
    if let Some(generation) = metadata.generation {
        put("generation", generation.into());
    }
    put("creationTimestamp", time(metadata.created).into());
    if let Some(deleted) = metadata.deleted {
        put("deletionTimestamp", time(deleted + 2).into());
        put("deletionGracePeriodSeconds", 2.into());
    }
    if !metadata.labels.is_empty() {
        put("labels", labels_json(&metadata.labels));
    }
    if !metadata.annotations.is_empty() {
        let pairs = metadata.annotations.iter();
        put("annotations", object(&mut pairs.map(|(k, v)| ((*k).to_owned(), v.as_str().into()))));
    }
    if let Some(owner) = &metadata.owner {
        let owner = json!({
            "apiVersion": owner.api_version, "kind": owner.kind, "name": owner.name,
            "uid": owner.uid, "controller": true, "blockOwnerDeletion": true,
        });
        put("ownerReferences", Value::Array(vec![owner]));
    }
    Value::Object(json)
}

fn labels_json(labels: &[(&'static str, Cow<'static, str>)]) -> Value {
    object(&mut labels.iter().map(|(k, v)| ((*k).to_owned(), Value::from(&**v))))
}

/// Once for all iterators: what collects sorts, which is much code.
pub(crate) fn object(pairs: &mut dyn Iterator<Item = (String, Value)>) -> Value {
    Value::Object(pairs.collect())
}

/// The whole object without `kind` and `apiVersion`. `now` only matters to leases.
pub(crate) fn render(cluster: &Cluster, version: &Version, now: Sec) -> Map<String, Value> {
    let (plan, at) = (&cluster.plan, version.at);
    if let Object::Written(written) = &version.object {
        return written.render(plan, version.resource_version);
    }
    if let Object::Changed { base, patch } = &version.object {
        let mut object = Value::Object(render(cluster, &version.of(base), now));
        lay(&mut object, patch);
        return match object {
            Value::Object(object) => object,
            _ => Map::new(),
        };
    }
    let metadata = metadata(cluster, version);
    let mut json = Map::new();
    json.insert("metadata".to_owned(), metadata_json(&metadata, version.resource_version));
    let rest = match &version.object {
        Object::Namespace(_) => plain::namespace(),
        Object::Node { node, lost, back } => node::body(cluster, *node, *lost, *back, at),
        Object::Pod { slot, generation } => pod::body(plan, *slot, *generation, at),
        Object::Deployment(index) => workload::deployment(plan, *index, at),
        Object::StatefulSet(index) => workload::stateful_set(plan, *index, at),
        Object::DaemonSet(index) => workload::daemon_set(plan, *index),
        Object::Revision(index) => workload::revision(plan, *index),
        Object::CronJob(index) => batch::cron_job(plan, *index, at),
        Object::ReplicaSet { workload, version } => {
            workload::replica_set(plan, *workload, *version, at)
        }
        Object::Job { workload, run } => batch::job(plan, *workload, *run, at),
        Object::Service(index) => plain::service(plan, *index),
        Object::Slice(index) => slice::body(plan, *index, at),
        Object::Claim(slot) => plain::claim(plan, *slot),
        Object::Volume(slot) => plain::volume(plan, *slot),
        Object::Scaler(index) => scaler::body(plan, *index, at),
        Object::Quota(namespace) => quota::body(plan, *namespace, at),
        Object::Lease(node) => plain::lease(plan, *node, now),
        Object::Event(event) => event::body(plan, event),
        Object::Written(written) => written.body.clone(),
        Object::Changed { patch, .. } => Value::clone(patch),
    };
    if let Value::Object(rest) = rest {
        json.extend(rest);
    }
    json
}
