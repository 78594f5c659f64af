//! `cargo xtask new sink NAME`: a sink that works and is tested, to be changed into what is meant.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::process::{Outcome, root, run};

/// What a new sink begins as: lines over TCP. A unit test of the crate builds and runs it.
const SINK: &str = include_str!("../../crates/sinks/template/sink.rs");

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
