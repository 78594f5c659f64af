//! What is kept beyond the live window, as a trait: the binary puts the store behind it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use model::{Entity, EntityKind, Event, Timestamp};
use regex::{Regex, RegexBuilder};

use crate::SeriesRef;
use crate::promql::MatchOp;

/// Most memory that one compiled expression may take, in bytes.
const MAX_PATTERN_BYTES: usize = 1 << 20;

/// Why what is kept was not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// Nobody waits for the answer any more.
    #[error("the query was given up")]
    Cancelled,
    /// More values would have to be read than one query may.
    #[error("{values} values would have to be read, at most {most} may be")]
    TooMuch {
        /// How many.
        values: u64,
        /// The bound.
        most: u64,
    },
    /// The store's answer.
    #[error("{0}")]
    Failed(String),
}

/// Told when nobody waits for an answer any more.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Nobody waits any more.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Fails when nobody waits.
    pub fn check(&self) -> Result<(), ArchiveError> {
        if self.0.load(Ordering::Relaxed) { Err(ArchiveError::Cancelled) } else { Ok(()) }
    }
}

/// A condition on one label of an entity (`namespace`, `pod`, `container`, `node`, `workload`,
/// `workload_type`, …). An absent label counts as empty.
#[derive(Debug, Clone)]
pub struct LabelMatch {
    /// The label.
    pub name: String,
    /// How it is compared.
    pub op: MatchOp,
    /// With what: a literal, or a pattern for the whole value.
    pub value: String,
    regex: Option<Regex>,
}

impl LabelMatch {
    /// Reads `name=value`, `name!=value`, `name=~pattern` or `name!~pattern`; the value may stand
    /// in double quotes.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is not label=value, label!=value, label=~regex or label!~regex");
        let at = text.find(['=', '!']).ok_or_else(wrong)?;
        let (name, rest) = text.split_at_checked(at).ok_or_else(wrong)?;
        let ops = [
            ("=~", MatchOp::Matches),
            ("!~", MatchOp::MatchesNot),
            ("!=", MatchOp::NotEqual),
            ("=", MatchOp::Equal),
        ];
        let found = ops.iter().find_map(|(sign, op)| Some((*op, rest.strip_prefix(sign)?)));
        let (op, value) = found.ok_or_else(wrong)?;
        let quoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        let (name, value) = (name.trim(), quoted.unwrap_or(value));
        if name.is_empty() {
            return Err(wrong());
        }
        let regex = match op {
            MatchOp::Matches | MatchOp::MatchesNot => {
                let mut builder = RegexBuilder::new(&format!("^(?s:{value})$"));
                let built = builder.size_limit(MAX_PATTERN_BYTES).build();
                Some(built.map_err(|error| format!("`{text}`: {error}"))?)
            }
            MatchOp::Equal | MatchOp::NotEqual => None,
        };
        Ok(Self { name: name.to_owned(), op, value: value.to_owned(), regex })
    }

    /// Whether `value` passes.
    pub fn accepts(&self, value: &str) -> bool {
        let matches = self.regex.as_ref().is_some_and(|regex| regex.is_match(value));
        match self.op {
            MatchOp::Equal => self.value == value,
            MatchOp::NotEqual => self.value != value,
            MatchOp::Matches => matches,
            MatchOp::MatchesNot => !matches,
        }
    }
}

/// The values of one series over some of the times of a [`Archive::read`].
#[derive(Debug, Clone, Copy)]
pub enum Strip<'a> {
    /// Values at times; NaN is a gap.
    Raw {
        /// Milliseconds since the epoch, ascending.
        times: &'a [i64],
        /// A value each.
        values: &'a [f64],
    },
    /// Aggregates of buckets; an empty one has the count 0.
    Buckets {
        /// Their beginnings in milliseconds since the epoch, ascending.
        times: &'a [i64],
        /// Least values.
        min: &'a [f64],
        /// Greatest values.
        max: &'a [f64],
        /// Sums.
        sum: &'a [f64],
        /// Numbers of values.
        count: &'a [f64],
    },
}

