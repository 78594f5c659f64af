//! The clock: wall time derived from one reading and the runtime's monotonic time.

use std::time::Duration;

use model::Timestamp;
use tokio::time::Instant;

/// Wall time that follows `tokio::time`, so that a test which pauses the runtime controls it.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    wall: Timestamp,
    started: Instant,
}

impl Clock {
    /// A clock that shows the machine's wall time. Must be called inside a runtime.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    pub fn system() -> Self {
        let now = std::time::SystemTime::now();
        let since = now.duration_since(std::time::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self::starting_at(Timestamp::from_nanos(0).plus(since))
    }

    /// A clock that shows `wall` now and follows the runtime's time from here.
    pub fn starting_at(wall: Timestamp) -> Self {
        Self { wall, started: Instant::now() }
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.wall.plus(self.started.elapsed())
    }

    /// The runtime's instant at which the clock will show `time`; now if that has passed.
    pub fn instant_at(&self, time: Timestamp) -> Instant {
        self.started + time.since(self.wall)
    }
}
