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
/// Gauge: bytes of memory that are in RAM. Prometheus' name, as the three below.
pub(crate) const RESIDENT_BYTES: &str = "process_resident_memory_bytes";
/// Gauge: CPU time of the process, user and system.
pub(crate) const CPU_SECONDS: &str = "process_cpu_seconds_total";
/// Gauge: open file descriptors.
pub(crate) const OPEN_FILES: &str = "process_open_fds";
/// Gauge: Unix time of the start.
pub(crate) const STARTED: &str = "process_start_time_seconds";
