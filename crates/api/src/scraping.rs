//! What is scraped besides kubelets, as the process tells the API.

use std::time::Duration;

use model::Timestamp;
use serde::Serialize;

/// A target.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ScrapeTarget {
    /// Its scrape pool (`serviceMonitor/default/web/0`).
    pub pool: String,
    /// What is asked.
    pub url: String,
    /// What its samples get, sorted.
    pub labels: Vec<(String, String)>,
    /// What it was discovered with, sorted.
    pub discovered: Vec<(String, String)>,
    /// How often.
    pub interval: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
    /// `None` until it was asked.
    pub up: Option<bool>,
    /// What went wrong; empty while all is well.
    pub error: String,
    /// When it was asked last.
    pub asked: Timestamp,
    /// How long that took.
    pub took: Duration,
}

/// All targets.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ScrapeTargets {
    /// What is scraped.
    pub active: Vec<ScrapeTarget>,
    /// What relabelling drops: its pool, and what it was discovered with.
    pub dropped: Vec<(String, Vec<(String, String)>)>,
}

/// A monitor's endpoint or a pod that cannot be scraped.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ScrapeRefused {
    /// Which.
    pub about: String,
    /// Why.
    pub reason: String,
}

/// How scraping stands in all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ScrapeFacts {
    /// Whether annotated pods are scraped.
    pub annotations: bool,
    /// Whether what monitors select is.
    pub monitors: bool,
    /// Kinds of monitors that the API server does not serve.
    pub missing_kinds: Vec<String>,
    /// Targets that answer as they should.
    pub up: usize,
    /// Targets that do not.
    pub down: usize,
    /// Targets that were not asked yet.
    pub unknown: usize,
    /// Targets beyond the bound.
    pub left_out: usize,
    /// What goes wrong: the error, how many targets it concerns, one of them.
    pub errors: Vec<(String, usize, String)>,
    /// Samples of the last scrapes that are not kept: the reason and how many.
    pub refused_samples: Vec<(String, usize)>,
    /// What cannot be scraped.
    pub refused: Vec<ScrapeRefused>,
}
