//! The rule files while the process runs: noticed when they change, read again when asked to.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use api::Problem;
use metrics::gauge;
use model::{Hop, Timestamp};
use rules::Group;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use crate::config::Config;
use crate::facts::Trouble;
use crate::rule_files;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Most requests to read them that wait.
const MAX_WAITING: usize = 16;
/// Gauge: 1 when the files could be read the last time, else 0.
const SUCCESSFUL: &str = "taffrail_rule_files_last_reload_successful";

/// How a reading went; else every mistake.
pub(crate) type Told = Result<(), String>;
type Asked = oneshot::Sender<Told>;

/// Asks for the rule files to be read again.
#[derive(Clone)]
pub(crate) struct Reload {
    asks: mpsc::Sender<Asked>,
    wrong: Arc<Mutex<Option<Problem>>>,
}

/// What the files are, and who asks for them to be read.
pub(crate) struct Files {
    patterns: Vec<String>,
    no_builtin: bool,
    asked: mpsc::Receiver<Asked>,
    wrong: Arc<Mutex<Option<Problem>>>,
    /// A terminal that closes ends a process that has no rule files.
    hangup: Option<Signal>,
    /// How the files looked before they were read.
    seen: Vec<Seen>,
    look_at: Instant,
}

/// A file and how it looked.
type Seen = (PathBuf, Option<(SystemTime, u64)>);

/// Why the files are to be read.
pub(super) enum Wanted {
    /// Somebody waits for how it goes.
    Asked(Asked),
    /// SIGHUP.
    Hangup,
    /// They look different.
    Changed,
}

/// Both ends. Must be called inside a runtime.
pub(crate) fn reload(config: &Config) -> (Reload, Files) {
    let (asks, asked) = mpsc::channel(MAX_WAITING);
    let wrong: Arc<Mutex<Option<Problem>>> = Arc::default();
    let patterns = config.rules.files.clone();
    let hangup = (!patterns.is_empty()).then(|| signal(SignalKind::hangup()).ok()).flatten();
    let files = Files {
        patterns,
        no_builtin: config.rules.no_builtin,
        asked,
        wrong: Arc::clone(&wrong),
        hangup,
        seen: Vec::new(),
        look_at: Instant::now() + LOOK_EVERY,
    };
    (Reload { asks, wrong }, files)
}

impl Reload {
    /// Asks, and waits for how it went.
    pub(crate) fn ask(&self) -> Pin<Box<dyn Future<Output = Told> + Send>> {
        let asks = self.asks.clone();
        Box::pin(async move {
            let (tell, told) = oneshot::channel();
            let busy = || "rules are not evaluated in this process".to_owned();
            asks.try_send(tell).map_err(|_| busy())?;
            told.await.map_err(|_| busy())?
        })
    }

    /// What is wrong with the files now.
    pub(crate) fn trouble(&self) -> Trouble {
        let wrong = Arc::clone(&self.wrong);
        Arc::new(move || {
            wrong.lock().unwrap_or_else(PoisonError::into_inner).clone().into_iter().collect()
        })
    }
}

impl Files {
    /// The groups of all files and the built-in ones, or every mistake.
    pub(super) fn groups(&mut self) -> Result<Vec<Group>, String> {
        // Before they are read: what changes meanwhile is seen to be different.
        self.seen = looked(&self.patterns);
        let mut groups = if self.no_builtin { Vec::new() } else { rules::builtin() };
        groups.extend(rule_files::load(&self.patterns)?);
        Ok(groups)
    }

    /// Waits until the files are to be read.
    pub(super) async fn wanted(&mut self) -> Wanted {
        loop {
            let hung_up = async {
                match &mut self.hangup {
                    Some(hangup) => hangup.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                Some(asked) = self.asked.recv() => return Wanted::Asked(asked),
                Some(()) = hung_up => return Wanted::Hangup,
                () = sleep_until(self.look_at) => {
                    self.look_at = Instant::now() + LOOK_EVERY;
                    if looked(&self.patterns) != self.seen {
                        return Wanted::Changed;
                    }
                }
            }
        }
    }

    /// Notes how reading the files went.
    pub(super) fn note(&mut self, told: &Told, now: Timestamp) {
        gauge!(SUCCESSFUL).set(if told.is_ok() { 1.0 } else { 0.0 });
        let problem = told.as_ref().err().map(|reason| {
            tracing::error!(reason, "the rule files are wrong, the rules stay as they were");
            Problem {
                about: "rule files".to_owned(),
                hop: Hop::Local,
                reason: reason.lines().next().unwrap_or_default().to_owned(),
                advice: format!(
                    "the rules stay as they were; `taffrail rules check {}` tells every mistake",
                    self.patterns.join(" ")
                ),
                since: now,
            }
        });
        *self.wrong.lock().unwrap_or_else(PoisonError::into_inner) = problem;
    }
}

/// How the files look; one that is not there looks like nothing.
fn looked(patterns: &[String]) -> Vec<Seen> {
    let look = |path: PathBuf| {
        let found = std::fs::metadata(&path).ok();
        let found = found.and_then(|found| Some((found.modified().ok()?, found.len())));
        (path, found)
    };
    let expand = |pattern: &String| rule_files::expand(pattern).unwrap_or_default();
    patterns.iter().flat_map(expand).map(look).collect()
}
