//! Reading lists: a page in the server's order, or everything page by page.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;

use crate::wire::List;
use crate::{Api, Error, Row, Subject};

/// Most items that the API hands out at once.
const PAGE: usize = 1000;
/// Most items of a whole list: beyond that the caller is told that the list is cut.
const MOST: usize = 500_000;

/// What is encoded in a value of a query: all but RFC 3986's unreserved characters.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What a list can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortBy {
    /// By name, ascending.
    Name,
    /// By CPU usage, descending.
    Cpu,
    /// By working set, descending.
    Memory,
    /// By network traffic, descending.
    Network,
    /// By restarts, descending.
    Restarts,
    /// By the number of pods, descending.
    Pods,
}

impl SortBy {
    /// The API's name of it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Network => "network",
            Self::Restarts => "restarts",
            Self::Pods => "pods",
        }
    }

    /// Whether the list of `subject` can be sorted so.
    pub const fn suits(self, subject: Subject) -> bool {
        match self {
            Self::Name | Self::Cpu | Self::Memory => true,
            Self::Network => !matches!(subject, Subject::Containers),
            Self::Restarts => !matches!(subject, Subject::Nodes),
            Self::Pods => !matches!(subject, Subject::Pods | Subject::Containers),
        }
    }
}

/// By what, and which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// By what.
    pub by: SortBy,
    /// The other way than is usual for it.
    pub reversed: bool,
}

/// What narrows a list; the empty text narrows nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filters {
    /// Part of the name.
    pub search: String,
    /// Pairs of a query parameter and its value (`namespace`, `node`, `pod`, `workload`).
    pub exact: Vec<(&'static str, String)>,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Page {
    /// When the newest batch was made, in milliseconds since the epoch; `None` before the first.
    pub timestamp: Option<i64>,
    /// How many rows there are on all pages.
    pub total: usize,
    /// The rows of this one.
    pub rows: Vec<Row>,
}

/// A whole list.
pub type All = Page;

/// Rows `offset..offset + limit` of the list of `subject`.
pub async fn page(
    api: &dyn Api,
    subject: Subject,
    order: Order,
    filters: &Filters,
    (offset, limit): (usize, usize),
) -> Result<Page, Error> {
    let path = path(subject, order, filters, offset, limit.clamp(1, PAGE));
    let list: List = read(api, &path, &api.get(&path).await?)?;
    let rows = list.items.into_iter().map(|item| Row::new(subject, item)).collect();
    Ok(Page { timestamp: list.timestamp, total: list.total, rows })
}

/// The whole list of `subject`, page by page. Rows that come or go meanwhile may be missed or seen
/// twice, as with any paging by position.
pub async fn all(
    api: &dyn Api,
    subject: Subject,
    order: Order,
    filters: &Filters,
) -> Result<All, Error> {
    let mut whole = page(api, subject, order, filters, (0, PAGE)).await?;
    while whole.rows.len() < whole.total.min(MOST) {
        let next = page(api, subject, order, filters, (whole.rows.len(), PAGE)).await?;
        if next.rows.is_empty() {
            break;
        }
        whole.rows.extend(next.rows);
    }
    Ok(whole)
}

/// Reads JSON that `api` answered to `path`.
pub(crate) fn read<T: DeserializeOwned>(
    api: &dyn Api,
    path: &str,
    body: &[u8],
) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|error| Error::Foreign {
        server: api.name().to_owned(),
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

fn path(subject: Subject, order: Order, filters: &Filters, offset: usize, limit: usize) -> String {
    let mut path =
        format!("/{}?limit={limit}&offset={offset}&sort={}", subject.name(), order.by.name());
    if order.reversed {
        path.push_str(if order.by == SortBy::Name { "&order=desc" } else { "&order=asc" });
    }
    if !filters.search.is_empty() {
        path.push_str("&search=");
        path.extend(utf8_percent_encode(&filters.search, VALUE));
    }
    for (name, value) in &filters.exact {
        path.push('&');
        path.push_str(name);
        path.push('=');
        path.extend(utf8_percent_encode(value, VALUE));
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_say_order_and_filters() {
        let check = |by, reversed, filters: Filters, expected: &str| {
            let order = Order { by, reversed };
            assert_eq!(path(Subject::Pods, order, &filters, 40, 20), expected);
        };
        check(SortBy::Name, false, Filters::default(), "/pods?limit=20&offset=40&sort=name");
        let filters = Filters {
            search: "a b".to_owned(),
            exact: vec![("namespace", "web".to_owned()), ("workload", "Job/x".to_owned())],
        };
        check(
            SortBy::Cpu,
            true,
            filters,
            "/pods?limit=20&offset=40&sort=cpu&order=asc&search=a%20b&namespace=web&workload=Job%2Fx",
        );
    }
}
