//! `taffrail rules`: checks rule files, prints the built-in ones.

use crate::cli::rules::{RulesCommand, RulesVerb};
use crate::exit::Failure;
use crate::rule_files;

/// What to say.
pub(crate) fn run(args: &RulesCommand) -> Result<String, Failure> {
    match &args.verb {
        RulesVerb::PrintBuiltin => Ok(rules::BUILTIN.to_owned()),
        RulesVerb::Check { files } => {
            let groups = rule_files::load(files).map_err(Failure::config)?;
            let rules: usize = groups.iter().map(|group| group.rules.len()).sum();
            Ok(format!("{} groups, {rules} rules: nothing wrong", groups.len()))
        }
    }
}
