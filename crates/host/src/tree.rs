//! The file tree that is read: everything below one root, each file up to a bound.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use once::Order as _;

/// No file is read beyond this.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// A view of the files below a root, for one scrape.
#[derive(Debug)]
pub(crate) struct Tree<'a> {
    root: &'a Path,
    read_bytes: Cell<u64>,
}

impl<'a> Tree<'a> {
    pub(crate) fn new(root: &'a Path) -> Self {
        Self { root, read_bytes: Cell::new(0) }
    }

    /// Where `path` (relative, or as if the root were `/`) lies.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// The text of a file; `None` when it cannot be read.
    pub(crate) fn text(&self, path: &str) -> Option<String> {
        self.try_text(path).ok()
    }

    /// The text of a file.
    pub(crate) fn try_text(&self, path: &str) -> io::Result<String> {
        let mut text = String::new();
        File::open(self.path(path))?.take(MAX_FILE_BYTES).read_to_string(&mut text)?;
        self.read_bytes.set(self.read_bytes.get() + text.len() as u64);
        Ok(text)
    }

    /// The number that is a file's whole content.
    pub(crate) fn number(&self, path: &str) -> Option<i64> {
        self.text(path)?.trim().parse().ok()
    }

    /// Names in a folder that are folders themselves (or links), sorted; empty when there are
    /// none.
    pub(crate) fn folders(&self, path: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path(path)) else { return Vec::new() };
        let mut names: Vec<String> = entries
            .filter_map(Result::ok)
            .filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_file()))
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.order();
        names
    }

    pub(crate) fn exists(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// How many bytes were read so far.
    pub(crate) fn read_bytes(&self) -> u64 {
        self.read_bytes.get()
    }
}

/// The number after `key` in lines of `key value`, `key: value` or `key: value kB` (in the file's
/// unit).
pub(crate) fn value_of(text: &str, key: &str) -> Option<i64> {
    text.lines().find_map(|line| {
        let rest = line.strip_prefix(key)?;
        let rest = rest.strip_prefix(':').unwrap_or(rest);
        rest.starts_with([' ', '\t']).then(|| rest.split_ascii_whitespace().next()?.parse().ok())?
    })
}
