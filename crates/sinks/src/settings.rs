//! Reading a sink's settings, whichever door they came through. Knows no particular sink.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use model::Timestamp;

use crate::Error;

/// Settings that every sink has, as (name, one sentence).
pub const COMMON: &[(&str, &str)] = &[
    (
        "address",
        "where it sends to; on the command line this is the URI itself. Lines over TCP and Riemann \
         take tls://host:port",
    ),
    ("metrics", "heapster (default): what Heapster had; all: ours too"),
    (
        "include",
        "glob of names of metrics, of alerts, or of reasons of events, to send, repeatable; none \
         means all",
    ),
    (
        "exclude",
        "glob of names of metrics, of alerts, or of reasons of events, not to send, repeatable",
    ),
    (
        "include_namespace",
        "glob of namespaces to send, repeatable; cluster and nodes are sent anyway",
    ),
    ("exclude_namespace", "glob of namespaces not to send, repeatable"),
    (
        "include_kind",
        "kind of entity to send (node, pod, container, …), repeatable; of events that of their \
         object",
    ),
    ("exclude_kind", "kind of entity not to send, repeatable"),
    (
        "include_label",
        "KEY=GLOB of a Kubernetes label of pods to send, repeatable; what is in no pod is sent \
         anyway; of alerts their own labels",
    ),
    ("exclude_label", "KEY=GLOB of a Kubernetes label of pods not to send, repeatable"),
    (
        "resolution",
        "send at most one batch in this time, like 5m; the first that ends in it (default: all)",
    ),
    ("queue", "folder in which what waits survives a restart; none means memory"),
    ("queue_bytes", "bytes that may wait (default 1073741824 on disk, 67108864 in memory)"),
    ("queue_age", "how old what waits may get, like 36h (default 7d)"),
    (
        "batch_time",
        "gather batches of this time into one request, like 5m, by their own times (default: none; \
         files and s3: 5m)",
    ),
    ("batch_bytes", "most bytes of what was gathered, before compression (default 16777216)"),
    ("timeout", "how long one attempt may take (default 30s)"),
    ("cacert", "PEM file of the CA to trust instead of the system's"),
    ("cert", "PEM file with the client's certificate; needs key"),
    ("key", "PEM file with the client certificate's private key"),
    (
        "proxy",
        "proxy for HTTP, like http://user:password@host:3128, or none (default: HTTPS_PROXY, \
         HTTP_PROXY and NO_PROXY of the environment)",
    ),
];

