//! Alerts over time: pending, firing, resolved, silenced, as the engine tells them.

use super::*;
use crate::read;

#[path = "../../tests/it/memory.rs"]
mod memory;

use memory::Memory;

impl Memory {
    fn put(&self, labels: &[(&str, &str)], at: i64, value: f64) {
        self.0.lock().unwrap().push(&Labels::new(labels.iter().copied()), at, value);
    }

    fn values(&self, name: &str, at: i64) -> Vec<(String, f64)> {
        let memory = self.0.lock().unwrap();
        let all = memory.iter().filter(|(labels, ..)| labels.get(METRIC_NAME) == name);
        all.filter_map(|(labels, times, values)| {
            let at = times.iter().position(|time| *time == at)?;
            let shown = labels.without_name().to_string();
            Some((shown, values[at]))
        })
        .collect()
    }
}

fn run(text: &str) -> GroupRun {
    let groups = read("f.yml", &format!("groups:\n- name: g\n  rules:\n{text}")).unwrap();
    GroupRun::new(groups[0].clone(), 60_000)
}

fn evaluate(run: &mut GroupRun, at: i64, memory: &Memory) -> Vec<(ChangeKind, i64)> {
    let setting = Setting {
        external_url: "http://here",
        options: &Options::default(),
        canceled: &|| false,
        stopwatch: &|| 0.0,
    };
    let done = run.evaluate(at, memory, &setting);
    assert_eq!(done.failures, [], "at {at}");
    done.changes.into_iter().map(|change| (change.kind, change.at)).collect()
}

const MINUTE: i64 = 60_000;

#[test]
fn an_alert_lives_as_in_prometheus() {
    let memory = Memory::default();
    let mut run = run(
        "  - alert: Down\n    expr: up == 0\n    for: 2m\n    labels: {severity: '{{ $labels.job }}!'}\n    annotations: {summary: '{{ $labels.instance }} {{ $value }}'}\n",
    );
    let labels = [("__name__", "up"), ("instance", "n1"), ("job", "j")];
    let mut seen = Vec::new();
    for minute in 0..8 {
        memory.put(&labels, minute * MINUTE, if (1..5).contains(&minute) { 0.0 } else { 1.0 });
        seen.extend(evaluate(&mut run, minute * MINUTE, &memory));
    }
    assert_eq!(
        seen,
        [
            (ChangeKind::Pending, MINUTE),
            (ChangeKind::Firing, 3 * MINUTE),
            (ChangeKind::Resolved, 5 * MINUTE),
        ]
    );
    let shown =
        r#"{alertname="Down", alertstate="pending", instance="n1", job="j", severity="j!"}"#;
    assert_eq!(memory.values("ALERTS", 2 * MINUTE), [(shown.to_owned(), 1.0)]);
    assert!(is_stale(memory.values("ALERTS", 3 * MINUTE)[1].1), "no longer pending");
    assert!((memory.values("ALERTS_FOR_STATE", 4 * MINUTE)[0].1 - 60.0).abs() < 1e-9);
    let alert = run.alerts().next().unwrap();
    assert_eq!((alert.state, alert.annotation("summary")), (AlertState::Resolved, "n1 0"));
    assert_eq!(run.due(7 * MINUTE, MINUTE)[0].1, 5 * MINUTE, "ended when it did");
    assert!(run.due(7 * MINUTE + 1, MINUTE).is_empty());
    evaluate(&mut run, 21 * MINUTE, &memory);
    assert!(run.alerts().next().is_none(), "forgotten after 15 minutes");
}

fn is_stale(value: f64) -> bool {
    query::promql::is_stale(value)
}

#[test]
fn keep_firing_for_bridges_gaps() {
    let memory = Memory::default();
    let mut run = run("  - alert: Down\n    expr: up == 0\n    keep_firing_for: 2m\n");
    let labels = [("__name__", "up"), ("instance", "n1")];
    let mut seen = Vec::new();
    for (minute, value) in [(0, 0.0), (1, 1.0), (2, 0.0), (3, 1.0), (4, 1.0), (5, 1.0)] {
        memory.put(&labels, minute * MINUTE, value);
        seen.extend(evaluate(&mut run, minute * MINUTE, &memory));
    }
    assert_eq!(seen, [(ChangeKind::Firing, 0), (ChangeKind::Resolved, 5 * MINUTE)]);
}

