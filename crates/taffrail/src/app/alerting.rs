//! Rules while the process runs: evaluated at their times, shown on the board, told to receivers.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::counter;
use model::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use pipeline::Clock;
use query::promql::{Database, Options, Union};
use rules::{Alert, AlertBoard, Change, ChangeKind, GroupRun, Journal, Setting, Silences};
use sinks::AlertSink;
use store::Samples;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::sleep;

use super::history::History;
use crate::adapters::{RuleLedger, StoredSamples};
use crate::config::Config;
use crate::exit::Failure;
use crate::outputs;
use crate::rule_files;

mod keep;

use keep::Folder;

/// How often an alert that goes on is sent again to an Alertmanager, as Prometheus does.
const RESEND: Duration = Duration::from_mins(1);
/// The longest pause between evaluations where nobody says how long.
const DEFAULT_INTERVAL: Duration = Duration::from_mins(1);
/// After how many evaluations an alert of an earlier process that is not there is over.
const SETTLED_AFTER: u32 = 3;
/// Name of the sink that hears of every alert again and again.
const ALERTMANAGER: &str = "Alertmanager Sink";
/// Counter: evaluations that were left out because those before took too long.
const MISSED: &str = "taffrail_rule_group_iterations_missed_total";

/// What is asked by PromQL, and what rules make of it.
pub(crate) struct Answers {
    /// Every series.
    pub(crate) database: Arc<dyn Database>,
    /// Rules, alerts and silences as others see them.
    pub(crate) board: Arc<AlertBoard>,
    /// Where pushed samples go.
    pub(crate) stored: Arc<StoredSamples>,
    samples: Arc<Samples>,
    alerting: Alerting,
}

impl Answers {
    /// Who answers for how the sinks of alerts stand.
    pub(super) fn statuses(&self) -> impl Iterator<Item = sinks::StatusHandle> {
        self.alerting.sinks.iter().filter_map(AlertSink::status)
    }

    /// Opens the samples, reads the rules and what is known of their alerts.
    pub(super) async fn open(
        config: &Config,
        resolution: Duration,
        views: Arc<dyn Database>,
        history: Option<&History>,
        clock: Clock,
    ) -> Result<Self, Failure> {
        let samples = super::samples::open(config, history, clock).await?;
        let stored = Arc::new(StoredSamples::new(Arc::clone(&samples), clock));
        let database: Arc<dyn Database> =
            Arc::new(Union::new(vec![views, Arc::<StoredSamples>::clone(&stored)]));
        let board = board(history.map(|history| history.store().dir().to_owned()));
        let alerting = Alerting::build(config, resolution, &board, &database, &samples, clock)?;
        Ok(Self { database, board, stored, samples, alerting })
    }

    /// Begins to evaluate and to keep; answers what has to be closed in the end, and what takes
    /// scrapes of other replicas.
    pub(super) fn spawn(
        self,
        tasks: &mut JoinSet<&'static str>,
        clock: Clock,
    ) -> (Arc<Samples>, replicas::Taker) {
        tasks.spawn(super::samples::keep(Arc::clone(&self.samples), clock));
        tasks.spawn(self.alerting.run());
        (self.samples, super::scraping::taker(&self.stored))
    }
}

/// Groups with what they need.
pub(crate) struct Alerting {
    groups: Vec<Scheduled>,
    board: Arc<AlertBoard>,
    ledger: Arc<RuleLedger>,
    sinks: Vec<AlertSink>,
    external_url: String,
    clock: Clock,
}

struct Scheduled {
    run: GroupRun,
    /// When it is evaluated next, milliseconds.
    next: i64,
    evaluations: u32,
}

/// The board that everybody sees, going on with what `folder` keeps.
pub(crate) fn board(folder: Option<PathBuf>) -> Arc<AlertBoard> {
    let Some(folder) = folder.map(Folder::new) else { return Arc::default() };
    let (silences, journal): (Silences, Journal) = folder.load();
    Arc::new(AlertBoard::new(silences, journal, Some(Arc::new(folder))))
}

