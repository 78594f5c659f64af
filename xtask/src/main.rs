//! Project verbs: `cargo xtask <verb>`. Needs nothing but the toolchain.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool speaks")]

mod bench;
mod child;
mod ci;
mod fuzz;
mod new;
mod process;
mod scale;
mod soak;
#[cfg(test)]
mod tidy;
mod tools;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask <verb>

  ci            everything that the gate runs: tools, format, lints, tests, dashboard, docs
  fix           format and apply the lints' suggestions
  golden        rewrite the golden files from what the code answers now
  new sink NAME a sink to begin with: its file, its two lines, its golden files
  tools         install what the tests need (apt-get as root, pip)
  ui            check, test and build the dashboard
  e2e           the dashboard in headless Chromium against the demo
  demo          cargo run --release -- demo
  fuzz          the fuzz targets under libFuzzer, each for a time [TARGET…] [--seconds N]
  soak kill     kill -9 of the store and of `taffrail serve` under ingest, and all that was
                acknowledged is there [--rounds N] [--serve-rounds N] [--lanes N]
  bench sinks   300,000 containers to each sink: CPU and bytes per sample [KIND…]
  bench lists   lists of metrics.k8s.io at 5,000 nodes, CPU per pod [WORD…]
  bench query   dashboards' queries beside Prometheus and VictoriaMetrics, long ranges over HTTP
  bench scrape  discovery, memory and CPU of 100, 1,000 and 10,000 scraped programs
  bench store   the store's table, and Prometheus and VictoriaMetrics beside it (Debian packages)
  bench tick    CPU per node and memory per pod of one tick [--nodes N] [--pods-per-node M]
  bench scale   100, 1,000 and 5,000 nodes with history and clients [--nodes N] [--ticks N] [--no-build]
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["ci"] => ci::gate(),
        ["fix"] => ci::fix(),
        ["golden"] => ci::golden(),
        ["tools"] => tools::install(),
        ["new", "sink", name] => new::sink(name),
        ["ui"] => ci::ui(),
        ["e2e"] => ci::end_to_end(),
        ["demo"] => process::cargo(&["run", "--release", "--", "demo"]),
        ["bench", "sinks", kinds @ ..] => bench::sinks(kinds),
        ["bench", "lists", kinds @ ..] => bench::lists(kinds),
        ["bench", "query"] => bench::query(),
        ["bench", "scrape"] => bench::scrape(),
        ["bench", "store"] => bench::store(),
        ["bench", "tick", options @ ..] => bench::tick(options),
        ["bench", "scale", options @ ..] => scale::scale(options),
        ["fuzz", options @ ..] => fuzz::run_targets(options),
        ["soak", "kill", options @ ..] => soak::kill(options),
        ["help" | "--help" | "-h"] | [] => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("xtask: unknown verb `{}`\n\n{HELP}", words.join(" "));
            return ExitCode::from(64);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("xtask: {reason}");
            ExitCode::FAILURE
        }
    }
}