/// Shows the time now: signatures need it.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// A clock that asks `now`.
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl Default for Clock {
    /// A clock that stands still at the epoch.
    fn default() -> Self {
        Self::new(|| Timestamp::NEVER)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// A value that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    /// The value, for the wire.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(value: &str) -> Self {
        Self(value.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// A sink's settings. Of a repeated one the first counts, unless all are asked for.
pub(crate) struct Settings {
    pub(crate) sink: &'static str,
    pub(crate) pairs: Vec<(String, String)>,
    pub(crate) clock: Clock,
}

impl Settings {
    /// The value of `name` as it was written.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(key, _)| key == name).map(|(_, value)| &**value)
    }

    /// Every value of `name`.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.pairs.iter().filter(move |(key, _)| key == name).map(|(_, value)| &**value)
    }

    /// The value of `name`, or `default` where it is not set or empty.
    pub(crate) fn text_or<'a>(&'a self, name: &str, default: &'a str) -> &'a str {
        self.pairs
            .iter()
            .find(|(key, value)| key == name && !value.is_empty())
            .map_or(default, |(_, value)| value)
    }

    /// A boolean in Go's spelling.
    pub(crate) fn flag(&self, name: &'static str, default: bool) -> Result<bool, Error> {
        match self.text(name) {
            None => Ok(default),
            Some("1" | "t" | "T" | "TRUE" | "true" | "True") => Ok(true),
            Some("0" | "f" | "F" | "FALSE" | "false" | "False") => Ok(false),
            Some(value) => Err(self.bad(name, value, "true, false")),
        }
    }

    /// A number of at least `least`.
    pub(crate) fn number<T: FromStr + PartialOrd>(
        &self,
        name: &'static str,
        default: T,
        least: &T,
    ) -> Result<T, Error> {
        match self.text(name) {
            None => Ok(default),
            Some(text) => text
                .parse()
                .ok()
                .filter(|number| number >= least)
                .ok_or_else(|| self.bad(name, text, "the numbers it can be")),
        }
    }

    /// A duration: a number and one of s, m, h, d.
    pub(crate) fn duration(
        &self,
        name: &'static str,
        default: Duration,
    ) -> Result<Duration, Error> {
        let Some(text) = self.text(name) else { return Ok(default) };
        parse_duration(text)
            .filter(|duration| !duration.is_zero())
            .ok_or_else(|| self.bad(name, text, "durations like 30s, 5m, 36h, 7d"))
    }

    /// A duration, or zero where it is not set.
    pub(crate) fn duration_or_zero(&self, name: &'static str) -> Result<Duration, Error> {
        if self.text(name).is_none() {
            return Ok(Duration::ZERO);
        }
        self.duration(name, Duration::ZERO)
    }

    /// A secret: `name` itself, or the first line of the file that `<name>_file` names.
    pub(crate) fn secret(
        &self,
        name: &'static str,
        name_of_file: &'static str,
    ) -> Result<Option<Secret>, Error> {
        if let Some(path) = self.text(name_of_file) {
            let text = self.read(name_of_file, Path::new(path))?;
            return Ok(text.lines().next().map(Secret::from));
        }
        Ok(self.text(name).map(Secret::from))
    }

    /// The text of a file that a setting names.
    pub(crate) fn read(&self, name: &'static str, path: &Path) -> Result<String, Error> {
        std::fs::read_to_string(path).map_err(|error| Error::BadFile {
            sink: self.sink,
            name,
            path: path.to_owned(),
            reason: error.to_string(),
        })
    }

    /// The path that `name` holds.
    pub(crate) fn path(&self, name: &str) -> Option<PathBuf> {
        self.text(name).filter(|text| !text.is_empty()).map(PathBuf::from)
    }

    /// The error for a value that `name` cannot have.
    pub(crate) fn bad(&self, name: &'static str, value: &str, known: &'static str) -> Error {
        Error::BadSetting { sink: self.sink, name, value: value.to_owned(), known }
    }
}

fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let number: u64 = digits.parse().ok()?;
    let seconds = match text.strip_prefix(digits)? {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    number.checked_mul(seconds).map(Duration::from_secs)
}

/// Settings whose value nobody may read in a log.
const SECRETS: &[&str] = &[
    "pw",
    "pass",
    "password",
    "token",
    "writekey",
    "esUserSecret",
    "secret",
    "secret_key",
    "session_token",
    "proxy",
];

/// `text`, a `--sink` value, with passwords and tokens taken out: what may be logged of it.
pub fn redact(text: &str) -> String {
    let (place, query) = text.split_once('?').map_or((text, None), |(a, b)| (a, Some(b)));
    let mut shown = match (place.split_once("//"), place.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}//…@{host}"),
        _ => place.to_owned(),
    };
    for (at, pair) in query.into_iter().flat_map(|query| query.split('&')).enumerate() {
        shown.push(if at == 0 { '?' } else { '&' });
        match pair.split_once('=') {
            Some((name, _)) if SECRETS.contains(&name) => {
                shown.push_str(name);
                shown.push_str("=…");
            }
            _ => shown.push_str(pair),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        let check = |text, expected| assert_eq!(redact(text), expected);
        check("log", "log");
        check(
            "influxdb:http://h:8086?user=u&pw=p@ss&db=x",
            "influxdb:http://h:8086?user=u&pw=…&db=x",
        );
        check("elasticsearch:http://u:p@h/?ver=5", "elasticsearch:http://…@h/?ver=5");
        check("librato:?username=u&token=t", "librato:?username=u&token=…");
        assert_eq!(format!("{:?}", Secret::from("hidden")), "…");
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(parse_duration("36h"), Some(Duration::from_hours(36)));
        assert_eq!(parse_duration("90"), None);
        assert_eq!(parse_duration("1w"), None);
    }
}
