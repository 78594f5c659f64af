//! What is tried to find out why nothing, or not everything, is measured: a cluster's hops by the
//! `cluster` crate, this machine's files here; the same for `taffrail doctor` and a running server.

mod outlets;

pub(crate) use outlets::{of_disk, of_sinks};

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use api::Check;
use cluster::diagnose::{self, Nodes};
use cluster::{Connection, WatchBoard};
use host::HostSource;
use metrics_exporter_prometheus::PrometheusHandle;
use model::{Draft, EntityKind, Registry, SharedInventory, TargetState, metric};
use pipeline::{Clock, Source as _, Window};
use tokio::time::Instant;

use crate::input::Input;

/// How long reading this machine may take.
const HOST_TIMEOUT: Duration = Duration::from_secs(10);

/// Tries what `input` measures.
pub(crate) async fn of_input(input: &Input, nodes: &Nodes, clock: Clock) -> Vec<Check> {
    match input {
        Input::Cluster(connection) => of_cluster(connection, nodes, clock).await,
        Input::Host => of_host(clock).await,
    }
}

/// Tries every hop to a cluster and its kubelets.
pub(crate) async fn of_cluster(connection: &Connection, nodes: &Nodes, clock: Clock) -> Vec<Check> {
    diagnose::diagnose(connection, nodes, clock).await.into_iter().map(shown).collect()
}

/// Asks for the rights that scraping by monitors needs.
pub(crate) async fn of_scraping(connection: &Connection) -> Vec<Check> {
    diagnose::scraping(connection).await.into_iter().map(shown).collect()
}

/// As the API and the command line show a check.
pub(crate) fn shown(check: diagnose::Check) -> Check {
    Check {
        name: check.name,
        about: check.about,
        outcome: check.outcome.name(),
        evidence: check.evidence,
        change: check.change,
    }
}

/// How the watches of a running server stand.
pub(crate) fn of_watches(board: &WatchBoard) -> Vec<Check> {
    let statuses = board.statuses();
    let objects: usize = statuses.iter().map(|status| status.objects).sum();
    let listed = statuses.iter().filter(|status| status.synced).count();
    let mut checks: Vec<Check> = statuses
        .iter()
        .filter_map(|status| {
            let failure = status.failure.clone()?;
            let evidence = format!("{}: {}", failure.hop.name(), failure.reason);
            Some(check("watch", status.kind, "fail", evidence, &failure.advice))
        })
        .collect();
    if checks.is_empty() {
        let evidence = format!("{listed} of {} kinds listed, {objects} objects", statuses.len());
        let outcome = if listed == statuses.len() { "pass" } else { "warn" };
        let change = if outcome == "pass" { "" } else { "wait: lists of large clusters take time" };
        checks.push(check("watch", "watches", outcome, evidence, change));
    }
    checks
}

/// The sinks of a running server, by what the self-metrics in `exposition` say of them. One of
/// `kinds` that they do not mention is skipped.
pub(crate) fn of_running_sinks(kinds: &[String], exposition: &str) -> Vec<Check> {
    let values = |name: &'static str| {
        exposition.lines().filter_map(move |line| {
            let (labels, value) = line.strip_prefix(name)?.strip_prefix('{')?.rsplit_once("} ")?;
            Some((labels, value.parse::<f64>().ok()?))
        })
    };
    let label = |labels: &str, name: &str| -> String {
        let value = labels.split(&format!("{name}=\"")).nth(1);
        value.and_then(|rest| rest.split('"').next()).unwrap_or_default().to_owned()
    };
    let mut checks = Vec::new();
    for (labels, circuit) in values(sinks::telemetry::CIRCUIT) {
        let about = format!("{} to {}", label(labels, "sink"), label(labels, "to"));
        let waiting = values(sinks::telemetry::WAITING).find(|(other, _)| *other == labels);
        let waiting = waiting.map_or(0.0, |(_, points)| points);
        checks.push(if circuit > 0.0 {
            let evidence = format!("it does not take what it is sent; {waiting} points wait");
            let change = "the log says why: check the sink's address, credentials and health";
            check("sink", &about, "fail", evidence, change)
        } else {
            check("sink", &about, "pass", format!("it works; {waiting} points wait"), "")
        });
    }
    let mentioned: Vec<String> =
        values(sinks::telemetry::CIRCUIT).map(|(labels, _)| label(labels, "sink")).collect();
    for kind in kinds {
        let name = sinks::find(kind).map_or(&**kind, |kind| kind.name);
        if !mentioned.iter().any(|sink| sink == name) {
            let evidence = "nothing is counted of its deliveries (yet)".to_owned();
            checks.push(check("sink", kind, "skip", evidence, ""));
        }
    }
    checks
}

