//! From `--sink` texts to sinks.

use std::io::{self, Write};

use cluster::uri::{ComponentUri, UriError};
use model::LabelOptions;
use pipeline::Clock;
use sinks::{AlertSink, EventSink, Setup, Sink, redact};

use crate::config::{Config, Dialect};
use crate::exit::Failure;
use crate::input::environment;

/// Heapster's in-memory sink: always there, so naming it changes nothing.
pub(crate) const METRIC: &str = "metric";

/// The sinks that the configuration names. One that cannot be made is logged and left out, as
/// Heapster does; when none is left, that is a failure.
pub(crate) fn build(config: &Config, clock: Clock) -> Result<Vec<Sink>, Failure> {
    let mut built = Vec::new();
    let mut mistakes = Vec::new();
    let mut wanted = 0;
    for text in &config.sinks {
        match one(text, config, clock) {
            Ok(sink) => {
                wanted += usize::from(sink.is_some());
                built.extend(sink);
            }
            Err(mistake) => {
                wanted += 1;
                let shown = redact(text);
                tracing::error!(sink = shown, reason = mistake, "sink left out");
                mistakes.push(format!("--sink={shown}: {mistake}"));
            }
        }
    }
    if wanted > 0 && built.is_empty() {
        return Err(Failure::config(format!("no available sink to use\n{}", mistakes.join("\n"))));
    }
    Ok(built)
}

fn one(text: &str, config: &Config, clock: Clock) -> Result<Option<Sink>, String> {
    let (key, settings) = parse(text)?;
    if key == METRIC {
        return Ok(None);
    }
    let kind = sinks::find(&key).map_err(|error| error.to_string())?;
    let setup = setup(settings, config.dialect, &config.labels, clock);
    kind.build(setup).map(Some).map_err(|error| error.to_string())
}

fn setup(
    settings: Vec<(String, String)>,
    dialect: Dialect,
    labels: &LabelOptions,
    clock: Clock,
) -> Setup {
    Setup {
        settings,
        labels: labels.clone(),
        output: output(dialect),
        clock: sinks::Clock::new(move || clock.now()),
    }
}

/// The sinks of alerts that the configuration names; a mistake in one is told at once.
pub(crate) fn build_alerts(config: &Config, clock: Clock) -> Result<Vec<AlertSink>, Failure> {
    let made = |text: &String| {
        let built = parse(text).and_then(|(key, settings)| {
            let kind = sinks::find(&key).map_err(|error| error.to_string())?;
            let setup = setup(settings, config.dialect, &config.labels, clock);
            kind.build_alerts(setup).map_err(|error| error.to_string())
        });
        built
            .map_err(|mistake| Failure::config(format!("--alert-sink={}: {mistake}", redact(text))))
    };
    config.rules.sinks.iter().map(made).collect()
}

/// The sinks of events that the configuration names; otherwise as [`build`].
pub(crate) fn build_events(config: &Config, clock: Clock) -> Result<Vec<EventSink>, Failure> {
    event_sinks(&config.event_sinks, config.dialect, &config.labels, clock)
}

/// The sinks of events of these texts.
pub(crate) fn event_sinks(
    texts: &[String],
    dialect: Dialect,
    labels: &LabelOptions,
    clock: Clock,
) -> Result<Vec<EventSink>, Failure> {
    let (mut built, mut mistakes) = (Vec::new(), Vec::new());
    for text in texts {
        let made = parse(text).and_then(|(key, settings)| {
            let kind = sinks::find(&key).map_err(|error| error.to_string())?;
            let setup = setup(settings, dialect, labels, clock);
            kind.build_events(setup).map_err(|error| error.to_string())
        });
        match made {
            Ok(sink) => built.push(sink),
            Err(mistake) => {
                let shown = redact(text);
                tracing::error!(sink = shown, reason = mistake, "sink of events left out");
                mistakes.push(format!("{shown}: {mistake}"));
            }
        }
    }
    if built.is_empty() && !mistakes.is_empty() {
        return Err(Failure::config(format!("no available sink to use\n{}", mistakes.join("\n"))));
    }
    Ok(built)
}

