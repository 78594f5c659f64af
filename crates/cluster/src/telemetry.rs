//! Names of this crate's self-metrics.

/// Counter: values of self-defined metrics dropped because too many names were seen.
pub const CUSTOM_METRICS_DROPPED: &str = "taffrail_custom_metrics_dropped_total";
/// Counter: times that credentials or authorities were read anew after a refusal.
pub const CREDENTIALS_RENEWED: &str = "taffrail_credentials_renewed_total";
/// Counter: answers refused because they exceed the body limit.
pub const BODIES_REFUSED: &str = "taffrail_kubelet_bodies_refused_total";
/// Counter by `hop`: requests to kubelets that failed.
pub const REQUESTS_FAILED: &str = "taffrail_kubelet_requests_failed_total";
/// Counter: times that a request waited because the bound on concurrent ones was reached.
pub const REQUESTS_QUEUED: &str = "taffrail_kubelet_requests_queued_total";
/// How many nodes get durations of their own; each costs about 90 KiB. In a larger cluster all
/// nodes share the series `all`.
pub const MAX_NODE_SERIES: usize = 100;
/// Label value of the series that all nodes of a large cluster share.
pub const ALL_NODES: &str = "all";
/// Histogram by `node`: Heapster's name for how long a summary takes to fetch.
pub const SUMMARY_DURATION: &str = "heapster_kubelet_summary_request_duration_milliseconds";
/// Histogram by `node`: Heapster's name for how long a `/stats/container` takes to fetch.
pub const CADVISOR_DURATION: &str = "heapster_kubelet_request_duration_milliseconds";
/// Gauge by `source`: Unix time of a kubelet's last scrape.
pub const SCRAPER_LAST_TIME: &str = "heapster_scraper_last_time_seconds";
/// Histogram by `source`: how long a kubelet's scrape takes, decoding included.
pub const SCRAPER_DURATION: &str = "heapster_scraper_duration_milliseconds";
/// Gauge by `kind`: objects that a watch holds.
pub const WATCHED_OBJECTS: &str = "taffrail_watch_objects";
/// Counter by `kind`: watches that had to begin again with a list.
pub const WATCH_RELISTS: &str = "taffrail_watch_relists_total";
/// Counter by `kind`: errors of a watch.
pub const WATCH_ERRORS: &str = "taffrail_watch_errors_total";
/// Gauge: replicas that live, this one among them.
pub const REPLICAS: &str = "taffrail_replicas";
/// Counter: replicas left out because there are too many.
pub const REPLICAS_LEFT_OUT: &str = "taffrail_replicas_left_out_total";

/// Counter: requests for resource metrics, by `success`. metrics-server's name.
pub const RESOURCE_REQUESTS: &str = "metrics_server_kubelet_request_total";
/// Histogram by `node`: seconds that a node took for its resource metrics. metrics-server's name.
pub const RESOURCE_DURATION: &str = "metrics_server_kubelet_request_duration_seconds";
/// Gauge by `node`: Unix time at which its resource metrics came last. metrics-server's name.
pub const RESOURCE_LAST_TIME: &str = "metrics_server_kubelet_last_request_time_seconds";
/// Histogram: seconds that a round over all nodes took. metrics-server's name.
pub const RESOURCE_ROUND: &str = "metrics_server_manager_tick_duration_seconds";
/// Counter: events read, repetitions included.
pub const EVENTS_READ: &str = "taffrail_events_read_total";
/// Counter: events left out because they could not be read.
pub const EVENTS_UNREAD: &str = "taffrail_events_unread_total";
