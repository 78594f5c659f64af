//! The functions of templates: Go's own and those of Prometheus 2.42.

use std::cmp::Ordering;
use std::net::Ipv6Addr;
use std::rc::Rc;

use query::promql::duration_ms;
use regex::RegexBuilder;

use super::number::{exponential, fixed, general, humanize, humanize_1024, humanize_duration};
use super::value::Value;
use super::{Data, TemplateError};

mod printf;

/// Every name that a template may call.
const KNOWN: &[&str] = &[
    "and",
    "or",
    "not",
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
    "len",
    "index",
    "slice",
    "print",
    "printf",
    "println",
    "html",
    "js",
    "urlquery",
    "query",
    "first",
    "label",
    "value",
    "strvalue",
    "args",
    "reReplaceAll",
    "safeHtml",
    "match",
    "title",
    "toUpper",
    "toLower",
    "graphLink",
    "tableLink",
    "sortByLabel",
    "stripPort",
    "stripDomain",
    "humanize",
    "humanize1024",
    "humanizeDuration",
    "humanizePercentage",
    "humanizeTimestamp",
    "toTime",
    "pathPrefix",
    "externalURL",
    "parseDuration",
];
/// Largest compiled size of a regular expression, bytes.
const MAX_PATTERN_BYTES: usize = 1 << 20;

type Called = Result<Value, TemplateError>;

pub(super) fn is_known(name: &str) -> bool {
    KNOWN.contains(&name)
}

pub(super) fn call(name: &str, arguments: &[Value], data: &Data<'_>) -> Called {
    match (name, arguments) {
        ("not", [one]) => Ok(Value::Bool(!one.is_true())),
        ("eq", [first, rest @ ..]) if !rest.is_empty() => equal_to_any(first, rest),
        ("ne", [left, right]) => match equal_to_any(left, std::slice::from_ref(right))? {
            Value::Bool(equal) => Ok(Value::Bool(!equal)),
            other => Ok(other),
        },
        ("lt", [left, right]) => order(left, right, Ordering::is_lt),
        ("le", [left, right]) => order(left, right, Ordering::is_le),
        ("gt", [left, right]) => order(left, right, Ordering::is_gt),
        ("ge", [left, right]) => order(left, right, Ordering::is_ge),
        ("len", [of]) => length(of),
        ("index", [of, keys @ ..]) => keys.iter().try_fold(of.clone(), |of, key| index(&of, key)),
        ("slice", [of, bounds @ ..]) => slice(of, bounds),
        ("print", _) => Ok(Value::text(print(arguments, false))),
        ("println", _) => Ok(Value::text(print(arguments, true))),
        ("printf", [format, rest @ ..]) => Ok(Value::text(printf::printf(format.str()?, rest))),
        ("html" | "js" | "urlquery", _) => Ok(Value::text(escaped(name, &print(arguments, false)))),
        ("args", _) => Ok(named(arguments)),
        ("externalURL", []) => Ok(Value::text(data.external_url)),
        ("pathPrefix", []) => Ok(Value::text(path_of(data.external_url))),
        ("query", [text]) => query(text.str()?, data),
        _ => vector(name, arguments)
            .or_else(|| text(name, arguments))
            .or_else(|| number(name, arguments))
            .unwrap_or_else(|| {
                let count = arguments.len();
                Err(TemplateError::new(format!("wrong number of args for {name}: got {count}")))
            }),
    }
}

