//! What the view shows and where the person is in it; draws nothing, reads nothing.

use std::collections::HashMap;
use std::time::Duration;

use crate::past::Past;
use crate::wire::{Overview, Status};
use crate::{Error, Filters, Order, Page, Row, SortBy, Subject};

/// Between readings while the server's own interval is not known.
const INTERVAL: Duration = Duration::from_secs(5);
/// The quickest that is worth it.
const QUICKEST: Duration = Duration::from_secs(2);
/// Rows that are read beyond what is seen, so that moving on by a row shows something.
const MARGIN: usize = 10;
/// Rows that are read before the height of the list is known.
const ROWS: usize = 50;

/// One list, and where the person is in it.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) subject: Subject,
    pub(super) filters: Filters,
    pub(super) order: Order,
    /// Position of the chosen row among all rows.
    pub(super) chosen: usize,
    /// Position of the first row that is seen.
    pub(super) first: usize,
}

impl Place {
    fn new(subject: Subject, filters: Filters) -> Self {
        let order = Order { by: SortBy::Cpu, reversed: false };
        Self { subject, filters, order, chosen: 0, first: 0 }
    }
}

/// What must be read for the screen.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) subject: Subject,
    pub(super) filters: Filters,
    pub(super) order: Order,
    pub(super) offset: usize,
    pub(super) limit: usize,
}

/// What was read.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    pub(super) status: Status,
    pub(super) overview: Overview,
    pub(super) page: Page,
    /// By position in the page.
    pub(super) past: HashMap<usize, Past>,
    /// The cluster's.
    pub(super) whole: Past,
    /// Position of the page's first row among all rows.
    pub(super) offset: usize,
}

/// Everything that the view knows.
#[derive(Debug)]
pub(super) struct State {
    pub(super) server: String,
    /// Where the person came from, outermost first; the last is where they are.
    places: Vec<Place>,
    pub(super) seen: Option<Seen>,
    /// Why the last reading failed; what was seen before stays.
    pub(super) failure: Option<Error>,
    pub(super) paused: bool,
    pub(super) help: bool,
    /// The filter while it is typed.
    pub(super) typing: bool,
    /// Rows that fit.
    pub(super) height: usize,
}

impl State {
    pub(super) fn new(server: &str, subject: Subject, filters: Filters) -> Self {
        Self {
            server: server.to_owned(),
            places: vec![Place::new(subject, filters)],
            seen: None,
            failure: None,
            paused: false,
            help: false,
            typing: false,
            height: ROWS,
        }
    }

    pub(super) fn place(&self) -> &Place {
        // There is always one: `back` keeps the first.
        &self.places[self.places.len() - 1]
    }

    pub(super) fn place_mut(&mut self) -> &mut Place {
        let last = self.places.len() - 1;
        &mut self.places[last]
    }

    /// The way here, for people: `nodes › node-1 › pods`.
    pub(super) fn trail(&self) -> String {
        let mut words = Vec::new();
        for place in &self.places {
            let within = place.filters.exact.iter().map(|(name, value)| format!("{name} {value}"));
            words.extend(within);
            words.push(place.subject.name().to_owned());
        }
        words.dedup();
        words.join(" › ")
    }

    pub(super) fn interval(&self) -> Duration {
        let own = self.seen.as_ref().map(|seen| seen.status.resolution_ms).filter(|ms| *ms > 0);
        own.map_or(INTERVAL, |ms| Duration::from_millis(ms).clamp(QUICKEST, 12 * INTERVAL))
    }

    pub(super) fn wanted(&self) -> Wanted {
        let place = self.place();
        Wanted {
            subject: place.subject,
            filters: place.filters.clone(),
            order: place.order,
            offset: place.first.saturating_sub(MARGIN),
            limit: self.height + 2 * MARGIN,
        }
    }

    /// Takes what a reading brought.
    pub(super) fn take(&mut self, seen: Result<Seen, Error>) {
        match seen {
            Ok(seen) => {
                self.failure = None;
                self.seen = Some(seen);
                self.move_to(self.place().chosen);
            }
            Err(error) => self.failure = Some(error),
        }
    }

