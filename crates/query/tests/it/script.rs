//! Runs `tests/scripts/*.test`: series are loaded, expressions evaluated, answers compared.
//!
//! The language follows Prometheus' promqltest: `clear`, `load <step>`, `eval instant at <time>`,
//! `eval_ordered`, `eval range from <time> to <time> step <step>`, `eval_fail`. `UPDATE=1` writes
//! the answers into the scripts; those that stand there were compared with Prometheus 2.42 by
//! `tests/it/differential.rs`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use query::promql::{
    Answer, AnswerValue, Labels, METRIC_NAME, MemorySeries, Options, QueryError, RangeSeries,
    STALE, parse,
};

/// How far a value may be from the expected one, relative.
const TOLERANCE: f64 = 1e-9;

#[test]
fn scripts_hold() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let update = std::env::var_os("UPDATE").is_some();
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty());
    let mut failures = String::new();
    for path in paths {
        let script = fs::read_to_string(&path).unwrap();
        let written = run(&script, &path.display().to_string(), &mut failures);
        if update && written != script {
            fs::write(&path, written).unwrap();
        }
    }
    assert!(update || failures.is_empty(), "{failures}");
}

/// Runs a script and returns it with the answers found.
fn run(script: &str, name: &str, failures: &mut String) -> String {
    let mut series = MemorySeries::default();
    let mut out = String::new();
    let mut lines = script.lines().enumerate().peekable();
    while let Some((number, line)) = lines.next() {
        writeln!(out, "{line}").unwrap();
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let mut block = Vec::new();
        while let Some((_, below)) = lines.next_if(|(_, below)| below.starts_with("  ")) {
            block.push(below.trim());
        }
        let words: Vec<&str> = line.split(' ').collect();
        if let ["clear"] = words[..] {
            series = MemorySeries::default();
        } else if let ["load", step] = words[..] {
            for below in &block {
                load(&mut series, milliseconds(step), below);
                writeln!(out, "  {below}").unwrap();
            }
        } else {
            let found = eval(&series, &words);
            let same = match (&found, words[0]) {
                (Err(_), "eval_fail") => true,
                (Ok(found), "eval_ordered") => same(found, &block),
                (Ok(found), "eval") => {
                    let (mut found, mut block) = (found.clone(), block.clone());
                    found.sort();
                    block.sort_unstable();
                    same(&found, &block)
                }
                _ => false,
            };
            if !same {
                writeln!(failures, "{name}:{}: {line}\n  found {found:?}", number + 1).unwrap();
            }
            for below in found.unwrap_or_default() {
                writeln!(out, "  {below}").unwrap();
            }
        }
    }
    out
}

fn eval(series: &MemorySeries, words: &[&str]) -> Result<Vec<String>, QueryError> {
    let options = Options::default();
    let go_on = || false;
    match words {
        [_, "instant", "at", at, expr @ ..] => {
            let query = parse(&expr.join(" "), &options.limits)?;
            query
                .instant(series, milliseconds(at), &options, &go_on)
                .map(|found| lines(&found, None))
        }
        [_, "range", "from", from, "to", to, "step", step, expr @ ..] => {
            let query = parse(&expr.join(" "), &options.limits)?;
            let times = (milliseconds(from), milliseconds(to), milliseconds(step));
            query.range(series, times, &options, &go_on).map(|found| lines(&found, Some(times)))
        }
        other => panic!("not a command: {other:?}"),
    }
}

fn lines(answer: &Answer, times: Option<(i64, i64, i64)>) -> Vec<String> {
    match &answer.value {
        AnswerValue::Scalar(_, value) => vec![value.to_string()],
        AnswerValue::Text(_, text) => vec![format!("{text:?}")],
        AnswerValue::Vector(samples) => {
            samples.iter().map(|sample| format!("{} {}", sample.labels, sample.value)).collect()
        }
        AnswerValue::Matrix(series) => series.iter().map(|one| over_time(one, times)).collect(),
    }
}

fn over_time(series: &RangeSeries, times: Option<(i64, i64, i64)>) -> String {
    let mut line = series.labels.to_string();
    let Some((start, end, step)) = times else {
        for (timestamp, value) in &series.samples {
            write!(line, " {value}@{timestamp}").unwrap();
        }
        return line;
    };
    let mut at = start;
    while at <= end {
        match series.samples.iter().find(|(timestamp, _)| *timestamp == at) {
            Some((_, value)) => write!(line, " {value}").unwrap(),
            None => line.push_str(" _"),
        }
        at += step;
    }
    line
}

fn same(found: &[String], expected: &[&str]) -> bool {
    let close = |a: &str, b: &str| match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(a), Ok(b)) => {
            a.to_bits() == b.to_bits() || (a - b).abs() <= TOLERANCE * a.abs().max(b.abs())
        }
        _ => a == b,
    };
    let same_line = |(found, expected): (&String, &&str)| {
        let (found, expected): (Vec<_>, Vec<_>) =
            (found.split(' ').collect(), expected.split(' ').collect());
        found.len() == expected.len() && found.iter().zip(&expected).all(|(a, b)| close(a, b))
    };
    found.len() == expected.len() && found.iter().zip(expected).all(same_line)
}

/// `name{label="value"} 0+10x5 _ 3 stale`: samples from time zero at every step.
fn load(series: &mut MemorySeries, step: i64, line: &str) {
    let values_at = line.find("} ").map_or_else(|| line.find(' ').unwrap(), |brace| brace + 1);
    let (labels, values) = line.split_at(values_at);
    let labels = read_labels(labels);
    let mut timestamp = 0;
    for value in values.split_whitespace() {
        for value in expand(value) {
            if let Some(value) = value {
                series.push(&labels, timestamp, value);
            }
            timestamp += step;
        }
    }
}

fn read_labels(text: &str) -> Labels {
    let (name, rest) = text.split_once('{').unwrap_or((text, "}"));
    let pairs = rest.trim_end_matches('}').split(',').filter(|pair| !pair.trim().is_empty());
    let pairs = pairs.map(|pair| {
        let (name, value) = pair.split_once('=').unwrap();
        (name.trim(), value.trim().trim_matches('"'))
    });
    Labels::new(std::iter::once((METRIC_NAME, name)).chain(pairs))
}

fn expand(text: &str) -> Vec<Option<f64>> {
    if text == "stale" {
        return vec![Some(STALE)];
    }
    let (pattern, times) = match text.split_once('x') {
        Some((pattern, times)) => (pattern, times.parse().unwrap()),
        None => (text, 0u32),
    };
    if pattern == "_" {
        return vec![None; (times as usize).max(1)];
    }
    if let Ok(value) = pattern.parse::<f64>() {
        return vec![Some(value); times as usize + 1];
    }
    let (first, growth) = pattern.split_at(pattern.rfind(['+', '-']).unwrap());
    let (first, growth): (f64, f64) = (first.parse().unwrap(), growth.parse().unwrap());
    (0..=times).map(|index| Some(first + growth * f64::from(index))).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "scripts name whole milliseconds")]
fn milliseconds(text: &str) -> i64 {
    let split = text.find(|c: char| c.is_ascii_alphabetic());
    let (number, unit) = text.split_at(split.unwrap_or(text.len()));
    let unit = match unit {
        "ms" => 1.0,
        "" | "s" => 1000.0,
        "m" => 60_000.0,
        "h" => 3_600_000.0,
        other => panic!("not a unit: {other}"),
    };
    (number.parse::<f64>().unwrap() * unit) as i64
}
