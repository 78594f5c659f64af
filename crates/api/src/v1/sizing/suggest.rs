//! What a container would need: percentiles of what it used, waste, risk, and amounts that do.

use once::Order as _;
use query::SeriesValues;
use serde::Serialize;

/// What a container asks for and may use.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Amount {
    pub(super) request: Option<f64>,
    pub(super) limit: Option<f64>,
}

impl Amount {
    pub(super) fn of(request: Option<i64>, limit: Option<i64>) -> Self {
        let float = |amount: Option<i64>| amount.map(|amount| model::Value::Int(amount).as_f64());
        // Kubernetes takes a limit without a request for both.
        Self { request: float(request.or(limit)), limit: float(limit) }
    }
}

/// What was used: percentiles of averages, the greatest value ever seen, and for how long the
/// limit was near.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Used {
    pub(super) p50: Option<f64>,
    pub(super) p95: Option<f64>,
    pub(super) max: Option<f64>,
    /// Hours of the container for which they were most; `None` where nothing limits it.
    pub(super) near_hours: Option<f64>,
}

/// The samples of the containers of one template.
#[derive(Debug, Default)]
pub(super) struct Samples {
    values: Vec<f64>,
    max: Option<f64>,
    /// The value from which on the limit is near.
    near: Option<f64>,
    /// For how many hours a point stands.
    hours: f64,
    near_hours: Option<f64>,
}

impl Samples {
    pub(super) fn new(near: Option<f64>, hours: f64) -> Self {
        Self { near, hours, ..Self::default() }
    }

    /// Takes the points of one container.
    ///
    /// A point is a sample, or a bucket of samples with average, minimum and maximum; there are at
    /// most 336, so that over 7 days one is half an hour. A point near the limit throughout
    /// counts for all of its time. Of a bucket that was near it for a part, that share of its time
    /// counts for which two levels, the minimum and the maximum, give its average:
    /// (average - minimum) / (maximum - minimum).
    pub(super) fn extend(&mut self, series: Option<SeriesValues>) {
        let Some(series) = series else { return };
        if let Some(points) = self.near.and_then(|near| points_near(&series, near)) {
            let hours = points * self.hours;
            self.near_hours = Some(self.near_hours.map_or(hours, |known| known.max(hours)));
        }
        let greatest = match &series.extremes {
            Some(extremes) => extremes.max.iter().flatten().copied().reduce(f64::max),
            None => series.avg.iter().flatten().copied().reduce(f64::max),
        };
        self.max = self.max.into_iter().chain(greatest).reduce(f64::max);
        self.values.extend(series.avg.into_iter().flatten());
    }

    pub(super) fn used(mut self) -> Used {
        self.values.order_by(f64::total_cmp);
        let (p50, p95) = (self.percentile(50), self.percentile(95));
        Used { p50, p95, max: self.max, near_hours: self.near_hours }
    }

    /// The least value that so many percent of all do not exceed.
    fn percentile(&self, percent: usize) -> Option<f64> {
        let rank = (self.values.len() * percent).div_ceil(100);
        self.values.get(rank.checked_sub(1)?).copied()
    }
}

/// How many points, in parts too, came to `near`; `None` where there are none.
fn points_near(series: &SeriesValues, near: f64) -> Option<f64> {
    let points = series.avg.iter().enumerate().filter_map(|(at, avg)| {
        let avg = (*avg)?;
        let (min, max) = match &series.extremes {
            Some(extremes) => (extremes.min[at].unwrap_or(avg), extremes.max[at].unwrap_or(avg)),
            None => (avg, avg),
        };
        Some(match (min >= near, max >= near) {
            (true, _) => 1.0,
            (false, false) => 0.0,
            (false, true) => ((avg - min) / (max - min)).clamp(0.0, 1.0),
        })
    });
    points.reduce(|all, one| all + one)
}

/// How much room a suggestion leaves, and what it is rounded up to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// Request by p95.
    request: f64,
    /// Limit by the greatest value.
    limit: f64,
    /// Whether a limit is worth suggesting: one of CPU throttles, one of memory protects others.
    limits: bool,
    least: f64,
    round: f64,
    /// Share of the limit from which on it is near.
    near: f64,
}

impl Rules {
    /// The value from which on the limit is near.
    pub(super) fn near_limit(&self, amount: Amount) -> Option<f64> {
        amount.limit.map(|limit| limit * self.near)
    }
}

/// CPU in millicores.
pub(super) const CPU: Rules =
    Rules { request: 1.15, limit: 1.5, limits: false, least: 10.0, round: 5.0, near: 0.9 };

/// Memory in bytes.
pub(super) const MEMORY: Rules = Rules {
    request: 1.1,
    limit: 1.25,
    limits: true,
    least: 16_777_216.0,
    round: 4_194_304.0,
    near: 0.9,
};

/// What may go wrong; later ones are worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Risk {
    /// Nothing that shows.
    None,
    /// Nothing keeps it from using all of the node.
    NoLimit,
    /// The scheduler knows nothing of it.
    NoRequest,
    /// It uses more than it asked for, for more than a twentieth of the time.
    OverRequest,
    /// It came near its limit: throttled or killed.
    NearLimit,
}

