//! Answers of the model API, export and health against those recorded from Heapster, byte for
//! byte, except where the table below says that we answer otherwise, and why.

use api::{ApiOptions, ApiState};

use super::fixture::{get, parts, recorded, state};

/// Where an answer differs on purpose.
struct Difference {
    /// Paths that end so.
    path: &'static str,
    /// What Heapster answered.
    recorded: &'static str,
    /// What stands in its place.
    ours: &'static str,
    reason: &'static str,
}

const fn differs(
    path: &'static str,
    recorded: &'static str,
    ours: &'static str,
    reason: &'static str,
) -> Difference {
    Difference { path, recorded, ours, reason }
}

const FLOATS: &str = "the truncated float is also given whole, as floatValue";
const HOSTNAMES: &str = "a node answers to its name and to its hostname, which /nodes/ lists";
const NEGATIVE: &str = "negative values are 0, not 1.8e19";
const SAME_LABELS: &str =
    "hand-made label sets of the recording: real batches carry host_id and labels on every row";
const WRAPPED: &str = "18446744073709551611";

const DIFFERENCES: &[Difference] = &[
    differs(
        "/nodes/h1/metrics",
        "[]",
        "[\n  \"cpu/node_capacity\",\n  \"cpu/node_utilization\",\n  \"cpu/usage\",\n  \"cpu/usage_rate\",\n  \"memory/usage\",\n  \"memory/working_set\",\n  \"network/rx_rate\"\n ]",
        HOSTNAMES,
    ),
    differs("/nodes/n1/freecontainers", "[]", "[\n  \"kubelet\"\n ]", HOSTNAMES),
    differs(
        "cpu/node_utilization",
        "\"value\": 0",
        "\"value\": 0,\n    \"floatValue\": 0.25",
        FLOATS,
    ),
    differs("network/rx_rate", "\"value\": 12", "\"value\": 12,\n    \"floatValue\": 12.9", FLOATS),
    differs("custom/qps", "\"value\": 1", "\"value\": 1,\n    \"floatValue\": 1.5", FLOATS),
    differs("/pods/p/metrics/cpu/usage_rate", WRAPPED, "0", NEGATIVE),
    differs(
        "/pod-list/p,zz,p/metrics/cpu/usage_rate",
        "{\"timestamp\":\"2026-11-23T09:17:00Z\",\"value\":18446744073709551611},{\"timestamp\":\"2026-11-23T09:17:00Z\",\"value\":18446744073709551611},{\"timestamp\":\"2026-11-23T09:18:00Z\",\"value\":18446744073709551611},{\"timestamp\":\"2026-11-23T09:18:00Z\",\"value\":18446744073709551611}",
        "{\"timestamp\":\"2026-11-23T09:17:00Z\",\"value\":0},{\"timestamp\":\"2026-11-23T09:18:00Z\",\"value\":0}",
        "a name asked for twice has each point once in either item; negative values are 0",
    ),
    differs(
        "/metric-export",
        "\"container_name\":\"/pod\",\"hostname\"",
        "\"container_name\":\"/pod\",\"host_id\":\"\",\"hostname\"",
        SAME_LABELS,
    ),
    differs(
        "/metric-export",
        "\"container_name\":\"c\",\"hostname\":\"h1\",\"nodename\"",
        "\"container_name\":\"c\",\"host_id\":\"\",\"hostname\":\"h1\",\"labels\":\"app:web\",\"nodename\"",
        SAME_LABELS,
    ),
    differs(
        "/metric-export",
        "\"container_name\":\"kubelet\",\"hostname\"",
        "\"container_name\":\"kubelet\",\"host_id\":\"\",\"hostname\"",
        SAME_LABELS,
    ),
];

/// One recorded request with its answer.
struct Exchange<'a> {
    path: &'a str,
    status: u16,
    content_type: &'a str,
    body: &'a str,
}

/// The recording ends the schema's body after this many bytes.
const RECORDED_SCHEMA_BYTES: usize = 1500;

