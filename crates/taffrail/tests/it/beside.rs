//! Other programs that run beside a test, and waiting for what they do.

use std::fmt::Debug;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Nothing that is waited for takes this long.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long to wait before asking again.
const PAUSE: Duration = Duration::from_millis(100);

/// A program that ends with the test.
pub(crate) struct Beside(Child);

impl Beside {
    /// Starts it; `package` brings it where it is missing.
    pub(crate) fn start(command: &mut Command, package: &str) -> Self {
        let started = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let spawned = started.spawn();
        let told = format!(
            "{} cannot be started; `cargo xtask tools` installs {package}",
            command.get_program().display()
        );
        assert!(spawned.is_ok(), "{told}: {spawned:?}");
        Self(spawned.unwrap())
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A port of this machine that was free a moment ago, for programs that cannot choose one.
pub(crate) fn free_port() -> u16 {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
    free.unwrap().port()
}

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

/// Python with the packages of `cargo xtask tools`.
pub(crate) fn python() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let python = root.join("target/tools/python/bin/python");
    assert!(python.exists(), "{}: run `cargo xtask tools`", python.display());
    python
}
