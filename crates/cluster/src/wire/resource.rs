//! The Prometheus text format, as kubelets answer `/metrics/resource`: a scanner that borrows from
//! the body and looks only into the families that are asked for. Keeps no types or help texts.
//!
//! Follows the text format 0.0.4. Every line must end in a newline, as the format says, so that a
//! cut body is noticed.

use std::borrow::Cow;

/// Why the text could not be read, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at byte {offset}")]
pub struct ScanError {
    /// What is wrong.
    pub reason: &'static str,
    /// Where the line begins.
    pub offset: usize,
}

/// One sample of a family that was asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample<'a> {
    /// The metric's name.
    pub family: &'a str,
    /// What stands between the braces.
    labels: &'a str,
    /// The value.
    pub value: f64,
    /// Milliseconds since the epoch, where the line has them.
    pub timestamp_ms: Option<i64>,
}

impl<'a> Sample<'a> {
    /// The value of a label; empty when absent, as in Prometheus.
    pub fn label(&self, name: &str) -> Cow<'a, str> {
        let mut rest = self.labels;
        while let Some((key, value, after)) = next_label(rest) {
            if key == name {
                return unescape(value);
            }
            rest = after;
        }
        Cow::Borrowed("")
    }
}

/// Samples of `body` whose family `wanted` accepts. Ends after the first error.
pub fn scan<W: Fn(&str) -> bool>(body: &[u8], wanted: W) -> Scanner<'_, W> {
    Scanner { body, offset: 0, wanted }
}

/// Iterator over the samples of a body; made by [`scan`].
#[derive(Debug)]
pub struct Scanner<'a, W> {
    body: &'a [u8],
    offset: usize,
    wanted: W,
}

impl<'a, W: Fn(&str) -> bool> Iterator for Scanner<'a, W> {
    type Item = Result<Sample<'a>, ScanError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rest = self.body.get(self.offset..).filter(|rest| !rest.is_empty())?;
            let offset = self.offset;
            let parsed = match rest.iter().position(|byte| *byte == b'\n') {
                Some(end) => {
                    self.offset += end + 1;
                    rest.get(..end).ok_or("empty").and_then(|line| read(line, &self.wanted))
                }
                None => Err("text ends in the middle of a line"),
            };
            match parsed {
                Ok(None) => {}
                Ok(Some(sample)) => return Some(Ok(sample)),
                Err(reason) => {
                    self.offset = self.body.len();
                    return Some(Err(ScanError { reason, offset }));
                }
            }
        }
    }
}

fn read<'a>(
    line: &'a [u8],
    wanted: &impl Fn(&str) -> bool,
) -> Result<Option<Sample<'a>>, &'static str> {
    let line = std::str::from_utf8(line).map_err(|_| "text is not UTF-8")?.trim_ascii();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let end = line.find(|c: char| !is_name_char(c)).unwrap_or(line.len());
    let (family, rest) = line.split_at_checked(end).ok_or("malformed line")?;
    if family.is_empty() || family.starts_with(|c: char| c.is_ascii_digit()) {
        return Err("a line begins with no metric name");
    }
    let (labels, numbers) = match rest.strip_prefix('{') {
        Some(inside) => split_labels(inside)?,
        None => ("", rest),
    };
    if !numbers.starts_with([' ', '\t']) {
        return Err("a metric has no value");
    }
    if !wanted(family) {
        return Ok(None);
    }
    let mut numbers = numbers.split_ascii_whitespace();
    let value = numbers.next().and_then(|text| text.parse().ok()).ok_or("a value is no number")?;
    let timestamp_ms = numbers
        .next()
        .map(|text| text.parse().map_err(|_| "a timestamp is no number"))
        .transpose()?;
    if numbers.next().is_some() {
        return Err("a line goes on after its timestamp");
    }
    Ok(Some(Sample { family, labels, value, timestamp_ms }))
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

/// What stands before the closing brace, and what after it.
fn split_labels(inside: &str) -> Result<(&str, &str), &'static str> {
    let mut rest = inside;
    while let Some((_, _, after)) = next_label(rest) {
        rest = after;
    }
    let after = rest.trim_ascii_start().strip_prefix('}').ok_or("malformed labels")?;
    let end = inside.len() - after.len() - 1;
    Ok((inside.get(..end).unwrap_or(""), after))
}

/// Key, escaped value and the rest after the comma, if a label begins here.
fn next_label(text: &str) -> Option<(&str, &str, &str)> {
    let (key, rest) = text.trim_ascii_start().split_once('=')?;
    let key = key.trim_ascii();
    if key.is_empty() || !key.chars().all(is_name_char) {
        return None;
    }
    let quoted = rest.trim_ascii_start().strip_prefix('"')?;
    let mut escaped = false;
    let end = quoted.bytes().position(|byte| match byte {
        b'"' if !escaped => true,
        b'\\' => {
            escaped = !escaped;
            false
        }
        _ => {
            escaped = false;
            false
        }
    })?;
    let value = quoted.get(..end)?;
    let after = quoted.get(end + 1..)?.trim_ascii_start();
    Some((key, value, after.strip_prefix(',').unwrap_or(after)))
}

fn unescape(value: &str) -> Cow<'_, str> {
    if !value.contains('\\') {
        return Cow::Borrowed(value);
    }
    let mut out = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => out.push('\n'),
                Some(other) => out.push(other),
                None => {}
            },
            other => out.push(other),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let got: Vec<String> = scan(text.as_bytes(), |family| family.starts_with("want"))
            .map(|sample| match sample {
                Ok(s) => format!(
                    "{} a={:?} b={:?} {} {:?}",
                    s.family,
                    s.label("a"),
                    s.label("b"),
                    s.value,
                    s.timestamp_ms
                ),
                Err(error) => error.to_string(),
            })
            .collect();
        assert_eq!(got.join("; "), expected, "{text}");
    }

    #[test]
    fn reads_samples_of_wanted_families() {
        check(
            "# HELP x y\n# TYPE x z\n\nother{a=\"1\"} 3\nwant 1.5\n",
            r#"want a="" b="" 1.5 None"#,
        );
        check(
            "want{b=\"x}\\\"\\n\\\\\",a=\"ä\",} 1e3 1795426633735\n",
            "want a=\"ä\" b=\"x}\\\"\\n\\\\\" 1000 Some(1795426633735)",
        );
        check("want{ a = \"1\" , b = \"2\" }\t+Inf\n", r#"want a="1" b="2" inf None"#);
        check("want{} NaN\n", r#"want a="" b="" NaN None"#);
    }

    #[test]
    fn says_where_text_is_malformed() {
        check(
            "want 1\nwant 2",
            "want a=\"\" b=\"\" 1 None; text ends in the middle of a line at byte 7",
        );
        check("want\n", "a metric has no value at byte 0");
        check("want one\n", "a value is no number at byte 0");
        check("want 1 x\n", "a timestamp is no number at byte 0");
        check("want 1 2 3\n", "a line goes on after its timestamp at byte 0");
        check("want{a=\"1 2\n", "malformed labels at byte 0");
        check("<html>\n", "a line begins with no metric name at byte 0");
        check("other x\nother{\n", "malformed labels at byte 8");
        assert_eq!(
            scan(b"\xff\n", |_| true).next(),
            Some(Err(ScanError { reason: "text is not UTF-8", offset: 0 }))
        );
    }
}
