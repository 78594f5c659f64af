//! Kubernetes objects as the API server sends them, in the few fields that the inventory keeps.
//! They live only between the wire and [`crate::inventory`].
//!
//! Implements [`kube::Resource`] for each, so that kube's watcher can list and watch them. Of
//! `metadata`, managed fields, finalizers and (except for nodes) annotations are skipped unread.

use std::borrow::Cow;
use std::collections::BTreeMap;

use k8s_openapi::{ClusterResourceScope, NamespaceResourceScope};
use kube::api::ObjectMeta;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny};

use super::summary::Time;

/// Narrow object metadata; `A` is what is kept of the annotations.
#[derive(Debug, Clone, Default)]
pub struct Metadata<A = IgnoredAny> {
    /// Name, namespace, uid and resource version: what kube's watcher needs, and we too.
    pub object: ObjectMeta,
    /// Labels, sorted by key.
    pub labels: BTreeMap<String, String>,
    /// Annotations, where they are kept.
    pub annotations: A,
    /// Every owner.
    pub owners: Vec<OwnerReference>,
    /// When it was created.
    pub created: Time,
    /// When its deletion was asked for.
    pub deleted: Time,
    /// How often it was changed.
    pub generation: Option<i64>,
}

impl<A> Metadata<A> {
    /// The object's name.
    pub fn name(&self) -> &str {
        self.object.name.as_deref().unwrap_or_default()
    }

    /// The object's namespace; empty for cluster-wide ones.
    pub fn namespace(&self) -> &str {
        self.object.namespace.as_deref().unwrap_or_default()
    }

    /// The object's uid.
    pub fn uid(&self) -> &str {
        self.object.uid.as_deref().unwrap_or_default()
    }
}

impl<'de, A: Deserialize<'de> + Default> Deserialize<'de> for Metadata<A> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase", bound = "A: Deserialize<'de>")]
        struct Wire<A> {
            name: Option<String>,
            namespace: Option<String>,
            uid: Option<String>,
            resource_version: Option<String>,
            labels: Option<BTreeMap<String, String>>,
            annotations: Option<A>,
            owner_references: Option<Vec<OwnerReference>>,
            #[serde(default)]
            creation_timestamp: Time,
            #[serde(default)]
            deletion_timestamp: Time,
            generation: Option<i64>,
        }
        let wire = Wire::<A>::deserialize(deserializer)?;
        Ok(Self {
            object: ObjectMeta {
                name: wire.name,
                namespace: wire.namespace,
                uid: wire.uid,
                resource_version: wire.resource_version,
                ..ObjectMeta::default()
            },
            labels: wire.labels.unwrap_or_default(),
            annotations: wire.annotations.unwrap_or_default(),
            owners: wire.owner_references.unwrap_or_default(),
            created: wire.creation_timestamp,
            deleted: wire.deletion_timestamp,
            generation: wire.generation,
        })
    }
}

/// An owner.
#[derive(Debug, Clone, Deserialize)]
pub struct OwnerReference {
    /// Kind.
    #[serde(default)]
    pub kind: String,
    /// Name.
    #[serde(default)]
    pub name: String,
    /// Whether it controls the object.
    #[serde(default)]
    pub controller: Option<bool>,
}

/// Amounts by resource name, still as text.
pub type Amounts = BTreeMap<String, Quantity>;

/// A quantity as the object writes it: text, or a bare number.
#[derive(Debug, Clone)]
pub struct Quantity(pub String);

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Wire {
            Text(String),
            Number(serde_json::Number),
        }
        Ok(Self(match Wire::deserialize(deserializer)? {
            Wire::Text(text) => text,
            Wire::Number(number) => number.to_string(),
        }))
    }
}

