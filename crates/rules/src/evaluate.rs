//! A group at work: expressions become series and alerts, as Prometheus 2.42 does it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use metrics::counter;
use query::promql::{
    AnswerValue, Labels, Limits, METRIC_NAME, Options, Query, STALE, Select, parse,
};

use crate::restore::Restored;
use crate::telemetry::{EVALUATIONS, FAILURES};
use crate::template::{Ask, Data, Found};
use crate::{Alert, AlertState, Change, ChangeKind, Group, Rule, RuleKind, Template};

/// How long a resolved alert is still told of.
const RESOLVED_FOR_MS: i64 = 15 * 60_000;

/// A sample that a rule made.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// With the metric's name.
    pub labels: Labels,
    /// Milliseconds since the epoch.
    pub time: i64,
    /// [`STALE`] ends a series.
    pub value: f64,
}

/// Where rules read, and where their results go.
pub trait Ledger: Select {
    /// Keeps samples, so that the next rule sees them.
    fn append(&self, samples: &[Sample]) -> Result<(), String>;
}

/// How a rule's last evaluation went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Health {
    /// It was not evaluated yet.
    #[default]
    Unknown,
    /// Well.
    Good,
    /// It failed.
    Bad,
}

impl Health {
    /// As the API says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Good => "ok",
            Self::Bad => "err",
        }
    }
}

/// What one evaluation of a group did.
#[derive(Debug, Default)]
pub struct Evaluated {
    /// How alerts changed, in the rules' order.
    pub changes: Vec<Change>,
    /// Rules that failed: name and reason.
    pub failures: Vec<(Arc<str>, String)>,
}

/// What an evaluation needs beside series.
pub struct Setting<'a> {
    /// Where this server is reached.
    pub external_url: &'a str,
    /// Lookback and bounds of queries.
    pub options: &'a Options,
    /// Whether to give up.
    pub canceled: &'a dyn Fn() -> bool,
    /// Seconds since some moment, to measure with.
    pub stopwatch: &'a dyn Fn() -> f64,
}

/// A group and what its evaluations left behind.
#[derive(Debug)]
pub struct GroupRun {
    pub(crate) group: Group,
    pub(crate) rules: Vec<RuleRun>,
    pub(crate) interval_ms: i64,
    pub(crate) last: Option<i64>,
    pub(crate) took: f64,
}

/// What a rule's evaluations left behind.
#[derive(Debug, Default)]
pub(crate) struct RuleRun {
    pub(crate) active: BTreeMap<Labels, Alert>,
    /// Series of the evaluation before.
    pub(crate) before: BTreeSet<Labels>,
    /// What was known before the process started; `None` once it was used.
    pub(crate) restored: Option<Restored>,
    pub(crate) health: Health,
    pub(crate) error: Option<String>,
    pub(crate) last: Option<i64>,
    pub(crate) took: f64,
    started: bool,
}

impl GroupRun {
    /// A group that was not evaluated yet; `interval_ms` where it names none.
    pub fn new(group: Group, interval_ms: i64) -> Self {
        let rules = group.rules.iter().map(|_| RuleRun::default()).collect();
        let interval_ms = group.interval_ms.unwrap_or(interval_ms).max(1);
        Self { group, rules, interval_ms, last: None, took: 0.0 }
    }

    /// Milliseconds between two evaluations.
    pub fn interval_ms(&self) -> i64 {
        self.interval_ms
    }

    /// The group's name and file.
    pub fn name(&self) -> (&Arc<str>, &Arc<str>) {
        (&self.group.name, &self.group.file)
    }

    /// Whether this was never evaluated.
    pub fn is_new(&self) -> bool {
        self.last.is_none()
    }

    /// Every alert that is active or was lately.
    pub fn alerts(&self) -> impl Iterator<Item = &Alert> {
        self.rules.iter().flat_map(|rule| rule.active.values())
    }

    /// Evaluates every rule at `at`.
    pub fn evaluate(&mut self, at: i64, ledger: &dyn Ledger, setting: &Setting<'_>) -> Evaluated {
        let began = (setting.stopwatch)();
        let mut done = Evaluated::default();
        let limit = self.group.limit;
        for (rule, run) in self.group.rules.iter().zip(&mut self.rules) {
            let began = (setting.stopwatch)();
            counter!(EVALUATIONS).increment(1);
            match run.evaluate(rule, limit, at, ledger, setting) {
                Ok(changes) => {
                    (run.health, run.error) = (Health::Good, None);
                    done.changes.extend(changes);
                }
                Err(error) => {
                    counter!(FAILURES).increment(1);
                    (run.health, run.error) = (Health::Bad, Some(error.clone()));
                    done.failures.push((Arc::clone(&rule.name), error));
                }
            }
            run.last = Some(at);
            run.took = (setting.stopwatch)() - began;
        }
        self.last = Some(at);
        self.took = (setting.stopwatch)() - began;
        done
    }

