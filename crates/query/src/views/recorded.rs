//! Recording rules of the kubernetes-mixin, computed when somebody asks for them.
//!
//! Source of the names and of what they mean: github.com/kubernetes-monitoring/kubernetes-mixin,
//! `rules/`. Names that are one metric of one entity are in [`super::table`] and [`super::kube`].

/// A name and the expression that it stands for; an expression uses none below it.
pub(super) const RULES: &[(&str, &str)] = &[
    (
        "namespace_memory:kube_pod_container_resource_requests:sum",
        "sum by (namespace) (cluster:namespace:pod_memory:active:kube_pod_container_resource_requests)",
    ),
    (
        "namespace_cpu:kube_pod_container_resource_requests:sum",
        "sum by (namespace) (cluster:namespace:pod_cpu:active:kube_pod_container_resource_requests)",
    ),
    (
        "namespace_memory:kube_pod_container_resource_limits:sum",
        "sum by (namespace) (cluster:namespace:pod_memory:active:kube_pod_container_resource_limits)",
    ),
    (
        "namespace_cpu:kube_pod_container_resource_limits:sum",
        "sum by (namespace) (cluster:namespace:pod_cpu:active:kube_pod_container_resource_limits)",
    ),
    ("node:node_num_cpu:sum", "sum by (node) (kube_node_status_capacity{resource=\"cpu\"})"),
    (
        "instance:node_num_cpu:sum",
        "sum by (instance) (label_replace(kube_node_status_capacity{resource=\"cpu\"}, \"instance\", \"$1\", \"node\", \"(.+)\"))",
    ),
    (":node_memory_MemAvailable_bytes:sum", "sum(node_memory_MemAvailable_bytes)"),
    (
        "cluster:node_cpu:ratio_rate5m",
        "sum(rate(node_cpu_usage_seconds_total[5m])) / sum(kube_node_status_capacity{resource=\"cpu\"})",
    ),
    (
        "instance:node_cpu_utilisation:rate5m",
        "label_replace(sum by (node) (rate(node_cpu_usage_seconds_total[5m])) / sum by (node) (kube_node_status_capacity{resource=\"cpu\"}), \"instance\", \"$1\", \"node\", \"(.+)\")",
    ),
    (
        "instance:node_memory_utilisation:ratio",
        "1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes",
    ),
];
