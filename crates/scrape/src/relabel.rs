//! Relabelling as Prometheus 2.42 does it: `relabel_configs` and `metric_relabel_configs`.

use model::{RelabelRule, is_label_name};
use regex::{Regex, RegexBuilder};

use crate::labels::Labels;
use crate::md5;

/// Most rules of one list.
pub const MAX_RULES: usize = 100;
/// Longest pattern.
pub const MAX_PATTERN_BYTES: usize = 4096;
/// Most memory that a compiled pattern may take.
const MAX_COMPILED_BYTES: usize = 1 << 20;

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Replace,
    Keep,
    Drop,
    KeepEqual,
    DropEqual,
    HashMod,
    LabelMap,
    LabelDrop,
    LabelKeep,
    Lowercase,
    Uppercase,
}

/// A rule that is ready to be applied.
#[derive(Debug, Clone)]
pub struct Rule {
    action: Action,
    source: Box<[Box<str>]>,
    separator: Box<str>,
    target: Box<str>,
    /// Anchored at both ends.
    regex: Regex,
    replacement: Box<str>,
    modulus: u64,
}

/// Compiles a list of rules; the error names the rule.
pub fn compile(rules: &[RelabelRule]) -> Result<Vec<Rule>, String> {
    if rules.len() > MAX_RULES {
        return Err(format!("{} relabelling rules, {MAX_RULES} at most", rules.len()));
    }
    let numbered = rules.iter().zip(1..);
    numbered
        .map(|(rule, number)| {
            Rule::compile(rule).map_err(|why| format!("relabelling rule {number}: {why}"))
        })
        .collect()
}

/// Applies rules in turn; false: what has these labels is dropped.
pub fn apply(rules: &[Rule], labels: &mut Labels<'_>) -> bool {
    rules.iter().all(|rule| rule.apply(labels))
}

impl Rule {
    fn compile(rule: &RelabelRule) -> Result<Self, String> {
        let action = match &*rule.action.to_ascii_lowercase() {
            "" | "replace" => Action::Replace,
            "keep" => Action::Keep,
            "drop" => Action::Drop,
            "keepequal" => Action::KeepEqual,
            "dropequal" => Action::DropEqual,
            "hashmod" => Action::HashMod,
            "labelmap" => Action::LabelMap,
            "labeldrop" => Action::LabelDrop,
            "labelkeep" => Action::LabelKeep,
            "lowercase" => Action::Lowercase,
            "uppercase" => Action::Uppercase,
            other => return Err(format!("`{other}` is no action")),
        };
        let target = &*rule.target_label;
        let wants_target = !matches!(
            action,
            Action::Keep | Action::Drop | Action::LabelMap | Action::LabelDrop | Action::LabelKeep
        );
        if wants_target && target.is_empty() {
            return Err("it needs a targetLabel".to_owned());
        }
        let named = match action {
            Action::Replace => is_target(target),
            Action::LabelMap => is_target(rule.replacement.as_deref().unwrap_or("$1")),
            _ => !wants_target || is_label_name(target),
        };
        if !named {
            return Err(format!("`{target}` is no name of a label"));
        }
        if action == Action::HashMod && rule.modulus == 0 {
            return Err("hashmod needs a modulus".to_owned());
        }
        let pattern = rule.regex.as_deref().unwrap_or("(.*)");
        if pattern.len() > MAX_PATTERN_BYTES {
            return Err(format!("its regex has more than {MAX_PATTERN_BYTES} bytes"));
        }
        let regex = RegexBuilder::new(&format!("^(?:{})$", ascii_classes(pattern)))
            .size_limit(MAX_COMPILED_BYTES)
            .build()
            .map_err(|error| format!("its regex `{pattern}` cannot be used: {error}"))?;
        Ok(Self {
            action,
            source: rule.source_labels.clone(),
            separator: rule.separator.clone().unwrap_or_else(|| ";".into()),
            target: target.into(),
            regex,
            replacement: rule.replacement.clone().unwrap_or_else(|| "$1".into()),
            modulus: rule.modulus,
        })
    }

    fn joined(&self, labels: &Labels<'_>) -> String {
        let mut joined = String::new();
        for (index, name) in self.source.iter().enumerate() {
            if index > 0 {
                joined.push_str(&self.separator);
            }
            joined.push_str(labels.get(name));
        }
        joined
    }

