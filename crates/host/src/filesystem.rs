//! Filesystems: what is mounted from real devices, and how full it is.

use metrics::counter;
use once::Order as _;
use rustix::fs::statvfs;

use crate::telemetry;
use crate::tree::Tree;

/// How many filesystems are shown; more are left out and counted.
pub const MAX_FILESYSTEMS: usize = 64;

/// Types without a device of their own that still hold data.
const POOLED: &[&str] = &["zfs", "btrfs"];
/// Types on a device that are always full by design.
const READ_ONLY: &[&str] = &["squashfs", "iso9660", "erofs", "udf"];

/// One mounted filesystem, in bytes and inodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filesystem {
    /// Where it is mounted.
    pub(crate) mount: String,
    pub(crate) used: i64,
    pub(crate) size: i64,
    pub(crate) available: i64,
    pub(crate) inodes: i64,
    pub(crate) inodes_free: i64,
}

/// Every real filesystem once, `/` always among them. Network filesystems are not asked: one that
/// hangs would hang the scrape.
pub(crate) fn read(tree: &Tree<'_>) -> Vec<Filesystem> {
    let text = tree.text("proc/1/mounts").or_else(|| tree.text("proc/self/mounts"));
    let mounts = mounts(&text.unwrap_or_default());
    let refused = mounts.len().saturating_sub(MAX_FILESYSTEMS);
    if refused > 0 {
        counter!(telemetry::FILESYSTEMS_REFUSED).increment(refused as u64);
    }
    mounts
        .iter()
        .take(MAX_FILESYSTEMS)
        .filter_map(|mount| {
            let stat = statvfs(tree.path(mount)).ok()?;
            let bytes = |blocks: u64| int(blocks.saturating_mul(stat.f_frsize));
            (stat.f_blocks > 0).then(|| Filesystem {
                mount: mount.clone(),
                used: bytes(stat.f_blocks.saturating_sub(stat.f_bfree)),
                size: bytes(stat.f_blocks),
                available: bytes(stat.f_bavail),
                inodes: int(stat.f_files),
                inodes_free: int(stat.f_ffree),
            })
        })
        .collect()
}

fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Mount points worth showing, sorted; of several mounts of one device the shortest path.
fn mounts(text: &str) -> Vec<String> {
    let mut found: Vec<(&str, String)> = Vec::new();
    for line in text.lines() {
        let mut words = line.split(' ');
        let (Some(device), Some(mount), Some(kind)) = (words.next(), words.next(), words.next())
        else {
            continue;
        };
        let real =
            (device.starts_with("/dev/") || POOLED.contains(&kind)) && !READ_ONLY.contains(&kind);
        if !real && mount != "/" {
            continue;
        }
        let mount = unescaped(mount);
        match found.iter_mut().find(|(known, _)| *known == device) {
            Some((_, known)) if known.len() <= mount.len() => {}
            Some((_, known)) => *known = mount,
            None => found.push((device, mount)),
        }
    }
    let mut mounts: Vec<String> = found.into_iter().map(|(_, mount)| mount).collect();
    mounts.order();
    mounts.dedup();
    mounts
}

/// The kernel writes space, tab, newline and backslash as `\040` and the like.
fn unescaped(text: &str) -> String {
    let mut plain = text.to_owned();
    for (escaped, character) in [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
    {
        plain = plain.replace(escaped, character);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_filesystems_once_each() {
        let text = "overlay / overlay rw 0 0\n\
                    proc /proc proc rw 0 0\n\
                    /dev/sda1 /var/lib/data ext4 rw 0 0\n\
                    /dev/sda1 /data ext4 rw 0 0\n\
                    /dev/loop3 /snap/core squashfs ro 0 0\n\
                    tank/home /home\\040dirs zfs rw 0 0\n\
                    nas:/x /mnt/nas nfs4 rw 0 0\n\
                    broken\n";
        assert_eq!(mounts(text), ["/", "/data", "/home dirs"]);
    }
}
