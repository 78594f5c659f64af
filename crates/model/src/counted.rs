//! What many records have in common, behind a count: a namespace, a phase, the labels of a template.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// A text or a list behind a count: as cheap to clone as a number, and as small in a record as a
/// pointer. The empty one takes nothing else.
pub struct Counted<T: ?Sized>(Option<Arc<Box<T>>>);

/// A text that many records have in common.
pub type Word = Counted<str>;

/// A list that many records have in common: what pods of one template share.
pub type Shared<T> = Counted<[T]>;

/// What can be counted: it knows what it is when it is empty.
pub trait Content: 'static {
    /// The empty one.
    fn empty() -> &'static Self;
    /// Whether it is that.
    fn is_empty(&self) -> bool;
}

impl Content for str {
    fn empty() -> &'static Self {
        ""
    }

    fn is_empty(&self) -> bool {
        str::is_empty(self)
    }
}

impl<T: 'static> Content for [T] {
    fn empty() -> &'static Self {
        &[]
    }

    fn is_empty(&self) -> bool {
        <[T]>::is_empty(self)
    }
}

impl<T: ?Sized> Counted<T> {
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

impl<T: ?Sized> Clone for Counted<T> {
    fn clone(&self) -> Self {
        Self(self.0.as_ref().map(Arc::clone))
    }
}

impl<T: ?Sized> Default for Counted<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Content + ?Sized> Deref for Counted<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_deref().map_or(T::empty(), |content| content)
    }
}

impl<T: Content + ?Sized> AsRef<T> for Counted<T> {
    fn as_ref(&self) -> &T {
        self
    }
}

impl<T: Content + ?Sized> From<Box<T>> for Counted<T> {
    fn from(content: Box<T>) -> Self {
        Self((!content.is_empty()).then(|| Arc::new(content)))
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

impl<T: 'static> From<Vec<T>> for Shared<T> {
    fn from(list: Vec<T>) -> Self {
        list.into_boxed_slice().into()
    }
}

impl<T: 'static, const LENGTH: usize> From<[T; LENGTH]> for Shared<T> {
    fn from(list: [T; LENGTH]) -> Self {
        Box::<[T]>::from(list).into()
    }
}

impl<T: 'static> FromIterator<T> for Shared<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        items.into_iter().collect::<Box<[T]>>().into()
    }
}

impl<'a, T: 'static> IntoIterator for &'a Shared<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: Content + PartialEq + ?Sized> PartialEq for Counted<T> {
    fn eq(&self, other: &Self) -> bool {
        self.is_same(other) || **self == **other
    }
}

impl<T: Content + Eq + ?Sized> Eq for Counted<T> {}

impl<T: Content + Ord + ?Sized> PartialOrd for Counted<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: Content + Ord + ?Sized> Ord for Counted<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        T::cmp(self, other)
    }
}

impl<T: Content + Hash + ?Sized> Hash for Counted<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        T::hash(self, state);
    }
}

impl<T: Content + fmt::Debug + ?Sized> fmt::Debug for Counted<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, formatter)
    }
}

impl<T: Content + fmt::Display + ?Sized> fmt::Display for Counted<T> {
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
