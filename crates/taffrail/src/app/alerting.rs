//! Rules while the process runs: evaluated at their times, shown on the board, told to receivers.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cluster::replicas::Membership;
use metrics::counter;
use model::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use pipeline::Clock;
use query::promql::{Database, Limits, Options};
use rules::{
    Alert, AlertBoard, Change, ChangeKind, GroupRun, Journal, Ledger as _, Left, Setting, Silences,
};
use sinks::AlertSink;
use store::Samples;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::adapters::RuleLedger;
use crate::config::Config;
use crate::exit::Failure;
use crate::outputs;

mod keep;
mod reload;

use keep::Folder;
use reload::{Told, Wanted};

pub(crate) use reload::{Files, Reload, reload};

/// How often an alert that goes on is sent again to an Alertmanager, as Prometheus does.
const RESEND: Duration = Duration::from_mins(1);
/// The longest pause between evaluations where nobody says how long.
const DEFAULT_INTERVAL: Duration = Duration::from_mins(1);
/// Series that a rule may read, all selectors together: those of several containers' metrics of the
/// largest clusters. Rules come one by one, and series too.
const MAX_RULE_SERIES: usize = 5_000_000;
/// Samples that a rule may read and make.
const MAX_RULE_SAMPLES: usize = 200_000_000;
/// After how many evaluations an alert of an earlier process that is not there is over.
const SETTLED_AFTER: u32 = 3;
/// Name of the sink that hears of every alert again and again.
const ALERTMANAGER: &str = "Alertmanager Sink";
/// Counter: evaluations that were left out because those before took too long.
const MISSED: &str = "taffrail_rule_group_iterations_missed_total";

/// Groups with what they need.
pub(crate) struct Alerting {
    groups: Vec<Scheduled>,
    files: Files,
    /// Of groups that do not say, milliseconds.
    interval_ms: i64,
    board: Arc<AlertBoard>,
    ledger: Arc<RuleLedger>,
    sinks: Vec<AlertSink>,
    /// Where there are several processes.
    membership: Option<Membership>,
    external_url: String,
    clock: Clock,
}

/// What is to be done next.
enum Work {
    /// The groups that are due at this time, milliseconds.
    Evaluate(i64),
    Read(Wanted),
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

/// What rules are evaluated over, and where their results are shown and kept.
pub(super) struct Ground<'a> {
    pub(super) database: &'a Arc<dyn Database>,
    pub(super) samples: &'a Arc<Samples>,
    pub(super) board: &'a Arc<AlertBoard>,
}

/// Milliseconds between evaluations of groups that do not say.
fn interval_ms(config: &Config, resolution: Duration) -> i64 {
    let interval = config.rules.interval.unwrap_or_else(|| resolution.min(DEFAULT_INTERVAL));
    i64::try_from(interval.as_millis()).unwrap_or(i64::MAX)
}

impl Alerting {
    /// Who answers for how the sinks of alerts stand.
    pub(super) fn statuses(&self) -> impl Iterator<Item = sinks::StatusHandle> {
        self.sinks.iter().filter_map(AlertSink::status)
    }

    /// Reads the rules that `config` asks for. Must run inside a runtime.
    pub(super) fn build(
        config: &Config,
        resolution: Duration,
        ground: &Ground<'_>,
        (files, membership): (Files, Option<Membership>),
        clock: Clock,
    ) -> Result<Self, Failure> {
        let (database, samples) = (Arc::clone(ground.database), Arc::clone(ground.samples));
        let alerting = Self {
            groups: Vec::new(),
            files,
            interval_ms: interval_ms(config, resolution),
            board: Arc::clone(ground.board),
            ledger: Arc::new(RuleLedger { database, samples, clock }),
            sinks: outputs::build_alerts(config, clock)?,
            membership,
            external_url: config.rules.external_url.clone(),
            clock,
        };
        alerting.begin().map_err(Failure::config)
    }

    /// Reads the rules, and says who is told.
    fn begin(mut self) -> Result<Self, String> {
        let statuses: Vec<_> =
            self.sinks.iter().filter_map(|sink| Some((sink.name(), sink.status()?))).collect();
        self.board.set_receivers(Arc::new(move || {
            statuses.iter().map(|(name, status)| receiver(name, &status.status())).collect()
        }));
        self.read()?;
        Ok(self)
    }

    /// Reads the rules again: groups that are the same go on as they were; where anything is
    /// wrong, all of the old rules do.
    fn read(&mut self) -> Told {
        let groups = self.files.groups()?;
        let now = self.clock.now().millis();
        let mut old = std::mem::take(&mut self.groups);
        for group in groups {
            let same = |known: &Scheduled| known.run.name() == (&group.name, &group.file);
            let known = old.iter().position(same).map(|at| old.remove(at));
            let scheduled = match known {
                Some(known) if known.run.is_like(&group) => known,
                Some(known) => {
                    let (run, left) = known.run.replaced(group, self.interval_ms, now);
                    self.leave(now, left, run.name());
                    let next = after(now, run.interval_ms());
                    Scheduled { run, next, ..known }
                }
                None => {
                    let run = GroupRun::new(group, self.interval_ms);
                    let next = after(now, run.interval_ms());
                    Scheduled { run, next, evaluations: 0 }
                }
            };
            self.board.show(&scheduled.run);
            self.groups.push(scheduled);
        }
        for gone in old {
            let (name, file) = gone.run.name();
            let (name, file) = (Arc::clone(name), Arc::clone(file));
            self.leave(now, gone.run.ended(now), (&name, &file));
        }
        self.board.arrange(self.groups.iter().map(|group| group.run.name()));
        Ok(())
    }

