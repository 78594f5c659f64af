//! The route tables of the model API and the historical API: paths below `/api/v1/model` and
//! `/api/v1/historical`, of any length.
//!
//! Own, because a path with thousands of pod names is longer than an `http::Uri` may be.

use std::borrow::Cow;

use crate::request::decoded;

/// Of what an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    Cluster,
    Node,
    Namespace,
    Pod,
    Container,
    SystemContainer,
}

/// What a path asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    NodeNames,
    NamespaceNames,
    PodNames,
    ContainerNames,
    SystemContainerNames,
    /// Names of the metrics that an entity has.
    MetricNames(Of),
    /// One metric of one entity.
    Values(Of),
    /// One metric of several pods.
    PodListValues,
    AllKeys,
}

/// One path: `{}` takes one segment, `{*}` all that follow.
#[derive(Debug)]
pub(crate) struct Route {
    pattern: &'static str,
    /// Heapster's name of the handler in its self-metrics.
    pub(crate) handler: &'static str,
    pub(crate) ask: Ask,
}

const fn route(pattern: &'static str, handler: &'static str, ask: Ask) -> Route {
    Route { pattern, handler, ask }
}

const ROUTES: &[Route] = &[
    route("metrics", "availableClusterMetrics", Ask::MetricNames(Of::Cluster)),
    route("metrics/{*}", "clusterMetrics", Ask::Values(Of::Cluster)),
    route("nodes", "nodeList", Ask::NodeNames),
    route("nodes/{}/metrics", "availableNodeMetrics", Ask::MetricNames(Of::Node)),
    route("nodes/{}/metrics/{*}", "nodeMetrics", Ask::Values(Of::Node)),
    route("namespaces", "namespaceList", Ask::NamespaceNames),
    route("namespaces/{}/metrics", "availableNamespaceMetrics", Ask::MetricNames(Of::Namespace)),
    route("namespaces/{}/metrics/{*}", "namespaceMetrics", Ask::Values(Of::Namespace)),
    route("namespaces/{}/pods", "namespacePodList", Ask::PodNames),
    route("namespaces/{}/pods/{}/metrics", "availablePodMetrics", Ask::MetricNames(Of::Pod)),
    route("namespaces/{}/pods/{}/metrics/{*}", "podMetrics", Ask::Values(Of::Pod)),
    route("namespaces/{}/pods/{}/containers", "podContainerList", Ask::ContainerNames),
    route(
        "namespaces/{}/pods/{}/containers/{}/metrics",
        "availableContainerMetrics",
        Ask::MetricNames(Of::Container),
    ),
    route(
        "namespaces/{}/pods/{}/containers/{}/metrics/{*}",
        "podContainerMetrics",
        Ask::Values(Of::Container),
    ),
    route("nodes/{}/freecontainers", "systemContainerList", Ask::SystemContainerNames),
    route(
        "nodes/{}/freecontainers/{}/metrics",
        "availableMetrics",
        Ask::MetricNames(Of::SystemContainer),
    ),
    route(
        "nodes/{}/freecontainers/{}/metrics/{*}",
        "freeContainerMetrics",
        Ask::Values(Of::SystemContainer),
    ),
    route("namespaces/{}/pod-list/{}/metrics/{*}", "podListMetric", Ask::PodListValues),
    route("debug/allkeys", "debugAllKeys", Ask::AllKeys),
];

/// The route of `path` (below `/api/v1/model/`, a slash at the end or not) and what its
/// placeholders took, escapes resolved.
pub(crate) fn find(path: &str) -> Option<(&'static Route, Vec<Cow<'_, str>>)> {
    let path = path.strip_suffix('/').unwrap_or(path);
    ROUTES.iter().find_map(|route| Some((route, captures(route.pattern, path)?)))
}

/// What a path of the historical API asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HistoryAsk {
    Nodes,
    Namespaces,
    Pods,
    Containers,
    SystemContainers,
    /// Names of the metrics that an entity had.
    Metrics(Of),
    /// One metric.
    Values(Whose),
    /// Aggregates of one metric; their names come before the metric's.
    Aggregates(Whose),
}

/// Whose past a path asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// One entity's, by name.
    One(Of),
    /// That of pods of a namespace, joined by commas.
    Pods,
    /// That of the pod with this id.
    PodId,
    /// That of pods with these ids, joined by commas.
    PodIds,
    /// That of a container of the pod with this id.
    ContainerOfPodId,
}

const HISTORY: &[(&str, HistoryAsk)] = &[
    ("nodes", HistoryAsk::Nodes),
    ("namespaces", HistoryAsk::Namespaces),
    ("namespaces/{}/pods", HistoryAsk::Pods),
    ("namespaces/{}/pods/{}/containers", HistoryAsk::Containers),
    ("nodes/{}/freecontainers", HistoryAsk::SystemContainers),
];

