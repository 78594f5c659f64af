//! What the handlers share: the window, the inventory, facts about the process, the clock.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use model::{Batch, Hop, LabelOptions, SharedInventory, TargetState, Timestamp};
use query::promql::{Database, ParsedQueries};
use query::{Archive, ResourceWindows, Window};
use rules::AlertBoard;
use tokio::sync::{Mutex, Semaphore, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::callers::Callers;
use crate::dashboard::Dashboard;
use crate::holdings::{ReplicaFacts, StoreFacts};
use crate::intake::{self, Intake, PushAccess};
use crate::limits::{MAX_LISTS, MAX_QUESTIONS};
use crate::observe::Meters;
use crate::past::Past;
use crate::people::{People, PeopleParts};
use crate::prometheus::pace::Paces;
use crate::scraping::{ScrapeFacts, ScrapeTargets};

/// Shows the time now.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What the process knows of itself and its cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// Taffrail's version.
    pub version: String,
    /// The source's name (`kubernetes.summary_api`).
    pub source: String,
    /// The cluster; `None` until known, and where there is none.
    pub cluster: Option<ClusterFacts>,
    /// When the process started.
    pub started_at: Timestamp,
    /// Time between batches.
    pub resolution: Duration,
    /// What keeps the process from seeing its cluster, beyond single targets: an API server that
    /// does not answer, a kind that may not be watched. Empty while all is well.
    pub problems: Vec<Problem>,
}

/// Something that is wrong now, and what to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What it concerns (`API server`, `watch of pods`).
    pub about: String,
    /// Where on the way it went wrong.
    pub hop: Hop,
    /// What happened, in one line.
    pub reason: String,
    /// What to change, in one line; empty when nothing is known to help.
    pub advice: String,
    /// Since when.
    pub since: Timestamp,
}

/// What is known of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClusterFacts {
    /// Its name, as configured or as the kubeconfig's context has it.
    pub name: String,
    /// The API server.
    pub url: String,
    /// The API server's version; `None` until it answered.
    pub kubernetes_version: Option<String>,
}

/// Answers for the facts of the running process.
pub trait Status: Send + Sync {
    /// The facts as they are now.
    fn facts(&self) -> Facts;

    /// Whether the watches have listed what there is.
    fn synced(&self) -> bool {
        true
    }

    /// Tries every hop between the process and what it measures, in order. `failing` are nodes
    /// that did not answer lately. The API asks again only when the answer before is old, and
    /// never twice at once.
    fn diagnose(&self, failing: Vec<String>) -> Pin<Box<dyn Future<Output = Vec<Check>> + Send>> {
        drop(failing);
        Box::pin(std::future::ready(Vec::new()))
    }

    /// Reads the rule files again; else every mistake, and the rules stay as they were.
    fn reload(&self) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> {
        Box::pin(std::future::ready(Err("there are no rule files here".to_owned())))
    }

    /// How every sink with a queue stands.
    fn sinks(&self) -> Vec<SinkFacts> {
        Vec::new()
    }

    /// History on disk; `None` where none is kept.
    fn store(&self) -> Option<StoreFacts> {
        None
    }

    /// Which way kubelets are asked, and why; `None` where there are none.
    fn kubelets(&self) -> Option<KubeletFacts> {
        None
    }

    /// All replicas, this one among them; empty where there is one process only.
    fn replicas(&self) -> Vec<ReplicaFacts> {
        Vec::new()
    }

    /// How scraping of programs stands; `None` where nothing is scraped.
    fn scraping(&self) -> Option<ScrapeFacts> {
        None
    }

    /// Every target that is scraped besides kubelets.
    fn scrape_targets(&self) -> ScrapeTargets {
        ScrapeTargets::default()
    }
}

/// Which way the kubelets are asked that this process asks.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KubeletFacts {
    /// `direct`, `proxy` (the API server's), `both`, or `none` while none has answered.
    pub way: &'static str,
    /// Why that one, in a sentence.
    pub why: String,
    /// Kubelets that answered at their own addresses in the last tick.
    pub direct: usize,
    /// Those that answered through the API server's node proxy.
    pub proxied: usize,
    /// Those that did not answer.
    pub failed: usize,
}

