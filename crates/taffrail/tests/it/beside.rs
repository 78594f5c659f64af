//! Waiting for what goes on beside a test, and Python for scripts that do.

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Nothing that is waited for takes this long.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long to wait before asking again.
const PAUSE: Duration = Duration::from_millis(200);

/// Asks until there is an answer.
pub(crate) fn eventually<T, E: Debug>(what: &str, mut ask: impl FnMut() -> Result<T, E>) -> T {
    let begun = Instant::now();
    loop {
        match ask() {
            Ok(found) => return found,
            Err(why) => {
                assert!(begun.elapsed() < PATIENCE, "waited in vain until {what}: {why:?}");
            }
        }
        std::thread::park_timeout(PAUSE);
    }
}

/// Asks until it holds.
pub(crate) fn until(what: &str, holds: impl FnMut() -> bool) {
    within(PATIENCE, what, holds);
}

/// The same, where two minutes are too few.
pub(crate) fn within(patience: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < patience, "waited in vain until {what}");
        std::thread::park_timeout(PAUSE);
    }
}

/// Python with the packages of `cargo xtask tools`.
pub(crate) fn python() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let python = root.join("target/tools/python/bin/python");
    assert!(python.exists(), "{}: run `cargo xtask tools`", python.display());
    python
}
