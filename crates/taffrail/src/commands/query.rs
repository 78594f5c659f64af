//! `taffrail query`: asks a running server a PromQL question and prints the answer.

use std::io::IsTerminal as _;
use std::time::Duration;

use http::Method;
use pipeline::Clock;
use query::promql::{Limits, QueryError, duration_ms, parse};
use serde_json::Value;

use crate::cli::{QueryArgs, QueryOutput};
use crate::exit::Failure;
use crate::remote::{Bounds, Remote};
use crate::say;

mod plot;
mod table;

/// What an answer may take: a long range of many series is long.
const BOUNDS: Bounds = Bounds { deadline: Duration::from_secs(130), bytes: 512 << 20 };
/// What the API takes questions as.
const FORM: &str = "application/x-www-form-urlencoded";
/// Points of a plot, and of a range whose step is not given.
const POINTS: i64 = 120;

/// One series of an answer: its name and (seconds, value) pairs.
#[derive(Debug, Clone, PartialEq)]
struct Line {
    name: String,
    labels: Vec<(String, String)>,
    points: Vec<(f64, f64)>,
}

/// Asks once.
pub(crate) async fn run(args: &QueryArgs) -> Result<(), Failure> {
    check(&args.expression)?;
    let (path, form) = request(args, Clock::system().now())?;
    let server = Remote::of(&args.ask)?.within(BOUNDS);
    let answer = server.ask(Method::POST, path, FORM, form.into_bytes()).await;
    let (_, answer) = answer.map_err(Failure::unavailable)?;
    let answer: Value = serde_json::from_slice(&answer).map_err(|error| {
        Failure::unavailable(format!(
            "{} answered no JSON: {error}; is it Taffrail?",
            args.ask.server
        ))
    })?;
    if answer["status"] != "success" {
        let kind = answer["errorType"].as_str().unwrap_or("error");
        let reason = answer["error"].as_str().unwrap_or("no reason given");
        return Err(Failure::usage(format!("{kind}: {reason}")));
    }
    for warning in answer["warnings"].as_array().into_iter().flatten() {
        crate::complain(&format!("warning: {}", warning.as_str().unwrap_or_default()));
    }
    let data = &answer["data"];
    let text = match args.output {
        QueryOutput::Json => data.to_string(),
        QueryOutput::Csv => table::csv(&lines(data)),
        QueryOutput::Table => table::table(&lines(data)),
        QueryOutput::Plot => plot::plot(&lines(data), std::io::stdout().is_terminal()),
    };
    say(text.trim_end())
}

/// Refuses what is no PromQL before anybody is asked, pointing at the place.
fn check(expression: &str) -> Result<(), Failure> {
    let Err(error) = parse(expression, &Limits::default()) else { return Ok(()) };
    let QueryError::Parse { line, column, reason, .. } = &error else {
        return Err(Failure::usage(error.to_string()));
    };
    let shown = expression.lines().nth(line - 1).unwrap_or("");
    let pointer = format!("{}^", " ".repeat(column.saturating_sub(1)));
    Err(Failure::usage(format!("{reason}\n  {shown}\n  {pointer} line {line}, column {column}")))
}

fn request(args: &QueryArgs, now: model::Timestamp) -> Result<(&'static str, String), Failure> {
    let at = match &args.at {
        None => now.millis(),
        Some(text) => moment(text, now).ok_or_else(|| {
            Failure::usage(format!(
                "--at {text}: give a time such as 2026-11-23T09:18:00Z, seconds since 1970, or \
                 -2h for two hours ago"
            ))
        })?,
    };
    let expression = &args.expression;
    let range = match (&args.range, args.output) {
        // A plot needs a range.
        (None, QueryOutput::Plot) => Some("1h"),
        (range, _) => range.as_deref(),
    };
    let Some(range) = range else {
        return Ok(("/api/v1/query", form(&[("query", expression), ("time", &seconds(at))])));
    };
    let length = |name: &str, text: &str| {
        duration_ms(text).filter(|millis| *millis > 0).ok_or_else(|| {
            Failure::usage(format!("--{name} {text}: give a duration such as 1h or 30s"))
        })
    };
    let range = length("range", range)?;
    let step = match &args.step {
        Some(step) => length("step", step)?,
        None => (range / POINTS).max(1000),
    };
    let pairs = [
        ("query", expression.as_str()),
        ("start", &seconds(at - range)),
        ("end", &seconds(at)),
        ("step", &seconds(step)),
    ];
    Ok(("/api/v1/query_range", form(&pairs)))
}

/// A time: RFC 3339, seconds since the epoch, or a duration before now.
fn moment(text: &str, now: model::Timestamp) -> Option<i64> {
    if let Some(ago) = text.strip_prefix('-') {
        return Some(now.millis() - duration_ms(ago)?);
    }
    match model::Timestamp::parse_rfc3339(text) {
        Some(time) => Some(time.millis()),
        None => text.parse::<f64>().ok().and_then(|_| duration_ms(text)),
    }
}

fn seconds(millis: i64) -> String {
    format!("{}.{:03}", millis.div_euclid(1000), millis.rem_euclid(1000))
}

fn form(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// The series of an answer's data.
fn lines(data: &Value) -> Vec<Line> {
    let pair = |pair: &Value| -> Option<(f64, f64)> {
        Some((pair[0].as_f64()?, pair[1].as_str()?.parse().ok()?))
    };
    let result = &data["result"];
    match data["resultType"].as_str() {
        Some("scalar") => {
            let points = pair(result).into_iter().collect();
            vec![Line { name: "scalar".to_owned(), labels: Vec::new(), points }]
        }
        Some("string") => {
            let name = result[1].as_str().unwrap_or_default().to_owned();
            vec![Line { name, labels: Vec::new(), points: Vec::new() }]
        }
        _ => result.as_array().into_iter().flatten().map(|series| line(series, pair)).collect(),
    }
}

fn line(series: &Value, pair: impl Fn(&Value) -> Option<(f64, f64)>) -> Line {
    let mut labels: Vec<(String, String)> = series["metric"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect();
    let name = labels.iter().position(|(name, _)| name == "__name__");
    let name = name.map_or_else(String::new, |at| labels.remove(at).1);
    let points = match &series["values"] {
        Value::Array(values) => values.iter().filter_map(&pair).collect(),
        _ => pair(&series["value"]).into_iter().collect(),
    };
    Line { name, labels, points }
}

impl Line {
    /// `name{label="value"}`
    fn title(&self) -> String {
        let pairs: Vec<String> =
            self.labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        match (self.name.as_str(), pairs.is_empty()) {
            (name, true) if !name.is_empty() => name.to_owned(),
            (name, _) => format!("{name}{{{}}}", pairs.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_pointed_at() {
        let failure = check("sum(rate(x[5m])").unwrap_err();
        assert_eq!(failure.message, "unclosed '('\n  sum(rate(x[5m])\n     ^ line 1, column 4");
        assert!(check("up").is_ok());
    }

    #[test]
    fn times_are_read() {
        let now = model::Timestamp::from_secs(10_000);
        assert_eq!(moment("-1h", now), Some(6_400_000));
        assert_eq!(moment("1970-01-01T00:00:05Z", now), Some(5000));
        assert_eq!(moment("7.5", now), Some(7500));
        assert_eq!(moment("soon", now), None);
    }
}
