//! Queries that were parsed before: dashboards send the same texts again and again, and most of
//! what parsing costs are their regular expressions.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Limits, Query, QueryError, parse};

/// Most queries that are kept.
const MAX_QUERIES: usize = 1_000;
/// Most bytes of their texts.
const MAX_BYTES: usize = 1 << 20;

/// Keeps parsed queries; forgets all of them when they become too many.
#[derive(Debug, Default)]
pub struct ParsedQueries {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    queries: HashMap<Box<str>, Arc<Query>, foldhash::quality::RandomState>,
    bytes: usize,
}

impl ParsedQueries {
    /// What `text` says within the usual limits, parsed now or before. What is wrong is told as
    /// [`parse`] does, and not kept.
    pub fn parse(&self, text: &str) -> Result<Arc<Query>, QueryError> {
        if let Some(known) = self.kept().queries.get(text) {
            return Ok(Arc::clone(known));
        }
        let query = Arc::new(parse(text, &Limits::default())?);
        let mut kept = self.kept();
        if kept.queries.len() >= MAX_QUERIES || kept.bytes + text.len() > MAX_BYTES {
            *kept = Kept::default();
        }
        if kept.queries.insert(text.into(), Arc::clone(&query)).is_none() {
            kept.bytes += text.len();
        }
        Ok(query)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_parsed_once_and_only_some_are_kept() {
        let queries = ParsedQueries::default();
        let first = queries.parse("up{job=~\"a.+\"}").unwrap();
        let again = queries.parse("up{job=~\"a.+\"}").unwrap();
        assert!(Arc::ptr_eq(&first, &again));
        for number in 0..MAX_QUERIES {
            queries.parse(&format!("up + {number}")).unwrap();
            assert!(queries.kept().queries.len() <= MAX_QUERIES);
        }
        assert!(!Arc::ptr_eq(&first, &queries.parse("up{job=~\"a.+\"}").unwrap()));
        assert!(queries.parse("up{").is_err());
        assert!(queries.kept().bytes < MAX_BYTES);
    }
}
