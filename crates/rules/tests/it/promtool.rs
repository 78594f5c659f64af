//! The same rule file and samples to our engine and to Prometheus 2.42's own (`promtool test
//! rules`): what ours says at every minute is what the real one has to say.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use query::promql::{Labels, METRIC_NAME, Options, STALE, is_stale};
use rules::{AlertState, GroupRun, Setting, read};
use serde_json::{Value, json};

use super::memory::Memory;

const PROMTOOL: &str = "/usr/bin/promtool";
const MINUTE: i64 = 60_000;
const MINUTES: i64 = 40;

const RULES: &str = r#"
groups:
- name: recorded
  rules:
  - record: job:up:sum
    expr: sum by (job) (up)
  - record: job:up:ratio
    expr: job:up:sum / count by (job) (up)
    labels: {team: "core"}
  - record: job:requests:rate5m
    expr: sum without (instance) (rate(requests_total[5m]))
  - record: answer
    expr: vector(42)
- name: alerts
  rules:
  - alert: Down
    expr: up == 0
    for: 3m
    labels:
      severity: critical
      where: '{{ $labels.job }}/{{ $labels.instance | toUpper }}'
    annotations:
      summary: '{{ $labels.instance }} of {{ $labels.job }} is down ({{ $value }})'
      all: '{{ range query "sum by (job) (up)" | sortByLabel "job" }}{{ .Labels.job }}={{ .Value }} {{ end }}'
  - alert: AtOnce
    expr: job:up:ratio < 0.9
    annotations:
      summary: 'only {{ $value | humanizePercentage }} of {{ $labels.job }}'
  - alert: Lingers
    expr: up{instance="b"} == 0
    keep_firing_for: 4m
  - alert: Busy
    expr: job:requests:rate5m > 2
    for: 5m
    annotations:
      value: '{{ printf "%.3f" $value }} {{ humanize $value }} {{ if gt $value 4.0 }}very{{ else }}fairly{{ end }}'
      first: '{{ with query "sort(job:up:sum)" }}{{ . | first | value | humanize1024 }}{{ end }}'
      duration: '{{ humanizeDuration 98765.4 }} {{ humanizeTimestamp 1435065584.128 }} {{ 1e6 }}'
  - alert: Gone
    expr: absent(up{job="gone"})
    for: 1m
"#;

/// Series with a value, a gap (`None`) or an end (a stale marker) every minute.
fn series() -> Vec<(Labels, Vec<Option<f64>>)> {
    let up = |instance: &str, job: &str, down: &dyn Fn(i64) -> Option<f64>| {
        let labels = [(METRIC_NAME, "up"), ("instance", instance), ("job", job)];
        (Labels::new(labels), (0..MINUTES).map(down).collect())
    };
    let mut all: Vec<(Labels, Vec<Option<f64>>)> = vec![
        up("a", "web", &|_| Some(1.0)),
        up("b", "web", &|at| Some(if at % 10 > 5 { 0.0 } else { 1.0 })),
        up("c", "db", &|at| if at == 20 { Some(STALE) } else { Some(f64::from(at < 7)) }),
        up("d", "gone", &|at| if at < 12 { Some(1.0) } else { None }),
    ];
    for (instance, step) in [("a", 90.0), ("b", 150.0)] {
        let labels = [(METRIC_NAME, "requests_total"), ("instance", instance), ("job", "web")];
        let mut total = 0.0;
        let values = (0..MINUTES).map(|at| {
            total = if at == 25 { 0.0 } else { total + step * f64::from(at > 5) };
            Some(total)
        });
        all.push((Labels::new(labels), values.collect()));
    }
    all
}

fn shown(labels: &Labels) -> String {
    let pairs: Vec<String> = labels
        .iter()
        .filter(|(name, _)| *name != METRIC_NAME)
        .map(|(name, value)| format!("{name}={value:?}"))
        .collect();
    format!("{}{{{}}}", labels.get(METRIC_NAME), pairs.join(","))
}

fn object<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Value {
    Value::Object(pairs.map(|(name, value)| (name.to_owned(), value.into())).collect())
}

