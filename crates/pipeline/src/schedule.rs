//! The schedule: which windows are scraped, and when. Arithmetic only, no clock.

use std::time::Duration;

use model::Timestamp;

/// The least time between the first scrape, which happens at once, and the second.
const SETTLE: Duration = Duration::from_secs(1);

/// Hands out window ends: the first is now, all others are multiples of the resolution.
#[derive(Debug)]
pub(crate) struct Schedule {
    resolution: Duration,
    offset: Duration,
    /// The newest batch of a process before this one.
    before: Timestamp,
    last: Option<Timestamp>,
}

/// The next window to scrape.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Planned {
    /// The window's end.
    pub(crate) end: Timestamp,
    /// When to scrape.
    pub(crate) wake: Timestamp,
    /// How many windows are left out because their time has passed.
    pub(crate) skipped: u64,
}

impl Schedule {
    pub(crate) fn new(resolution: Duration, offset: Duration) -> Self {
        Self { resolution, offset, before: Timestamp::NEVER, last: None }
    }

    /// The same behind another process, whose newest batch was that of `before`: two batches of
    /// one second could not both be kept. One too far ahead is from a clock that was set back.
    pub(crate) fn behind(mut self, before: Timestamp) -> Self {
        self.before = before;
        self
    }

    /// The window after the last one, seen at `now`.
    pub(crate) fn next(&mut self, now: Timestamp) -> Planned {
        let planned = match self.last {
            None => {
                let second = Duration::from_secs(1);
                let at_once = now.truncated(second);
                let taken = self.before >= at_once && self.before.since(now) < self.resolution;
                let end = if taken { self.before.truncated(second).plus(second) } else { at_once };
                Planned { end, wake: now.max(end), skipped: 0 }
            }
            Some(last) => {
                let first = last.truncated(self.resolution).plus(self.resolution);
                let earliest = now.minus(self.offset);
                let mut end = first;
                if end < earliest {
                    end = earliest.truncated(self.resolution);
                    if end < earliest {
                        end = end.plus(self.resolution);
                    }
                }
                let skipped = end.since(first).as_nanos() / self.resolution.as_nanos().max(1);
                Planned {
                    end,
                    wake: end.plus(self.offset),
                    skipped: u64::try_from(skipped).unwrap_or(u64::MAX),
                }
            }
        };
        self.last = Some(planned.end);
        planned
    }

    /// After the first scrape: leaves out a window that ends within a second, in which no kubelet
    /// would have measured anew.
    pub(crate) fn settle(&mut self, now: Timestamp) {
        let Some(last) = self.last else { return };
        let next = last.truncated(self.resolution).plus(self.resolution);
        if next.plus(self.offset) < now.plus(SETTLE) {
            self.last = Some(next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn planned(end: i64, wake: i64, skipped: u64) -> Planned {
        Planned { end: at(end), wake: at(wake), skipped }
    }

    #[test]
    fn first_window_is_now_and_later_ones_are_aligned() {
        let mut schedule = Schedule::new(Duration::from_mins(1), Duration::ZERO);
        let now = Timestamp::from_millis(100_700);
        assert_eq!(schedule.next(now), Planned { end: at(100), wake: now, skipped: 0 });
        assert_eq!(schedule.next(at(101)), planned(120, 120, 0));
        assert_eq!(schedule.next(at(120)), planned(180, 180, 0));
    }

    #[test]
    fn the_second_of_a_batch_before_this_process_is_left_alone() {
        let schedule = || Schedule::new(Duration::from_mins(1), Duration::ZERO);
        let now = Timestamp::from_millis(100_700);
        assert_eq!(schedule().behind(at(99)).next(now).end, at(100));
        assert_eq!(schedule().behind(at(100)).next(now), planned(101, 101, 0));
        let mut schedule = schedule().behind(at(4000));
        assert_eq!(schedule.next(now).end, at(100), "the clock was set back");
        assert_eq!(schedule.next(now), planned(120, 120, 0));
    }

    #[test]
    fn heapster_scrapes_some_seconds_after_the_window() {
        let mut schedule = Schedule::new(Duration::from_mins(1), Duration::from_secs(5));
        schedule.next(at(120));
        assert_eq!(schedule.next(at(121)), planned(180, 185, 0));
        assert_eq!(schedule.next(at(190)), planned(240, 245, 0));
    }

    #[test]
    fn windows_whose_time_has_passed_are_skipped() {
        let mut schedule = Schedule::new(Duration::from_secs(5), Duration::ZERO);
        schedule.next(at(100));
        assert_eq!(schedule.next(at(117)), planned(120, 120, 3));
        assert_eq!(schedule.next(at(125)), planned(125, 125, 0));
    }

    #[test]
    fn a_window_right_after_the_first_scrape_is_left_out() {
        let mut schedule = Schedule::new(Duration::from_mins(1), Duration::ZERO);
        let now = Timestamp::from_millis(119_500);
        schedule.next(now);
        schedule.settle(now);
        assert_eq!(schedule.next(at(120)), planned(180, 180, 0));
    }
}
