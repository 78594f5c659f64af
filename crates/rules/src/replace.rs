//! Rules that change while their alerts go on, and what rules that are gone leave behind.

use query::promql::{Labels, STALE};

use crate::evaluate::{RuleRun, resolve};
use crate::{Alert, AlertState, Change, Group, GroupRun, Rule, Sample};

/// What rules that are gone leave behind.
#[derive(Debug, Default)]
pub struct Left {
    /// Alerts that fired and are over now.
    pub alerts: Vec<Alert>,
    /// What became of them and of pending ones.
    pub changes: Vec<Change>,
    /// The ends of the series that the rules made.
    pub samples: Vec<Sample>,
}

impl GroupRun {
    /// Whether evaluating `group` would be no different.
    pub fn is_like(&self, group: &Group) -> bool {
        let same = |(mine, theirs): (&Rule, &Rule)| {
            is_same_rule(mine, theirs)
                && mine.expression == theirs.expression
                && mine.kind == theirs.kind
        };
        let (mine, theirs) = (&self.group, group);
        mine.interval_ms == theirs.interval_ms
            && mine.limit == theirs.limit
            && mine.rules.len() == theirs.rules.len()
            && mine.rules.iter().zip(&theirs.rules).all(same)
    }

    /// `group` in place of this one at `at`: rules with the same name and labels keep their
    /// alerts, as in Prometheus; `interval_ms` where the group names none.
    pub fn replaced(self, group: Group, interval_ms: i64, at: i64) -> (Self, Left) {
        let mut fresh = Self::new(group, interval_ms);
        fresh.last = self.last;
        let mut old: Vec<(Rule, Option<RuleRun>)> =
            self.group.rules.into_iter().zip(self.rules.into_iter().map(Some)).collect();
        for (rule, place) in fresh.group.rules.iter().zip(&mut fresh.rules) {
            let same = |(known, run): &&mut (Rule, Option<RuleRun>)| {
                run.is_some() && is_same_rule(known, rule)
            };
            if let Some(run) = old.iter_mut().find(same).and_then(|(_, run)| run.take()) {
                *place = run;
            }
        }
        let mut left = Left::default();
        for run in old.into_iter().filter_map(|(_, run)| run) {
            run.leave(at, &mut left);
        }
        (fresh, left)
    }

    /// The end of the whole group at `at`.
    pub fn ended(self, at: i64) -> Left {
        let mut left = Left::default();
        for run in self.rules {
            run.leave(at, &mut left);
        }
        left
    }
}

impl RuleRun {
    fn leave(self, at: i64, left: &mut Left) {
        let end = |labels: Labels| Sample { labels, time: at, value: STALE };
        left.samples.extend(self.before.into_iter().map(end));
        for mut alert in self.active.into_values() {
            if alert.state != AlertState::Resolved && resolve(&mut alert, at, &mut left.changes) {
                left.alerts.push(alert);
            }
        }
    }
}

/// Whether alerts and series of one are those of the other.
fn is_same_rule(one: &Rule, other: &Rule) -> bool {
    one.name == other.name && one.is_alerting() == other.is_alerting() && one.labels == other.labels
}
