//! When to try again: exponential backoff with jitter, and the circuit's state. Knows no I/O.

use std::time::Duration;

/// Wait after the first failure, before jitter.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// Longest wait, before jitter.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// Longest wait that a destination can ask for.
const LONGEST_ASKED: Duration = Duration::from_mins(10);
/// After that many failures in a row the destination is left alone but for single probes.
const OPEN_AFTER: u32 = 3;

/// Whether a destination is sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It works.
    Closed,
    /// It is left alone until the wait is over.
    Open,
    /// One chunk tries whether it works again.
    HalfOpen,
}

impl State {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

#[derive(Debug)]
pub(crate) struct Circuit {
    failures: u32,
    state: State,
    random: u64,
}

impl Circuit {
    /// `seed` decides the jitter.
    pub(crate) fn new(seed: u64) -> Self {
        Self { failures: 0, state: State::Closed, random: seed }
    }

    pub(crate) fn state(&self) -> State {
        self.state
    }

    /// Failures in a row.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// An attempt begins: how many chunks it may carry at once.
    pub(crate) fn begin(&mut self, concurrency: usize) -> usize {
        if self.state == State::Closed {
            return concurrency;
        }
        self.state = State::HalfOpen;
        1
    }

    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
        self.state = State::Closed;
    }

    /// How long to wait now: between half and all of a time that doubles with each failure in a
    /// row, but not less than `asked`.
    pub(crate) fn failed(&mut self, asked: Option<Duration>) -> Duration {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= OPEN_AFTER {
            self.state = State::Open;
        }
        let doublings = (self.failures - 1).min(16);
        let whole = FIRST_WAIT.saturating_mul(1 << doublings).min(LONGEST_WAIT);
        let wait = whole.mul_f64(0.5 + 0.5 * self.fraction());
        wait.max(asked.unwrap_or_default().min(LONGEST_ASKED))
    }

    /// The next pseudo-random number in 0..1 (`SplitMix64`).
    #[expect(clippy::cast_precision_loss, reason = "53 bits are kept, all of which fit")]
    fn fraction(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_with_jitter_and_end_with_success() {
        let mut circuit = Circuit::new(1);
        let mut whole = FIRST_WAIT;
        for _ in 0..20 {
            let wait = circuit.failed(None);
            assert!(wait >= whole / 2 && wait <= whole, "{wait:?} of {whole:?}");
            whole = (whole * 2).min(LONGEST_WAIT);
        }
        assert_ne!(Circuit::new(1).failed(None), Circuit::new(2).failed(None));
        circuit.succeeded();
        assert!(circuit.failed(None) <= FIRST_WAIT);
        assert_eq!(circuit.failed(Some(Duration::from_secs(77))), Duration::from_secs(77));
        assert_eq!(circuit.failed(Some(Duration::from_hours(9))), LONGEST_ASKED);
    }

    #[test]
    fn an_open_circuit_is_tried_with_one_chunk() {
        let mut circuit = Circuit::new(1);
        assert_eq!(circuit.begin(8), 8);
        for _ in 0..OPEN_AFTER {
            circuit.failed(None);
        }
        assert_eq!(circuit.state(), State::Open);
        assert_eq!((circuit.begin(8), circuit.state()), (1, State::HalfOpen));
        circuit.succeeded();
        assert_eq!((circuit.begin(8), circuit.state()), (8, State::Closed));
    }
}
