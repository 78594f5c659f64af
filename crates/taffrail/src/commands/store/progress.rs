//! How far long work is: one line on standard error, on a terminal only.

use std::io::{IsTerminal as _, Write as _};

/// A line that is written over and over.
pub(super) struct Progress {
    what: &'static str,
    shown: bool,
    last: u64,
}

impl Progress {
    /// Of `what`, which is under way.
    pub(super) fn new(what: &'static str) -> Self {
        Self { what, shown: std::io::stderr().is_terminal(), last: u64::MAX }
    }

    /// `done` of `all` is done.
    pub(super) fn at(&mut self, done: u64, all: u64) {
        let percent = done.saturating_mul(100).checked_div(all).unwrap_or(100);
        if self.shown && percent != self.last {
            self.last = percent;
            self.write(&format!("\r{} {percent} %", self.what));
        }
    }

    /// Takes the line away.
    pub(super) fn end(&mut self) {
        if self.shown {
            self.write("\r\x1b[K");
        }
    }

    fn write(&mut self, text: &str) {
        let mut error = std::io::stderr().lock();
        // Nobody looks at a terminal that is gone.
        self.shown = error.write_all(text.as_bytes()).and_then(|()| error.flush()).is_ok();
    }
}
