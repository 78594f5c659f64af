//! How far events were read: a value, and the small file that keeps it.
//!
//! One line of text and its CRC32C, replaced as a whole, so that it is old or new and never
//! half. A file that is damaged counts as none.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use model::Timestamp;

/// Largest file that can be one of ours.
const MAX_BYTES: u64 = 4096;
/// First word of the line.
const MAGIC: &str = "taffrail-events-1";

/// How far events were read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Position {
    /// The cluster's identity (uid of the namespace `kube-system`); empty where it is not told.
    pub cluster: String,
    /// The API server's version up to which everything was read; empty where it does not count.
    pub version: String,
    /// The newest time at which an event happened that was read.
    pub newest: Timestamp,
}

impl Position {
    /// The version as a number.
    pub fn count(&self) -> Option<u64> {
        self.version.parse().ok()
    }

    /// Reads `path`; `None` when there is no such file. A file that is not whole is an error of
    /// the kind `InvalidData`.
    pub fn read(path: &Path) -> io::Result<Option<Self>> {
        let text = match fs::metadata(path) {
            Ok(found) if found.len() <= MAX_BYTES => fs::read_to_string(path)?,
            Ok(_) => return Err(damaged("it is too long")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let (line, sum) = text.trim_end().rsplit_once(' ').ok_or_else(|| damaged("it is empty"))?;
        if u32::from_str_radix(sum, 16).ok() != Some(crc32c::crc32c(line.as_bytes())) {
            return Err(damaged("its checksum is wrong"));
        }
        let mut words = line.split(' ');
        let (magic, cluster, version, newest) =
            (words.next(), words.next(), words.next(), words.next().and_then(|n| n.parse().ok()));
        match (magic, cluster, version, newest, words.next()) {
            (Some(MAGIC), Some(cluster), Some(version), Some(newest), None) => Ok(Some(Self {
                cluster: cluster.to_owned(),
                version: version.to_owned(),
                newest: Timestamp::from_nanos(newest),
            })),
            _ => Err(damaged("it is of another kind or version")),
        }
    }

    /// Replaces `path`; when this returns, it survives a power cut.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let bare = |text: &str| text.contains(|letter: char| letter.is_whitespace());
        if bare(&self.cluster) || bare(&self.version) {
            return Err(damaged("a version with spaces cannot be kept"));
        }
        let newest = self.newest.nanos();
        let line = format!("{MAGIC} {} {} {newest}", self.cluster, self.version);
        let text = format!("{line} {:08x}\n", crc32c::crc32c(line.as_bytes()));
        let beside = path.with_extension("new");
        let mut file = fs::File::create(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        match path.parent() {
            Some(dir) => fs::File::open(dir)?.sync_all(),
            None => Ok(()),
        }
    }
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the position of events: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_kept_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.position");
        assert_eq!(Position::read(&path).unwrap(), None);
        let position = Position {
            cluster: "d0f3".to_owned(),
            version: "1234567".to_owned(),
            newest: Timestamp::from_secs(1_795_424_400),
        };
        for position in [position, Position::default()] {
            position.write(&path).unwrap();
            assert_eq!(Position::read(&path).unwrap(), Some(position));
        }
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() - 1 {
            let mut bent = whole.clone();
            bent[at] ^= 1;
            fs::write(&path, &bent).unwrap();
            assert_eq!(Position::read(&path).unwrap_err().kind(), io::ErrorKind::InvalidData);
            fs::write(&path, &whole[..at]).unwrap();
            assert_eq!(Position::read(&path).unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
    }
}