/// Evaluates every minute and writes down what there is, as expectations of the other engine.
fn expectations() -> (Vec<Value>, Vec<Value>) {
    let memory = Memory::default();
    let groups = read("rules.yml", RULES).unwrap();
    let names: Vec<String> = groups[1].rules.iter().map(|rule| rule.name.to_string()).collect();
    let mut runs: Vec<GroupRun> =
        groups.into_iter().map(|group| GroupRun::new(group, MINUTE)).collect();
    let (mut alerts, mut samples) = (Vec::new(), Vec::new());
    let inputs = series();
    for minute in 0..MINUTES {
        let at = minute * MINUTE;
        for (labels, values) in &inputs {
            let value = values[usize::try_from(minute).unwrap()];
            if let Some(value) = value {
                memory.0.lock().unwrap().push(labels, at, value);
            }
        }
        let setting = Setting {
            external_url: "",
            options: &Options::default(),
            canceled: &|| false,
            stopwatch: &|| 0.0,
        };
        for run in &mut runs {
            assert_eq!(run.evaluate(at, &memory, &setting).failures, []);
        }
        for name in &names {
            let firing = runs
                .iter()
                .flat_map(GroupRun::alerts)
                .filter(|alert| alert.name() == name && alert.state == AlertState::Firing);
            let expected: Vec<Value> = firing
                .map(|alert| {
                    let labels = alert.labels.iter().filter(|(name, _)| *name != "alertname");
                    let texts = alert.annotations.iter().map(|(name, text)| (&**name, &**text));
                    json!({ "exp_labels": object(labels), "exp_annotations": object(texts) })
                })
                .collect();
            alerts.push(json!({
                "eval_time": format!("{minute}m"), "alertname": name, "exp_alerts": expected,
            }));
        }
        samples.extend(recorded(&memory, minute));
    }
    (alerts, samples)
}

fn recorded(memory: &Memory, minute: i64) -> Vec<Value> {
    let at = minute * MINUTE;
    let kept = memory.0.lock().unwrap();
    ["job:up:sum", "job:up:ratio", "job:requests:rate5m", "answer", "ALERTS", "ALERTS_FOR_STATE"]
        .into_iter()
        .map(|name| {
            let of_name = kept.iter().filter(|(labels, ..)| labels.get(METRIC_NAME) == name);
            let found: BTreeMap<String, f64> = of_name
                .filter_map(|(labels, times, values)| {
                    let newest = times.partition_point(|time| *time <= at).checked_sub(1)?;
                    let lives = at - times[newest] < 300_000 && !is_stale(values[newest]);
                    lives.then(|| (shown(labels), values[newest]))
                })
                .collect();
            let samples: Vec<Value> = found
                .into_iter()
                .map(|(labels, value)| json!({ "labels": labels, "value": value }))
                .collect();
            json!({ "expr": name, "eval_time": format!("{minute}m"), "exp_samples": samples })
        })
        .collect()
}

#[test]
fn the_real_prometheus_says_the_same() {
    assert!(Path::new(PROMTOOL).exists(), "{PROMTOOL} is missing: cargo xtask tools");
    let (alerts, samples) = expectations();
    let firing = alerts.iter().filter(|one| !one["exp_alerts"].as_array().unwrap().is_empty());
    assert!(firing.count() > 40, "the rules fire");
    let text = |value: &Option<f64>| match value {
        None => "_".to_owned(),
        Some(value) if is_stale(*value) => "stale".to_owned(),
        Some(value) => value.to_string(),
    };
    let inputs: Vec<Value> = series()
        .iter()
        .map(|(labels, values)| {
            let values: Vec<String> = values.iter().map(text).collect();
            json!({ "series": shown(labels), "values": values.join(" ") })
        })
        .collect();
    let file = json!({
        "rule_files": ["rules.yml"],
        "evaluation_interval": "1m",
        "group_eval_order": ["recorded", "alerts"],
        "tests": [{
            "interval": "1m", "input_series": inputs,
            "alert_rule_test": alerts, "promql_expr_test": samples,
        }],
    });
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("rules.yml"), RULES).unwrap();
    std::fs::write(dir.path().join("test.yml"), file.to_string()).unwrap();
    let done = Command::new(PROMTOOL)
        .args(["test", "rules", "test.yml"])
        .current_dir(dir.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{told}");
}
