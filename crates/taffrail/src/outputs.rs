//! From `--sink` texts to sinks.

use std::io::{self, Write};

use cluster::uri::ComponentUri;
use sinks::{Setup, Sink};

use crate::config::{Config, Dialect};
use crate::exit::Failure;
use crate::input::environment;

/// Heapster's in-memory sink: always there, so naming it changes nothing.
const METRIC: &str = "metric";

/// The sinks that the configuration names. One that cannot be made is logged and left out, as
/// Heapster does; when none is left, that is a failure.
pub(crate) fn build(config: &Config) -> Result<Vec<Box<dyn Sink>>, Failure> {
    let mut built = Vec::new();
    let mut mistakes = Vec::new();
    let mut wanted = 0;
    for text in &config.sinks {
        match one(text, config) {
            Ok(sink) => {
                wanted += usize::from(sink.is_some());
                built.extend(sink);
            }
            Err(mistake) => {
                wanted += 1;
                tracing::error!(sink = text, reason = mistake, "sink left out");
                mistakes.push(format!("--sink={text}: {mistake}"));
            }
        }
    }
    if wanted > 0 && built.is_empty() {
        return Err(Failure::config(format!("no available sink to use\n{}", mistakes.join("\n"))));
    }
    Ok(built)
}

fn one(text: &str, config: &Config) -> Result<Option<Box<dyn Sink>>, String> {
    let uri = ComponentUri::parse(text, &environment).map_err(|error| error.to_string())?;
    if uri.key == METRIC {
        return Ok(None);
    }
    let kind = sinks::find(&uri.key).map_err(|error| error.to_string())?;
    let setup = Setup {
        settings: uri.options().to_vec(),
        labels: config.labels.clone(),
        output: output(config.dialect),
    };
    kind.build(setup).map(Some).map_err(|error| error.to_string())
}

/// Where a sink that prints prints to. Heapster logs to standard error.
fn output(dialect: Dialect) -> Box<dyn Write + Send> {
    match dialect {
        Dialect::Taffrail => Box::new(io::stdout()),
        Dialect::Heapster => Box::new(io::stderr()),
    }
}
