//! Names of the binary's own self-metrics.

/// Counter by `taker`: events that found no room before a taker that fails.
pub(crate) const EVENTS_LEFT_OUT: &str = "taffrail_events_left_out_total";
/// Gauge: Unix time of the last loop. Eventer's name.
pub(crate) const MANAGER_LAST_TIME: &str = "eventer_manager_last_time_seconds";
/// Gauge: Unix time of the last events. Eventer's name.
pub(crate) const SCRAPER_LAST_TIME: &str = "eventer_scraper_last_time_seconds";
/// Counter: events read. Eventer's name.
pub(crate) const SCRAPER_EVENTS: &str = "eventer_scraper_events_total_number";
/// Histogram: how long gathering a batch of events took. Eventer's name.
pub(crate) const SCRAPER_DURATION: &str = "eventer_scraper_duration_milliseconds";
/// Histogram by `exporter`: how long a sink took to take a batch. Eventer's name.
pub(crate) const EXPORTER_DURATION: &str = "eventer_exporter_duration_milliseconds";
