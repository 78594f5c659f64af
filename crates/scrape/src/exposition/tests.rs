//! Bodies and what is read in them.

use super::*;

fn read(body: &str, format: Format) -> String {
    let shown: Vec<String> = Reader::new(body, format)
        .map(|entry| match entry {
            Ok(Entry::Type { name, kind }) => format!("type {name} {kind}"),
            Ok(Entry::Help { name, text }) => format!("help {name} {text}"),
            Ok(Entry::Sample(sample)) => {
                let mut labels = Vec::new();
                labels_of(sample.series, |name, value| labels.push(format!("{name}={value:?}")));
                let time = sample.time.map_or(String::new(), |time| format!(" @{time}"));
                format!("{} {}{time}", labels.join(","), sample.value)
            }
            Err(error) => error.to_string(),
        })
        .collect();
    shown.join("; ")
}

#[test]
fn text_is_read_as_prometheus_reads_it() {
    for (body, expected) in [
        ("a 1\n", "__name__=\"a\" 1"),
        ("a 1", "__name__=\"a\" 1"),
        ("", ""),
        ("\n\n# a comment\n#x\n#TYPE a b\n", ""),
        ("# TYPE a counter\n#  HELP a  Some \\n help \n", "type a counter; help a Some \\n help "),
        ("# TYPE a untyped\n", "type a unknown"),
        ("# TYPE a strange\n", "line 1: a TYPE that there is not"),
        ("  a{b=\"c\"}\t-3e2 1395066363000\n", "__name__=\"a\",b=\"c\" -300 @1395066363000"),
        ("a {b=\"c\", d=\"e\" , } +Inf\n", "__name__=\"a\",b=\"c\",d=\"e\" inf"),
        ("a{b=\"c\"d=\"e\"}NaN\n", "__name__=\"a\",b=\"c\",d=\"e\" NaN"),
        ("a{} 1\n", "__name__=\"a\" 1"),
        ("a:b{c=\"x\\\\y\\\"\\n}\\z,\"} 1\n", "__name__=\"a:b\",c=\"x\\\\y\\\"\\n}\\\\z,\" 1"),
        ("a 1 2 3\n", "line 1: a line goes on after its timestamp"),
        ("a\n", "line 1: a metric has no value"),
        ("b 1\na one\n", "__name__=\"b\" 1; line 2: a value is no number"),
        ("a 1e999\n", "line 1: a value is out of range"),
        ("a 1 x\n", "line 1: a timestamp is no number"),
        ("a 1 1.5\n", "line 1: a timestamp is no number"),
        ("a{b=c} 1\n", "line 1: a label's value has no quotes"),
        ("a{b=\"c} 1\n", "line 1: a label's value does not end"),
        ("a{b=\"c\" 1\n", "line 1: a label has no name, or the braces do not end"),
        ("a{1b=\"c\"} 1\n", "line 1: a label has no name, or the braces do not end"),
        ("1a 1\n", "line 1: a line begins with no metric name"),
        ("<html>\n", "line 1: a line begins with no metric name"),
        ("# HELP\n", ""),
        ("# HELP 1\n", "line 1: a comment names no metric"),
        ("a 1\r\n", "__name__=\"a\" 1"),
    ] {
        assert_eq!(read(body, Format::Text), expected, "{body:?}");
    }
}

#[test]
fn openmetrics_is_strict() {
    let body = "# TYPE a counter\n# UNIT a_seconds seconds\n# HELP a Some.\n\
                a_total{b=\"c\",d=\"e\"} 17.0 1520879607.789 # {id=\"x\"} 0.5 1520879607.1\n\
                a_created 1520872607.123\n# TYPE s stateset\ns{s=\"x\"} 1\n# EOF\n";
    assert_eq!(
        read(body, Format::Open),
        "type a counter; help a Some.; __name__=\"a_total\",b=\"c\",d=\"e\" 17 @1520879607789; \
         __name__=\"a_created\" 1520872607.123; type s stateset; __name__=\"s\",s=\"x\" 1"
    );
    for (body, expected) in [
        ("a 1\n", "__name__=\"a\" 1; line 2: the text does not end with # EOF"),
        ("", "line 1: the text does not end with # EOF"),
        ("# EOF", ""),
        ("# EOF\na 1\n", "line 2: there is text after # EOF"),
        ("\n# EOF\n", "line 1: a line begins with no metric name"),
        ("a{b=\"c\",} 1\n# EOF\n", "line 1: a label has no name, or the braces do not end"),
        ("a{b=\"c\"d=\"e\"} 1\n# EOF\n", "line 1: labels without a comma between them"),
        ("a {b=\"c\"} 1\n# EOF\n", "line 1: a value is no number"),
        ("a 1 \n# EOF\n", "line 1: a timestamp is no number"),
        ("# HELP\n# EOF\n", "line 1: a line that begins with # says nothing"),
        (
            "# WHAT a b\n# EOF\n",
            "line 1: a line that begins with # is neither TYPE, HELP, UNIT nor EOF",
        ),
        ("# UNIT a seconds\n# EOF\n", "line 1: a UNIT that the metric's name does not end with"),
        ("a 1 # {b=\"c\"} x\n# EOF\n", "line 1: a value is no number"),
        ("a 1 NaN\n# EOF\n", "line 1: a timestamp is no number"),
    ] {
        assert_eq!(read(body, Format::Open), expected, "{body:?}");
    }
}

#[test]
fn the_type_of_the_content_tells_the_format() {
    for (text, format) in [
        ("application/openmetrics-text; version=1.0.0; charset=utf-8", Format::Open),
        ("Application/OpenMetrics-Text", Format::Open),
        ("text/plain; version=0.0.4", Format::Text),
        ("", Format::Text),
    ] {
        assert_eq!(Format::of(text), format, "{text}");
    }
}

#[test]
fn every_nan_is_the_one_that_prometheus_stores() {
    let body = "a nan\n";
    let mut reader = Reader::new(body, Format::Text);
    let Some(Ok(Entry::Sample(sample))) = reader.next() else { panic!("a sample") };
    assert_eq!(sample.value.to_bits(), 0x7ff8_0000_0000_0001);
}