impl Alerting {
    /// Reads the rules that `config` asks for. Must run inside a runtime.
    pub(crate) fn build(
        config: &Config,
        resolution: Duration,
        board: &Arc<AlertBoard>,
        database: &Arc<dyn Database>,
        samples: &Arc<Samples>,
        clock: Clock,
    ) -> Result<Self, Failure> {
        let mut groups = if config.rules.no_builtin { Vec::new() } else { rules::builtin() };
        groups.extend(rule_files::load(&config.rules.files).map_err(Failure::config)?);
        let interval = config.rules.interval.unwrap_or_else(|| resolution.min(DEFAULT_INTERVAL));
        let interval_ms = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX);
        let now = clock.now().millis();
        let groups: Vec<Scheduled> = groups
            .into_iter()
            .map(|group| {
                let run = GroupRun::new(group, interval_ms);
                board.show(&run);
                let next = after(now, run.interval_ms());
                Scheduled { run, next, evaluations: 0 }
            })
            .collect();
        let sinks = outputs::build_alerts(config, clock)?;
        let statuses: Vec<_> =
            sinks.iter().filter_map(|sink| Some((sink.name(), sink.status()?))).collect();
        board.set_receivers(Arc::new(move || {
            statuses.iter().map(|(name, status)| receiver(name, &status.status())).collect()
        }));
        let ledger =
            RuleLedger { database: Arc::clone(database), samples: Arc::clone(samples), clock };
        Ok(Self {
            groups,
            board: Arc::clone(board),
            ledger: Arc::new(ledger),
            sinks,
            external_url: config.rules.external_url.clone(),
            clock,
        })
    }

    /// Evaluates until it is dropped.
    pub(crate) async fn run(mut self) -> &'static str {
        if self.groups.is_empty() {
            std::future::pending::<()>().await;
        }
        loop {
            let next = self.groups.iter().map(|group| group.next).min().unwrap_or(i64::MAX);
            let wait = u64::try_from(next - self.clock.now().millis()).unwrap_or(0);
            sleep(Duration::from_millis(wait)).await;
            match spawn_blocking(move || self.step(next)).await {
                Ok(back) => self = back,
                Err(error) => {
                    tracing::error!(%error, "rules are no longer evaluated");
                    return "rules";
                }
            }
        }
    }

    /// Evaluates the groups that are due at `at`.
    fn step(mut self, at: i64) -> Self {
        let began = Instant::now();
        let mut groups = std::mem::take(&mut self.groups);
        for group in groups.iter_mut().filter(|group| group.next <= at) {
            let interval = group.run.interval_ms();
            let deadline = Duration::from_millis(interval.unsigned_abs());
            let group_began = Instant::now();
            let setting = Setting {
                external_url: &self.external_url,
                options: &Options::default(),
                canceled: &|| group_began.elapsed() > deadline,
                stopwatch: &|| began.elapsed().as_secs_f64(),
            };
            let done = group.run.evaluate(at, &*self.ledger, &setting);
            for (rule, reason) in done.failures {
                tracing::warn!(rule = &*rule, reason, "a rule could not be evaluated");
            }
            group.evaluations = group.evaluations.saturating_add(1);
            let mut changes = done.changes;
            if group.evaluations == SETTLED_AFTER {
                changes.extend(group.run.orphans(&self.board.journal(Journal::firing), at));
            }
            let changes = self.board.record(changes);
            self.board.show(&group.run);
            let resend = i64::try_from(RESEND.as_millis()).unwrap_or(i64::MAX);
            let due = group.run.due(at, resend);
            self.tell(at, &changes, &due, &group.run);
            let now = self.clock.now().millis();
            let next = group.next + interval;
            if next < now {
                let missed = (now - next) / interval;
                counter!(MISSED).increment(missed.unsigned_abs());
                group.next = after(now, interval);
            } else {
                group.next = next;
            }
        }
        self.groups = groups;
        self
    }

    /// Tells an Alertmanager of what is due, and others of what changed.
    fn tell(&mut self, at: i64, changes: &[Change], due: &[(Alert, i64)], run: &GroupRun) {
        if self.sinks.is_empty() {
            return;
        }
        let timestamp = Timestamp::from_millis(at);
        let audible = |alert: &Alert| self.board.holding(&alert.labels, at).is_empty();
        let repeated: Vec<model::Alert> = due
            .iter()
            .filter(|(alert, _)| audible(alert))
            .map(|(alert, _)| told(alert, &self.external_url))
            .collect();
        let is_told = |change: &&Change| {
            !change.silenced && matches!(change.kind, ChangeKind::Firing | ChangeKind::Resolved)
        };
        let news: Vec<model::Alert> = changes
            .iter()
            .filter(is_told)
            .map(|change| {
                let known = run.alerts().find(|alert| alert.id() == change.id);
                known.map_or_else(
                    || ended(change, &self.external_url),
                    |alert| told(alert, &self.external_url),
                )
            })
            .collect();
        for sink in &mut self.sinks {
            let alerts = if sink.name() == ALERTMANAGER { &repeated } else { &news };
            if alerts.is_empty() {
                continue;
            }
            let batch = model::AlertBatch { timestamp, alerts: alerts.clone() };
            if let Err(error) = sink.export(&batch) {
                tracing::warn!(sink = sink.name(), %error, "alerts were not taken");
            }
        }
    }
}

/// The first multiple of `interval` after `now`.
fn after(now: i64, interval: i64) -> i64 {
    (now.div_euclid(interval) + 1).saturating_mul(interval)
}

fn told(alert: &Alert, url: &str) -> model::Alert {
    let time = |millis: Option<i64>| millis.map_or(Timestamp::NEVER, Timestamp::from_millis);
    let labels = alert.labels.iter().filter(|(name, _)| *name != "alertname");
    model::Alert {
        name: alert.name().into(),
        labels: labels.map(|(name, value)| (name.into(), value.into())).collect(),
        annotations: alert
            .annotations
            .iter()
            .map(|(name, text)| ((&**name).into(), text.as_str().into()))
            .collect(),
        value: alert.value,
        started: time(alert.fired_at.or(Some(alert.active_at))),
        ended: time(alert.resolved_at),
        link: link(url, alert.name()),
    }
}

/// Of an alert of an earlier process that is over.
fn ended(change: &Change, url: &str) -> model::Alert {
    let labels = change.labels.iter().filter(|(name, _)| name != "alertname");
    model::Alert {
        name: change.label("alertname").into(),
        labels: labels.map(|(name, value)| (name.as_str().into(), value.as_str().into())).collect(),
        annotations: vec![("summary".into(), change.summary.as_str().into())],
        value: change.value.unwrap_or(f64::NAN),
        started: Timestamp::from_millis(change.at),
        ended: Timestamp::from_millis(change.at),
        link: link(url, change.label("alertname")),
    }
}

/// The dashboard's page that shows the alerts of this name.
fn link(root: &str, name: &str) -> Box<str> {
    if root.is_empty() {
        "".into()
    } else {
        let name = utf8_percent_encode(name, NON_ALPHANUMERIC);
        format!("{}/alerts?search={name}", root.trim_end_matches('/')).into()
    }
}

fn receiver(name: &'static str, status: &sinks::SinkStatus) -> rules::Receiver {
    rules::Receiver {
        kind: name,
        to: status.to.clone(),
        sent: status.sent,
        failed: status.retried,
        dropped: status.dropped.iter().map(|(_, count)| count).sum(),
        failure: status.failure.clone(),
    }
}
