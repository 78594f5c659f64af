//! Rules as they are evaluated: groups in order, expressions parsed, texts compiled.

use std::sync::Arc;

use query::promql::Query;

use crate::Template;

/// Rules that are evaluated one after the other, at the same times.
#[derive(Debug, Clone)]
pub struct Group {
    /// Its name; differs from the others of its file.
    pub name: Arc<str>,
    /// The file that it stands in.
    pub file: Arc<str>,
    /// Milliseconds between two evaluations; `None` for the server's.
    pub interval_ms: Option<i64>,
    /// Most series or alerts that one rule may yield; 0 for no limit.
    pub limit: usize,
    /// The rules.
    pub rules: Vec<Rule>,
}

/// One rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The recorded metric's or the alert's name.
    pub name: Arc<str>,
    /// The expression as it was written.
    pub expression: Arc<str>,
    /// The expression.
    pub query: Query,
    /// Labels that the results get; of an alert with actions.
    pub labels: Vec<(Arc<str>, Template)>,
    /// What it does with its results.
    pub kind: RuleKind,
}

/// What a rule does with what its expression yields.
#[derive(Debug, Clone, PartialEq)]
pub enum RuleKind {
    /// Stores it under the rule's name.
    Recording,
    /// Makes alerts of it.
    Alerting {
        /// Milliseconds that a series has to be there before its alert fires.
        hold_ms: i64,
        /// Milliseconds that an alert goes on firing when its series is gone.
        keep_firing_ms: i64,
        /// Texts for people.
        annotations: Vec<(Arc<str>, Template)>,
    },
}

impl Rule {
    /// Whether it makes alerts.
    pub fn is_alerting(&self) -> bool {
        matches!(self.kind, RuleKind::Alerting { .. })
    }
}
