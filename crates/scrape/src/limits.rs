//! The bounds of scraping. What goes over one is refused by name, seen at the target and counted
//! (`taffrail_scrape_samples_refused_total`, `taffrail_scrapes_total`); everything else goes on.

use std::time::Duration;

/// Most labels of one series.
pub const MAX_LABELS: usize = 128;
/// Most bytes of a label's name.
pub const MAX_NAME_BYTES: usize = 256;
/// Most bytes of a label's value.
pub const MAX_VALUE_BYTES: usize = 4096;
/// Most metrics of a target whose kind and help are remembered.
pub const MAX_DESCRIBED: usize = 5_000;
/// Most bytes of a help text.
pub const MAX_HELP_BYTES: usize = 1024;
/// Most targets that are shown as dropped by relabelling.
pub const MAX_DROPPED_SHOWN: usize = 1_000;
/// Most clients, one for each way to verify certificates.
pub const MAX_TLS_SETTINGS: usize = 64;
/// How long it takes at most to see what targets there are.
pub const DISCOVER_EVERY: Duration = Duration::from_secs(5);
/// The shortest interval.
pub const MIN_INTERVAL: Duration = Duration::from_secs(1);

/// Bounds that can be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of one answer, once it is decompressed.
    pub body_bytes: usize,
    /// Most bytes of all answers that are in memory at once.
    pub bodies_bytes: usize,
    /// Most samples of one answer.
    pub samples: usize,
    /// Most series of all targets together.
    pub series: usize,
    /// Most targets of this process.
    pub targets: usize,
    /// Most requests at once; further ones fail, they do not wait.
    pub requests: usize,
    /// Most answers that are decoded at once.
    pub decoders: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 16 << 20,
            bodies_bytes: 256 << 20,
            samples: 50_000,
            series: 500_000,
            targets: 10_000,
            requests: 2_000,
            decoders: 2,
        }
    }
}
