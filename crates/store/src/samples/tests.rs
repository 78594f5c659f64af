//! Samples through restarts, bounds and memory.

use std::path::Path;

use super::*;
use crate::vfs::Simulated;

const NOW: i64 = 1_795_426_410_000;

fn labels(name: &str, pod: &str) -> Vec<(Arc<str>, Arc<str>)> {
    vec![("__name__".into(), name.into()), ("pod".into(), pod.into())]
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn put(samples: &Samples, name: &str, pod: &str, time: i64, value: f64) -> Taken {
    let labels = labels(name, pod);
    samples.append(&[Incoming { labels: &labels, time, value }], at(time)).unwrap()
}

fn all(samples: &Samples, matchers: &[Matcher]) -> Vec<(String, Vec<i64>, Vec<f64>)> {
    let query = SampleQuery {
        matchers,
        from: 0,
        to: i64::MAX,
        max_series: 100,
        max_samples: 100_000,
        samples: true,
    };
    let found = samples.select(&query).unwrap();
    found.into_iter().map(|one| (one.labels[1].1.to_string(), one.times, one.values)).collect()
}

fn open(vfs: &Arc<Simulated>, now: i64) -> Samples {
    let vfs: Arc<dyn Vfs> = Arc::<Simulated>::clone(vfs);
    Samples::open(vfs, Path::new("/data/samples").to_owned(), SampleOptions::default(), at(now))
        .unwrap()
}

#[test]
fn samples_survive_and_become_blocks() {
    let vfs = Arc::new(Simulated::default());
    let samples = open(&vfs, NOW);
    let hour = 3_600_000;
    for step in 0..80 {
        let now = NOW + step * hour / 2;
        put(&samples, "m", "a", now, 1.0);
        put(&samples, "m", "b", now, 0.5);
        samples.maintain(at(now)).unwrap();
    }
    let expected = all(&samples, &[]);
    assert_eq!(expected[0].1.len(), 80, "over windows and joined days");
    assert!(samples.read().blocks.len() < 12, "days are joined: {}", samples.read().blocks.len());
    drop(samples);
    let samples = open(&vfs, NOW + 41 * hour);
    assert_eq!(all(&samples, &[]), expected, "as before the restart");
    assert_eq!(all(&samples, &[Matcher::equal("pod", "b")]).len(), 1);
    assert_eq!(all(&samples, &[Matcher::not_equal("pod", "b")])[0].0, "a");
    assert_eq!(all(&samples, &[Matcher::equal("absent", "")]).len(), 2);
    assert_eq!(all(&samples, &[Matcher::equal("pod", "none")]).len(), 0);
    let late = NOW + 40 * 24 * hour;
    put(&samples, "m", "c", late, 1.0);
    samples.maintain(at(late + 3 * hour)).unwrap();
    assert_eq!(all(&samples, &[]).len(), 1, "the month is over");
    assert_eq!(samples.series(), 1);
}

#[test]
fn series_are_found_by_lists_of_values() {
    let vfs = Arc::new(Simulated::new(1));
    let samples = open(&vfs, 0);
    for (name, pod) in [("up", "a"), ("up", "b"), ("up", "c"), ("down", "a")] {
        put(&samples, name, pod, 1_000, 1.0);
    }
    let found = |matchers: &[Matcher]| all(&samples, matchers).len();
    let up = || Matcher::equal("__name__", "up");
    assert_eq!(found(&[up()]), 3);
    assert_eq!(found(&[up(), Matcher::one_of("pod", ["a", "c", "d"])]), 2);
    assert_eq!(found(&[up(), Matcher::one_of("pod", [])]), 0);
    assert_eq!(found(&[up(), Matcher::one_of("pod", ["a", ""])]), 1);
    assert_eq!(found(&[up(), Matcher::one_of("node", ["a", ""])]), 3);
    assert_eq!(found(&[Matcher::equal("__name__", "no"), Matcher::equal("pod", "a")]), 0);
    assert_eq!(found(&[Matcher::equal("pod", "a"), Matcher::not_equal("__name__", "up")]), 1);
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let options = SampleOptions { max_series: 2, ..SampleOptions::default() };
    let samples = Samples::in_memory(options);
    assert_eq!(put(&samples, "m", "a", NOW, 1.0).stored, 1);
    assert_eq!(put(&samples, "m", "a", NOW, 1.0).stored, 1, "the same again");
    let refused = |taken: Taken| taken.refused.into_keys().next();
    assert_eq!(refused(put(&samples, "m", "a", NOW, 2.0)), Some(Refused::Duplicate));
    assert_eq!(refused(put(&samples, "m", "a", NOW - 1, 2.0)), Some(Refused::OutOfOrder));
    put(&samples, "m", "b", NOW, 1.0);
    assert_eq!(refused(put(&samples, "m", "c", NOW, 1.0)), Some(Refused::TooManySeries));
    let labels = labels("m", "a");
    for (time, reason) in [
        (NOW - 3_600_001, Refused::TooOld),
        (NOW + 600_001, Refused::TooNew),
        (i64::MIN, Refused::TooOld),
    ] {
        let sample = Incoming { labels: &labels, time, value: 1.0 };
        assert_eq!(refused(samples.append(&[sample], at(NOW)).unwrap()), Some(reason), "{time}");
    }
    let query = SampleQuery {
        matchers: &[],
        from: 0,
        to: i64::MAX,
        max_series: 1,
        max_samples: 10,
        samples: true,
    };
    assert_eq!(samples.select(&query), Err(TooMuch::Series(1)));
}

#[test]
fn memory_forgets() {
    let options = SampleOptions {
        retention: Duration::from_mins(10),
        window_samples: 50,
        ..SampleOptions::default()
    };
    let samples = Samples::in_memory(options);
    for second in 0..1000 {
        put(&samples, "m", "a", NOW + second * 1000, 1.0);
    }
    samples.maintain(at(NOW + 1_000_000)).unwrap();
    assert!(all(&samples, &[])[0].1.len() <= 50);
    samples.maintain(at(NOW + 5_000_000)).unwrap();
    assert_eq!(samples.series(), 0);
}
