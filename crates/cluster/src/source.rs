//! The sources `kubernetes` and `kubernetes.summary_api`: asks every node's kubelet each tick.
//!
//! A node that fails is a target that says why, never the end of a tick.

mod discovery;
mod fetch;
mod history;
mod proxy;
mod resources;
mod way;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

use futures_util::{StreamExt, stream};
use model::{Draft, Hop, Node, SharedInventory, Value, Verified};
use once::Order as _;
use pipeline::{BoxFuture, Clock, Source, Window};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::connect::{ConnectError, Connection, Origin};
use crate::decode::Decoder;
use crate::failure::Failure;
use crate::kubelet::KubeletClient;
use crate::options::{Endpoint, SourceOptions, Via};
use crate::telemetry;
use discovery::{Discovered, address, spread};
use fetch::{Fetched, Format, Job};
use history::{History, Outcome};
use proxy::Proxy;
use way::Count;

pub use discovery::{phase, scrape_address};
pub(crate) use discovery::{resource_path, target};
pub use resources::ResourceTaker;
pub use way::KubeletWay;

/// Decides by a node's name whether it is asked.
type Mine = Box<dyn Fn(&str) -> bool + Send + Sync>;

/// Measures a Kubernetes cluster by asking its kubelets.
pub struct KubernetesSource {
    kubelets: KubeletClient,
    inventory: SharedInventory,
    clock: Clock,
    options: SourceOptions,
    /// Whether the API server's proxy may stand in for an unreachable kubelet.
    proxy: Proxy,
    /// Which nodes are asked; `None` for all.
    mine: Option<Mine>,
    /// Where the connection's settings came from.
    origin: Origin,
    /// How kubelets answered in the last tick.
    answered: RwLock<Count>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    decoder: Decoder,
    history: HashMap<Arc<str>, History>,
    /// How kubelets have answered in this tick so far.
    count: Count,
}

impl KubernetesSource {
    /// A source over the nodes of `inventory`. Fails when the connection's certificates or
    /// credentials cannot be read.
    pub fn new(
        connection: &Connection,
        inventory: SharedInventory,
        clock: Clock,
    ) -> Result<Self, ConnectError> {
        let options = connection.options().clone();
        let proxy = Proxy::new(connection);
        let kubelets = KubeletClient::new(connection)?;
        Ok(Self {
            kubelets,
            inventory,
            clock,
            options,
            proxy,
            mine: None,
            origin: connection.origin().clone(),
            answered: RwLock::default(),
            state: Mutex::default(),
        })
    }

    /// Asks only nodes whose name `mine` says yes to; others are not even targets.
    #[must_use]
    pub fn only(mut self, mine: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.mine = Some(Box::new(mine));
        self
    }

    /// Which way the kubelets are asked, and why.
    pub fn way(&self) -> KubeletWay {
        let count = *self.answered.read().unwrap_or_else(PoisonError::into_inner);
        KubeletWay::of(self.options.via, &self.origin, count, self.proxy.known())
    }

    /// What an operator should know although nothing fails.
    pub fn notices(&self) -> Vec<String> {
        let mut notices = Vec::new();
        if !self.kubelets.verifies() {
            let why = if self.options.kubelet_insecure {
                "kubeletInsecure=true"
            } else {
                "no certificate authority is configured, and insecure=true or Heapster's options"
            };
            notices.push(format!("kubelets' certificates are not verified: {why}"));
        }
        if self.options.via == Via::Proxy {
            notices.push(
                "kubelets are asked through the API server, which needs the right nodes/proxy"
                    .to_owned(),
            );
        }
        notices
    }

    fn discover(&self) -> Vec<Discovered> {
        let inventory = self.inventory.read().unwrap_or_else(PoisonError::into_inner);
        let mine = |node: &&Arc<Node>| self.mine.as_ref().is_none_or(|mine| mine(&node.name));
        let mut nodes: Vec<Arc<Node>> = inventory.nodes().filter(mine).map(Arc::clone).collect();
        drop(inventory);
        nodes.order_by(|left, right| left.name.cmp(&right.name));
        nodes.into_iter().map(|node| Discovered::new(node, &self.options)).collect()
    }

    async fn scrape_all(&self, window: Window, draft: Draft) -> Draft {
        let mut state = self.state.lock().await;
        state.count = Count::default();
        let draft = self.scrape_nodes(window, draft, &mut state).await;
        *self.answered.write().unwrap_or_else(PoisonError::into_inner) = state.count;
        draft
    }

    async fn scrape_nodes(&self, window: Window, mut draft: Draft, state: &mut State) -> Draft {
        let nodes = self.discover();
        self.know_names(&self.all_nodes());
        state
            .history
            .retain(|name, _| nodes.binary_search_by(|node| (*node.node.name).cmp(name)).is_ok());
        let jobs = self.jobs(&nodes, window, state, &mut draft);
        let entry = match self.kubelets.entry().await {
            Ok(entry) => entry,
            Err(failure) => {
                for job in &jobs {
                    self.failed(job, failure.clone(), state, &mut draft);
                }
                return draft;
            }
        };
        // In the order of their phases, so that what waits is only what is due next.
        let mut order: Vec<usize> = (0..jobs.len()).collect();
        order.sort_by_key(|at| jobs[*at].begin);
        let fetches = order.into_iter().map(|at| {
            let fetch = self.fetch(&jobs[at], &entry, window.deadline);
            async move { (at, fetch.await) }
        });
        let mut running = stream::iter(fetches).buffer_unordered(self.options.kubelet_concurrency);
        let mut open = vec![true; jobs.len()];
        while let Ok(Some((at, fetched))) =
            tokio::time::timeout_at(window.deadline, running.next()).await
        {
            if let (Some(job), Some(open)) = (jobs.get(at), open.get_mut(at)) {
                *open = false;
                self.finish(job, fetched, state, &mut draft);
            }
        }
        drop(running);
        for (job, _) in jobs.iter().zip(open).filter(|(_, open)| *open) {
            let failure = Failure {
                hop: Hop::Timeout,
                reason: "no whole answer before the tick's deadline".to_owned(),
                advice: "look at the node's load and network, or raise kubeletConcurrency"
                    .to_owned(),
            };
            self.failed(job, failure, state, &mut draft);
        }
        draft
    }

