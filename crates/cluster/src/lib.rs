//! Kubernetes as a client: API server watches into an inventory, kubelet scraping into a draft.
//!
//! The only crate that speaks Kubernetes. Knows no store, sink, query or HTTP server.
//!
//! # Example
//! ```no_run
//! use cluster::{Cluster, Connection, Defaults, KubernetesSource, SourceOptions};
//! use pipeline::Clock;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let env = |name: &str| std::env::var(name).ok();
//! let text = "kubernetes.summary_api:?kubeletInsecure=true";
//! let options = SourceOptions::parse(text, &env, Defaults::taffrail())?;
//! let connection = Connection::resolve(&options, &env).await?;
//! let version = connection.check().await?; // one error names hop, reason and advice
//! println!("{} runs {}", connection.url(), version.git_version);
//!
//! let clock = Clock::system();
//! let cluster = Cluster::start(&connection, clock);
//! cluster.watches.board.settled().await; // nodes, namespaces and pods are listed, or failed
//! let source = KubernetesSource::new(&connection, cluster.inventory.clone(), clock)?;
//! // `source` is a `pipeline::Source`; `cluster.watches.ended()` ends when a watch panicked.
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod certificate;
pub mod connect;
pub mod decode;
pub mod diagnose;
pub mod events;
mod failure;
mod fuzz;
pub mod inventory;
mod kubelet;
mod options;
mod person;
pub mod quantity;
pub mod replicas;
mod review;
mod source;
pub mod telemetry;
mod tls;
pub mod uri;
mod watch;
pub mod wire;

pub use connect::{ConnectError, Connection, Origin, ServerVersion};
pub use events::{EventBatch, Position};
pub use failure::Failure;
pub use fuzz::{fuzz_container_stats, fuzz_exposition, fuzz_resource, fuzz_summary};
pub use kubelet::MAX_BODY_BYTES;
pub use options::{AddressKind, Defaults, Endpoint, KUBERNETES, SUMMARY_API, SourceOptions, Via};
pub use person::{Credentials, Person};
pub use review::{Access, FrontProxy, Injected, Subject};
pub use source::{KubeletWay, KubernetesSource, ResourceTaker, phase, scrape_address};
pub use uri::parse_key;
pub use watch::{MonitorKinds, WatchBoard, WatchStatus, Watches};

/// A watched cluster.
#[derive(Debug)]
pub struct Cluster {
    /// What the watches know; empty until they have listed.
    pub inventory: model::SharedInventory,
    /// The running watches; they end when this is dropped.
    pub watches: Watches,
}

impl Cluster {
    /// Starts watching over `connection`. Must run inside a runtime.
    pub fn start(connection: &Connection, clock: pipeline::Clock) -> Self {
        let (inventory, watches) = watch::start(connection, clock);
        Self { inventory, watches }
    }
}
