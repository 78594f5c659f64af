//! Self-metrics of rules.

/// Counter: rules evaluated.
pub(crate) const EVALUATIONS: &str = "taffrail_rule_evaluations_total";
/// Counter: evaluations that failed.
pub(crate) const FAILURES: &str = "taffrail_rule_evaluation_failures_total";