/// What `…/metrics`, `…/metrics/{*}` and `…/metrics-aggregated/{}/{*}` may be asked of.
const REMEMBERED: &[(&str, Whose)] = &[
    ("", Whose::One(Of::Cluster)),
    ("nodes/{}/", Whose::One(Of::Node)),
    ("namespaces/{}/", Whose::One(Of::Namespace)),
    ("namespaces/{}/pods/{}/", Whose::One(Of::Pod)),
    ("namespaces/{}/pods/{}/containers/{}/", Whose::One(Of::Container)),
    ("nodes/{}/freecontainers/{}/", Whose::One(Of::SystemContainer)),
    ("namespaces/{}/pod-list/{}/", Whose::Pods),
    ("pod-id/{}/", Whose::PodId),
    ("pod-id/{}/containers/{}/", Whose::ContainerOfPodId),
    ("pod-id-list/{}/", Whose::PodIds),
];

/// What `path` (below `/api/v1/historical/`, a slash at the end or not) asks for, and what its
/// placeholders took, escapes resolved.
pub(crate) fn find_history(path: &str) -> Option<(HistoryAsk, Vec<Cow<'_, str>>)> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let listed = HISTORY.iter().find_map(|(pattern, ask)| Some((*ask, captures(pattern, path)?)));
    listed.or_else(|| {
        REMEMBERED.iter().find_map(|(prefix, whose)| {
            let under = |rest: &str| captures(&format!("{prefix}{rest}"), path);
            if let Whose::One(of) = whose
                && let Some(taken) = under("metrics")
            {
                return Some((HistoryAsk::Metrics(*of), taken));
            }
            let values = under("metrics/{*}").map(|taken| (HistoryAsk::Values(*whose), taken));
            values.or_else(|| {
                let taken = under("metrics-aggregated/{}/{*}")?;
                Some((HistoryAsk::Aggregates(*whose), taken))
            })
        })
    })
}

fn captures<'a>(pattern: &str, path: &'a str) -> Option<Vec<Cow<'a, str>>> {
    let mut taken = Vec::new();
    let mut rest = Some(path);
    for part in pattern.split('/') {
        let left = rest?;
        let (segment, after) = match left.split_once('/') {
            Some((segment, after)) => (segment, Some(after)),
            None => (left, None),
        };
        match part {
            "{*}" if !left.is_empty() => {
                taken.push(decoded(left));
                return Some(taken);
            }
            "{}" if !segment.is_empty() => taken.push(decoded(segment)),
            literal if literal == segment => {}
            _ => return None,
        }
        rest = after;
    }
    rest.is_none().then_some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: Option<(&str, &[&str])>) {
        let found = find(path);
        let found = found.as_ref().map(|(route, taken)| {
            (route.handler, taken.iter().map(AsRef::as_ref).collect::<Vec<&str>>())
        });
        assert_eq!(found, expected.map(|(handler, taken)| (handler, taken.to_vec())), "{path}");
    }

    #[test]
    fn paths_into_the_past_find_theirs() {
        let check = |path: &str, ask, expected: &[&str]| {
            let (found, taken) = find_history(path).unwrap_or_else(|| panic!("{path}"));
            let taken: Vec<&str> = taken.iter().map(AsRef::as_ref).collect();
            assert_eq!((found, taken), (ask, expected.to_vec()), "{path}");
        };
        check("nodes/", HistoryAsk::Nodes, &[]);
        check("namespaces/ns/pods/", HistoryAsk::Pods, &["ns"]);
        check("metrics/", HistoryAsk::Metrics(Of::Cluster), &[]);
        check("metrics/a/b", HistoryAsk::Values(Whose::One(Of::Cluster)), &["a/b"]);
        check(
            "nodes/n1/metrics-aggregated/max,count/cpu/usage_rate",
            HistoryAsk::Aggregates(Whose::One(Of::Node)),
            &["n1", "max,count", "cpu/usage_rate"],
        );
        check("pod-id/u/metrics/m", HistoryAsk::Values(Whose::PodId), &["u", "m"]);
        check(
            "pod-id/u/containers/c/metrics-aggregated/max/m/n",
            HistoryAsk::Aggregates(Whose::ContainerOfPodId),
            &["u", "c", "max", "m/n"],
        );
        check("pod-id-list/u,v/metrics/m", HistoryAsk::Values(Whose::PodIds), &["u,v", "m"]);
        check(
            "namespaces/ns/pod-list/a,b/metrics-aggregated/min/m",
            HistoryAsk::Aggregates(Whose::Pods),
            &["ns", "a,b", "min", "m"],
        );
        for unknown in ["debug/allkeys", "pod-id/u/metrics", "metrics-aggregated/max", "x"] {
            assert_eq!(find_history(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn paths_find_their_routes() {
        check("metrics", Some(("availableClusterMetrics", &[])));
        check("metrics/", Some(("availableClusterMetrics", &[])));
        check("metrics/cpu/usage_rate", Some(("clusterMetrics", &["cpu/usage_rate"])));
        check("nodes/n%201/metrics/cpu/usage/", Some(("nodeMetrics", &["n 1", "cpu/usage"])));
        check(
            "namespaces/ns/pod-list/a,b/metrics/memory/usage",
            Some(("podListMetric", &["ns", "a,b", "memory/usage"])),
        );
        check(
            "nodes/n/freecontainers/system.slice%2Fx/metrics/uptime",
            Some(("freeContainerMetrics", &["n", "system.slice/x", "uptime"])),
        );
        for unknown in
            ["", "nodes/n", "nodes//metrics", "stats", "namespaces/ns/pods/p", "metricsx"]
        {
            check(unknown, None);
        }
    }
}