    fn apply(&self, labels: &mut Labels<'_>) -> bool {
        let target = &*self.target;
        match self.action {
            Action::Keep => return self.regex.is_match(&self.joined(labels)),
            Action::Drop => return !self.regex.is_match(&self.joined(labels)),
            Action::KeepEqual => return labels.get(target) == self.joined(labels),
            Action::DropEqual => return labels.get(target) != self.joined(labels),
            Action::Replace => self.replace(labels),
            Action::HashMod => {
                let part = md5::last_half(self.joined(labels).as_bytes()) % self.modulus;
                labels.set(target.to_owned(), part.to_string());
            }
            Action::Lowercase => {
                let value = changed(&self.joined(labels), char::to_lowercase);
                labels.set(target.to_owned(), value);
            }
            Action::Uppercase => {
                let value = changed(&self.joined(labels), char::to_uppercase);
                labels.set(target.to_owned(), value);
            }
            Action::LabelMap => {
                let mapped: Vec<(String, String)> = labels
                    .iter()
                    .filter(|(name, _)| self.regex.is_match(name))
                    .map(|(name, value)| {
                        let name = self.regex.replace_all(name, &*self.replacement).into_owned();
                        (name, value.to_owned())
                    })
                    .collect();
                for (name, value) in mapped {
                    labels.set(name, value);
                }
            }
            Action::LabelDrop => labels.retain(|name| !self.regex.is_match(name)),
            Action::LabelKeep => labels.retain(|name| self.regex.is_match(name)),
        }
        true
    }

    fn replace(&self, labels: &mut Labels<'_>) {
        let joined = self.joined(labels);
        let Some(found) = self.regex.captures(&joined) else { return };
        let (mut target, mut value) = (String::new(), String::new());
        found.expand(&self.target, &mut target);
        if is_label_name(&target) {
            found.expand(&self.replacement, &mut value);
        }
        if value.is_empty() {
            labels.remove(&self.target);
        } else {
            labels.set(target, value);
        }
    }
}

/// Whether a text makes a label's name once its groups are put in.
fn is_target(text: &str) -> bool {
    let mut rest = text;
    let mut plain = String::new();
    while let Some((before, group)) = rest.split_once('$') {
        plain.push_str(before);
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let (inside, after) = match group.strip_prefix('{') {
            Some(group) => group.split_once('}').unwrap_or(("", "")),
            None => group.split_at(group.find(|c| !is_word(c)).unwrap_or(group.len())),
        };
        if inside.is_empty() || !inside.chars().all(is_word) {
            return false;
        }
        // A group may stand where a letter may.
        plain.push('_');
        rest = after;
    }
    plain.push_str(rest);
    is_label_name(&plain)
}

/// Letters changed one by one, as Go does: one that would become several stays.
fn changed<I: Iterator<Item = char>>(text: &str, change: impl Fn(char) -> I) -> String {
    let one = |c: char| {
        let mut changed = change(c);
        changed.next().filter(|_| changed.next().is_none()).unwrap_or(c)
    };
    text.chars().map(one).collect()
}

