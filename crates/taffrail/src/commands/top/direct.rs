//! `top` straight against a cluster or this machine: measures in this process, keeps nothing, and
//! listens on no port.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use api::{ApiOptions, ApiParts, ApiState, Facts};
use http::Method;
use metrics_exporter_prometheus::PrometheusHandle;
use model::{EntityKind, LabelOptions, metric};
use pipeline::{Clock, Pipeline, TickOptions};
use query::{Window, WindowOptions};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use top::{Answer, Api, Error};

use super::served::{PREFIX, judged};
use crate::adapters::EmbeddedDashboard;
use crate::app::measure::{self, Measured};
use crate::config::{Config, Dialect};
use crate::exit::Failure;
use crate::facts::{ProcessFacts, cluster_facts};
use crate::input::Input;
use crate::remote::MAX_ANSWER_BYTES;

/// Between two measurements: kubelets measure every ten seconds or so.
const RESOLUTION: Duration = Duration::from_secs(5);
/// How long the watches' first lists may take.
const FIRST_LISTS: Duration = Duration::from_secs(20);
/// How long a rate may take to be known.
const FIRST_RATES: Duration = Duration::from_secs(40);
/// How often it is looked whether rates are there.
const LOOK: Duration = Duration::from_millis(100);

/// A measurement that goes on until it is told to stop.
pub(super) struct Measuring {
    name: String,
    state: Arc<ApiState>,
    window: Arc<Window>,
}

impl Measuring {
    /// Begins to measure `source`.
    pub(super) async fn start(
        source: Option<String>,
        self_metrics: PrometheusHandle,
        stop: CancellationToken,
    ) -> Result<Self, Failure> {
        let config = config(source);
        let input = Input::resolve(&config).await?;
        let clock = Clock::system();
        let measured = measure::measured(input, clock)?;
        let facts = facts(&measured, &config, clock, self_metrics.clone());
        let window = Arc::new(Window::new(WindowOptions::default()));
        let state = ApiState::new(ApiParts {
            window: Arc::clone(&window),
            inventory: Arc::clone(&measured.inventory),
            status: Arc::new(facts),
            labels: LabelOptions::default(),
            clock: Arc::new(move || clock.now()),
            options: ApiOptions::default(),
            self_metrics,
            dashboard: Arc::new(EmbeddedDashboard),
            archive: None,
            past: None,
            resources: Arc::new(query::ResourceWindows::new(query::ResourceOptions::default())),
            database: Arc::new(query::promql::MemorySeries::default()),
            alerts: Arc::default(),
            intake: Arc::new(()),
            push: api::PushAccess::Closed,
            people: api::PeopleParts::default(),
        });
        let Measured { source, inventory, cluster, .. } = measured;
        let name = cluster
            .as_ref()
            .map_or_else(|| source.name().to_owned(), |(_, connection)| connection.url().clone());
        let options = TickOptions { resolution: RESOLUTION, ..TickOptions::default() };
        let taken = Arc::clone(&window);
        let pipeline =
            Pipeline::new(clock, source, inventory, options).with_consumer(move |batch| {
                if let Err(rejected) = taken.append(batch) {
                    tracing::warn!(%rejected, "batch not shown");
                }
            });
        if let Some((watches, _)) = &cluster
            && timeout(FIRST_LISTS, watches.board.settled()).await.is_err()
        {
            return Err(Failure::unavailable(format!(
                "{name} does not list its objects; `taffrail doctor` says which hop fails and what \
                 to change"
            )));
        }
        tokio::spawn(async move {
            // The watches end with what holds them.
            let _watches = cluster;
            pipeline.run(stop.cancelled_owned()).await
        });
        Ok(Self { name, state, window })
    }

    /// Waits until something has a rate: two measurements. Says so when a person waits.
    pub(super) async fn wait_for_rates(&self, tell: bool) -> Result<(), Failure> {
        let begun = Instant::now();
        let mut told = None;
        while !self.has_rates() {
            let failed = self.window.latest().filter(|batch| {
                batch.targets().iter().all(|target| target.last_success.is_never())
            });
            if begun.elapsed() > FIRST_RATES
                || (failed.is_some() && begun.elapsed() > 2 * RESOLUTION)
            {
                self.tell(tell && told.is_some(), "");
                return Err(Failure::unavailable(format!(
                    "nothing of {} could be measured; `taffrail doctor` says which hop fails and \
                     what to change",
                    self.name
                )));
            }
            let seconds = begun.elapsed().as_secs();
            if told != Some(seconds) {
                told = Some(seconds);
                let text = format!("measuring {}, rates need two samples: {seconds} s", self.name);
                self.tell(tell, &text);
            }
            sleep(LOOK).await;
        }
        self.tell(tell && told.is_some(), "");
        Ok(())
    }

    /// A line of progress in place of the one before.
    #[expect(clippy::unused_self, reason = "reads better where it is used")]
    fn tell(&self, tell: bool, text: &str) {
        if tell {
            // Progress that cannot be shown is no failure.
            drop(write!(io::stderr(), "\r\x1b[K{text}"));
        }
    }

    fn has_rates(&self) -> bool {
        self.window.latest().is_some_and(|batch| {
            let nodes = batch.table(EntityKind::Node);
            nodes.column(metric::CPU_USAGE_RATE).is_some_and(|column| !column.is_empty())
        })
    }

    async fn ask(&self, method: Method, path: &str, body: Vec<u8>) -> Result<Vec<u8>, Error> {
        let whole = format!("{PREFIX}{path}");
        let (status, body) =
            api::ask(&self.state, method, &whole, body.into(), MAX_ANSWER_BYTES).await;
        judged(&self.name, path, status, body.into())
    }
}

impl Api for Measuring {
    fn name(&self) -> &str {
        &self.name
    }

    fn get<'a>(&'a self, path: &'a str) -> Answer<'a> {
        Box::pin(self.ask(Method::GET, path, Vec::new()))
    }

    fn post<'a>(&'a self, path: &'a str, body: Vec<u8>) -> Answer<'a> {
        Box::pin(self.ask(Method::POST, path, body))
    }
}

fn facts(
    measured: &Measured,
    config: &Config,
    clock: Clock,
    self_metrics: PrometheusHandle,
) -> ProcessFacts {
    let facts = Facts {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        source: measured.source.name().to_owned(),
        cluster: measured.cluster.as_ref().map(|(_, connection)| cluster_facts(connection)),
        started_at: clock.now(),
        resolution: RESOLUTION,
        problems: Vec::new(),
    };
    let subject = measured.subject(config, clock, self_metrics);
    ProcessFacts::new(facts, subject, Vec::new(), Arc::new([]))
}

fn config(source: Option<String>) -> Config {
    Config { source, resolution: Some(RESOLUTION), ..Config::bare(Dialect::Taffrail) }
}
