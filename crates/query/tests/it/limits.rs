//! Every bound is a refusal by its name, and errors tell where they lie.

use std::cell::Cell;

use query::promql::{
    AnswerValue, Column, Labels, Limits, MemorySeries, Options, QueryError, Select, SelectError,
    SelectRequest, Selected, SeriesView, parse, parse_matchers,
};

fn series() -> MemorySeries {
    let mut series = MemorySeries::default();
    for label in ["a", "b", "c"] {
        for step in 0..100 {
            series.push(&Labels::new([("__name__", "m"), ("l", label)]), step * 1000, 1.0);
        }
    }
    series
}

fn evaluate(text: &str, times: (i64, i64, i64), limits: Limits) -> Result<(), QueryError> {
    let options = Options { limits, ..Options::default() };
    let query = parse(text, &options.limits)?;
    query.range(&series(), times, &options, &|| false).map(drop)
}

fn check(text: &str, times: (i64, i64, i64), limits: Limits, expected: &str) {
    match evaluate(text, times, limits) {
        Err(QueryError::Limit { what, .. }) => assert_eq!(what, expected, "{text}"),
        other => panic!("{text}: {other:?} instead of a refusal by {expected}"),
    }
}

const SHORT: (i64, i64, i64) = (0, 99_000, 1000);

