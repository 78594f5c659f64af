//! JSON as Go's `encoding/json` prints it, so that answers equal Heapster's byte for byte.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter};

/// Indented by one space, each further line behind one space; no newline at the end.
pub(super) fn pretty(value: &impl Serialize) -> String {
    let formatter = Go { inner: PrettyFormatter::with_indent(b" "), prefixed: true };
    print(value, formatter)
}

/// On one line, with a newline at the end.
pub(super) fn compact(value: &impl Serialize) -> String {
    let mut text = print(value, Go { inner: CompactFormatter, prefixed: false });
    text.push('\n');
    text
}

fn print<F: Formatter>(value: &impl Serialize, formatter: Go<F>) -> String {
    let prefixed = formatter.prefixed;
    let mut bytes = Vec::with_capacity(1024);
    // Writing plain structs to memory cannot fail; an empty answer would show it.
    if value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, formatter)).is_err()
    {
        bytes.clear();
    }
    let text = String::from_utf8(bytes).unwrap_or_default();
    // Line breaks inside strings are escaped, so that every one here begins an indented line.
    if prefixed { text.replace('\n', "\n ") } else { text }
}

/// A formatter that also escapes what Go escapes for the sake of HTML.
struct Go<F> {
    inner: F,
    prefixed: bool,
}

impl<F: Formatter> Formatter for Go<F> {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let special = |c: char| matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}');
        for part in fragment.split_inclusive(special) {
            match part.char_indices().next_back().filter(|(_, last)| special(*last)) {
                Some((at, last)) => {
                    writer.write_all(&part.as_bytes()[..at])?;
                    write!(writer, "\\u{:04x}", u32::from(last))?;
                }
                None => writer.write_all(part.as_bytes())?,
            }
        }
        Ok(())
    }

    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.inner.begin_array(writer)
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.inner.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.inner.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.inner.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.inner.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.inner.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.inner.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.inner.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.inner.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn prints_like_go() {
        let check = |value: &[&str], expected: &str| assert_eq!(pretty(&value), expected);
        check(&[], "[]");
        check(&["a", "b"], "[\n  \"a\",\n  \"b\"\n ]");
        check(&["<&>\n"], "[\n  \"\\u003c\\u0026\\u003e\\n\"\n ]");
        let map = BTreeMap::from([("k", vec![1, 2])]);
        assert_eq!(pretty(&map), "{\n  \"k\": [\n   1,\n   2\n  ]\n }");
        assert_eq!(compact(&map), "{\"k\":[1,2]}\n");
        assert_eq!(compact(&Option::<u8>::None), "null\n");
    }
}
