//! The application: everything is built before anything runs, so that a test can bind port 0 and
//! ask for the address.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use api::{ApiOptions, ApiParts, ApiState, ClusterFacts, Facts};
use cluster::{Connection, WatchBoard, Watches};
use metrics_exporter_prometheus::PrometheusHandle;
use pipeline::{Clock, Pipeline, Source, Stopped};
use query::{Window, WindowOptions};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::adapters::{EmbeddedDashboard, StoredSamples};
use crate::config::Config;
use crate::exit::Failure;
use crate::facts::{self, ProcessFacts, cluster_facts};
use crate::input::Input;
use crate::outputs;

mod alerting;
mod answers;
mod deliver;
pub(crate) mod events;
mod history;
mod itself;
mod listen;
pub(crate) mod measure;
mod past;
mod people;
mod replicas;
mod resources;
mod samples;
pub(crate) mod scraping;
mod secure;
mod stated;
mod whole;

use answers::Answers;
use events::EventIntake;
use history::History;
use itself::Itself;
use listen::Ports;
use measure::Measured;
use replicas::Replicas;
use scraping::Scraping;

pub(crate) use alerting::Reload;

/// How long the first tick waits for the watches' first lists.
const FIRST_LISTS: Duration = Duration::from_secs(30);

/// A server that is ready to run and listens already.
pub(crate) struct App {
    address: SocketAddr,
    resolution: Duration,
    source: Arc<dyn Source>,
    ports: Ports,
    resources: resources::Resources,
    state: Arc<ApiState>,
    window: Arc<Window>,
    history: Option<History>,
    events: Option<EventIntake>,
    pipeline: Pipeline,
    facts: ProcessFacts,
    cluster: Option<(Watches, Connection)>,
    replicas: Option<Replicas>,
    answers: Answers,
    scraping: Option<Scraping>,
    itself: Itself,
    clock: Clock,
}

fn facts_at_start(
    config: &Config,
    measured: &Measured,
    resolution: Duration,
    clock: Clock,
) -> Facts {
    let called = |mut cluster: ClusterFacts| {
        cluster.name = config.cluster.clone().unwrap_or(cluster.name);
        cluster
    };
    let cluster = measured.cluster.as_ref().map(|(_, connection)| cluster_facts(connection));
    Facts {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        source: measured.source.name().to_owned(),
        cluster: cluster.map(called),
        started_at: clock.now(),
        resolution,
        problems: Vec::new(),
    }
}

/// What tells of history, replicas and kubelets.
fn holdings(
    history: Option<&History>,
    measured: &Measured,
    reload: Reload,
    scraping: Option<&Scraping>,
) -> facts::Holdings {
    facts::Holdings {
        store: history.map(History::holdings),
        replicas: measured.replicas.as_ref().map(Replicas::holdings),
        kubelets: measured.kubelets.as_ref().map(facts::way_of),
        reload: Some(reload),
        scraping: scraping.cloned(),
    }
}

/// Settings of the HTTP side.
fn api_options(config: &Config) -> ApiOptions {
    ApiOptions {
        disable_export: config.disable_export,
        disable_metric_sink: config.disable_metric_sink,
        old_resource_version: config.apis.old_version,
        dashboard_working_set: config.apis.dashboard_working_set,
    }
}

