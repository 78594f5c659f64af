//! What the process knows of itself: kept here while it runs, read by the API.

use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use api::{
    Check, ClusterFacts, Facts, KubeletFacts, Problem, ReplicaFacts, ScrapeFacts, ScrapeTargets,
    StoreFacts,
};
use cluster::{Connection, KubeletWay, KubernetesSource};
use model::Timestamp;
use pipeline::Clock;
use sinks::StatusHandle;

use crate::adapters::sink_facts;
use crate::app::Reload;
use crate::app::scraping::Scraping;
use crate::diagnosis::Subject;

/// What is wrong beside the way to the API server, as it is now.
pub(crate) type Trouble = Arc<dyn Fn() -> Vec<Problem> + Send + Sync>;

/// How history on disk stands.
pub(crate) type StoreTold = Arc<dyn Fn() -> StoreFacts + Send + Sync>;
/// How the replicas stand.
pub(crate) type ReplicasTold = Arc<dyn Fn() -> Vec<ReplicaFacts> + Send + Sync>;

/// Which way kubelets are asked.
pub(crate) type WayTold = Arc<dyn Fn() -> KubeletFacts + Send + Sync>;

/// What tells of history, of other replicas, of kubelets and of scraping, where there are such.
#[derive(Clone, Default)]
pub(crate) struct Holdings {
    pub(crate) store: Option<StoreTold>,
    pub(crate) replicas: Option<ReplicasTold>,
    pub(crate) kubelets: Option<WayTold>,
    pub(crate) reload: Option<Reload>,
    pub(crate) scraping: Option<Scraping>,
}

/// How long to wait before an API server that could not be used is asked again.
const RETRY: Duration = Duration::from_secs(15);
/// How often an API server that answers is asked for its version again.
const REFRESH: Duration = Duration::from_mins(5);

/// The facts of this process.
#[derive(Clone)]
pub(crate) struct ProcessFacts {
    facts: Arc<RwLock<Facts>>,
    subject: Subject,
    /// What else may be wrong.
    troubles: Vec<Trouble>,
    sinks: Arc<[StatusHandle]>,
    holdings: Holdings,
}

impl ProcessFacts {
    /// Facts that are known from the start.
    pub(crate) fn new(
        facts: Facts,
        subject: Subject,
        troubles: Vec<Trouble>,
        sinks: Arc<[StatusHandle]>,
    ) -> Self {
        let facts = Arc::new(RwLock::new(facts));
        Self { facts, subject, troubles, sinks, holdings: Holdings::default() }
    }

    /// The same, told of history and replicas.
    pub(crate) fn holding(self, holdings: Holdings) -> Self {
        Self { holdings, ..self }
    }

    /// Asks the API server again and again; its version, or what is wrong, becomes a fact. A
    /// change is logged, a state is not.
    pub(crate) async fn follow(self, connection: Connection, clock: Clock) {
        loop {
            let pause = match connection.check().await {
                Ok(version) => {
                    self.answered(version.git_version);
                    REFRESH
                }
                Err(error) => {
                    self.refused(&error, clock.now());
                    RETRY
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    fn answered(&self, version: String) {
        let mut facts = self.facts.write().unwrap_or_else(PoisonError::into_inner);
        let Some(cluster) = facts.cluster.as_mut() else { return };
        if cluster.kubernetes_version.as_deref() != Some(&version) {
            tracing::info!(url = cluster.url, version, "connected to the API server");
            cluster.kubernetes_version = Some(version);
        } else if !facts.problems.is_empty() {
            tracing::info!("the API server answers again");
        }
        facts.problems.clear();
    }

    fn refused(&self, error: &cluster::ConnectError, now: Timestamp) {
        let trouble = error.trouble();
        let mut facts = self.facts.write().unwrap_or_else(PoisonError::into_inner);
        let known = facts.problems.first();
        if known.is_some_and(|known| known.reason == trouble.reason) {
            return;
        }
        let since = known.map_or(now, |known| known.since);
        tracing::error!(
            hop = error.hop().name(),
            reason = trouble.reason,
            advice = trouble.advice,
            "the API server cannot be used; trying again every {} s",
            RETRY.as_secs()
        );
        facts.problems = vec![Problem {
            about: "API server".to_owned(),
            hop: error.hop(),
            reason: trouble.reason.clone(),
            advice: trouble.advice.clone(),
            since,
        }];
    }
}

impl api::Status for ProcessFacts {
    fn facts(&self) -> Facts {
        let mut facts = self.facts.read().unwrap_or_else(PoisonError::into_inner).clone();
        // While the API server as a whole is away, that each watch fails too is no news.
        if let (true, Some(board)) = (facts.problems.is_empty(), &self.subject.watches) {
            let failing = board.statuses().into_iter().filter_map(|status| {
                let failure = status.failure?;
                Some(Problem {
                    about: format!("watch of {}", status.kind),
                    hop: failure.hop,
                    reason: failure.reason,
                    advice: failure.advice,
                    since: status.since,
                })
            });
            facts.problems.extend(failing);
        }
        facts.problems.extend(self.troubles.iter().flat_map(|trouble| trouble()));
        facts
    }

    fn synced(&self) -> bool {
        let Some(board) = &self.subject.watches else { return true };
        board
            .statuses()
            .iter()
            .filter(|status| matches!(status.kind, "nodes" | "pods"))
            .all(|status| status.synced)
    }

    fn sinks(&self) -> Vec<api::SinkFacts> {
        self.sinks.iter().map(|sink| sink_facts(sink.status())).collect()
    }

    fn store(&self) -> Option<StoreFacts> {
        self.holdings.store.as_ref().map(|told| told())
    }

    fn kubelets(&self) -> Option<KubeletFacts> {
        self.holdings.kubelets.as_ref().map(|told| told())
    }

    fn replicas(&self) -> Vec<ReplicaFacts> {
        self.holdings.replicas.as_ref().map_or_else(Vec::new, |told| told())
    }

    fn reload(&self) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> {
        match &self.holdings.reload {
            Some(reload) => reload.ask(),
            None => Box::pin(std::future::ready(Err("there are no rule files".to_owned()))),
        }
    }

    fn scraping(&self) -> Option<ScrapeFacts> {
        self.holdings.scraping.as_ref().map(Scraping::facts)
    }

    fn scrape_targets(&self) -> ScrapeTargets {
        self.holdings.scraping.as_ref().map_or_else(ScrapeTargets::default, Scraping::targets)
    }

    fn diagnose(&self, failing: Vec<String>) -> Pin<Box<dyn Future<Output = Vec<Check>> + Send>> {
        let (subject, scraping) = (self.subject.clone(), self.holdings.scraping.clone());
        Box::pin(async move {
            let mut checks = subject.diagnose(failing).await;
            checks.extend(scraping.iter().flat_map(Scraping::checks));
            checks
        })
    }
}

/// What tells which way `source` asks its kubelets.
pub(crate) fn way_of(source: &Arc<KubernetesSource>) -> WayTold {
    let source = Arc::clone(source);
    Arc::new(move || {
        let KubeletWay { way, why, direct, proxied, failed } = source.way();
        KubeletFacts { way, why, direct, proxied, failed }
    })
}

/// What is known of a cluster before it answered.
pub(crate) fn cluster_facts(connection: &Connection) -> ClusterFacts {
    let url = connection.url();
    let name = match connection.origin() {
        cluster::Origin::Kubeconfig { context, .. } => context.clone(),
        cluster::Origin::InCluster => "in-cluster".to_owned(),
        cluster::Origin::Uri => url.clone(),
    };
    ClusterFacts { name, url, kubernetes_version: None }
}
