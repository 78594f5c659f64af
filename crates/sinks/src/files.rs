//! Files: JSON lines or Parquet, a file for each stretch of time.

use std::time::Duration;

use crate::chunks::Framing;
use crate::exposed::{CLUSTER, Exposer};
use crate::plan::{Plan, Transport};
use crate::rows::{Rows, parquet};
use crate::select::Selection;
use crate::settings::Settings;
use crate::transport::{FilesPlan, Finish};
use crate::{Error, Kind};

pub(crate) const KIND: Kind = Kind {
    key: "files",
    name: "Files Sink",
    settings: &[
        FORMAT,
        ("compress", "gzip (default) or none"),
        ("keep_files", "how many files are kept, the newest; 0 (default) keeps all"),
        CLUSTER,
    ],
    example: "files:/var/lib/taffrail/files?batch_time=1h&keep_files=168",
    notice: None,
    metrics: Some(plan),
    events: None,
    alerts: None,
};

/// The setting that [`format`] reads, as (name, one sentence).
pub(crate) const FORMAT: (&str, &str) = (
    "format",
    "ndjson (default): a line for each entity; parquet: a row for each value, with a column for \
     each label",
);

const PARQUET: &str = ".parquet";

/// Most samples and bytes of one chunk.
pub(crate) const SAMPLES: u32 = 100_000;
pub(crate) const BYTES: usize = 4 << 20;
/// How long is gathered where the settings do not say.
const GATHER: Duration = Duration::from_mins(5);

fn plan(settings: &Settings, selection: Selection) -> Result<Plan, Error> {
    let Some(folder) = settings.path("address") else {
        return Err(settings.bad("address", "", "folders"));
    };
    let (finish, after) = format(settings)?;
    let keep = settings.number("keep_files", 0, &0)?;
    Ok(Plan {
        encode: Box::new(Rows { exposer: Exposer::new(settings, selection) }),
        framing: framing(),
        transport: Transport::Files(FilesPlan { folder, after, finish, keep }),
        concurrency: 1,
    })
}

/// How chunks of JSON lines are cut and gathered.
pub(crate) fn framing() -> Framing {
    Framing { gather: GATHER, ..Framing::lines(SAMPLES, BYTES) }
}

/// The settings `format` and `compress` as what is done, and what names end with.
pub(crate) fn format(settings: &Settings) -> Result<(Finish, &'static str), Error> {
    let gzip = match settings.text_or("compress", "gzip") {
        "gzip" => true,
        "none" => false,
        other => return Err(settings.bad("compress", other, "gzip, none")),
    };
    match (settings.text_or("format", "ndjson"), gzip) {
        ("ndjson", true) => Ok((Finish::Gzip, ".ndjson.gz")),
        ("ndjson", false) => Ok((Finish::AsIs, ".ndjson")),
        ("parquet", true) => Ok((Finish::Formed(|lines| parquet(lines, true)), PARQUET)),
        ("parquet", false) => Ok((Finish::Formed(|lines| parquet(lines, false)), PARQUET)),
        (other, _) => Err(settings.bad("format", other, "ndjson, parquet")),
    }
}
