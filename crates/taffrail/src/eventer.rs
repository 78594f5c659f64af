//! Eventer's command line and what it did: the cluster's events to sinks, and nothing else.
//!
//! Source of names, defaults and parsing: Heapster's eventer, which used Go's `flag`: one dash or
//! two, `_` and `-` told apart.

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::Parser;
use cluster::{WatchStatus, Watches};
use metrics_exporter_prometheus::PrometheusHandle;
use model::LabelOptions;
use pipeline::Clock;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::app::events::{self, EventIntake, POSITION, Takers};
use crate::cli::duration;
use crate::config::Dialect;
use crate::exit::Failure;
use crate::input::Input;
use crate::{outputs, shutdown};

/// How seldom the loop may run before the process counts as ill. Eventer's.
const LATE: Duration = Duration::from_mins(3);
/// The bounds of `--frequency`. Eventer's.
const FREQUENCIES: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(5)..=Duration::from_mins(3);

/// Eventer's flags.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "eventer",
    disable_version_flag = true,
    about = "Eventer's command line, served by Taffrail"
)]
pub(crate) struct EventerArgs {
    /// Source to read events from; exactly one.
    #[arg(long, value_name = "PREFIX:CONFIG[?OPTIONS]")]
    source: Vec<String>,
    /// External sink(s) that receive events.
    #[arg(long, value_name = "PREFIX:CONFIG[?OPTIONS]")]
    sink: Vec<String>,
    /// How often sinks get the events that were gathered, from 5s to 3m.
    #[arg(long, default_value = "30s", value_parser = duration)]
    frequency: Duration,
    /// Max number of CPUs that can be used simultaneously; less than 1 for all cores.
    #[arg(long = "max_procs", default_value_t = 0)]
    pub(crate) max_procs: i64,
    /// IP address of /healthz and /metrics.
    #[arg(long, default_value = "0.0.0.0")]
    healthz_ip: IpAddr,
    /// Port of /healthz and /metrics.
    #[arg(long, default_value_t = 8084)]
    healthz_port: u16,
    /// Print version info and exit.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false)]
    pub(crate) version: bool,
    /// Log level for V logs.
    #[arg(long, default_value_t = 0)]
    pub(crate) v: u8,
    /// Folder that keeps how far events were read; without it a start begins with what happens
    /// then. Not eventer's.
    #[arg(long, value_name = "DIR", env = "TAFFRAIL_DATA_DIR")]
    data_dir: Option<PathBuf>,
    #[command(flatten)]
    unused: UnusedArgs,
}

/// Flags that eventer parses and that change nothing here: glog's.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Accepted, without effect")]
struct UnusedArgs {
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    alsologtostderr: Option<String>,
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    logtostderr: Option<String>,
    #[arg(long = "log_backtrace_at")]
    log_backtrace_at: Option<String>,
    #[arg(long = "log_dir")]
    log_dir: Option<String>,
    #[arg(long)]
    stderrthreshold: Option<String>,
    #[arg(long)]
    vmodule: Option<String>,
}

impl EventerArgs {
    /// Reads eventer's command line (program name first).
    pub(crate) fn parse_words(words: impl Iterator<Item = OsString>) -> Result<Self, clap::Error> {
        Self::try_parse_from(words.enumerate().map(|(at, word)| match at {
            0 => word,
            _ => two_dashes(word),
        }))
    }

    /// What is wrong with what was given, in eventer's words where it had some.
    fn check(&self) -> Result<&str, Failure> {
        let mut mistakes = Vec::new();
        if !FREQUENCIES.contains(&self.frequency) {
            mistakes.push(format!("--frequency={:?}: not from 5s to 3m", self.frequency));
        }
        match &*self.source {
            [source] if mistakes.is_empty() => return Ok(source),
            [_] => {}
            sources => mistakes.push(format!(
                "--source: wrong number of sources specified: {}; give exactly one, such as \
                 --source=kubernetes:''",
                sources.len()
            )),
        }
        Err(Failure::config(mistakes.join("\n")))
    }
}

/// `-sink=x` → `--sink=x`, as Go's `flag` takes both.
fn two_dashes(word: OsString) -> OsString {
    match word.to_str() {
        Some(text) if text.len() > 1 && text.starts_with('-') && !text.starts_with("--") => {
            format!("-{text}").into()
        }
        _ => word,
    }
}

