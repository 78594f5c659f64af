//! The times of an answer's samples as text: those of a range query's steps are made once for all
//! its series where there are several.

use query::promql::RangeSeries;

use super::number::{put_time, put_value};

/// Begins of pairs (`[1795728400,"`), one for every step; none where one series alone has them.
pub(super) struct Stamps {
    /// The first step, milliseconds.
    first: i64,
    /// Milliseconds between two steps.
    step: i64,
    /// One behind the other.
    text: String,
    /// Where each ends.
    ends: Vec<usize>,
}

impl Stamps {
    /// Those from `first` on, each `step` milliseconds, that `series` may have samples at.
    pub(super) fn new((first, step): (i64, i64), series: &[RangeSeries]) -> Self {
        let newest = |one: &RangeSeries| one.samples.last().map(|(at, _)| *at);
        let last = series.iter().filter_map(newest).max().filter(|_| series.len() > 1);
        let (mut text, mut ends) = (String::new(), Vec::new());
        let mut next = Some(first).filter(|_| step > 0);
        while let Some(at) = next.filter(|at| last.is_some_and(|last| *at <= last)) {
            put_begin(&mut text, at);
            ends.push(text.len());
            next = at.checked_add(step);
        }
        Self { first, step, text, ends }
    }

    /// Appends `[time,"value"],…`.
    pub(super) fn put(&self, out: &mut String, samples: &[(i64, f64)]) {
        let (mut place, mut due) = (0, self.first);
        for (number, (at, value)) in samples.iter().enumerate() {
            if number > 0 {
                out.push(',');
            }
            while due < *at && place < self.ends.len() {
                place += 1;
                due = due.saturating_add(self.step);
            }
            match self.text(place) {
                Some(text) if due == *at => out.push_str(text),
                _ => put_begin(out, *at),
            }
            put_value(out, *value);
            out.push_str("\"]");
        }
    }

    fn text(&self, place: usize) -> Option<&str> {
        let end = *self.ends.get(place)?;
        let from = place.checked_sub(1).and_then(|before| self.ends.get(before));
        self.text.get(from.copied().unwrap_or(0)..end)
    }
}

/// Appends the begin of a pair: `[1795728400,"`.
pub(super) fn put_begin(out: &mut String, at: i64) {
    out.push('[');
    put_time(out, at);
    out.push_str(",\"");
}

#[cfg(test)]
mod tests {
    use query::promql::Labels;

    use super::*;

    #[test]
    fn samples_at_steps_and_between_them_are_written_alike() {
        let samples = [
            vec![(1_000, 1.0), (2_500, 2.0), (4_000, f64::NAN)],
            vec![(2_500, -0.5), (3_000, 0.0), (5_500, 1e21), (9_000, 7.0)],
            vec![(-500, 1.0), (1_000, 1.0)],
            Vec::new(),
        ];
        let expected = [
            r#"[1,"1"],[2.500,"2"],[4,"NaN"]"#,
            r#"[2.500,"-0.5"],[3,"0"],[5.500,"1e+21"],[9,"7"]"#,
            r#"[-0.500,"1"],[1,"1"]"#,
            "",
        ];
        let labels = Labels::default();
        let series = samples.clone().map(|samples| RangeSeries { labels: labels.clone(), samples });
        for steps in [(1_000, 1_500), (0, 0), (i64::MAX - 1, 5)] {
            let stamps = Stamps::new(steps, &series);
            for (samples, expected) in samples.iter().zip(expected) {
                let mut out = String::new();
                stamps.put(&mut out, samples);
                assert_eq!(out, expected, "{steps:?}");
            }
        }
        assert_eq!(Stamps::new((1_000, 1_500), &series).ends.len(), 6);
    }
}
