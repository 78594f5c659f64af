//! Alerts as they are told to people and to other systems. Knows no rules.

use crate::Timestamp;

/// One alert of a rule: what is wrong with one set of labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// The rule's name (`PodCrashLooping`); the label `alertname` elsewhere.
    pub name: Box<str>,
    /// What tells it from the rule's other alerts, by name and sorted; without `alertname`.
    pub labels: Vec<(Box<str>, Box<str>)>,
    /// What the rule says for people (`summary`, `description`), by name.
    pub annotations: Vec<(Box<str>, Box<str>)>,
    /// The value of the rule's expression when it was last true.
    pub value: f64,
    /// When it began to fire.
    pub started: Timestamp,
    /// When it was over; [`Timestamp::NEVER`] while it fires.
    pub ended: Timestamp,
    /// Where a person sees more of it, as an absolute URL; empty where none is known.
    pub link: Box<str>,
}

impl Alert {
    /// Whether it still fires.
    pub fn fires(&self) -> bool {
        self.ended.is_never()
    }

    /// The label of that name; empty where it has none.
    pub fn label(&self, name: &str) -> &str {
        find(&self.labels, name)
    }

    /// The annotation of that name; empty where it has none.
    pub fn annotation(&self, name: &str) -> &str {
        find(&self.annotations, name)
    }
}

fn find<'a>(pairs: &'a [(Box<str>, Box<str>)], name: &str) -> &'a str {
    pairs.iter().find(|(key, _)| **key == *name).map_or("", |(_, value)| value)
}

/// Alerts that there is something to tell of: they began, ended, or are told again.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertBatch {
    /// When the rules were evaluated.
    pub timestamp: Timestamp,
    /// In the order of the rules.
    pub alerts: Vec<Alert>,
}
