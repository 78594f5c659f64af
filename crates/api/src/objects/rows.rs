//! The rows of a list as the API server prints them (`meta.k8s.io/v1` Table).

use std::cmp::Ordering;
use std::collections::BTreeMap;

use once::Order as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Longest text of a cell that is kept.
const MAX_CELL_BYTES: usize = 1024;

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Column {
    pub(super) name: String,
    #[serde(rename = "type", default)]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) format: String,
    #[serde(default)]
    pub(super) description: String,
    /// 0 for what a narrow list shows.
    #[serde(default)]
    pub(super) priority: i64,
}

impl Column {
    fn named(name: &str, kind: &str) -> Self {
        let (name, kind) = (name.to_owned(), kind.to_owned());
        Self { name, kind, format: String::new(), description: String::new(), priority: 0 }
    }

    /// Whether its cells tell how long ago the object was made.
    fn is_age(&self) -> bool {
        self.name == "Age" || (self.kind == "date" && self.name == "Created At")
    }
}

/// A row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Row {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) uid: String,
    /// RFC 3339.
    pub(super) created: String,
    pub(super) cells: Vec<Value>,
    /// Being deleted.
    pub(super) deleting: bool,
}

/// A table as it comes from the API server, or a list of one that prints none.
pub(super) struct Printed {
    /// Empty where only the first of several pieces has them.
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Row>,
    pub(super) resource_version: String,
    pub(super) next: Option<String>,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Reads a Table, a list, or a single object.
pub(super) fn printed(mut answer: Value) -> Printed {
    let metadata = answer["metadata"].take();
    let mut columns: Vec<Column> =
        serde_json::from_value(answer["columnDefinitions"].take()).unwrap_or_default();
    let rows = if answer["kind"] == "Table" {
        let rows = match answer["rows"].take() {
            Value::Array(rows) => rows,
            _ => Vec::new(),
        };
        rows.into_iter().filter_map(row_of_table).collect()
    } else {
        columns = vec![Column::named("Name", "string"), Column::named("Age", "string")];
        let items = match answer["items"].take() {
            Value::Array(items) => items,
            _ => vec![json!({ "metadata": metadata.clone() })],
        };
        let row = |item: Value| {
            let name = item["metadata"]["name"].clone();
            row(&item["metadata"], vec![name, Value::from("")])
        };
        items.into_iter().filter_map(row).collect()
    };
    let next = metadata["continue"].as_str().filter(|next| !next.is_empty()).map(str::to_owned);
    Printed { columns, rows, resource_version: text(&metadata["resourceVersion"]), next }
}

fn row_of_table(mut printed: Value) -> Option<Row> {
    let cells = match printed["cells"].take() {
        Value::Array(cells) => cells,
        _ => Vec::new(),
    };
    row(&printed["object"]["metadata"], cells)
}

fn row(metadata: &Value, cells: Vec<Value>) -> Option<Row> {
    let name = text(&metadata["name"]);
    if name.is_empty() {
        return None;
    }
    let namespace = text(&metadata["namespace"]);
    let mut uid = text(&metadata["uid"]);
    if uid.is_empty() {
        uid = format!("{namespace}/{name}");
    }
    Some(Row {
        created: text(&metadata["creationTimestamp"]),
        deleting: metadata["deletionTimestamp"].is_string(),
        cells: cells.into_iter().map(shortened).collect(),
        namespace,
        name,
        uid,
    })
}

fn shortened(cell: Value) -> Value {
    match cell {
        Value::String(text) if text.len() > MAX_CELL_BYTES => {
            let end = text.floor_char_boundary(MAX_CELL_BYTES);
            Value::from(format!("{}…", text.get(..end).unwrap_or_default()))
        }
        Value::Array(_) | Value::Object(_) => shortened(Value::from(cell.to_string())),
        cell => cell,
    }
}

/// How a page of rows is chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    /// `name`, `namespace`, `created`, or a column's name.
    pub(super) sort: String,
    pub(super) descending: bool,
    /// In lower case.
    pub(super) search: String,
    pub(super) offset: usize,
    pub(super) limit: usize,
}

