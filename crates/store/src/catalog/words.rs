//! Values of labels as numbers: each is held once, whoever has it.

use std::hash::BuildHasher as _;
use std::sync::Arc;

use hashbrown::HashTable;

/// Numbered strings. The table holds numbers alone: a string is compared where it lies.
#[derive(Debug, Default)]
pub(super) struct Words {
    texts: Vec<Option<Arc<str>>>,
    free: Vec<u32>,
    table: HashTable<u32>,
    /// Bytes of all texts, each with its two counts.
    text_bytes: usize,
}

fn text_bytes(text: &str) -> usize {
    (text.len() + 16).next_multiple_of(8)
}

fn hash(text: &str) -> u64 {
    foldhash::quality::FixedState::default().hash_one(text)
}

impl Words {
    pub(super) fn find(&self, text: &str) -> Option<u32> {
        self.position(hash(text), text)
    }

    fn position(&self, hash: u64, text: &str) -> Option<u32> {
        self.table.find(hash, |word| self.get(*word).is_some_and(|known| **known == *text)).copied()
    }

    /// The number of `text`, given now if it is new.
    pub(super) fn add(&mut self, text: &str) -> u32 {
        let hash = hash(text);
        if let Some(word) = self.position(hash, text) {
            return word;
        }
        let word = self.free.pop().unwrap_or_else(|| {
            model::push_long(&mut self.texts, None);
            u32::try_from(self.texts.len() - 1).unwrap_or(u32::MAX)
        });
        self.texts[word as usize] = Some(Arc::from(text));
        self.text_bytes += text_bytes(text);
        let texts = &self.texts;
        self.table.insert_unique(hash, word, |word| {
            texts[*word as usize].as_deref().map_or(0, self::hash)
        });
        word
    }

    /// The text of a number that is in use.
    pub(super) fn get(&self, word: u32) -> Option<&Arc<str>> {
        self.texts.get(word as usize)?.as_ref()
    }

    /// Numbers that were given: all are below.
    pub(super) fn numbers(&self) -> usize {
        self.texts.len()
    }

    /// Forgets a word; its number will be given again.
    pub(super) fn remove(&mut self, word: u32) {
        let Some(text) = self.texts.get_mut(word as usize).and_then(Option::take) else { return };
        if let Ok(entry) = self.table.find_entry(hash(&text), |known| *known == word) {
            entry.remove();
        }
        self.text_bytes -= text_bytes(&text);
        self.free.push(word);
    }

    /// Number of words.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.text_bytes
            + self.texts.capacity() * size_of::<Option<Arc<str>>>()
            + self.free.capacity() * 4
            + self.table.allocation_size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_has_one_number_while_it_is_used() {
        let mut words = Words::default();
        let (web, db) = (words.add("web"), words.add("db"));
        assert_eq!((words.add("web"), words.find("db")), (web, Some(db)));
        words.remove(web);
        assert_eq!((words.find("web"), words.get(web), words.len()), (None, None, 1));
        assert_eq!(words.add("cache"), web);
        assert_eq!(words.get(web).map(|text| &**text), Some("cache"));
        words.remove(7);
        assert_eq!(words.len(), 2);
    }
}
