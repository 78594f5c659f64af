//! Templates of labels and annotations, as Prometheus expands them.

use super::*;

fn ask(text: &str) -> Result<Vec<Found>, String> {
    let found = |pod: &str, value| Found { labels: Labels::new([("pod", pod)]), value };
    match text {
        "up" => Ok(vec![found("b", 2.0), found("a", 1.0)]),
        "none" => Ok(Vec::new()),
        _ => Err("parse error".to_owned()),
    }
}

fn expanded(text: &str, value: f64) -> String {
    let labels =
        Labels::new([("namespace", "shop"), ("pod", "web-1"), ("instance", "n1.x.org:80")]);
    let data = Data { labels: &labels, value, external_url: "http://here/t", ask: &ask };
    match Template::parse(text) {
        Ok(template) => template.expand_or_say(&data),
        Err(error) => format!("<parse: {error}>"),
    }
}

#[test]
fn actions_are_gos() {
    for (text, value, expected) in [
        ("plain", 0.0, "plain"),
        ("{{ $labels.pod }} in {{ .Labels.namespace }}", 0.0, "web-1 in shop"),
        ("{{ $labels.absent }}!", 0.0, "!"),
        ("{{ $value }}", 1_000_000.0, "1e+06"),
        ("{{ .Value }}", 0.25, "0.25"),
        ("{{ $value | humanize }}", 1_234_567.0, "1.235M"),
        ("{{ humanize1024 $value }}B", 1_048_576.0 * 1.5, "1.5MiB"),
        ("{{ $value | humanizePercentage }}", 0.123_456, "12.35%"),
        ("{{ $value | humanizeDuration }}", 93_784.0, "1d 2h 3m 4s"),
        ("{{ humanizeDuration 0.0015 }}", 0.0, "1.5ms"),
        ("{{ humanizeTimestamp $value }}", 1_435_065_584.128, "2015-06-23 13:19:44.128 +0000 UTC"),
        ("{{ printf \"%.2f of %s\" $value $labels.pod }}", 2.345, "2.35 of web-1"),
        ("{{ printf \"%5.1f|%-6s|%03d|%q\" $value \"ab\" 7 `x` }}", 1.25, "  1.2|ab    |007|\"x\""),
        ("{{ printf \"%d\" $value }}", 1.5, "%!d(float64=1.5)"),
        (
            "{{ if gt $value 1.0 }}high{{ else if eq $value 1.0 }}one{{ else }}low{{ end }}",
            2.0,
            "high",
        ),
        (
            "{{ if gt $value 1.0 }}high{{ else if eq $value 1.0 }}one{{ else }}low{{ end }}",
            1.0,
            "one",
        ),
        (
            "{{ if gt $value 1.0 }}high{{ else if eq $value 1.0 }}one{{ else }}low{{ end }}",
            0.0,
            "low",
        ),
        ("a {{- /* not seen */ -}} b", 0.0, "ab"),
        ("a\n{{- \"x\" -}}\nb", 0.0, "axb"),
        ("{{ range query \"up\" }}{{ .Labels.pod }}={{ .Value }};{{ end }}", 0.0, "b=2;a=1;"),
        (
            "{{ range $i, $s := query \"up\" | sortByLabel \"pod\" }}{{ $i }}{{ $s.Labels.pod }}{{ end }}",
            0.0,
            "0a1b",
        ),
        ("{{ range query \"none\" }}x{{ else }}nothing{{ end }}", 0.0, "nothing"),
        ("{{ with query \"up\" }}{{ . | first | value | humanize }}{{ end }}", 0.0, "2"),
        ("{{ query \"up\" | first | label \"pod\" }}", 0.0, "b"),
        ("{{ $x := 1 }}{{ $x = 2 }}{{ $x }}", 0.0, "2"),
    ] {
        assert_eq!(expanded(text, value), expected, "{text}");
    }
}

#[test]
fn functions_are_prometheus() {
    for (text, value, expected) in [
        ("{{ define \"t\" }}<{{ . }}>{{ end }}{{ template \"t\" $labels.pod }}", 0.0, "<web-1>"),
        ("{{ reReplaceAll \"(.*)-(.*)\" \"$2.$1\" $labels.pod }}", 0.0, "1.web"),
        ("{{ if match \"^we\" .Labels.pod }}{{ toUpper \"y\" }}{{ end }}", 0.0, "Y"),
        (
            "{{ stripPort $labels.instance }} {{ stripDomain $labels.instance }}",
            0.0,
            "n1.x.org n1:80",
        ),
        (
            "{{ $labels.pod | title }} {{ len $labels }} {{ index $labels \"pod\" }}",
            0.0,
            "Web-1 3 web-1",
        ),
        (
            "{{ externalURL }}{{ pathPrefix }} {{ $externalURL }}",
            0.0,
            "http://here/t/t http://here/t",
        ),
        ("{{ (query \"up\" | first).Value }}", 0.0, "2"),
        (
            "{{ parseDuration \"1h30m\" }} {{ and true 0 }} {{ or 0 \"x\" }} {{ not true }}",
            0.0,
            "5400 0 x false",
        ),
        ("{{ $labels }}", 0.0, "map[instance:n1.x.org:80 namespace:shop pod:web-1]"),
        ("{{ urlquery \"a b&c\" }}", 0.0, "a+b%26c"),
        ("{{ 1e3 }} {{ 0x10 }} {{ 'a' }}", 0.0, "1000 16 97"),
    ] {
        assert_eq!(expanded(text, value), expected, "{text}");
    }
}

#[test]
fn mistakes_are_named() {
    for (text, expected) in [
        ("{{ nofunction 1 }}", "<parse: function \"nofunction\" not defined>"),
        ("{{ if $value }}", "<parse: unexpected EOF: no {{end}}>"),
        ("{{ $value", "<parse: unclosed action>"),
        ("{{ end }}", "<parse: unexpected {{end}}>"),
        ("{{ $nope }}", "<error expanding template: undefined variable \"$nope\">"),
        (
            "{{ query \"none\" | first }}",
            "<error expanding template: error calling first: first() called on vector with no elements>",
        ),
        ("{{ query \"(\" }}", "<error expanding template: error calling query: parse error>"),
        (
            "{{ gt $value 1 }}",
            "<error expanding template: error calling gt: incompatible types for comparison>",
        ),
        (
            "{{ humanize \"x\" }}",
            "<error expanding template: error calling humanize: strconv.ParseFloat: parsing \"x\": invalid syntax>",
        ),
        (
            "{{ define \"a\" }}{{ template \"a\" . }}{{ end }}{{ template \"a\" . }}",
            "<error expanding template: more than 16 templates in each other>",
        ),
    ] {
        assert_eq!(expanded(text, 1.0), expected, "{text}");
    }
    let deep = "{{ if 1 }}".repeat(40);
    assert_eq!(expanded(&deep, 0.0), "<parse: nested deeper than 32>");
    let brackets = format!("{{{{ {}1{} }}}}", "(".repeat(100), ")".repeat(100));
    assert_eq!(expanded(&brackets, 0.0), "<parse: nested deeper than 32>");
}
