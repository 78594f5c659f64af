//! What the lists share: parameters, order, paging.

use std::cmp::Ordering;

use model::Timestamp;
use serde::Serialize;

use crate::error::Error;
use crate::limits::{DEFAULT_LIST_ITEMS, MAX_LIST_ITEMS};
use crate::request::pairs;

/// What a list can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Name,
    Cpu,
    Memory,
    Network,
    Filesystem,
    Restarts,
    Pods,
    Started,
}

const SORTS: [(&str, Sort); 8] = [
    ("name", Sort::Name),
    ("cpu", Sort::Cpu),
    ("memory", Sort::Memory),
    ("network", Sort::Network),
    ("filesystem", Sort::Filesystem),
    ("restarts", Sort::Restarts),
    ("pods", Sort::Pods),
    ("started", Sort::Started),
];

/// What a list can be narrowed by, each a query parameter of that name that may be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filter {
    Namespace,
    Node,
    Pod,
    Kind,
}

impl Filter {
    const fn name(self) -> &'static str {
        match self {
            Self::Namespace => "namespace",
            Self::Node => "node",
            Self::Pod => "pod",
            Self::Kind => "kind",
        }
    }
}

/// Which page of which list, in which order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) sort: Sort,
    descending: bool,
    limit: usize,
    offset: usize,
    /// In lower case.
    search: String,
    /// The values that pass a filter; a filter without any lets everything pass.
    wanted: Vec<(Filter, String)>,
}

impl Page {
    /// Reads the parameters of a list that can be sorted by `sorts` and narrowed by `filters`.
    pub(super) fn parse(query: &str, sorts: &[Sort], filters: &[Filter]) -> Result<Self, Error> {
        let mut page = Self {
            sort: Sort::Name,
            descending: false,
            limit: DEFAULT_LIST_ITEMS,
            offset: 0,
            search: String::new(),
            wanted: Vec::new(),
        };
        let mut order = None;
        for (key, value) in pairs(query) {
            match &*key {
                "sort" => page.sort = sort_named(&value, sorts)?,
                "order" => order = Some(is_descending(&value)?),
                "limit" => {
                    let limit =
                        value.parse().ok().filter(|limit| (1..=MAX_LIST_ITEMS).contains(limit));
                    page.limit = limit.ok_or_else(|| Error::count("limit", &value))?;
                }
                "offset" => {
                    page.offset = value.parse().map_err(|_| Error::Parameter {
                        name: "offset",
                        value: value.to_string(),
                        takes: "a number from 0".to_owned(),
                    })?;
                }
                "search" => page.search = value.to_lowercase(),
                _ => match filters.iter().find(|filter| filter.name() == key) {
                    Some(_) if value.is_empty() => {}
                    Some(filter) => page.wanted.push((*filter, value.into_owned())),
                    None => return Err(Error::UnknownParameter(key.into_owned())),
                },
            }
        }
        page.descending = order.unwrap_or(page.sort != Sort::Name);
        Ok(page)
    }

    /// Whether the list shows a thing of that name.
    pub(super) fn shows(&self, name: &str) -> bool {
        self.search.is_empty() || name.to_lowercase().contains(&self.search)
    }

    /// Whether the list shows things whose `filter` is `value`.
    pub(super) fn wants(&self, filter: Filter, value: Option<&str>) -> bool {
        let mut wanted = self.wanted.iter().filter(|(one, _)| *one == filter).peekable();
        wanted.peek().is_none() || wanted.any(|(_, wanted)| value == Some(wanted))
    }