fn equal_to_any(first: &Value, others: &[Value]) -> Called {
    for other in others {
        if first.differs_in_kind(other) {
            return Err(TemplateError::new("incompatible types for comparison"));
        }
        if first.compare(other) == Some(Ordering::Equal) {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

fn order(left: &Value, right: &Value, wanted: fn(Ordering) -> bool) -> Called {
    if left.differs_in_kind(right) {
        return Err(TemplateError::new("incompatible types for comparison"));
    }
    Ok(Value::Bool(left.compare(right).is_some_and(wanted)))
}

fn length(of: &Value) -> Called {
    let len = match of {
        Value::Text(text) => text.len(),
        Value::Labels(labels) => labels.iter().count(),
        Value::List(items) => items.len(),
        Value::Map(items) => items.len(),
        other => return Err(TemplateError::new(format!("len of type {}", other.type_name()))),
    };
    Ok(Value::Int(i64::try_from(len).unwrap_or(i64::MAX)))
}

fn index(of: &Value, key: &Value) -> Called {
    match (of, key) {
        (Value::List(items), Value::Int(at)) => usize::try_from(*at)
            .ok()
            .and_then(|at| items.get(at).cloned())
            .ok_or_else(|| TemplateError::new(format!("index out of range: {at}"))),
        (Value::Labels(_) | Value::Map(_), Value::Text(name)) => of.field(name),
        _ => Err(TemplateError::new(format!("can't index item of type {}", of.type_name()))),
    }
}

fn slice(of: &Value, bounds: &[Value]) -> Called {
    let text = of.str()?;
    let bound = |at: usize, otherwise: usize| match bounds.get(at) {
        Some(Value::Int(bound)) => usize::try_from(*bound).unwrap_or(usize::MAX),
        _ => otherwise,
    };
    text.get(bound(0, 0)..bound(1, text.len()))
        .map(Value::text)
        .ok_or_else(|| TemplateError::new("index out of range"))
}

/// Go's `Sprint`: a space between two operands when neither is a text.
fn print(arguments: &[Value], line: bool) -> String {
    let mut out = String::new();
    for (at, argument) in arguments.iter().enumerate() {
        let is_text = |value: Option<&Value>| matches!(value, Some(Value::Text(_)));
        let before = at.checked_sub(1).and_then(|at| arguments.get(at));
        if at > 0 && (line || (!is_text(before) && !is_text(Some(argument)))) {
            out.push(' ');
        }
        out.push_str(&argument.print());
    }
    if line {
        out.push('\n');
    }
    out
}

fn escaped(how: &str, text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match (how, letter) {
            ("html", '<') => out.push_str("&lt;"),
            ("html", '>') => out.push_str("&gt;"),
            ("html", '&') => out.push_str("&amp;"),
            ("html", '"') => out.push_str("&#34;"),
            ("html", '\'') => out.push_str("&#39;"),
            ("js", '\\' | '\'' | '"') => out.extend(['\\', letter]),
            ("js", '<' | '>' | '&' | '=') => {
                out.extend(["\\u00", &format!("{:02X}", u32::from(letter))]);
            }
            ("js", '\n') => out.push_str("\\n"),
            ("urlquery", ' ') => out.push('+'),
            ("urlquery", c) if !(c.is_ascii_alphanumeric() || "-_.~".contains(c)) => {
                let mut buffer = [0; 4];
                for byte in c.encode_utf8(&mut buffer).bytes() {
                    out.extend(["%", &format!("{byte:02X}")]);
                }
            }
            _ => out.push(letter),
        }
    }
    out
}

fn named(arguments: &[Value]) -> Value {
    let pair = |(at, value): (usize, &Value)| (format!("arg{at}"), value.clone());
    Value::Map(arguments.iter().enumerate().map(pair).collect())
}

fn path_of(url: &str) -> &str {
    let behind = url.split_once("://").map_or(url, |(_, behind)| behind);
    behind.find('/').and_then(|at| behind.get(at..)).unwrap_or("").trim_end_matches('/')
}

fn query(text: &str, data: &Data<'_>) -> Called {
    let found = (data.ask)(text).map_err(TemplateError::new)?;
    Ok(Value::List(found.into_iter().map(|one| Value::Sample(Rc::new(one))).collect()))
}

/// What works on what `query` yields.
fn vector(name: &str, arguments: &[Value]) -> Option<Called> {
    Some(match (name, arguments) {
        ("first", [Value::List(items)]) => items
            .first()
            .cloned()
            .ok_or_else(|| TemplateError::new("first() called on vector with no elements")),
        ("value", [Value::Sample(sample)]) => Ok(Value::Float(sample.value)),
        ("strvalue", [Value::Sample(sample)]) => Ok(Value::text(sample.labels.get("__value__"))),
        ("label", [label, Value::Sample(sample)]) => {
            label.str().map(|label| Value::text(sample.labels.get(label)))
        }
        ("sortByLabel", [label, Value::List(items)]) => label.str().map(|label| {
            let mut items = items.to_vec();
            items.sort_by_key(|item| match item {
                Value::Sample(sample) => sample.labels.get(label).to_owned(),
                _ => String::new(),
            });
            Value::List(items.into())
        }),
        ("first" | "value" | "strvalue", [other]) | ("label" | "sortByLabel", [_, other]) => {
            let kind = other.type_name();
            Err(TemplateError::new(format!("wrong type for value: {kind}")))
        }
        _ => return None,
    })
}

fn text(name: &str, arguments: &[Value]) -> Option<Called> {
    let made = |text: Result<String, TemplateError>| Some(text.map(Value::text));
    match (name, arguments) {
        ("title", [text]) => made(text.str().map(title)),
        ("toUpper", [text]) => made(text.str().map(str::to_uppercase)),
        ("toLower", [text]) => made(text.str().map(str::to_lowercase)),
        ("safeHtml", [text]) => made(text.str().map(str::to_owned)),
        ("stripPort", [text]) => made(text.str().map(|text| without_port(text).to_owned())),
        ("stripDomain", [text]) => made(text.str().map(without_domain)),
        ("graphLink" | "tableLink", [text]) => made(text.str().map(|text| {
            let tab = u8::from(name == "tableLink");
            format!("/graph?g0.expr={}&g0.tab={tab}", escaped("urlquery", text))
        })),
        ("match", [pattern, text]) => Some(
            pattern
                .str()
                .and_then(|pattern| Ok(Value::Bool(compiled(pattern)?.is_match(text.str()?)))),
        ),
        ("reReplaceAll", [pattern, with, text]) => Some(pattern.str().and_then(|pattern| {
            let (with, text) = (with.str()?, text.str()?);
            Ok(Value::text(compiled(pattern)?.replace_all(text, with)))
        })),
        _ => None,
    }
}

fn compiled(pattern: &str) -> Result<regex::Regex, TemplateError> {
    RegexBuilder::new(pattern)
        .size_limit(MAX_PATTERN_BYTES)
        .build()
        .map_err(|error| TemplateError::new(error.to_string()))
}

fn title(text: &str) -> String {
    let mut begins = true;
    let raised = text.chars().flat_map(|letter| {
        let raise = begins && letter.is_alphabetic();
        begins = !(letter.is_alphanumeric() || letter == '_' || letter == '\'');
        if raise { letter.to_uppercase().collect::<Vec<_>>() } else { vec![letter] }
    });
    raised.collect()
}

fn without_port(text: &str) -> &str {
    if let Some(rest) = text.strip_prefix('[') {
        return rest.split_once("]:").map_or(text, |(host, _)| host);
    }
    match text.split_once(':') {
        Some((host, port)) if !port.contains(':') => host,
        _ => text,
    }
}

fn without_domain(text: &str) -> String {
    let host = without_port(text);
    if host.parse::<std::net::Ipv4Addr>().is_ok() || host.parse::<Ipv6Addr>().is_ok() {
        return text.to_owned();
    }
    let port = text.strip_prefix(host).unwrap_or("");
    format!("{}{port}", host.split('.').next().unwrap_or(host))
}

fn number(name: &str, arguments: &[Value]) -> Option<Called> {
    let [given] = arguments else { return None };
    let made: fn(f64) -> String = match name {
        "humanize" => humanize,
        "humanize1024" => humanize_1024,
        "humanizeDuration" => humanize_duration,
        "humanizePercentage" => |value| format!("{}%", general(value * 100.0, 4)),
        "humanizeTimestamp" | "toTime" => time,
        "parseDuration" => return Some(parsed_duration(given)),
        _ => return None,
    };
    Some(given.number().map(|value| Value::text(made(value))))
}

fn parsed_duration(given: &Value) -> Called {
    let text = given.str()?;
    let millis = duration_ms(text)
        .ok_or_else(|| TemplateError::new(format!("not a valid duration string: {text:?}")))?;
    #[expect(clippy::cast_precision_loss, reason = "a float is what Prometheus yields")]
    Ok(Value::Float(millis as f64 / 1000.0))
}

/// As Go prints a time in UTC.
fn time(seconds: f64) -> String {
    if !seconds.is_finite() {
        return general(seconds, 4);
    }
    #[expect(clippy::cast_possible_truncation, reason = "saturates, then is refused")]
    let nanos = (seconds * 1e9) as i128;
    match jiff::Timestamp::from_nanosecond(nanos) {
        Ok(time) => {
            let shown = time.strftime("%Y-%m-%d %H:%M:%S").to_string();
            let fraction = nanos.rem_euclid(1_000_000_000);
            let fraction = match fraction {
                0 => String::new(),
                _ => format!(".{fraction:09}").trim_end_matches('0').to_owned(),
            };
            format!("{shown}{fraction} +0000 UTC")
        }
        Err(_) => fixed(seconds, 0),
    }
}

/// For `printf`.
fn float(value: f64, verb: char, precision: Option<usize>) -> String {
    match (verb, precision) {
        ('e', digits) => exponential(value, digits),
        ('f' | 'F', digits) => fixed(value, digits.unwrap_or(6)),
        (_, Some(digits)) => general(value, digits),
        (_, None) => super::number::shortest(value),
    }
}
