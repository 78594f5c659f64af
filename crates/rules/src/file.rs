//! Prometheus' rule files: YAML, read strictly, every mistake with its line.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use query::promql::{
    Limits, QueryError, ValueKind, duration_ms, is_label_name, is_metric_name, parse,
};
use yaml::{Node, Value};

use crate::{Group, Rule, RuleKind, Template};

/// Largest file that is read.
pub const MAX_FILE_BYTES: usize = 4 << 20;
/// Most rules of one file.
const MAX_RULES: usize = 20_000;

/// Something wrong in a rule file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The file as it was named.
    pub file: Arc<str>,
    /// From 1.
    pub line: usize,
    /// What is wrong and what to write.
    pub reason: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.reason)
    }
}

/// The groups in `text`, or every mistake in it. `file` names it in mistakes and answers.
pub fn read(file: &str, text: &str) -> Result<Vec<Group>, Vec<Mistake>> {
    let mut reader = Reader { file: file.into(), mistakes: Vec::new(), rules: 0 };
    if text.len() > MAX_FILE_BYTES {
        reader.wrong(1, format!("larger than {MAX_FILE_BYTES} bytes: split it"));
        return Err(reader.mistakes);
    }
    let groups = match yaml::parse(text) {
        Ok(root) => reader.root(root),
        Err((line, reason)) => {
            reader.wrong(line, reason);
            Vec::new()
        }
    };
    if reader.mistakes.is_empty() { Ok(groups) } else { Err(reader.mistakes) }
}

struct Reader {
    file: Arc<str>,
    mistakes: Vec<Mistake>,
    rules: usize,
}

/// Names with their texts and lines.
type Pairs = Vec<(Arc<str>, Template, usize)>;
type Items = Vec<(String, usize, Node)>;

impl Reader {
    fn wrong(&mut self, line: usize, reason: impl Into<String>) {
        let file = Arc::clone(&self.file);
        self.mistakes.push(Mistake { file, line, reason: reason.into() });
    }

    fn root(&mut self, root: Node) -> Vec<Group> {
        let items = match root.value {
            Value::Null => return Vec::new(),
            Value::Map(items) => items,
            _ => {
                self.wrong(root.line, "a rule file holds one key: groups");
                return Vec::new();
            }
        };
        let mut groups = Vec::new();
        let mut names = HashSet::new();
        for (key, line, node) in items {
            if key != "groups" {
                self.wrong(line, format!("unknown key {key} (known: groups)"));
                continue;
            }
            for item in self.list(node, "groups") {
                let line = item.line;
                let Some(group) = self.group(item) else { continue };
                if !names.insert(Arc::clone(&group.name)) {
                    self.wrong(line, format!("group {:?} is there twice in this file", group.name));
                }
                groups.push(group);
            }
        }
        groups
    }

    fn list(&mut self, node: Node, what: &str) -> Vec<Node> {
        match node.value {
            Value::List(items) => items,
            Value::Null => Vec::new(),
            _ => {
                self.wrong(node.line, format!("{what} must be a list"));
                Vec::new()
            }
        }
    }

    fn map(&mut self, node: Node, what: &str) -> Option<Items> {
        let Value::Map(items) = node.value else {
            self.wrong(node.line, format!("{what} must hold keys"));
            return None;
        };
        Some(items)
    }

    fn text(&mut self, key: &str, node: &Node) -> Option<String> {
        match &node.value {
            Value::Text(text) => Some(text.clone()),
            Value::Null => Some(String::new()),
            _ => {
                self.wrong(node.line, format!("{key} must be one text"));
                None
            }
        }
    }

    fn duration(&mut self, key: &str, node: &Node) -> i64 {
        let Some(text) = self.text(key, node) else { return 0 };
        let written = text == "0" || text.ends_with(|c: char| c.is_ascii_alphabetic());
        match duration_ms(&text).filter(|_| written) {
            Some(millis) if millis >= 0 => millis,
            _ => {
                let reason = format!("{key}: {text:?} is not a duration such as 30s, 5m or 1h30m");
                self.wrong(node.line, reason);
                0
            }
        }
    }

