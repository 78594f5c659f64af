//! The store of samples while the process runs: opened beside history, kept safe, closed.

use std::sync::Arc;
use std::time::Duration;

use pipeline::Clock;
use store::{Disk, SampleOptions, Samples};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::history::History;
use crate::config::Config;
use crate::exit::Failure;

/// Name of the folder in that of history.
const FOLDER: &str = "samples";
/// The longest pause between two steps of maintenance: what a power cut may lose.
const MAINTAIN_EVERY: Duration = Duration::from_secs(1);
/// How long samples live where nothing is kept on disk.
const IN_MEMORY: Duration = Duration::from_hours(1);
/// Most samples where nothing is kept on disk.
const MEMORY_SAMPLES: usize = 2_000_000;

/// Opens the samples that belong to `history`, whose lock covers them.
pub(super) async fn open(
    config: &Config,
    history: Option<&History>,
    clock: Clock,
) -> Result<Arc<Samples>, Failure> {
    let (Some(history), Some(wanted)) = (history, &config.history) else {
        let options = SampleOptions {
            retention: IN_MEMORY,
            window_samples: MEMORY_SAMPLES,
            ..SampleOptions::default()
        };
        return Ok(Arc::new(Samples::in_memory(options)));
    };
    let dir = history.store().dir().join(FOLDER);
    let options = SampleOptions {
        retention: wanted.retention,
        retention_bytes: wanted.retention_bytes,
        ..SampleOptions::default()
    };
    let opened = spawn_blocking(move || Samples::open(Arc::new(Disk), dir, options, clock.now()));
    let opened = opened.await.map_err(|error| anyhow::anyhow!("open the samples: {error}"))?;
    opened.map(Arc::new).map_err(|error| {
        Failure::unavailable(format!(
            "cannot open the samples beside history: {error}; give another folder with --data-dir=DIR"
        ))
    })
}

/// Maintains the samples until it is dropped.
pub(super) async fn keep(samples: Arc<Samples>, clock: Clock) -> &'static str {
    let mut failing = false;
    loop {
        sleep(MAINTAIN_EVERY).await;
        let step = {
            let samples = Arc::clone(&samples);
            spawn_blocking(move || samples.maintain(clock.now()))
        };
        match step.await {
            Ok(Ok(())) => failing = false,
            Ok(Err(error)) => {
                if !failing {
                    tracing::error!(%error, "samples are not safe on disk");
                }
                failing = true;
            }
            Err(error) => {
                tracing::error!(%error, "samples are no longer kept safe");
                return "samples";
            }
        }
    }
}

/// Makes the last samples safe.
pub(super) async fn close(samples: Arc<Samples>) {
    match spawn_blocking(move || samples.close()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(%error, "the last samples may be lost"),
        Err(error) => tracing::error!(%error, "the last samples may be lost"),
    }
}
