//! YAML into any type by serde: of `serde-saphyr` what kube asks for, at a twentieth of the code.
//!
//! A scalar is what its reader wants it to be: `port: 80` is a text to who reads a text. Texts that
//! nobody asked for as one follow YAML's core schema. Aliases and merge keys (`<<`) are taken.
#![forbid(unsafe_code)]

mod read;
mod tree;

use std::fmt;

use serde::de::DeserializeOwned;

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// Line and column, from 1; zero where nobody knows yet.
    place: (usize, usize),
    what: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            (0, _) => write!(f, "error: {}", self.what),
            (line, column) => write!(f, "error: line {line} column {column}: {}", self.what),
        }
    }
}

impl std::error::Error for Error {}

impl serde::de::Error for Error {
    fn custom<T: fmt::Display>(what: T) -> Self {
        Self { place: (0, 0), what: what.to_string() }
    }
}

/// Each document that is not empty.
pub fn from_multiple<T: DeserializeOwned>(text: &str) -> Result<Vec<T>, Error> {
    let documents = tree::documents(text)?;
    documents.into_iter().filter(|one| !one.is_null()).map(T::deserialize).collect()
}

/// The first document.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    let text = std::str::from_utf8(bytes).map_err(serde::de::Error::custom)?;
    let first = tree::documents(text)?.into_iter().next();
    T::deserialize(first.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Item {
        name: String,
        port: Option<u16>,
        #[serde(default)]
        args: Vec<String>,
        on: Option<bool>,
        level: Option<Level>,
        #[serde(flatten)]
        other: BTreeMap<String, Other>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(untagged)]
    enum Other {
        Bool(bool),
        Integer(i64),
        Float(f64),
        Text(String),
        List(Vec<Other>),
        Null(()),
    }

    #[derive(Debug, Deserialize, PartialEq)]
    enum Level {
        Low,
        High,
    }

    #[test]
    fn scalars_are_what_is_wanted() {
        let text = "name: 7\nport: 80\nargs: [1, \"a\", yes, !!str true]\non: true\nlevel: High\n\
                    a: 0x10\nb: -2.5e1\nc: '3'\nd: ~\ne: [true]\n---\n---\n{\"name\": \"j\"}";
        let items: Vec<Item> = from_multiple(text).unwrap();
        assert_eq!(items.len(), 2);
        let first = &items[0];
        assert_eq!((&*first.name, first.port, first.on), ("7", Some(80), Some(true)));
        assert_eq!(first.args, ["1", "a", "yes", "true"]);
        assert_eq!(first.level, Some(Level::High));
        let other = [
            ("a", Other::Integer(16)),
            ("b", Other::Float(-25.0)),
            ("c", Other::Text("3".to_owned())),
            ("d", Other::Null(())),
            ("e", Other::List(vec![Other::Bool(true)])),
        ];
        assert_eq!(first.other, other.map(|(key, value)| (key.to_owned(), value)).into());
        assert_eq!(items[1].name, "j");
        assert_eq!(from_slice::<Item>(b"{\"name\": \"x\"}").unwrap().name, "x");
        assert_eq!(from_slice::<Option<Item>>(b"# nothing"), Ok(None));
        assert!(from_slice::<Item>(b"\xff").is_err());
    }

    #[test]
    fn aliases_and_merge_keys_are_taken() {
        let text = "base: &base {name: a, port: 1}\none:\n  <<: *base\n  port: 2\ntwo: *base\n";
        let items: BTreeMap<String, Item> = from_slice(text.as_bytes()).unwrap();
        assert_eq!((&*items["one"].name, items["one"].port), ("a", Some(2)));
        assert_eq!(items["two"].port, Some(1));
        // A document that would grow without bound is refused.
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for at in 1..9 {
            let before = format!("*a{}", at - 1);
            let list = vec![before; 10].join(", ");
            bomb = format!("{bomb}a{at}: &a{at} [{list}]\n");
        }
        let error = from_slice::<BTreeMap<String, Other>>(bomb.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("too large"), "{error}");
    }

    #[test]
    fn errors_say_where() {
        for (text, expected) in [
            ("name: a\nname: b\n", "error: line 2 column 1: duplicate mapping key: name"),
            (
                "name: a\nport: x\n",
                "error: line 2 column 7: invalid type: string \"x\", expected u16",
            ),
            ("name: [a]\n", "error: line 1 column 7: invalid type: sequence, expected a string"),
            ("port: 1\n", "error: line 1 column 1: missing field `name`"),
            (
                "name: a\nargs: 5\n",
                "error: line 2 column 7: invalid type: integer `5`, expected a sequence",
            ),
            ("name: *b\n", "error: line 1 column"),
            ("a: [\n", "error: line"),
        ] {
            let error = from_slice::<Item>(text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }
}
