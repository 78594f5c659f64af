//! This crate's PromQL against a real Prometheus 2.42 on the same samples.
//!
//! Needs `prometheus` and `promtool` (Debian's package `prometheus`; `cargo xtask tools`).

#[path = "differential/expressions.rs"]
pub(super) mod expressions;
#[path = "differential/prometheus.rs"]
mod prometheus;
#[path = "differential/samples.rs"]
mod samples;

use query::promql::{Answer, AnswerValue, Labels, Options, QueryError, parse};
use serde_json::Value;

/// How many nested expressions are made besides the listed ones.
const NESTED: u64 = 200;

/// How far two values may be apart, relative.
const TOLERANCE: f64 = 1e-9;

/// Variances below this are rounding noise of equal values.
const NOISE: f64 = 1e-25;

/// Where Prometheus 2.42 is not followed, and why: what an expression must contain, the reason.
const DELIBERATE: [(&[&str], &str); 3] = [
    (&["predict_linear(", "@"], "at later steps of a range 2.42 drops the window's oldest samples"),
    (&["timestamp(", "@", "offset"], "2.42 forgets the offset in timestamp() of a selector with @"),
    (&["tan(sinh("], "sinh differs in its last bit, and tan of 1e80 is only noise"),
];

/// An answer of either side: its kind, then labels and (time, value) pairs.
#[derive(Debug, Clone, PartialEq)]
struct Found {
    kind: String,
    series: Vec<(Labels, Vec<(f64, f64)>)>,
}

#[expect(clippy::cast_precision_loss, reason = "timestamps have 41 bits")]
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

#[test]
fn prometheus_answers_the_same() {
    let tally = compare().unwrap();
    assert!(tally.expressions >= 500, "{tally:?}");
    assert!(tally.equal > 4 * tally.equal_and_empty, "too many answers are empty: {tally:?}");
    assert!(tally.different.is_empty(), "{tally:?}\n{}", tally.different.join("\n"));
}

/// Every word of PromQL in 2.42 for floats: functions, aggregations, operators, modifiers.
const WORDS: &str = "abs absent absent_over_time acos acosh asin asinh atan atanh avg_over_time ceil \
    changes clamp clamp_max clamp_min cos cosh count_over_time day_of_month day_of_week day_of_year \
    days_in_month deg delta deriv exp floor histogram_count histogram_fraction histogram_quantile \
    histogram_sum holt_winters hour idelta increase irate label_join label_replace last_over_time ln \
    log10 log2 max_over_time min_over_time minute month pi predict_linear present_over_time \
    quantile_over_time rad rate resets round scalar sgn sin sinh sort sort_desc sqrt \
    stddev_over_time stdvar_over_time sum_over_time tan tanh time timestamp vector year \
    sum avg min max count group stddev stdvar topk bottomk quantile count_values by without \
    + - * / % ^ atan2 == != > < >= <= bool and or unless on ignoring group_left group_right \
    offset @ start end [ : = =~ !~";

#[test]
fn every_word_of_the_language_is_compared() {
    let all = expressions::all(0);
    let words_of = |text: &str| -> Vec<String> {
        let split = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        split.map(str::to_owned).collect()
    };
    let spoken: std::collections::BTreeSet<String> =
        all.iter().flat_map(|text| words_of(text)).collect();
    let said = |word: &&str| {
        let is_word = word.starts_with(|c: char| c.is_ascii_alphabetic());
        if is_word { spoken.contains(*word) } else { all.iter().any(|text| text.contains(*word)) }
    };
    let missing: Vec<&str> = WORDS.split_whitespace().filter(|word| !said(word)).collect();
    assert_eq!(missing, [] as [&str; 0]);
}

