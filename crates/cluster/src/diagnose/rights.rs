//! Every right that watching and scraping need, asked for one by one as the API server sees us.

use futures_util::{StreamExt, stream};
use serde::Deserialize;

use super::{Check, Outcome};
use crate::connect::Connection;
use crate::diagnose::server::ask;
use crate::options::{Endpoint, SourceOptions, Via};

/// The name of these checks.
const NAME: &str = "rights";
/// How many questions are asked at once.
const CONCURRENCY: usize = 8;
const WATCH: &[&str] = &["list", "watch"];

/// Verbs on a resource, and what is lost without them.
#[derive(Debug, Clone, Copy)]
struct Right {
    group: &'static str,
    resource: &'static str,
    subresource: &'static str,
    verbs: &'static [&'static str],
    /// Whether measuring goes on without.
    optional: bool,
    lost: &'static str,
}

const fn watch(group: &'static str, resource: &'static str, lost: &'static str) -> Right {
    Right { group, resource, subresource: "", verbs: WATCH, optional: false, lost }
}

/// What measuring goes on without.
const fn optional(group: &'static str, resource: &'static str, lost: &'static str) -> Right {
    Right { optional: true, ..watch(group, resource, lost) }
}

const fn node(
    subresource: &'static str,
    verbs: &'static [&'static str],
    optional: bool,
    lost: &'static str,
) -> Right {
    Right { group: "", resource: "nodes", subresource, verbs, optional, lost }
}

const EVENTS: &str = "no events are read where the other API has none; metrics need none";
const NAMES: &str = "pods are not summed by workload";
const WATCHED: [Right; 15] = [
    watch("", "nodes", "nothing is measured"),
    watch("", "pods", "pods have no labels, requests and owners"),
    watch("", "namespaces", "namespaces have no labels"),
    watch("apps", "replicasets", NAMES),
    watch("apps", "deployments", NAMES),
    watch("apps", "statefulsets", NAMES),
    watch("apps", "daemonsets", NAMES),
    watch("batch", "jobs", NAMES),
    watch("batch", "cronjobs", NAMES),
    optional("", "persistentvolumeclaims", "volumes have no claims with their sizes"),
    optional("", "persistentvolumes", "kube_persistentvolume_* have no series"),
    optional("", "resourcequotas", "kube_resourcequota has no series"),
    optional(
        "autoscaling",
        "horizontalpodautoscalers",
        "replicas are drawn without the bounds of their autoscalers",
    ),
    // Either group gives the same events; the newer one is asked first.
    optional("events.k8s.io", "events", EVENTS),
    optional("", "events", EVENTS),
];

/// What the options need beyond watches.
fn of_kubelets(options: &SourceOptions) -> Vec<Right> {
    let measured = "kubelets refuse to be measured";
    let resource = matches!(options.endpoint, Endpoint::Resource | Endpoint::Cadvisor);
    let mut rights = Vec::new();
    if options.via != Via::Proxy && options.kubelet_https {
        rights.push(node("stats", &["get"], resource, measured));
        if options.endpoint == Endpoint::Container {
            let lost = "kubelets before 1.18 refuse /stats/container";
            rights.push(node("stats", &["create"], true, lost));
        }
        let lost = "kubelets without /stats/summary cannot be measured";
        rights.push(node("metrics", &["get"], !resource, if resource { measured } else { lost }));
    }
    if options.via == Via::Proxy {
        rights.push(node("proxy", &["get"], false, measured));
    }
    rights
}

/// A right in the words of an RBAC rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needed {
    /// The API group; empty for the core one.
    pub group: &'static str,
    /// The resource, with its subresource (`nodes/stats`).
    pub resource: String,
    /// The verbs.
    pub verbs: &'static [&'static str],
}

/// What a source with these options needs: what the diagnosis asks for, one by one.
pub fn rights(options: &SourceOptions) -> Vec<Needed> {
    WATCHED.into_iter().chain(of_kubelets(options)).map(needed).collect()
}

const SELECTED: &str = "nothing that ServiceMonitors select is scraped";
/// What scraping by monitors needs beyond that.
const SCRAPED: [Right; 4] = [
    watch("monitoring.coreos.com", "servicemonitors", SELECTED),
    watch("monitoring.coreos.com", "podmonitors", "nothing that PodMonitors select is scraped"),
    watch("", "services", SELECTED),
    watch("discovery.k8s.io", "endpointslices", SELECTED),
];

/// What scraping by monitors needs beside [`rights`].
pub fn scraping_rights() -> Vec<Needed> {
    SCRAPED.into_iter().map(needed).collect()
}

fn needed(right: Right) -> Needed {
    Needed { group: right.group, resource: right.about(), verbs: right.verbs }
}

/// The API group of a watched resource; of events the one that is asked first.
pub(crate) fn group_of(resource: &str) -> &'static str {
    let all = WATCHED.iter().chain(&SCRAPED);
    all.into_iter().find(|right| right.resource == resource).map_or("", |right| right.group)
}

