//! `taffrail store`: what is in a folder of history, whether it is right, and copies of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pipeline::Clock;
use serde_json::{Value, json};
use store::{Damage, Disk, Error, Options, Store, Summary};

use crate::cli::{FolderArgs, SnapshotArgs, StoreArgs, StoreOutput, StoreVerb};
use crate::exit::{FAILURE, Failure};
use crate::say;

mod export;
mod progress;
mod text;

use progress::Progress;

/// Does what was asked for.
pub(crate) fn run(args: StoreArgs) -> Result<(), Failure> {
    let clock = Clock::system();
    match args.verb {
        StoreVerb::Info(folder) => info(&folder, clock),
        StoreVerb::Verify(folder) => verify(&folder, clock),
        StoreVerb::Export(args) => export::run(&args, clock),
        StoreVerb::Snapshot(args) => snapshot(&args, clock),
    }
}

/// A store to read: the folder's own, or a copy of one that a server owns.
struct Opened {
    store: Store,
    /// Removed at the end.
    copy: Option<PathBuf>,
}

impl Opened {
    fn folder(dir: &Path, clock: Clock) -> Result<Self, Failure> {
        if !Store::is_in(&Disk, dir) {
            let dir = dir.display();
            return Err(Failure::unavailable(format!(
                "{dir} holds no history; give the folder that `taffrail serve` names at its start"
            )));
        }
        match open(dir, clock) {
            Ok(store) => Ok(Self { store, copy: None }),
            Err(Error::Locked { holder, .. }) => {
                tracing::info!(holder, "in use: reading a copy of this moment");
                let copy = dir.join(format!("copy-{}", std::process::id()));
                let made = Store::copy_running(&Disk, dir, &copy).and_then(|()| open(&copy, clock));
                match made {
                    Ok(store) => Ok(Self { store, copy: Some(copy) }),
                    Err(error) => {
                        remove(&copy);
                        Err(unusable(dir, &error))
                    }
                }
            }
            Err(error) => Err(unusable(dir, &error)),
        }
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        if let Some(copy) = &self.copy {
            remove(copy);
        }
    }
}

fn remove(copy: &Path) {
    if let Err(error) = std::fs::remove_dir_all(copy) {
        tracing::warn!(copy = %copy.display(), %error, "a temporary copy stays");
    }
}

fn open(dir: &Path, clock: Clock) -> Result<Store, Error> {
    Store::open(Arc::new(Disk), dir, Options::default(), clock.now())
}

fn unusable(dir: &Path, error: &Error) -> Failure {
    let source = std::error::Error::source(error);
    let cause = source.map(|cause| format!(": {cause}")).unwrap_or_default();
    Failure::unavailable(format!("{}: {error}{cause}", dir.display()))
}

fn info(folder: &FolderArgs, clock: Clock) -> Result<(), Failure> {
    let opened = Opened::folder(&folder.dir, clock)?;
    let summary = opened.store.summary();
    match folder.output {
        StoreOutput::Json => say(&described(&summary).to_string()),
        StoreOutput::Text => say(text::info(&folder.dir, &summary).trim_end()),
    }
}

fn described(summary: &Summary) -> Value {
    let millis = |(first, last): (model::Timestamp, model::Timestamp)| json!({ "from": first.millis(), "to": last.millis() });
    let blocks: Vec<Value> = summary
        .blocks
        .iter()
        .map(|block| {
            json!({
                "name": block.name,
                "resolutionMs": block.resolution.map_or(0, |length| length.as_millis()),
                "day": block.compacted,
                "from": block.range.0.millis(),
                "to": block.range.1.millis(),
                "bytes": block.bytes,
                "samples": block.samples,
                "series": block.series,
            })
        })
        .collect();
    json!({
        "format": summary.format,
        "range": summary.range.map(millis),
        "blocks": blocks,
        "memory": { "samples": summary.head_samples, "series": summary.head_series },
        "walBytes": summary.wal_bytes,
        "events": { "count": summary.events.0, "bytes": summary.events.1 },
        "damage": damages(&summary.damage),
    })
}

fn damages(damage: &[Damage]) -> Vec<Value> {
    let one = |damage: &Damage| {
        json!({
            "file": damage.file.display().to_string(),
            "offset": damage.offset,
            "expected": damage.what,
        })
    };
    damage.iter().map(one).collect()
}

fn verify(folder: &FolderArgs, clock: Clock) -> Result<(), Failure> {
    let opened = Opened::folder(&folder.dir, clock)?;
    // What opening set aside is damage too.
    let mut damage = opened.store.summary().damage;
    let mut progress = Progress::new("verifying");
    let verified = opened.store.verify(|done, all| progress.at(done as u64, all as u64));
    progress.end();
    let verified = verified.map_err(|error| unusable(&folder.dir, &error))?;
    for one in verified.damage {
        if !damage.contains(&one) {
            damage.push(one);
        }
    }
    match folder.output {
        StoreOutput::Json => say(&json!({
            "files": verified.files,
            "bytes": verified.bytes,
            "samples": verified.samples,
            "damage": damages(&damage),
        })
        .to_string())?,
        StoreOutput::Text => {
            say(text::verified(verified.files, verified.bytes, verified.samples, &damage)
                .trim_end())?;
        }
    }
    if damage.is_empty() {
        return Ok(());
    }
    let message = format!("{}: {} places are damaged", folder.dir.display(), damage.len());
    Err(Failure { code: FAILURE, message })
}

fn snapshot(args: &SnapshotArgs, clock: Clock) -> Result<(), Failure> {
    let (from, to) = (&args.folder.dir, &args.to);
    if Store::is_in(&Disk, to) {
        return Err(Failure::usage(format!("{} holds history already", to.display())));
    }
    if !Store::is_in(&Disk, from) {
        return Err(Failure::unavailable(format!("{} holds no history", from.display())));
    }
    // The same way whether a server owns the folder or nobody does.
    Store::copy_running(&Disk, from, to).map_err(|error| unusable(to, &error))?;
    let copied = open(to, clock).map_err(|error| unusable(to, &error))?;
    let summary = copied.summary();
    match args.folder.output {
        StoreOutput::Json => say(&described(&summary).to_string()),
        StoreOutput::Text => say(text::info(to, &summary).trim_end()),
    }
}
