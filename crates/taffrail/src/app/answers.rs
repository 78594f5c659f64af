//! What is asked by PromQL: measured columns, states of objects, samples; and the rules over it.

use std::sync::Arc;
use std::time::Duration;

use cluster::replicas::Membership;
use pipeline::Clock;
use query::promql::{Database, Union};
use query::{Views, Window};
use rules::AlertBoard;
use store::Samples;
use tokio::task::JoinSet;

use super::alerting::{Alerting, Files, Ground, board};
use super::history::History;
use super::samples;
use super::stated::Stated;
use crate::adapters::{StoredColumns, StoredSamples};
use crate::config::Config;
use crate::exit::Failure;

/// Every series, and what rules make of them.
pub(crate) struct Answers {
    /// Every series.
    pub(crate) database: Arc<dyn Database>,
    /// Rules, alerts and silences as others see them.
    pub(crate) board: Arc<AlertBoard>,
    /// Where pushed samples go.
    pub(crate) stored: Arc<StoredSamples>,
    /// What objects were.
    pub(super) stated: Stated,
    samples: Arc<Samples>,
    alerting: Alerting,
}

/// What has to be made safe in the end.
pub(super) struct Kept {
    samples: Arc<Samples>,
    stated: Stated,
}

impl Answers {
    /// Who answers for how the sinks of alerts stand.
    pub(super) fn statuses(&self) -> impl Iterator<Item = sinks::StatusHandle> {
        self.alerting.statuses()
    }

    /// Opens the samples and states, reads the rules and what is known of their alerts.
    pub(super) async fn open(
        config: &Config,
        resolution: Duration,
        (window, history): (&Arc<Window>, Option<&History>),
        rules: (Files, Option<Membership>),
        clock: Clock,
    ) -> Result<Self, Failure> {
        let stated = Stated::open(history).await;
        let columns = StoredColumns::new(history.map(History::store), Arc::clone(window));
        let views = Arc::new(Views::new(Arc::new(columns), Arc::clone(stated.states())));
        let samples = samples::open(config, history, clock).await?;
        let stored = Arc::new(StoredSamples::new(Arc::clone(&samples), clock));
        let database: Arc<dyn Database> =
            Arc::new(Union::new(vec![views, Arc::<StoredSamples>::clone(&stored)]));
        let board = board(history.map(|history| history.store().dir().to_owned()));
        let ground = Ground { database: &database, samples: &samples, board: &board };
        let alerting = Alerting::build(config, resolution, &ground, rules, clock)?;
        Ok(Self { database, board, stored, stated, samples, alerting })
    }

    /// Begins to evaluate and to keep; answers what has to be closed in the end, and what takes
    /// scrapes of other replicas.
    pub(super) fn spawn(
        self,
        tasks: &mut JoinSet<&'static str>,
        clock: Clock,
    ) -> (Kept, replicas::Taker) {
        tasks.spawn(samples::keep(Arc::clone(&self.samples), clock));
        tasks.spawn(self.alerting.run());
        tasks.spawn(self.stated.clone().keep());
        let taker = super::scraping::taker(&self.stored);
        (Kept { samples: self.samples, stated: self.stated }, taker)
    }
}

impl Kept {
    /// Makes the last samples and states safe.
    pub(super) async fn close(self) {
        samples::close(self.samples).await;
        self.stated.save().await;
    }
}
