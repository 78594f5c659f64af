//! What a simulated cluster is told before it starts.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use model::Timestamp;

use crate::faults::Faults;
use crate::issuer::Issuer;

/// Where the simulation reads the time; the binary passes its clock, tests a value they move.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The size and the seed of a world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorldConfig {
    /// Machines.
    pub nodes: u32,
    /// Pods on every machine, daemons among them.
    pub pods_per_node: u32,
    /// Containers in every pod.
    pub containers_per_pod: u32,
    /// Same seed, same world.
    pub seed: u64,
    /// Whether the machine has an IPv6 address, `::1`; loopback has no other, so that there is one.
    pub ipv6: bool,
    /// When the simulation begins; counters and uptimes look back further.
    pub start: Timestamp,
}

/// Ten nodes with thirty pods of two containers, starting 2026-11-23T09:00:00Z.
impl Default for WorldConfig {
    fn default() -> Self {
        Self {
            nodes: 10,
            pods_per_node: 30,
            containers_per_pod: 2,
            seed: 1,
            ipv6: false,
            start: Timestamp::from_secs(1_795_424_400),
        }
    }
}

/// What the kubelets' serving certificates look like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Certificates {
    /// Signed by the cluster's authority for the node's name and address.
    #[default]
    Signed,
    /// Signed by the cluster's authority for the node's name only.
    WithoutAddress,
    /// Signed by nobody but itself, for the node's name only: a kubelet's own default.
    SelfSigned,
}

/// A simulated cluster and where it listens.
#[derive(Clone)]
pub struct Config {
    /// The world to simulate.
    pub world: WorldConfig,
    /// The time.
    pub now: Now,
    /// Where the API server listens for HTTPS; loopback only unless you mean it.
    pub api_listen: SocketAddr,
    /// Where the API server listens for plain HTTP without authentication.
    pub insecure_listen: SocketAddr,
    /// The HTTPS port all kubelets share; 0 takes a free one.
    pub kubelet_https_port: u16,
    /// The plain HTTP port all kubelets share; 0 takes a free one.
    pub kubelet_http_port: u16,
    /// The plain HTTP port on which pods serve metrics, each at its own address; 0 takes a free one.
    pub pods_http_port: u16,
    /// The bearer token that opens the API server and the kubelets.
    pub token: String,
    /// The kubelets' certificates.
    pub certificates: Certificates,
    /// What is broken from the beginning.
    pub faults: Faults,
    /// Changes kept for watches and pages; older resource versions answer 410 Gone. `None` keeps
    /// [`LEAST_HISTORY`] or three for every pod, whichever is more: some minutes' worth.
    pub history: Option<usize>,
    /// How often a watch that allows bookmarks gets one.
    pub bookmark_every: Duration,
    /// A provider whose tokens the API server takes.
    pub issuer: Option<Issuer>,
}

/// Changes kept for watches in small clusters, see [`Config::history`].
pub const LEAST_HISTORY: usize = 20_000;

impl Config {
    /// `world` on free loopback ports.
    pub fn new(world: WorldConfig, now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let token = format!("sim-{:016x}", crate::seed::mix(world.seed, 0x70_6b));
        Self {
            world,
            now: Arc::new(now),
            api_listen: loopback,
            insecure_listen: loopback,
            kubelet_https_port: 0,
            kubelet_http_port: 0,
            pods_http_port: 0,
            token,
            certificates: Certificates::Signed,
            faults: Faults::default(),
            history: None,
            bookmark_every: Duration::from_mins(1),
            issuer: None,
        }
    }
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("world", &self.world)
            .field("api_listen", &self.api_listen)
            .field("insecure_listen", &self.insecure_listen)
            .finish_non_exhaustive()
    }
}
