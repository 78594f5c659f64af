//! The source: one scrape of the machine into a draft, and what became of it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use model::{Draft, Hop, Node, SharedInventory, Target, TargetState, Timestamp};
use pipeline::{BoxFuture, Clock, Source, Window};
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use crate::fill::Readings;
use crate::machine::Machine;
use crate::tree::Tree;
use crate::{block, cgroup, filesystem, network};

/// What the host source can be told.
#[derive(Debug, Clone)]
pub struct Options {
    /// Below which `/proc` and `/sys` lie: `/`, or where a container has mounted the machine's.
    pub root: PathBuf,
    /// The node's name; the machine's hostname unless set.
    pub node: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { root: PathBuf::from("/"), node: None }
    }
}

/// Measures this machine. Also puts it into the inventory as a node, so that shares of its
/// capacity can be computed.
#[derive(Debug)]
pub struct HostSource {
    host: Arc<Host>,
}

#[derive(Debug)]
struct Host {
    options: Options,
    clock: Clock,
    inventory: SharedInventory,
    last: Mutex<Last>,
}

/// What is remembered from scrape to scrape.
#[derive(Debug, Default)]
struct Last {
    node: Option<Arc<Node>>,
    state: Option<TargetState>,
    since: Timestamp,
    success: Timestamp,
}

impl HostSource {
    /// A source that has read nothing yet.
    pub fn new(options: Options, clock: Clock, inventory: SharedInventory) -> Self {
        let last = Mutex::default();
        Self { host: Arc::new(Host { options, clock, inventory, last }) }
    }
}

impl Source for HostSource {
    fn name(&self) -> &'static str {
        "host"
    }

    fn scrape(&self, _: Window, draft: Draft) -> BoxFuture<'_, Draft> {
        let host = Arc::clone(&self.host);
        Box::pin(async move {
            match spawn_blocking(move || host.scrape(draft)).await {
                Ok(draft) => draft,
                Err(error) => match error.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    // Only at the runtime's end, when nobody wants the draft any more.
                    Err(_) => std::future::pending().await,
                },
            }
        })
    }
}

impl Host {
    fn scrape(&self, mut draft: Draft) -> Draft {
        let started = Instant::now();
        let tree = Tree::new(&self.options.root);
        let name = self.node_name(&tree);
        let ticks = i64::try_from(rustix::param::clock_ticks_per_second()).unwrap_or(100);
        let now = self.clock.now();
        let readings = Readings {
            machine: Machine::read(&tree, ticks),
            network: network::read(&tree),
            disks: block::read(&tree),
            filesystems: filesystem::read(&tree),
            cgroups: cgroup::read(&tree),
        };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let state = if readings.machine.is_unknown() && readings.cgroups.is_empty() {
            unreadable(&tree)
        } else {
            let node = self.publish(&mut last, readings.node(&name));
            readings.fill(&mut draft, &node, now);
            last.success = now;
            TargetState::Up
        };
        if last.state.as_ref().map(TargetState::name) != Some(state.name()) {
            last.since = now;
        }
        last.state = Some(state.clone());
        draft.report(Target {
            node: name.into(),
            url: tree.path("proc").to_string_lossy().into(),
            state,
            since: last.since,
            last_success: last.success,
            took: started.elapsed(),
            body_bytes: tree.read_bytes(),
            verified: model::Verified::NotAsked,
        });
        draft
    }

    fn node_name(&self, tree: &Tree<'_>) -> String {
        let configured = self.options.node.clone();
        configured
            .or_else(|| tree.text("proc/sys/kernel/hostname").map(|name| name.trim().to_owned()))
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| "localhost".to_owned())
    }

    /// Puts the node into the inventory when it is not there as it is.
    fn publish(&self, last: &mut Last, node: Node) -> Arc<Node> {
        if let Some(known) = &last.node
            && **known == node
        {
            return Arc::clone(known);
        }
        let node = Arc::new(node);
        let mut inventory = self.inventory.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(old) = last.node.replace(Arc::clone(&node)) {
            inventory.remove_node(&old.name);
        }
        inventory.put_node(Arc::clone(&node));
        node
    }
}

/// Why nothing was there to read.
fn unreadable(tree: &Tree<'_>) -> TargetState {
    let path = tree.path("proc/stat");
    let reason = match tree.try_text("proc/stat") {
        Ok(_) => format!("{} holds no CPU times", path.display()),
        Err(error) => format!("read {}: {error}", path.display()),
    };
    let advice = "mount the machine's /proc and /sys below the root that the source reads";
    TargetState::Failed { hop: Hop::Local, reason, advice: advice.to_owned() }
}
