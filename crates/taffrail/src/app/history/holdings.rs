//! What history on disk takes, as the API tells it.

use std::collections::BTreeMap;
use std::time::Duration;

use api::{StoreFacts, StoreLevel};
use store::Store;

/// The store in numbers.
pub(super) fn facts(store: &Store, temporary: bool) -> StoreFacts {
    let summary = store.summary();
    let options = store.options();
    let mut levels: BTreeMap<Option<Duration>, StoreLevel> = BTreeMap::new();
    for block in &summary.blocks {
        let resolution_ms = block.resolution.map(millis);
        let level = levels.entry(block.resolution).or_default();
        level.resolution_ms = resolution_ms;
        level.add(block.range, block.bytes, block.samples);
    }
    let levels: Vec<StoreLevel> = levels.into_values().collect();
    let (events, event_bytes) = summary.events;
    let blocks: u64 = levels.iter().map(|level| level.bytes).sum();
    StoreFacts {
        dir: store.dir().display().to_string(),
        temporary,
        from: summary.range.map(|(from, _)| from.millis()),
        to: summary.range.map(|(_, to)| to.millis()),
        bytes: blocks + summary.wal_bytes + event_bytes,
        log_bytes: summary.wal_bytes,
        event_bytes,
        events,
        memory_bytes: summary.head_bytes,
        entities: summary.entities,
        retention_ms: millis(options.retention),
        retention_bytes: options.retention_bytes,
        event_retention_ms: millis(options.event_retention),
        levels,
        damaged: summary.damage.len(),
        stopped: summary.poisoned,
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