#[test]
fn rules_of_a_group_see_each_other() {
    let memory = Memory::default();
    let mut run = run(
        "  - record: job:up:sum\n    expr: sum by (job) (up)\n    labels: {team: x}\n  - record: job:up:double\n    expr: job:up:sum * 2\n",
    );
    memory.put(&[("__name__", "up"), ("job", "a"), ("instance", "1")], 0, 1.0);
    memory.put(&[("__name__", "up"), ("job", "a"), ("instance", "2")], 0, 1.0);
    memory.put(&[("__name__", "up"), ("job", "a"), ("instance", "1")], 1000, STALE);
    memory.put(&[("__name__", "up"), ("job", "a"), ("instance", "2")], 1000, STALE);
    evaluate(&mut run, 0, &memory);
    let shown = r#"{job="a", team="x"}"#.to_owned();
    assert_eq!(memory.values("job:up:double", 0), [(shown, 4.0)]);
    evaluate(&mut run, 1000, &memory);
    assert!(is_stale(memory.values("job:up:sum", 1000)[0].1), "its series ended");
}

#[test]
fn state_comes_back_after_a_restart() {
    let text = "  - alert: Down\n    expr: up == 0\n    for: 30m\n";
    let labels = [("__name__", "up"), ("instance", "n1")];
    let (before, mut first) = (Memory::default(), run(text));
    for minute in 0..40 {
        before.put(&labels, minute * MINUTE, 0.0);
        evaluate(&mut first, minute * MINUTE, &before);
    }
    before.put(&labels, 45 * MINUTE, 0.0);
    let mut second = run(text);
    assert_eq!(evaluate(&mut second, 45 * MINUTE, &before), [(ChangeKind::Firing, 45 * MINUTE)]);
    assert_eq!(second.alerts().next().unwrap().active_at, 0, "it had fired");
    let (pending, mut first) = (Memory::default(), run(text));
    for minute in 0..5 {
        pending.put(&labels, minute * MINUTE, 0.0);
        evaluate(&mut first, minute * MINUTE, &pending);
    }
    pending.put(&labels, 14 * MINUTE, 0.0);
    let mut second = run(text);
    evaluate(&mut second, 14 * MINUTE, &pending);
    assert_eq!(second.alerts().next().unwrap().active_at, 10 * MINUTE, "less the ten minutes away");
}

#[test]
fn failures_are_named() {
    let memory = Memory::default();
    let mut run = run(
        "  - record: r\n    expr: label_replace(up, \"a\", \"x\", \"instance\", \".*\") * on (a) group_left up\n  - alert: A\n    expr: up\n    labels: {instance: ''}\n",
    );
    for instance in ["1", "2"] {
        memory.put(&[("__name__", "up"), ("instance", instance)], 0, 1.0);
    }
    let setting = Setting {
        external_url: "",
        options: &Options::default(),
        canceled: &|| false,
        stopwatch: &|| 0.0,
    };
    let done = run.evaluate(0, &memory, &setting);
    let reasons: Vec<&str> = done.failures.iter().map(|(_, reason)| &**reason).collect();
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    assert!(reasons[1].contains("same labelset after applying alert labels"), "{reasons:?}");
    run.group.limit = 1;
    run.group.rules.truncate(1);
    run.group.rules[0].query = parse("up", &Limits::default()).unwrap();
    let done = run.evaluate(1, &memory, &setting);
    assert_eq!(done.failures[0].1, "exceeded limit of 1 with 2 series");
}

#[test]
fn a_rule_that_changes_keeps_its_alerts_and_one_that_goes_ends_them() {
    let memory = Memory::default();
    let rule =
        |name: &str, expression: &str| format!("  - alert: {name}\n    expr: {expression}\n");
    let text = |rules: &[String]| rules.concat();
    let first = text(&[rule("A", "up == 0"), rule("B", "up < 1")]);
    let mut group = run(&first);
    memory.put(&[("__name__", "up"), ("instance", "n1")], 0, 0.0);
    evaluate(&mut group, 0, &memory);
    assert_eq!(group.alerts().count(), 2);
    assert!(group.is_like(&run(&first).group));
    // Another expression of A: its alert goes on. B is gone: its alert ends.
    let second = run(&text(&[rule("A", "up < 0.5")])).group;
    assert!(!group.is_like(&second));
    let (mut group, left) = group.replaced(second, MINUTE, MINUTE);
    let changes: Vec<_> = left.changes.iter().map(|change| (change.kind, change.at)).collect();
    assert_eq!(changes, [(ChangeKind::Resolved, MINUTE)]);
    assert_eq!(left.alerts[0].name(), "B");
    assert_eq!(left.samples.len(), 2, "the ends of ALERTS and ALERTS_FOR_STATE");
    assert_eq!(evaluate(&mut group, MINUTE, &memory), [], "A fires on and is no news");
    let kept = group.alerts().next().unwrap();
    assert_eq!((kept.name(), kept.fired_at), ("A", Some(0)));
    let left = group.ended(2 * MINUTE);
    assert_eq!((left.alerts.len(), left.changes.len()), (1, 1));
}
