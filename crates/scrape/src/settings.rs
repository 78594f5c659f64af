//! What a process is told about scraping before it starts.

use std::time::Duration;

use crate::limits::Limits;

/// What is scraped, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Whether pods with `prometheus.io/scrape: "true"` are.
    pub annotations: bool,
    /// Whether what `ServiceMonitor`s and `PodMonitor`s select is.
    pub monitors: bool,
    /// How often, where nobody says otherwise.
    pub interval: Duration,
    /// How long an answer may take, where nobody says otherwise.
    pub timeout: Duration,
    /// Labels of annotated pods that their targets get.
    pub pod_labels: Vec<String>,
    /// PEM certificates of authorities beside the system's.
    pub authorities: Vec<u8>,
    /// Bounds.
    pub limits: Limits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            annotations: false,
            monitors: false,
            interval: Duration::from_secs(30),
            timeout: Duration::from_secs(10),
            pod_labels: Vec::new(),
            authorities: Vec::new(),
            limits: Limits::default(),
        }
    }
}

impl Settings {
    /// Whether anything is scraped.
    pub fn is_on(&self) -> bool {
        self.annotations || self.monitors
    }
}
