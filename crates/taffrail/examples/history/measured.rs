//! A simulated cluster as the collecting path measures it, in simulated time: kubelets' payloads,
//! decoder, inventory from real watches, processors.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use cluster::decode::Decoder;
use cluster::{Cluster, Connection, Defaults, SourceOptions};
use model::{
    Batch, Draft, Entity, EntityKind, Node, Registry, Target, TargetState, Timestamp, Verified,
};
use pipeline::{Clock, Processors};
use query::StateHistory;
use sim::{Config, Control, Sim, World, WorldConfig};
use tokio::runtime::Runtime;

/// How long the watches may take to tell of a pod that a kubelet reports.
const PATIENCE: Duration = Duration::from_secs(2);

/// A simulated cluster that is measured tick by tick.
pub(crate) struct Measured {
    /// Runs the simulation and the watches.
    _runtime: Runtime,
    now: Arc<AtomicI64>,
    control: Control,
    /// The plain address of its API server, and the plain port of its kubelets.
    pub(crate) url: String,
    pub(crate) kubelet_port: u16,
    cluster: Cluster,
    world: World,
    decoder: Decoder,
    processors: Processors,
    registry: Registry,
    /// Whether objects change as time goes on; else they stay as they are at the beginning.
    pub(crate) follows: bool,
}

impl Measured {
    /// A cluster of `nodes` that begins at `start`.
    pub(crate) fn new(nodes: u32, pods_per_node: u32, start: Timestamp) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let size = WorldConfig { nodes, pods_per_node, start, ..WorldConfig::default() };
        let now = Arc::new(AtomicI64::new(start.secs()));
        let read = Arc::clone(&now);
        let world = World::new(&size);
        let config = Config::new(size, move || Timestamp::from_secs(read.load(Ordering::Relaxed)));
        let (control, url, kubelet_port, cluster) = runtime.block_on(async {
            let sim = Sim::start(config).await.unwrap();
            let (control, url) = (sim.control(), sim.insecure_api_url());
            let port = sim.kubelet_http_port();
            tokio::spawn(sim.run(std::future::pending()));
            let env = |_: &str| None;
            let text = format!("kubernetes.summary_api:{url}?inClusterConfig=false");
            let options = SourceOptions::parse(&text, &env, Defaults::taffrail()).unwrap();
            let connection = Connection::resolve(&options, &env).await.unwrap();
            let cluster = Cluster::start(&connection, Clock::system());
            cluster.watches.board.settled().await;
            (control, url, port, cluster)
        });
        let (decoder, processors) = (Decoder::default(), Processors::default());
        Self {
            _runtime: runtime,
            now,
            control,
            url,
            kubelet_port,
            cluster,
            world,
            decoder,
            processors,
            registry: Registry::default(),
            follows: true,
        }
    }

    /// What is measured at `time`, which is not before the tick before it.
    pub(crate) fn tick(&mut self, time: Timestamp) -> Arc<Batch> {
        if self.follows {
            self.now.store(time.secs(), Ordering::Relaxed);
            self.control.step();
        }
        let mut draft = Draft::new(time, std::mem::take(&mut self.registry));
        let names: Vec<String> = self.world.nodes().map(|(name, _)| name.to_owned()).collect();
        for (name, number) in names.iter().zip(0..) {
            let Some(node) = self.node(name) else { continue };
            let Some(body) = self.world.summary(number, time, false) else { continue };
            self.decoder.summary(&body, &node, time, &mut draft).unwrap();
        }
        if self.follows {
            self.catch_up(&draft);
        }
        self.processors.run(&mut draft, &self.cluster.inventory);
        let (batch, registry) = draft.freeze();
        self.registry = registry;
        batch
    }

    /// Notes in `states` what the objects are, and that every kubelet answered.
    pub(crate) fn observe(&self, states: &StateHistory, time: Timestamp) {
        let up = |(name, _): (&str, _)| Target {
            node: name.into(),
            url: "".into(),
            state: TargetState::Up,
            since: time,
            last_success: time,
            took: Duration::ZERO,
            body_bytes: 0,
            verified: Verified::default(),
        };
        let targets: Vec<Target> = self.world.nodes().map(up).collect();
        states.observe(&self.cluster.inventory, &targets, time.millis());
    }

    fn node(&self, name: &str) -> Option<Arc<Node>> {
        let inventory = self.cluster.inventory.read().unwrap_or_else(PoisonError::into_inner);
        inventory.node(name).map(Arc::clone)
    }

    /// Waits until the watches know every pod of `draft`, as they do within a real minute.
    fn catch_up(&self, draft: &Draft) {
        let begun = Instant::now();
        let pods = draft.table(EntityKind::Pod);
        while begun.elapsed() < PATIENCE {
            let known = {
                let inventory =
                    self.cluster.inventory.read().unwrap_or_else(PoisonError::into_inner);
                let known = |pod: &Arc<Entity>| match (pod.namespace(), pod.pod()) {
                    (Some(namespace), Some(name)) => inventory.pod(namespace, name).is_some(),
                    _ => true,
                };
                pods.entities().iter().all(known)
            };
            if known {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
