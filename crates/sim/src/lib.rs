//! A simulated Kubernetes cluster that foreign programs believe: a seeded world, its kubelets and
//! its API server. Knows nothing of the collector that reads it: it writes its own wire format, so
//! that the two sides check each other.
//!
//! ```no_run
//! # async fn demo() -> Result<(), sim::Error> {
//! let world = sim::WorldConfig { nodes: 3, ..sim::WorldConfig::default() };
//! let start = world.start;
//! let sim = sim::Sim::start(sim::Config::new(world, move || start)).await?;
//! std::fs::write("kubeconfig", sim.kubeconfig()).ok();
//! sim.run(std::future::pending()).await
//! # }
//! ```
#![forbid(unsafe_code)]

mod aggregator;
mod apiserver;
mod bootstrap;
mod config;
mod error;
mod faults;
mod http;
mod identity;
mod issuer;
mod kubeconfig;
mod kubelet;
mod life;
mod load;
mod objects;
mod plan;
mod programs;
mod seed;
mod server;
mod store;
mod telemetry;
mod tls;
mod tokens;
mod usage;
mod world;

pub use config::{Certificates, Config, LEAST_HISTORY, Now, WorldConfig};
pub use error::Error;
pub use faults::{DEFAULT_DELAY, DEFAULT_OVERSIZE, Fault, FaultError, Faults, Target};
pub use issuer::Issuer;
pub use server::{Control, Sim};
pub use world::World;
