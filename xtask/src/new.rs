//! `cargo xtask new sink NAME`: a sink that works and is tested, to be changed into what is meant.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::process::{Outcome, root, run};

/// What a new sink begins as: lines over TCP.
const SINK: &str = r#"//! NAME: one `name{labels} value seconds` line per point, over TCP.

use model::Batch;

use crate::address::Address;
use crate::chunks::{Chunks, Framing};
use crate::labels::Labels;
use crate::plan::{Encode, Plan, Transport};
use crate::select::{Selection, value};
use crate::settings::Settings;
use crate::text::{push_int, push_json, push_value};
use crate::{Error, Kind};

pub(crate) const KIND: Kind = Kind {
    key: "NAME",
    name: "NAME",
    settings: &[("prefix", "before every name (default none)")],
    example: "NAME:tcp://localhost:4000?prefix=k8s.",
    notice: None,
    metrics: Some(plan),
    events: None,
    alerts: None,
};

/// Most points and bytes of one connection.
const POINTS: u32 = 10_000;
const BYTES: usize = 1 << 20;

#[expect(clippy::unnecessary_wraps, reason = "every kind has the same door")]
fn plan(settings: &Settings, selection: Selection) -> Result<Plan, Error> {
    let address = Address::parse(settings.text_or("address", ""), "localhost:4000");
    let prefix = settings.text_or("prefix", "").to_owned();
    Ok(Plan {
        encode: Box::new(Encoder { selection, prefix, labels: Labels::default() }),
        framing: Framing::lines(POINTS, BYTES),
        transport: Transport::Tcp(address.authority),
        concurrency: 1,
    })
}

struct Encoder {
    selection: Selection,
    prefix: String,
    labels: Labels,
}

impl Encode for Encoder {
    fn encode(&mut self, batch: &Batch, out: &mut Chunks<'_>) {
        let Self { selection, prefix, labels } = self;
        for selected in selection.tables(batch) {
            selection.for_each_row(batch, &selected, labels, |row, labels| {
                for column in &selected.columns {
                    let Some(value) = value(column, row.at) else { continue };
                    out.point(|line| {
                        line.extend_from_slice(prefix.as_bytes());
                        line.extend_from_slice(column.metric().name().as_bytes());
                        for (at, (key, value)) in labels.iter().enumerate() {
                            line.push(if at == 0 { b'{' } else { b',' });
                            line.extend_from_slice(key.as_bytes());
                            line.push(b'=');
                            push_json(line, value);
                        }
                        line.extend_from_slice(b"} ");
                        push_value(line, value);
                        line.push(b' ');
                        push_int(line, batch.timestamp().secs());
                        line.push(b'\n');
                    });
                }
            });
        }
    }
}
"#;

/// Writes the file, the two lines and the golden files of a sink called `name`.
pub(crate) fn sink(name: &str) -> Outcome {
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if name.is_empty() || !plain(name) {
        return Err(format!("{name:?}: a sink's name is of small letters and underscores"));
    }
    let file = root().join(format!("crates/sinks/src/{name}.rs"));
    if file.exists() {
        return Err(format!("{} is there already", file.display()));
    }
    let lib = root().join("crates/sinks/src/lib.rs");
    let text = with_lines(&read(&lib)?, name).ok_or("crates/sinks/src/lib.rs has no list ALL")?;
    write(&file, &SINK.replace("NAME", name))?;
    write(&lib, &text)?;
    run(Command::new(env!("CARGO"))
        .args(["test", "--package", "sinks", "--test", "it", "--"])
        .args(["every_kind_writes_every_fixture", "the_page_of_sinks"])
        .env("UPDATE", "1")
        .current_dir(root()))?;
    println!("{name} works: change it, then cargo xtask golden, and look at the difference");
    Ok(())
}

/// `lib` with a module and a row of the list for `name`.
fn with_lines(lib: &str, name: &str) -> Option<String> {
    let (before, list) = lib.split_once("pub const ALL: &[Kind] = &[\n")?;
    let (rows, after) = list.split_once("];")?;
    // The modules of sinks are the last block of modules before the imports.
    let (modules, imports) = before.split_once("\nuse ")?;
    let at = modules.rfind("\n\nmod ")? + 2;
    let (head, sinks) = modules.split_at_checked(at)?;
    let mut sinks: Vec<String> = sinks.lines().map(str::to_owned).collect();
    sinks.retain(|line| !line.is_empty());
    sinks.push(format!("mod {name};"));
    // As rustfmt sorts them: `a` before `a2`.
    sinks.sort_unstable_by(|left, right| {
        left.trim_end_matches(';').cmp(right.trim_end_matches(';'))
    });
    let sinks = sinks.join("\n");
    Some(format!(
        "{head}{sinks}\n\nuse {imports}pub const ALL: &[Kind] = &[\n{rows}    {name}::KIND,\n];{after}"
    ))
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("read {}: {error}", path.display()))
}

fn write(path: &Path, text: &str) -> Outcome {
    fs::write(path, text).map_err(|error| format!("write {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_lines_make_a_sink_known() {
        let lib = "//! x\nmod plan;\n\nmod log;\nmod log2;\n\nuse model::X;\n\npub const ALL: &[Kind] = &[\n    log::KIND,\n];\nfn f() {}\n";
        let expected = "//! x\nmod plan;\n\nmod log;\nmod log2;\nmod m;\n\nuse model::X;\n\npub const ALL: &[Kind] = &[\n    log::KIND,\n    m::KIND,\n];\nfn f() {}\n";
        assert_eq!(with_lines(lib, "m").as_deref(), Some(expected));
        assert_eq!(with_lines("nothing", "m"), None);
        let real = read(&root().join("crates/sinks/src/lib.rs")).unwrap();
        let added = with_lines(&real, "zzz").unwrap();
        assert!(added.contains("\nmod zzz;\n") && added.contains("\n    zzz::KIND,\n];"));
    }
}
