//! One alert: its labels, its texts and where it stands in its life.

use std::sync::Arc;

use query::promql::Labels;

/// Where an alert stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlertState {
    /// Its condition held long enough.
    Firing,
    /// Its condition holds, not yet long enough.
    Pending,
    /// It fired, and its condition is gone.
    Resolved,
}

impl AlertState {
    /// As the API says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Pending => "pending",
            Self::Resolved => "resolved",
        }
    }
}

/// An alert. Times are milliseconds since the epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// With `alertname`; what makes it the same alert.
    pub labels: Labels,
    /// Texts for people, as of the newest evaluation.
    pub annotations: Vec<(Arc<str>, String)>,
    /// What the expression yielded last.
    pub value: f64,
    /// Where it stands.
    pub state: AlertState,
    /// Since when its condition holds.
    pub active_at: i64,
    /// When it began to fire.
    pub fired_at: Option<i64>,
    /// When its condition went away.
    pub resolved_at: Option<i64>,
    /// Since when it fires only because of `keep_firing_for`.
    pub keep_firing_since: Option<i64>,
    /// When it was sent last.
    pub last_sent_at: Option<i64>,
}

impl Alert {
    /// A number that is the same for the same labels: 16 hexadecimal digits.
    pub fn id(&self) -> String {
        id_of(&self.labels)
    }

    /// The alert's name.
    pub fn name(&self) -> &str {
        self.labels.get("alertname")
    }

    /// An annotation's text, or the empty one.
    pub fn annotation(&self, name: &str) -> &str {
        self.annotations.iter().find(|(known, _)| **known == *name).map_or("", |(_, text)| text)
    }
}

/// FNV-1a over names and values: the same in every process and version.
pub(crate) fn id_of(labels: &Labels) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for (name, value) in labels.iter() {
        for byte in name.bytes().chain([0]).chain(value.bytes()).chain([0]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    format!("{hash:016x}")
}
