//! Text for people that grows line by line.

use std::fmt::{Arguments, Write as _};

/// Adds `line` to `text`.
pub(crate) fn put(text: &mut String, line: Arguments<'_>) {
    // A String takes everything, so that this cannot fail.
    text.write_fmt(line).unwrap_or_default();
}