/// Reads events and hands them to sinks until asked to stop.
pub(crate) async fn run(args: EventerArgs, self_metrics: PrometheusHandle) -> Result<(), Failure> {
    let clock = Clock::system();
    let source = args.check()?;
    let requested = shutdown::on_signal()?;
    let input = Input::find(Dialect::Heapster, Some(source)).await;
    let input = input.map_err(|unresolved| crate::input::explained(unresolved, false))?;
    let Input::Cluster(connection) = input else {
        return Err(Failure::config("--source=host: this machine has no events: give a cluster"));
    };
    let file = args.data_dir.as_ref().map(|folder| {
        std::fs::create_dir_all(folder)
            .map(|()| folder.join(POSITION))
            .map_err(|error| Failure::config(format!("--data-dir={}: {error}", folder.display())))
    });
    let file = file.transpose()?;
    let sinks =
        outputs::event_sinks(&args.sink, Dialect::Heapster, &LabelOptions::default(), clock)?;
    let address = SocketAddr::new(args.healthz_ip, args.healthz_port);
    let socket = TcpListener::bind(address).await.map_err(|error| {
        Failure::unavailable(format!(
            "cannot listen on {address}: {error}; choose another with --healthz-ip and \
             --healthz-port"
        ))
    })?;
    let address = socket.local_addr().map_err(Failure::unavailable)?;
    let mut watches = Watches::none(clock);
    let takers = Takers { store: None, sinks, file, membership: None };
    let intake = EventIntake::new(takers, &mut watches, &connection, args.frequency, clock);
    let (looped, board) = (intake.looped(), watches.board.clone());
    let healthy: api::Healthy = Arc::new(move || {
        let last = model::Timestamp::from_secs(looped.load(Ordering::Relaxed));
        let now = clock.now();
        if now.since(last) > LATE {
            return Err(format!("no loop since {}", last.to_rfc3339_seconds()));
        }
        let ill = |status: &WatchStatus| now.since(status.since) > LATE;
        match board
            .statuses()
            .iter()
            .find_map(|status| status.failure.clone().filter(|_| ill(status)))
        {
            Some(failure) => Err(format!("events cannot be read: {}", failure.reason)),
            None => Ok(()),
        }
    });
    tracing::info!(url = connection.url(), settings = %connection.origin(), "API server");
    crate::say(&format!("Eventer serves http://{address}/healthz and /metrics"))?;
    let (stop, stops) = oneshot::channel::<()>();
    let intake = tokio::spawn(intake.run(stops));
    let outcome = tokio::select! {
        () = api::serve_health(socket, healthy, self_metrics) => {
            Err(Failure::from(anyhow::anyhow!("the port of /healthz is gone")))
        }
        () = requested.cancelled() => Ok(()),
        reason = watches.ended() => Err(Failure::from(anyhow::anyhow!(reason))),
    };
    drop(stop);
    events::ended(Some(intake)).await;
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<EventerArgs, clap::Error> {
        let words = std::iter::once("eventer").chain(line.split_whitespace());
        EventerArgs::parse_words(words.map(OsString::from))
    }

    #[test]
    fn one_dash_is_two_and_underscores_are_no_dashes() {
        let args = parse("-source=kubernetes:http://h -sink log -frequency 10s -v=2 --max_procs=1")
            .unwrap();
        assert_eq!(
            (args.source, args.sink),
            (vec!["kubernetes:http://h".to_owned()], vec!["log".to_owned()])
        );
        assert_eq!((args.frequency, args.v, args.max_procs), (Duration::from_secs(10), 2, 1));
        assert_eq!((args.healthz_ip.to_string(), args.healthz_port), ("0.0.0.0".to_owned(), 8084));
        let args =
            parse("--healthz-ip=127.0.0.1 --healthz-port=0 -logtostderr=true -version").unwrap();
        assert!(args.version && args.healthz_port == 0);
        assert!(parse("--max-procs=1").is_err());
        assert!(parse("--healthz_port=1").is_err());
    }

    #[test]
    fn wrong_sources_and_frequencies_are_refused() {
        for (line, expected) in [
            ("", "wrong number of sources specified: 0"),
            ("--source=kubernetes --source=kubernetes", "wrong number of sources specified: 2"),
            ("--source=kubernetes --frequency=4s", "--frequency=4s: not from 5s to 3m"),
            ("--source=kubernetes --frequency=181s", "not from 5s to 3m"),
        ] {
            let failure = parse(line).unwrap().check().unwrap_err();
            assert!(failure.message.contains(expected), "{line}: {}", failure.message);
        }
        assert_eq!(parse("--source=kubernetes").unwrap().check().unwrap(), "kubernetes");
    }
}
