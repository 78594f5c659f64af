//! A condition on one label; regular expressions are anchored at both ends.

use std::fmt;

use regex::{Regex, RegexBuilder};

use super::{Limits, METRIC_NAME, QueryError};

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
    test: Test,
}

/// What a value is held against. Patterns that dashboards are full of need no expression.
#[derive(Debug, Clone)]
enum Test {
    /// The right side as written.
    Literal,
    /// `.*`; whether that takes line breaks.
    Anything {
        lines: bool,
    },
    /// `.+`; whether that takes line breaks.
    Something {
        lines: bool,
    },
    /// `a|b|c`
    OneOf(Box<[Box<str>]>),
    Pattern(Regex),
}

impl Test {
    /// The pattern without an expression, if it needs none.
    fn simple(pattern: &str, lines: bool) -> Option<Self> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_-:/|".contains(c);
        match pattern {
            ".*" => Some(Self::Anything { lines }),
            ".+" => Some(Self::Something { lines }),
            _ if pattern.chars().all(plain) => {
                Some(Self::OneOf(pattern.split('|').map(Into::into).collect()))
            }
            _ => None,
        }
    }

    fn takes(&self, literal: &str, value: &str) -> bool {
        match self {
            Self::Literal => is_same(literal, value),
            Self::Anything { lines } => *lines || !value.contains('\n'),
            Self::Something { lines } => !value.is_empty() && (*lines || !value.contains('\n')),
            Self::OneOf(values) => values.iter().any(|one| is_same(one, value)),
            Self::Pattern(regex) => regex.is_match(value),
        }
    }
}

/// Whether two texts are the same, which most are not: of many as long as one another the first or
/// the last letter tells.
#[inline]
fn is_same(left: &str, right: &str) -> bool {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    left.len() == right.len()
        && left.first() == right.first()
        && left.last() == right.last()
        && left == right
}

impl Matcher {
    /// Whether it lets series of one name pass only.
    pub(super) fn is_one_name(&self) -> bool {
        *self.name == *METRIC_NAME && self.op == MatchOp::Equal && !self.value.is_empty()
    }

    /// `name="value"`.
    pub fn equal(name: &str, value: &str) -> Self {
        Self { name: name.into(), value: value.into(), op: MatchOp::Equal, test: Test::Literal }
    }

    /// A condition of any kind; a pattern must fit `limits`.
    pub fn new(op: MatchOp, name: &str, value: &str, limits: &Limits) -> Result<Self, QueryError> {
        let test = match (op, Test::simple(value, true)) {
            (MatchOp::Equal | MatchOp::NotEqual, _) => Test::Literal,
            (_, Some(simple)) => simple,
            (_, None) => {
                let built = RegexBuilder::new(&format!("^(?s:{value})$"))
                    .size_limit(limits.regex_bytes)
                    .build();
                let bad = |error: regex::Error| QueryError::BadRequest(error.to_string());
                Test::Pattern(built.map_err(bad)?)
            }
        };
        Ok(Self { name: name.into(), value: value.into(), op, test })
    }

    /// `name` is one of `values`.
    pub fn one_of<'a>(name: &str, values: impl IntoIterator<Item = &'a str>) -> Self {
        let values: Box<[Box<str>]> = values.into_iter().map(Into::into).collect();
        let (value, test) = (values.join("|").into(), Test::OneOf(values));
        Self { name: name.into(), value, op: MatchOp::Matches, test }
    }

    /// The values that pass, where the condition lists them.
    pub fn listed(&self) -> Option<impl Iterator<Item = &str>> {
        match (&self.test, self.op) {
            (Test::OneOf(values), MatchOp::Matches) => Some(values.iter().map(|value| &**value)),
            _ => None,
        }
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
            Theirs::Re(regex) => (MatchOp::Matches, Some(regex)),
            Theirs::NotRe(regex) => (MatchOp::MatchesNot, Some(regex)),
        };
        let pattern = |regex: &Regex| {
            // Their `.` takes no line breaks.
            Test::simple(&matcher.value, false).unwrap_or_else(|| Test::Pattern(regex.clone()))
        };
        let test = regex.map_or(Test::Literal, pattern);
        Self { name: matcher.name.as_str().into(), value: matcher.value.as_str().into(), op, test }
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
        let found = self.test.takes(&self.value, value);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_values_are_told() {
        let new = |op, value| Matcher::new(op, "pod", value, &Limits::default()).unwrap();
        let listed = |matcher: &Matcher| -> Option<Vec<String>> {
            Some(matcher.listed()?.map(str::to_owned).collect())
        };
        let two = Some(vec!["a".to_owned(), "b-1".to_owned()]);
        assert_eq!(listed(&new(MatchOp::Matches, "a|b-1")), two);
        assert_eq!(listed(&new(MatchOp::MatchesNot, "a|b-1")), None);
        assert_eq!(listed(&new(MatchOp::Matches, "a.*")), None);
        assert_eq!(listed(&new(MatchOp::Equal, "a")), None);
        let made = Matcher::one_of("pod", ["a", "b-1"]);
        assert_eq!((listed(&made), made.to_string()), (two, "pod=~\"a|b-1\"".to_owned()));
        assert!(made.is_match("b-1") && !made.is_match("b") && !made.is_match(""));
    }

    #[test]
    fn simple_patterns_are_what_their_expressions_say() {
        for pattern in [".*", ".+", "", "a", "a|b-c|d_1", "|a", "x:y/z", "a.c", "a|.*"] {
            let matcher =
                Matcher::new(MatchOp::Matches, "name", pattern, &Limits::default()).unwrap();
            let regex = Regex::new(&format!("^(?s:{pattern})$")).unwrap();
            for value in ["", "a", "b-c", "d_1", "x:y/z", "abc", "a\nb", "\n", "|"] {
                assert_eq!(matcher.is_match(value), regex.is_match(value), "{pattern} {value:?}");
            }
        }
    }
}
