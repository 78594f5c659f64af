//! Floats in JSON: whole ones without a fraction, as Go prints them. Knows no metric.

use model::Value;
use serde::Serializer;

/// Beyond this not every whole number is a float, and neighbours print alike anyway.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Prints `value`; what is not finite becomes `null`.
pub(crate) fn serialize<S: Serializer>(value: f64, serializer: S) -> Result<S::Ok, S::Error> {
    if value.fract() == 0.0 && value.abs() < EXACT {
        return serializer.serialize_i64(Value::Float(value).as_i64());
    }
    serializer.serialize_f64(value)
}