/// Which events are asked for; `None` means any.
#[derive(Debug, Clone, Default)]
pub struct EventsAsked {
    /// Events that happened (first to last time seen) at or after this.
    pub from: Timestamp,
    /// And at or before this.
    pub to: Timestamp,
    /// Namespaces of the object, any of them; empty means all.
    pub namespaces: Vec<String>,
    /// Kind of the object.
    pub object_kind: Option<String>,
    /// Name of the object.
    pub object_name: Option<String>,
    /// Reason.
    pub reason: Option<String>,
    /// `Normal` or `Warning`.
    pub event_type: Option<String>,
    /// Part of message, reason, object name or source; letter case of ASCII does not matter.
    pub text: Option<String>,
}

/// What is kept on disk. Every method may block; times are inclusive.
pub trait Archive: Send + Sync {
    /// Times of the first and the last values.
    fn reach(&self) -> Option<(Timestamp, Timestamp)>;

    /// The times in milliseconds at which something was measured, ascending.
    fn ticks(&self, from: Timestamp, to: Timestamp) -> Result<Vec<i64>, ArchiveError>;

    /// The length of the buckets that a read with `step` answers in; `None` for raw values.
    fn resolution(&self, step: Duration) -> Option<Duration>;

    /// Reads `series` between two times, in buckets when `step` is given, and hands `each` the
    /// position of a series with a part of its values, in any order, maybe several times.
    fn read(
        &self,
        series: &[SeriesRef],
        range: (Timestamp, Timestamp),
        step: Option<Duration>,
        cancel: &Cancel,
        each: &mut dyn FnMut(usize, Strip<'_>),
    ) -> Result<(), ArchiveError>;

    /// The entities of `kind` that pass `matches` and may have values between two times, each
    /// once.
    fn entities(
        &self,
        kind: EntityKind,
        matches: &[LabelMatch],
        range: (Timestamp, Timestamp),
    ) -> Result<Vec<Arc<Entity>>, ArchiveError>;

    /// The events that are asked for, newest first, at most `limit`.
    fn events(&self, asked: &EventsAsked, limit: usize) -> Result<Vec<Event>, ArchiveError>;
}

/// The value of a label of `entity` that ran on `node`, named as the store names it; empty when
/// it has none.
pub fn label_of<'a>(entity: &'a Entity, node: Option<&'a str>, name: &str) -> &'a str {
    let kind = entity.kind();
    let value = match name {
        "namespace" => entity.namespace(),
        "pod" => entity.pod(),
        "container" => entity.container(),
        "node" => entity.node().or(node),
        "workload" => (kind == EntityKind::Workload).then(|| entity.name()),
        "workload_type" => (kind == EntityKind::Workload).then(|| entity.variant()),
        "volume" => {
            let name = entity.name();
            (kind == EntityKind::Volume).then(|| name.strip_prefix("Volume:").unwrap_or(name))
        }
        "device" => {
            matches!(kind, EntityKind::Filesystem | EntityKind::Disk).then(|| entity.name())
        }
        "acc_id" => (kind == EntityKind::Accelerator).then(|| entity.name()),
        _ => None,
    };
    value.unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_are_read_and_tried() {
        let check = |text: &str, value: &str, expected| {
            let accepts = LabelMatch::parse(text).map(|one| one.accepts(value));
            assert_eq!(accepts, Ok(expected), "{text} on {value}");
        };
        check("namespace=shop", "shop", true);
        check("namespace=\"shop\"", "shop", true);
        check("namespace!=shop", "", true);
        check("pod=~web-.*", "web-1", true);
        check("pod=~web", "web-1", false);
        check("pod!~web-.*", "db-1", true);
        check("pod=a=b", "a=b", true);
    }

    #[test]
    fn what_is_no_match_is_told() {
        for text in ["", "pod", "=x", "pod!", "pod=~("] {
            assert!(LabelMatch::parse(text).unwrap_err().contains(text), "{text}");
        }
    }
}
