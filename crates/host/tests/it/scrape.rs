//! One door for all tests: scrape a tree, complete the draft, look at the batch.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use host::{HostSource, Options};
use model::{Batch, Draft, EntityKind, MetricId, Registry, SharedInventory, Timestamp, Value};
use pipeline::{Clock, Processors, Source, Window};
use tokio::time::Instant;

pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_795_424_803);

pub(crate) struct Bench {
    source: HostSource,
    pub(crate) inventory: SharedInventory,
    processors: Processors,
    registry: Registry,
    at: Timestamp,
}

impl Bench {
    pub(crate) fn new(root: PathBuf) -> Self {
        let inventory = SharedInventory::default();
        let options = Options { root, ..Options::default() };
        Self {
            source: HostSource::new(options, Clock::starting_at(NOW), Arc::clone(&inventory)),
            inventory,
            processors: Processors::default(),
            registry: Registry::default(),
            at: NOW,
        }
    }

    pub(crate) async fn scrape(&mut self) -> Arc<Batch> {
        self.at = self.at.plus(Duration::from_secs(1));
        let end = self.at;
        let deadline = Instant::now() + Duration::from_secs(1);
        let window = Window { start: end.minus(Duration::from_secs(1)), end, deadline };
        let draft = Draft::new(end, std::mem::take(&mut self.registry));
        let mut draft = self.source.scrape(window, draft).await;
        self.processors.run(&mut draft, &self.inventory);
        let (batch, registry) = draft.freeze();
        self.registry = registry;
        batch
    }
}

pub(crate) fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// A value by the entity's key.
pub(crate) fn get(batch: &Batch, key: &str, metric: MetricId) -> Option<f64> {
    batch.tables().iter().find_map(|table| {
        let row = table.entities().iter().position(|entity| entity.to_string() == key)?;
        table.get(row, metric).map(Value::as_f64)
    })
}

/// Names of one kind's rows, sorted.
pub(crate) fn names(batch: &Batch, kind: EntityKind) -> Vec<String> {
    let entities = batch.table(kind).entities();
    let mut names: Vec<String> = entities.iter().map(|entity| entity.name().to_owned()).collect();
    names.sort();
    names
}
