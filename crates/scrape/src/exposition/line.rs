//! The parts of a line: names, labels, quoted values.

use std::borrow::Cow;

/// What is left of a line.
pub(super) struct Cursor<'a>(pub(super) &'a str);

impl<'a> Cursor<'a> {
    fn word(&mut self, colon: bool) -> Option<&'a str> {
        let is_part =
            |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || (colon && byte == b':');
        let end = self.0.bytes().position(|byte| !is_part(byte)).unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at_checked(end)?;
        if word.is_empty() || word.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        self.0 = rest;
        Some(word)
    }

    pub(super) fn metric_name(&mut self) -> Option<&'a str> {
        self.word(true)
    }

    pub(super) fn label_name(&mut self) -> Option<&'a str> {
        self.word(false)
    }

    pub(super) fn skip_space(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t']);
    }

    fn take(&mut self, text: char) -> bool {
        let rest = self.0.strip_prefix(text);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// Passes over `{…}`. With `spaced`, as the older format has it: blanks anywhere, and commas
    /// as one likes.
    pub(super) fn labels(&mut self, spaced: bool) -> Result<(), &'static str> {
        if !self.take('{') {
            return Err("labels do not begin with a brace");
        }
        let blank = |cursor: &mut Self| {
            if spaced {
                cursor.skip_space();
            }
        };
        let mut first = true;
        loop {
            blank(self);
            if self.take('}') {
                return Ok(());
            }
            if !spaced && !first && !self.take(',') {
                return Err("labels without a comma between them");
            }
            first = false;
            self.label_name().ok_or("a label has no name, or the braces do not end")?;
            blank(self);
            if !self.take('=') {
                return Err("a label has no value");
            }
            blank(self);
            if !self.take('"') {
                return Err("a label's value has no quotes");
            }
            let end = label_end(self.0).ok_or("a label's value does not end")?;
            self.0 = self.0.get(end + 1..).unwrap_or_default();
            blank(self);
            if spaced {
                self.take(',');
            }
        }
    }
}

/// Where the quoted value ends that begins here.
pub(super) fn label_end(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}

pub(super) fn unescape(value: &str) -> Cow<'_, str> {
    if !value.contains('\\') {
        return Cow::Borrowed(value);
    }
    let mut text = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', Some('n')) => text.push('\n'),
            ('\\', Some(quoted @ ('"' | '\\'))) => text.push(quoted),
            ('\\', Some(other)) => text.extend(['\\', other]),
            (c, _) => text.push(c),
        }
    }
    Cow::Owned(text)
}