/// How a sink stands. Numbers are of points since the process started.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SinkFacts {
    /// Heapster's name of it.
    pub name: String,
    /// Its destination, without secrets.
    pub to: String,
    /// Whether what waits survives a restart.
    pub on_disk: bool,
    /// `closed` while the destination works, `open` while it is left alone, `half-open` while it
    /// is tried.
    pub circuit: &'static str,
    /// Why the last attempt failed; `None` once one succeeded.
    pub failure: Option<String>,
    /// Put into the queue.
    pub queued: u64,
    /// Taken by the destination.
    pub sent: u64,
    /// Attempts that failed and are made again.
    pub retried: u64,
    /// What will never arrive, by reason (`full`, `age`, `refused`, `damaged`, `disk`).
    pub dropped: std::collections::BTreeMap<&'static str, u64>,
    /// What waits, that from before the process started included.
    pub waiting_points: u64,
    /// Bytes that wait, on disk or in memory.
    pub waiting_bytes: u64,
}

/// One hop, tried.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Check {
    /// The hop (`connect`, `tls`, `rights`, …).
    pub name: &'static str,
    /// What it was tried on.
    pub about: String,
    /// `pass`, `warn`, `fail` or `skip`.
    pub outcome: &'static str,
    /// What was seen, in one line.
    pub evidence: String,
    /// The change to make, which may have lines; empty where none is needed or known.
    pub change: String,
}

/// The checks of one run, as the API answers and the command line prints them.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Diagnosis {
    /// When the run began, in milliseconds since the epoch.
    pub timestamp: i64,
    /// How long it took.
    pub took_ms: u128,
    /// The worst outcome: `fail`, else `warn`, else `pass`; `skip` when nothing was tried.
    pub outcome: &'static str,
    /// What to do first: the change of the first check that failed; `None` when none did.
    pub first_change: Option<String>,
    /// Every check in its order.
    pub checks: Vec<Check>,
}

impl Diagnosis {
    /// A run of `checks`.
    pub fn new(timestamp: Timestamp, took: Duration, checks: Vec<Check>) -> Self {
        let has = |outcome: &str| checks.iter().any(|check| check.outcome == outcome);
        let worst = ["fail", "warn", "pass"].into_iter().find(|outcome| has(outcome));
        let first = checks.iter().find(|check| check.outcome == "fail");
        Self {
            timestamp: timestamp.millis(),
            took_ms: took.as_millis(),
            outcome: worst.unwrap_or("skip"),
            first_change: first.map(|check| check.change.clone()),
            checks,
        }
    }
}

/// Settings of the HTTP side.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[derive(Debug, Clone, Default)]
pub struct ApiOptions {
    /// `--disable_export`: metric-export answers an empty list.
    pub disable_export: bool,
    /// `--disable_metric_sink`: there is no model API.
    pub disable_metric_sink: bool,
    /// `--api-server`: metrics.k8s.io has the version `v1alpha1` too.
    pub old_resource_version: bool,
    /// Kubernetes Dashboard 1.x gets the working set where it asks for `memory/usage`.
    pub dashboard_working_set: bool,
}

/// What [`ApiState::new`] is made of.
pub struct ApiParts {
    /// Recent batches and history.
    pub window: Arc<Window>,
    /// What the watches know.
    pub inventory: SharedInventory,
    /// Facts about the process.
    pub status: Arc<dyn Status>,
    /// How Kubernetes labels become metric labels.
    pub labels: LabelOptions,
    /// The time.
    pub clock: Clock,
    /// Settings.
    pub options: ApiOptions,
    /// Where `/metrics` comes from: the handle of a [`telemetry::recorder`](crate::telemetry).
    pub self_metrics: PrometheusHandle,
    /// The dashboard's files.
    pub dashboard: Arc<dyn Dashboard>,
    /// What is kept on disk; `None` when nothing is.
    pub archive: Option<Arc<dyn Archive>>,
    /// What the historical API is asked of; `None`: there is no such API.
    pub past: Option<Arc<dyn Past>>,
    /// What metrics.k8s.io is answered from.
    pub resources: Arc<ResourceWindows>,
    /// What PromQL is asked of.
    pub database: Arc<dyn Database>,
    /// Rules, alerts and silences.
    pub alerts: Arc<AlertBoard>,
    /// Where pushed samples go.
    pub intake: Arc<dyn Intake>,
    /// Who may push them.
    pub push: PushAccess,
    /// Who may see what, and how they sign in.
    pub people: PeopleParts,
}

