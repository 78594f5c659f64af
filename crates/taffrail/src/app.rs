//! The application: everything is built before anything runs, so that a test can bind port 0 and
//! ask for the address.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use api::{ApiOptions, ApiParts, ApiState, Facts, Listener};
use cluster::{Cluster, Connection, KubernetesSource, Watches};
use host::HostSource;
use metrics_exporter_prometheus::PrometheusHandle;
use model::SharedInventory;
use pipeline::{Clock, Pipeline, Source, Stopped, TickOptions, TickStatus};
use query::{Window, WindowOptions};
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::adapters::{EmbeddedDashboard, QueuedSink};
use crate::config::{Config, Dialect, HEAPSTER_SCRAPE_OFFSET, TlsFiles};
use crate::diagnosis::Subject;
use crate::exit::Failure;
use crate::facts::{ProcessFacts, cluster_facts};
use crate::input::Input;
use crate::outputs;

/// How long the first tick waits for the watches' first lists.
const FIRST_LISTS: Duration = Duration::from_secs(30);

/// A server that is ready to run and listens already.
pub(crate) struct App {
    address: SocketAddr,
    resolution: Duration,
    source: Arc<dyn Source>,
    listener: Listener,
    state: Arc<ApiState>,
    window: Arc<Window>,
    pipeline: Pipeline,
    facts: ProcessFacts,
    cluster: Option<(Watches, Connection)>,
    clock: Clock,
}

/// A source with what it needs around it.
struct Measured {
    source: Arc<dyn Source>,
    inventory: SharedInventory,
    cluster: Option<(Watches, Connection)>,
}

impl Measured {
    /// What a diagnosis of this process tries.
    fn subject(&self, config: &Config, clock: Clock, self_metrics: PrometheusHandle) -> Subject {
        let cluster = self.cluster.as_ref();
        // Only the kind: the rest of a sink's text may hold a password.
        let kind = |text: &String| text.split(':').next().unwrap_or_default().to_owned();
        Subject {
            connection: cluster.map(|(_, connection)| connection.clone()),
            watches: cluster.map(|(watches, _)| watches.board.clone()),
            sinks: config.sinks.iter().map(kind).collect(),
            self_metrics,
            clock,
        }
    }
}

impl App {
    /// Builds everything and binds the port; runs nothing but the watches.
    pub(crate) async fn build(
        config: &Config,
        input: Input,
        self_metrics: PrometheusHandle,
    ) -> Result<Self, Failure> {
        let clock = Clock::system();
        let resolution = config.resolution.unwrap_or_else(|| input.default_resolution());
        let listener = listen(config).await?;
        let address = listener.local_addr().map_err(Failure::unavailable)?;
        let outputs = outputs::build(config)?;
        let measured = measured(input, clock)?;
        let facts = ProcessFacts::new(
            Facts {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                source: measured.source.name().to_owned(),
                cluster: measured.cluster.as_ref().map(|(_, connection)| cluster_facts(connection)),
                started_at: clock.now(),
                resolution,
                problems: Vec::new(),
            },
            measured.subject(config, clock, self_metrics.clone()),
        );
        let window = Arc::new(Window::new(WindowOptions::default()));
        let state = ApiState::new(ApiParts {
            window: Arc::clone(&window),
            inventory: Arc::clone(&measured.inventory),
            status: Arc::new(facts.clone()),
            labels: config.labels.clone(),
            clock: Arc::new(move || clock.now()),
            options: ApiOptions {
                disable_export: config.disable_export,
                disable_metric_sink: config.disable_metric_sink,
            },
            self_metrics,
            dashboard: Arc::new(EmbeddedDashboard),
        });
        let source = Arc::clone(&measured.source);
        let mut pipeline =
            Pipeline::new(clock, source, measured.inventory, tick_options(config, resolution))
                .with_consumer(taken_by(&window));
        for sink in outputs {
            pipeline = pipeline.with_sink(Box::new(QueuedSink::new(sink)));
        }
        let Measured { source, cluster, .. } = measured;
        Ok(Self {
            address,
            resolution,
            source,
            listener,
            state,
            window,
            pipeline,
            facts,
            cluster,
            clock,
        })
    }

    /// The address that it listens on.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// One line for people: where, what, how often.
    pub(crate) fn greeting(&self, scheme: &str) -> String {
        format!(
            "Taffrail serves {scheme}://{}/ (source {}, every {} s)",
            self.address,
            self.source.name(),
            self.resolution.as_secs_f64()
        )
    }

    /// Runs until `shutdown` is ready: ticks stop first, then sinks drain, then the API stops.
    pub(crate) async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), Failure> {
        let (stop_api, api_stops) = oneshot::channel::<()>();
        let mut tasks = JoinSet::new();
        let state = Arc::clone(&self.state);
        let listener = self.listener;
        tasks.spawn(async move {
            // A dropped sender means the same as a message.
            api::serve(vec![listener], state, async move { drop(api_stops.await) }).await;
            "api"
        });
        tasks.spawn(announce(self.pipeline.status(), self.window, self.state));
        let (mut watches, board) = match self.cluster {
            Some((watches, connection)) => {
                let board = watches.board.clone();
                let follow = self.facts.follow(connection, self.clock);
                tasks.spawn(async move {
                    follow.await;
                    "facts"
                });
                (Some(watches), Some(board))
            }
            None => (None, None),
        };
        let ticking = async {
            if let Some(board) = board
                && timeout(FIRST_LISTS, board.settled()).await.is_err()
            {
                tracing::warn!("the API server has not listed its objects yet, ticking anyway");
            }
        };
        let mut shutdown = std::pin::pin!(shutdown);
        let asked_early = tokio::select! {
            () = ticking => false,
            () = &mut shutdown => true,
        };
        let stopped = if asked_early {
            Stopped::Asked { undelivered: 0 }
        } else {
            tokio::select! {
                stopped = self.pipeline.run(shutdown) => stopped,
                reason = ended(watches.as_mut()) => {
                    Stopped::Failed { task: "watch".to_owned(), reason }
                }
                Some(ended) = tasks.join_next() => Stopped::Failed {
                    task: ended.as_ref().map_or("task", |name| name).to_owned(),
                    reason: ended.err().map_or_else(|| "it ended".to_owned(), |e| e.to_string()),
                },
            }
        };
        drop(stop_api);
        finish(tasks, stopped).await
    }
}

