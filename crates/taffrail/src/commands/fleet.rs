//! `taffrail serve --config FILE` where the file names several clusters: a process for each, kept
//! running until this one ends. A cluster that fails takes no other with it.

use std::ffi::OsString;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::Duration;

use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::cli::{LogArgs, LogFormat};
use crate::exit::Failure;
use crate::shutdown;

/// Wait before a process that ended is started again; doubled each time it ends soon.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// A process that ran so long is waited for as if it were the first time.
const LASTED: Duration = Duration::from_mins(1);

/// Starts `words` with each of `clusters` and keeps them running until a signal ends this process.
pub(crate) async fn run(
    words: Vec<OsString>,
    log: LogArgs,
    clusters: Vec<String>,
) -> Result<(), Failure> {
    let stop = shutdown::on_signal()?;
    let program = std::env::current_exe()
        .map_err(|error| anyhow::anyhow!("find the program's own file: {error}"))?;
    let words: Vec<OsString> = words.into_iter().skip(1).collect();
    // Lines for people say whose they are; those for programs stay as they are.
    let named = log.log_format == LogFormat::Text;
    let mut kept = JoinSet::new();
    for cluster in clusters {
        let member = Member { program: program.clone(), words: words.clone(), cluster, named };
        kept.spawn(member.keep(stop.clone()));
    }
    while kept.join_next().await.is_some() {}
    Ok(())
}

/// One cluster's process.
struct Member {
    program: PathBuf,
    words: Vec<OsString>,
    cluster: String,
    named: bool,
}

impl Member {
    /// Runs it, again and again, until `stop`.
    async fn keep(self, stop: CancellationToken) {
        let mut wait = FIRST_WAIT;
        while !stop.is_cancelled() {
            let begun = Instant::now();
            let reason = match self.start() {
                Ok((mut child, input)) => {
                    let mut ended = spawn_blocking(move || child.wait());
                    let ended = tokio::select! {
                        ended = &mut ended => ended,
                        () = stop.cancelled() => {
                            drop(input);
                            ended.await
                        }
                    };
                    match ended {
                        Ok(Ok(status)) => status.to_string(),
                        Ok(Err(error)) => error.to_string(),
                        Err(error) => error.to_string(),
                    }
                }
                Err(error) => error.to_string(),
            };
            if stop.is_cancelled() {
                return;
            }
            if begun.elapsed() >= LASTED {
                wait = FIRST_WAIT;
            }
            tracing::error!(cluster = self.cluster, reason, ?wait, "ended, is started again");
            // Whichever comes first.
            timeout(wait, stop.cancelled()).await.ok();
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    fn start(&self) -> io::Result<(Child, ChildStdin)> {
        let stream = || if self.named { Stdio::piped() } else { Stdio::inherit() };
        let mut child = Command::new(&self.program)
            .args(&self.words)
            .arg(format!("--cluster={}", self.cluster))
            .arg("--attached")
            .stdin(Stdio::piped())
            .stdout(stream())
            .stderr(stream())
            .spawn()?;
        if let Some(from) = child.stdout.take() {
            self.pass(from, io::stdout());
        }
        if let Some(from) = child.stderr.take() {
            self.pass(from, io::stderr());
        }
        let input = child.stdin.take().ok_or_else(|| io::Error::other("it has no input"))?;
        Ok((child, input))
    }

    /// Passes lines on, each with the cluster's name before it.
    fn pass(&self, from: impl Read + Send + 'static, mut to: impl Write + Send + 'static) {
        let cluster = self.cluster.clone();
        let passing = move || {
            for line in BufReader::new(from).split(b'\n') {
                let Ok(line) = line else { return };
                let whole = [cluster.as_bytes(), b": ", &line, b"\n"].concat();
                // When nobody reads on, the process still must not stop at a full pipe.
                to.write_all(&whole).and_then(|()| to.flush()).ok();
            }
        };
        if let Err(error) = thread::Builder::new().name("pass-lines".to_owned()).spawn(passing) {
            tracing::error!(cluster = self.cluster, %error, "what it says is lost");
        }
    }
}