/// The kind that a `--sink` value names, and its settings.
pub(crate) fn parse(text: &str) -> Result<(String, Vec<(String, String)>), String> {
    let uri = ComponentUri::parse(text, &environment).map_err(|error| match error {
        // Its text would show what an environment variable holds.
        UriError::Malformed { reason, .. } => format!("malformed uri: {reason}"),
        other => other.to_string(),
    })?;
    let settings = with_environment(&uri.key, settings(&uri));
    Ok((uri.key, settings))
}

/// The URI's options, and before them the address that it names, if any.
fn settings(uri: &ComponentUri) -> Vec<(String, String)> {
    let url = &uri.url;
    let address = match (&*url.host, &*url.opaque) {
        ("", "") if url.path.is_empty() => None,
        ("", "") => Some(url.path.clone()),
        // `wavefront:proxy:2878`: Go takes the host for a scheme.
        ("", port) => Some(format!("{}:{port}", url.scheme)),
        (host, _) => Some(format!("{}://{host}{}", url.scheme, url.path)),
    };
    let address = address.map(|address| ("address".to_owned(), address));
    let options = uri.options().iter().cloned().map(from_environment);
    address.into_iter().chain(options).collect()
}

/// `token_env=NAME` becomes `token=<value of the variable>`; a variable that is not there is left
/// for the sink to complain about.
fn from_environment(pair: (String, String)) -> (String, String) {
    match pair.0.strip_suffix("_env").and_then(|name| Some((name, environment(&pair.1)?))) {
        Some((name, value)) => (name.to_owned(), value),
        None => pair,
    }
}

/// What Heapster, AWS's and Google's tools take from the environment: for kinds, unless one of
/// these settings is given, settings by variables, of which the first that is set counts.
type Variables = (
    &'static [&'static str],
    &'static [&'static str],
    &'static [(&'static str, &'static [&'static str])],
);
const VARIABLES: &[Variables] = &[
    (&["honeycomb"], &["writekey", "writekey_file"], &[("writekey", &["HONEYCOMB_WRITEKEY"])]),
    (
        &["s3"],
        &["access_key"],
        &[
            ("access_key", &["AWS_ACCESS_KEY_ID"]),
            ("secret_key", &["AWS_SECRET_ACCESS_KEY"]),
            ("session_token", &["AWS_SESSION_TOKEN"]),
            ("region", &["AWS_REGION"]),
        ],
    ),
    (
        &["elasticsearch"],
        &["access_key", "esUserName"],
        &[
            ("access_key", &["AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY"]),
            ("secret_key", &["AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY"]),
            ("session_token", &["AWS_SESSION_TOKEN"]),
        ],
    ),
    (&["gcm", "stackdriver", "gcl"], &["project"], &[("project", &["GOOGLE_PROJECT_ID"])]),
    (
        &["gcm", "stackdriver", "gcl"],
        &["credentials"],
        &[("credentials", &["GOOGLE_APPLICATION_CREDENTIALS"])],
    ),
];

/// `settings`, and what the environment says where they do not.
fn with_environment(key: &str, mut settings: Vec<(String, String)>) -> Vec<(String, String)> {
    for (kinds, unless, found) in VARIABLES {
        let said = settings.iter().any(|(name, _)| unless.contains(&&**name));
        if said || !kinds.contains(&key) {
            continue;
        }
        for (name, variables) in *found {
            let mut values = variables.iter().filter_map(|variable| environment(variable));
            let value = values.find(|value| !value.is_empty());
            settings.extend(value.map(|value| ((*name).to_owned(), value)));
        }
    }
    settings
}

/// Where a sink that prints prints to. Heapster logs to standard error.
fn output(dialect: Dialect) -> Box<dyn Write + Send> {
    match dialect {
        Dialect::Taffrail => Box::new(io::stdout()),
        Dialect::Heapster => Box::new(io::stderr()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_uri_becomes_the_setting_address() {
        let check = |text, expected: &[(&str, &str)]| {
            let uri = ComponentUri::parse(text, &|_| None).unwrap();
            let read = settings(&uri);
            let read: Vec<_> = read.iter().map(|(name, value)| (&**name, &**value)).collect();
            assert_eq!(read, expected, "{text}");
        };
        check("log", &[]);
        check("log:?metrics=all", &[("metrics", "all")]);
        check("influxdb:http://h:8086/?db=x", &[("address", "http://h:8086/"), ("db", "x")]);
        check("statsd:udp://h:1", &[("address", "udp://h:1")]);
        check("wavefront:proxy:2878", &[("address", "proxy:2878")]);
    }
}