    fn group(&mut self, node: Node) -> Option<Group> {
        let begins = node.line;
        let (mut name, mut interval_ms, mut limit, mut rules) = (None, None, 0, Vec::new());
        for (key, line, node) in self.map(node, "a group")? {
            match &*key {
                "name" => name = self.text("name", &node).filter(|name| !name.is_empty()),
                "interval" => {
                    interval_ms = Some(self.duration("interval", &node)).filter(|ms| *ms > 0);
                }
                "limit" => {
                    let text = self.text("limit", &node).unwrap_or_default();
                    match text.parse() {
                        Ok(number) => limit = number,
                        Err(_) => self.wrong(node.line, format!("limit: {text:?} is no number")),
                    }
                }
                "rules" => rules = self.list(node, "rules"),
                "source_tenants"
                | "query_offset"
                | "evaluation_delay"
                | "partial_response_strategy" => {
                    self.wrong(
                        line,
                        format!("{key}: Prometheus 2.42 does not have it; leave it out"),
                    );
                }
                _ => self.wrong(
                    line,
                    format!("unknown key {key} (known: name, interval, limit, rules)"),
                ),
            }
        }
        let rules = rules.into_iter().filter_map(|rule| self.rule(rule)).collect();
        let Some(name) = name else {
            self.wrong(begins, "a group needs a name");
            return None;
        };
        Some(Group { name: name.into(), file: Arc::clone(&self.file), interval_ms, limit, rules })
    }

    fn rule(&mut self, node: Node) -> Option<Rule> {
        self.rules += 1;
        let begins = node.line;
        if self.rules == MAX_RULES + 1 {
            self.wrong(begins, format!("more than {MAX_RULES} rules: split the file"));
        }
        if self.rules > MAX_RULES {
            return None;
        }
        let mut parts = Parts::default();
        for (key, line, node) in self.map(node, "a rule")? {
            match &*key {
                "record" => parts.record = self.text("record", &node).map(|name| (name, line)),
                "alert" => parts.alert = self.text("alert", &node).map(|name| (name, line)),
                "expr" => parts.expression = self.text("expr", &node).map(|text| (text, node.line)),
                "for" => parts.hold = Some((self.duration("for", &node), line)),
                "keep_firing_for" => {
                    parts.keep = Some((self.duration("keep_firing_for", &node), line));
                }
                "labels" => parts.labels = self.pairs("labels", node),
                "annotations" => parts.annotations = Some((self.pairs("annotations", node), line)),
                _ => self.wrong(
                    line,
                    format!(
                        "unknown key {key} (known: record, alert, expr, for, keep_firing_for, labels, annotations)"
                    ),
                ),
            }
        }
        self.whole(parts, begins)
    }

    /// A map of names to texts with actions.
    fn pairs(&mut self, what: &str, node: Node) -> Pairs {
        if node.value == Value::Null {
            return Vec::new();
        }
        let mut pairs = Vec::new();
        for (name, line, node) in self.map(node, what).unwrap_or_default() {
            if !is_label_name(&name) || name == "__name__" {
                self.wrong(line, format!("{what}: {name:?} cannot name a label"));
            }
            let Some(text) = self.text(&name, &node) else { continue };
            match Template::parse(&text) {
                Ok(template) => pairs.push((name.into(), template, line)),
                Err(error) => self.wrong(node.line, format!("{what}.{name}: template: {error}")),
            }
        }
        pairs
    }

    fn whole(&mut self, parts: Parts, begins: usize) -> Option<Rule> {
        let (name, line, alerting) = match (parts.record, parts.alert) {
            (Some((name, line)), None) => (name, line, false),
            (None, Some((name, line))) => (name, line, true),
            (Some(_), Some((_, line))) => {
                self.wrong(line, "a rule has either record or alert, not both");
                return None;
            }
            (None, None) => {
                self.wrong(begins, "a rule needs record or alert");
                return None;
            }
        };
        if name.is_empty() || (!alerting && !is_metric_name(&name)) {
            let what = if alerting { "alert" } else { "record" };
            self.wrong(line, format!("{what}: {name:?} is no name"));
        }
        if !alerting {
            for (key, place) in [
                ("for", parts.hold.map(|(_, line)| line)),
                ("keep_firing_for", parts.keep.map(|(_, line)| line)),
                ("annotations", parts.annotations.as_ref().map(|(_, line)| *line)),
            ] {
                if let Some(line) = place {
                    self.wrong(line, format!("{key}: a recording rule has none"));
                }
            }
            for (name, template, line) in &parts.labels {
                if template.text().contains("{{") {
                    self.wrong(*line, format!("labels.{name}: a recording rule has no templates"));
                }
            }
        }
        let (expression, line) = match parts.expression {
            Some((text, line)) if !text.trim().is_empty() => (text, line),
            _ => {
                self.wrong(begins, format!("{name}: no expr"));
                return None;
            }
        };
        let query = match parse(&expression, &Limits::default()) {
            Ok(query) => query,
            Err(error) => {
                let (line, reason) = placed(&error, line);
                self.wrong(line, format!("{name}: expr: {reason}"));
                return None;
            }
        };
        if matches!(query.kind(), ValueKind::Matrix | ValueKind::Text) {
            let reason = "must yield a vector or a scalar; is a function around the range missing?";
            self.wrong(line, format!("{name}: expr: {reason}"));
        }
        let plain = |(name, template, _)| (name, template);
        let labels = parts.labels.into_iter().map(plain).collect();
        let kind = if alerting {
            RuleKind::Alerting {
                hold_ms: parts.hold.map_or(0, |(ms, _)| ms),
                keep_firing_ms: parts.keep.map_or(0, |(ms, _)| ms),
                annotations: parts
                    .annotations
                    .map_or_else(Vec::new, |(all, _)| all.into_iter().map(plain).collect()),
            }
        } else {
            RuleKind::Recording
        };
        let expression = expression.trim().into();
        Some(Rule { name: name.into(), expression, query, labels, kind })
    }
}

