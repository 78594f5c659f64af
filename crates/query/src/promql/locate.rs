//! Finds where in a query text its parse error lies, by parsing parts of it; knows no grammar
//! beyond what may complete a prefix.

use promql_parser::parser as grammar;

use super::QueryError;
use super::scan::{Scanned, Token};

/// What the grammar's parser says where no rule fits.
const NO_RULE_FITS: &str = "invalid promql query";

/// Texts longer than this many tokens get the position of their beginning.
const MAX_TOKENS: usize = 256;

/// What may follow a prefix inside its innermost bracket to make it whole …
const FILLERS: [&str; 10] =
    ["", " x", "(x)", " 5m", " 5m]", "\"x\"", " x=\"x\"", "=\"x\"", "(x)(x)", "()"];

/// … and what may follow once all brackets are closed.
const ENDINGS: [&str; 2] = ["", "(x)"];

/// The error of a text that was scanned but not parsed.
pub(super) fn error(text: &str, scanned: &Scanned, reason: &str) -> QueryError {
    if scanned.tokens.len() > MAX_TOKENS {
        return QueryError::parse(text, 0, reason);
    }
    if reason != NO_RULE_FITS {
        return QueryError::parse(text, meaning(scanned, reason), reason);
    }
    let viable = (0..scanned.tokens.len())
        .collect::<Vec<_>>()
        .partition_point(|index| can_continue(scanned, index + 1));
    match scanned.tokens.get(viable) {
        None => QueryError::parse(text, text.len(), "unexpected end of input"),
        Some(token) => {
            let found = slice(scanned, viable, viable + 1);
            QueryError::parse(text, token.offset, format!("unexpected {found:?}"))
        }
    }
}

/// Byte offset of the first token that is `name`, or of the text's beginning.
pub(super) fn word(scanned: &Scanned, name: &str) -> usize {
    let is_name = |token: &&Token| {
        scanned.probe.get(token.start..token.end).is_some_and(|t| t.eq_ignore_ascii_case(name))
    };
    scanned.tokens.iter().find(is_name).map_or(0, |token| token.offset)
}

fn slice(scanned: &Scanned, from: usize, to: usize) -> &str {
    let (Some(first), Some(last)) = (scanned.tokens.get(from), scanned.tokens.get(to - 1)) else {
        return "";
    };
    scanned.probe.get(first.start..last.end).unwrap_or("")
}

/// True if the first `count` tokens are the beginning of something that can be parsed.
fn can_continue(scanned: &Scanned, count: usize) -> bool {
    let prefix = slice(scanned, 0, count);
    let closers = closers(scanned, 0, count);
    FILLERS.iter().any(|filler| {
        ENDINGS.iter().any(|ending| {
            let whole = format!("{prefix}{filler}{closers}{ending}");
            grammar::parse(&whole)
                .err()
                .is_none_or(|reason| reason != NO_RULE_FITS && !reason.starts_with("unexpected"))
        })
    })
}

/// Where the smallest part begins that is refused for the same reason.
fn meaning(scanned: &Scanned, reason: &str) -> usize {
    let refused = |from: usize, to: usize| {
        let whole = format!("{}{}", slice(scanned, from, to), closers(scanned, from, to));
        grammar::parse(&whole).is_err_and(|found| found == reason)
    };
    let count = scanned.tokens.len();
    let to = (1..count).find(|to| refused(0, *to)).unwrap_or(count);
    let from = (0..to).rev().find(|from| refused(*from, to)).unwrap_or(0);
    scanned.tokens.get(from).map_or(0, |token| token.offset)
}

fn closers(scanned: &Scanned, from: usize, to: usize) -> String {
    let mut open = Vec::new();
    for index in from..to {
        match slice(scanned, index, index + 1) {
            "(" => open.push(')'),
            "[" => open.push(']'),
            "{" => open.push('}'),
            ")" | "]" | "}" => drop(open.pop()),
            _ => {}
        }
    }
    open.into_iter().rev().collect()
}