#[test]
fn bounds_are_refused_by_name() {
    let limits = Limits::default;
    check("m", (0, 11_000_000, 1000), limits(), "steps");
    check("m", (i64::MIN, i64::MAX, 1000), limits(), "range_ms");
    check("rate(m[99y])", SHORT, limits(), "range_ms");
    check("m", SHORT, Limits { series: 2, ..limits() }, "series");
    check("m", SHORT, Limits { samples: 200, ..limits() }, "samples");
    check("max_over_time(m[1y:1ms])", SHORT, limits(), "samples");
    check("vector(1)", SHORT, Limits { samples: 50, ..limits() }, "samples");
    check("m + m", SHORT, Limits { query_bytes: 4, ..limits() }, "query_bytes");
    check("m + m", SHORT, Limits { tokens: 2, ..limits() }, "tokens");
    check(&"(".repeat(1000), SHORT, limits(), "depth");
    check(&format!("{}m", "-".repeat(1000)), SHORT, limits(), "depth");
    check(&format!("m{}", "+m".repeat(1000)), SHORT, limits(), "depth");
    check(r#"m{l=~"((a{1000}){1000}){1000}"}"#, SHORT, limits(), "regex_bytes");
    check(r#"m{l=~"((a\x7b1000\x7d){1000}){1000}"}"#, SHORT, limits(), "regex_bytes");
    check(r#"m{l=~"a",l=~"b"}"#, SHORT, Limits { regexes: 1, ..limits() }, "regexes");
}

#[test]
fn as_deep_as_allowed_is_evaluated() {
    let depth = Limits::default().depth;
    evaluate(&format!("m{}", "+m".repeat(depth - 2)), SHORT, Limits::default()).unwrap();
    let nested = format!("{}m{}", "abs(".repeat(depth - 2), ")".repeat(depth - 2));
    evaluate(&nested, SHORT, Limits::default()).unwrap();
    for (open, close) in [("sum by (l) (", ")"), ("max_over_time(", "[5s:1s])"), ("1 + (", ")")] {
        let nested = format!("{}m{}", open.repeat(depth / 2 - 1), close.repeat(depth / 2 - 1));
        evaluate(&nested, SHORT, Limits::default()).unwrap();
    }
}

#[test]
fn impossible_ranges_are_bad_requests() {
    for (text, times) in [("m", (0, 1, 0)), ("m", (1, 0, 1)), ("m[5m]", SHORT), ("\"x\"", SHORT)] {
        let found = evaluate(text, times, Limits::default());
        assert!(matches!(found, Err(QueryError::BadRequest(_))), "{text}: {found:?}");
    }
}

#[test]
fn cancellation_is_looked_at() {
    let asked = Cell::new(0);
    let canceled = || {
        asked.set(asked.get() + 1);
        true
    };
    let options = Options::default();
    let query = parse("sum_over_time(m[5m:1ms])", &options.limits).unwrap();
    let found = query.instant(&series(), 99_000, &options, &canceled);
    assert_eq!((found, asked.get()), (Err(QueryError::Canceled), 1));
}

/// The offset and the reason of the text's parse error.
fn check_error(text: &str, expected: usize, reason: &str) {
    match parse(text, &Limits::default()) {
        Err(QueryError::Parse { offset, reason: found, .. }) => {
            assert_eq!(offset, expected, "{text}: {found}");
            assert!(found.contains(reason), "{text}: {found}");
        }
        other => panic!("{text}: {other:?} instead of an error"),
    }
}

#[test]
fn errors_tell_where() {
    check_error("", 0, "no expression");
    check_error("sum(a b)", 6, "unexpected \"b\"");
    check_error("a + + ) b", 6, "unexpected ')'");
    check_error("a + sum by (x", 11, "unclosed");
    check_error("a +", 3, "unexpected end");
    check_error("1 + rate(a) * 2", 4, "expected type matrix");
    check_error("a[5m] + b[", 9, "unclosed");
    check_error("a + nope(b)", 4, "unknown function");
    check_error("a + limitk(1, b)", 4, "unknown aggregation");
    check_error("a + b[1e300]", 6, "not a valid duration");
    check_error("a offset 1e300", 9, "not a valid duration");
    check_error("a[99999999999y]", 2, "out of range");
    check_error("a{b='c} + d", 4, "unterminated");
    check_error("a + ü", 4, "unexpected character");
    check_error("a and 1", 0, "not allowed in binary scalar expression");
    check_error("a * (1 == 2)", 5, "must use BOOL");
    check_error("a + b{c=~\"(\"}", 5, "illegal regex");
    check_error("a + {b=~\"x*\"}", 4, "at least one non-empty matcher");
    match parse("a +\n  b c", &Limits::default()) {
        Err(error @ QueryError::Parse { line: 2, column: 5, .. }) => {
            assert_eq!(error.to_string(), "2:5: parse error: unexpected \"c\"");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn raw_strings_and_comments_are_read() {
    for text in [
        "a{b=~`x\\.y`} # c",
        "a{b=\"ü\\\"\"}",
        "a # ü\n + b",
        "label_replace(a, `b`, '$1', \"c\", `(\\d+)\"`)",
    ] {
        if let Err(error) = parse(text, &Limits::default()) {
            panic!("{text}: {error}");
        }
    }
}

/// Answers with columns decoded for the query and a warning, or fails.
struct Decoded {
    fails: bool,
}

impl Select for Decoded {
    fn select<'a>(&'a self, request: &SelectRequest<'_>) -> Result<Selected<'a>, SelectError> {
        assert_eq!((request.start, request.end), (-299_000, 1000));
        if self.fails {
            return Err(SelectError::Failed("unreachable".to_owned()));
        }
        let timestamps = Column::Shared([0, 1000, 2000].into());
        let values = Column::Shared([1.0, 2.0, 3.0].into());
        let series = vec![SeriesView { labels: Labels::new([("l", "x")]), timestamps, values }];
        Ok(Selected { series, warnings: vec!["b".to_owned(), "a".to_owned(), "a".to_owned()] })
    }
}

#[test]
fn sources_decode_warn_and_fail() {
    let options = Options::default();
    let query = parse("m", &options.limits).unwrap();
    let ask = |fails| query.instant(&Decoded { fails }, 1000, &options, &|| false);
    let answer = ask(false).unwrap();
    assert_eq!(answer.warnings, ["a", "b"]);
    assert_eq!((answer.stats.series, answer.stats.samples), (1, 3));
    let AnswerValue::Vector(samples) = answer.value else { panic!("not a vector") };
    assert_eq!((samples[0].value, samples[0].timestamp), (2.0, 1000));
    assert_eq!(ask(true), Err(QueryError::Select(SelectError::Failed("unreachable".to_owned()))));
}

#[test]
fn selectors_are_read_as_matchers() {
    let limits = Limits::default();
    let matchers = parse_matchers(r#"m{l=~"a|b",k!="c"}"#, &limits).unwrap();
    let texts: Vec<String> = matchers.iter().map(ToString::to_string).collect();
    assert_eq!(texts, [r#"__name__="m""#, r#"l=~"a|b""#, r#"k!="c""#]);
    assert!(matchers[1].is_match("b") && !matchers[1].is_match("ab"));
    for text in ["m offset 5m", "m @ 1", "m[5m]", "1", "m + m"] {
        assert!(parse_matchers(text, &limits).is_err(), "{text}");
    }
}