/// Declares an object and how the API server names its kind.
macro_rules! object {
    ($(#[$doc:meta])* $name:ident<$annotations:ty> { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }
     $kind:literal $group:literal $plural:literal $scope:ty) => {
        object! { $(#[$doc])* $name<$annotations> { $($(#[$field_doc])* $field: $type,)* }
            $kind $group "v1" $plural $scope }
    };
    ($(#[$doc:meta])* $name:ident<$annotations:ty> { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }
     $kind:literal $group:literal $version:literal $plural:literal $scope:ty) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            /// Metadata.
            pub metadata: Metadata<$annotations>,
            $($(#[$field_doc])* #[serde(default)] pub $field: $type,)*
        }

        impl kube::Resource for $name {
            type DynamicType = ();
            type Scope = $scope;
            fn kind(_: &()) -> Cow<'_, str> { $kind.into() }
            fn group(_: &()) -> Cow<'_, str> { $group.into() }
            fn version(_: &()) -> Cow<'_, str> { $version.into() }
            fn plural(_: &()) -> Cow<'_, str> { $plural.into() }
            fn meta(&self) -> &ObjectMeta { &self.metadata.object }
            fn meta_mut(&mut self) -> &mut ObjectMeta { &mut self.metadata.object }
        }
    };
}

object! {
    /// A node.
    Node<BTreeMap<String, String>> {
        /// What it shall be.
        spec: NodeSpec,
        /// What it is.
        status: NodeStatus,
    } "Node" "" "nodes" ClusterResourceScope
}
object! {
    /// A pod.
    Pod<ScrapeAnnotations> {
        /// What it shall be.
        spec: PodSpec,
        /// What it is.
        status: PodStatus,
    } "Pod" "" "pods" NamespaceResourceScope
}
object! {
    /// A namespace.
    Namespace<IgnoredAny> {
        /// What it is.
        status: NamespaceStatus,
    } "Namespace" "" "namespaces" ClusterResourceScope
}
object! {
    /// A replica set.
    ReplicaSet<IgnoredAny> {
        /// Replicas wanted.
        spec: Replicas,
        /// Replicas there are.
        status: ReplicaStatus,
    } "ReplicaSet" "apps" "replicasets" NamespaceResourceScope
}
object! {
    /// A deployment.
    Deployment<IgnoredAny> {
        /// Replicas wanted.
        spec: Replicas,
        /// Replicas there are.
        status: ReplicaStatus,
    } "Deployment" "apps" "deployments" NamespaceResourceScope
}
object! {
    /// A stateful set.
    StatefulSet<IgnoredAny> {
        /// Replicas wanted.
        spec: Replicas,
        /// Replicas there are.
        status: ReplicaStatus,
    } "StatefulSet" "apps" "statefulsets" NamespaceResourceScope
}
object! {
    /// A daemon set.
    DaemonSet<IgnoredAny> {
        /// Pods wanted and there.
        status: DaemonStatus,
    } "DaemonSet" "apps" "daemonsets" NamespaceResourceScope
}
object! {
    /// A job.
    Job<IgnoredAny> {
        /// Completions wanted.
        spec: JobSpec,
        /// Pods there are.
        status: JobStatus,
    } "Job" "batch" "jobs" NamespaceResourceScope
}
object! {
    /// A cron job.
    CronJob<IgnoredAny> {
        /// What it shall do.
        spec: CronSpec,
        /// What it did.
        status: CronStatus,
    } "CronJob" "batch" "cronjobs" NamespaceResourceScope
}
object! {
    /// A persistent volume claim.
    PersistentVolumeClaim<IgnoredAny> {
        /// What it shall be.
        spec: ClaimSpec,
        /// What it is.
        status: ClaimStatus,
    } "PersistentVolumeClaim" "" "persistentvolumeclaims" NamespaceResourceScope
}
object! {
    /// A persistent volume.
    PersistentVolume<IgnoredAny> {
        /// What it shall be.
        spec: VolumeSpec,
        /// What it is.
        status: VolumeStatus,
    } "PersistentVolume" "" "persistentvolumes" ClusterResourceScope
}
object! {
    /// A horizontal pod autoscaler.
    HorizontalPodAutoscaler<IgnoredAny> {
        /// What it shall do.
        spec: AutoscalerSpec,
        /// What it did.
        status: AutoscalerStatus,
    } "HorizontalPodAutoscaler" "autoscaling" "v2" "horizontalpodautoscalers" NamespaceResourceScope
}
object! {
    /// A resource quota.
    ResourceQuota<IgnoredAny> {
        /// What may be used and what is.
        status: QuotaStatus,
    } "ResourceQuota" "" "resourcequotas" NamespaceResourceScope
}

object! {
    /// A monitor of the Prometheus operator that selects services.
    ServiceMonitor<IgnoredAny> {
        /// What it says; read when it is recorded, so that a flaw of one breaks no list.
        spec: serde_json::Value,
    } "ServiceMonitor" "monitoring.coreos.com" "servicemonitors" NamespaceResourceScope
}
object! {
    /// A monitor of the Prometheus operator that selects pods.
    PodMonitor<IgnoredAny> {
        /// As a service monitor's.
        spec: serde_json::Value,
    } "PodMonitor" "monitoring.coreos.com" "podmonitors" NamespaceResourceScope
}
object! {
    /// A service: only its labels are of use.
    Service<IgnoredAny> {} "Service" "" "services" NamespaceResourceScope
}
object! {
    /// A part of a service's endpoints.
    EndpointSlice<IgnoredAny> {
        /// `IPv4`, `IPv6` or `FQDN`.
        address_type: String,
        /// Endpoints; null where there are none.
        endpoints: Option<Vec<SliceEndpoint>>,
        /// Ports; likewise.
        ports: Option<Vec<SlicePort>>,
    } "EndpointSlice" "discovery.k8s.io" "endpointslices" NamespaceResourceScope
}

mod bounds;
mod monitors;
mod parts;
pub use bounds::*;
pub use monitors::*;
pub use parts::*;
