//! The configuration file: YAML that says what flags say, checked as a whole, every mistake with
//! its line.
//!
//! It becomes words of the command line before those that were typed, so that a flag wins.

use std::ffi::OsString;
use std::path::Path;

use clap::Parser as _;
use sinks::Wanted;
use yaml::{Node, Value};

use crate::cli::Cli;
use crate::config::ConfigError;

mod clusters;
mod sink_maps;

/// The default file, which is also the documentation.
pub(crate) const DEFAULT: &str = include_str!("config.default.yaml");
/// Largest file that is read.
const MAX_BYTES: u64 = 1 << 20;

/// What a key's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Text,
    /// `true` gives the flag.
    Switch,
    List,
}

/// (path in the file, flag, shape)
const KEYS: &[(&str, &str, Shape)] = &[
    ("source", "source", Shape::Text),
    ("listen", "listen", Shape::Text),
    ("metric_resolution", "metric-resolution", Shape::Text),
    ("data_dir", "data-dir", Shape::Text),
    ("no_history", "no-history", Shape::Switch),
    ("retention", "retention", Shape::Text),
    ("retention_bytes", "retention-bytes", Shape::Text),
    ("fsync_interval", "fsync-interval", Shape::Text),
    ("historical_source", "historical-source", Shape::Text),
    ("sink_export_data_timeout", "sink-export-data-timeout", Shape::Text),
    ("disable_export", "disable-export", Shape::Switch),
    ("labels.separator", "label-separator", Shape::Text),
    ("labels.ignore", "ignore-label", Shape::List),
    ("labels.store", "store-label", Shape::List),
    ("rules.files", "rule-file", Shape::List),
    ("rules.no_builtin", "no-builtin-rules", Shape::Switch),
    ("rules.interval", "rule-interval", Shape::Text),
    ("rules.alertmanagers", "alertmanager", Shape::List),
    ("push.token_file", "push-token-file", Shape::Text),
    ("push.otlp_grpc_listen", "otlp-grpc-listen", Shape::Text),
    ("scrape.what", "scrape", Shape::List),
    ("scrape.interval", "scrape-interval", Shape::Text),
    ("scrape.timeout", "scrape-timeout", Shape::Text),
    ("scrape.sample_limit", "scrape-sample-limit", Shape::Text),
    ("scrape.body_limit", "scrape-body-limit", Shape::Text),
    ("scrape.target_limit", "scrape-target-limit", Shape::Text),
    ("scrape.pod_labels", "scrape-pod-label", Shape::List),
    ("scrape.ca_files", "scrape-ca-file", Shape::List),
    ("scrape.no_self", "no-self-scrape", Shape::Switch),
    ("rules.external_url", "external-url", Shape::Text),
    ("login", "login", Shape::Text),
    ("read_only", "read-only", Shape::Switch),
    ("oidc.issuer", "oidc-issuer", Shape::Text),
    ("oidc.client_id", "oidc-client-id", Shape::Text),
    ("oidc.client_secret_file", "oidc-client-secret-file", Shape::Text),
    ("oidc.redirect_url", "oidc-redirect-url", Shape::Text),
    ("oidc.scopes", "oidc-scopes", Shape::Text),
    ("oidc.ca_file", "oidc-ca-file", Shape::Text),
    ("tls.cert", "tls-cert", Shape::Text),
    ("tls.key", "tls-key", Shape::Text),
    ("tls.client_ca", "tls-client-ca", Shape::Text),
    ("tls.allowed_users", "allowed-users", Shape::List),
];

/// Lists of sinks: (path in the file, flag, what they take)
const SINKS: &[(&str, &str, Wanted)] = &[
    ("sinks", "sink", Wanted::Metrics),
    ("event_sinks", "event-sink", Wanted::Events),
    ("rules.alert_sinks", "alert-sink", Wanted::Alerts),
];

/// The key under which several clusters stand.
const CLUSTERS: &str = "clusters";

