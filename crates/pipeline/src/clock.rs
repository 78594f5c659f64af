//! The clock: the machine's wall time, or one that a test starts and tokio's time moves.

use std::time::Duration;

use model::Timestamp;
use tokio::time::Instant;

/// The time, as an argument to all that need it.
#[derive(Debug, Clone, Copy)]
pub struct Clock(Kind);

#[derive(Debug, Clone, Copy)]
enum Kind {
    /// The machine's: follows suspension and corrections of its clock.
    System,
    /// Starts somewhere and follows `tokio::time`, which a test may pause.
    Started { wall: Timestamp, at: Instant },
}

impl Clock {
    /// The machine's wall time.
    pub const fn system() -> Self {
        Self(Kind::System)
    }

    /// A clock that shows `wall` now and follows the runtime's time from here. Must be called
    /// inside a runtime.
    pub fn starting_at(wall: Timestamp) -> Self {
        Self(Kind::Started { wall, at: Instant::now() })
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        match self.0 {
            Kind::System => system_time(),
            Kind::Started { wall, at } => wall.plus(at.elapsed()),
        }
    }

    /// The runtime's instant at which the clock will show `time`; now if that has passed. A
    /// correction of the machine's clock meanwhile is not foreseen.
    pub fn instant_at(&self, time: Timestamp) -> Instant {
        Instant::now() + time.since(self.now())
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
fn system_time() -> Timestamp {
    let now = std::time::SystemTime::now();
    let since = now.duration_since(std::time::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Timestamp::from_nanos(0).plus(since)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_started_clock_follows_paused_time() {
        let clock = Clock::starting_at(Timestamp::from_secs(100));
        tokio::time::advance(Duration::from_secs(7)).await;
        assert_eq!(clock.now(), Timestamp::from_secs(107));
        let wake = clock.instant_at(Timestamp::from_secs(110));
        assert_eq!(wake - Instant::now(), Duration::from_secs(3));
        assert_eq!(clock.instant_at(Timestamp::from_secs(1)), Instant::now());
    }
}
