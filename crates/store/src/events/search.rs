//! Searching events: by time, namespace, object, reason, type and text.

use model::{Event, Timestamp};

use super::{Entry, Events, read};
use crate::error::Error;
use crate::store::Store;
use crate::{Durability, record, vfs};

/// What to look for; `None` means any.
#[derive(Debug, Clone, Copy)]
pub struct EventQuery<'a> {
    /// Events that happened (first to last time seen) at or after this.
    pub from: Timestamp,
    /// And at or before this.
    pub to: Timestamp,
    /// Namespaces of the object, any of them; empty means all.
    pub namespaces: &'a [String],
    /// Kind of the object.
    pub object_kind: Option<&'a str>,
    /// Name of the object.
    pub object_name: Option<&'a str>,
    /// Uid of the object.
    pub object_uid: Option<&'a str>,
    /// Reason.
    pub reason: Option<&'a str>,
    /// `Normal` or `Warning`.
    pub event_type: Option<&'a str>,
    /// Part of message, reason, object name or source; letter case of ASCII does not matter.
    pub text: Option<&'a str>,
    /// Most events of the answer.
    pub limit: usize,
}

impl EventQuery<'_> {
    /// All events from `from` to `to`, however many.
    pub const fn all(from: Timestamp, to: Timestamp) -> Self {
        Self {
            from,
            to,
            namespaces: &[],
            object_kind: None,
            object_name: None,
            object_uid: None,
            reason: None,
            event_type: None,
            text: None,
            limit: usize::MAX,
        }
    }

    fn accepts(&self, event: &Event) -> bool {
        let is = |wanted: Option<&str>, found: &str| wanted.is_none_or(|wanted| *wanted == *found);
        let among = |wanted: &[String], found: &str| {
            wanted.is_empty() || wanted.iter().any(|wanted| *wanted == *found)
        };
        among(self.namespaces, &event.namespace)
            && is(self.object_kind, &event.object_kind)
            && is(self.object_name, &event.object_name)
            && is(self.object_uid, &event.object_uid)
            && is(self.reason, &event.reason)
            && is(self.event_type, &event.event_type)
            && self.text.is_none_or(|text| {
                [&event.message, &event.reason, &event.object_name, &event.source]
                    .into_iter()
                    .any(|field| contains(field, text))
            })
    }
}

fn contains(field: &str, text: &str) -> bool {
    text.is_empty()
        || field
            .as_bytes()
            .windows(text.len())
            .any(|part| part.eq_ignore_ascii_case(text.as_bytes()))
}

impl Events {
    /// The events that `query` asks for, newest first. What is damaged is left out.
    pub(crate) fn search(&self, query: &EventQuery<'_>) -> Result<Vec<Event>, Error> {
        let (from, to) = (query.from.millis(), query.to.millis());
        let mut candidates: Vec<(usize, Entry)> = Vec::new();
        for (at, segment) in self.segments.iter().enumerate() {
            let wanted = segment.entries.iter().enumerate().filter(|(place, entry)| {
                entry.last_seen >= from
                    && entry.first_seen <= to
                    && self.newest.is_at(segment, *place, entry.uid)
            });
            candidates.extend(wanted.map(|(_, entry)| (at, *entry)));
        }
        candidates.sort_by_key(|(_, entry)| std::cmp::Reverse(entry.last_seen));
        let mut found = Vec::new();
        let mut held: Option<(usize, Vec<u8>)> = None;
        for (at, entry) in candidates {
            if found.len() >= query.limit {
                break;
            }
            if held.as_ref().is_none_or(|(held, _)| *held != at) {
                let segment = &self.segments[at];
                let bytes = vfs::read_all(&*segment.file)
                    .map_err(|error| Error::io("read", &segment.path, error))?;
                held = Some((at, bytes));
            }
            let Some((_, bytes)) = &held else { continue };
            let body = record::read(bytes, entry.at as usize);
            if let Some(event) = body.and_then(|body| read(body).ok())
                && query.accepts(&event)
            {
                found.push(event);
            }
        }
        Ok(found)
    }
}

impl Store {
    /// Stores events. One whose uid is known and whose count and time did not grow is skipped.
    /// Answers how many were stored.
    pub fn append_events(&self, events: &[Event], now: Timestamp) -> Result<usize, Error> {
        let mut all = self.events();
        let stored = all.append(events, now)?;
        if self.options().durability == Durability::EachAppend {
            all.sync()?;
        }
        Ok(stored)
    }

    /// The events that `query` asks for, newest first.
    pub fn search_events(&self, query: &EventQuery<'_>) -> Result<Vec<Event>, Error> {
        self.events().search(query)
    }
}
