//! docs/SINKS.md is made of the table of kinds; `cargo xtask golden` rewrites it.

use std::fmt::Write as _;
use std::path::Path;

use sinks::{ALL, COMMON, Kind};

fn settings(out: &mut String, settings: &[(&str, &str)]) {
    out.push_str("| setting | |\n|---|---|\n");
    for (name, text) in settings {
        writeln!(out, "| `{name}` | {} |", text.replace('|', "\\|")).unwrap();
    }
    out.push('\n');
}

fn takes(kind: &Kind) -> String {
    let (first, rest) = kind.takes().split_at(1);
    format!("{}{rest}.", first.to_uppercase())
}

fn rendered() -> String {
    let mut out = String::from(
        "# Sinks\n\nWhere metrics and events go besides the dashboard and our own history.\n\
         A sink is one `--sink=KIND:ADDRESS?SETTING=VALUE&…`; it may be given several times, of \
         the same kind too.\n`$NAME` in it is replaced by the environment's variable.\n\
         How delivery works: decisions/0020-one-delivery-engine-for-sinks.md. What differs from \
         Heapster: COMPAT.md.\nThis page is made of the code: `cargo xtask golden` writes it.\n\n\
         ## Settings of every sink\n\n",
    );
    settings(&mut out, COMMON);
    for kind in ALL {
        write!(out, "## {}\n\n{} ", kind.key, takes(kind)).unwrap();
        writeln!(out, "In self-metrics: `{}`.", kind.name).unwrap();
        if let Some(notice) = kind.notice {
            writeln!(out, "{notice}.").unwrap();
        }
        write!(out, "\n    --sink='{}'\n\n", kind.example).unwrap();
        if !kind.settings.is_empty() {
            settings(&mut out, kind.settings);
        }
    }
    format!("{}\n", out.trim_end())
}

#[test]
fn the_page_of_sinks_is_what_the_code_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/SINKS.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, rendered()).unwrap();
        return;
    }
    let page = std::fs::read_to_string(path).unwrap_or_default();
    assert!(page == rendered(), "docs/SINKS.md is old: cargo xtask golden writes it");
}
