//! The log of samples that no block holds yet.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::registry::Registry;
use crate::FORMAT;
use crate::error::Error;
use crate::record::{self, Found};
use crate::vfs::{self, File, Vfs};
use crate::wire::{self, Malformed, Parsed, Reader};

const MAGIC: &[u8; 8] = b"TAFFSLG\0";
/// Magic and version.
const HEADER: usize = 12;
/// Most labels of one series that are read back.
const MAX_LABELS: usize = 4096;

const SERIES: u8 = 1;
const SAMPLES: u8 = 2;

pub(super) fn file_name(number: u64) -> String {
    format!("samples-{number:010}.log")
}

pub(super) fn number_of(name: &str) -> Option<u64> {
    name.strip_prefix("samples-")?.strip_suffix(".log")?.parse().ok()
}

/// The log that is being written.
pub(super) struct Log {
    file: Arc<dyn File>,
    path: PathBuf,
    /// Series by the numbers that this log gave them.
    slots: HashMap<u32, u32, foldhash::fast::RandomState>,
    unsynced: bool,
}

impl Log {
    pub(super) fn create(vfs: &dyn Vfs, dir: &Path, number: u64) -> Result<Self, Error> {
        let path = dir.join(file_name(number));
        let wrap = |error| Error::io("create", &path, error);
        let file = vfs.create(&path).map_err(wrap)?;
        file.append(MAGIC).map_err(wrap)?;
        file.append(&FORMAT.to_le_bytes()).map_err(wrap)?;
        file.sync().map_err(wrap)?;
        vfs.sync_dir(dir).map_err(wrap)?;
        Ok(Self { file, path, slots: HashMap::default(), unsynced: false })
    }

    /// Adds samples (series, time, value), and the series that the log does not know.
    pub(super) fn write(
        &mut self,
        samples: &[(u32, i64, f64)],
        series: &Registry,
    ) -> Result<(), Error> {
        if samples.is_empty() {
            return Ok(());
        }
        let mut fresh: Vec<u32> = Vec::new();
        let mut slots: HashMap<u32, u32, foldhash::fast::RandomState> = HashMap::default();
        for (id, ..) in samples {
            if !self.slots.contains_key(id) && !slots.contains_key(id) {
                let slot = u32::try_from(self.slots.len() + fresh.len()).unwrap_or(u32::MAX);
                slots.insert(*id, slot);
                fresh.push(*id);
            }
        }
        let mut out = Vec::new();
        if !fresh.is_empty() {
            record::put(&mut out, |out| {
                out.push(SERIES);
                wire::put_len(out, self.slots.len());
                wire::put_len(out, fresh.len());
                for id in &fresh {
                    let labels = series.labels(*id).map_or(&[][..], |labels| labels);
                    wire::put_len(out, labels.len());
                    for (name, value) in labels {
                        wire::put_str(out, name);
                        wire::put_str(out, value);
                    }
                }
            });
        }
        record::put(&mut out, |out| {
            out.push(SAMPLES);
            wire::put_len(out, samples.len());
            let mut before = 0;
            for (id, time, value) in samples {
                let slot =
                    self.slots.get(id).or_else(|| slots.get(id)).copied().unwrap_or(u32::MAX);
                wire::put_u64(out, u64::from(slot));
                wire::put_i64(out, time.wrapping_sub(before));
                out.extend_from_slice(&value.to_bits().to_le_bytes());
                before = *time;
            }
        });
        self.file.append(&out).map_err(|error| Error::io("write", &self.path, error))?;
        self.slots.extend(slots);
        self.unsynced = true;
        Ok(())
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn sync(&mut self) -> Result<(), Error> {
        if self.unsynced {
            self.file.sync().map_err(|error| Error::io("sync", &self.path, error))?;
            self.unsynced = false;
        }
        Ok(())
    }
}

/// What a replayed log held.
#[derive(Debug, Default)]
pub(super) struct Replayed {
    /// (series, time, value)
    pub(super) samples: Vec<(u32, i64, f64)>,
    /// Records that could not be read before good ones.
    pub(super) damaged: usize,
}

/// Reads the log at `path`.
pub(super) fn replay(vfs: &dyn Vfs, path: &Path, series: &mut Registry) -> Result<Replayed, Error> {
    let file = vfs.open(path).map_err(|error| Error::io("open", path, error))?;
    let bytes = vfs::read_all(&*file).map_err(|error| Error::io("read", path, error))?;
    let mut replayed = Replayed::default();
    let Some((header, _)) = bytes.split_at_checked(HEADER) else { return Ok(replayed) };
    let (magic, version) = header.split_at(8);
    if magic != MAGIC {
        return Err(Error::corrupt(path, 0, "the header of a log of samples"));
    }
    let found = u32::from_le_bytes(version.try_into().unwrap_or_default());
    if found > FORMAT {
        return Err(Error::Version { file: path.to_owned(), found, known: FORMAT });
    }
    let mut slots: HashMap<u32, u32, foldhash::fast::RandomState> = HashMap::default();
    for found in record::scan(&bytes, HEADER) {
        match found {
            Found::Record { body, .. } => {
                if take(body, &mut slots, series, &mut replayed.samples).is_err() {
                    replayed.damaged += 1;
                }
            }
            Found::Damage { .. } => replayed.damaged += 1,
            Found::Torn { .. } => {}
        }
    }
    Ok(replayed)
}

fn take(
    body: &[u8],
    slots: &mut HashMap<u32, u32, foldhash::fast::RandomState>,
    series: &mut Registry,
    samples: &mut Vec<(u32, i64, f64)>,
) -> Parsed<()> {
    let mut reader = Reader::new(body);
    match reader.u8()? {
        SERIES => {
            let first = reader.u32()?;
            for at in 0..reader.count()? {
                let pairs = (0..reader.at_most(MAX_LABELS)?)
                    .map(|_| Ok((Arc::from(reader.str()?), Arc::from(reader.str()?))))
                    .collect::<Parsed<Vec<(Arc<str>, Arc<str>)>>>()?;
                let slot = u32::try_from(at).map_err(|_| Malformed)?;
                slots.insert(first.checked_add(slot).ok_or(Malformed)?, series.insert(&pairs));
            }
            Ok(())
        }
        SAMPLES => {
            let mut before = 0_i64;
            for _ in 0..reader.count()? {
                let slot = reader.u32()?;
                before = before.wrapping_add(reader.i64()?);
                let value = f64::from_bits(reader.fixed_u64()?);
                // A series whose record is damaged is lost with its samples.
                if let Some(id) = slots.get(&slot) {
                    samples.push((*id, before, value));
                }
            }
            Ok(())
        }
        _ => Err(Malformed),
    }
}
