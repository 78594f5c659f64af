//! Which paths somebody may ask for who does not see the whole cluster.

use super::Sight;
use crate::request::{decoded, pairs};

/// What is done with a request of somebody who sees a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Admission {
    /// The handler looks at [`Sight`] itself, or there is nothing to hide.
    Pass,
    /// The same with this query, which names what may be seen.
    Query(String),
    /// It shows a namespace that may not be seen.
    Namespace(String),
    /// It shows the whole cluster.
    Beyond,
}

/// Lists that take namespaces as a filter.
const LISTS: [&str; 7] =
    ["pods", "containers", "volumes", "workloads", "namespaces", "sizing", "problems"];
/// Handlers that look at what may be seen themselves, and those that tell nothing of pods.
const OWN: [&str; 8] =
    ["session", "objects", "overview", "search", "events", "query", "status", "stream"];
/// What is about nodes.
const NODES: [&str; 2] = ["nodes", "targets"];

/// A name that no namespace has.
const NONE: &str = "/";

/// Whether somebody with `sight` may ask for `path` with `query`.
pub(super) fn admit(sight: &Sight, path: &str, query: &str) -> Admission {
    if sight.whole() {
        return Admission::Pass;
    }
    let Some(rest) = path.strip_prefix("/api/taffrail/v1/") else { return Admission::Beyond };
    let mut parts = rest.split('/').map(decoded);
    let first = parts.next().unwrap_or_default();
    match (&*first, parts.next()) {
        ("why", None) => why(sight, query),
        // Rules, silences and receivers are the whole cluster's.
        ("alerts", None) => Admission::Pass,
        ("alerts", Some(part)) if part == "history" => Admission::Pass,
        (own, _) if OWN.contains(&own) => Admission::Pass,
        (nodes, _) if NODES.contains(&nodes) && sight.nodes => Admission::Pass,
        (list, None) if LISTS.contains(&list) => Admission::Query(narrowed(sight, query)),
        ("pods" | "workloads" | "namespaces", Some(namespace)) => {
            if sight.namespace(&namespace) {
                Admission::Pass
            } else {
                Admission::Namespace(namespace.into_owned())
            }
        }
        _ => Admission::Beyond,
    }
}

fn why(sight: &Sight, query: &str) -> Admission {
    let of = |name: &str| pairs(query).find(|(key, _)| key == name).map(|(_, value)| value);
    let kind = of("kind").unwrap_or_default();
    let name = if kind == "namespace" { of("name") } else { of("namespace") };
    match (&*kind, name) {
        ("node", _) if sight.nodes => Admission::Pass,
        ("node" | "cluster", _) => Admission::Beyond,
        (_, Some(name)) if !sight.namespace(&name) => Admission::Namespace(name.into_owned()),
        _ => Admission::Pass,
    }
}

/// `query` with those of its namespaces that may be seen; where it names none, all that may be.
fn narrowed(sight: &Sight, query: &str) -> String {
    if sight.all {
        return query.to_owned();
    }
    let mut text = form_urlencoded::Serializer::new(String::new());
    let mut named = false;
    let mut kept = false;
    for (key, value) in pairs(query) {
        if key != "namespace" || value.is_empty() {
            text.append_pair(&key, &value);
            continue;
        }
        named = true;
        if sight.namespace(&value) {
            kept = true;
            text.append_pair(&key, &value);
        }
    }
    if !named {
        for name in &sight.namespaces {
            kept = true;
            text.append_pair("namespace", name);
        }
    }
    if !kept {
        text.append_pair("namespace", NONE);
    }
    text.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_the_cluster_is_shown_and_the_rest_is_not() {
        let shop = Sight { namespaces: ["shop".to_owned()].into(), ..Sight::default() };
        let check = |path: &str, query: &str, expected: Admission| {
            let path = format!("/api/taffrail/v1/{path}");
            assert_eq!(admit(&shop, &path, query), expected, "{path}?{query}");
        };
        let query = |text: &str| Admission::Query(text.to_owned());
        let other = || Admission::Namespace("kube-system".to_owned());
        check("pods", "sort=cpu", query("sort=cpu&namespace=shop"));
        check("pods", "namespace=shop&namespace=kube-system", query("namespace=shop"));
        check("sizing", "namespace=kube-system", query("namespace=%2F"));
        check("pods/shop/a", "", Admission::Pass);
        check("pods/kube-system/a", "", other());
        check("pods/kube%2Dsystem/a", "", other());
        check("namespaces/kube-system", "", other());
        check("workloads/kube-system/Deployment/dns", "", other());
        check("why", "kind=pod&namespace=kube-system&name=a", other());
        check("why", "kind=namespace&name=kube-system", other());
        check("why", "kind=node&name=a", Admission::Beyond);
        check("nodes", "", Admission::Beyond);
        check("sinks", "", Admission::Beyond);
        check("anything/new", "", Admission::Beyond);
        check("query", "", Admission::Pass);
        check("problems", "limit=5", query("limit=5&namespace=shop"));
        check("workloads/shop/Deployment/web/replicas", "", Admission::Pass);
        check("workloads/kube-system/Deployment/dns/replicas", "", other());
        check("events/export", "format=csv", Admission::Pass);
        check("alerts", "", Admission::Pass);
        check("alerts/history", "", Admission::Pass);
        check("alerts/rules", "", Admission::Beyond);
        check("alerts/silences", "", Admission::Beyond);
        check("alerts/receivers", "", Admission::Beyond);
        assert_eq!(admit(&shop, "/api/v1/query", "query=up"), Admission::Beyond);
        assert_eq!(admit(&shop, "/metrics", ""), Admission::Beyond);
        assert_eq!(admit(&Sight::everything(), "/metrics", ""), Admission::Pass);
    }
}
