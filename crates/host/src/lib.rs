//! The source `host`: this very machine as one node, its services and containers as system
//! containers.
//!
//! Reads /proc and the cgroup tree (v1, v2 or both). Knows nothing of Kubernetes, container
//! runtimes' APIs or systemd's: what runs is told from cgroup paths alone.
#![forbid(unsafe_code)]

mod block;
mod cgroup;
mod filesystem;
mod fill;
mod machine;
mod network;
mod source;
mod telemetry;
mod tree;

pub use cgroup::MAX_CGROUPS;
pub use filesystem::MAX_FILESYSTEMS;
pub use source::{HostSource, Options};
