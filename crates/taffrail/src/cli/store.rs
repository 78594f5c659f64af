//! `taffrail store`: what is in a folder of history, without a server.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// `taffrail store`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Works on a folder that no server holds, and on one that a running server \
    writes: then on a copy of this moment.\n\
    Exit codes: 0 all well, 1 damage was found, 64 bad usage, 69 the folder cannot be used.")]
pub(crate) struct StoreArgs {
    #[command(subcommand)]
    pub(crate) verb: StoreVerb,
}

/// What to do with a folder of history.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum StoreVerb {
    /// Show what the folder holds.
    Info(FolderArgs),
    /// Read and check every byte.
    Verify(FolderArgs),
    /// Write values or events to a file.
    Export(ExportArgs),
    /// Copy the folder as it is at this moment; blocks are linked, not copied, on one disk.
    Snapshot(SnapshotArgs),
}

/// Which folder, and how the result looks.
#[derive(Debug, Clone, Args)]
pub(crate) struct FolderArgs {
    /// Folder of history, as given to `serve --data-dir`.
    #[arg(value_name = "DIR", env = "TAFFRAIL_DATA_DIR")]
    pub(crate) dir: PathBuf,
    /// How the result looks.
    #[arg(long, value_enum, default_value_t = StoreOutput::Text)]
    pub(crate) output: StoreOutput,
}

/// How a result looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StoreOutput {
    /// For people.
    Text,
    /// One JSON object.
    Json,
}

/// `taffrail store export`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    pub(crate) folder: FolderArgs,
    /// What is written.
    #[arg(long, value_enum)]
    pub(crate) format: ExportFormat,
    /// Write events instead of values; as parquet, csv or ndjson.
    #[arg(long)]
    pub(crate) events: bool,
    /// Only series with this label: `label=value`, `label!=value`, `label=~regex`,
    /// `label!~regex`. Beside namespace, pod, container, node, workload, … there are `kind` and
    /// `metric`. May be given several times; all must pass. Of events: namespace, kind, object,
    /// type, reason, message, source, uid, `object_uid`.
    #[arg(long = "match", value_name = "LABEL=VALUE")]
    pub(crate) matches: Vec<String>,
    /// From this time on: RFC 3339 (`2026-11-23T09:00:00Z`) or an age (`2d`). [default: all]
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Up to this time. [default: all]
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
    /// The file to write; `-` is standard output.
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub(crate) out: PathBuf,
}

/// Formats of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// A row per value; for DuckDB, pandas, Spark.
    Parquet,
    /// A row per value.
    Csv,
    /// A series per line, as VictoriaMetrics imports it.
    Ndjson,
    /// Prometheus's text with timestamps, as `promtool tsdb create-blocks-from` reads it.
    Openmetrics,
}

/// `taffrail store snapshot`.
#[derive(Debug, Clone, Args)]
pub(crate) struct SnapshotArgs {
    #[command(flatten)]
    pub(crate) folder: FolderArgs,
    /// Folder of the copy; must not hold history.
    #[arg(value_name = "TO")]
    pub(crate) to: PathBuf,
}