fn compare() -> Result<Tally, String> {
    let series = samples::series();
    let server = prometheus::Server::start("differential", &series)?;
    let expressions = expressions::all(NESTED);
    let options = Options::default();
    let go_on = || false;
    let mut tally = Tally { expressions: expressions.len(), ..Tally::default() };
    let (start, end) = (samples::START_MS, samples::START_MS + 3 * 3_600_000);
    for text in &expressions {
        let query = parse(text, &options.limits);
        for at in [start + 3_000_000, start + 6_420_000, end + 200_000] {
            let mine = query.clone().and_then(|query| query.instant(&series, at, &options, &go_on));
            let theirs = server.ask(
                "/api/v1/query",
                &format!("query={}&time={}", encoded(text), form_seconds(at)),
            )?;
            let verdict = verdict(&mine, &theirs, text);
            tally.add(verdict, &theirs, text, &format!("instant at {at}"));
        }
        let (from, to, step) = (start + 600_000, end + 300_000, 137_000);
        let mine = query.and_then(|query| query.range(&series, (from, to, step), &options, &go_on));
        let theirs = server.ask("/api/v1/query_range", &range_form(text, (from, to, step)))?;
        let verdict = verdict(&mine, &theirs, text);
        tally.add(verdict, &theirs, text, "range");
    }
    Ok(tally)
}

/// How the evaluations compared.
#[derive(Debug, Default)]
struct Tally {
    expressions: usize,
    /// Both answered the same …
    equal: usize,
    /// … of them without any series.
    equal_and_empty: usize,
    /// [`Verdict::Ties`].
    equal_but_for_ties: usize,
    refused_by_both: usize,
    /// Differences of [`DELIBERATE`].
    deliberate: usize,
    different: Vec<String>,
}

impl Tally {
    fn add(&mut self, verdict: Result<Verdict, String>, theirs: &Value, text: &str, how: &str) {
        match verdict {
            Ok(Verdict::Equal) => {
                self.equal += 1;
                let result = theirs["data"]["result"].as_array();
                self.equal_and_empty += usize::from(result.is_some_and(Vec::is_empty));
            }
            Ok(Verdict::Ties) => self.equal_but_for_ties += 1,
            Ok(Verdict::Refused) => self.refused_by_both += 1,
            Err(difference) => {
                let known =
                    DELIBERATE.iter().any(|(parts, _)| parts.iter().all(|p| text.contains(p)));
                if known {
                    self.deliberate += 1;
                } else {
                    self.different.push(format!("{how}: {text}\n  {difference}"));
                }
            }
        }
    }
}

/// How two answers are alike.
#[derive(Debug, Clone, Copy)]
enum Verdict {
    Equal,
    /// Of series with equal values, others stay: 2.42 hands series to `topk` in random order
    /// after operators and functions over a range.
    Ties,
    Refused,
}

/// The values at each time, in order, rounded to what counts as equal.
fn values_by_time(found: &Found) -> Vec<String> {
    let samples = found.series.iter().flat_map(|(_, samples)| samples);
    let mut values: Vec<String> = samples.map(|(t, v)| format!("{t} {v:.8e}")).collect();
    values.sort();
    values
}

/// How both answers are alike, or what differs.
fn verdict(
    mine: &Result<Answer, QueryError>,
    theirs: &Value,
    text: &str,
) -> Result<Verdict, String> {
    let (ordered, ranks) =
        (text.starts_with("sort"), text.contains("topk") || text.contains("bottomk"));
    match (mine, theirs["status"].as_str() == Some("success")) {
        (Err(_), false) => Ok(Verdict::Refused),
        (Err(error), true) => Err(format!("refused: {error}; they: {}", shortened(theirs))),
        (Ok(answer), false) => Err(format!("they refuse: {}; we: {answer:?}", theirs["error"])),
        (Ok(answer), true) => {
            let (mut mine, mut theirs) = (ours(answer), read(theirs)?);
            if !ordered {
                mine.series.sort_by(|a, b| a.0.cmp(&b.0));
                theirs.series.sort_by(|a, b| a.0.cmp(&b.0));
            }
            if same(&mine, &theirs) {
                Ok(Verdict::Equal)
            } else if ranks && values_by_time(&mine) == values_by_time(&theirs) {
                Ok(Verdict::Ties)
            } else {
                Err(format!("{}\n  {}", difference(&mine, &theirs), mine.kind))
            }
        }
    }
}

fn shortened(value: &Value) -> String {
    value.to_string().chars().take(300).collect()
}

fn close(a: f64, b: f64) -> bool {
    (a.is_nan() && b.is_nan())
        || a.to_bits() == b.to_bits()
        || (a - b).abs() <= (TOLERANCE * a.abs().max(b.abs())).max(NOISE)
}

