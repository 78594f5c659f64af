//! Silences and changes of alerts in the folder of history.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use rules::{Journal, Silences, Standing};

use crate::app::whole;

const SILENCES: &str = "silences.json";
const CHANGES: &str = "alerts.jsonl";
/// Beyond this the file of changes is written anew, with only what is remembered.
const MAX_CHANGES_BYTES: u64 = 32 << 20;

/// A folder that keeps them.
pub(super) struct Folder {
    dir: PathBuf,
    /// Held while a file is written.
    writing: Mutex<()>,
}

impl Folder {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self { dir, writing: Mutex::new(()) }
    }

    /// What an earlier process kept. What cannot be read is said and left out.
    pub(super) fn load(&self) -> (Silences, Journal) {
        let (silences, damaged) = match self.text(SILENCES) {
            Some(text) => Silences::read(&text),
            None => (Silences::default(), 0),
        };
        if damaged > 0 {
            tracing::error!(file = SILENCES, damaged, "silences are left out");
        }
        let (journal, damaged) = Journal::read(&self.text(CHANGES).unwrap_or_default());
        if damaged > 0 {
            tracing::warn!(file = CHANGES, damaged, "changes of alerts are left out");
        }
        (silences, journal)
    }

    fn text(&self, name: &str) -> Option<String> {
        match fs::read(self.dir.join(name)) {
            Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::error!(file = name, %error, "cannot be read");
                None
            }
        }
    }

    fn replace(&self, name: &str, text: &str) -> io::Result<()> {
        whole::replace(&self.dir.join(name), text.as_bytes())
    }

    fn append(&self, lines: &str) -> io::Result<()> {
        let path = self.dir.join(CHANGES);
        if fs::metadata(&path).is_ok_and(|found| found.len() > MAX_CHANGES_BYTES) {
            let (journal, _) = Journal::read(&self.text(CHANGES).unwrap_or_default());
            let kept: String = journal.iter().map(Journal::line).collect();
            self.replace(CHANGES, &kept)?;
        }
        let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
        file.write_all(lines.as_bytes())?;
        file.sync_data()
    }
}

impl Standing for Folder {
    fn silences(&self, text: &str) -> Result<(), String> {
        let _held = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.replace(SILENCES, text).map_err(|error| error.to_string())
    }

    fn changes(&self, lines: &str) -> Result<(), String> {
        let _held = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.append(lines).map_err(|error| {
            tracing::error!(%error, "changes of alerts are not kept");
            error.to_string()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(dir.path().to_owned());
        folder.silences("[]").unwrap();
        folder.changes("{\"at\":1,\"id\":\"x\",\"kind\":\"firing\",\"labels\":[],\"value\":1,\"summary\":\"\"}\n").unwrap();
        folder.changes("torn").unwrap();
        let (silences, journal) = folder.load();
        assert_eq!((silences.list(0).len(), journal.iter().count()), (0, 1));
    }
}
