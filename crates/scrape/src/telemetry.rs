//! Names of the self-metrics.

/// Counter by `outcome` (`ok`, `timeout`, `connect`, `too_many_samples`, …): scrapes.
pub(crate) const SCRAPES: &str = "taffrail_scrapes_total";
/// Counter by `reason`: samples that were scraped and are not kept.
pub(crate) const SAMPLES_REFUSED: &str = "taffrail_scrape_samples_refused_total";
/// Counter: samples that were scraped and are kept.
pub(crate) const SAMPLES: &str = "taffrail_scrape_samples_total";
/// Gauge by `state` (`up`, `down`, `unknown`): targets of this process.
pub(crate) const TARGETS: &str = "taffrail_scrape_targets";
/// Gauge: series that are remembered from scrape to scrape.
pub(crate) const SERIES: &str = "taffrail_scrape_series";
/// Gauge: monitors' endpoints and pods that cannot be scraped.
pub(crate) const REFUSED: &str = "taffrail_scrape_refused_targets";
/// Gauge: targets beyond the bound.
pub(crate) const LEFT_OUT: &str = "taffrail_scrape_targets_left_out";
