//! The configuration file: YAML that says what flags say, checked as a whole, every mistake with
//! its line.
//!
//! It becomes words of the command line before those that were typed, so that a flag wins.

use std::ffi::OsString;
use std::path::Path;

use clap::Parser as _;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::cli::Cli;
use crate::config::ConfigError;
use crate::input::environment;
use yaml::{Node, Value};

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
    ("rules.alert_sinks", "alert-sink", Shape::List),
    ("push.token_file", "push-token-file", Shape::Text),
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

/// The words that the file at `path` stands for, or every mistake in it.
pub(crate) fn words(path: &Path) -> Result<Vec<String>, ConfigError> {
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

type Mistakes = Vec<(usize, String)>;

fn read(text: &str) -> Result<Vec<String>, Mistakes> {
    let root = yaml::parse(text).map_err(|mistake| vec![mistake])?;
    let mut file = File::default();
    match root.value {
        Value::Null => {}
        Value::Map(items) => file.map("", &items),
        _ => file.mistakes.push((root.line, "the file must hold keys, like listen: …".to_owned())),
    }
    if file.mistakes.is_empty() { Ok(file.words) } else { Err(file.mistakes) }
}

#[derive(Default)]
struct File {
    words: Vec<String>,
    mistakes: Mistakes,
}

impl File {
    fn wrong(&mut self, line: usize, path: &str, mistake: impl std::fmt::Display) {
        self.mistakes.push((line, format!("{path}: {mistake}")));
    }

    fn map(&mut self, above: &str, items: &[(String, usize, Node)]) {
        for (name, line, node) in items {
            let path = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
            let below = format!("{path}.");
            if path == "sinks" {
                self.sinks(node);
            } else if let Some((_, flag, shape)) = KEYS.iter().find(|(known, ..)| *known == path) {
                self.key(&path, flag, *shape, node);
            } else if KEYS.iter().any(|(known, ..)| known.starts_with(&below)) {
                match &node.value {
                    Value::Map(items) => self.map(&path, items),
                    Value::Null => {}
                    _ => self.wrong(node.line, &path, "must hold keys"),
                }
            } else {
                let known = KEYS.iter().map(|(known, ..)| *known).collect::<Vec<_>>().join(", ");
                self.wrong(*line, &path, format_args!("unknown (known: sinks, {known})"));
            }
        }
    }

    fn key(&mut self, path: &str, flag: &str, shape: Shape, node: &Node) {
        match (shape, &node.value) {
            (_, Value::Null) => {}
            (Shape::Text, Value::Text(text)) => self.word(path, node.line, flag, text),
            (Shape::Switch, Value::Text(text)) => match &**text {
                "true" => self.words.push(format!("--{flag}")),
                "false" => {}
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

    fn sinks(&mut self, node: &Node) {
        match &node.value {
            Value::Null => {}
            Value::List(items) => {
                for (at, item) in items.iter().enumerate() {
                    self.sink(&format!("sinks[{at}]"), item);
                }
            }
            _ => self.wrong(node.line, "sinks", "must be a list"),
        }
    }

    /// A map of settings, or a text in the flag's grammar.
    fn sink(&mut self, path: &str, node: &Node) {
        let items = match &node.value {
            Value::Text(uri) => return self.words.push(format!("--sink={uri}")),
            Value::Map(items) => items,
            _ => return self.wrong(node.line, path, "must hold keys, one of them kind"),
        };
        let before = self.mistakes.len();
        let mut kind = None;
        let mut settings: Vec<(String, String, usize)> = Vec::new();
        for (name, line, node) in items {
            let path = format!("{path}.{name}");
            let values = match &node.value {
                Value::Null => continue,
                Value::List(items) => items.iter().collect(),
                _ => vec![node],
            };
            for value in values {
                match &value.value {
                    Value::Text(text) if name == "kind" => kind = Some((text.clone(), *line)),
                    Value::Text(text) => settings.push((name.clone(), text.clone(), value.line)),
                    _ => self.wrong(value.line, &path, "must be one value or a list of values"),
                }
            }
        }
        let Some((kind, line)) = kind else {
            return self.wrong(node.line, path, "no kind");
        };
        match sinks::find(&kind) {
            Err(error) => self.wrong(line, &format!("{path}.kind"), error),
            Ok(known) => {
                for (setting, error) in known.check(&resolved(&settings)) {
                    let place =
                        settings.iter().find(|(name, ..)| Some(&**name) == setting.as_deref());
                    match place {
                        Some((name, _, line)) => {
                            self.wrong(*line, &format!("{path}.{name}"), error);
                        }
                        None => self.wrong(node.line, path, error),
                    }
                }
            }
        }
        if self.mistakes.len() == before {
            self.words.push(format!("--sink={}", uri(&kind, &settings)));
        }
    }
}

/// Settings as the sink gets them: `NAME_env` from the environment.
fn resolved(settings: &[(String, String, usize)]) -> Vec<(String, String)> {
    let pair = |(name, value, _): &(String, String, usize)| {
        let found = name.strip_suffix("_env").and_then(|name| Some((name, environment(value)?)));
        match found {
            Some((name, value)) => (name.to_owned(), value),
            None => (name.clone(), value.clone()),
        }
    };
    settings.iter().map(pair).collect()
}

/// The sink in the flag's grammar. `$` is escaped: what the file says is not expanded.
fn uri(kind: &str, settings: &[(String, String, usize)]) -> String {
    let mut address = "";
    let mut query = String::new();
    for (name, value, _) in settings {
        if name == "address" {
            address = value;
            continue;
        }
        query.push(if query.is_empty() { '?' } else { '&' });
        query.extend(utf8_percent_encode(name, NON_ALPHANUMERIC));
        query.push('=');
        query.extend(utf8_percent_encode(value, NON_ALPHANUMERIC));
    }
    format!("{kind}:{address}{query}")
}

/// `words` of `taffrail serve --config FILE …` with those of the file before them. As they are
/// where no file is named, or the command line itself cannot be read.
pub(crate) fn expanded(words: Vec<OsString>) -> Result<Vec<OsString>, ConfigError> {
    let Some((at, path)) = config_of(&words) else { return Ok(words) };
    let mut own = self::words(Path::new(&path))?;
    let typed = |flag: &str| {
        words.iter().filter_map(|word| word.to_str()).any(|word| {
            word == flag || word.strip_prefix(flag).is_some_and(|rest| rest.starts_with('='))
        })
    };
    // Lists that were typed replace those of the file.
    for flag in ["--sink", "--ignore-label", "--store-label", "--allowed-users"] {
        if typed(flag) {
            own.retain(|word| !word.strip_prefix(flag).is_some_and(|rest| rest.starts_with('=')));
        }
    }
    if typed("--data-dir") {
        own.retain(|word| word != "--no-history");
    }
    let mut all = words;
    all.splice(at..at, own.into_iter().map(OsString::from));
    Ok(all)
}

/// Where the words after `serve` begin, and the file that they name.
fn config_of(words: &[OsString]) -> Option<(usize, OsString)> {
    let serve = words.iter().position(|word| word == "serve")?;
    let mut rest = words.iter().skip(serve + 1);
    while let Some(word) = rest.next() {
        if word == "--config" {
            return Some((serve + 1, rest.next()?.clone()));
        }
        if let Some(path) = word.to_str().and_then(|word| word.strip_prefix("--config=")) {
            return Some((serve + 1, path.into()));
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

    #[test]
    fn the_default_file_says_the_defaults() {
        assert_eq!(config(read(DEFAULT).unwrap()), config(Vec::new()));
    }

    #[test]
    fn every_key_stands_in_the_default_file_below_a_comment() {
        let lines: Vec<&str> = DEFAULT.lines().collect();
        let keys = KEYS.iter().map(|(path, ..)| *path).chain(["sinks"]);
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
        let words = read(text).unwrap();
        let sink =
            "--sink=influxdb:http://h:8086?pw=a%26%24b&include=cpu%2F%2A&include=memory%2F%2A";
        assert_eq!(words, ["--listen=127.0.0.1:1", sink]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.yaml");
        std::fs::write(&path, text).unwrap();
        let typed = ["taffrail", "serve", "--listen=127.0.0.1:2", "--sink=log", "--config"];
        let typed = typed.iter().map(OsString::from).chain([path.into_os_string()]);
        let words = expanded(typed.collect()).unwrap().into_iter().skip(2);
        let config = config(words.map(|word| word.into_string().unwrap()).collect());
        assert_eq!(config.listen.port(), 2);
        assert_eq!(config.sinks, ["log"]);
    }
}
