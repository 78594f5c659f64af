//! Where measurements would go: sinks, reached without being sent anything, and the disk.

use std::path::{Path, PathBuf};
use std::time::Duration;

use api::Check;
use futures_util::future::join_all;
use sinks::{Reach, Reached, redact};

use super::check;
use crate::outputs::parse;

/// How long one sink may take to answer.
const SINK_TIMEOUT: Duration = Duration::from_secs(10);
/// Room below which a disk is about to be full.
const LITTLE: u64 = 1 << 30;

/// Tries every sink at once; texts are those of `--sink`.
pub(crate) async fn of_sinks(texts: impl Iterator<Item = &String>) -> Vec<Check> {
    join_all(texts.map(|text| of_sink(text))).await
}

async fn of_sink(text: &str) -> Check {
    let about = redact(text);
    let wrong = |reason: String| {
        check("sink", &about, "fail", reason, "correct the sink's text: docs/SINKS.md has examples")
    };
    let (key, settings) = match parse(text) {
        Ok(parsed) => parsed,
        Err(reason) => return wrong(reason),
    };
    if key == "metric" {
        return check(
            "sink",
            &about,
            "skip",
            "the window in memory is always there".to_owned(),
            "",
        );
    }
    let kind = match sinks::find(&key) {
        Ok(kind) => kind,
        Err(error) => return wrong(error.to_string()),
    };
    let Reach { to, reached } = match kind.reach(settings, SINK_TIMEOUT).await {
        Ok(reach) => reach,
        Err(error) => return wrong(error.to_string()),
    };
    match reached {
        Reached::Yes(seen) => check("sink", &about, "pass", format!("{to}: {seen}"), ""),
        Reached::Untold(why) => check("sink", &about, "skip", format!("{to}: {why}"), ""),
        Reached::No(reason) => check(
            "sink",
            &about,
            "fail",
            format!("{to} is not reached: {reason}"),
            "start it, or correct the address; check network policies and firewalls on the way",
        ),
        Reached::Stranger(reason) => check(
            "sink",
            &about,
            "fail",
            format!("{to} does not accept who we are: {reason}"),
            "correct the sink's user, password, token or key, and what that may write",
        ),
    }
}

/// Whether `folder` can be written, whose it is, and how much room there is.
pub(crate) fn of_disk(folder: &Path) -> Check {
    let about = folder.display().to_string();
    // What is not there yet is made by the first start.
    let Some(there) = folder.ancestors().find(|path| path.exists()).map(Path::to_path_buf) else {
        let reason = "neither it nor any folder above it is there".to_owned();
        return check("disk", &about, "fail", reason, "correct --data-dir");
    };
    let us = rustix::process::geteuid().as_raw();
    let owner = owner(&there);
    if let Err(error) = try_write(&there) {
        let evidence =
            format!("{} cannot be written by user {us}: {error}{owner}", there.display());
        let change = format!(
            "`chown -R {us} {}`, or another --data-dir; in a pod mount a volume there and give \
             fsGroup: {us}",
            there.display()
        );
        return check("disk", &about, "fail", evidence, &change);
    }
    let new = if there == folder { "" } else { " (it will be made)" };
    match rustix::fs::statvfs(&there) {
        Err(error) => {
            let evidence = format!("it can be written{new}; its room cannot be asked: {error}");
            check("disk", &about, "warn", evidence, "check the filesystem")
        }
        Ok(room) => {
            let (free, all) = (room.f_bavail * room.f_frsize, room.f_blocks * room.f_frsize);
            let gib =
                |bytes: u64| format!("{}.{} GiB", bytes >> 30, ((bytes >> 20) & 1023) * 10 / 1024);
            let evidence =
                format!("it can be written{new}; {} of {} are free{owner}", gib(free), gib(all));
            if free < LITTLE {
                let change =
                    "make room, or keep less: --retention and --retention-bytes bound history";
                check("disk", &about, "warn", evidence, change)
            } else {
                check("disk", &about, "pass", evidence, "")
            }
        }
    }
}

fn owner(path: &Path) -> String {
    use std::os::unix::fs::MetadataExt as _;
    match std::fs::metadata(path) {
        Ok(found) => format!("; it is user {}'s, mode {:o}", found.uid(), found.mode() & 0o7777),
        Err(_) => String::new(),
    }
}

/// Writes a file and removes it.
fn try_write(folder: &Path) -> std::io::Result<()> {
    let file: PathBuf = folder.join(format!(".taffrail-doctor-{}", std::process::id()));
    std::fs::write(&file, b"whether this folder can be written")?;
    std::fs::remove_file(&file)
}