/// How many rows pass, and those on the page in their order.
pub(super) fn choose<'r>(
    rows: &'r BTreeMap<String, Row>,
    columns: &[Column],
    choice: &Choice,
) -> (usize, Vec<&'r Row>) {
    let wanted = |row: &&Row| {
        choice.search.is_empty()
            || format!("{}/{}", row.namespace, row.name).to_lowercase().contains(&choice.search)
            || row.cells.iter().any(|cell| {
                cell.as_str().is_some_and(|text| text.to_lowercase().contains(&choice.search))
            })
    };
    let mut chosen: Vec<&Row> = rows.values().filter(wanted).collect();
    let total = chosen.len();
    let column = columns.iter().position(|column| column.name == choice.sort);
    let by_age = choice.sort == "created" || column.is_some_and(|at| columns[at].is_age());
    let named = |left: &Row, right: &Row| {
        (&left.name, &left.namespace).cmp(&(&right.name, &right.namespace))
    };
    chosen.order_by(|left, right| {
        let order = match column {
            // The youngest first, as the least age is.
            _ if by_age => right.created.cmp(&left.created),
            Some(at) => compare(left.cells.get(at), right.cells.get(at)),
            None if choice.sort == "namespace" => left.namespace.cmp(&right.namespace),
            None => Ordering::Equal,
        };
        let order = order.then_with(|| named(left, right));
        if choice.descending { order.reverse() } else { order }
    });
    let page = chosen.into_iter().skip(choice.offset).take(choice.limit).collect();
    (total, page)
}

/// Numbers by value, also at the beginning of a text (`3 (5m ago)`, `2/3`); else texts.
fn compare(left: Option<&Value>, right: Option<&Value>) -> Ordering {
    let number = |cell: Option<&Value>| match cell {
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => {
            let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
            text.get(..end).and_then(|digits| digits.parse().ok())
        }
        _ => None,
    };
    let shown = |cell: Option<&Value>| match cell {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    };
    match (number(left), number(right)) {
        (Some(left), Some(right)) if left.total_cmp(&right).is_ne() => left.total_cmp(&right),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        _ => shown(left).cmp(&shown(right)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(cells: &[(&str, &str)]) -> BTreeMap<String, Row> {
        let row = |(name, cell): &(&str, &str)| {
            let table = json!({ "kind": "Table", "rows": [{
                "cells": [name, cell],
                "object": { "metadata": { "name": name, "namespace": "n", "uid": name } },
            }] });
            ((*name).to_owned(), printed(table).rows.remove(0))
        };
        cells.iter().map(row).collect()
    }

    #[test]
    fn rows_are_searched_sorted_and_paged() {
        let rows = rows(&[("a", "10"), ("b", "9 (1m ago)"), ("c", "x"), ("d", "9 (1m ago)")]);
        let columns = [Column::named("Name", "string"), Column::named("Restarts", "string")];
        let check = |sort: &str, descending, search: &str, offset, expected: (usize, &[&str])| {
            let (sort, search) = (sort.to_owned(), search.to_owned());
            let choice = Choice { sort, descending, search, offset, limit: 2 };
            let (total, page) = choose(&rows, &columns, &choice);
            let names: Vec<&str> = page.iter().map(|row| row.name.as_str()).collect();
            assert_eq!((total, names.as_slice()), expected, "{choice:?}");
        };
        check("name", false, "", 0, (4, &["a", "b"]));
        check("name", true, "", 1, (4, &["c", "b"]));
        check("Restarts", false, "", 0, (4, &["b", "d"]));
        check("Restarts", false, "", 2, (4, &["a", "c"]));
        check("name", false, "1m", 0, (2, &["b", "d"]));
        check("name", false, "n/c", 0, (1, &["c"]));
    }

    #[test]
    fn a_long_cell_is_cut_and_a_list_without_a_table_shown() {
        let long = "é".repeat(MAX_CELL_BYTES);
        let table = json!({ "kind": "Table", "rows": [{
            "cells": [long, { "a": 1 }], "object": { "metadata": { "name": "a" } },
        }] });
        let row = printed(table).rows.remove(0);
        assert!(row.cells[0].as_str().unwrap().len() <= MAX_CELL_BYTES + 3);
        assert_eq!(row.cells[1], "{\"a\":1}");
        let list = json!({ "kind": "XList", "metadata": { "resourceVersion": "7" },
            "items": [{ "metadata": { "name": "x" } }] });
        let list = printed(list);
        assert_eq!((list.rows[0].name.as_str(), list.resource_version.as_str()), ("x", "7"));
    }
}
