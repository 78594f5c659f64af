//! `taffrail doctor`: tries every hop to what is measured and says what to change first.

use std::io::{self, IsTerminal as _};

use api::{Check, Diagnosis};
use cluster::diagnose::{Nodes, without_connection};
use pipeline::Clock;
use tokio::time::Instant;

use super::text::put;
use crate::cli::scrape::ScrapeWhat;
use crate::cli::{DoctorArgs, DoctorOutput};
use crate::config::Dialect;
use crate::exit::{FAILURE, Failure};
use crate::input::{Input, Unresolved, no_connection};
use crate::{diagnosis, say};

/// Tries everything once. An error's code says whether something failed or nothing could begin.
pub(crate) async fn run(args: DoctorArgs) -> Result<(), Failure> {
    let clock = Clock::system();
    let (begin, timestamp) = (Instant::now(), clock.now());
    let (checks, ended) = match Input::find(Dialect::Taffrail, args.source.as_deref()).await {
        Ok(input) => {
            let nodes = if args.all_nodes { Nodes::All } else { Nodes::Sample(Vec::new()) };
            let mut checks = diagnosis::of_input(&input, &nodes, clock).await;
            if let Input::Cluster(connection) = &input
                && args.scrape.contains(&ScrapeWhat::Monitors)
            {
                checks.extend(diagnosis::of_scraping(connection).await);
            }
            (checks, None)
        }
        Err(Unresolved::Source(failure)) => return Err(failure),
        Err(Unresolved::Connection(error)) => {
            let checks = without_connection(&error).into_iter().map(diagnosis::shown).collect();
            (checks, Some(no_connection(&error, args.source.is_none())))
        }
    };
    let mut checks: Vec<Check> = checks;
    checks.extend(diagnosis::of_sinks(args.sink.iter().chain(&args.event_sink)).await);
    checks.extend(args.data_dir.as_deref().map(diagnosis::of_disk));
    let diagnosis = Diagnosis::new(timestamp, begin.elapsed(), checks);
    match args.output {
        DoctorOutput::Json => {
            let text = serde_json::to_string_pretty(&diagnosis);
            say(&text.map_err(|error| anyhow::anyhow!("write JSON: {error}"))?)?;
        }
        DoctorOutput::Text => {
            let colour = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            say(text(&diagnosis, colour, args.all_nodes).trim_end())?;
        }
    }
    match ended {
        Some(failure) => Err(failure),
        None if diagnosis.outcome == "fail" => {
            Err(Failure { code: FAILURE, message: counts(&diagnosis.checks) })
        }
        None => Ok(()),
    }
}

/// For people: checks in groups, then what to do first. `brief` groups that pass take one line.
fn text(diagnosis: &Diagnosis, colour: bool, brief: bool) -> String {
    let mut text = String::new();
    for group in diagnosis.checks.chunk_by(|left, right| heading(left) == heading(right)) {
        let Some(first) = group.first() else { continue };
        let well = group.iter().all(|check| check.outcome == "pass");
        if brief && well && group.len() > 1 && first.name == "address" {
            line(&mut text, colour, "pass", heading(first), &format!("{} checks", group.len()));
            continue;
        }
        put(&mut text, format_args!("{}\n", heading(first)));
        for check in group {
            line(&mut text, colour, check.outcome, label(check), &check.evidence);
        }
    }
    put(&mut text, format_args!("\n{}.\n", counts(&diagnosis.checks)));
    match diagnosis.checks.iter().find(|check| check.outcome == "fail") {
        Some(Check { about, name, change, .. }) => {
            put(&mut text, format_args!("To do first, for {about} ({name}): {change}\n"));
        }
        None => {
            for check in diagnosis.checks.iter().filter(|check| check.outcome == "warn") {
                let (about, change) = (&check.about, &check.change);
                put(&mut text, format_args!("Consider, for {about}: {change}\n"));
            }
        }
    }
    text
}

/// Rights are told by resource below one heading.
fn heading(check: &Check) -> &str {
    if check.name == "rights" { "rights" } else { &check.about }
}

fn label(check: &Check) -> &str {
    if check.name == "rights" { &check.about } else { check.name }
}

fn line(text: &mut String, colour: bool, outcome: &str, label: &str, evidence: &str) {
    let (mark, paint) = match outcome {
        "pass" => ("✓", "\x1b[32m"),
        "warn" => ("!", "\x1b[33m"),
        "fail" => ("✗", "\x1b[31m"),
        _ => ("–", "\x1b[2m"),
    };
    let (paint, plain) = if colour { (paint, "\x1b[0m") } else { ("", "") };
    put(text, format_args!("  {paint}{mark}{plain} {label:<15} {evidence}\n"));
}

fn counts(checks: &[Check]) -> String {
    let count = |outcome: &str| checks.iter().filter(|check| check.outcome == outcome).count();
    format!(
        "{} failed, {} warned, {} passed, {} skipped",
        count("fail"),
        count("warn"),
        count("pass"),
        count("skip")
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use model::Timestamp;

    use super::*;

    fn made(name: &'static str, about: &str, outcome: &'static str, change: &str) -> Check {
        let (about, evidence) = (about.to_owned(), format!("{name} seen"));
        Check { name, about, outcome, evidence, change: change.to_owned() }
    }

    fn check(checks: Vec<Check>, brief: bool, expected: &str) {
        let diagnosis = Diagnosis::new(Timestamp::NEVER, Duration::ZERO, checks);
        assert_eq!(text(&diagnosis, false, brief), expected);
    }

    #[test]
    fn the_first_failure_says_what_to_do() {
        let checks = vec![
            made("connect", "server", "pass", ""),
            made("rights", "pods", "fail", "give rights"),
            made("rights", "nodes", "warn", "more rights"),
            made("summary", "n1", "fail", "restart"),
            made("clock", "n1", "skip", ""),
        ];
        let expected = "server\n  ✓ connect         connect seen\nrights\n  ✗ pods            rights \
                        seen\n  ! nodes           rights seen\nn1\n  ✗ summary         summary \
                        seen\n  – clock           clock seen\n\n2 failed, 1 warned, 1 passed, 1 \
                        skipped.\nTo do first, for pods (rights): give rights\n";
        check(checks, false, expected);
    }

    #[test]
    fn nodes_that_are_well_take_one_line_of_many() {
        let node = |name| vec![made("address", name, "pass", ""), made("clock", name, "pass", "")];
        let mut checks = [node("n1"), node("n2")].concat();
        checks.push(made("tls", "n3", "warn", "renew"));
        let expected = "  ✓ n1              2 checks\n  ✓ n2              2 checks\nn3\n  ! \
                        tls             tls seen\n\n0 failed, 1 warned, 4 passed, 0 \
                        skipped.\nConsider, for n3: renew\n";
        check(checks, true, expected);
    }
}
