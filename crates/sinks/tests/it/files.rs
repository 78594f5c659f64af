//! Files as others read them: DuckDB and pandas of Parquet, rotated and flushed at the end.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::servers::{batch, sink};

/// What a foreign reader finds in Parquet files: by DuckDB and by pandas.
const READ: &str = "
import sys, json, duckdb, pandas
files = sorted(sys.argv[1:])
seen = duckdb.sql(f'select epoch_ms(time), metric, kind, value from read_parquet({files}) order by time').fetchall()
frames = pandas.concat(pandas.read_parquet(file) for file in files)
assert list(frames['value']) == [row[3] for row in seen], frames
assert str(frames['time'].dtype).startswith('datetime64') and 'UTC' in str(frames['time'].dtype), frames.dtypes
print(json.dumps([seen, sorted(frames.columns)]))
";

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
    found.sort();
}

fn read(files: &[PathBuf]) -> serde_json::Value {
    let python = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/tools/python/bin/python");
    let output = Command::new(python).args(["-c", READ]).args(files).output();
    let output = output.unwrap_or_else(|error| panic!("{error}: run cargo xtask tools"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}: run cargo xtask tools");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn parquet_is_rotated_flushed_and_read_by_others() {
    let folder = tempfile::tempdir().unwrap();
    let address = folder.path().to_str().unwrap();
    for compress in ["gzip", "none"] {
        let settings = [
            ("format", "parquet"),
            ("compress", compress),
            ("batch_time", "5m"),
            ("keep_files", "2"),
            ("cluster", "c1"),
        ];
        let mut out = sink("files", address, &settings);
        for minute in 10..22 {
            out.export(&batch(minute, minute * 7)).unwrap();
            out.settled().await;
        }
        out.stop().await;
        let mut found = Vec::new();
        files(folder.path(), &mut found);
        let names: Vec<_> = found.iter().map(|path| path.to_str().unwrap()).collect();
        assert_eq!(names.len(), 2, "15 to 19, and 20 to 21 at the end: {names:?}");
        assert!(names[0].contains("/1970/01/01/001500-"), "{names:?}");
        assert!(names[1].contains("/1970/01/01/002000-"), "{names:?}");
        let expected: Vec<_> = (15..22)
            .map(|minute| {
                serde_json::json!([
                    minute * 60_000,
                    "cpu/usage_rate",
                    "cluster",
                    f64::from(minute * 7)
                ])
            })
            .collect();
        let columns = ["cluster", "kind", "metric", "time", "value"];
        assert_eq!(read(&found), serde_json::json!([expected, columns]), "{compress}");
        for path in &found {
            std::fs::remove_file(path).unwrap();
        }
    }
}
