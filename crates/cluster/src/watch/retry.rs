//! How long a failed watch waits before it is tried again.

use std::time::Duration;

use kube::runtime::utils::{Backoff, ResetTimerBackoff};

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(30);
/// After so long without a failure the next wait is the first again.
const FORGET_AFTER: Duration = Duration::from_mins(2);

/// Doubles from 200 ms to 30 s.
pub(crate) struct Doubling {
    next: Duration,
}

/// The waits of one watch.
pub(crate) fn waits() -> ResetTimerBackoff<Doubling> {
    ResetTimerBackoff::new(Doubling { next: FIRST }, FORGET_AFTER)
}

impl Iterator for Doubling {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let now = self.next;
        self.next = (now * 2).min(LONGEST);
        Some(now)
    }
}

impl Backoff for Doubling {
    fn reset(&mut self) {
        self.next = FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_limit() {
        let mut waits = Doubling { next: FIRST };
        let millis: Vec<u128> = waits.by_ref().take(10).map(|wait| wait.as_millis()).collect();
        assert_eq!(millis, [200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]);
        waits.reset();
        assert_eq!(waits.next(), Some(FIRST));
    }
}
