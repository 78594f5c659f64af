//! Functions of labels: what is absent, and labels made from others.

use regex::RegexBuilder;

use super::{ABSENT, Evaluator, Expr, Labels, Series, Steps, present, selector};
use crate::promql::labels::METRIC_NAME;
use crate::promql::{Limits, MatchOp, Matcher, QueryError, is_label_name};

/// 1 at every step at which `series` has no sample.
pub(super) fn absent(series: &[Series], arg: Option<&Expr>, steps: Steps) -> Vec<Series> {
    let matchers = match arg {
        Some(Expr::Instant(of)) => &*of.matchers,
        _ => &[],
    };
    let mut seen = vec![false; steps.count];
    for one in series {
        for (seen, value) in seen.iter_mut().zip(&one.values) {
            *seen |= present(*value);
        }
    }
    vec![unseen(matchers, &seen)]
}

/// 1 at every step at which no window has a sample.
pub(super) fn absent_over_time(
    evaluator: &Evaluator<'_>,
    args: &[Expr],
    steps: Steps,
) -> Result<Vec<Series>, QueryError> {
    let Some(arg) = args.first() else { return Ok(Vec::new()) };
    let ranges = selector::ranges(evaluator, arg, steps)?;
    evaluator.budget.make(1, steps.count)?;
    let mut seen = vec![false; steps.count];
    let mut spans = ranges.spans(steps);
    ranges.each(&mut |view| {
        evaluator.budget.work(steps.count)?;
        ranges.windows(&view, steps, &mut spans, |step, window| {
            seen[step] |= !window.values.is_empty();
            Ok(())
        })
    })?;
    Ok(vec![unseen(ranges.matchers, &seen)])
}

/// Labels of something absent are those that a selector fixes exactly once.
fn unseen(matchers: &[Matcher], seen: &[bool]) -> Series {
    let others = || matchers.iter().filter(|matcher| matcher.name() != METRIC_NAME);
    let fixed = others().filter(|matcher| {
        matcher.op() == MatchOp::Equal
            && others().filter(|other| other.name() == matcher.name()).count() == 1
    });
    let labels = Labels::new(fixed.map(|matcher| (matcher.name(), matcher.value())));
    let values = seen.iter().map(|seen| if *seen { ABSENT } else { 1.0 }).collect();
    Series { labels, values }
}

/// `label_replace(series, destination, replacement, source, pattern)`.
pub(super) fn label_replace(
    mut series: Vec<Series>,
    texts: &[String],
    limits: &Limits,
) -> Result<Vec<Series>, QueryError> {
    let [destination, replacement, source, pattern] = texts else {
        return Err(QueryError::execution("label_replace needs five arguments"));
    };
    let regex = RegexBuilder::new(&format!("^(?:{pattern})$"))
        .size_limit(limits.regex_bytes)
        .build()
        .map_err(|_| {
            let reason = format!("invalid regular expression in label_replace(): {pattern}");
            QueryError::Execution(reason)
        })?;
    if !is_label_name(destination) {
        return Err(QueryError::Execution(format!(
            "invalid destination label name in label_replace(): {destination}"
        )));
    }
    for one in &mut series {
        if let Some(captures) = regex.captures(one.labels.get(source)) {
            let mut value = String::new();
            captures.expand(replacement, &mut value);
            one.labels = one.labels.with(destination, &value);
        }
    }
    Ok(series)
}

/// `label_join(series, destination, separator, source…)`.
pub(super) fn label_join(
    mut series: Vec<Series>,
    texts: &[String],
) -> Result<Vec<Series>, QueryError> {
    let [destination, separator, sources @ ..] = texts else {
        return Err(QueryError::execution("label_join needs at least three arguments"));
    };
    for (name, role) in std::iter::once((destination, "destination"))
        .chain(sources.iter().map(|source| (source, "source")))
    {
        if !is_label_name(name) {
            let reason = format!("invalid {role} label name in label_join(): {name}");
            return Err(QueryError::Execution(reason));
        }
    }
    for one in &mut series {
        let values: Vec<&str> = sources.iter().map(|source| one.labels.get(source)).collect();
        one.labels = one.labels.with(destination, &values.join(separator));
    }
    Ok(series)
}
