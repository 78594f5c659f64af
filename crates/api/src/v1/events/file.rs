//! Events as a file: CSV for spreadsheets, JSON lines for programs.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use http::header;
use model::Timestamp;

use super::Item;
use crate::error::Error;
use crate::request::pairs;

/// Tells that there were more events than a file takes.
const CAPPED: &str = "x-taffrail-capped";

/// What kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Csv,
    Ndjson,
}

impl Format {
    /// The format that `query` asks for, and the rest of the query.
    pub(super) fn taken_from(query: &str) -> Result<(Self, String), Error> {
        let mut format = Self::Csv;
        let mut rest = form_urlencoded::Serializer::new(String::new());
        for (key, value) in pairs(query) {
            match (&*key, &*value) {
                ("format", "csv") => format = Self::Csv,
                ("format", "ndjson") => format = Self::Ndjson,
                ("format", _) => {
                    let (value, takes) = (value.into_owned(), "csv or ndjson".to_owned());
                    return Err(Error::Parameter { name: "format", value, takes });
                }
                // A file has no pages.
                ("limit" | "offset" | "buckets", _) => {
                    return Err(Error::UnknownParameter(key.into_owned()));
                }
                _ => {
                    rest.append_pair(&key, &value);
                }
            }
        }
        Ok((format, rest.finish()))
    }

    /// The file of these events.
    pub(super) fn answer(self, events: impl Iterator<Item = Item>, capped: bool) -> Response {
        let (kind, name, text) = match self {
            Self::Csv => ("text/csv; charset=utf-8", "events.csv", csv(events)),
            Self::Ndjson => ("application/x-ndjson", "events.ndjson", ndjson(events)),
        };
        let headers = [
            (header::CONTENT_TYPE, kind.to_owned()),
            (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        ];
        let mut response = (headers, text).into_response();
        if capped {
            let more = http::HeaderValue::from_static("true");
            response.headers_mut().insert(CAPPED, more);
        }
        response
    }
}

fn ndjson(events: impl Iterator<Item = Item>) -> String {
    let mut text = String::new();
    for event in events {
        // Strings and numbers: there is nothing in it that JSON lacks.
        if let Ok(line) = serde_json::to_string(&event) {
            text.push_str(&line);
            text.push('\n');
        }
    }
    text
}

fn csv(events: impl Iterator<Item = Item>) -> String {
    let mut text = String::from(
        "lastSeen,firstSeen,type,reason,namespace,kind,name,count,source,message,uid\r\n",
    );
    let at = |millis: Option<i64>| {
        millis.map(|millis| Timestamp::from_millis(millis).to_rfc3339_seconds()).unwrap_or_default()
    };
    for one in events {
        let (last, first) = (at(one.last_seen), at(one.first_seen));
        let count = one.count.to_string();
        let fields: [&str; 11] = [
            &last,
            &first,
            &one.event_type,
            &one.reason,
            &one.namespace,
            &one.kind,
            &one.name,
            &count,
            &one.source,
            &one.message,
            &one.uid,
        ];
        let line: Vec<Cow<'_, str>> = fields.into_iter().map(field).collect();
        text.push_str(&line.join(","));
        text.push_str("\r\n");
    }
    text
}

/// A field as RFC 4180 has it; what a spreadsheet would take for a formula is defused.
fn field(text: &str) -> Cow<'_, str> {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if !formula && !text.contains(['"', ',', '\r', '\n']) {
        return Cow::Borrowed(text);
    }
    let safe = if formula { format!("'{text}") } else { text.to_owned() };
    if safe.contains(['"', ',', '\r', '\n']) {
        return Cow::Owned(format!("\"{}\"", safe.replace('"', "\"\"")));
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_and_defused() {
        for (text, expected) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"it\"", "\"say \"\"it\"\"\""),
            ("=1+1", "'=1+1"),
            ("@x,y", "\"'@x,y\""),
            ("two\nlines", "\"two\nlines\""),
            ("<b>\u{202e}", "<b>\u{202e}"),
        ] {
            assert_eq!(field(text), expected, "{text:?}");
        }
    }

    #[test]
    fn the_format_is_taken_and_the_rest_kept() {
        let check = |query: &str, expected: Result<(Format, &str), ()>| {
            let taken = Format::taken_from(query).map_err(|_| ());
            let expected = expected.map(|(format, rest)| (format, rest.to_owned()));
            assert_eq!(taken, expected, "{query}");
        };
        check("", Ok((Format::Csv, "")));
        check("format=ndjson&type=Warning", Ok((Format::Ndjson, "type=Warning")));
        check("text=a%26b", Ok((Format::Csv, "text=a%26b")));
        check("format=xml", Err(()));
        check("limit=5", Err(()));
    }
}
