//! Entities of one kind with the same names of labels: their values as rows of numbers.

use std::sync::Arc;

use model::EntityKind;
use roaring::RoaringBitmap;

use super::postings::bitmap_bytes;

/// A kind, names of labels, and a row for each entity that has just these.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) kind: EntityKind,
    /// Sorted.
    pub(super) names: Arc<[Arc<str>]>,
    /// Each name's place among the catalog's.
    pub(super) labels: Box<[u32]>,
    /// The entities.
    pub(super) ids: RoaringBitmap,
    /// Numbers of words, as many in a row as names.
    rows: Vec<u32>,
    free: Vec<u32>,
}

impl Shape {
    pub(super) fn new(kind: EntityKind, names: Arc<[Arc<str>]>, labels: Box<[u32]>) -> Self {
        let ids = RoaringBitmap::new();
        Self { kind, names, labels, ids, rows: Vec::new(), free: Vec::new() }
    }

    /// Whether it has just these names, sorted.
    pub(super) fn is<'a>(&self, kind: EntityKind, names: impl Iterator<Item = &'a str>) -> bool {
        self.kind == kind && self.names.iter().map(|name| &**name).eq(names)
    }

    pub(super) fn has(&self, label: u32) -> bool {
        self.labels.contains(&label)
    }

    /// Puts a row somewhere; answers where.
    pub(super) fn add(&mut self, words: &[u32]) -> u32 {
        let width = self.names.len();
        if let Some(row) = self.free.pop() {
            let at = row as usize * width;
            self.rows[at..at + width].copy_from_slice(words);
            return row;
        }
        // Without names there is but one entity.
        let row = self.rows.len().checked_div(width).unwrap_or(0);
        for word in words {
            model::push_long(&mut self.rows, *word);
        }
        u32::try_from(row).unwrap_or(u32::MAX)
    }

    pub(super) fn row(&self, row: u32) -> &[u32] {
        let at = row as usize * self.names.len();
        self.rows.get(at..at + self.names.len()).unwrap_or_default()
    }

    /// Gives a row's place free.
    pub(super) fn remove(&mut self, row: u32) {
        if !self.names.is_empty() {
            self.free.push(row);
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let lists = self.rows.capacity() + self.free.capacity() + self.labels.len();
        lists * 4 + self.names.len() * size_of::<Arc<str>>() + bitmap_bytes(&self.ids)
    }
}
