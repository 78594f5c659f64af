//! A program that runs beside a test or benchmark and ends with it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// How long a program may take to say that it is ready.
const START_LIMIT: Duration = Duration::from_mins(2);

/// A running program; killed when dropped.
pub(crate) struct Running {
    child: Child,
    said: String,
}

impl Running {
    /// Starts `command` and waits for the first line on its standard output that holds `ready`.
    pub(crate) fn start(command: &mut Command, ready: &'static str) -> Result<Self, String> {
        let program = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("`{program}` did not start: {error}"))?;
        let Some(output) = child.stdout.take() else {
            return Err(format!("`{program}` has no standard output"));
        };
        let (sender, receiver) = mpsc::sync_channel(1);
        thread::spawn(move || {
            // Reads on after the line was found, so that the program never blocks on a full pipe.
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if line.contains(ready) {
                    drop(sender.try_send(line));
                }
            }
        });
        let mut running = Self { child, said: String::new() };
        running.said = receiver
            .recv_timeout(START_LIMIT)
            .map_err(|error| format!("`{program}` never said `{ready}`: {error}"))?;
        Ok(running)
    }

    /// The line that said it was ready.
    pub(crate) fn said(&self) -> &str {
        &self.said
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; nothing is left to do then.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
