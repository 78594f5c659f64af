//! What the pods may do: the rules of the diagnosis, and nothing that gives more away.

use std::collections::BTreeSet;

use manifests::{Options, Variant};
use serde_json::Value;

use crate::support::objects;

/// `kind group/resource verb` of every rule.
fn granted(variant: Variant) -> BTreeSet<String> {
    granted_by(&Options::of(variant))
}

fn granted_by(options: &Options) -> BTreeSet<String> {
    let texts = |value: &Value| -> Vec<String> {
        let items = value.as_array().into_iter().flatten();
        items.map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let mut found = BTreeSet::new();
    for object in objects(options) {
        for rule in object["rules"].as_array().into_iter().flatten() {
            let kind = object["kind"].as_str().unwrap();
            for group in texts(&rule["apiGroups"]) {
                for resource in texts(&rule["resources"]) {
                    for verb in texts(&rule["verbs"]) {
                        found.insert(format!("{kind} {group}/{resource} {verb}"));
                    }
                }
            }
        }
    }
    found
}

#[test]
fn the_role_is_what_the_diagnosis_checks() {
    let options = cluster::SourceOptions::new(cluster::Defaults::taffrail());
    let mut checked = BTreeSet::new();
    for right in cluster::diagnose::rights(&options) {
        for verb in right.verbs {
            checked.insert(format!("ClusterRole {}/{} {verb}", right.group, right.resource));
        }
    }
    assert_eq!(granted(Variant::Plain), checked);
    assert_eq!(granted(Variant::Heapster), checked);
    assert_eq!(granted(Variant::Dashboard), checked);
    let more: Vec<String> = granted(Variant::MetricsServer).difference(&checked).cloned().collect();
    let own = [
        "ClusterRole apiregistration.k8s.io/apiservices get",
        "ClusterRole apiregistration.k8s.io/apiservices patch",
        "ClusterRole metrics.k8s.io/nodes get",
        "ClusterRole metrics.k8s.io/nodes list",
        "ClusterRole metrics.k8s.io/pods get",
        "ClusterRole metrics.k8s.io/pods list",
    ];
    assert_eq!(more, own);
    let more: Vec<String> = granted(Variant::CustomMetrics).difference(&checked).cloned().collect();
    let hpa =
        METRICS.iter().flat_map(|metrics| ["get", "list"].map(|verb| format!("{metrics} {verb}")));
    let mut both: Vec<String> = own.map(str::to_owned).into_iter().chain(hpa).collect();
    both.sort_unstable();
    assert_eq!(more, both);
    let scraping = Options { scrape: true, ..Options::of(Variant::Plain) };
    let more: BTreeSet<String> = granted_by(&scraping).difference(&checked).cloned().collect();
    let scraped = cluster::diagnose::scraping_rights().into_iter().flat_map(|right| {
        let about = format!("ClusterRole {}/{}", right.group, right.resource);
        right.verbs.iter().map(move |verb| format!("{about} {verb}"))
    });
    assert_eq!(more, scraped.collect());
    let more: Vec<String> = granted(Variant::Replicas).difference(&checked).cloned().collect();
    let leases = ["create", "delete", "list", "update"]
        .map(|verb| format!("Role coordination.k8s.io/leases {verb}"));
    assert_eq!(more, leases);
}

/// Groups in which every resource is a metric.
const METRICS: [&str; 2] =
    ["ClusterRole custom.metrics.k8s.io/*", "ClusterRole external.metrics.k8s.io/*"];

#[test]
fn nothing_gives_away_more() {
    for variant in Variant::ALL {
        for right in granted(variant) {
            if METRICS.iter().any(|metrics| right.starts_with(metrics)) {
                assert!(right.ends_with(" get") || right.ends_with(" list"), "{right}");
                continue;
            }
            for banned in ["*", "nodes/proxy", "secrets", "pods/exec", "impersonate", "escalate"] {
                assert!(!right.contains(banned), "{variant:?}: {right}");
            }
        }
        for object in objects(&Options::of(variant)) {
            let pod = &object["spec"]["template"]["spec"];
            let Some(container) = pod["containers"].get(0) else { continue };
            assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
            assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
            assert_eq!(container["securityContext"]["allowPrivilegeEscalation"], false);
            assert_eq!(container["securityContext"]["capabilities"]["drop"][0], "ALL");
        }
    }
}