/// Lets the API answer what is open, ends the rest, and says how it went.
async fn finish(mut tasks: JoinSet<&'static str>, stopped: Stopped) -> Result<(), Failure> {
    let served = async {
        while let Some(ended) = tasks.join_next().await {
            if ended.is_ok_and(|name| name == "api") {
                break;
            }
        }
    };
    if timeout(API_DRAIN, served).await.is_err() {
        tracing::warn!("requests were still open and are cut off");
    }
    tasks.shutdown().await;
    match stopped {
        Stopped::Asked { undelivered: 0 } => Ok(()),
        Stopped::Asked { undelivered } => {
            tracing::warn!(undelivered, "stopped before every batch reached its sink");
            Ok(())
        }
        Stopped::Failed { task, reason } => {
            Err(Failure { code: crate::exit::FAILURE, message: format!("{task} failed: {reason}") })
        }
    }
}

/// How long open requests may take once the ticks have stopped.
const API_DRAIN: Duration = Duration::from_secs(6);

async fn ended(watches: Option<&mut Watches>) -> String {
    match watches {
        Some(watches) => watches.ended().await,
        None => std::future::pending().await,
    }
}

/// Tells open event streams of each batch, once its tick is complete.
async fn announce(
    mut ticks: watch::Receiver<TickStatus>,
    window: Arc<Window>,
    state: Arc<ApiState>,
) -> &'static str {
    while ticks.changed().await.is_ok() {
        let took = ticks.borrow_and_update().took;
        if let Some(batch) = window.latest() {
            state.batch_arrived(&batch, took);
        }
    }
    // The pipeline is gone: this task has nothing more to tell and must not end before it.
    std::future::pending().await
}

fn taken_by(window: &Arc<Window>) -> impl Fn(&Arc<model::Batch>) + Send + 'static {
    let window = Arc::clone(window);
    move |batch| {
        if let Err(rejected) = window.append(batch) {
            tracing::warn!(timestamp = %batch.timestamp(), %rejected, "batch not shown");
        }
    }
}

fn measured(input: Input, clock: Clock) -> Result<Measured, Failure> {
    match input {
        Input::Host => {
            let inventory = SharedInventory::default();
            let options = host::Options::default();
            let source = HostSource::new(options, clock, Arc::clone(&inventory));
            Ok(Measured { source: Arc::new(source), inventory, cluster: None })
        }
        Input::Cluster(connection) => {
            tracing::info!(url = connection.url(), settings = %connection.origin(), "API server");
            let Cluster { inventory, watches } = Cluster::start(&connection, clock);
            let source = KubernetesSource::new(&connection, Arc::clone(&inventory), clock)
                .map_err(Failure::config)?;
            for notice in source.notices() {
                tracing::warn!("{notice}");
            }
            Ok(Measured {
                source: Arc::new(source),
                inventory,
                cluster: Some((watches, *connection)),
            })
        }
    }
}

fn tick_options(config: &Config, resolution: Duration) -> TickOptions {
    let scrape_offset = match config.dialect {
        Dialect::Taffrail => Duration::ZERO,
        Dialect::Heapster => HEAPSTER_SCRAPE_OFFSET,
    };
    TickOptions {
        resolution,
        scrape_offset,
        sink_timeout: config.sink_timeout,
        ..TickOptions::default()
    }
}

async fn listen(config: &Config) -> Result<Listener, Failure> {
    let address = config.listen;
    let socket = TcpListener::bind(address).await.map_err(|error| {
        Failure::unavailable(format!(
            "cannot listen on {address}: {error}; stop what listens there, or choose another \
             address with {}",
            match config.dialect {
                Dialect::Taffrail => "--listen (port 0 takes a free one)",
                Dialect::Heapster => "--listen-ip and --heapster-port",
            }
        ))
    })?;
    if !crate::cli::is_loopback(address.ip()) {
        tracing::warn!(%address, "reachable from other machines, and there is no login");
    }
    match &config.tls {
        None => Ok(Listener::plain(socket)),
        Some(files) => Ok(Listener::with_tls(socket, tls(files)?)),
    }
}

fn tls(files: &TlsFiles) -> Result<api::Tls, Failure> {
    let read = |path: &std::path::Path| {
        std::fs::read(path)
            .map_err(|error| Failure::config(format!("cannot read {}: {error}", path.display())))
    };
    let client_ca = files.client_ca.as_deref().map(read).transpose()?;
    let (certificate, key) = (read(&files.certificate)?, read(&files.key)?);
    api::Tls::new(&certificate, &key, client_ca.as_deref(), &files.allowed_users).map_err(|error| {
        Failure::config(format!(
            "TLS of the main port ({}, {}): {error}",
            files.certificate.display(),
            files.key.display()
        ))
    })
}
