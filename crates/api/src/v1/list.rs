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
    Namespace,
    Node,
    Kind,
    Cpu,
    CpuShare,
    Memory,
    MemoryShare,
    Network,
    Filesystem,
    Fill,
    Restarts,
    Pods,
    Ready,
    Started,
}

const SORTS: [(&str, Sort); 15] = [
    ("name", Sort::Name),
    ("namespace", Sort::Namespace),
    ("node", Sort::Node),
    ("kind", Sort::Kind),
    ("cpu", Sort::Cpu),
    ("cpuShare", Sort::CpuShare),
    ("memory", Sort::Memory),
    ("memoryShare", Sort::MemoryShare),
    ("network", Sort::Network),
    ("filesystem", Sort::Filesystem),
    ("fill", Sort::Fill),
    ("restarts", Sort::Restarts),
    ("pods", Sort::Pods),
    ("ready", Sort::Ready),
    ("started", Sort::Started),
];

/// What a thing is ordered by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Key<'a> {
    Number(f64),
    Text(&'a str),
}

impl Key<'_> {
    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(left), Self::Number(right)) => left.total_cmp(right),
            (Self::Text(left), Self::Text(right)) => left.cmp(right),
            (Self::Number(_), Self::Text(_)) => Ordering::Less,
            (Self::Text(_), Self::Number(_)) => Ordering::Greater,
        }
    }
}

/// Which things a list shows; an empty part shows all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Filter {
    namespaces: Vec<String>,
    pub(super) nodes: Vec<String>,
    pub(super) phases: Vec<String>,
    pub(super) kinds: Vec<String>,
    pub(super) pods: Vec<String>,
    /// Kind and name.
    pub(super) workload: Option<(String, String)>,
    /// Pairs that all have to be there.
    labels: Vec<(String, String)>,
}

impl Filter {
    /// Takes `value` for the filter `name`, if that is one.
    fn take(&mut self, name: &str, value: &str) -> Result<(), Error> {
        match name {
            "namespace" => self.namespaces.extend(given(value)),
            "node" => self.nodes.extend(given(value)),
            "phase" => self.phases.extend(given(value)),
            "kind" => self.kinds.extend(given(value)),
            "pod" => self.pods.extend(given(value)),
            "workload" => self.workload = Some(split("workload", value, '/', "Kind/name")?),
            "label" => self.labels.push(split("label", value, '=', "key=value")?),
            _ => return Err(Error::UnknownParameter(name.to_owned())),
        }
        Ok(())
    }

    /// Whether things of that namespace are shown.
    pub(super) fn namespace(&self, namespace: &str) -> bool {
        is(&self.namespaces, namespace)
    }

    /// Whether things with these labels are shown.
    pub(super) fn labels(&self, labels: &[(Box<str>, Box<str>)]) -> bool {
        let has = |(key, value): &(String, String)| {
            labels.iter().any(|(name, held)| **name == **key && **held == **value)
        };
        self.labels.iter().all(has)
    }

    /// Whether anything beyond the name can only be known from an object.
    pub(super) fn needs_object(&self) -> bool {
        !self.phases.is_empty() || self.workload.is_some() || !self.labels.is_empty()
    }
}

/// Whether `held` is one of what is wanted; where nothing is, everything passes.
pub(super) fn is(wanted: &[String], held: &str) -> bool {
    wanted.is_empty() || wanted.iter().any(|one| one == held)
}

fn split(
    name: &'static str,
    value: &str,
    at: char,
    shape: &str,
) -> Result<(String, String), Error> {
    value
        .split_once(at)
        .filter(|(left, _)| !left.is_empty())
        .map(|(left, right)| (left.to_owned(), right.to_owned()))
        .ok_or_else(|| Error::Parameter { name, value: value.to_owned(), takes: shape.to_owned() })
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
    pub(super) filter: Filter,
}

impl Page {
    /// Reads the parameters of a list that can be sorted by `sorts` and takes these `filters`.
    pub(super) fn parse(query: &str, sorts: &[Sort], filters: &[&str]) -> Result<Self, Error> {
        let mut page = Self {
            sort: Sort::Name,
            descending: false,
            limit: DEFAULT_LIST_ITEMS,
            offset: 0,
            search: String::new(),
            filter: Filter::default(),
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
                name if filters.contains(&name) => page.filter.take(name, &value)?,
                _ => return Err(Error::UnknownParameter(key.into_owned())),
            }
        }
        let text = [Sort::Name, Sort::Namespace, Sort::Node, Sort::Kind];
        page.descending = order.unwrap_or(!text.contains(&page.sort));
        Ok(page)
    }

    /// Whether the list shows a thing of that name.
    pub(super) fn shows(&self, name: &str) -> bool {
        self.search.is_empty() || name.to_lowercase().contains(&self.search)
    }

    /// How many there are of `candidates`, and those on the page in their order. Things without a
    /// value stand last in either order; equal ones are ordered by `name`.
    pub(super) fn of<'k, T>(
        &self,
        candidates: Vec<T>,
        value: impl Fn(&T) -> Option<Key<'k>>,
        name: impl Fn(&T, &T) -> Ordering,
    ) -> (usize, Vec<T>) {
        let mut keyed: Vec<(Option<Key<'k>>, T)> =
            candidates.into_iter().map(|one| (value(&one), one)).collect();
        let total = keyed.len();
        let order = |left: &(Option<Key<'k>>, T), right: &(Option<Key<'k>>, T)| {
            let by_value = match (left.0, right.0) {
                (Some(left), Some(right)) if self.descending => right.compare(&left),
                (Some(left), Some(right)) => left.compare(&right),
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

fn given(value: &str) -> Option<String> {
    (!value.is_empty()).then(|| value.to_owned())
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
        let page = Page::parse(query, &[Sort::Name, Sort::Cpu], &["node", "workload"]);
        let names = page.map(|page| {
            let shown = things
                .into_iter()
                .filter(|(name, _)| page.shows(name) && is(&page.filter.nodes, name))
                .collect();
            let value = |thing: &(&str, Option<f64>)| {
                thing.1.filter(|_| page.sort == Sort::Cpu).map(Key::Number)
            };
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
        check("workload=x", Err("parameter \"workload\" has the value \"x\""));
    }
}
