//! Flags of history on disk.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::duration;
use crate::config::HistoryConfig;

/// Where history is kept and how long.
#[derive(Debug, Clone, Args)]
pub(crate) struct HistoryArgs {
    /// Folder that keeps history; one process owns it. [default: the user's data folder, such as
    /// ~/.local/share/taffrail/CLUSTER]
    #[arg(long, value_name = "DIR", env = "TAFFRAIL_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Keep no history on disk, only the last minutes in memory; goes before --data-dir.
    #[arg(long)]
    pub(crate) no_history: bool,
    #[command(flatten)]
    pub(crate) kept: KeptArgs,
}

/// How long history is kept and how safely.
#[derive(Debug, Clone, Args)]
pub(crate) struct KeptArgs {
    /// How long history is kept: `30d`, `12h`.
    #[arg(long, value_name = "AGE", value_parser = age, default_value = "30d")]
    pub(crate) retention: Duration,
    /// How much disk history may take, such as `20GiB`; the oldest days go first. [default: no
    /// bound]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) retention_bytes: Option<u64>,
    /// How much a power cut may lose: writes are synced at most this long after. 0s syncs every
    /// batch.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "1s")]
    pub(crate) fsync_interval: Duration,
}

impl HistoryArgs {
    /// What is asked for; `None` for no history.
    pub(crate) fn wanted(self) -> Option<HistoryConfig> {
        (!self.no_history).then(|| self.kept.in_folder(self.data_dir))
    }
}

impl KeptArgs {
    /// History in `dir`, or in the default folder.
    pub(crate) fn in_folder(self, dir: Option<PathBuf>) -> HistoryConfig {
        HistoryConfig {
            dir: dir.filter(|dir| !dir.as_os_str().is_empty()),
            temporary: false,
            retention: self.retention,
            retention_bytes: self.retention_bytes,
            fsync: self.fsync_interval,
        }
    }
}

/// Reads an age: whole days (`30d`) or weeks (`4w`), or a duration (`12h`).
pub(crate) fn age(text: &str) -> Result<Duration, String> {
    let whole = |hours: u64, number: &str| {
        let hours = number.parse::<u64>().ok()?.checked_mul(hours)?;
        hours.checked_mul(3600).map(Duration::from_secs)
    };
    let read = match text.split_at_checked(text.len().saturating_sub(1)) {
        Some((number, "d")) => whole(24, number),
        Some((number, "w")) => whole(24 * 7, number),
        _ => duration(text).ok(),
    };
    read.ok_or_else(|| format!("`{text}` is not an age such as 30d, 4w or 12h"))
}

/// Reads a size: bytes, or with a unit of 1000s (`20GB`) or 1024s (`20GiB`, `20G`).
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is not a size such as 20GiB or 500MB");
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits).ok_or_else(wrong)?;
    let unit = unit.trim_start().to_ascii_lowercase();
    let (power, rest) = match unit.as_bytes().first() {
        Some(b'k') => (1, unit.get(1..)),
        Some(b'm') => (2, unit.get(1..)),
        Some(b'g') => (3, unit.get(1..)),
        Some(b't') => (4, unit.get(1..)),
        _ => (0, Some(unit.as_str())),
    };
    let base: u64 = match rest {
        Some("" | "ib" | "i") => 1024,
        Some("b") => 1000,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    base.checked_pow(power).and_then(|times| number.checked_mul(times)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_days() {
        assert_eq!(age("30d"), Ok(Duration::from_hours(720)));
        assert_eq!(age("2w"), Ok(Duration::from_hours(336)));
        assert_eq!(age("1h30m"), Ok(Duration::from_mins(90)));
        for wrong in ["", "d", "-1d", "1.5d", "ever", "99999999999999999999d"] {
            assert!(age(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in [
            ("0", 0),
            ("1048576", 1 << 20),
            ("20GiB", 20 << 30),
            ("20G", 20 << 30),
            ("5 MB", 5_000_000),
            ("1kb", 1000),
            ("7b", 7),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for wrong in ["", "GiB", "1.5G", "-1", "1XB", "99999999T", "1é"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