/// With an archive, a batch before the newest is there already.
fn window_options(archived: bool) -> WindowOptions {
    let options = WindowOptions { archived, ..WindowOptions::default() };
    if archived { WindowOptions { min_batches: 2, ..options } } else { options }
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
        let listener = listen::listen(config).await?;
        let address = listener.local_addr().map_err(Failure::unavailable)?;
        let outputs = outputs::build(config, clock)?;
        let history = History::open(config, &input, clock).await?;
        let mut measured = measure::begin(config, input, resolution, clock).await?;
        let events = EventIntake::begin(config, history.as_ref(), &mut measured, clock)?;
        let (reload, rule_files) = alerting::reload(config);
        let window = Arc::new(Window::new(window_options(history.is_some())));
        let resources = resources::Resources::plan(config, resolution, &measured);
        let ports = listen::others(config, listener, &measured).await?;
        let rules = (rule_files, measured.replicas.as_ref().map(Replicas::membership));
        let kept = (&window, history.as_ref());
        let answers = Answers::open(config, resolution, kept, rules, clock).await?;
        let scraping = Scraping::plan(config, &mut measured, &answers.stored, clock)?;
        let itself = (&self_metrics, address);
        let itself = Itself::plan(config, resolution, &answers.stored, itself, clock);
        let facts = ProcessFacts::new(
            facts_at_start(config, &measured, resolution, clock),
            measured.subject(config, clock, self_metrics.clone()),
            troubles(history.as_ref(), measured.replicas.as_ref(), &reload),
            statuses(&outputs, events.as_ref(), &answers),
        )
        .holding(holdings(history.as_ref(), &measured, reload, scraping.as_ref()));
        let state = ApiState::new(ApiParts {
            window: Arc::clone(&window),
            inventory: Arc::clone(&measured.inventory),
            status: Arc::new(facts.clone()),
            labels: config.labels.clone(),
            clock: Arc::new(move || clock.now()),
            options: api_options(config),
            self_metrics,
            dashboard: Arc::new(EmbeddedDashboard),
            archive: history.as_ref().map(History::archive),
            resources: Arc::clone(resources.windows()),
            past: past::past(config, history.as_ref().map(History::store).as_ref())?,
            database: Arc::clone(&answers.database),
            alerts: Arc::clone(&answers.board),
            intake: Arc::<StoredSamples>::clone(&answers.stored),
            push: config.push_access(config.listen)?,
            people: people::people(config, &measured, clock)?,
        });
        let taking = (&window, answers.stated.states(), history.as_ref(), resources.ticked());
        let pipeline = deliver::pipeline(config, resolution, clock, &measured, taking, outputs);
        let Measured { source, cluster, replicas, .. } = measured;
        Ok(Self {
            address,
            resolution,
            source,
            ports,
            resources,
            state,
            window,
            history,
            events,
            pipeline,
            facts,
            cluster,
            replicas,
            answers,
            scraping,
            itself,
            clock,
        })
    }

    /// The address that it listens on.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the secure port listens, if there is one.
    pub(crate) fn secure_address(&self) -> Option<SocketAddr> {
        self.ports.secure.as_ref().map(|(address, _)| *address)
    }

    /// One line for people: where, what, how often, kept where.
    pub(crate) fn greeting(&self, scheme: &str) -> String {
        let (source, every) = (self.source.name(), self.resolution.as_secs_f64());
        let kept = self.kept();
        let secure = self.secure_address();
        format!(
            "Taffrail serves {scheme}://{}/ (source {source}, every {every} s, {kept}){}{}",
            self.address,
            secure.map_or(String::new(), |at| format!("\nmetrics.k8s.io: https://{at}/")),
            self.ports.grpc.map_or(String::new(), |at| format!("\nOTLP over gRPC: {at}")),
        )
    }

    /// Where history is kept, for people.
    pub(crate) fn kept(&self) -> String {
        match &self.history {
            Some(history) => history.to_string(),
            None => "no history on disk".to_owned(),
        }
    }

    /// Runs until `shutdown` is ready: ticks stop first, then sinks drain, then
    /// history is made safe, then the API stops, which runs on the threads of `answering`.
    pub(crate) async fn run(
        self,
        answering: &Handle,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), Failure> {
        let (stop_api, api_stops) = oneshot::channel::<()>();
        let mut tasks = JoinSet::new();
        let state = Arc::clone(&self.state);
        let listeners = self.ports.listeners;
        let serving = async move {
            // A dropped sender means the same as a message.
            api::serve(listeners, state, async move { drop(api_stops.await) }).await;
            "api"
        };
        tasks.spawn_on(serving, answering);
        if let Some((_, keeper)) = self.ports.secure {
            tasks.spawn(keeper.run());
        }
        let (kept, taker) = self.answers.spawn(&mut tasks, self.clock);
        scraping::spawn(self.scraping, self.itself, &mut tasks);
        self.resources.spawn(&mut tasks, self.cluster.as_ref().map(|(watches, _)| &watches.board));
        deliver::follow(&self.pipeline, (self.window, self.state), &mut tasks);
        let membership = self.replicas.as_ref().map(Replicas::membership);
        if let Some(replicas) = self.replicas {
            tasks.spawn(replicas.run(taker));
        }
        let shutdown = replicas::leaving(shutdown, membership);
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
        let (stop_events, events_stop) = oneshot::channel::<()>();
        let events = self.events.map(|events| tokio::spawn(events.run(events_stop)));
        let mut shutdown = std::pin::pin!(shutdown);
        let asked_early = tokio::select! {
            () = first_lists(board) => false,
            () = &mut shutdown => true,
        };
        let stopped = if asked_early {
            Stopped::Asked { undelivered: 0 }
        } else {
            tokio::select! {
                stopped = self.pipeline.run(shutdown) => stopped,
                reason = measure::ended(watches.as_mut()) => {
                    Stopped::Failed { task: "watch".to_owned(), reason }
                }
                Some(ended) = tasks.join_next() => Stopped::Failed {
                    task: ended.as_ref().map_or("task", |name| name).to_owned(),
                    reason: ended.err().map_or_else(|| "it ended".to_owned(), |e| e.to_string()),
                },
            }
        };
        drop(stop_events);
        events::ended(events).await;
        kept.close().await;
        if let Some(history) = self.history {
            history.close().await;
        }
        drop(stop_api);
        finish(tasks, stopped).await
    }
}

/// Waits a while until the watches know what there is.
async fn first_lists(board: Option<WatchBoard>) {
    if let Some(board) = board
        && timeout(FIRST_LISTS, board.settled()).await.is_err()
    {
        tracing::warn!("the API server has not listed its objects yet, ticking anyway");
    }
}

/// Who answers for how the sinks of metrics, events and alerts stand.
fn statuses(
    outputs: &[sinks::Sink],
    events: Option<&EventIntake>,
    answers: &Answers,
) -> Arc<[sinks::StatusHandle]> {
    let of_metrics = outputs.iter().filter_map(sinks::Sink::status);
    let of_events = events.into_iter().flat_map(EventIntake::statuses);
    of_metrics.chain(of_events).chain(answers.statuses()).collect()
}

/// What may be wrong beside the way to the API server.
fn troubles(
    history: Option<&History>,
    replicas: Option<&Replicas>,
    reload: &Reload,
) -> Vec<facts::Trouble> {
    let others = history.map(History::trouble).into_iter().chain(replicas.map(Replicas::trouble));
    others.chain([reload.trouble()]).collect()
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
