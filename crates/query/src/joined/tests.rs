//! Joining window and archive: no doubled points, no lost ones.

use std::sync::Arc;
use std::time::Duration;

use model::{Batch, Draft, Entity, EntityKind, Event, Registry, metric};

use super::*;
use crate::{EventsAsked, LabelMatch, WindowOptions};

/// Node n1 measured its own time in minutes, each minute from `first` to `last`, without `holes`.
struct Kept {
    minutes: Vec<i64>,
}

fn at(minute: i64) -> Timestamp {
    Timestamp::from_secs(minute * 60)
}

impl Kept {
    fn between(&self, (from, to): (Timestamp, Timestamp)) -> Vec<i64> {
        let all = self.minutes.iter().copied();
        all.filter(|minute| (from..=to).contains(&at(*minute))).collect()
    }
}

#[expect(clippy::cast_precision_loss, reason = "small numbers")]
impl Archive for Kept {
    fn reach(&self) -> Option<(Timestamp, Timestamp)> {
        Some((at(*self.minutes.first()?), at(*self.minutes.last()?)))
    }

    fn ticks(&self, from: Timestamp, to: Timestamp) -> Result<Vec<i64>, ArchiveError> {
        Ok(self.between((from, to)).into_iter().map(|minute| minute * 60_000).collect())
    }

    fn resolution(&self, step: Duration) -> Option<Duration> {
        (step >= Duration::from_mins(5)).then_some(Duration::from_mins(5))
    }

    fn read(
        &self,
        series: &[SeriesRef],
        range: (Timestamp, Timestamp),
        step: Option<Duration>,
        cancel: &Cancel,
        each: &mut dyn FnMut(usize, Strip<'_>),
    ) -> Result<(), ArchiveError> {
        cancel.check()?;
        let minutes = self.between(range);
        let values: Vec<f64> = minutes.iter().map(|minute| *minute as f64).collect();
        let times: Vec<i64> = minutes.iter().map(|minute| minute * 60_000).collect();
        let bucketed = step.and_then(|step| self.resolution(step)).is_some();
        for (at, one) in series.iter().enumerate() {
            if one.entity.kind() != EntityKind::Node {
                continue;
            }
            if bucketed {
                for some in
                    minutes.chunk_by(|left, right| left.div_euclid(5) == right.div_euclid(5))
                {
                    let times = [some[0].div_euclid(5) * 300_000];
                    let (min, max) = ([some[0] as f64], [some[some.len() - 1] as f64]);
                    let (sum, count) = ([some.iter().sum::<i64>() as f64], [some.len() as f64]);
                    let (times, min, max) = (&times[..], &min[..], &max[..]);
                    each(at, Strip::Buckets { times, min, max, sum: &sum, count: &count });
                }
            } else {
                each(at, Strip::Raw { times: &times, values: &values });
            }
        }
        Ok(())
    }

    fn entities(
        &self,
        _: EntityKind,
        _: &[LabelMatch],
        _: (Timestamp, Timestamp),
    ) -> Result<Vec<Arc<Entity>>, ArchiveError> {
        Ok(Vec::new())
    }

    fn events(&self, _: &EventsAsked, _: usize) -> Result<Vec<Event>, ArchiveError> {
        Ok(Vec::new())
    }
}

fn batch(minute: i64) -> Arc<Batch> {
    let mut draft = Draft::new(at(minute), Registry::default());
    let node = draft.registry.node("n1");
    let row = draft.insert(&node).row;
    draft.table_mut(EntityKind::Node).set_int(row, metric::MEMORY_USAGE, minute);
    draft.freeze().0
}

fn window(minutes: impl IntoIterator<Item = i64>) -> Window {
    let window = Window::new(WindowOptions::default());
    for minute in minutes {
        window.append(&batch(minute)).unwrap();
    }
    window
}

fn node() -> SeriesRef {
    let entity = Registry::default().node("n1");
    SeriesRef { entity, metric: "memory/usage".to_owned() }
}

fn ask(window: &Window, kept: &Kept, (start, end): (i64, i64), points: usize) -> RangeAnswer {
    let series = [node()];
    let asked = RangeAsked { series: &series, start: at(start), end: at(end), points };
    window.joined(Some(kept), &asked, &Cancel::default()).unwrap()
}

fn rows(answer: &RangeAnswer) -> Vec<(i64, Option<f64>)> {
    let minutes = answer.timestamps.iter().map(|time| time.millis() / 60_000);
    minutes.zip(answer.series[0].avg.iter().copied()).collect()
}

#[test]
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn samples_join_without_doubling() {
    // Both know the minutes 100 to 110.
    let kept = Kept { minutes: (0..=110).collect() };
    let answer = ask(&window(100..=110), &kept, (90, 120), 500);
    let expected: Vec<_> = (90..=110).map(|minute| (minute, Some(minute as f64))).collect();
    assert_eq!(rows(&answer), expected);
    assert_eq!((answer.step, &answer.series[0].extremes), (Duration::from_mins(1), &None));
}

#[test]
fn what_was_not_measured_is_a_gap() {
    let kept = Kept { minutes: vec![1, 2, 3, 9, 10] };
    let answer = ask(&window([20, 21]), &kept, (0, 30), 500);
    let known = |minute: i32| (i64::from(minute), Some(f64::from(minute)));
    let expected = [1, 2, 3].map(known).into_iter().chain([(4, None)]).chain([9, 10].map(known));
    let expected = expected.chain([(11, None)]).chain([20, 21].map(known));
    assert_eq!(rows(&answer), expected.collect::<Vec<_>>());
}

#[test]
fn every_value_is_in_one_bucket() {
    let kept = Kept { minutes: (0..=1_000).collect() };
    for (range, points) in [((0, 1_002), 10), ((3, 1_002), 7), ((500, 1_002), 100), ((0, 990), 3)] {
        let answer = ask(&window(991..=1_002), &kept, range, points);
        assert!(answer.timestamps.len() <= points, "{range:?}");
        let both = answer.series[0].extremes.as_ref().unwrap();
        assert_eq!(
            both.max.last().unwrap(),
            &Some(f64::from(i32::try_from(range.1).unwrap())),
            "{range:?}"
        );
        for at in 1..answer.timestamps.len() {
            // Neighbours touch: the next minute after a bucket's last is the next one's first.
            assert_eq!(both.max[at - 1].map(|max| max + 1.0), both.min[at], "{range:?} {at}");
        }
        let middle = |at: usize| Some(f64::midpoint(both.min[at]?, both.max[at]?));
        for at in 0..answer.timestamps.len() {
            assert_eq!(answer.series[0].avg[at], middle(at), "{range:?} {at}");
        }
    }
}

#[test]
fn a_window_that_knows_it_all_is_enough() {
    let kept = Kept { minutes: (0..=110).collect() };
    let window = window(100..=110);
    let series = [node()];
    let (start, end) = (at(105), at(110));
    let asked = RangeAsked { series: &series, start, end, points: 500 };
    let cancelled = Cancel::default();
    cancelled.cancel();
    // The archive would refuse.
    let answer = window.joined(Some(&kept), &asked, &cancelled).unwrap();
    assert_eq!(answer, window.range(&series, start, end, 500));
}

#[test]
fn nobody_waits_for_a_cancelled_question() {
    let kept = Kept { minutes: (0..=110).collect() };
    let series = [node()];
    let asked = RangeAsked { series: &series, start: at(0), end: at(110), points: 50 };
    let cancelled = Cancel::default();
    cancelled.cancel();
    let answer = window([]).joined(Some(&kept), &asked, &cancelled);
    assert_eq!(answer, Err(ArchiveError::Cancelled));
}
