//! What programs answer on `/metrics`: Prometheus' text format 0.0.4 and OpenMetrics 1.0, read as
//! Prometheus 2.42 reads them. Borrows from the body; labels are read only when asked for.

use std::borrow::Cow;

mod line;

use line::{Cursor, label_end};

/// Which format a body is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `text/plain; version=0.0.4`, and whatever else is not the other.
    Text,
    /// `application/openmetrics-text`.
    Open,
}

impl Format {
    /// By the `Content-Type` header.
    pub fn of(content_type: &str) -> Self {
        let kind = content_type.split(';').next().unwrap_or_default().trim();
        if kind.eq_ignore_ascii_case("application/openmetrics-text") {
            Self::Open
        } else {
            Self::Text
        }
    }
}

/// Why a body cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct Malformed {
    /// Counted from one.
    pub line: usize,
    /// What is wrong.
    pub reason: &'static str,
}

/// A line that says something.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Entry<'a> {
    /// `# TYPE`.
    Type {
        /// The family's name.
        name: &'a str,
        /// `counter`, `gauge`, …
        kind: &'static str,
    },
    /// `# HELP`, escapes and all.
    Help {
        /// The family's name.
        name: &'a str,
        /// One sentence.
        text: &'a str,
    },
    /// A sample.
    Sample(Sample<'a>),
}

/// A sample as it stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample<'a> {
    /// Name and labels, as they stand.
    pub series: &'a str,
    /// The value; of all NaNs the one that Prometheus stores.
    pub value: f64,
    /// Milliseconds since the epoch, where the line has them.
    pub time: Option<i64>,
}

/// The NaN that is no stale marker.
pub(crate) const NORMAL_NAN: f64 = f64::from_bits(0x7ff8_0000_0000_0001);

/// Reads a body line by line.
#[derive(Debug)]
pub struct Reader<'a> {
    rest: &'a str,
    format: Format,
    line: usize,
    ended: bool,
}

impl<'a> Reader<'a> {
    /// Begins to read.
    pub fn new(body: &'a str, format: Format) -> Self {
        Self { rest: body, format, line: 0, ended: false }
    }

    fn text_line(&self, line: &'a str) -> Result<Option<Entry<'a>>, &'static str> {
        let line = line.trim_start_matches([' ', '\t']);
        match line.strip_prefix('#') {
            Some(comment) => text_comment(comment),
            None if line.trim_end_matches([' ', '\t', '\r']).is_empty() => Ok(None),
            None => sample(line, self.format).map(Some),
        }
    }

    fn open_line(&mut self, line: &'a str) -> Result<Option<Entry<'a>>, &'static str> {
        if self.ended {
            return Err("there is text after # EOF");
        }
        match line.strip_prefix("# ") {
            Some("EOF") => {
                self.ended = true;
                Ok(None)
            }
            Some(comment) => open_comment(comment),
            None => sample(line, self.format).map(Some),
        }
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Result<Entry<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.rest.is_empty() {
                let cut = self.format == Format::Open && !self.ended;
                self.ended = true;
                let reason = "the text does not end with # EOF";
                return cut.then_some(Err(Malformed { line: self.line + 1, reason }));
            }
            let (line, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
            self.rest = rest;
            self.line += 1;
            let entry = match self.format {
                Format::Text => self.text_line(line),
                Format::Open => self.open_line(line),
            };
            match entry {
                Ok(None) => {}
                Ok(Some(entry)) => return Some(Ok(entry)),
                Err(reason) => {
                    (self.rest, self.ended) = ("", true);
                    return Some(Err(Malformed { line: self.line, reason }));
                }
            }
        }
    }
}

/// What follows `#` in the text format.
fn text_comment(comment: &str) -> Result<Option<Entry<'_>>, &'static str> {
    let Some(comment) = comment.strip_prefix([' ', '\t']) else { return Ok(None) };
    let comment = comment.trim_start_matches([' ', '\t']);
    let after = |word: &str| {
        let rest = comment.strip_prefix(word)?;
        rest.starts_with([' ', '\t']).then(|| rest.trim_start_matches([' ', '\t']))
    };
    if let Some(rest) = after("TYPE") {
        let (name, rest) = family(rest)?;
        let kind = match rest.trim_matches([' ', '\t', '\r']) {
            "counter" => "counter",
            "gauge" => "gauge",
            "histogram" => "histogram",
            "summary" => "summary",
            "untyped" | "unknown" => "unknown",
            _ => return Err("a TYPE that there is not"),
        };
        return Ok(Some(Entry::Type { name, kind }));
    }
    if let Some(rest) = after("HELP") {
        let (name, rest) = family(rest)?;
        return Ok(Some(Entry::Help { name, text: rest.trim_start_matches([' ', '\t']) }));
    }
    Ok(None)
}

