//! Metrics of programs that speak Prometheus: which there are (annotated pods, and what the
//! Prometheus operator's monitors select), under which labels, and what they answer.
//!
//! Knows neither Kubernetes' wire nor the store: what there is comes from the inventory, samples
//! go to a [`Keep`].
//!
//! # Example
//! ```no_run
//! use std::collections::BTreeMap;
//! use std::sync::Arc;
//!
//! use scrape::{Described, Keep, Sample, Scraper, Settings};
//!
//! struct Printed;
//! impl Keep for Printed {
//!     fn keep(&self, samples: &[Sample], _: &[Described]) -> Result<BTreeMap<&'static str, usize>, String> {
//!         for sample in samples {
//!             tracing::info!(labels = ?sample.labels, value = sample.value);
//!         }
//!         Ok(BTreeMap::new())
//!     }
//! }
//!
//! # async fn example(inventory: model::SharedInventory) {
//! let settings = Settings { annotations: true, ..Settings::default() };
//! let scraper = Scraper::new(settings, inventory, Arc::new(Printed), pipeline::Clock::system());
//! scraper.run().await;
//! # }
//! ```
#![forbid(unsafe_code)]

mod board;
mod client;
mod discover;
pub mod exposition;
mod failure;
mod fuzz;
mod labels;
pub mod limits;
mod md5;
mod meta;
mod pool;
pub mod relabel;
mod run;
mod series;
mod settings;
mod target;
mod telemetry;

pub use board::{Standing, Summary};
pub use discover::RefusedTarget;
pub use fuzz::fuzz_exposition;
pub use labels::Labels;
pub use limits::Limits;
pub use model::{Described, STALE, SeriesPairs as Pairs, SeriesSample as Sample};
pub use pool::ANNOTATED;
pub use run::{Keep, Scraper, ShownTarget, Targets};
pub use settings::Settings;