/// The keys of a rule, with their lines.
#[derive(Default)]
struct Parts {
    record: Option<(String, usize)>,
    alert: Option<(String, usize)>,
    expression: Option<(String, usize)>,
    hold: Option<(i64, usize)>,
    keep: Option<(i64, usize)>,
    labels: Pairs,
    annotations: Option<(Pairs, usize)>,
}

/// Where in the file an expression that begins on `line` is wrong.
fn placed(error: &QueryError, line: usize) -> (usize, String) {
    match error {
        QueryError::Parse { line: within, column, reason, .. } => {
            (line + within - 1, format!("column {column} of the expression: {reason}"))
        }
        other => (line, other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(text: &str) -> Vec<(usize, String)> {
        let wrong = read("f.yml", text).unwrap_err();
        wrong.into_iter().map(|mistake| (mistake.line, mistake.reason)).collect()
    }

    #[test]
    fn a_file_is_read_whole() {
        let groups = read(
            "f.yml",
            "groups:\n- name: a\n  interval: 30s\n  limit: 5\n  rules:\n  - record: job:up:sum\n    expr: sum by (job) (up)\n    labels: {team: x}\n  - alert: Down\n    expr: |\n      up\n        == 0\n    for: 5m\n    keep_firing_for: 1m\n    labels:\n      severity: page\n    annotations:\n      summary: '{{ $labels.instance }} is down'\n",
        )
        .unwrap();
        let group = &groups[0];
        assert_eq!((&*group.name, group.interval_ms, group.limit), ("a", Some(30_000), 5));
        assert_eq!(&*group.rules[0].name, "job:up:sum");
        assert!(!group.rules[0].is_alerting());
        let RuleKind::Alerting { hold_ms, keep_firing_ms, annotations } = &group.rules[1].kind
        else {
            panic!("an alert")
        };
        assert_eq!((*hold_ms, *keep_firing_ms, annotations.len()), (300_000, 60_000, 1));
        assert_eq!(&*group.rules[1].expression, "up\n  == 0");
        assert!(read("f.yml", "").unwrap().is_empty());
    }

    #[test]
    fn every_mistake_has_its_line() {
        let found = mistakes(
            "groups:\n- name: a\n  every: 3s\n  rules:\n  - record: x-y\n    expr: up\n  - alert: A\n    expr: |\n      sum(up)\n        by job (\n  - alert: B\n    expr: up\n    for: soon\n    annotations:\n      summary: '{{ nope }}'\n  - record: r\n    expr: up[5m]\n    for: 5m\n- rules: []\n- name: a\n",
        );
        let lines: Vec<usize> = found.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [3, 5, 10, 13, 15, 18, 17, 19, 20], "{found:#?}");
        assert!(found[0].1.starts_with("unknown key every (known: name"));
        assert!(found[4].1.contains("function \"nope\" not defined"), "{found:?}");
        assert_eq!(mistakes("groups: [\n")[0].0, 1);
        assert_eq!(mistakes("rules: []\n"), [(1, "unknown key rules (known: groups)".to_owned())]);
        assert_eq!(mistakes("groups: 5\n"), [(1, "groups must be a list".to_owned())]);
    }
}
