//! `taffrail top`: what uses CPU and memory, as a table, again and again, or full-screen.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use top::{Api, Filters, Order, ScreenOptions, SortBy, Subject, TableOptions};

use crate::cli::{LogArgs, TopArgs, TopOutput, TopSort, TopSubject};
use crate::exit::Failure;
use crate::{say, shutdown};

mod direct;
mod served;

/// Between two tables where nobody says otherwise.
const WATCH_EVERY: Duration = Duration::from_secs(5);

/// How much is logged: nothing below a full screen, only warnings beside a table, unless asked for.
pub(crate) fn log(args: &TopArgs, asked: LogArgs) -> LogArgs {
    let quiet = if is_full_screen(args) { "off" } else { "error" };
    if asked.log == "info" { LogArgs { log: quiet.to_owned(), ..asked } } else { asked }
}

fn is_full_screen(args: &TopArgs) -> bool {
    args.interactive || args.subject.is_none()
}

/// Shows what is asked for once, or until a signal ends it.
pub(crate) async fn run(args: TopArgs, self_metrics: PrometheusHandle) -> Result<(), Failure> {
    let filters = filters(&args)?;
    let subject = subject(&args);
    let order = order(&args, subject)?;
    if is_full_screen(&args) && !io::stdout().is_terminal() {
        return Err(Failure::usage(
            "the full-screen view needs a terminal; name what to list for a table: \
             `taffrail top nodes`, pods, containers, namespaces, workloads",
        ));
    }
    let stop = shutdown::on_signal()?;
    let opened = tokio::select! {
        opened = open(&args, self_metrics, &stop) => opened,
        () = stop.cancelled() => return Ok(()),
    };
    let api = opened?;
    if is_full_screen(&args) {
        let options = ScreenOptions { subject, filters, interval: args.interval };
        let shown = top::full_screen(api, options, stop.clone()).await;
        stop.cancel();
        return shown.map_err(|error| anyhow::anyhow!("use the terminal: {error}").into());
    }
    let outcome = print(&*api, &args, (subject, order, &filters), &stop).await;
    stop.cancel();
    outcome
}

/// A server to ask: the named one, the source measured here, else whichever of the two is there.
async fn open(
    args: &TopArgs,
    self_metrics: PrometheusHandle,
    stop: &CancellationToken,
) -> Result<Arc<dyn Api>, Failure> {
    if let Some(server) = &args.server {
        let (token, ca) = (args.token_file.as_deref(), args.ca_file.as_deref());
        return Ok(Arc::new(served::Server::new(server, token, ca)?));
    }
    if args.source.is_none()
        && let Some(server) = served::local().await?
    {
        return Ok(Arc::new(server));
    }
    let direct = direct::Measuring::start(args.source.clone(), self_metrics, stop.clone()).await?;
    direct.wait_for_rates(io::stderr().is_terminal()).await?;
    Ok(Arc::new(direct))
}

async fn print(
    api: &dyn Api,
    args: &TopArgs,
    (subject, order, filters): (Subject, Order, &Filters),
    stop: &CancellationToken,
) -> Result<(), Failure> {
    let terminal = io::stdout().is_terminal();
    loop {
        let next = Instant::now() + args.interval.unwrap_or(WATCH_EVERY);
        let listed = tokio::select! {
            listed = top::all(api, subject, order, filters) => listed,
            () = stop.cancelled() => return Ok(()),
        };
        match (listed, args.watch) {
            (Ok(list), watch) => {
                if watch && terminal {
                    clear()?;
                }
                say(text(subject, &list, args)?.trim_end_matches('\n'))?;
            }
            (Err(error), false) => return Err(Failure::unavailable(error)),
            // What was printed stays; the next try may do better.
            (Err(error), true) => tracing::error!("{error}"),
        }
        if !args.watch {
            return Ok(());
        }
        tokio::select! {
            () = sleep_until(next) => {}
            () = stop.cancelled() => return Ok(()),
        }
    }
}

fn text(subject: Subject, list: &top::All, args: &TopArgs) -> Result<String, Failure> {
    let options = TableOptions {
        no_headers: args.no_headers,
        wide: args.output == TopOutput::Wide,
        one_namespace: args.namespace.len() == 1,
        sum: args.sum,
    };
    if args.output == TopOutput::Json {
        let document = serde_json::json!({ "timestamp": list.timestamp, "items": list.rows });
        return serde_json::to_string_pretty(&document)
            .map_err(|error| anyhow::anyhow!("write JSON: {error}").into());
    }
    if list.rows.is_empty() {
        return Ok(match list.timestamp {
            None => "No batch was measured yet; try again in a moment.".to_owned(),
            Some(_) => format!("No {} found.", subject.name()),
        });
    }
    Ok(top::table(subject, &list.rows, options))
}

