//! A file for each parcel, written beside its place and moved there when it is whole.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use once::Order as _;
use tokio::task::spawn_blocking;

use super::finish::Finish;
use super::{Outcome, Parcel};

/// Where files go.
#[derive(Debug, Clone)]
pub(crate) struct FilesPlan {
    pub(crate) folder: PathBuf,
    /// What their names end with.
    pub(crate) after: &'static str,
    pub(crate) finish: Finish,
    /// How many of them are kept; 0 keeps all.
    pub(crate) keep: usize,
}

/// Writes `parcel`. The same one twice is the same file.
pub(super) async fn send(plan: &FilesPlan, parcel: &Parcel) -> Outcome {
    let bytes = match plan.finish.apply(parcel.bytes.clone(), false).await {
        Ok(bytes) => bytes,
        Err(reason) => return Outcome::Refused(reason),
    };
    let path = plan.folder.join(format!("{}{}", parcel.object_name(), plan.after));
    let plan = plan.clone();
    let written = spawn_blocking(move || {
        write(&path, &bytes)?;
        if plan.keep > 0 { remove_oldest(&plan) } else { Ok(()) }
    });
    match written.await {
        Ok(Ok(())) => Outcome::Delivered,
        Ok(Err(error)) => Outcome::failed(error),
        Err(error) => Outcome::failed(error),
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let part = path.with_extension("part");
    let mut file = File::create(&part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&part, path)?;
    File::open(folder)?.sync_all()
}

/// Names begin with their time: the smallest are the oldest.
fn remove_oldest(plan: &FilesPlan) -> io::Result<()> {
    let mut files = Vec::new();
    collect(&plan.folder, plan.after, &mut files)?;
    files.order();
    let surplus = files.len().saturating_sub(plan.keep);
    files.iter().take(surplus).try_for_each(fs::remove_file)
}

fn collect(folder: &Path, after: &str, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, after, files)?;
        } else if path.to_string_lossy().ends_with(after) {
            files.push(path);
        }
    }
    Ok(())
}
