//! Heapster's `KEY[:VALUE]` grammar of `--source` and `--sink`, and typed access to its options.
//! Knows no particular source or sink.
//!
//! Follows Heapster's flag parser: VALUE is expanded as Go's `os.Expand` does and then read as
//! Go's `net/url` does, quirks included, because people's command lines depend on them.

mod expand;
mod go_url;

pub use expand::expand;
pub use go_url::GoUrl;

use std::fmt;
use std::str::FromStr;

/// Why a `--source` or `--sink` value is not usable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UriError {
    /// Nothing before the first colon.
    #[error("missing uri key in {text:?}: write KEY or KEY:VALUE, like kubernetes:https://host")]
    MissingKey {
        /// The whole value.
        text: String,
    },
    /// Not a URL.
    #[error("malformed uri {text:?}: {reason}")]
    Malformed {
        /// The value after expansion.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An option that does not exist.
    #[error("{key} has no option {name:?}; {}", suggestion(nearest.as_deref(), known))]
    UnknownOption {
        /// The source's or sink's key.
        key: String,
        /// What was written.
        name: String,
        /// The known option closest to it.
        nearest: Option<String>,
        /// Every known option.
        known: Vec<String>,
    },
    /// An option whose value cannot be read.
    #[error("option {option} of {key} is {value:?}, which is not {expected}")]
    BadValue {
        /// The source's or sink's key.
        key: String,
        /// The option.
        option: String,
        /// What was written.
        value: String,
        /// What is wanted (`true or false`).
        expected: &'static str,
    },
    /// A key that names nothing.
    #[error("there is no source {key:?}; known sources: {}", known.join(", "))]
    UnknownKey {
        /// What was written.
        key: String,
        /// Every known key.
        known: Vec<String>,
    },
}

fn suggestion(nearest: Option<&str>, known: &[String]) -> String {
    match nearest {
        Some(nearest) => format!("did you mean {nearest:?}?"),
        None => format!("known options: {}", known.join(", ")),
    }
}

/// A parsed `KEY[:VALUE]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComponentUri {
    /// Which source or sink (`kubernetes.summary_api`).
    pub key: String,
    /// The rest; empty when only a key was written.
    pub url: GoUrl,
    options: Vec<(String, String)>,
}

/// The key of a `KEY[:VALUE]`, without reading the rest.
pub fn parse_key(text: &str) -> Result<&str, UriError> {
    match text.split_once(':').map_or(text, |(key, _)| key) {
        "" => Err(UriError::MissingKey { text: text.to_owned() }),
        key => Ok(key),
    }
}

impl ComponentUri {
    /// Reads `text`; `env` looks up variables for `$NAME` and `${NAME}` in the value.
    pub fn parse(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, UriError> {
        let key = parse_key(text)?.to_owned();
        let value = text.split_once(':').map_or("", |(_, value)| value);
        let value = expand(value, env);
        let url = GoUrl::parse(&value)
            .map_err(|reason| UriError::Malformed { text: value.clone(), reason })?;
        let options = url.query_pairs();
        Ok(Self { key, url, options })
    }

    /// Every option as written, in order, repetitions included.
    pub fn options(&self) -> &[(String, String)] {
        &self.options
    }

    /// The first value of an option.
    pub fn get(&self, option: &str) -> Option<&str> {
        self.options.iter().find(|(name, _)| name == option).map(|(_, value)| &**value)
    }

    /// Every value of a repeated option.
    pub fn get_all<'a>(&'a self, option: &'a str) -> impl Iterator<Item = &'a str> {
        self.options.iter().filter(move |(name, _)| name == option).map(|(_, value)| &**value)
    }

    /// Go's `ParseBool` of an option; `None` when it is not given.
    pub fn get_bool(&self, option: &str) -> Result<Option<bool>, UriError> {
        self.get(option)
            .map(|value| {
                parse_bool(value)
                    .ok_or_else(|| self.bad_value(option, "true or false (1, t, 0, f)"))
            })
            .transpose()
    }

    /// Any other typed option; `None` when it is not given.
    pub fn get_parsed<T: FromStr>(
        &self,
        option: &str,
        expected: &'static str,
    ) -> Result<Option<T>, UriError> {
        self.get(option)
            .map(|value| value.parse().map_err(|_| self.bad_value(option, expected)))
            .transpose()
    }

    /// The error for an option whose value is not `expected`.
    pub fn bad_value(&self, option: &str, expected: &'static str) -> UriError {
        UriError::BadValue {
            key: self.key.clone(),
            option: option.to_owned(),
            value: self.get(option).unwrap_or_default().to_owned(),
            expected,
        }
    }

    /// Refuses options outside `known`.
    pub fn check_options(&self, known: &[&str]) -> Result<(), UriError> {
        let unknown = self.options.iter().find(|(name, _)| !known.contains(&name.as_str()));
        let Some((name, _)) = unknown else { return Ok(()) };
        Err(UriError::UnknownOption {
            key: self.key.clone(),
            name: name.clone(),
            nearest: nearest(name, known).map(str::to_owned),
            known: known.iter().map(|known| (*known).to_owned()).collect(),
        })
    }
}

/// Heapster's string form, by which `--historical_source` is compared with the sinks.
impl fmt::Display for ComponentUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.url.to_string();
        if url.is_empty() { f.write_str(&self.key) } else { write!(f, "{}:{url}", self.key) }
    }
}

