//! Names of the self-metrics.

/// Counter by `peer`: shares that did not come.
pub(crate) const SHARES_MISSING: &str = "taffrail_peer_shares_missing_total";
/// Gauge: nodes that this replica itself measured, or tried to, in the last tick.
pub(crate) const OWN_NODES: &str = "taffrail_replica_own_nodes";
/// Gauge: bytes of the share offered last.
pub(crate) const SHARE_BYTES: &str = "taffrail_peer_share_bytes";
/// Counter: nodes that two replicas measured in one tick; the second is left out.
pub(crate) const NODES_TWICE: &str = "taffrail_peer_nodes_twice_total";
/// Counter by `peer`: times that its scrapes did not come.
pub(crate) const SCRAPES_MISSING: &str = "taffrail_peer_scrapes_missing_total";
/// Counter: scrapes that were forgotten before every other replica took them.
pub(crate) const SCRAPES_FORGOTTEN: &str = "taffrail_peer_scrapes_forgotten_total";
/// Counter: connections of peers that were closed because there are too many.
pub(crate) const CONNECTIONS_DROPPED: &str = "taffrail_peer_connections_dropped_total";
/// Counter: requests without the token.
pub(crate) const REQUESTS_REFUSED: &str = "taffrail_peer_requests_refused_total";