/// The words that a file stands for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// Of one server.
    One(Vec<String>),
    /// Of a server for each cluster that the file names.
    Many(Vec<(String, Vec<String>)>),
}

impl Said {
    /// The words of every server.
    pub(crate) fn servers(self) -> Vec<Vec<String>> {
        match self {
            Self::One(words) => vec![words],
            Self::Many(clusters) => clusters.into_iter().map(|(_, words)| words).collect(),
        }
    }
}

/// What the file at `path` stands for, or every mistake in it.
pub(crate) fn said(path: &Path) -> Result<Said, ConfigError> {
    let shown = path.display();
    let wrong = |error: &dyn std::fmt::Display| {
        ConfigError(vec![format!("the configuration file {shown}: {error}")])
    };
    let length = std::fs::metadata(path).map_err(|error| wrong(&error))?.len();
    if length > MAX_BYTES {
        return Err(wrong(&format_args!("larger than {MAX_BYTES} bytes")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
    read(&text).map_err(|mistakes| {
        let told = |(line, mistake): &(usize, String)| format!("{shown}:{line}: {mistake}");
        ConfigError(mistakes.iter().map(told).collect())
    })
}

/// A key of a map with its line.
type Item = (String, usize, Node);

type Mistakes = Vec<(usize, String)>;

fn read(text: &str) -> Result<Said, Mistakes> {
    let root = yaml::parse(text).map_err(|mistake| vec![mistake])?;
    let items = match root.value {
        Value::Null => Vec::new(),
        Value::Map(items) => items,
        _ => return Err(vec![(root.line, "the file must hold keys, like listen: …".to_owned())]),
    };
    let (several, common): (Vec<_>, Vec<_>) =
        items.into_iter().partition(|(name, ..)| name == CLUSTERS);
    let none = |node: &Node| node.value == Value::Null || node.value == Value::List(Vec::new());
    if let Some((_, _, list)) = several.first().filter(|(_, _, list)| !none(list)) {
        return clusters::read(&common, list).map(Said::Many);
    }
    let mut file = File::default();
    file.map("", &common);
    if file.mistakes.is_empty() { Ok(Said::One(file.words)) } else { Err(file.mistakes) }
}

#[derive(Default)]
struct File {
    /// Of which cluster of several it is read.
    cluster: Option<String>,
    /// Before every path in a mistake.
    place: String,
    words: Vec<String>,
    mistakes: Mistakes,
}

impl File {
    fn wrong(&mut self, line: usize, path: &str, mistake: impl std::fmt::Display) {
        self.mistakes.push((line, format!("{}{path}: {mistake}", self.place)));
    }

    fn map(&mut self, above: &str, items: &[Item]) {
        for (name, line, node) in items {
            let path = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
            let below = format!("{path}.");
            if let Some((_, flag, wanted)) = SINKS.iter().find(|(known, ..)| *known == path) {
                self.sinks(&path, flag, *wanted, node);
            } else if let Some((_, flag, shape)) = KEYS.iter().find(|(known, ..)| *known == path) {
                self.key(&path, flag, *shape, node);
            } else if KEYS.iter().any(|(known, ..)| known.starts_with(&below)) {
                match &node.value {
                    Value::Map(items) => self.map(&path, items),
                    Value::Null => {}
                    _ => self.wrong(node.line, &path, "must hold keys"),
                }
            } else {
                let lists = SINKS.iter().map(|(known, ..)| *known).chain([CLUSTERS]);
                let known = lists.chain(KEYS.iter().map(|(known, ..)| *known));
                let known = known.collect::<Vec<_>>().join(", ");
                self.wrong(*line, &path, format_args!("unknown (known: {known})"));
            }
        }
    }

    fn key(&mut self, path: &str, flag: &str, shape: Shape, node: &Node) {
        match (shape, &node.value) {
            (_, Value::Null) => {}
            (Shape::Text, Value::Text(text)) => self.word(path, node.line, flag, text),
            (Shape::Switch, Value::Text(text)) => match &**text {
                "true" => self.words.push(format!("--{flag}")),
                "false" => self.words.retain(|word| word.strip_prefix("--") != Some(flag)),
                _ => self.wrong(node.line, path, format_args!("{text:?} is not true or false")),
            },
            (Shape::List, Value::List(items)) => {
                for item in items {
                    match &item.value {
                        Value::Text(text) => self.word(path, item.line, flag, text),
                        _ => self.wrong(item.line, path, "must be a list of texts"),
                    }
                }
            }
            (Shape::Text, _) => self.wrong(node.line, path, "must be one value"),
            (Shape::Switch, _) => self.wrong(node.line, path, "must be true or false"),
            (Shape::List, _) => self.wrong(node.line, path, "must be a list"),
        }
    }

    /// Takes a value that the command line would take too.
    fn word(&mut self, path: &str, line: usize, flag: &str, text: &str) {
        let word = format!("--{flag}={text}");
        match Cli::try_parse_from(["taffrail", "serve", &word]) {
            Ok(_) => self.words.push(word),
            Err(error) => {
                let text = error.to_string();
                let first = text.lines().next().unwrap_or_default();
                self.wrong(line, path, first.strip_prefix("error: ").unwrap_or(first));
            }
        }
    }
}

/// What a command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Expanded {
    /// One program, with these words.
    One(Vec<OsString>),
    /// A server for each of these clusters: these words and its name.
    Many(Vec<OsString>, Vec<String>),
}

/// `words` of `taffrail serve --config FILE …` with those of the file before them. As they are
/// where no file is named, or the command line itself cannot be read.
pub(crate) fn expanded(words: Vec<OsString>) -> Result<Expanded, ConfigError> {
    let Some((at, path)) = value_of(&words, "--config") else { return Ok(Expanded::One(words)) };
    let wanted = value_of(&words, "--cluster").map(|(_, name)| name);
    let typed = |flag: &str| {
        words.iter().filter_map(|word| word.to_str()).any(|word| {
            word == flag || word.strip_prefix(flag).is_some_and(|rest| rest.starts_with('='))
        })
    };
    let mistake = |text: String| Err(ConfigError(vec![text]));
    let mut own = match (said(Path::new(&path))?, wanted) {
        (Said::One(own), None) => own,
        (Said::One(_), Some(_)) => return mistake("--cluster: the file names none".to_owned()),
        (Said::Many(clusters), None) => {
            let names = clusters.into_iter().map(|(name, _)| name).collect();
            let single =
                ["--source", "--listen", "--data-dir"].into_iter().find(|flag| typed(flag));
            return match single {
                Some(flag) => mistake(format!("{flag}: say with --cluster=NAME of which cluster")),
                None => Ok(Expanded::Many(words, names)),
            };
        }
        (Said::Many(clusters), Some(wanted)) => {
            let names = clusters.iter().map(|(name, _)| &**name).collect::<Vec<_>>().join(", ");
            match clusters.into_iter().find(|(name, _)| wanted == *name.as_str()) {
                Some((_, own)) => own,
                None => return mistake(format!("--cluster: the file names {names}")),
            }
        }
    };
    // Lists that were typed replace those of the file.
    for flag in REPLACED {
        if typed(flag) {
            own.retain(|word| !word.strip_prefix(flag).is_some_and(|rest| rest.starts_with('=')));
        }
    }
    if typed("--data-dir") {
        own.retain(|word| word != "--no-history");
    }
    let mut all = words;
    all.splice(at..at, own.into_iter().map(OsString::from));
    Ok(Expanded::One(all))
}

/// Lists that replace the file's when they are typed.
const REPLACED: [&str; 6] = [
    "--sink",
    "--event-sink",
    "--alert-sink",
    "--ignore-label",
    "--store-label",
    "--allowed-users",
];

/// Where the words after `serve` begin, and the value of a flag among them.
fn value_of(words: &[OsString], flag: &str) -> Option<(usize, OsString)> {
    let serve = words.iter().position(|word| word == "serve")?;
    let mut rest = words.iter().skip(serve + 1);
    while let Some(word) = rest.next() {
        if word == flag {
            return Some((serve + 1, rest.next()?.clone()));
        }
        let value = word.to_str().and_then(|word| word.strip_prefix(flag)?.strip_prefix('='));
        if let Some(value) = value {
            return Some((serve + 1, value.into()));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Command;
    use crate::config::Config;

    fn config(words: Vec<String>) -> Config {
        let words = ["taffrail".to_owned(), "serve".to_owned()].into_iter().chain(words);
        match Cli::try_parse_from(words).unwrap().command {
            Command::Serve(args) => Config::from_serve(*args).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    fn one(text: &str) -> Vec<String> {
        match read(text).unwrap() {
            Said::One(words) => words,
            Said::Many(clusters) => panic!("{clusters:?}"),
        }
    }

    #[test]
    fn the_default_file_says_the_defaults() {
        assert_eq!(config(one(DEFAULT)), config(Vec::new()));
    }

    #[test]
    fn every_key_stands_in_the_default_file_below_a_comment() {
        let lines: Vec<&str> = DEFAULT.lines().collect();
        let keys = KEYS.iter().map(|(path, ..)| *path).chain([CLUSTERS]);
        let keys = keys.chain(SINKS.iter().map(|(path, ..)| *path));
        for path in keys {
            let name = path.rsplit('.').next().unwrap();
            let indent = if path.contains('.') { "  " } else { "" };
            let begin = format!("{indent}{name}:");
            let at = lines.iter().position(|line| line.starts_with(&begin));
            let at = at.unwrap_or_else(|| panic!("{path} is not in config.default.yaml"));
            let above = lines[at - 1].trim_start();
            assert!(above.starts_with('#'), "{path} has no comment above it");
        }
        let documentation =
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/CONFIG.md"));
        assert!(documentation.contains(DEFAULT), "put config.default.yaml into docs/CONFIG.md");
    }

    #[test]
    fn every_mistake_is_told_with_its_line() {
        let text = "listen: nowhere\nretention: [1d]\nnonsense: 1\nno_history: maybe\nlabels:\n  \
                    ignore: app\nsinks:\n  - kind: influx\n  - kind: influxdb\n    retention: soon\n    \
                    bogus: 1\n  - address: x\n";
        let mistakes = read(text).unwrap_err();
        let shown: Vec<_> =
            mistakes.iter().map(|(line, text)| (*line, text.split(':').next().unwrap())).collect();
        let expected = [
            (1, "listen"),
            (2, "retention"),
            (3, "nonsense"),
            (4, "no_history"),
            (6, "labels.ignore"),
            (8, "sinks[0].kind"),
            (11, "sinks[1].bogus"),
            (10, "sinks[1].retention"),
            (12, "sinks[2]"),
        ];
        assert_eq!(shown, expected, "{mistakes:?}");
    }

    #[test]
    fn sinks_become_uris_and_flags_win() {
        let text = "listen: 127.0.0.1:1\nsinks:\n  - kind: influxdb\n    address: http://h:8086\n    \
                    pw: \"a&$b\"\n    include: [cpu/*, memory/*]\n";
        let words = one(text);
        let sink =
            "--sink=influxdb:http://h:8086?pw=a%26%24b&include=cpu%2F%2A&include=memory%2F%2A";
        assert_eq!(words, ["--listen=127.0.0.1:1", sink]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.yaml");
        std::fs::write(&path, text).unwrap();
        let typed = ["taffrail", "serve", "--listen=127.0.0.1:2", "--sink=log", "--config"];
        let typed = typed.iter().map(OsString::from).chain([path.into_os_string()]);
        let Expanded::One(words) = expanded(typed.collect()).unwrap() else { panic!("several") };
        let words = words.into_iter().skip(2).map(|word| word.into_string().unwrap());
        let config = config(words.collect());
        assert_eq!(config.listen.port(), 2);
        assert_eq!(config.sinks, ["log"]);
    }
}