/// What the handlers share.
pub struct ApiState {
    pub(crate) window: Arc<Window>,
    pub(crate) inventory: SharedInventory,
    pub(crate) status: Arc<dyn Status>,
    pub(crate) labels: LabelOptions,
    pub(crate) clock: Clock,
    pub(crate) options: ApiOptions,
    pub(crate) self_metrics: PrometheusHandle,
    pub(crate) dashboard: Arc<dyn Dashboard>,
    pub(crate) archive: Option<Arc<dyn Archive>>,
    pub(crate) database: Arc<dyn Database>,
    pub(crate) queries: ParsedQueries,
    pub(crate) paces: Paces,
    pub(crate) meters: Meters,
    pub(crate) alerts: Arc<AlertBoard>,
    pub(crate) intake: Arc<dyn Intake>,
    pub(crate) push: PushAccess,
    /// Pushed bodies that may be worked on at once.
    pub(crate) pushes: Arc<Semaphore>,
    pub(crate) people: People,
    /// Questions that may run at once.
    pub(crate) questions: Arc<Semaphore>,
    pub(crate) past: Option<Arc<dyn Past>>,
    pub(crate) resources: Arc<ResourceWindows>,
    /// Lists of metrics.k8s.io that may be read at once.
    pub(crate) lists: Arc<Semaphore>,
    /// Who asked the ways in that older dashboards use.
    pub(crate) callers: Callers,
    pub(crate) arrivals: watch::Sender<Option<Arrival>>,
    pub(crate) stopping: CancellationToken,
    /// Open `/stream` connections.
    pub(crate) streams: Arc<AtomicUsize>,
    /// The last diagnosis; locked while one runs.
    pub(crate) diagnosis: Mutex<Option<LastDiagnosis>>,
}

/// A diagnosis that was made, and when by the runtime's time.
#[derive(Debug)]
pub(crate) struct LastDiagnosis {
    pub(crate) made: Instant,
    pub(crate) diagnosis: Arc<Diagnosis>,
}

/// A batch that just arrived, in short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// The batch's time.
    pub timestamp: Timestamp,
    /// How long its tick took.
    pub took: Duration,
    /// Number of rows.
    pub rows: usize,
    /// How its targets stand.
    pub targets: TargetCounts,
}

/// How many targets stand how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct TargetCounts {
    /// Answered.
    pub up: usize,
    /// Were asked and failed.
    pub failed: usize,
    /// Were not asked.
    pub skipped: usize,
}

impl ApiState {
    /// The state of an API that nobody asked yet.
    pub fn new(parts: ApiParts) -> Arc<Self> {
        crate::telemetry::describe();
        Arc::new(Self {
            window: parts.window,
            inventory: parts.inventory,
            status: parts.status,
            labels: parts.labels,
            clock: parts.clock,
            options: parts.options,
            self_metrics: parts.self_metrics,
            dashboard: parts.dashboard,
            archive: parts.archive,
            database: parts.database,
            queries: ParsedQueries::default(),
            paces: Paces::default(),
            meters: Meters::default(),
            alerts: parts.alerts,
            intake: parts.intake,
            push: parts.push,
            pushes: Arc::new(Semaphore::new(intake::MAX_AT_ONCE)),
            people: People::new(parts.people),
            questions: Arc::new(Semaphore::new(MAX_QUESTIONS)),
            past: parts.past,
            resources: parts.resources,
            lists: Arc::new(Semaphore::new(MAX_LISTS)),
            callers: Callers::default(),
            arrivals: watch::Sender::new(None),
            stopping: CancellationToken::new(),
            streams: Arc::default(),
            diagnosis: Mutex::default(),
        })
    }

    /// Tells every open stream that `batch` is in the window, and that its tick took `took`.
    pub fn batch_arrived(&self, batch: &Batch, took: Duration) {
        let arrival = Arrival {
            timestamp: batch.timestamp(),
            took,
            rows: batch.rows(),
            targets: TargetCounts::of(batch),
        };
        self.arrivals.send_replace(Some(arrival));
        // Histograms gather samples until somebody asks; nobody may ever ask.
        self.self_metrics.run_upkeep();
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }
}

impl fmt::Debug for ApiState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiState").field("options", &self.options).finish_non_exhaustive()
    }
}

impl TargetCounts {
    /// Counts the targets of `batch`.
    pub(crate) fn of(batch: &Batch) -> Self {
        let mut counts = Self::default();
        for target in batch.targets() {
            match target.state {
                TargetState::Up => counts.up += 1,
                TargetState::Failed { .. } => counts.failed += 1,
                TargetState::Skipped { .. } => counts.skipped += 1,
            }
        }
        counts
    }
}
