//! Lists of sinks in the configuration file: maps of settings, or texts as flags take them; each is
//! checked by its kind.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sinks::{Kind, Wanted};
use yaml::{Node, Value};

use super::File;
use crate::input::environment;
use crate::outputs;

/// A setting's name, value and line.
type Setting = (String, String, usize);

impl File {
    pub(super) fn sinks(&mut self, path: &str, flag: &str, wanted: Wanted, node: &Node) {
        let items = match &node.value {
            Value::Null => return,
            Value::List(items) => items,
            _ => return self.wrong(node.line, path, "must be a list"),
        };
        for (at, item) in items.iter().enumerate() {
            let path = format!("{path}[{at}]");
            let before = self.mistakes.len();
            let uri = match &item.value {
                Value::Text(text) => self.sink_text(&path, wanted, item.line, text),
                Value::Map(items) => self.sink_map(&path, wanted, item.line, items),
                _ => {
                    self.wrong(item.line, &path, "must hold keys, one of them kind");
                    None
                }
            };
            if let Some(uri) = uri.filter(|_| self.mistakes.len() == before) {
                self.words.push(format!("--{flag}={uri}"));
            }
        }
    }

    /// A text in the flag's grammar.
    fn sink_text(&mut self, path: &str, wanted: Wanted, line: usize, text: &str) -> Option<String> {
        let (key, settings) = match outputs::parse(text) {
            Ok(read) => read,
            Err(mistake) => {
                self.wrong(line, path, mistake);
                return None;
            }
        };
        // Heapster's own, which is always there.
        if key == outputs::METRIC {
            return Some(text.to_owned());
        }
        let kind = self.kind(path, line, &key)?;
        for (_, error) in kind.check(wanted, &settings) {
            self.wrong(line, path, error);
        }
        let own = self.cluster_of(kind, settings.iter().map(|(name, _)| &**name));
        let own = own.map(|(name, value)| {
            let mark = match (text.contains('?'), text.contains(':')) {
                (true, _) => "&",
                (false, true) => "?",
                (false, false) => ":?",
            };
            format!("{mark}{name}={}", utf8_percent_encode(&value, NON_ALPHANUMERIC))
        });
        Some(format!("{text}{}", own.unwrap_or_default()))
    }

    /// A map of settings.
    fn sink_map(
        &mut self,
        path: &str,
        wanted: Wanted,
        line: usize,
        items: &[super::Item],
    ) -> Option<String> {
        let mut named = None;
        let mut settings: Vec<Setting> = Vec::new();
        for (name, line, node) in items {
            let values = match &node.value {
                Value::Null => continue,
                Value::List(items) => items.iter().collect(),
                _ => vec![node],
            };
            for value in values {
                match &value.value {
                    Value::Text(text) if name == "kind" => named = Some((text.clone(), *line)),
                    Value::Text(text) => settings.push((name.clone(), text.clone(), value.line)),
                    _ => {
                        let path = format!("{path}.{name}");
                        self.wrong(value.line, &path, "must be one value or a list of values");
                    }
                }
            }
        }
        let Some((key, key_line)) = named else {
            self.wrong(line, path, "no kind");
            return None;
        };
        let kind = self.kind(&format!("{path}.kind"), key_line, &key)?;
        for (setting, error) in kind.check(wanted, &resolved(&settings)) {
            match settings.iter().find(|(name, ..)| Some(&**name) == setting.as_deref()) {
                Some((name, _, line)) => self.wrong(*line, &format!("{path}.{name}"), error),
                None => self.wrong(line, path, error),
            }
        }
        let own = self.cluster_of(kind, settings.iter().map(|(name, ..)| &**name));
        settings.extend(own.map(|(name, value)| (name, value, line)));
        Some(uri(&key, &settings))
    }

    fn kind(&mut self, path: &str, line: usize, key: &str) -> Option<&'static Kind> {
        match sinks::find(key) {
            Ok(kind) => Some(kind),
            Err(error) => {
                self.wrong(line, path, error);
                None
            }
        }
    }

    /// Which cluster of several it is, as the setting that the kind has for that, unless `given`
    /// has it: else two clusters would be one in that store.
    fn cluster_of<'a>(
        &self,
        kind: &Kind,
        mut given: impl Iterator<Item = &'a str>,
    ) -> Option<(String, String)> {
        let (cluster, name) = (self.cluster.as_ref()?, kind.cluster_setting()?);
        (!given.any(|given| given == name)).then(|| (name.to_owned(), cluster.clone()))
    }
}

/// Settings as the sink gets them: `NAME_env` from the environment.
fn resolved(settings: &[Setting]) -> Vec<(String, String)> {
    let pair = |(name, value, _): &Setting| {
        let found = name.strip_suffix("_env").and_then(|name| Some((name, environment(value)?)));
        match found {
            Some((name, value)) => (name.to_owned(), value),
            None => (name.clone(), value.clone()),
        }
    };
    settings.iter().map(pair).collect()
}

/// The sink in the flag's grammar. `$` is escaped: what the file says is not expanded.
fn uri(kind: &str, settings: &[Setting]) -> String {
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
