//! Scraping while the process runs: what is asked, where its samples go, and how it stands.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::{Check, Described, ScrapeFacts, ScrapeRefused, ScrapeTarget, ScrapeTargets};
use cluster::MonitorKinds;
use cluster::replicas::Membership;
use pipeline::Clock;
use replicas::{Ledger, SharedSamples, Taker};
use scrape::{Keep, Sample, Scraper};
use tokio::task::JoinSet;

use super::itself::Itself;
use super::measure::Measured;
use crate::adapters::StoredSamples;
use crate::config::Config;
use crate::exit::Failure;

/// What is scraped.
#[derive(Clone)]
pub(crate) struct Scraping {
    scraper: Scraper,
    kinds: Option<MonitorKinds>,
}

/// Monitors and targets that are told one by one.
const MAX_TOLD: usize = 5;

impl Scraping {
    /// Begins to watch what is needed; scrapes nothing yet. `None` where nothing is to be scraped.
    pub(super) fn plan(
        config: &Config,
        measured: &mut Measured,
        stored: &Arc<StoredSamples>,
        clock: Clock,
    ) -> Result<Option<Self>, Failure> {
        if !config.scrape.settings.is_on() {
            return Ok(None);
        }
        let settings = config.scrape.read()?;
        let Some((watches, connection)) = &mut measured.cluster else {
            return Err(Failure::usage(
                "--scrape: pods and monitors are in a cluster, and --source=host has none",
            ));
        };
        let inventory = Arc::clone(&measured.inventory);
        let kinds = settings.monitors.then(|| watches.follow_monitors(connection, &inventory));
        let membership = measured.replicas.as_ref().map(super::Replicas::membership);
        let ledger = measured.replicas.as_ref().map(super::Replicas::ledger);
        let keep = Arc::new(Kept { stored: Arc::clone(stored), ledger });
        let mine = move |key: &str| {
            membership.as_ref().is_none_or(|known: &Membership| known.members().is_mine(key))
        };
        let scraper = Scraper::shared_with(settings, inventory, keep, clock, mine);
        Ok(Some(Self { scraper, kinds }))
    }

    /// Every target.
    pub(crate) fn targets(&self) -> ScrapeTargets {
        let found = self.scraper.targets();
        let shown = found.active.into_iter().map(|target| ScrapeTarget {
            pool: target.pool,
            url: target.url,
            labels: pairs(&target.labels),
            discovered: target.discovered,
            interval: target.interval,
            timeout: target.timeout,
            up: target.standing.up,
            error: if target.mine {
                target.standing.error
            } else {
                "another replica asks it".to_owned()
            },
            asked: target.standing.asked,
            took: target.standing.took,
        });
        ScrapeTargets { active: shown.collect(), dropped: found.dropped }
    }

    /// How it stands in all.
    pub(crate) fn facts(&self) -> ScrapeFacts {
        let (summary, settings) = (self.scraper.summary(), self.scraper.settings());
        let (refused, left_out) = self.scraper.refused();
        ScrapeFacts {
            annotations: settings.annotations,
            monitors: settings.monitors,
            missing_kinds: self.missing(),
            up: summary.up,
            down: summary.down,
            unknown: summary.unknown,
            left_out,
            errors: summary.errors,
            refused_samples: summary
                .refused
                .into_iter()
                .map(|(reason, count)| (reason.to_owned(), count))
                .collect(),
            refused: refused
                .iter()
                .map(|one| ScrapeRefused { about: one.about.clone(), reason: one.reason.clone() })
                .collect(),
        }
    }

    fn missing(&self) -> Vec<String> {
        let kinds = self.kinds.as_ref().map(MonitorKinds::missing).unwrap_or_default();
        kinds.into_iter().map(str::to_owned).collect()
    }

    /// The same as checks of a diagnosis: how many targets are up and down, and why.
    pub(crate) fn checks(&self) -> Vec<Check> {
        let facts = self.facts();
        let mut checks = Vec::new();
        let mut put = |about: &str, outcome, evidence: String, change: &str| {
            let (about, change) = (about.to_owned(), change.to_owned());
            checks.push(Check { name: "scrape", about, outcome, evidence, change });
        };
        for kind in &facts.missing_kinds {
            let evidence = "the API server serves no such kind (yet); nothing is missed by that";
            put(kind, "skip", evidence.to_owned(), "");
        }
        let (up, down, unknown) = (facts.up, facts.down, facts.unknown);
        let told: Vec<String> = facts
            .errors
            .iter()
            .map(|(error, count, one)| format!("{count} {error} (such as {})", first_words(one)))
            .collect();
        let all = format!("{up} up, {down} down, {unknown} not asked yet");
        match down {
            0 => put("targets", "pass", all, ""),
            _ => put(
                "targets",
                "warn",
                format!("{all}: {}", told.join("; ")),
                "look at /api/v1/targets, and at the pods that are named there",
            ),
        }
        if facts.left_out > 0 {
            let evidence = format!("{} targets are beyond the bound", facts.left_out);
            put("targets", "warn", evidence, "raise --scrape-target-limit, or run more replicas");
        }
        if !facts.refused_samples.is_empty() {
            let all =
                facts.refused_samples.iter().map(|(reason, count)| format!("{count} {reason}"));
            let evidence =
                format!("not kept of the last scrapes: {}", all.collect::<Vec<_>>().join(", "));
            put("samples", "warn", evidence, "docs/SCRAPING.md tells what each reason means");
        }
        for one in facts.refused.iter().take(MAX_TOLD) {
            put(
                &one.about,
                "warn",
                one.reason.clone(),
                "change the monitor or the pod's annotation",
            );
        }
        if let Some(more) = facts.refused.len().checked_sub(MAX_TOLD).filter(|more| *more > 0) {
            put("monitors", "warn", format!("{more} more cannot be scraped"), "look at the log");
        }
        checks
    }
}

/// Pool and URL of a target's key.
fn first_words(key: &str) -> String {
    key.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

fn pairs(labels: &scrape::Pairs) -> Vec<(String, String)> {
    labels.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

/// Where scraped samples go: into the store, and to the other replicas.
struct Kept {
    stored: Arc<StoredSamples>,
    ledger: Option<Arc<Ledger>>,
}

/// Begins to scrape programs, and this process itself.
pub(super) fn spawn(scraping: Option<Scraping>, itself: Itself, tasks: &mut JoinSet<&'static str>) {
    tasks.spawn(itself.keep());
    if let Some(scraping) = scraping {
        tasks.spawn(scraping.scraper.run());
    }
}

/// Keeps what other replicas scraped.
pub(super) fn taker(stored: &Arc<StoredSamples>) -> Taker {
    let stored = Arc::clone(stored);
    Arc::new(move |shared: &SharedSamples| {
        if let Err(error) = stored.append(&incoming(&shared.samples), &shared.described) {
            tracing::warn!(error, "what another replica scraped could not be kept");
        }
    })
}

fn incoming(samples: &[Sample]) -> Vec<store::Incoming<'_>> {
    samples.iter().map(store::Incoming::from).collect()
}

impl Keep for Kept {
    fn keep(
        &self,
        samples: &[Sample],
        described: &[Described],
    ) -> Result<BTreeMap<&'static str, usize>, String> {
        let kept = self.stored.append(&incoming(samples), described).map(|outcome| outcome.refused);
        if let Some(ledger) = &self.ledger {
            ledger.offer(samples, described);
        }
        kept
    }
}