/// Go's `strconv.ParseBool`.
pub fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

/// The known name closest to `name`, when it is close enough to be a slip.
fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let folded = fold(name);
    known
        .iter()
        .map(|candidate| (distance(&folded, &fold(candidate)), *candidate))
        .filter(|(distance, candidate)| *distance <= candidate.chars().count().div_ceil(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Case and separators do not count when names are compared.
fn fold(name: &str) -> Vec<char> {
    name.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
}

/// Levenshtein's edit distance.
fn distance(left: &[char], right: &[char]) -> usize {
    let mut previous: Vec<usize> = (0..=right.len()).collect();
    for (row, from) in left.iter().enumerate() {
        let mut diagonal = row;
        let mut current = row + 1;
        for (column, to) in right.iter().enumerate() {
            let above = previous.get(column + 1).copied().unwrap_or(usize::MAX);
            if let Some(slot) = previous.get_mut(column) {
                *slot = current;
            }
            let next = (diagonal + usize::from(from != to)).min(above + 1).min(current + 1);
            diagonal = above;
            current = next;
        }
        if let Some(last) = previous.last_mut() {
            *last = current;
        }
    }
    previous.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ComponentUri, UriError> {
        ComponentUri::parse(text, &|name| match name {
            "HOST" => Some("example.com".to_owned()),
            "X" => Some("1".to_owned()),
            _ => None,
        })
    }

    fn check(text: &str, expected: &str) {
        let got = match parse(text) {
            Ok(uri) => format!(
                "{} scheme={} host={} opaque={} path={} {:?}",
                uri.key, uri.url.scheme, uri.url.host, uri.url.opaque, uri.url.path, uri.options
            ),
            Err(error) => error.to_string(),
        };
        assert_eq!(got, expected, "{text}");
    }

    #[test]
    fn reads_what_heapster_reads() {
        check("kubernetes", "kubernetes scheme= host= opaque= path= []");
        check("kubernetes:''", "kubernetes scheme= host= opaque= path='' []");
        check(
            "kubernetes:?inClusterConfig=false&auth=/x",
            r#"kubernetes scheme= host= opaque= path= [("inClusterConfig", "false"), ("auth", "/x")]"#,
        );
        check("a:host:1234", "a scheme=host host= opaque=1234 path= []");
        check(
            "a:10.0.0.1:1234",
            r#"malformed uri "10.0.0.1:1234": first path segment in URL cannot contain colon"#,
        );
        check(
            "a:https://$HOST:1/p?x=${X}&y=$NONE&x=2",
            r#"a scheme=https host=example.com:1 opaque= path=/p [("x", "1"), ("y", ""), ("x", "2")]"#,
        );
        check("a:http://[::1]:80/", "a scheme=http host=[::1]:80 opaque= path=/ []");
        check(
            "a:http://h:port/",
            r#"malformed uri "http://h:port/": invalid port ":port" after host"#,
        );
        check(
            ":x",
            r#"missing uri key in ":x": write KEY or KEY:VALUE, like kubernetes:https://host"#,
        );
    }

    #[test]
    fn prints_itself_as_heapster_does() {
        for text in [
            "kubernetes",
            "influxdb:http://u:p@h:8086/x?db=k8s#f",
            "gcm",
            "a:host:1234",
            "log:?a=1",
            "kubernetes:''",
        ] {
            assert_eq!(parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn booleans_are_gos() {
        let uri = parse("a:?yes=T&no=0&bad=yes").unwrap();
        assert_eq!(uri.get_bool("yes"), Ok(Some(true)));
        assert_eq!(uri.get_bool("no"), Ok(Some(false)));
        assert_eq!(uri.get_bool("none"), Ok(None));
        assert_eq!(
            uri.get_bool("bad").unwrap_err().to_string(),
            r#"option bad of a is "yes", which is not true or false (1, t, 0, f)"#
        );
    }

    #[test]
    fn an_unknown_option_names_the_nearest() {
        let known = ["kubeletPort", "kubeletHttps", "insecure"];
        let message = |text: &str| parse(text).unwrap().check_options(&known).unwrap_err();
        assert_eq!(
            message("k:?kubelet_port=1").to_string(),
            r#"k has no option "kubelet_port"; did you mean "kubeletPort"?"#
        );
        assert_eq!(
            message("k:?zzz=1").to_string(),
            r#"k has no option "zzz"; known options: kubeletPort, kubeletHttps, insecure"#
        );
    }
}
