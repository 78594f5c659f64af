//! Operators between two numbers, and between a scalar and a vector; matching is elsewhere.

use super::expr::BinaryOp;
use super::value::{ABSENT, SameLabels, Series, Value, distinct, present};
use super::{METRIC_NAME, QueryError};

/// `left op right`: an arithmetic result, or for comparisons `left` if they hold.
pub(super) fn apply(op: BinaryOp, left: f64, right: f64) -> Option<f64> {
    let keep = |holds: bool| holds.then_some(left);
    match op {
        BinaryOp::Add => Some(left + right),
        BinaryOp::Subtract => Some(left - right),
        BinaryOp::Multiply => Some(left * right),
        BinaryOp::Divide => Some(left / right),
        BinaryOp::Modulo => Some(left % right),
        BinaryOp::Power => Some(left.powf(right)),
        BinaryOp::Atan2 => Some(libm::atan2(left, right)),
        #[expect(clippy::float_cmp, reason = "PromQL compares exactly")]
        BinaryOp::Equal => keep(left == right),
        #[expect(clippy::float_cmp, reason = "PromQL compares exactly")]
        BinaryOp::NotEqual => keep(left != right),
        BinaryOp::Greater => keep(left > right),
        BinaryOp::Less => keep(left < right),
        BinaryOp::GreaterOrEqual => keep(left >= right),
        BinaryOp::LessOrEqual => keep(left <= right),
        BinaryOp::And | BinaryOp::Or | BinaryOp::Unless => None,
    }
}

/// The result of an operator as it is stored: with `bool`, whether it holds.
pub(super) fn stored(result: Option<f64>, return_bool: bool) -> f64 {
    match (result, return_bool) {
        (Some(_), true) => 1.0,
        (None, true) => 0.0,
        (Some(value), false) => value,
        (None, false) => ABSENT,
    }
}

/// An operator of which at least one side is a scalar.
pub(super) fn with_scalar(
    op: BinaryOp,
    return_bool: bool,
    left: Value,
    right: Value,
) -> Result<Value, QueryError> {
    match (left, right) {
        (Value::Scalar(left), Value::Scalar(right)) => {
            let both = left.into_iter().zip(right);
            let bool_or_zero = return_bool || op.is_comparison();
            let values = both.map(|(l, r)| stored(apply(op, l, r), bool_or_zero)).collect();
            Ok(Value::Scalar(values))
        }
        (Value::Vector(series), Value::Scalar(scalar)) => {
            WithScalar { op, return_bool, scalar, is_left: false }.all(series)
        }
        (Value::Scalar(scalar), Value::Vector(series)) => {
            WithScalar { op, return_bool, scalar, is_left: true }.all(series)
        }
        _ => Err(QueryError::execution("operators need scalars and instant vectors")),
    }
}

/// An operator between the series of a vector and a scalar.
pub(super) struct WithScalar {
    pub(super) op: BinaryOp,
    pub(super) return_bool: bool,
    /// At each step.
    pub(super) scalar: Vec<f64>,
    /// Whether the scalar stands on the left.
    pub(super) is_left: bool,
}

impl WithScalar {
    /// Makes a series its result; whether that has no name any more.
    pub(super) fn apply(&self, series: &mut Series) -> bool {
        for (value, scalar) in series.values.iter_mut().zip(&self.scalar) {
            if present(*value) {
                *value = stored(self.result(*value, *scalar), self.return_bool);
            }
        }
        let drops_name = self.return_bool || !self.op.keeps_name();
        let is_renamed = drops_name && !series.labels.get(METRIC_NAME).is_empty();
        if is_renamed {
            series.labels = series.labels.without_name();
        }
        is_renamed
    }

    fn result(&self, value: f64, scalar: f64) -> Option<f64> {
        if !self.is_left {
            return apply(self.op, value, scalar);
        }
        let result = apply(self.op, scalar, value);
        // A filter keeps the vector's value, whichever side it is on.
        result.map(|result| if self.op.is_comparison() { value } else { result })
    }

    fn all(&self, series: Vec<Series>) -> Result<Value, QueryError> {
        let mut out = Vec::with_capacity(series.len());
        let mut renamed = false;
        for mut one in series {
            renamed |= self.apply(&mut one);
            if one.has_samples() {
                out.push(one);
            }
        }
        // Labels that stay differ as before.
        Ok(Value::Vector(if renamed { distinct(out, SameLabels::Join)? } else { out }))
    }
}