    /// Tells the certificate verifier which node has which address: of all nodes, since the quick
    /// loop asks those of other replicas too.
    fn know_names(&self, nodes: &[Arc<Node>]) {
        let mut addresses = HashSet::with_capacity(nodes.len());
        for node in nodes {
            if let Ok((address, _)) = address(node, &self.options) {
                self.kubelets.names.put(&address, &node.name);
                addresses.insert(address);
            }
        }
        self.kubelets.names.retain(|address| addresses.contains(address));
    }

    /// What to fetch, and targets for what is skipped.
    fn jobs(
        &self,
        nodes: &[Discovered],
        window: Window,
        state: &mut State,
        draft: &mut Draft,
    ) -> Vec<Job> {
        let spread = spread(nodes.len());
        let begin = Instant::now();
        let now = self.clock.now();
        let own_series = nodes.len() <= telemetry::MAX_NODE_SERIES;
        let mut jobs = Vec::with_capacity(nodes.len());
        for discovered in nodes {
            let name: Arc<str> = match state.history.get_key_value(&*discovered.node.name) {
                Some((name, _)) => Arc::clone(name),
                None => Arc::from(&*discovered.node.name),
            };
            match &discovered.target {
                Err(reason) => {
                    let history = state.history.entry(Arc::clone(&name)).or_default();
                    draft.report(history.skipped(&name, reason, now));
                }
                Ok(target) => jobs.push(Job {
                    node: Arc::clone(&discovered.node),
                    own_series,
                    address: target.0.clone(),
                    port: target.1,
                    begin: begin + phase(&name, spread),
                    start: window.start,
                    end: window.end,
                    proxied: self.options.via == Via::Proxy
                        || state.history.get(&name).is_some_and(|history| history.proxied),
                    modern: state.history.get(&name).is_some_and(|history| history.modern),
                    name,
                }),
            }
        }
        jobs
    }

    fn finish(&self, job: &Job, fetched: Fetched, state: &mut State, draft: &mut Draft) {
        let now = self.clock.now();
        let modern = matches!(fetched.result, Ok((Format::Summary | Format::Resource, _)));
        let read = fetched.result.and_then(|(format, body)| {
            let decoder = &mut state.decoder;
            let read = match format {
                Format::Summary => decoder.summary(&body, &job.node, now, draft),
                Format::Resource => decoder.resource(&body, &job.node, now, draft),
                Format::Cadvisor => decoder.exposition(&body, &job.node, now, draft),
                Format::Container => decoder.container_stats(&body, &job.node, now, draft),
            };
            read.map(|()| body.len() as u64).map_err(|error| Failure {
                hop: Hop::Decode,
                reason: format!("the answer cannot be read: {error}"),
                advice:
                    "check what answers at this address, and report the body if it is a kubelet"
                        .to_owned(),
            })
        });
        if let Err(failure) = &read {
            metrics::counter!(telemetry::REQUESTS_FAILED, "hop" => failure.hop.name()).increment(1);
        }
        let kind = if self.options.endpoint == Endpoint::Container && !modern {
            "kubelet"
        } else {
            "kubelet_summary"
        };
        let source = if job.own_series {
            format!("{kind}:{}:{}", job.address, job.port)
        } else {
            format!("{kind}:{}", telemetry::ALL_NODES)
        };
        let seconds = Value::Int(now.secs()).as_f64();
        metrics::gauge!(telemetry::SCRAPER_LAST_TIME, "source" => source.clone()).set(seconds);
        let took_ms = fetched.took.as_secs_f64() * 1e3;
        metrics::histogram!(telemetry::SCRAPER_DURATION, "source" => source).record(took_ms);
        match (&read, fetched.proxied) {
            (Ok(_), false) => state.count.direct += 1,
            (Ok(_), true) => state.count.proxied += 1,
            (Err(_), _) => state.count.failed += 1,
        }
        let history = state.history.entry(Arc::clone(&job.name)).or_default();
        history.proxied = fetched.proxied && read.is_ok();
        history.modern |= modern;
        let verified = fetched.verified;
        let outcome = Outcome { url: fetched.url, took: fetched.took, read, now, verified };
        draft.report(history.asked(&job.name, outcome));
    }

    fn failed(&self, job: &Job, failure: Failure, state: &mut State, draft: &mut Draft) {
        metrics::counter!(telemetry::REQUESTS_FAILED, "hop" => failure.hop.name()).increment(1);
        state.count.failed += 1;
        let now = self.clock.now();
        let history = state.history.entry(Arc::clone(&job.name)).or_default();
        let url = self.kubelets.url(&job.route(), self.path(&job.node));
        let took = job.begin.elapsed();
        let verified = Verified::NotAsked;
        let outcome = Outcome { url: url.into(), took, read: Err(failure), now, verified };
        draft.report(history.asked(&job.name, outcome));
    }
}

impl Source for KubernetesSource {
    fn name(&self) -> &str {
        &self.options.key
    }

    fn scrape(&self, window: Window, draft: Draft) -> BoxFuture<'_, Draft> {
        Box::pin(self.scrape_all(window, draft))
    }
}
