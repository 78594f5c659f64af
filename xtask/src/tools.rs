//! What the tests need besides Rust and Node: a browser and kubectl, from Debian's packages.

use std::path::Path;
use std::process::Command;

use crate::process::{Outcome, run};

/// (what is looked for, the package that brings it)
const TOOLS: &[(&str, &str)] =
    &[("/usr/bin/chromium", "chromium"), ("/usr/bin/kubectl", "kubernetes-client")];

/// Installs what is missing; does nothing where all is there.
pub(crate) fn install() -> Outcome {
    let missing: Vec<&str> =
        TOOLS.iter().filter(|(file, _)| !Path::new(file).exists()).map(|(_, name)| *name).collect();
    if missing.is_empty() {
        return Ok(());
    }
    println!("missing: {}", missing.join(", "));
    run(Command::new("apt-get").args(["update", "-qq"]))?;
    run(Command::new("apt-get")
        .args(["install", "-y", "-qq", "--no-install-recommends"])
        .args(&missing)
        .env("DEBIAN_FRONTEND", "noninteractive"))
    .map_err(|error| format!("{error}; install {} by hand and run again", missing.join(", ")))
}