/// Asks for every right that scraping by monitors needs.
pub(super) async fn walk_scraping(connection: &Connection) -> Vec<Check> {
    ask_all(connection, SCRAPED.into_iter(), None).await
}

/// Asks for every right; `user` is who we are, where that is known.
pub(super) async fn walk(connection: &Connection, user: Option<&str>) -> Vec<Check> {
    let rights = WATCHED.into_iter().chain(of_kubelets(connection.options()));
    ask_all(connection, rights, user).await
}

async fn ask_all(
    connection: &Connection,
    rights: impl Iterator<Item = Right>,
    user: Option<&str>,
) -> Vec<Check> {
    let checks = rights.map(|right| right.check(connection, user));
    let mut checks: Vec<Check> = stream::iter(checks).buffered(CONCURRENCY).collect().await;
    gather(&mut checks);
    checks
}

/// Puts every missing rule into the first refusal's change: one role carries them all.
fn gather(checks: &mut [Check]) {
    let refused = |check: &&mut Check| check.outcome == Outcome::Fail;
    let mut failed = checks.iter_mut().filter(refused);
    let Some(first) = failed.next() else { return };
    for check in failed {
        if let Some((_, rule)) = check.change.split_once('\n') {
            first.change.push('\n');
            first.change.push_str(rule);
        }
    }
}

impl Right {
    fn about(&self) -> String {
        match self.subresource {
            "" => self.resource.to_owned(),
            part => format!("{}/{part}", self.resource),
        }
    }

    /// The RBAC rule, as an element of a role's `rules`.
    fn rule(&self, user: Option<&str>) -> String {
        format!(
            "add to rules of a ClusterRole that a ClusterRoleBinding gives to {}:\n- apiGroups: \
             [\"{}\"]\n  resources: [\"{}\"]\n  verbs: [{}]",
            user.unwrap_or("our user"),
            self.group,
            self.about(),
            self.verbs.iter().map(|verb| format!("\"{verb}\"")).collect::<Vec<_>>().join(", "),
        )
    }

    async fn check(self, connection: &Connection, user: Option<&str>) -> Check {
        let mut refused = Vec::new();
        for verb in self.verbs {
            match self.may(connection, verb).await {
                Ok(Verdict { allowed: true, .. }) => {}
                Ok(Verdict { reason, .. }) => refused.push((*verb, reason)),
                Err(reason) => {
                    return Check {
                        name: NAME,
                        about: self.about(),
                        outcome: Outcome::Skip,
                        evidence: format!("whether we may {verb} cannot be asked: {reason}"),
                        change: String::new(),
                    };
                }
            }
        }
        let (outcome, evidence, change) = match refused.first() {
            None => (Outcome::Pass, format!("may {}", self.verbs.join(", ")), String::new()),
            Some((_, reason)) => {
                let verbs: Vec<&str> = refused.iter().map(|(verb, _)| *verb).collect();
                let reason = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
                let evidence = format!("may not {}{reason}: {}", verbs.join(", "), self.lost);
                let outcome = if self.optional { Outcome::Warn } else { Outcome::Fail };
                (outcome, evidence, self.rule(user))
            }
        };
        Check { name: NAME, about: self.about(), outcome, evidence, change }
    }

    /// A `SelfSubjectAccessReview`.
    async fn may(&self, connection: &Connection, verb: &str) -> Result<Verdict, String> {
        #[derive(Deserialize)]
        struct Review {
            status: Verdict,
        }
        let body = serde_json::json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": { "resourceAttributes": {
                "group": self.group,
                "resource": self.resource,
                "subresource": self.subresource,
                "verb": verb,
            }},
        });
        let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        let body = body.to_string();
        let answer = connection.within(ask(connection, path, Some(&body)), Some("nodes")).await;
        let answer = answer.map_err(|error| error.trouble().reason.clone())?;
        if !answer.status.is_success() {
            return Err(format!("{} {}", answer.status, answer.text()).trim_end().to_owned());
        }
        let review: Review =
            serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
        Ok(review.status)
    }
}

/// Whether our own rights allow the API server's node proxy; the error says why that cannot be
/// asked.
pub(crate) async fn may_proxy(connection: &Connection) -> Result<bool, String> {
    let right = node("proxy", &["get"], true, "");
    right.may(connection, "get").await.map(|verdict| verdict.allowed)
}

#[derive(Deserialize)]
struct Verdict {
    allowed: bool,
    #[serde(default)]
    reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_those_of_the_rights() {
        for (resource, group) in [
            ("pods", ""),
            ("cronjobs", "batch"),
            ("events", "events.k8s.io"),
            ("horizontalpodautoscalers", "autoscaling"),
            ("servicemonitors", "monitoring.coreos.com"),
        ] {
            assert_eq!(group_of(resource), group, "{resource}");
        }
    }
}