pub(super) fn risk(amount: Amount, used: Used, rules: Rules) -> Risk {
    let near = rules.near_limit(amount).zip(used.max);
    if near.is_some_and(|(near, max)| max >= near) {
        return Risk::NearLimit;
    }
    match (amount.request, used.p95) {
        (None, _) => Risk::NoRequest,
        (Some(request), Some(p95)) if p95 > request => Risk::OverRequest,
        _ if rules.limits && amount.limit.is_none() => Risk::NoLimit,
        _ => Risk::None,
    }
}

/// Request less p95, never below zero; `None` where nothing is asked for or was measured.
pub(super) fn wasted(amount: Amount, used: Used) -> Option<f64> {
    Some((amount.request? - used.p95?).max(0.0))
}

/// Amounts that would have done; where a limit was set, one that would not have been reached.
pub(super) fn suggest(amount: Amount, used: Used, rules: Rules) -> Amount {
    let rounded = |value: f64| ((value / rules.round).ceil() * rules.round).max(rules.least);
    let request = used.p95.map(|p95| rounded(p95 * rules.request));
    let limit = used.max.map(|max| rounded(max * rules.limit));
    let limit = limit.zip(request).map(|(limit, request)| limit.max(request));
    Amount { request, limit: limit.filter(|_| rules.limits || amount.limit.is_some()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(values: &[f64]) -> Used {
        let mut samples = Samples::default();
        let avg = values.iter().copied().map(Some).chain([None]).collect();
        samples.extend(Some(SeriesValues { avg, extremes: None }));
        samples.used()
    }

    #[test]
    fn percentiles_are_values_that_were_seen() {
        assert_eq!(used(&[]), Used::default());
        let one = used(&[7.0]);
        assert_eq!((one.p50, one.p95, one.max), (Some(7.0), Some(7.0), Some(7.0)));
        let hundred: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        let all = used(&hundred);
        assert_eq!((all.p50, all.p95, all.max), (Some(50.0), Some(95.0), Some(100.0)));
    }

    #[test]
    fn hours_near_the_limit_are_of_the_container_with_most() {
        let series = |points: &[(f64, f64, f64)]| {
            let column = |of: fn(&(f64, f64, f64)) -> f64| {
                points.iter().map(|point| Some(of(point))).chain([None]).collect::<Vec<_>>()
            };
            let extremes =
                query::Extremes { min: column(|point| point.0), max: column(|point| point.2) };
            SeriesValues { avg: column(|point| point.1), extremes: Some(extremes) }
        };
        let hours = |near: Option<f64>, all: &[SeriesValues]| {
            let mut samples = Samples::new(near, 0.5);
            for one in all {
                samples.extend(Some(one.clone()));
            }
            samples.used().near_hours
        };
        // Throughout, never, and a quarter of the time at 100 while it is at 20 else.
        let buckets = series(&[(91.0, 95.0, 99.0), (10.0, 80.0, 89.0), (20.0, 40.0, 100.0)]);
        assert_eq!(hours(Some(90.0), std::slice::from_ref(&buckets)), Some(0.625));
        let longer = series(&[(90.0, 90.0, 90.0), (90.0, 90.0, 90.0)]);
        let raw = SeriesValues { avg: vec![Some(90.0), Some(89.9), None], extremes: None };
        assert_eq!(hours(Some(90.0), &[raw.clone(), longer, buckets.clone()]), Some(1.0));
        assert_eq!(hours(Some(90.0), &[raw]), Some(0.5));
        assert_eq!(hours(Some(101.0), std::slice::from_ref(&buckets)), Some(0.0));
        assert_eq!(hours(None, &[buckets]), None, "nothing limits it");
        assert_eq!(hours(Some(90.0), &[SeriesValues::default()]), None, "nothing was measured");
    }

    #[test]
    fn risks_are_ordered_by_what_hurts_most() {
        let check = |request, limit, seen: &[f64], rules, expected| {
            assert_eq!(risk(Amount { request, limit }, used(seen), rules), expected);
        };
        check(Some(100.0), Some(200.0), &[50.0], CPU, Risk::None);
        check(Some(100.0), Some(200.0), &[50.0, 180.0], CPU, Risk::NearLimit);
        check(Some(100.0), None, &[150.0], CPU, Risk::OverRequest);
        check(Some(100.0), None, &[50.0], CPU, Risk::None);
        check(Some(100.0), None, &[50.0], MEMORY, Risk::NoLimit);
        check(None, None, &[], MEMORY, Risk::NoRequest);
    }

    #[test]
    fn suggestions_leave_room_and_are_round() {
        let seen = used(&[100.0]);
        let cpu = suggest(Amount { request: Some(500.0), limit: None }, seen, CPU);
        assert_eq!((cpu.request, cpu.limit), (Some(115.0), None));
        let limited = suggest(Amount { request: Some(500.0), limit: Some(900.0) }, seen, CPU);
        assert_eq!(limited.limit, Some(150.0));
        let memory = suggest(Amount::default(), seen, MEMORY);
        assert_eq!((memory.request, memory.limit), (Some(16_777_216.0), Some(16_777_216.0)));
        assert_eq!(wasted(Amount { request: Some(500.0), limit: None }, seen), Some(400.0));
        assert_eq!(wasted(Amount { request: Some(50.0), limit: None }, seen), Some(0.0));
        assert_eq!(wasted(Amount::default(), seen), None);
    }
}