    /// The ends of alerts that fire by what an earlier process knew, and are not there any more.
    pub fn orphans(&self, firing: &[Change], at: i64) -> Vec<Change> {
        let mine = |change: &&Change| {
            let name = change.label("alertname");
            self.group.rules.iter().any(|rule| rule.is_alerting() && *rule.name == *name)
        };
        let gone = |change: &&Change| self.alerts().all(|alert| alert.id() != change.id);
        firing
            .iter()
            .filter(mine)
            .filter(gone)
            .map(|change| Change { at, kind: ChangeKind::Resolved, ..change.clone() })
            .collect()
    }

    /// The alerts to send at `at`, each with when it ends if nothing more is heard; they count as
    /// sent. An alert is due when it changed, and again after `resend_ms`.
    pub fn due(&mut self, at: i64, resend_ms: i64) -> Vec<(Alert, i64)> {
        let ends = at + 4 * resend_ms.max(self.interval_ms);
        let mut due = Vec::new();
        for alert in self.rules.iter_mut().flat_map(|rule| rule.active.values_mut()) {
            let wanted = match (alert.state, alert.resolved_at, alert.last_sent_at) {
                (AlertState::Pending, ..) => false,
                (_, _, None) => true,
                (_, Some(resolved), Some(sent)) if resolved > sent => true,
                (_, _, Some(sent)) => sent + resend_ms <= at,
            };
            if wanted {
                alert.last_sent_at = Some(at);
                due.push((alert.clone(), alert.resolved_at.unwrap_or(ends)));
            }
        }
        due
    }
}

impl RuleRun {
    fn evaluate(
        &mut self,
        rule: &Rule,
        limit: usize,
        at: i64,
        ledger: &dyn Ledger,
        setting: &Setting<'_>,
    ) -> Result<Vec<Change>, String> {
        let found = ask(&rule.query, ledger, at, setting)?;
        let (samples, changes) = match &rule.kind {
            RuleKind::Recording => (record(rule, limit, at, found)?, Vec::new()),
            RuleKind::Alerting { hold_ms, keep_firing_ms, annotations } => {
                if !self.started {
                    self.restored = Some(Restored::of(&rule.name, *hold_ms, at, ledger));
                    self.started = true;
                }
                let times = (*hold_ms, *keep_firing_ms);
                let made = alerts(rule, annotations, at, found, ledger, setting)?;
                let changes = self.merge(made, times, limit, at)?;
                (self.state_samples(at), changes)
            }
        };
        self.append(samples, at, ledger)?;
        Ok(changes)
    }

    /// Keeps samples, and ends the series that were there before and are not now.
    fn append(&mut self, mut all: Vec<Sample>, at: i64, to: &dyn Ledger) -> Result<(), String> {
        let now: BTreeSet<Labels> = all.iter().map(|sample| sample.labels.clone()).collect();
        for gone in self.before.difference(&now) {
            all.push(Sample { labels: gone.clone(), time: at, value: STALE });
        }
        self.before = now;
        to.append(&all)
    }

    /// Joins the alerts that an evaluation made with those that were there.
    fn merge(
        &mut self,
        made: BTreeMap<Labels, Alert>,
        (hold_ms, keep_firing_ms): (i64, i64),
        limit: usize,
        at: i64,
    ) -> Result<Vec<Change>, String> {
        let mut changes = Vec::new();
        let mut seen = BTreeSet::new();
        for (labels, mut alert) in made {
            seen.insert(labels.clone());
            let known = self.active.get_mut(&labels);
            if let Some(old) = known.filter(|old| old.state != AlertState::Resolved) {
                (old.value, old.annotations) = (alert.value, alert.annotations);
                continue;
            }
            if let Some(restored) = &self.restored {
                alert.active_at = restored.active_at(&labels, at);
            }
            if at - alert.active_at < hold_ms {
                changes.push(Change::of(&alert, ChangeKind::Pending, at));
            }
            self.active.insert(labels, alert);
        }
        self.restored = None;
        let mut active = 0;
        self.active.retain(|labels, alert| {
            let gone = !seen.contains(labels);
            if gone && !keeps_firing(alert, keep_firing_ms, at) {
                return resolve(alert, at, &mut changes);
            }
            if !gone {
                alert.keep_firing_since = None;
            }
            active += 1;
            if alert.state == AlertState::Pending && at - alert.active_at >= hold_ms {
                (alert.state, alert.fired_at) = (AlertState::Firing, Some(at));
                changes.push(Change::of(alert, ChangeKind::Firing, at));
            }
            true
        });
        if limit > 0 && active > limit {
            self.active.clear();
            return Err(format!("exceeded limit of {limit} with {active} alerts"));
        }
        Ok(changes)
    }

