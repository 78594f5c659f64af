//! JSON of any shape.

use serde_json::{Error, Value};

/// Reads it.
pub fn json(bytes: &[u8]) -> Result<Value, Error> {
    serde_json::from_slice(bytes)
}
