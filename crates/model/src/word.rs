//! A text that many records have in common: a namespace, a phase, a node.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// A text behind a count: as cheap to clone as a number, and as small in a record as a pointer.
/// The empty one takes nothing else.
#[derive(Clone, Default)]
pub struct Word(Option<Arc<Box<str>>>);

impl Word {
    /// Whether both are the same piece of memory.
    pub fn is_same(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => true,
            _ => false,
        }
    }

    /// How many hold it; nobody holds the empty one.
    pub(crate) fn holders(&self) -> usize {
        self.0.as_ref().map_or(0, Arc::strong_count)
    }
}

impl Deref for Word {
    type Target = str;

    fn deref(&self) -> &str {
        self.0.as_deref().map_or("", |text| text)
    }
}

impl AsRef<str> for Word {
    fn as_ref(&self) -> &str {
        self
    }
}

impl From<Box<str>> for Word {
    fn from(text: Box<str>) -> Self {
        Self((!text.is_empty()).then(|| Arc::new(text)))
    }
}

impl From<&str> for Word {
    fn from(text: &str) -> Self {
        Box::<str>::from(text).into()
    }
}

impl From<String> for Word {
    fn from(text: String) -> Self {
        text.into_boxed_str().into()
    }
}

impl PartialEq for Word {
    fn eq(&self, other: &Self) -> bool {
        self.is_same(other) || **self == **other
    }
}

impl Eq for Word {}

impl PartialOrd for Word {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Word {
    fn cmp(&self, other: &Self) -> Ordering {
        str::cmp(self, other)
    }
}

impl Hash for Word {
    fn hash<H: Hasher>(&self, state: &mut H) {
        str::hash(self, state);
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, formatter)
    }
}

impl fmt::Display for Word {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_its_text_in_a_pointer() {
        assert_eq!(size_of::<Word>(), size_of::<usize>());
        let (one, two) = (Word::from("Running"), Word::from("Running".to_owned()));
        assert!(one == two && !one.is_same(&two) && one.is_same(&one.clone()));
        assert_ne!(one, Word::from("Pending"));
        assert_eq!(
            (&*one, one.to_string(), format!("{one:?}")),
            ("Running", "Running".into(), "\"Running\"".into())
        );
    }

    #[test]
    fn the_empty_word_is_nowhere() {
        let empty = Word::default();
        assert!(empty.is_empty() && empty.is_same(&Word::from("")));
        assert_eq!((empty.holders(), &*empty), (0, ""));
        assert_ne!(empty, Word::from("Evicted"));
    }
}
