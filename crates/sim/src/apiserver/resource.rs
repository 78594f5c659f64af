//! The resources the API server has: names, kinds and verbs. Data only.

use crate::store::Kind;

/// One resource of one group and version.
#[derive(Debug)]
pub(crate) struct Resource {
    pub group: &'static str,
    pub version: &'static str,
    pub plural: &'static str,
    pub singular: &'static str,
    pub kind: &'static str,
    pub namespaced: bool,
    pub short: &'static [&'static str],
    pub in_all: bool,
    /// Where its objects are; `None` is a resource without objects.
    pub stored: Option<Kind>,
}

impl Resource {
    /// `v1`, `apps/v1`.
    pub(crate) fn api_version(&self) -> String {
        match self.group {
            "" => self.version.to_owned(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// `pods`, `deployments.apps`.
    pub(crate) fn qualified(&self) -> String {
        match self.group {
            "" => self.plural.to_owned(),
            group => format!("{}.{group}", self.plural),
        }
    }

    /// Whether it only answers questions about rights.
    pub(crate) fn is_review(&self) -> bool {
        self.kind.ends_with("Review")
    }

    /// Whether its events are the newer form of the core ones.
    pub(crate) fn is_new_event(&self) -> bool {
        self.stored == Some(Kind::Events) && !self.group.is_empty()
    }

    pub(crate) fn verbs(&self) -> &'static [&'static str] {
        match self {
            _ if self.is_review() => &["create"],
            _ if super::write::keeps(self) => {
                &["create", "delete", "get", "list", "patch", "update", "watch"]
            }
            _ if self.stored.is_some() && self.stored != Some(Kind::Events) => {
                &["create", "delete", "get", "list", "patch", "update", "watch"]
            }
            // Dry runs only.
            _ if super::schema::is_writable(self) => &["create", "get", "list", "watch"],
            _ => &["get", "list", "watch"],
        }
    }
}

const fn resource(
    group: &'static str,
    version: &'static str,
    plural: &'static str,
    singular: &'static str,
    kind: &'static str,
) -> Resource {
    Resource {
        group,
        version,
        plural,
        singular,
        kind,
        namespaced: true,
        short: &[],
        in_all: false,
        stored: None,
    }
}

const fn stored(mut resource: Resource, kind: Kind, short: &'static [&'static str]) -> Resource {
    resource.stored = Some(kind);
    resource.short = short;
    resource
}

const fn cluster_wide(mut resource: Resource) -> Resource {
    resource.namespaced = false;
    resource
}

const fn in_all(mut resource: Resource) -> Resource {
    resource.in_all = true;
    resource
}

/// Everything, grouped as discovery shows it.
pub(crate) const ALL: &[Resource] = &[
    cluster_wide(stored(
        resource("", "v1", "namespaces", "namespace", "Namespace"),
        Kind::Namespaces,
        &["ns"],
    )),
    cluster_wide(stored(resource("", "v1", "nodes", "node", "Node"), Kind::Nodes, &["no"])),
    in_all(stored(resource("", "v1", "pods", "pod", "Pod"), Kind::Pods, &["po"])),
    stored(resource("", "v1", "events", "event", "Event"), Kind::Events, &["ev"]),
    in_all(stored(resource("", "v1", "services", "service", "Service"), Kind::Services, &["svc"])),
    stored(
        resource(
            "",
            "v1",
            "persistentvolumeclaims",
            "persistentvolumeclaim",
            "PersistentVolumeClaim",
        ),
        Kind::Claims,
        &["pvc"],
    ),
    stored(resource("", "v1", "configmaps", "configmap", "ConfigMap"), Kind::ConfigMaps, &["cm"]),
    stored(
        resource("", "v1", "serviceaccounts", "serviceaccount", "ServiceAccount"),
        Kind::ServiceAccounts,
        &["sa"],
    ),
    stored(resource("", "v1", "endpoints", "endpoints", "Endpoints"), Kind::Endpoints, &["ep"]),
    resource("", "v1", "limitranges", "limitrange", "LimitRange"),
    stored(
        resource("", "v1", "resourcequotas", "resourcequota", "ResourceQuota"),
        Kind::Quotas,
        &["quota"],
    ),
    resource("", "v1", "replicationcontrollers", "replicationcontroller", "ReplicationController"),
    cluster_wide(stored(
        resource("", "v1", "persistentvolumes", "persistentvolume", "PersistentVolume"),
        Kind::Volumes,
        &["pv"],
    )),
    in_all(stored(
        resource("apps", "v1", "deployments", "deployment", "Deployment"),
        Kind::Deployments,
        &["deploy"],
    )),
    in_all(stored(
        resource("apps", "v1", "replicasets", "replicaset", "ReplicaSet"),
        Kind::ReplicaSets,
        &["rs"],
    )),
    in_all(stored(
        resource("apps", "v1", "statefulsets", "statefulset", "StatefulSet"),
        Kind::StatefulSets,
        &["sts"],
    )),
    in_all(stored(
        resource("apps", "v1", "daemonsets", "daemonset", "DaemonSet"),
        Kind::DaemonSets,
        &["ds"],
    )),
    stored(
        resource("apps", "v1", "controllerrevisions", "controllerrevision", "ControllerRevision"),
        Kind::ControllerRevisions,
        &[],
    ),
    in_all(stored(resource("batch", "v1", "jobs", "job", "Job"), Kind::Jobs, &[])),
    in_all(stored(
        resource("batch", "v1", "cronjobs", "cronjob", "CronJob"),
        Kind::CronJobs,
        &["cj"],
    )),
    stored(resource("events.k8s.io", "v1", "events", "event", "Event"), Kind::Events, &["ev"]),
    stored(resource("coordination.k8s.io", "v1", "leases", "lease", "Lease"), Kind::Leases, &[]),
    in_all(stored(
        resource(
            "autoscaling",
            "v2",
            "horizontalpodautoscalers",
            "horizontalpodautoscaler",
            "HorizontalPodAutoscaler",
        ),
        Kind::Scalers,
        &["hpa"],
    )),
    stored(
        resource("discovery.k8s.io", "v1", "endpointslices", "endpointslice", "EndpointSlice"),
        Kind::EndpointSlices,
        &[],
    ),
    stored(
        resource(
            "monitoring.coreos.com",
            "v1",
            "servicemonitors",
            "servicemonitor",
            "ServiceMonitor",
        ),
        Kind::ServiceMonitors,
        &["smon"],
    ),
    stored(
        resource("monitoring.coreos.com", "v1", "podmonitors", "podmonitor", "PodMonitor"),
        Kind::PodMonitors,
        &["pmon"],
    ),
    resource("networking.k8s.io", "v1", "networkpolicies", "networkpolicy", "NetworkPolicy"),
    stored(
        resource(
            "policy",
            "v1",
            "poddisruptionbudgets",
            "poddisruptionbudget",
            "PodDisruptionBudget",
        ),
        Kind::Budgets,
        &["pdb"],
    ),
    stored(resource("", "v1", "secrets", "secret", "Secret"), Kind::Secrets, &[]),
    stored(resource("harbour.example.com", "v1", "ships", "ship", "Ship"), Kind::Ships, &["sh"]),
    stored(resource("rbac.authorization.k8s.io", "v1", "roles", "role", "Role"), Kind::Roles, &[]),
    stored(
        resource("rbac.authorization.k8s.io", "v1", "rolebindings", "rolebinding", "RoleBinding"),
        Kind::RoleBindings,
        &[],
    ),
    cluster_wide(stored(
        resource("rbac.authorization.k8s.io", "v1", "clusterroles", "clusterrole", "ClusterRole"),
        Kind::ClusterRoles,
        &[],
    )),
    cluster_wide(stored(
        resource(
            "rbac.authorization.k8s.io",
            "v1",
            "clusterrolebindings",
            "clusterrolebinding",
            "ClusterRoleBinding",
        ),
        Kind::ClusterRoleBindings,
        &[],
    )),
    cluster_wide(stored(
        resource("apiregistration.k8s.io", "v1", "apiservices", "apiservice", "APIService"),
        Kind::ApiServices,
        &[],
    )),
    cluster_wide(resource(
        "authorization.k8s.io",
        "v1",
        "selfsubjectaccessreviews",
        "selfsubjectaccessreview",
        "SelfSubjectAccessReview",
    )),
    cluster_wide(resource(
        "authorization.k8s.io",
        "v1",
        "selfsubjectrulesreviews",
        "selfsubjectrulesreview",
        "SelfSubjectRulesReview",
    )),
    cluster_wide(resource(
        "authorization.k8s.io",
        "v1",
        "subjectaccessreviews",
        "subjectaccessreview",
        "SubjectAccessReview",
    )),
    cluster_wide(resource(
        "authentication.k8s.io",
        "v1",
        "selfsubjectreviews",
        "selfsubjectreview",
        "SelfSubjectReview",
    )),
    cluster_wide(resource(
        "authentication.k8s.io",
        "v1",
        "tokenreviews",
        "tokenreview",
        "TokenReview",
    )),
];

/// The resource with this plural name.
pub(crate) fn find(group: &str, version: &str, plural: &str) -> Option<&'static Resource> {
    ALL.iter().find(|one| one.group == group && one.version == version && one.plural == plural)
}

/// Named groups and their one version, in order of first appearance.
pub(crate) fn groups() -> Vec<(&'static str, &'static str)> {
    let mut groups = Vec::new();
    for one in ALL.iter().filter(|one| !one.group.is_empty()) {
        if !groups.contains(&(one.group, one.version)) {
            groups.push((one.group, one.version));
        }
    }
    groups
}
