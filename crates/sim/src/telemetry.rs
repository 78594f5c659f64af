//! Names of the simulation's own metrics.

/// Changes dropped from the history: watches from before them answer 410 Gone.
pub(crate) const HISTORY_COMPACTED: &str = "taffrail_sim_history_compacted_total";
/// Objects of clients that were refused because too many are kept.
pub(crate) const WRITES_REFUSED: &str = "taffrail_sim_writes_refused_total";
/// Events deleted before their hour was over because there were too many.
pub(crate) const EVENTS_DROPPED: &str = "taffrail_sim_events_dropped_total";
/// Connections refused because an end of them was not on the loopback interface.
pub(crate) const CONNECTIONS_REFUSED: &str = "taffrail_sim_connections_refused_total";
/// Requests answered wrongly on purpose.
pub(crate) const FAULTS_SERVED: &str = "taffrail_sim_faults_served_total";
/// Connections closed because a listener had too many.
pub(crate) const CONNECTIONS_DROPPED: &str = "taffrail_sim_connections_dropped_total";
