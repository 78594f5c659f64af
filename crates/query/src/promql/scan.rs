//! Tokens with positions, before the grammar: refuses what the grammar's parser cannot refuse.
//!
//! `promql-parser` gives no positions, reads raw strings wrongly and panics on huge durations;
//! this pass finds brackets, durations, regular expressions and strings first and rewrites raw
//! strings into quoted ones. It knows no grammar.

use promql_parser::util::unquote_string;
use regex::RegexBuilder;

use super::budget::limit;
use super::{Limits, QueryError};

/// Longest duration, milliseconds: what 64 bits of nanoseconds hold, as in Prometheus.
const MAX_DURATION_MS: u64 = i64::MAX as u64 / 1_000_000;

/// A query text that may be parsed.
#[derive(Debug)]
pub(super) struct Scanned {
    /// The text with raw strings rewritten.
    pub(super) text: String,
    /// As `text`, with regular expressions replaced by small ones, to be parsed many times.
    pub(super) probe: String,
    pub(super) tokens: Vec<Token>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Token {
    /// Byte offset in the original text.
    pub(super) offset: usize,
    /// Byte range in the probe.
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Reads `text` into tokens.
pub(super) fn scan(text: &str, limits: &Limits) -> Result<Scanned, QueryError> {
    if text.len() > limits.query_bytes {
        return Err(limit("query_bytes", limits.query_bytes));
    }
    let mut scanner = Scanner {
        text,
        limits,
        offset: 0,
        out: String::with_capacity(text.len()),
        probe: String::with_capacity(text.len()),
        patterns: 0,
        tokens: Vec::new(),
        open: Vec::new(),
    };
    while let Some(first) = scanner.rest().chars().next() {
        scanner.token(first)?;
        if scanner.tokens.len() > limits.tokens {
            return Err(limit("tokens", limits.tokens));
        }
    }
    if let Some((bracket, offset)) = scanner.open.last() {
        let reason = format!("unclosed {bracket:?}");
        return Err(QueryError::parse(text, *offset, reason));
    }
    if scanner.tokens.is_empty() {
        return Err(QueryError::parse(text, 0, "no expression found in input"));
    }
    Ok(Scanned { text: scanner.out, probe: scanner.probe, tokens: scanner.tokens })
}

struct Scanner<'a> {
    text: &'a str,
    limits: &'a Limits,
    offset: usize,
    out: String,
    probe: String,
    patterns: usize,
    tokens: Vec<Token>,
    open: Vec<(char, usize)>,
}

impl Scanner<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.offset..).unwrap_or("")
    }

    fn token(&mut self, first: char) -> Result<(), QueryError> {
        match first {
            ' ' | '\t' | '\r' | '\n' => {
                self.skip(1);
                Ok(())
            }
            '#' => {
                let length = self.rest().find('\n').unwrap_or(self.rest().len());
                self.offset += length;
                Ok(())
            }
            '"' | '\'' | '`' => self.string(first),
            '(' | '[' | '{' => self.opening(first),
            ')' | ']' | '}' => self.closing(first),
            '0'..='9' | '.' => self.number(),
            'a'..='z' | 'A'..='Z' | '_' | ':' => {
                let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
                let rest = self.rest();
                let in_bracket = matches!(self.open.last(), Some(('[', _)));
                let length = match (first, in_bracket) {
                    (':', true) => 1,
                    _ => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
                };
                self.push(length);
                Ok(())
            }
            '=' | '!' | '<' | '>' => {
                let double = self.rest().get(1..2).is_some_and(|next| "=~".contains(next));
                self.push(if double { 2 } else { 1 });
                Ok(())
            }
            '+' | '-' | '*' | '/' | '%' | '^' | ',' | '@' => {
                self.push(1);
                Ok(())
            }
            other => Err(self.refuse(format!("unexpected character: {other:?}"))),
        }
    }

    fn refuse(&self, reason: impl Into<String>) -> QueryError {
        QueryError::parse(self.text, self.offset, reason)
    }

    fn skip(&mut self, length: usize) {
        let skipped = self.text.get(self.offset..self.offset + length).unwrap_or("");
        self.out.push_str(skipped);
        self.probe.push_str(skipped);
        self.offset += length;
    }

    fn push(&mut self, length: usize) {
        let start = self.probe.len();
        let offset = self.offset;
        self.skip(length);
        self.tokens.push(Token { offset, start, end: self.probe.len() });
    }

    fn last(&self) -> &str {
        self.tokens.last().and_then(|token| self.probe.get(token.start..token.end)).unwrap_or("")
    }

    fn opening(&mut self, bracket: char) -> Result<(), QueryError> {
        if self.open.len() >= self.limits.depth {
            return Err(limit("depth", self.limits.depth));
        }
        self.open.push((bracket, self.offset));
        self.push(1);
        Ok(())
    }

    fn closing(&mut self, bracket: char) -> Result<(), QueryError> {
        let wanted = match bracket {
            ')' => '(',
            ']' => '[',
            _ => '{',
        };
        if self.open.pop().is_none_or(|(open, _)| open != wanted) {
            return Err(self.refuse(format!("unexpected {bracket:?}")));
        }
        self.push(1);
        Ok(())
    }

    /// A number or duration; where a duration is needed, only one of sane length passes.
    fn number(&mut self) -> Result<(), QueryError> {
        let rest = self.rest();
        let is_hex = rest.starts_with("0x") || rest.starts_with("0X");
        let mut previous = ' ';
        let mut length = rest.len();
        for (at, c) in rest.char_indices() {
            let signed = matches!(c, '+' | '-') && matches!(previous, 'e' | 'E') && !is_hex;
            if !(c.is_ascii_alphanumeric() || c == '.' || c == '_' || signed) {
                length = at;
                break;
            }
            previous = c;
        }
        let word = rest.get(..length).unwrap_or("");
        let only_digits = word.chars().all(|c| c.is_ascii_digit() || c == '.');
        let wants_duration = matches!(self.open.last(), Some(('[', _))) || self.follows_offset();
        if only_digits {
            let seconds = word.parse::<f64>().unwrap_or(f64::NAN);
            if wants_duration && !(0.001..=1e9).contains(&seconds) {
                return Err(self.refuse(format!("not a valid duration: {word:?}")));
            }
        } else if word.ends_with(['s', 'm', 'h', 'd', 'w', 'y']) && !is_hex {
            match duration_ms(word) {
                None => return Err(self.refuse(format!("not a valid duration: {word:?}"))),
                Some(0) => return Err(self.refuse("duration must be greater than 0")),
                Some(length) if length > MAX_DURATION_MS => {
                    return Err(self.refuse("duration out of range"));
                }
                Some(_) => {}
            }
        } else if wants_duration {
            return Err(self.refuse(format!("not a valid duration: {word:?}")));
        }
        self.push(length);
        Ok(())
    }

    fn follows_offset(&self) -> bool {
        let mut before = self
            .tokens
            .iter()
            .rev()
            .map(|token| self.probe.get(token.start..token.end).unwrap_or(""));
        match before.next() {
            Some("+" | "-") => {
                before.next().is_some_and(|word| word.eq_ignore_ascii_case("offset"))
            }
            Some(word) => word.eq_ignore_ascii_case("offset"),
            None => false,
        }
    }

    fn string(&mut self, quote: char) -> Result<(), QueryError> {
        let is_pattern = matches!(self.last(), "=~" | "!~");
        let rest = self.rest();
        let mut chars = rest.char_indices().skip(1);
        let mut content_end = None;
        while let Some((at, c)) = chars.next() {
            if c == '\\' && quote != '`' {
                chars.next();
            } else if c == quote {
                content_end = Some(at);
                break;
            } else if c == '\n' && quote != '`' {
                break;
            }
        }
        let Some(end) = content_end else {
            return Err(self.refuse("unterminated quoted string"));
        };
        let content = rest.get(1..end).unwrap_or("");
        let literal =
            if quote == '`' { quoted(content) } else { format!("{quote}{content}{quote}") };
        let start = self.probe.len();
        self.probe.push_str(if is_pattern { self.pattern(&literal)? } else { &literal });
        self.patterns += usize::from(is_pattern);
        self.out.push_str(&literal);
        self.tokens.push(Token { offset: self.offset, start, end: self.probe.len() });
        self.offset += end + 1;
        Ok(())
    }

    /// Refuses a pattern whose program would be too large, before anybody compiles it in full,
    /// and returns what may stand for it.
    fn pattern<'l>(&self, literal: &'l str) -> Result<&'l str, QueryError> {
        if self.patterns >= self.limits.regexes {
            return Err(limit("regexes", self.limits.regexes));
        }
        let Ok(pattern) = unquote_string(literal) else { return Ok(literal) };
        let built = RegexBuilder::new(&format!("^(?:{pattern})$"))
            .size_limit(self.limits.regex_bytes)
            .build();
        match built {
            Err(regex::Error::CompiledTooBig(_)) => {
                Err(limit("regex_bytes", self.limits.regex_bytes))
            }
            Err(_) => Ok(literal),
            Ok(regex) if regex.is_match("") => Ok("\".*\""),
            Ok(_) => Ok("\"x\""),
        }
    }
}

/// The content of a raw string as a quoted one.
fn quoted(content: &str) -> String {
    let mut out = String::with_capacity(content.len() + 2);
    out.push('"');
    for c in content.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

/// `1h30m` in milliseconds; units descend, each at most once. Saturates.
pub(super) fn duration_ms(text: &str) -> Option<u64> {
    const UNITS: [(&str, u64); 7] = [
        ("y", 31_536_000_000),
        ("w", 604_800_000),
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1000),
        ("ms", 1),
    ];
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut total = 0u64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at(digits);
        let unit_end = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let (_, length) = units.find(|(name, _)| *name == unit)?;
        if number.is_empty() {
            return None;
        }
        // The grammar's parser reads 32 bits per unit and takes more as nothing.
        let number = number.parse::<u32>().map_or(u64::MAX, u64::from);
        total = total.saturating_add(number.saturating_mul(*length));
        rest = tail;
    }
    Some(total)
}