    /// How many there are of `candidates`, and those on the page in their order. Things without a
    /// value stand last in either order; equal ones are ordered by `name`.
    pub(super) fn of<T>(
        &self,
        candidates: Vec<T>,
        value: impl Fn(&T) -> Option<f64>,
        name: impl Fn(&T, &T) -> Ordering,
    ) -> (usize, Vec<T>) {
        let mut keyed: Vec<(Option<f64>, T)> =
            candidates.into_iter().map(|one| (value(&one), one)).collect();
        let total = keyed.len();
        let order = |left: &(Option<f64>, T), right: &(Option<f64>, T)| {
            let by_value = match (left.0, right.0) {
                (Some(left), Some(right)) if self.descending => right.total_cmp(&left),
                (Some(left), Some(right)) => left.total_cmp(&right),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => Ordering::Equal,
            };
            let by_name = name(&left.1, &right.1);
            let reversed = self.sort == Sort::Name && self.descending;
            by_value.then(if reversed { by_name.reverse() } else { by_name })
        };
        let wanted = self.offset.saturating_add(self.limit);
        if wanted < keyed.len() {
            keyed.select_nth_unstable_by(wanted, order);
            keyed.truncate(wanted);
        }
        keyed.sort_by(order);
        (total, keyed.into_iter().skip(self.offset).map(|(_, one)| one).collect())
    }
}

fn sort_named(value: &str, sorts: &[Sort]) -> Result<Sort, Error> {
    let allowed = SORTS.iter().filter(|(_, sort)| sorts.contains(sort));
    if let Some((_, sort)) = allowed.clone().find(|(name, _)| *name == value) {
        return Ok(*sort);
    }
    let names: Vec<&str> = allowed.map(|(name, _)| *name).collect();
    let takes = format!("one of {}", names.join(", "));
    Err(Error::Parameter { name: "sort", value: value.to_owned(), takes })
}

fn is_descending(value: &str) -> Result<bool, Error> {
    match value {
        "asc" => Ok(false),
        "desc" => Ok(true),
        _ => Err(Error::Parameter {
            name: "order",
            value: value.to_owned(),
            takes: "asc or desc".to_owned(),
        }),
    }
}

/// A page of a list.
#[derive(Debug, Serialize)]
pub(super) struct List<T> {
    /// Of the batch that the numbers come from, in milliseconds.
    timestamp: Option<i64>,
    /// How many there are on all pages.
    total: usize,
    items: Vec<T>,
}

impl<T> List<T> {
    pub(super) fn new(batch: Option<Timestamp>, total: usize, items: Vec<T>) -> Self {
        Self { timestamp: batch.map(Timestamp::millis), total, items }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(query: &str, expected: Result<&[&str], &str>) {
        let things =
            [("c", Some(1.0)), ("a", Some(3.0)), ("b", None), ("d", Some(3.0)), ("ax", Some(2.0))];
        let page = Page::parse(query, &[Sort::Name, Sort::Cpu], &[Filter::Node]);
        let names = page.map(|page| {
            let shows = |name: &str| page.shows(name) && page.wants(Filter::Node, Some(name));
            let shown = things.into_iter().filter(|(name, _)| shows(name)).collect();
            let value = |thing: &(&str, Option<f64>)| thing.1.filter(|_| page.sort == Sort::Cpu);
            let (_, things) = page.of(shown, value, |left, right| left.0.cmp(right.0));
            things.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
        });
        let names = names.map_err(|error| error.to_string());
        assert_eq!(names, expected.map(<[_]>::to_vec).map_err(str::to_owned), "{query}");
    }

    #[test]
    fn pages_are_sorted_and_cut() {
        check("", Ok(&["a", "ax", "b", "c", "d"]));
        check("order=desc", Ok(&["d", "c", "b", "ax", "a"]));
        check("sort=cpu", Ok(&["a", "d", "ax", "c", "b"]));
        check("sort=cpu&order=asc", Ok(&["c", "ax", "a", "d", "b"]));
        check("sort=cpu&limit=2&offset=1", Ok(&["d", "ax"]));
        check("search=A", Ok(&["a", "ax"]));
        check("offset=9", Ok(&[]));
        check("limit=0", Err("parameter \"limit\" has the value \"0\""));
        check("limit=1001", Err("parameter \"limit\" has the value \"1001\""));
        check("offset=-1", Err("parameter \"offset\" has the value \"-1\""));
        check("sort=pods", Err("parameter \"sort\" has the value \"pods\""));
        check("order=up", Err("parameter \"order\" has the value \"up\""));
        check("node=a&node=d&node=", Ok(&["a", "d"]));
        check("namespace=x", Err("unknown parameter \"namespace\""));
    }
}
