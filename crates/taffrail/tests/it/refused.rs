//! Bad input to a running server: refused by name, counted, and the rest goes on.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::served::{Served, encoded};

fn serve() -> Served {
    Served::start(&["serve", "--source=host", "--metric-resolution=5s", "--no-history"])
}

fn now(server: &Served) -> f64 {
    let now = server.get("/api/v1/query?query=time()")["data"]["result"][1].clone();
    now.as_str().unwrap().parse().unwrap()
}

/// The counter's value in the self-metrics.
fn counted(server: &Served, series: &str) -> u64 {
    let text = server.text("/metrics");
    let line = text.lines().find_map(|line| line.strip_prefix(series));
    line.map_or(0, |value| value.trim().parse().unwrap())
}

#[test]
fn ancient_future_and_repeated_samples_are_refused_and_the_rest_is_kept() {
    let server = serve();
    let now = now(&server);
    let point = |name: &str, at: f64, value: i64| {
        let point =
            json!({ "timeUnixNano": format!("{:.0}", at * 1e9), "asInt": value.to_string() });
        json!({ "name": name, "gauge": { "dataPoints": [point] } })
    };
    let metrics = [
        point("ancient", 1.0, 1),
        point("old", now - 7200.0, 1),
        point("future", now + 7200.0, 1),
        point("endless", 1.8e10, 1),
        point("good", now, 42),
        json!({ "name": "delta", "sum": { "aggregationTemporality": 1, "dataPoints": [{}] } }),
        json!({ "name": "good", "gauge": { "dataPoints": [
            { "timeUnixNano": format!("{:.0}", now * 1e9), "asInt": "43" },
        ]}}),
    ];
    let body = json!({ "resourceMetrics": [{ "scopeMetrics": [{ "metrics": metrics }] }] });
    let answer = server.post("/v1/metrics", &body.to_string());
    let part = &answer["partialSuccess"];
    let told = part["errorMessage"].as_str().unwrap();
    for reason in ["2 too_old", "2 too_new", "1 delta_temporality", "1 duplicate"] {
        assert!(told.contains(reason), "{reason}: {told}");
    }
    assert_eq!(part["rejectedDataPoints"], "6");
    for (outcome, expected) in
        [("too_old", 2), ("too_new", 2), ("duplicate", 1), ("delta_temporality", 1), ("stored", 1)]
    {
        let series = format!("taffrail_pushed_samples_total{{outcome=\"{outcome}\"}}");
        assert_eq!(counted(&server, &series), expected, "{series}");
    }
    let found = server.get("/api/v1/query?query=good");
    assert_eq!(found["data"]["result"][0]["value"][1], "42");
    let gone =
        server.get("/api/v1/series?match[]=ancient&match[]=future&match[]=endless&match[]=old");
    assert_eq!(gone["data"], json!([]));
}

/// A remote write of these bytes: status and text.
fn write(server: &Served, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(&server.address).unwrap();
    let head = format!(
        "POST /api/v1/write HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: \
         application/x-protobuf\r\nContent-Encoding: snappy\r\nContent-Length: {}\r\n\r\n",
        server.address,
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn snappy_bombs_are_refused() {
    let server = serve();
    // Says 4 GiB.
    let honest = [0xff, 0xff, 0xff, 0xff, 0x0f, 0];
    // Says 64 bytes, and copies itself far beyond them.
    let mut lying = vec![64, 0, b'a'];
    lying.extend([63 << 2 | 2, 1, 0].repeat(100_000));
    // 60 MiB of zeros in a body of 3 MiB: allowed to unpack, no message.
    let len: u32 = 60 << 20;
    let mut packed = vec![0x80, 0x80, 0x80, 0x1e, 0, 0];
    packed.extend([63 << 2 | 2, 1, 0].repeat((len as usize - 1) / 64));
    packed.extend([62 << 2 | 2, 1, 0]);
    for (bomb, reason) in [
        (&honest[..], "larger than 67108864 bytes"),
        (&lying, "not in snappy's block format"),
        (&packed, "no protocol buffer"),
        (&[][..], "not in snappy's block format"),
    ] {
        let answer = write(&server, bomb);
        assert!(answer.starts_with("HTTP/1.1 400"), "{reason}: {answer}");
        assert!(answer.contains(reason), "{reason}: {answer}");
    }
    assert_eq!(counted(&server, "taffrail_http_limits_hit_total{limit=\"push_snappy\"}"), 3);
    assert_eq!(server.get("/api/v1/query?query=1")["status"], "success");
}

#[test]
fn queries_over_their_bounds_are_refused_by_name() {
    let server = serve();
    let long = format!("{}1", "1+".repeat(40_000));
    let deep = format!("{}1{}", "(".repeat(500), ")".repeat(500));
    let many = format!("up{{{}}}", "a=~\"b\",".repeat(300));
    for (query, part, limit) in [
        ("max_over_time(vector(1)[1y:1ms])", "samples", "promql_samples"),
        ("rate(up[90y])", "range_ms", "promql_range"),
        ("up{node=~\"((a{1000}){1000}){1000}\"}", "regex_bytes", "promql_regex"),
        ("label_replace(up, \"a\", \"b\", \"c\", \"((a{1000}){1000}){1000}\")", "", ""),
        (&many, "regexes", "promql_regex"),
        (&long, "", "promql_text"),
        (&deep, "depth", "promql_text"),
    ] {
        let series = format!("taffrail_http_limits_hit_total{{limit=\"{limit}\"}}");
        let before = counted(&server, &series);
        let answer = server.form("/api/v1/query", &format!("query={}", encoded(query)));
        let shown: String = query.chars().take(60).collect();
        assert_eq!(answer["status"], "error", "{shown}: {answer}");
        let told = answer["error"].as_str().unwrap();
        assert!(told.contains(part) && told.len() < 2000, "{shown}: {told}");
        assert!(limit.is_empty() || counted(&server, &series) > before, "{shown}: {series}");
    }
    let answer = server.form("/api/v1/query_range", "query=up&start=1&end=2000000&step=1");
    assert_eq!(answer["errorType"], "bad_data", "{answer}");
    assert!(answer["error"].as_str().unwrap().contains("11,000 points"), "{answer}");
    let late = server.form("/api/v1/query", "query=sum_over_time(vector(1)[30d:1s])&timeout=1ms");
    assert_eq!(late["errorType"], "timeout", "{late}");
    // A pattern that makes backtracking engines run for ever takes no time at all.
    let pattern = format!("query={}", encoded("up{node=~\"(a+)+b|(a|aa)+$|(.*)*x\"}"));
    assert_eq!(server.form("/api/v1/query", &pattern)["data"]["result"], Value::Array(Vec::new()));
}
