//! What a sample becomes beside the one before it: metrics-server's rules for one node or container.

use std::time::Duration;

use model::{Sample, Timestamp};

use super::{MAX_WINDOW, ResourceOptions};

/// A container younger than this gets no window from its start alone.
const YOUNGEST: Duration = Duration::from_secs(10);

/// CPU and memory over a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// When the newest sample was measured.
    pub at: Timestamp,
    /// How long before that the other one was.
    pub window: Duration,
    /// CPU in billionths of a core, truncated.
    pub cpu_nanocores: i64,
    /// Working set in bytes.
    pub memory_bytes: i64,
}

/// The newest sample, and the one that a rate counts from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pair {
    pub(super) last: Sample,
    pub(super) before: Option<Before>,
}

/// A pair as it is held: a large cluster has hundreds of thousands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    at: Timestamp,
    started: Timestamp,
    /// [`ABSENT`] where there is none, as is the memory.
    cpu_nanos: i64,
    memory_bytes: i64,
    /// Its time is [`NOTHING`] where there is none.
    before: Before,
}

const ABSENT: i64 = i64::MIN;
const NOTHING: Timestamp = Timestamp::from_nanos(i64::MIN);

impl From<Pair> for Held {
    fn from(Pair { last, before }: Pair) -> Self {
        let nothing = Before { at: NOTHING, started: NOTHING, cpu_nanos: ABSENT };
        Self {
            at: last.at,
            started: last.started,
            cpu_nanos: last.cpu_nanos.unwrap_or(ABSENT),
            memory_bytes: last.memory_bytes.unwrap_or(ABSENT),
            before: before.unwrap_or(nothing),
        }
    }
}

impl Held {
    pub(super) fn pair(&self) -> Pair {
        let present = |number: i64| Some(number).filter(|number| *number != ABSENT);
        let last = Sample {
            at: self.at,
            started: self.started,
            cpu_nanos: present(self.cpu_nanos),
            memory_bytes: present(self.memory_bytes),
        };
        Pair { last, before: self.before() }
    }

    /// Whether a rate counts from something.
    pub(super) fn has_before(&self) -> bool {
        self.before().is_some()
    }

    fn before(&self) -> Option<Before> {
        Some(self.before).filter(|before| before.at != NOTHING)
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Before {
    at: Timestamp,
    started: Timestamp,
    cpu_nanos: i64,
}

impl Pair {
    /// `sample` behind what was known before.
    pub(super) fn follow(sample: Sample, before: Option<Self>, options: &ResourceOptions) -> Self {
        Self { last: sample, before: counted_from(&sample, before, options) }
    }

    pub(super) fn usage(self) -> Option<Usage> {
        let (before, cpu) = (self.before?, self.last.cpu_nanos?);
        if self.last.started < before.started || cpu < before.cpu_nanos {
            return None;
        }
        let nanos = self.last.at.nanos_since(before.at);
        if nanos <= 0 {
            return None;
        }
        let grown = cpu - before.cpu_nanos;
        let rate = if let Some(scaled) = grown.checked_mul(1_000_000_000) {
            scaled / nanos
        } else {
            // More than nine seconds of CPU: the slow division.
            let rate = i128::from(grown) * 1_000_000_000 / i128::from(nanos);
            i64::try_from(rate).unwrap_or(i64::MAX)
        };
        Some(Usage {
            at: self.last.at,
            window: self.last.at.since(before.at),
            cpu_nanocores: rate,
            memory_bytes: self.last.memory_bytes.unwrap_or(0),
        })
    }
}

/// What the rate of `sample` counts from, if anything.
fn counted_from(
    sample: &Sample,
    before: Option<Pair>,
    options: &ResourceOptions,
) -> Option<Before> {
    sample.cpu_nanos?;
    let age = sample.at.since(sample.started);
    if sample.started < sample.at && age >= YOUNGEST && age < options.resolution {
        // So young that its start is as good as a sample: it used nothing before.
        return Some(Before { at: sample.started, started: sample.started, cpu_nanos: 0 });
    }
    let Pair { last, before } = before?;
    if sample.started >= last.at {
        // It restarted since.
        return None;
    }
    let found = if sample.at > last.at {
        let cpu_nanos = last.cpu_nanos?;
        Some(Before { at: last.at, started: last.started, cpu_nanos })
    } else {
        // The kubelet repeated itself, or went back.
        before.filter(|before| before.at < sample.at)
    };
    found.filter(|before| options.old_rules || sample.at.since(before.at) <= MAX_WINDOW)
}

pub(super) fn is_positive(sample: &Sample) -> bool {
    sample.cpu_nanos.unwrap_or(0) > 0 && sample.memory_bytes.unwrap_or(0) > 0
}
