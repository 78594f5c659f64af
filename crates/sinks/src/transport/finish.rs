//! What is done to a body just before it goes: what waits stays as the encoder wrote it, so that
//! chunks can be joined.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::task::spawn_blocking;

/// Bodies above this are compressed on a thread of their own.
const LARGE_BYTES: usize = 256 * 1024;
/// Bytes of gRPC's prefix: whether it is compressed, and how long it is.
const PREFIX_BYTES: usize = 5;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Finish {
    AsIs,
    Gzip,
    /// Snappy's block format, as remote write wants it.
    Snappy,
    /// Another form altogether, which the sink makes of it.
    Formed(fn(&[u8]) -> Result<Vec<u8>, String>),
}

impl Finish {
    /// What `Content-Encoding` calls it.
    pub(super) fn encoding(self) -> Option<&'static str> {
        match self {
            Self::AsIs | Self::Formed(_) => None,
            Self::Gzip => Some("gzip"),
            Self::Snappy => Some("snappy"),
        }
    }

    /// The body as it goes, with gRPC's prefix where asked for.
    pub(super) async fn apply(self, bytes: Bytes, prefixed: bool) -> Result<Bytes, String> {
        let whole = if matches!(self, Self::AsIs) {
            bytes
        } else if bytes.len() < LARGE_BYTES {
            self.compress(&bytes)?
        } else {
            let compressed = spawn_blocking(move || self.compress(&bytes)).await;
            compressed.map_err(|error| error.to_string())??
        };
        if !prefixed {
            return Ok(whole);
        }
        let length = u32::try_from(whole.len()).map_err(|_| "larger than 4 GiB".to_owned())?;
        let mut out = Vec::with_capacity(PREFIX_BYTES + whole.len());
        out.push(u8::from(!matches!(self, Self::AsIs)));
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&whole);
        Ok(out.into())
    }

    /// `bytes` compressed.
    pub(crate) fn compress(self, bytes: &[u8]) -> Result<Bytes, String> {
        match self {
            Self::AsIs => Ok(Bytes::copy_from_slice(bytes)),
            Self::Formed(form) => form(bytes).map(Bytes::from),
            Self::Gzip => {
                let mut encoder =
                    GzEncoder::new(Vec::with_capacity(bytes.len() / 8), Compression::fast());
                encoder.write_all(bytes).map_err(|error| error.to_string())?;
                encoder.finish().map(Bytes::from).map_err(|error| error.to_string())
            }
            Self::Snappy => {
                let compressed = snap::raw::Encoder::new().compress_vec(bytes);
                compressed.map(Bytes::from).map_err(|error| error.to_string())
            }
        }
    }
}
