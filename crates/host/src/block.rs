//! Block devices: cumulative I/O of whole disks, from /proc/diskstats.

use crate::tree::Tree;

/// /proc/diskstats counts sectors of 512 bytes, whatever the disk's own are.
const SECTOR_BYTES: i64 = 512;
/// Devices that are no disks, told by name where /sys does not tell.
const VIRTUAL_PREFIXES: &[&str] = &["loop", "ram", "zram", "dm-", "md", "sr", "fd", "nbd"];

/// One disk's counters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Disk {
    /// `/dev/sda`
    pub(crate) path: String,
    /// `8:0`
    pub(crate) number: String,
    pub(crate) read_bytes: i64,
    pub(crate) written_bytes: i64,
}

/// Every whole disk that was ever used. Partitions and what is stacked on disks are left out, so
/// that no byte counts twice.
pub(crate) fn read(tree: &Tree<'_>) -> Vec<Disk> {
    let text = tree.text("proc/diskstats").unwrap_or_default();
    let devices: Vec<(String, Disk)> = text.lines().filter_map(device).collect();
    let is_part = |name: &str| {
        devices.iter().any(|(other, _)| {
            name.strip_prefix(&**other).is_some_and(|rest| {
                !rest.is_empty()
                    && rest.trim_start_matches('p').bytes().all(|digit| digit.is_ascii_digit())
            })
        })
    };
    devices
        .iter()
        .filter(|(name, disk)| {
            !VIRTUAL_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
                && !tree.exists(&format!("sys/devices/virtual/block/{name}"))
                && !is_part(name)
                && (disk.read_bytes > 0 || disk.written_bytes > 0)
        })
        .map(|(_, disk)| disk.clone())
        .collect()
}

/// `8 0 sda reads merged sectors ms writes merged sectors …`
fn device(line: &str) -> Option<(String, Disk)> {
    let mut words = line.split_ascii_whitespace();
    let (major, minor, name) = (words.next()?, words.next()?, words.next()?);
    let numbers: Vec<i64> = words.map_while(|word| word.parse().ok()).collect();
    let bytes = |position: usize| Some(numbers.get(position)?.saturating_mul(SECTOR_BYTES));
    let disk = Disk {
        path: format!("/dev/{name}"),
        number: format!("{major}:{minor}"),
        read_bytes: bytes(2)?,
        written_bytes: bytes(6)?,
    };
    Some((name.to_owned(), disk))
}
