//! From text to pieces: what stands outside of `{{ }}`, and the tokens inside.

use super::TemplateError;

/// A word of an action.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A function, keyword, `true`, `false` or `nil`.
    Word(String),
    /// `.name` chains without the first dot; empty for a lone dot.
    Field(Vec<String>),
    /// `$name` with the fields behind it.
    Variable(String, Vec<String>),
    /// Fields right behind a closing bracket.
    Chain(Vec<String>),
    Int(i64),
    Float(f64),
    Text(String),
    Pipe,
    Open,
    Close,
    Comma,
    Declare,
    Assign,
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
    Text(String),
    Action(Vec<Token>),
}

type Lexed<T> = Result<T, TemplateError>;

pub(super) fn lex(text: &str) -> Lexed<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    let mut trim_next = false;
    while let Some((before, after)) = rest.split_once("{{") {
        let trims_before =
            after.starts_with("- ") || after.starts_with("-\n") || after.starts_with("-\t");
        let after = if trims_before { after.get(1..).unwrap_or("") } else { after };
        put_text(&mut pieces, before, trim_next, trims_before);
        let (tokens, behind, trims) = action(after)?;
        if let Some(tokens) = tokens {
            pieces.push(Piece::Action(tokens));
        }
        (rest, trim_next) = (behind, trims);
    }
    put_text(&mut pieces, rest, trim_next, false);
    Ok(pieces)
}

fn put_text(pieces: &mut Vec<Piece>, text: &str, left: bool, right: bool) {
    let space: &[char] = &[' ', '\t', '\r', '\n'];
    let text = if left { text.trim_start_matches(space) } else { text };
    let text = if right { text.trim_end_matches(space) } else { text };
    if !text.is_empty() {
        pieces.push(Piece::Text(text.to_owned()));
    }
}

/// The tokens up to `}}` (`None` of a comment), what stands behind it, and whether it trims.
fn action(text: &str) -> Lexed<(Option<Vec<Token>>, &str, bool)> {
    if let Some(comment) = text.trim_start().strip_prefix("/*") {
        let (_, behind) =
            comment.split_once("*/").ok_or_else(|| TemplateError::new("unclosed comment"))?;
        let trimmed = behind.trim_start();
        if let Some(behind) = trimmed.strip_prefix("-}}") {
            return Ok((None, behind, true));
        }
        let behind = trimmed
            .strip_prefix("}}")
            .ok_or_else(|| TemplateError::new("comment ends before closing delimiter"))?;
        return Ok((None, behind, false));
    }
    let mut tokens = Vec::new();
    let mut cursor = Cursor { rest: text };
    loop {
        let spaced = cursor.skip_space();
        if spaced && let Some(behind) = cursor.rest.strip_prefix("-}}") {
            return Ok((Some(tokens), behind, true));
        }
        if let Some(behind) = cursor.rest.strip_prefix("}}") {
            return Ok((Some(tokens), behind, false));
        }
        tokens.push(cursor.token(tokens.last(), spaced)?);
    }
}

struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    fn skip_space(&mut self) -> bool {
        let trimmed = self.rest.trim_start();
        let any = trimmed.len() != self.rest.len();
        self.rest = trimmed;
        any
    }

    fn take(&mut self, prefix: &str) -> bool {
        match self.rest.strip_prefix(prefix) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn while_some(&mut self, keep: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !keep(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn token(&mut self, before: Option<&Token>, spaced: bool) -> Lexed<Token> {
        for (text, token) in [
            (":=", Token::Declare),
            ("=", Token::Assign),
            ("|", Token::Pipe),
            ("(", Token::Open),
            (")", Token::Close),
            (",", Token::Comma),
        ] {
            if self.take(text) {
                return Ok(token);
            }
        }
        let Some(first) = self.rest.chars().next() else {
            return Err(TemplateError::new("unclosed action"));
        };
        match first {
            '"' => self.quoted(),
            '`' => self.raw(),
            '\'' => self.character(),
            '$' => {
                self.take("$");
                let name = self.while_some(is_word).to_owned();
                Ok(Token::Variable(name, self.fields()))
            }
            '.' if !second(self.rest).is_some_and(|c| c.is_ascii_digit()) => {
                if before == Some(&Token::Close) && !spaced {
                    return Ok(Token::Chain(self.fields()));
                }
                let fields = self.fields();
                if fields.is_empty() {
                    self.take(".");
                }
                Ok(Token::Field(fields))
            }
            c if c.is_ascii_digit() || matches!(c, '+' | '-' | '.') => self.number(),
            c if is_word(c) => Ok(Token::Word(self.while_some(is_word).to_owned())),
            c => Err(TemplateError::new(format!("unexpected {c:?} in action"))),
        }
    }

    /// `.a.b` as `[a, b]`.
    fn fields(&mut self) -> Vec<String> {
        let mut fields = Vec::new();
        while self.rest.starts_with('.') && second(self.rest).is_some_and(is_word) {
            self.take(".");
            fields.push(self.while_some(is_word).to_owned());
        }
        fields
    }

    fn number(&mut self) -> Lexed<Token> {
        let text =
            self.while_some(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | '_'));
        let plain = text.replace('_', "");
        if let Ok(number) = plain.parse() {
            return Ok(Token::Int(number));
        }
        if let Some(digits) = plain.strip_prefix("0x")
            && let Ok(number) = i64::from_str_radix(digits, 16)
        {
            return Ok(Token::Int(number));
        }
        let wrong = |_| TemplateError::new(format!("bad number syntax: {text:?}"));
        plain.parse().map(Token::Float).map_err(wrong)
    }

    fn raw(&mut self) -> Lexed<Token> {
        self.take("`");
        let (text, rest) = self
            .rest
            .split_once('`')
            .ok_or_else(|| TemplateError::new("unterminated raw quoted string"))?;
        self.rest = rest;
        Ok(Token::Text(text.to_owned()))
    }

    fn quoted(&mut self) -> Lexed<Token> {
        self.take("\"");
        let mut text = String::new();
        loop {
            match self.letter()? {
                ('"', false) => return Ok(Token::Text(text)),
                (letter, _) => text.push(letter),
            }
        }
    }

    fn character(&mut self) -> Lexed<Token> {
        self.take("'");
        let (letter, _) = self.letter()?;
        if self.take("'") {
            return Ok(Token::Int(i64::from(u32::from(letter))));
        }
        Err(TemplateError::new("unterminated character constant"))
    }

    /// The next letter of a quoted text, and whether it was escaped.
    fn letter(&mut self) -> Lexed<(char, bool)> {
        let unterminated = || TemplateError::new("unterminated quoted string");
        let mut letters = self.rest.chars();
        let first = letters.next().filter(|c| *c != '\n').ok_or_else(unterminated)?;
        self.rest = letters.as_str();
        if first != '\\' {
            return Ok((first, false));
        }
        let mut letters = self.rest.chars();
        let escaped = letters.next().ok_or_else(unterminated)?;
        self.rest = letters.as_str();
        let plain = match escaped {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'v' => '\u{b}',
            '\\' | '"' | '\'' => escaped,
            'u' => return self.code_point(4),
            'U' => return self.code_point(8),
            'x' => return self.code_point(2),
            _ => return Err(TemplateError::new(format!("unknown escape sequence \\{escaped}"))),
        };
        Ok((plain, true))
    }

    fn code_point(&mut self, digits: usize) -> Lexed<(char, bool)> {
        let wrong = || TemplateError::new("bad escape sequence in quoted string");
        let (text, rest) = self.rest.split_at_checked(digits).ok_or_else(wrong)?;
        self.rest = rest;
        let code = u32::from_str_radix(text, 16).map_err(|_| wrong())?;
        Ok((char::from_u32(code).ok_or_else(wrong)?, true))
    }
}

fn second(text: &str) -> Option<char> {
    text.chars().nth(1)
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}