/// What follows `# ` in OpenMetrics.
fn open_comment(comment: &str) -> Result<Option<Entry<'_>>, &'static str> {
    let (word, rest) = comment.split_once(' ').ok_or("a line that begins with # says nothing")?;
    let (name, rest) = family(rest)?;
    let rest = rest.strip_prefix(' ').unwrap_or(rest);
    Ok(match word {
        "TYPE" => {
            let kind = match rest {
                "counter" => "counter",
                "gauge" => "gauge",
                "histogram" => "histogram",
                "gaugehistogram" => "gaugehistogram",
                "summary" => "summary",
                "info" => "info",
                "stateset" => "stateset",
                "unknown" => "unknown",
                _ => return Err("a TYPE that there is not"),
            };
            Some(Entry::Type { name, kind })
        }
        "HELP" => Some(Entry::Help { name, text: rest }),
        "UNIT" if name.ends_with(rest) => None,
        "UNIT" => return Err("a UNIT that the metric's name does not end with"),
        _ => return Err("a line that begins with # is neither TYPE, HELP, UNIT nor EOF"),
    })
}

fn family(text: &str) -> Result<(&str, &str), &'static str> {
    let mut cursor = Cursor(text);
    let name = cursor.metric_name().ok_or("a comment names no metric")?;
    Ok((name, cursor.0))
}

fn sample(line: &str, format: Format) -> Result<Entry<'_>, &'static str> {
    let mut cursor = Cursor(line);
    cursor.metric_name().ok_or("a line begins with no metric name")?;
    let spaced = format == Format::Text;
    if spaced {
        cursor.skip_space();
    }
    let mut end = line.len() - cursor.0.len();
    if cursor.0.starts_with('{') {
        cursor.labels(spaced)?;
        end = line.len() - cursor.0.len();
    } else {
        end = line.get(..end).map_or(end, |name| name.trim_end_matches([' ', '\t']).len());
    }
    let series = line.get(..end).ok_or("a line that cannot be cut")?;
    let (value, time) = match format {
        Format::Text => text_numbers(cursor.0)?,
        Format::Open => open_numbers(cursor.0)?,
    };
    Ok(Entry::Sample(Sample { series, value, time }))
}

fn text_numbers(text: &str) -> Result<(f64, Option<i64>), &'static str> {
    let text = text.strip_suffix('\r').unwrap_or(text);
    let mut words = text.split([' ', '\t']).filter(|word| !word.is_empty());
    let value = number(words.next().ok_or("a metric has no value")?)?;
    let time = words.next().map(|word| word.parse().map_err(|_| "a timestamp is no number"));
    if words.next().is_some() {
        return Err("a line goes on after its timestamp");
    }
    Ok((value, time.transpose()?))
}

/// Value, timestamp in seconds, and an exemplar that is passed over.
fn open_numbers(text: &str) -> Result<(f64, Option<i64>), &'static str> {
    let text = text.strip_prefix(' ').ok_or("a metric has no value")?;
    let (numbers, exemplar) = match text.split_once(" # ") {
        Some((numbers, exemplar)) => (numbers, Some(exemplar)),
        None => (text, None),
    };
    let mut words = numbers.split(' ');
    let value = number(words.next().unwrap_or_default())?;
    let time = words.next().map(seconds).transpose()?;
    if words.next().is_some() {
        return Err("a line goes on after its timestamp");
    }
    if let Some(exemplar) = exemplar {
        let mut cursor = Cursor(exemplar);
        cursor.labels(false).map_err(|_| "an exemplar that cannot be read")?;
        let mut words = cursor.0.strip_prefix(' ').unwrap_or_default().split(' ');
        number(words.next().unwrap_or_default())?;
        words.next().map(seconds).transpose()?;
        if words.next().is_some() {
            return Err("a line goes on after its exemplar");
        }
    }
    Ok((value, time))
}

/// Milliseconds of a number of seconds.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a time; what is out of range is refused later"
)]
fn seconds(text: &str) -> Result<i64, &'static str> {
    let time = number(text).map_err(|_| "a timestamp is no number")?;
    if time.is_finite() { Ok((time * 1000.0) as i64) } else { Err("a timestamp is no number") }
}

fn number(text: &str) -> Result<f64, &'static str> {
    let value: f64 = text.parse().map_err(|_| "a value is no number")?;
    if value.is_nan() {
        return Ok(NORMAL_NAN);
    }
    let is_written = text.bytes().any(|byte| byte.is_ascii_digit());
    if value.is_infinite() && is_written { Err("a value is out of range") } else { Ok(value) }
}

/// A series' name and its labels, in the order in which they stand, unescaped. `series` must come
/// from a [`Sample`].
pub fn labels_of<'a>(series: &'a str, mut each: impl FnMut(&'a str, Cow<'a, str>)) {
    let mut cursor = Cursor(series);
    let Some(name) = cursor.metric_name() else { return };
    each("__name__", Cow::Borrowed(name));
    cursor.skip_space();
    let Some(inside) = cursor.0.strip_prefix('{') else { return };
    cursor.0 = inside;
    loop {
        cursor.skip_space();
        let Some(name) = cursor.label_name() else { return };
        let Some((_, quoted)) = cursor.0.split_once('"') else { return };
        let Some(end) = label_end(quoted) else { return };
        let (value, rest) = quoted.split_at(end);
        each(name, line::unescape(value));
        cursor.0 = rest.get(1..).unwrap_or_default();
        cursor.skip_space();
        cursor.0 = cursor.0.strip_prefix(',').unwrap_or(cursor.0);
    }
}

#[cfg(test)]
mod tests;