    pub(super) fn total(&self) -> usize {
        self.seen.as_ref().map_or(0, |seen| seen.page.total)
    }

    /// The rows on screen, with their positions among all rows and their past.
    pub(super) fn rows(&self) -> Vec<(usize, &Row, Option<&Past>)> {
        let Some(seen) = &self.seen else { return Vec::new() };
        let first = self.place().first;
        let rows = seen.page.rows.iter().enumerate().map(|(at, row)| {
            let position = seen.offset + at;
            (position, row, seen.past.get(&at))
        });
        rows.filter(|(at, ..)| (first..first + self.height).contains(at)).collect()
    }

    fn chosen_row(&self) -> Option<&Row> {
        let seen = self.seen.as_ref()?;
        seen.page.rows.get(self.place().chosen.checked_sub(seen.offset)?)
    }

    /// Chooses the row at `position`, as near as there is one. True when rows come into sight
    /// that were not read.
    pub(super) fn move_to(&mut self, position: usize) -> bool {
        let (total, height) = (self.total(), self.height.max(1));
        let place = self.place_mut();
        place.chosen = position.min(total.saturating_sub(1));
        let lowest = (place.chosen + 1).saturating_sub(height);
        let highest = total.saturating_sub(height);
        place.first = place.first.clamp(lowest, place.chosen.max(lowest)).min(highest.max(lowest));
        let end = (place.first + height).min(total);
        let first = place.first;
        let read =
            self.seen.as_ref().map_or(0..0, |seen| seen.offset..seen.offset + seen.page.rows.len());
        first < read.start || end > read.end
    }

    /// Begins a list of another kind, where the person is now.
    pub(super) fn list(&mut self, subject: Subject) {
        self.places = vec![Place::new(subject, Filters::default())];
        self.forget_rows();
    }

    /// Sorts by `by`, or the other way round when it is sorted so already.
    pub(super) fn sort(&mut self, by: SortBy) -> bool {
        let place = self.place_mut();
        if !by.suits(place.subject) {
            return false;
        }
        let reversed = place.order.by == by && !place.order.reversed;
        place.order = Order { by, reversed };
        (place.chosen, place.first) = (0, 0);
        true
    }

    /// Narrows by name.
    pub(super) fn search(&mut self, change: impl FnOnce(&mut String)) {
        let place = self.place_mut();
        change(&mut place.filters.search);
        (place.chosen, place.first) = (0, 0);
    }

    /// Goes into the chosen row; false where there is nothing inside.
    pub(super) fn enter(&mut self) -> bool {
        let Some(row) = self.chosen_row() else { return false };
        let namespace = || ("namespace", row.namespace.clone().unwrap_or_default());
        let (subject, exact) = match row.subject {
            Subject::Nodes => (Subject::Pods, vec![("node", row.name.clone())]),
            Subject::Namespaces => (Subject::Workloads, vec![("namespace", row.name.clone())]),
            Subject::Workloads => {
                let kind = row.kind.as_deref().unwrap_or_default();
                let workload = format!("{kind}/{}", row.name);
                (Subject::Pods, vec![namespace(), ("workload", workload)])
            }
            Subject::Pods => (Subject::Containers, vec![namespace(), ("pod", row.name.clone())]),
            Subject::Containers => return false,
        };
        self.places.push(Place::new(subject, Filters { search: String::new(), exact }));
        self.forget_rows();
        true
    }

    /// Goes back to where the person came from; false at the beginning.
    pub(super) fn back(&mut self) -> bool {
        if self.places.len() < 2 {
            return false;
        }
        self.places.pop();
        self.forget_rows();
        true
    }

    /// Rows of another list would be wrong ones; the cluster's figures stay.
    fn forget_rows(&mut self) {
        if let Some(seen) = &mut self.seen {
            seen.page = Page::default();
            seen.past.clear();
        }
    }
}
