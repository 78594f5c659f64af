//! Which version of an event is the newest: places of entries, found by the event's hash.

use hashbrown::HashTable;

use super::{Entry, Segment};

/// Where an entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    /// Its segment's number: of segments of megabytes there are never more.
    segment: u32,
    /// Position among its segment's entries.
    entry: u32,
}

impl Place {
    fn of(segment: &Segment, entry: usize) -> Option<Self> {
        let (segment, entry) = (u32::try_from(segment.number), u32::try_from(entry));
        Some(Self { segment: segment.ok()?, entry: entry.ok()? })
    }

    /// The entry there; `segments` are in the order of their numbers.
    fn entry(self, segments: &[Segment]) -> Option<&Entry> {
        let number = u64::from(self.segment);
        let at = segments.binary_search_by_key(&number, |segment| segment.number).ok()?;
        segments[at].entries.get(self.entry as usize)
    }
}

/// The newest version of each event. What it says of it stands in the segment's entry alone.
#[derive(Debug, Default)]
pub(super) struct Newest(HashTable<Place>);

impl Newest {
    /// The newest version of the event with that hash.
    pub(super) fn get<'a>(&self, segments: &'a [Segment], uid: u64) -> Option<&'a Entry> {
        let found = self.0.find(uid, |place| is(segments, *place, uid))?;
        found.entry(segments)
    }

    /// Whether the entry of `segment` at `position` is the newest version of its event.
    pub(super) fn is_at(&self, segment: &Segment, position: usize, uid: u64) -> bool {
        let place = Place::of(segment, position);
        place.is_some_and(|place| self.0.find(uid, |known| *known == place).is_some())
    }

    /// Notes that the last entry of the last segment is the newest version of its event.
    pub(super) fn learn(&mut self, segments: &[Segment]) {
        let last = segments.last().and_then(|segment| {
            let (at, entry) = segment.entries.iter().enumerate().next_back()?;
            Some((Place::of(segment, at)?, entry.uid))
        });
        let Some((place, uid)) = last else { return };
        if let Some(known) = self.0.find_mut(uid, |known| is(segments, *known, uid)) {
            *known = place;
            return;
        }
        let hash = |place: &Place| place.entry(segments).map_or(0, |entry| entry.uid);
        self.0.insert_unique(uid, place, hash);
    }

    /// Forgets what is in that segment.
    pub(super) fn forget(&mut self, segment: u64) {
        self.0.retain(|place| u64::from(place.segment) != segment);
    }

    /// Number of events.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

fn is(segments: &[Segment], place: Place, uid: u64) -> bool {
    place.entry(segments).is_some_and(|entry| entry.uid == uid)
}
