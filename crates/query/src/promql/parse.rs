//! From text to a query that can be evaluated; grammar by `promql-parser`.

use std::sync::Once;

use promql_parser::parser as grammar;
use promql_parser::parser::value::ValueType;

use super::budget::{Budget, limit};
use super::eval::Evaluator;
use super::expr::Expr;
use super::value::Steps;
use super::{
    Answer, AnswerValue, Limits, Matcher, Options, QueryError, RangeSeries, Select, ValueKind,
    locate, lower, scan,
};

/// A parsed query.
#[derive(Debug, Clone)]
pub struct Query {
    expr: Expr,
}

/// Parses `text`; what is wrong is told with its position.
pub fn parse(text: &str, limits: &Limits) -> Result<Query, QueryError> {
    static FUNCTIONS: Once = Once::new();
    FUNCTIONS.call_once(register_functions);
    let scanned = scan::scan(text, limits)?;
    let parsed =
        grammar::parse(&scanned.text).map_err(|reason| locate::error(text, &scanned, &reason))?;
    let expr = lower::lower(&parsed, limits.depth).map_err(|refusal| match refusal {
        lower::Refusal::TooDeep => limit("depth", limits.depth),
        lower::Refusal::Unsupported { name, reason } => {
            QueryError::parse(text, locate::word(&scanned, &name), reason)
        }
    })?;
    Ok(Query { expr })
}

/// Parses a series selector such as `up{job=~"a|b"}`, without modifiers, into its matchers.
pub fn parse_matchers(text: &str, limits: &Limits) -> Result<Vec<Matcher>, QueryError> {
    match parse(text, limits)?.expr {
        Expr::Instant(of) if of.time.at.is_none() && of.time.offset == 0 => Ok(of.matchers),
        _ => Err(QueryError::parse(text, 0, "expected a series selector")),
    }
}

/// The query laid out for people, as Prometheus' `format_query` does.
pub fn format(text: &str, limits: &Limits) -> Result<String, QueryError> {
    parse(text, limits)?;
    let scanned = scan::scan(text, limits)?;
    let parsed =
        grammar::parse(&scanned.text).map_err(|reason| locate::error(text, &scanned, &reason))?;
    Ok(parsed.prettify())
}

/// A duration such as `1h30m`, or seconds with decimals, in milliseconds.
pub fn duration_ms(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<f64>() {
        let millis = (seconds * 1000.0).round();
        #[expect(clippy::cast_possible_truncation, reason = "within ±2^53")]
        return (millis.abs() < 9e15).then_some(millis as i64);
    }
    scan::duration_ms(text)
        .and_then(|millis| i64::try_from(millis).ok())
        .filter(|_| !text.is_empty())
}

/// Prometheus 2.42 has a function by a name that the newer grammar no longer knows.
fn register_functions() {
    let args = vec![ValueType::Matrix, ValueType::Scalar, ValueType::Scalar];
    let function = grammar::Function::new("holt_winters", args, 0, ValueType::Vector, false);
    // Fails only where the grammar knows the name by itself.
    drop(grammar::register_extra_functions(vec![function]));
}

impl Query {
    /// What the query yields at one time.
    pub fn kind(&self) -> ValueKind {
        self.expr.kind()
    }

    /// Evaluates at `at` (milliseconds). `canceled` is asked now and then.
    pub fn instant(
        &self,
        source: &dyn Select,
        at: i64,
        options: &Options,
        canceled: &dyn Fn() -> bool,
    ) -> Result<Answer, QueryError> {
        let budget = Budget::new(&options.limits, canceled, usize::from(options.per_step));
        let value = Evaluator::new(source, options, &budget, at, at).instant(&self.expr, at)?;
        let (stats, by_step, warnings) = budget.close();
        Ok(Answer { value, warnings, stats, by_step })
    }

    /// Evaluates at `start`, `start + step`, … up to `end` (milliseconds).
    pub fn range(
        &self,
        source: &dyn Select,
        (start, end, step): (i64, i64, i64),
        options: &Options,
        canceled: &dyn Fn() -> bool,
    ) -> Result<Answer, QueryError> {
        let steps = range_steps(self.kind(), (start, end, step), &options.limits)?;
        let counted = if options.per_step { steps.count } else { 0 };
        let budget = Budget::new(&options.limits, canceled, counted);
        let evaluator = Evaluator::new(source, options, &budget, start, end);
        let value = AnswerValue::Matrix(evaluator.range(&self.expr, steps)?);
        let (stats, by_step, warnings) = budget.close();
        Ok(Answer { value, warnings, stats, by_step })
    }
}

fn range_steps(
    kind: ValueKind,
    (start, end, step): (i64, i64, i64),
    limits: &Limits,
) -> Result<Steps, QueryError> {
    let bad = |reason: &str| Err(QueryError::BadRequest(reason.to_owned()));
    if step <= 0 {
        return bad("step must be positive");
    }
    if end < start {
        return bad("end must not be before start");
    }
    if matches!(kind, ValueKind::Matrix | ValueKind::Text) {
        return bad("a range query needs a scalar or an instant vector");
    }
    let length = end.checked_sub(start).filter(|length| *length <= limits.range_ms);
    let Some(length) = length else {
        return Err(QueryError::Limit { what: "range_ms", limit: limits.range_ms.unsigned_abs() });
    };
    let count = usize::try_from(length / step + 1).unwrap_or(usize::MAX);
    if count > limits.steps {
        return Err(limit("steps", limits.steps));
    }
    Ok(Steps { start, step, count })
}

impl RangeSeries {
    pub(super) fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }
}
