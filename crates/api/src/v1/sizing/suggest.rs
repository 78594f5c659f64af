//! What a container would need: percentiles of what it used, waste, risk, and amounts that do.

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

/// What was used: percentiles of averages, and the greatest value ever seen.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Used {
    pub(super) p50: Option<f64>,
    pub(super) p95: Option<f64>,
    pub(super) max: Option<f64>,
}

/// The samples of the containers of one template.
#[derive(Debug, Default)]
pub(super) struct Samples {
    values: Vec<f64>,
    max: Option<f64>,
}

impl Samples {
    pub(super) fn extend(&mut self, series: Option<SeriesValues>) {
        let Some(series) = series else { return };
        let greatest = match &series.extremes {
            Some(extremes) => extremes.max.iter().flatten().copied().reduce(f64::max),
            None => series.avg.iter().flatten().copied().reduce(f64::max),
        };
        self.max = self.max.into_iter().chain(greatest).reduce(f64::max);
        self.values.extend(series.avg.into_iter().flatten());
    }

    pub(super) fn used(mut self) -> Used {
        self.values.sort_unstable_by(f64::total_cmp);
        Used { p50: self.percentile(50), p95: self.percentile(95), max: self.max }
    }

    /// The least value that so many percent of all do not exceed.
    fn percentile(&self, percent: usize) -> Option<f64> {
        let rank = (self.values.len() * percent).div_ceil(100);
        self.values.get(rank.checked_sub(1)?).copied()
    }
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
    let near = |limit: f64| used.max.is_some_and(|max| max >= limit * rules.near);
    if amount.limit.is_some_and(near) {
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