/// Reads this machine once and tells what could be read.
pub(crate) async fn of_host(clock: Clock) -> Vec<Check> {
    let source = HostSource::new(host::Options::default(), clock, SharedInventory::default());
    let end = clock.now();
    let window = Window { start: end, end, deadline: Instant::now() + HOST_TIMEOUT };
    let draft = source.scrape(window, Draft::new(end, Registry::default()));
    let Ok(draft) = tokio::time::timeout(HOST_TIMEOUT, draft).await else {
        let evidence = format!("reading took longer than {HOST_TIMEOUT:?}");
        let change = "look for a filesystem that hangs (a dead NFS mount): `stat -f` on each";
        return vec![check("proc", "this machine", "fail", evidence, change)];
    };
    let Some(target) = draft.targets().first() else { return Vec::new() };
    let about = target.node.to_string();
    match &target.state {
        TargetState::Up => {}
        TargetState::Failed { reason, advice, .. } => {
            return vec![check("proc", &about, "fail", reason.clone(), advice)];
        }
        TargetState::Skipped { reason } => {
            return vec![check("proc", &about, "skip", reason.clone(), "")];
        }
    }
    let took = target.took.as_millis();
    let read = format!("{} read in {took} ms: CPU and memory", target.url);
    let mut checks = vec![check("proc", &about, "pass", read, "")];
    let count = |kind| draft.table(kind).len();
    let mount = "mount the machine's /proc and /sys where taffrail runs";
    let network = draft.table(EntityKind::Node).column(metric::NETWORK_RX);
    let network = usize::from(network.is_some_and(|column| column.get(0).is_some()));
    for (name, found, what) in [
        ("cgroups", count(EntityKind::SystemContainer), "cgroups (services and containers)"),
        ("network", network, "machine whose network is counted"),
        ("filesystems", count(EntityKind::Filesystem), "filesystems"),
        ("disks", count(EntityKind::Disk), "disks"),
    ] {
        let evidence = format!("{found} {what}");
        checks.push(match found {
            0 => check(name, &about, "warn", evidence, mount),
            _ => check(name, &about, "pass", evidence, ""),
        });
    }
    checks
}

fn check(
    name: &'static str,
    about: &str,
    outcome: &'static str,
    evidence: String,
    change: &str,
) -> Check {
    Check { name, about: about.to_owned(), outcome, evidence, change: change.to_owned() }
}

/// What a running server is diagnosed by.
#[derive(Clone)]
pub(crate) struct Subject {
    /// Its cluster; this machine without.
    pub(crate) connection: Option<Connection>,
    pub(crate) watches: Option<WatchBoard>,
    /// Kinds of its sinks.
    pub(crate) sinks: Arc<[String]>,
    /// Whether monitors are watched for scraping.
    pub(crate) monitors: bool,
    /// Folder of its history.
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) self_metrics: PrometheusHandle,
    pub(crate) clock: Clock,
}

impl Subject {
    /// Tries everything; `failing` nodes first.
    pub(crate) async fn diagnose(self, failing: Vec<String>) -> Vec<Check> {
        let mut checks = match &self.connection {
            Some(connection) => of_cluster(connection, &Nodes::Sample(failing), self.clock).await,
            None => of_host(self.clock).await,
        };
        if let Some(connection) = self.connection.as_ref().filter(|_| self.monitors) {
            checks.extend(of_scraping(connection).await);
        }
        let server_away = |check: &Check| {
            check.outcome == "fail"
                && check.name != "clock"
                && check.about.starts_with("API server")
        };
        match &self.watches {
            // That each watch fails too is no news then.
            Some(_) if checks.iter().any(server_away) => {
                let evidence = "the API server was not reached".to_owned();
                checks.push(check("watch", "watches", "skip", evidence, ""));
            }
            Some(board) => checks.extend(of_watches(board)),
            None => {}
        }
        checks.extend(of_running_sinks(&self.sinks, &self.self_metrics.render()));
        checks.extend(self.data_dir.as_deref().map(of_disk));
        checks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sinks_stand_as_their_self_metrics_say() {
        let exposition = "# TYPE taffrail_sink_circuit gauge\n\
            taffrail_sink_circuit{sink=\"InfluxDB Sink\",to=\"http://db:8086\"} 1\n\
            taffrail_sink_circuit{sink=\"Graphite\",to=\"tcp://g:2003\"} 0\n\
            taffrail_sink_waiting_points{sink=\"InfluxDB Sink\",to=\"http://db:8086\"} 42\n";
        let found: Vec<String> = of_running_sinks(&["nosuch".to_owned()], exposition)
            .into_iter()
            .map(|check| format!("{} {}: {}", check.outcome, check.about, check.evidence))
            .collect();
        let expected = [
            "fail InfluxDB Sink to http://db:8086: it does not take what it is sent; 42 points wait",
            "pass Graphite to tcp://g:2003: it works; 0 points wait",
            "skip nosuch: nothing is counted of its deliveries (yet)",
        ];
        assert_eq!(found, expected);
    }
}
