//! The rules that are there without any file: what is wrong with a cluster.

use crate::{Group, read};

/// How the built-in rules are named where files are.
pub(crate) const FILE: &str = "built-in";
/// The rules, as a rule file.
pub const BUILTIN: &str = include_str!("builtin.yaml");

/// The built-in groups.
pub fn builtin() -> Vec<Group> {
    // A test holds that the file has no mistakes.
    read(FILE, BUILTIN).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_right() {
        let groups = read(FILE, BUILTIN).unwrap();
        let rules: Vec<&crate::Rule> = groups.iter().flat_map(|group| &group.rules).collect();
        assert!(rules.len() >= 15, "{}", rules.len());
        for rule in rules {
            let has = |name: &str| rule.labels.iter().any(|(known, _)| **known == *name);
            assert!(has("severity"), "{} says how bad it is", rule.name);
            let crate::RuleKind::Alerting { annotations, .. } = &rule.kind else {
                panic!("{} is an alert", rule.name)
            };
            let names: Vec<&str> = annotations.iter().map(|(name, _)| &**name).collect();
            assert_eq!(names, ["summary", "description"], "{}", rule.name);
        }
    }
}
