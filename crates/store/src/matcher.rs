//! Label matchers: `=`, `!=`, `=~`, `!~`, with Prometheus's meaning of absent labels.

use std::fmt;
use std::sync::Arc;

use regex::{Regex, RegexBuilder};

use crate::Error;

/// Most memory that one compiled expression may take, in bytes.
const MAX_PATTERN_BYTES: usize = 1 << 20;

/// How a matcher compares.
#[derive(Debug, Clone)]
enum Test {
    Equal(Box<str>),
    NotEqual(Box<str>),
    Match(Box<Regex>),
    NotMatch(Box<Regex>),
    OneOf(Box<[Box<str>]>),
    Passing(Passing),
}

#[derive(Clone)]
struct Passing(Arc<dyn Fn(&str) -> bool + Send + Sync>);

impl fmt::Debug for Passing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passing")
    }
}

/// A condition on one label. An absent label counts as the empty string, as in Prometheus.
#[derive(Debug, Clone)]
pub struct Matcher {
    name: Box<str>,
    test: Test,
}

impl Matcher {
    /// `name = value`
    pub fn equal(name: &str, value: &str) -> Self {
        Self { name: name.into(), test: Test::Equal(value.into()) }
    }

    /// `name != value`
    pub fn not_equal(name: &str, value: &str) -> Self {
        Self { name: name.into(), test: Test::NotEqual(value.into()) }
    }

    /// `name =~ pattern`; the pattern must match the whole value.
    pub fn matches(name: &str, pattern: &str) -> Result<Self, Error> {
        Ok(Self { name: name.into(), test: Test::Match(Box::new(compile(pattern)?)) })
    }

    /// `name !~ pattern`
    pub fn not_matches(name: &str, pattern: &str) -> Result<Self, Error> {
        Ok(Self { name: name.into(), test: Test::NotMatch(Box::new(compile(pattern)?)) })
    }

    /// `name` passes a test that somebody else has: whether it takes a value.
    pub fn passing(name: &str, test: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self { name: name.into(), test: Test::Passing(Passing(Arc::new(test))) }
    }

    /// `name` is one of `values`.
    pub fn one_of<'a>(name: &str, values: impl IntoIterator<Item = &'a str>) -> Self {
        let mut values: Vec<Box<str>> = values.into_iter().map(Into::into).collect();
        values.sort_unstable();
        Self { name: name.into(), test: Test::OneOf(values.into()) }
    }

    /// The label it looks at.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether `value` passes; the empty string stands for an absent label.
    pub fn accepts(&self, value: &str) -> bool {
        match &self.test {
            Test::Equal(wanted) => **wanted == *value,
            Test::NotEqual(wanted) => **wanted != *value,
            Test::Match(pattern) => pattern.is_match(value),
            Test::NotMatch(pattern) => !pattern.is_match(value),
            Test::OneOf(values) => values.binary_search_by(|one| (**one).cmp(value)).is_ok(),
            Test::Passing(Passing(test)) => test(value),
        }
    }

    /// Whether it asks for nothing but that there is a label, or that there is none.
    pub(crate) fn presence(&self) -> Option<bool> {
        match &self.test {
            Test::Equal(value) if value.is_empty() => Some(false),
            Test::NotEqual(value) if value.is_empty() => Some(true),
            _ => None,
        }
    }

    /// The values that pass, when they are listed and none of them is empty.
    pub(crate) fn wanted(&self) -> Option<impl Iterator<Item = &str>> {
        let listed: (Option<&str>, &[Box<str>]) = match &self.test {
            Test::Equal(value) if !value.is_empty() => (Some(value), &[]),
            // Sorted: the empty string would be the first.
            Test::OneOf(values) if values.first().is_none_or(|first| !first.is_empty()) => {
                (None, values)
            }
            _ => return None,
        };
        Some(listed.0.into_iter().chain(listed.1.iter().map(|value| &**value)))
    }
}

fn compile(pattern: &str) -> Result<Regex, Error> {
    RegexBuilder::new(&format!("^(?s:{pattern})$"))
        .size_limit(MAX_PATTERN_BYTES)
        .build()
        .map_err(|error| Error::Pattern { pattern: pattern.to_owned(), source: Box::new(error) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_anchored() {
        let matcher = Matcher::matches("pod", "web|db-.*").unwrap();
        assert!(matcher.accepts("web") && matcher.accepts("db-0"));
        assert!(!matcher.accepts("web-0") && !matcher.accepts(""));
        assert!(Matcher::not_matches("pod", "x.*").unwrap().accepts(""));
        assert!(Matcher::matches("pod", "(").is_err());
        let some = Matcher::matches("pod", ".+").unwrap();
        assert!(some.accepts("web\n") && !some.accepts(""));
        let either = Matcher::matches("pod", "web|db|").unwrap();
        assert!(either.accepts("db") && either.accepts("") && !either.accepts("we"));
        let long = Matcher::passing("pod", |value| value.len() > 2);
        assert!(long.accepts("web") && !long.accepts("db"));
    }

    #[test]
    fn one_of_takes_whole_values() {
        let matcher = Matcher::one_of("pod", ["web-1", "db", "web-0"]);
        assert!(matcher.accepts("db") && matcher.accepts("web-0"));
        assert!(!matcher.accepts("web") && !matcher.accepts(""));
    }
}