/// The same pattern with `\d`, `\w` and `\s` meaning ASCII, as in Go.
fn ascii_classes(pattern: &str) -> String {
    let mut text = String::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            text.push(c);
            continue;
        }
        match chars.next() {
            Some('d') => text.push_str("[0-9]"),
            Some('D') => text.push_str("[^0-9]"),
            Some('w') => text.push_str("[0-9A-Za-z_]"),
            Some('W') => text.push_str("[^0-9A-Za-z_]"),
            Some('s') => text.push_str("[\\t\\n\\f\\r ]"),
            Some('S') => text.push_str("[^\\t\\n\\f\\r ]"),
            Some(other) => text.extend(['\\', other]),
            None => text.push('\\'),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(action: &str, source: &[&str]) -> RelabelRule {
        RelabelRule {
            action: action.into(),
            source_labels: source.iter().map(|name| Box::from(*name)).collect(),
            ..RelabelRule::default()
        }
    }

    /// Applies rules to `a=foo,b=bar,c=baz`.
    fn check(rules: &[RelabelRule], expected: Option<&str>) {
        let mut labels: Labels<'_> =
            [("a", "foo"), ("b", "bar"), ("c", "baz")].into_iter().collect();
        let kept = apply(&compile(rules).unwrap(), &mut labels);
        let shown: Vec<String> =
            labels.sorted().into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(kept.then(|| shown.join(",")).as_deref(), expected, "{rules:?}");
    }

    // Expectations follow prometheus.io/docs/prometheus/latest/configuration: relabel_config.
    #[test]
    fn replace_expands_groups() {
        let base = RelabelRule { target_label: "d".into(), ..rule("", &["a", "b"]) };
        check(std::slice::from_ref(&base), Some("a=foo,b=bar,c=baz,d=foo;bar"));
        let regex = |regex: &str, replacement: &str| RelabelRule {
            regex: Some(regex.into()),
            replacement: Some(replacement.into()),
            ..base.clone()
        };
        check(&[regex("f(.*);(.*)r", "ch${1}-$2")], Some("a=foo,b=bar,c=baz,d=choo-ba"));
        check(&[regex("f(.*)", "x")], Some("a=foo,b=bar,c=baz,d=x"));
        check(&[regex("oo;bar", "x")], Some("a=foo,b=bar,c=baz"));
        check(&[regex(".*", "")], Some("a=foo,b=bar,c=baz"));
        check(&[regex("(?P<first>f)oo;bar", "${first}!")], Some("a=foo,b=bar,c=baz,d=f!"));
        let gone = RelabelRule { target_label: "a".into(), ..regex(".*", "") };
        check(&[gone], Some("b=bar,c=baz"));
        let named = RelabelRule { target_label: "${1}_x".into(), ..regex("(foo);(.*)", "$2") };
        check(&[named], Some("a=foo,b=bar,c=baz,foo_x=bar"));
        let between = RelabelRule { separator: Some("".into()), ..base.clone() };
        check(&[between], Some("a=foo,b=bar,c=baz,d=foobar"));
        let invalid = RelabelRule { target_label: "$1".into(), ..regex("(foo;)bar", "x") };
        check(&[invalid], Some("a=foo,b=bar,c=baz"));
    }

    #[test]
    fn keep_and_drop_match_the_whole_value() {
        let with = |action: &str, regex: &str| RelabelRule {
            regex: Some(regex.into()),
            ..rule(action, &["a"])
        };
        check(&[with("keep", "f.*")], Some("a=foo,b=bar,c=baz"));
        check(&[with("keep", "f")], None);
        check(&[with("Drop", "foo|x")], None);
        check(&[with("drop", "o")], Some("a=foo,b=bar,c=baz"));
        check(&[RelabelRule { regex: Some("".into()), ..rule("drop", &["none"]) }], None);
    }

    #[test]
    fn keepequal_and_dropequal_compare_labels() {
        let equal = |action: &str, source: &str, target: &str| RelabelRule {
            target_label: target.into(),
            ..rule(action, &[source])
        };
        check(&[equal("keepequal", "a", "b")], None);
        check(&[equal("dropequal", "a", "b")], Some("a=foo,b=bar,c=baz"));
        let copied = RelabelRule { target_label: "b".into(), ..rule("replace", &["a"]) };
        check(&[copied.clone(), equal("keepequal", "a", "b")], Some("a=foo,b=foo,c=baz"));
        check(&[copied, equal("dropequal", "a", "b")], None);
    }

    #[test]
    fn hashmod_takes_md5() {
        // Prometheus' own test: a=foo,b=bar,c=baz with source c and modulus 1000 gives 976.
        let hashed =
            RelabelRule { target_label: "d".into(), modulus: 1000, ..rule("hashmod", &["c"]) };
        check(&[hashed], Some("a=foo,b=bar,c=baz,d=976"));
    }

    #[test]
    fn labels_are_mapped_dropped_and_kept_by_name() {
        let with = |action: &str, regex: &str| RelabelRule {
            regex: Some(regex.into()),
            ..rule(action, &[])
        };
        let mapped = RelabelRule { replacement: Some("x_$1".into()), ..with("labelmap", "([ab])") };
        check(&[mapped], Some("a=foo,b=bar,c=baz,x_a=foo,x_b=bar"));
        check(&[with("labeldrop", "[ab]")], Some("c=baz"));
        check(&[with("labelkeep", "a|c")], Some("a=foo,c=baz"));
    }

    #[test]
    fn case_is_changed() {
        let into = |action: &str| RelabelRule {
            target_label: "d".into(),
            separator: Some("_".into()),
            ..rule(action, &["a", "b"])
        };
        check(&[into("uppercase")], Some("a=foo,b=bar,c=baz,d=FOO_BAR"));
        check(&[into("uppercase"), into("lowercase")], Some("a=foo,b=bar,c=baz,d=foo_bar"));
        assert_eq!(changed("gr\u{fc}n \u{df}", char::to_uppercase), "GR\u{dc}N \u{df}");
    }

    #[test]
    fn classes_are_ascii() {
        for (pattern, expected) in
            [("\\d+", "[0-9]+"), ("[\\w-]", "[[0-9A-Za-z_]-]"), ("\\\\d", "\\\\d")]
        {
            assert_eq!(ascii_classes(pattern), expected);
        }
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_its_number() {
        let wrong = |one: RelabelRule| compile(&[rule("labeldrop", &[]), one]).unwrap_err();
        assert!(wrong(rule("replase", &[])).contains("rule 2: `replase` is no action"));
        assert!(wrong(rule("replace", &["a"])).contains("needs a targetLabel"));
        for target in ["not valid", "1a", "${1", "a$"] {
            let named = RelabelRule { target_label: target.into(), ..rule("replace", &["a"]) };
            assert!(wrong(named).contains("is no name"), "{target}");
        }
        let hash = RelabelRule { target_label: "x".into(), ..rule("hashmod", &["a"]) };
        assert!(wrong(hash).contains("needs a modulus"));
        let regex = |text: &str| RelabelRule { regex: Some(text.into()), ..rule("keep", &["a"]) };
        assert!(wrong(regex("(")).contains("cannot be used"));
        assert!(wrong(regex("(\\w{1000}){1000}")).contains("cannot be used"));
        assert!(wrong(regex(&"a".repeat(5000))).contains("4096 bytes"));
        assert!(compile(&vec![rule("labeldrop", &[]); 101]).unwrap_err().contains("100 at most"));
    }
}
