//! Results of `taffrail store` for people.

use std::path::Path;

use store::{Damage, Summary};

use crate::commands::text::put;

/// What a folder holds.
pub(super) fn info(dir: &Path, summary: &Summary) -> String {
    let mut text = format!("{}, format {}\n", dir.display(), summary.format);
    let days = |name: &str, raw: bool| {
        let found: Vec<_> =
            summary.blocks.iter().filter(|block| block.resolution.is_none() == raw).collect();
        let bytes: u64 = found.iter().map(|block| block.bytes).sum();
        let samples: u64 = found.iter().map(|block| block.samples).sum();
        format!("{:<10} {} files, {}, {samples} samples\n", name, found.len(), size(bytes))
    };
    match summary.range {
        Some((first, last)) => {
            let (first, last) = (first.to_rfc3339_seconds(), last.to_rfc3339_seconds());
            put(&mut text, format_args!("{:<10} {first} to {last}\n", "range"));
        }
        None => put(&mut text, format_args!("{:<10} nothing yet\n", "range")),
    }
    text.push_str(&days("values", true));
    text.push_str(&days("rollups", false));
    let (samples, series) = (summary.head_samples, summary.head_series);
    let wal = size(summary.wal_bytes);
    put(&mut text, format_args!("{:<10} {samples} samples of {series} series, {wal}\n", "log"));
    let (events, bytes) = summary.events;
    put(&mut text, format_args!("{:<10} {events} in {}\n", "events", size(bytes)));
    damages(&mut text, &summary.damage);
    text
}

/// What a check found.
pub(super) fn verified(files: usize, bytes: u64, samples: u64, damage: &[Damage]) -> String {
    let mut text = format!("{files} files, {}, {samples} samples read\n", size(bytes));
    if damage.is_empty() {
        text.push_str("all as written\n");
    }
    damages(&mut text, damage);
    text
}

fn damages(text: &mut String, damage: &[Damage]) {
    for one in damage {
        let (file, offset, what) = (one.file.display(), one.offset, one.what);
        put(text, format_args!("damaged    {file} at byte {offset}: expected {what}\n"));
    }
}

fn size(bytes: u64) -> String {
    let mut unit = 0;
    let mut rest = bytes;
    while rest >= 10_000 && unit < 4 {
        rest = (rest + 512) / 1024;
        unit += 1;
    }
    format!("{rest} {}", ["B", "KiB", "MiB", "GiB", "TiB"].get(unit).unwrap_or(&"TiB"))
}