    /// Ends what rules that are gone left behind.
    fn leave(&mut self, at: i64, left: Left, group: (&Arc<str>, &Arc<str>)) {
        if let Err(error) = self.ledger.append(&left.samples) {
            tracing::warn!(error, "series of rules that are gone were not ended");
        }
        let changes = self.board.record(left.changes);
        let told_of = changes.iter().filter(|change| !change.silenced);
        let told_of: HashSet<&str> = told_of.map(|change| &*change.id).collect();
        let ended = left.alerts.iter().filter(|alert| told_of.contains(&*alert.id()));
        let ended: Vec<_> = ended.map(|alert| told(alert, &self.external_url)).collect();
        if self.tells(group) {
            self.send(Timestamp::from_millis(at), &ended, &ended);
        }
    }

    /// Whether this process tells of the alerts of a group: of several replicas, which all
    /// evaluate it, one does.
    fn tells(&self, (name, file): (&Arc<str>, &Arc<str>)) -> bool {
        let key = || format!("rules/{file}/{name}");
        self.membership.as_ref().is_none_or(|known| known.members().is_mine(&key()))
    }

    /// Evaluates until it is dropped.
    pub(crate) async fn run(mut self) -> &'static str {
        loop {
            let next = self.groups.iter().map(|group| group.next).min();
            let clock = self.clock;
            let due = async move {
                let Some(next) = next else { return std::future::pending().await };
                let wait = u64::try_from(next - clock.now().millis()).unwrap_or(0);
                sleep(Duration::from_millis(wait)).await;
                next
            };
            let work = tokio::select! {
                next = due => Work::Evaluate(next),
                wanted = self.files.wanted() => Work::Read(wanted),
            };
            match spawn_blocking(move || self.work(work)).await {
                Ok(back) => self = back,
                Err(error) => {
                    tracing::error!(%error, "rules are no longer evaluated");
                    return "rules";
                }
            }
        }
    }

    fn work(self, work: Work) -> Self {
        match work {
            Work::Evaluate(at) => self.step(at),
            Work::Read(wanted) => self.reread(wanted),
        }
    }

    /// Reads the rules again and tells who asked.
    fn reread(mut self, wanted: Wanted) -> Self {
        let told = self.read();
        self.files.note(&told, self.clock.now());
        if told.is_ok() {
            let why = match &wanted {
                Wanted::Asked(_) => "asked",
                Wanted::Hangup => "SIGHUP",
                Wanted::Changed => "changed",
            };
            tracing::info!(why, groups = self.groups.len(), "the rule files were read");
        }
        if let Wanted::Asked(tell) = wanted {
            // Who asked may be gone.
            drop(tell.send(told));
        }
        self
    }

    /// Evaluates the groups that are due at `at`.
    fn step(mut self, at: i64) -> Self {
        let began = Instant::now();
        let limits =
            Limits { series: MAX_RULE_SERIES, samples: MAX_RULE_SAMPLES, ..Limits::default() };
        let options = Options { limits, ..Options::default() };
        let mut groups = std::mem::take(&mut self.groups);
        for group in groups.iter_mut().filter(|group| group.next <= at) {
            let interval = group.run.interval_ms();
            let deadline = Duration::from_millis(interval.unsigned_abs());
            let group_began = Instant::now();
            let setting = Setting {
                external_url: &self.external_url,
                options: &options,
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
        if self.sinks.is_empty() || !self.tells(run.name()) {
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
        self.send(timestamp, &repeated, &news);
    }

    /// Gives an Alertmanager what it is told again and again, others what is new.
    fn send(&mut self, timestamp: Timestamp, repeated: &[model::Alert], news: &[model::Alert]) {
        for sink in &mut self.sinks {
            let alerts = if sink.name() == ALERTMANAGER { repeated } else { news };
            if alerts.is_empty() {
                continue;
            }
            let batch = model::AlertBatch { timestamp, alerts: alerts.to_vec() };
            if let Err(error) = sink.export(&batch) {
                tracing::warn!(sink = sink.name(), %error, "alerts were not taken");
            }
        }
    }
}

/// The first middle between two multiples of `interval` after `now`: ticks begin at multiples, and
/// rules see what they measured without adding their memory to theirs.
fn after(now: i64, interval: i64) -> i64 {
    let middle = interval / 2;
    let multiple = now.saturating_sub(middle).div_euclid(interval) + 1;
    multiple.saturating_mul(interval).saturating_add(middle)
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