    /// `ALERTS` and `ALERTS_FOR_STATE` of what is active.
    fn state_samples(&self, at: i64) -> Vec<Sample> {
        let active = self.active.values().filter(|alert| alert.state != AlertState::Resolved);
        let samples = active.flat_map(|alert| {
            let stated = alert.labels.with(METRIC_NAME, "ALERTS");
            let stated = stated.with("alertstate", alert.state.name());
            let since = alert.labels.with(METRIC_NAME, "ALERTS_FOR_STATE");
            #[expect(clippy::cast_precision_loss, reason = "seconds")]
            let seconds = alert.active_at.div_euclid(1000) as f64;
            [
                Sample { labels: stated, time: at, value: 1.0 },
                Sample { labels: since, time: at, value: seconds },
            ]
        });
        samples.collect()
    }
}

/// Whether an alert whose series is gone goes on firing.
fn keeps_firing(alert: &mut Alert, keep_firing_ms: i64, at: i64) -> bool {
    if alert.state != AlertState::Firing || keep_firing_ms == 0 {
        return false;
    }
    let since = *alert.keep_firing_since.get_or_insert(at);
    at - since < keep_firing_ms
}

/// Ends an alert whose series is gone; whether it is still told of.
pub(crate) fn resolve(alert: &mut Alert, at: i64, changes: &mut Vec<Change>) -> bool {
    match alert.state {
        AlertState::Pending => {
            changes.push(Change::of(alert, ChangeKind::Dropped, at));
            false
        }
        AlertState::Firing => {
            (alert.state, alert.resolved_at) = (AlertState::Resolved, Some(at));
            changes.push(Change::of(alert, ChangeKind::Resolved, at));
            true
        }
        AlertState::Resolved => {
            alert.resolved_at.is_some_and(|resolved| at - resolved <= RESOLVED_FOR_MS)
        }
    }
}

/// What an expression yields at one time.
fn ask(
    query: &Query,
    source: &dyn Ledger,
    at: i64,
    setting: &Setting<'_>,
) -> Result<Vec<Found>, String> {
    let answer = query.instant(source, at, setting.options, setting.canceled);
    match answer.map_err(|error| error.to_string())?.value {
        AnswerValue::Vector(samples) => Ok(samples
            .into_iter()
            .map(|sample| Found { labels: sample.labels, value: sample.value })
            .collect()),
        AnswerValue::Scalar(_, value) => Ok(vec![Found { labels: Labels::default(), value }]),
        AnswerValue::Text(_, text) => {
            let labels = Labels::new([("__value__", text)]);
            Ok(vec![Found { labels, value: 0.0 }])
        }
        AnswerValue::Matrix(_) => Err("rule result is not a vector or scalar".to_owned()),
    }
}

fn record(rule: &Rule, limit: usize, at: i64, found: Vec<Found>) -> Result<Vec<Sample>, String> {
    if limit > 0 && found.len() > limit {
        return Err(format!("exceeded limit of {limit} with {} series", found.len()));
    }
    let mut seen = BTreeSet::new();
    let mut samples = Vec::with_capacity(found.len());
    for one in found {
        let named = one.labels.with(METRIC_NAME, &rule.name);
        let labels = rule
            .labels
            .iter()
            .fold(named, |labels, (name, template)| labels.with(name, template.text()));
        if !seen.insert(labels.clone()) {
            let reason =
                "vector contains metrics with the same labelset after applying rule labels";
            return Err(reason.to_owned());
        }
        samples.push(Sample { labels, time: at, value: one.value });
    }
    Ok(samples)
}

fn alerts(
    rule: &Rule,
    annotations: &[(Arc<str>, Template)],
    at: i64,
    found: Vec<Found>,
    ledger: &dyn Ledger,
    setting: &Setting<'_>,
) -> Result<BTreeMap<Labels, Alert>, String> {
    let limits = Limits::default();
    let within = |text: &str| {
        let query = parse(text, &limits).map_err(|error| error.to_string())?;
        ask(&query, ledger, at, setting)
    };
    let within: Ask<'_> = &within;
    let mut made = BTreeMap::new();
    for one in found {
        let data = Data {
            labels: &one.labels,
            value: one.value,
            external_url: setting.external_url,
            ask: within,
        };
        let plain = one.labels.without_name();
        let labels = rule
            .labels
            .iter()
            .fold(plain, |labels, (name, text)| labels.with(name, &text.expand_or_say(&data)))
            .with("alertname", &rule.name);
        let texts = annotations
            .iter()
            .map(|(name, text)| (Arc::clone(name), text.expand_or_say(&data)))
            .collect();
        let alert = Alert {
            labels: labels.clone(),
            annotations: texts,
            value: one.value,
            state: AlertState::Pending,
            active_at: at,
            fired_at: None,
            resolved_at: None,
            keep_firing_since: None,
            last_sent_at: None,
        };
        if made.insert(labels, alert).is_some() {
            let reason =
                "vector contains metrics with the same labelset after applying alert labels";
            return Err(reason.to_owned());
        }
    }
    Ok(made)
}

#[cfg(test)]
mod tests;