fn same_series(a: &(Labels, Vec<(f64, f64)>), b: &(Labels, Vec<(f64, f64)>)) -> bool {
    let same_sample = |(a, b): (&(f64, f64), &(f64, f64))| close(a.0, b.0) && close(a.1, b.1);
    a.0 == b.0 && a.1.len() == b.1.len() && a.1.iter().zip(&b.1).all(same_sample)
}

fn same(a: &Found, b: &Found) -> bool {
    a.kind == b.kind
        && a.series.len() == b.series.len()
        && a.series.iter().zip(&b.series).all(|(a, b)| same_series(a, b))
}

/// The first series that differs.
fn difference(mine: &Found, theirs: &Found) -> String {
    let counts = format!(
        "{} {} series, they {} {}",
        mine.kind,
        mine.series.len(),
        theirs.kind,
        theirs.series.len()
    );
    let pair = mine.series.iter().zip(&theirs.series).find(|(a, b)| !same_series(a, b));
    let Some((a, b)) = pair else { return counts };
    let samples = a.1.iter().zip(&b.1).find(|(a, b)| !close(a.0, b.0) || !close(a.1, b.1));
    format!(
        "{counts}; {} with {} samples, they {} with {}; first {samples:?}",
        a.0,
        a.1.len(),
        b.0,
        b.1.len()
    )
}

fn ours(answer: &Answer) -> Found {
    let (kind, series) = match &answer.value {
        AnswerValue::Scalar(at, value) => {
            ("scalar", vec![(Labels::default(), vec![(seconds(*at), *value)])])
        }
        AnswerValue::Text(at, text) => {
            ("string", vec![(Labels::new([("text", text.as_str())]), vec![(seconds(*at), 0.0)])])
        }
        AnswerValue::Vector(samples) => {
            let pair = |s: &query::promql::InstantSample| {
                (s.labels.clone(), vec![(seconds(s.timestamp), s.value)])
            };
            ("vector", samples.iter().map(pair).collect())
        }
        AnswerValue::Matrix(all) => {
            let one = |s: &query::promql::RangeSeries| {
                (s.labels.clone(), s.samples.iter().map(|(t, v)| (seconds(*t), *v)).collect())
            };
            ("matrix", all.iter().map(one).collect())
        }
    };
    Found { kind: kind.to_owned(), series }
}

fn read(answer: &Value) -> Result<Found, String> {
    let kind = answer["data"]["resultType"].as_str().unwrap_or("").to_owned();
    let result = &answer["data"]["result"];
    let sample = |pair: &Value| -> Result<(f64, f64), String> {
        let value = pair[1].as_str().and_then(|text| text.parse().ok());
        match (pair[0].as_f64(), value) {
            (Some(at), Some(value)) => Ok((at, value)),
            _ => Err(format!("not a sample: {pair}")),
        }
    };
    let labels = |metric: &Value| {
        let pairs = metric.as_object().into_iter().flatten();
        Labels::new(pairs.map(|(name, value)| (name.as_str(), value.as_str().unwrap_or(""))))
    };
    let series = match kind.as_str() {
        "scalar" => vec![(Labels::default(), vec![sample(result)?])],
        "string" => {
            let text = result[1].as_str().unwrap_or("");
            let at = result[0].as_f64().unwrap_or(f64::NAN);
            vec![(Labels::new([("text", text)]), vec![(at, 0.0)])]
        }
        _ => {
            let one = |entry: &Value| -> Result<_, String> {
                let samples = match entry["values"].as_array() {
                    Some(values) => values.iter().map(sample).collect::<Result<Vec<_>, _>>()?,
                    None => vec![sample(&entry["value"])?],
                };
                Ok((labels(&entry["metric"]), samples))
            };
            result.as_array().into_iter().flatten().map(one).collect::<Result<_, String>>()?
        }
    };
    Ok(Found { kind, series })
}

fn range_form(text: &str, (from, to, step): (i64, i64, i64)) -> String {
    let [from, to, step] = [from, to, step].map(form_seconds);
    format!("query={}&start={from}&end={to}&step={step}", encoded(text))
}

fn form_seconds(milliseconds: i64) -> String {
    format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000)
}

fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |out, byte| {
        if byte.is_ascii_alphanumeric() {
            out + &char::from(byte).to_string()
        } else {
            out + &format!("%{byte:02X}")
        }
    })
}
