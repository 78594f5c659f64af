//! A condition on one label; regular expressions are anchored at both ends.

use std::fmt;

use regex::{Regex, RegexBuilder};

use super::{Limits, QueryError};

/// How a label's value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MatchOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    Matches,
    /// `!~`
    MatchesNot,
}

/// One `name op "value"` of a selector.
#[derive(Debug, Clone)]
pub struct Matcher {
    name: Box<str>,
    value: Box<str>,
    op: MatchOp,
    regex: Option<Regex>,
}

impl Matcher {
    /// `name="value"`.
    pub fn equal(name: &str, value: &str) -> Self {
        Self { name: name.into(), value: value.into(), op: MatchOp::Equal, regex: None }
    }

    /// A condition of any kind; a pattern must fit `limits`.
    pub fn new(op: MatchOp, name: &str, value: &str, limits: &Limits) -> Result<Self, QueryError> {
        let regex = match op {
            MatchOp::Equal | MatchOp::NotEqual => None,
            MatchOp::Matches | MatchOp::MatchesNot => {
                let built = RegexBuilder::new(&format!("^(?s:{value})$"))
                    .size_limit(limits.regex_bytes)
                    .build();
                Some(built.map_err(|error| QueryError::BadRequest(error.to_string()))?)
            }
        };
        Ok(Self { name: name.into(), value: value.into(), op, regex })
    }

    /// The same condition on the label `name`.
    #[must_use]
    pub fn on(&self, name: &str) -> Self {
        Self { name: name.into(), ..self.clone() }
    }

    pub(super) fn from_parser(matcher: &promql_parser::label::Matcher) -> Self {
        use promql_parser::label::MatchOp as Theirs;
        let (op, regex) = match &matcher.op {
            Theirs::Equal => (MatchOp::Equal, None),
            Theirs::NotEqual => (MatchOp::NotEqual, None),
            Theirs::Re(regex) => (MatchOp::Matches, Some(regex.clone())),
            Theirs::NotRe(regex) => (MatchOp::MatchesNot, Some(regex.clone())),
        };
        Self { name: matcher.name.as_str().into(), value: matcher.value.as_str().into(), op, regex }
    }

    /// The label that is looked at.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The right side as written: a literal, or a pattern without its anchors.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// How they are compared.
    pub fn op(&self) -> MatchOp {
        self.op
    }

    /// True if a label of this value passes; an absent label has the empty value.
    pub fn is_match(&self, value: &str) -> bool {
        let found = match &self.regex {
            Some(regex) => regex.is_match(value),
            None => *self.value == *value,
        };
        found == matches!(self.op, MatchOp::Equal | MatchOp::Matches)
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let op = match self.op {
            MatchOp::Equal => "=",
            MatchOp::NotEqual => "!=",
            MatchOp::Matches => "=~",
            MatchOp::MatchesNot => "!~",
        };
        write!(f, "{}{op}{:?}", self.name, self.value)
    }
}
