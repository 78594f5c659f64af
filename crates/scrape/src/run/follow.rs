//! One target from scrape to scrape.

use std::hash::BuildHasher as _;
use std::sync::Arc;

use metrics::counter;
use model::Timestamp;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};

use super::Shared;
use crate::board::float;
use crate::client::Answer;
use crate::failure::Failure;
use crate::series::{SeriesOf, Taken};
use crate::target::Target;
use crate::telemetry::{SAMPLES, SAMPLES_REFUSED, SCRAPES};

/// A scrape that begins at most so many milliseconds late has the time that was planned, so that
/// times are evenly spaced.
const TOLERANCE: i64 = 10;

/// Why a target is no longer followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It is no more: its series end.
    Gone,
    /// Another replica follows it.
    Taken,
}

/// Follows a target.
pub(super) struct Follower {
    shared: Arc<Shared>,
    target: Arc<Target>,
    series: SeriesOf,
}

impl Follower {
    pub(super) fn new(shared: Arc<Shared>, target: Target) -> Self {
        let series = SeriesOf::new(Arc::clone(&target.labels), Arc::clone(&shared.budget));
        Self { shared, target: Arc::new(target), series }
    }

    /// Scrapes until it is told to end.
    pub(super) async fn run(mut self, mut stopped: oneshot::Receiver<End>) {
        let clock = self.shared.clock;
        let every = i64::try_from(self.target.interval.as_millis()).unwrap_or(i64::MAX).max(1);
        let offset = offset(&self.target.key, every);
        let mut last = i64::MIN;
        loop {
            let now = clock.now().millis();
            // A clock that was set back far must not stop the scrapes.
            let after = if last.saturating_sub(now) > every { now } else { now.max(last) };
            let due = next(after, every, offset);
            last = due;
            tokio::select! {
                end = &mut stopped => return self.end(end.unwrap_or(End::Taken)).await,
                () = sleep_until(clock.instant_at(Timestamp::from_millis(due))) => {}
            }
            let (now, began) = (clock.now().millis(), Instant::now());
            let off = now.saturating_sub(due).abs();
            let at = if off <= TOLERANCE.min(every / 100) { due } else { now };
            let target = Arc::clone(&self.target);
            let asked = self.shared.asker.ask(&target.url, &target.pool.tls, target.timeout);
            let answer = tokio::select! {
                end = &mut stopped => return self.end(end.unwrap_or(End::Taken)).await,
                answer = asked => answer,
            };
            self = match self.take(answer, at, began).await {
                Some(back) => back,
                None => return,
            };
        }
    }

    async fn end(mut self, end: End) {
        if end == End::Taken {
            return;
        }
        let at = self.shared.clock.now().millis();
        let written = spawn_blocking(move || {
            let samples = self.series.end(at);
            self.shared.keep.keep(&samples, &[])
        });
        match written.await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(error, "the end of a target could not be kept"),
            Err(error) => tracing::error!(%error, "the end of a target could not be kept"),
        }
    }

    /// Decodes and keeps; `None` when that failed in an unexpected way.
    async fn take(
        mut self,
        answer: Result<Answer, Failure>,
        at: i64,
        began: Instant,
    ) -> Option<Self> {
        let shared = Arc::clone(&self.shared);
        // It is never closed.
        let _turn = shared.decoders.acquire().await.ok()?;
        let taken = spawn_blocking(move || {
            self.decoded(answer, at, began);
            self
        });
        match taken.await {
            Ok(back) => Some(back),
            Err(error) => {
                tracing::error!(%error, "an answer could not be decoded");
                None
            }
        }
    }

    fn decoded(&mut self, answer: Result<Answer, Failure>, at: i64, began: Instant) {
        let Self { shared, target, series } = self;
        let outcome = answer.and_then(|answer| {
            let text = answer.text(shared.settings.limits.body_bytes)?;
            series.take(&text, answer.format, &target.pool.treatment, at)
        });
        let (taken, failure) = match outcome {
            Ok(taken) => (taken, None),
            Err(failure) => (Taken { samples: series.fail(at), ..Taken::default() }, Some(failure)),
        };
        let took = began.elapsed();
        let Taken { mut samples, described, scraped, kept, added, mut refused } = taken;
        let up = if failure.is_none() { 1.0 } else { 0.0 };
        let told = [up, took.as_secs_f64(), float(scraped), float(kept), float(added)];
        samples.extend(series.report(told, at));
        let mut error = failure.as_ref().map_or(String::new(), |failure| failure.reason.clone());
        match shared.keep.keep(&samples, &described) {
            Ok(not_kept) => {
                for (reason, count) in not_kept {
                    *refused.entry(reason).or_default() += count;
                }
                let lost: usize = refused.values().sum();
                counter!(SAMPLES).increment(samples.len().saturating_sub(lost) as u64);
            }
            Err(why) => {
                refused.insert("not_kept", samples.len());
                if error.is_empty() {
                    error = format!("its samples could not be kept: {why}");
                }
            }
        }
        for (reason, count) in &refused {
            counter!(SAMPLES_REFUSED, "reason" => *reason).increment(*count as u64);
        }
        let outcome = failure.as_ref().map_or("ok", |failure| failure.name);
        counter!(SCRAPES, "outcome" => outcome).increment(1);
        let now = Timestamp::from_millis(at);
        shared.board.note(&target.key, |standing| {
            let up = Some(failure.is_none());
            if standing.up != up {
                standing.since = now;
                if standing.up.is_some() || failure.is_some() {
                    tracing::info!(
                        url = target.url,
                        error,
                        up = failure.is_none(),
                        "a target changed"
                    );
                }
            }
            if failure.is_none() {
                standing.answered = now;
            }
            (standing.up, standing.error) = (up, error);
            (standing.asked, standing.took) = (now, took);
            (standing.samples, standing.refused) = (kept, refused);
        });
    }
}

/// Where in its interval a target is asked: spread by its key, the same after a restart.
fn offset(key: &str, every: i64) -> i64 {
    let hash = foldhash::quality::FixedState::default().hash_one(key);
    i64::try_from(hash % every.unsigned_abs().max(1)).unwrap_or(0)
}

/// The first time after `now` that is `offset` after a multiple of `every`.
fn next(now: i64, every: i64, offset: i64) -> i64 {
    ((now - offset).div_euclid(every) + 1) * every + offset
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scrapes_are_spread_over_the_interval() {
        let every = 30_000;
        let mut seconds = [0; 30];
        for i in 0..3000 {
            let at = offset(&format!("pool http://10.0.0.{i}/metrics"), every);
            seconds[usize::try_from(at / 1000).unwrap()] += 1;
        }
        assert!(seconds.iter().all(|count| (60..150).contains(count)), "{seconds:?}");
    }

    #[test]
    fn the_next_time_is_after_now() {
        for (now, expected) in [(0, 7), (6, 7), (7, 17), (8, 17), (-1, 7), (-4, -3)] {
            assert_eq!(next(now, 10, 7), expected, "{now}");
        }
    }
}