/// Moves to the upper left corner and clears what is there.
fn clear() -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    output
        .write_all(b"\x1b[H\x1b[2J")
        .map_err(|error| anyhow::anyhow!("write to standard output: {error}").into())
}

fn subject(args: &TopArgs) -> Subject {
    match args.subject {
        None | Some(TopSubject::Nodes) => Subject::Nodes,
        Some(TopSubject::Pods) if args.containers => Subject::Containers,
        Some(TopSubject::Pods) => Subject::Pods,
        Some(TopSubject::Containers) => Subject::Containers,
        Some(TopSubject::Namespaces) => Subject::Namespaces,
        Some(TopSubject::Workloads) => Subject::Workloads,
    }
}

fn order(args: &TopArgs, subject: Subject) -> Result<Order, Failure> {
    let by = match args.sort_by {
        TopSort::Name => SortBy::Name,
        TopSort::Cpu => SortBy::Cpu,
        TopSort::Memory => SortBy::Memory,
        TopSort::Network => SortBy::Network,
        TopSort::Restarts => SortBy::Restarts,
        TopSort::Pods => SortBy::Pods,
    };
    if by.suits(subject) {
        return Ok(Order { by, reversed: args.reverse });
    }
    let (by, subject) = (by.name(), subject.name());
    Err(Failure::usage(format!("--sort-by={by}: {subject} have none; take name, cpu or memory")))
}

fn filters(args: &TopArgs) -> Result<Filters, Failure> {
    let subject = subject(args);
    let mut exact = Vec::new();
    let mut add = |flag: &str, name: &'static str, value: &str, lists: &[Subject]| {
        if !lists.contains(&subject) {
            let (list, lists): (_, Vec<_>) =
                (subject.name(), lists.iter().map(|one| one.name()).collect());
            let lists = lists.join(", ");
            return Err(Failure::usage(format!("{flag} narrows {lists}, not {list}")));
        }
        exact.push((name, value.to_owned()));
        Ok(())
    };
    let namespaced = [Subject::Pods, Subject::Containers, Subject::Workloads];
    for namespace in &args.namespace {
        add("--namespace", "namespace", namespace, &namespaced)?;
    }
    if let Some(node) = &args.node {
        add("--node", "node", node, &[Subject::Pods, Subject::Containers])?;
    }
    if let Some(label) = &args.selector {
        add("--selector", "label", label, &[Subject::Pods])?;
    }
    Ok(Filters { search: args.name.clone().unwrap_or_default(), exact })
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    fn args(words: &[&str]) -> TopArgs {
        let words = ["taffrail", "top"].iter().chain(words);
        match Cli::try_parse_from(words).unwrap().command {
            Command::Top(args) => args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn flags_narrow_and_sort_what_they_can() {
        let pods = args(&["pods", "web", "-n", "a", "-n", "b", "--node", "n1", "-l", "app=x"]);
        let filters = filters(&pods).unwrap();
        assert_eq!(filters.search, "web");
        let pairs: Vec<_> = filters.exact.iter().map(|(name, value)| (*name, &**value)).collect();
        assert_eq!(
            pairs,
            [("namespace", "a"), ("namespace", "b"), ("node", "n1"), ("label", "app=x")]
        );
        assert_eq!(subject(&args(&["po", "--containers"])), Subject::Containers);
        let check = |words: &[&str], expected: &str| {
            let args = args(words);
            let failure = super::filters(&args)
                .and_then(|_| order(&args, subject(&args)).map(|_| ()))
                .unwrap_err();
            assert_eq!((failure.code, &*failure.message), (crate::exit::USAGE, expected));
        };
        check(&["nodes", "-n", "a"], "--namespace narrows pods, containers, workloads, not nodes");
        check(&["namespaces", "--node", "n"], "--node narrows pods, containers, not namespaces");
        check(
            &["nodes", "--sort-by", "restarts"],
            "--sort-by=restarts: nodes have none; take name, cpu or memory",
        );
    }

    #[test]
    fn nothing_is_logged_over_a_full_screen() {
        let asked =
            |log: &str| LogArgs { log: log.to_owned(), log_format: crate::cli::LogFormat::Text };
        assert_eq!(log(&args(&[]), asked("info")).log, "off");
        assert_eq!(log(&args(&["pods"]), asked("info")).log, "error");
        assert_eq!(log(&args(&["pods"]), asked("debug")).log, "debug");
    }
}
