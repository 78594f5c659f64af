//! How alerts changed: a bounded list, newest last, written down line by line.

use std::collections::{HashMap, VecDeque};

use query::promql::METRIC_NAME;
use serde::{Deserialize, Serialize};

use crate::Alert;

/// Most changes that are remembered.
pub(crate) const MAX_CHANGES: usize = 10_000;

/// What happened to an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// Its condition began to hold.
    Pending,
    /// Its condition held long enough.
    Firing,
    /// It fired, and its condition went away.
    Resolved,
    /// Its condition went away before it fired.
    Dropped,
}

impl ChangeKind {
    /// As the API says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Resolved => "resolved",
            Self::Dropped => "dropped",
        }
    }
}

/// A change of one alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Milliseconds since the epoch.
    pub at: i64,
    /// The alert's id.
    pub id: String,
    /// What happened.
    pub kind: ChangeKind,
    /// The alert's labels, `alertname` among them.
    pub labels: Vec<(String, String)>,
    /// The expression's value; `None` where it is no number.
    pub value: Option<f64>,
    /// Its annotation `summary`.
    pub summary: String,
    /// Whether a silence kept it from being notified.
    #[serde(default)]
    pub silenced: bool,
}

impl Change {
    pub(crate) fn of(alert: &Alert, kind: ChangeKind, at: i64) -> Self {
        let pairs = alert.labels.iter().filter(|(name, _)| *name != METRIC_NAME);
        Self {
            at,
            id: alert.id(),
            kind,
            labels: pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            value: Some(alert.value).filter(|value| value.is_finite()),
            summary: alert.annotation("summary").to_owned(),
            silenced: false,
        }
    }

    /// A label's value, or the empty text.
    pub fn label(&self, name: &str) -> &str {
        self.labels.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

/// What is wanted of a [`Journal`].
#[derive(Debug, Clone, Default)]
pub struct ChangesAsked {
    /// Not before, milliseconds.
    pub from: Option<i64>,
    /// Not after, milliseconds.
    pub to: Option<i64>,
    /// Of alerts of this name.
    pub name: Option<String>,
    /// Of the alert with this id.
    pub id: Option<String>,
    /// What happened.
    pub kind: Option<String>,
}

/// The newest changes.
#[derive(Debug, Default)]
pub struct Journal {
    changes: VecDeque<Change>,
    /// What happened last to each alert that is in the list.
    newest: HashMap<String, ChangeKind>,
}

impl Journal {
    /// From lines that [`Journal::line`] made; others are left out. Answers how many were.
    pub fn read(text: &str) -> (Self, usize) {
        let (mut journal, mut damaged) = (Self::default(), 0);
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            match serde_json::from_str(line) {
                Ok(change) => {
                    journal.record(change);
                }
                Err(_) => damaged += 1,
            }
        }
        (journal, damaged)
    }

    /// A change as one line, its end included.
    pub fn line(change: &Change) -> String {
        serde_json::to_string(change).map_or_else(|_| String::new(), |line| line + "\n")
    }

    /// Takes a change; false when it says what is known already.
    pub fn record(&mut self, change: Change) -> bool {
        if self.newest.get(&change.id) == Some(&change.kind) {
            return false;
        }
        self.newest.insert(change.id.clone(), change.kind);
        self.changes.push_back(change);
        if self.changes.len() > MAX_CHANGES
            && let Some(oldest) = self.changes.pop_front()
            && !self.changes.iter().any(|change| change.id == oldest.id)
        {
            self.newest.remove(&oldest.id);
        }
        true
    }

    /// The newest change of every alert that fires by this list.
    pub fn firing(&self) -> Vec<Change> {
        let fires = |id: &str| self.newest.get(id) == Some(&ChangeKind::Firing);
        let mut seen = std::collections::HashSet::new();
        let newest = self.changes.iter().rev();
        newest.filter(|one| fires(&one.id) && seen.insert(&*one.id)).cloned().collect()
    }

    /// The changes that pass, newest first.
    pub fn find<'a>(&'a self, asked: &'a ChangesAsked) -> impl Iterator<Item = &'a Change> {
        let same = |wanted: &Option<String>, found: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == found)
        };
        self.changes.iter().rev().filter(move |change| {
            asked.from.is_none_or(|from| from <= change.at)
                && asked.to.is_none_or(|to| change.at <= to)
                && same(&asked.name, change.label("alertname"))
                && same(&asked.id, &change.id)
                && same(&asked.kind, change.kind.name())
        })
    }

    /// Every change, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(id: &str, kind: ChangeKind, at: i64) -> Change {
        let labels = vec![("alertname".to_owned(), "A".to_owned())];
        let (id, summary) = (id.to_owned(), String::new());
        Change { at, id, kind, labels, value: Some(1.0), summary, silenced: false }
    }

    #[test]
    fn it_is_bounded_and_comes_back() {
        let mut journal = Journal::default();
        assert!(journal.record(change("x", ChangeKind::Firing, 1)));
        assert!(!journal.record(change("x", ChangeKind::Firing, 2)), "known already");
        assert_eq!(journal.firing().len(), 1);
        for at in 0..i64::try_from(MAX_CHANGES).unwrap() {
            journal.record(change(&format!("y{at}"), ChangeKind::Pending, at));
        }
        assert_eq!(journal.iter().count(), MAX_CHANGES);
        assert!(journal.firing().is_empty(), "forgotten with its change");
        let text: String = journal.iter().map(Journal::line).collect();
        let (back, damaged) = Journal::read(&format!("{text}{{\"at\":1\n"));
        assert_eq!((back.iter().count(), damaged), (MAX_CHANGES, 1));
        let asked = ChangesAsked { id: Some("y7".to_owned()), ..ChangesAsked::default() };
        assert_eq!(back.find(&asked).count(), 1);
    }
}