fn exchanges(text: &str) -> Vec<Exchange<'_>> {
    let mut starts: Vec<usize> = text.match_indices("\n== GET ").map(|(at, _)| at + 1).collect();
    starts.push(text.len());
    let entries = starts.windows(2).map(|pair| text.get(pair[0]..pair[1]).unwrap());
    entries
        .map(|entry| {
            let (head, body) = entry.split_once('\n').unwrap();
            let words: Vec<&str> = head.split(' ').collect();
            let content_type = head.split("ct=\"").nth(1).unwrap().split('"').next().unwrap();
            Exchange {
                path: words[2],
                status: words[4].parse().unwrap(),
                content_type,
                body: body.strip_suffix('\n').unwrap(),
            }
        })
        .collect()
}

/// Lists come sorted from us and in any order from Heapster.
fn sorted_if_list(body: &str) -> String {
    match serde_json::from_str::<Vec<String>>(body) {
        Ok(mut names) if !names.is_empty() => {
            names.sort();
            format!("[\n  \"{}\"\n ]", names.join("\",\n  \""))
        }
        _ => body.to_owned(),
    }
}

async fn check(state: &std::sync::Arc<ApiState>, recorded: &Exchange<'_>) -> usize {
    let answer = get(state, recorded.path).await;
    let mut expected = sorted_if_list(recorded.body);
    let mut used = 0;
    for difference in DIFFERENCES.iter().filter(|known| recorded.path.ends_with(known.path)) {
        if expected.contains(difference.recorded) && answer.status == 200 {
            assert!(!difference.reason.is_empty());
            expected = expected.replace(difference.recorded, difference.ours);
            used += 1;
        }
    }
    if recorded.path.ends_with("-schema") {
        let length = expected.len();
        assert!(length > RECORDED_SCHEMA_BYTES, "{length}");
        assert_eq!(answer.body.get(..length), Some(&*expected), "{}", recorded.path);
    } else {
        assert_eq!(answer.body, expected, "{}", recorded.path);
    }
    assert_eq!(answer.status, recorded.status, "{}", recorded.path);
    // The recorder does not sniff content types; Heapster's socket says text/plain.
    let content_type = match recorded.content_type {
        "" => "text/plain; charset=utf-8",
        stated => stated,
    };
    assert_eq!(answer.header("content-type"), content_type, "{}", recorded.path);
    used
}

#[tokio::test]
async fn answers_equal_the_recorded_ones() {
    let text = include_str!("../golden/heapster-http.txt");
    let exchanges = exchanges(text);
    let (without_model, exchanges) = exchanges.split_last().unwrap();
    // The recording begins with a Heapster that has no batch yet.
    let (before, after) = exchanges.split_at(3);
    let empty = state(&[], model::Inventory::default());
    for exchange in before {
        check(&empty, exchange).await;
    }
    let full = state(&recorded(), model::Inventory::default());
    let mut used = 0;
    for exchange in after {
        used += check(&full, exchange).await;
    }
    assert_eq!(after.len(), 43);
    assert_eq!(used, DIFFERENCES.len(), "each difference shows once");
    let mut disabled = parts(&recorded(), model::Inventory::default());
    disabled.options = ApiOptions { disable_metric_sink: true, ..ApiOptions::default() };
    check(&ApiState::new(disabled), without_model).await;
}

#[tokio::test]
async fn an_unhealthy_answer_equals_the_recorded_one() {
    let body = "[-]healthz failed: reason withheld\nhealthz check failed\n";
    let first = include_str!("../golden/heapster-http.txt").lines().next().unwrap();
    assert_eq!(first, format!("== EMPTY /healthz -> 500 {body:?}"));
    let empty = state(&[], model::Inventory::default());
    let mut late = parts(&recorded(), model::Inventory::default());
    late.clock = std::sync::Arc::new(|| super::fixture::time("2026-11-23T09:21:01Z"));
    for state in [empty, ApiState::new(late)] {
        for path in ["/healthz", "/healthz/healthz", "/healthz?verbose"] {
            let answer = get(&state, path).await;
            assert_eq!((answer.status.as_u16(), answer.body.as_str()), (500, body), "{path}");
        }
    }
}
