//! Rule files checked together: what `taffrail rules check` tells.

use crate::{Group, Mistake, read};

/// What was found in some files.
#[derive(Debug, Default)]
pub struct Checked {
    /// The groups of the files without mistakes.
    pub groups: Vec<Group>,
    /// Every mistake, in the files' order.
    pub mistakes: Vec<Mistake>,
}

/// Reads files given as (name, text).
pub fn check<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Checked {
    let mut checked = Checked::default();
    for (file, text) in files {
        match read(file, text) {
            Ok(groups) => checked.groups.extend(groups),
            Err(mistakes) => checked.mistakes.extend(mistakes),
        }
    }
    checked
}
