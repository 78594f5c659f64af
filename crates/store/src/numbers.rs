//! Lists of integers as bytes: `pco` where it pays, varints for short lists, nothing for zeros.

use pco::wrapped::{FileCompressor, FileDecompressor};
use pco::{ChunkConfig, DeltaSpec, PagingSpec};

use crate::wire::{self, Malformed, Parsed, Reader};

/// Shorter lists are written as varints: pco's own header would outweigh what it saves.
const PCO_FROM: usize = 192;
/// Most numbers in one list.
pub(crate) const MAX_NUMBERS: usize = 1 << 24;

/// The header that pco writes before everything in format version 1.
const PCO_HEADER: &[u8] = &[4, 1];

const ZEROS: u8 = 0;
const VARINTS: u8 = 1;
const PCO: u8 = 2;

/// Appends `values`, whose number the reader must know. `level` is pco's (0–12).
pub(crate) fn put(values: &[i64], level: usize, out: &mut Vec<u8>) {
    if values.iter().all(|value| *value == 0) {
        return out.push(ZEROS);
    }
    if values.len() >= PCO_FROM {
        let start = out.len();
        out.push(PCO);
        let paging = PagingSpec::Exact(vec![values.len()]);
        let config = config(level).with_delta_spec(DeltaSpec::NoOp).with_paging_spec(paging);
        if compress(values, &config, out).is_some() {
            return;
        }
        out.truncate(start);
    }
    out.push(VARINTS);
    for value in values {
        wire::put_i64(out, *value);
    }
}

fn compress(values: &[i64], config: &ChunkConfig, out: &mut Vec<u8>) -> Option<()> {
    let mut compressor = FileCompressor::default().chunk_compressor(values, config).ok()?;
    compressor.write_meta(&mut *out).ok()?;
    compressor.write_page(0, out).ok()?;
    Some(())
}

/// Reads `count` values from the whole of `bytes`.
pub(crate) fn read(bytes: &[u8], count: usize) -> Parsed<Vec<i64>> {
    let mut reader = Reader::new(bytes);
    match reader.u8()? {
        ZEROS if count <= MAX_NUMBERS => Ok(vec![0; count]),
        VARINTS if count <= reader.rest().len() => {
            let values = (0..count).map(|_| reader.i64()).collect::<Parsed<_>>()?;
            if reader.is_empty() { Ok(values) } else { Err(Malformed) }
        }
        PCO if count <= MAX_NUMBERS => {
            let (mut chunk, rest) = decompressor()?
                .chunk_decompressor::<i64, _>(reader.rest())
                .map_err(|_| Malformed)?;
            let mut values = vec![0; count];
            let mut page = chunk.page_decompressor(rest, count).map_err(|_| Malformed)?;
            let progress = page.read(&mut values).map_err(|_| Malformed)?;
            if progress.n_processed == count { Ok(values) } else { Err(Malformed) }
        }
        _ => Err(Malformed),
    }
}

pub(crate) fn config(level: usize) -> ChunkConfig {
    ChunkConfig::default().with_compression_level(level)
}

/// pco's decoder. The version of pco's own format belongs to ours, so its header is not stored.
pub(crate) fn decompressor() -> Parsed<FileDecompressor> {
    FileDecompressor::new(PCO_HEADER).map(|(decoder, _)| decoder).map_err(|_| Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A new pco that writes another format needs a new version of ours.
    #[test]
    fn pco_writes_the_format_that_we_read() {
        let mut header = Vec::new();
        FileCompressor::default().write_header(&mut header).unwrap();
        assert_eq!(header, PCO_HEADER);
    }

    #[test]
    fn lists_come_back() {
        let long: Vec<i64> = (0..1000).map(|at| at % 7 * 4096).collect();
        let lists: [&[i64]; 5] = [&[], &[0, 0, 0], &[1, -1, i64::MAX, i64::MIN], &[0; 500], &long];
        for values in lists {
            let mut bytes = Vec::new();
            put(values, 4, &mut bytes);
            assert_eq!(read(&bytes, values.len()).as_deref(), Ok(values));
            assert!(bytes.len() <= 1 + values.len() * 10);
        }
    }
}
