//! `GET /search`: things of every kind by a part of their name, for the command palette.

use std::sync::{Arc, PoisonError};

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use http::Uri;
use model::Inventory;
use once::Order as _;
use serde::Serialize;

use super::respond;
use crate::ApiState;
use crate::error::Error;
use crate::limits::{DEFAULT_LIST_ITEMS, MAX_LIST_ITEMS};
use crate::people::Sight;
use crate::request::pairs;

#[derive(Debug, Serialize)]
struct Found {
    /// How many match.
    total: usize,
    items: Vec<Item>,
}

#[derive(Debug, Serialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "camelCase")]
struct Item {
    /// 0 where the name begins with what is searched.
    #[serde(skip)]
    rank: u8,
    #[serde(skip)]
    length: usize,
    kind: &'static str,
    name: String,
    namespace: Option<String>,
    workload_kind: Option<String>,
}

pub(crate) async fn search(
    State(state): State<Arc<ApiState>>,
    sight: Option<Extension<Arc<Sight>>>,
    uri: Uri,
) -> Response {
    let sight = sight.map(|Extension(sight)| sight);
    respond(gather(&state, sight.as_deref(), uri.query().unwrap_or("")))
}

fn gather(state: &ApiState, sight: Option<&Sight>, query: &str) -> Result<Found, Error> {
    let mut wanted = String::new();
    let mut limit = DEFAULT_LIST_ITEMS;
    for (key, value) in pairs(query) {
        match &*key {
            "q" => wanted = value.to_lowercase(),
            "limit" => {
                let given = value.parse().ok().filter(|limit| (1..=MAX_LIST_ITEMS).contains(limit));
                limit = given.ok_or_else(|| Error::count("limit", &value))?;
            }
            _ => return Err(Error::UnknownParameter(key.into_owned())),
        }
    }
    let inventory = state.inventory.read().unwrap_or_else(PoisonError::into_inner);
    let mut items = matching(&inventory, &wanted);
    if let Some(sight) = sight {
        items.retain(|item| match (&item.namespace, item.kind) {
            (Some(namespace), _) => sight.namespace(namespace),
            (None, "namespace") => sight.namespace(&item.name),
            (None, _) => sight.nodes,
        });
    }
    items.order();
    let total = items.len();
    items.truncate(limit);
    Ok(Found { total, items })
}

/// Names that contain `wanted`, or, with a slash in it, whose `namespace/name` does.
fn matching(inventory: &Inventory, wanted: &str) -> Vec<Item> {
    let mut found = Vec::new();
    let mut add = |kind, namespace: Option<&str>, workload_kind: Option<&str>, name: &str| {
        let plain = name.to_lowercase();
        let whole = namespace.map(|namespace| format!("{}/{plain}", namespace.to_lowercase()));
        let held = match &whole {
            Some(whole) if wanted.contains('/') => whole.contains(wanted),
            _ => plain.contains(wanted),
        };
        if held {
            found.push(Item {
                rank: u8::from(!plain.starts_with(wanted)),
                length: name.len(),
                kind,
                name: name.to_owned(),
                namespace: namespace.map(str::to_owned),
                workload_kind: workload_kind.map(str::to_owned),
            });
        }
    };
    for node in inventory.nodes() {
        add("node", None, None, &node.name);
    }
    for namespace in inventory.namespaces() {
        add("namespace", None, None, &namespace.name);
    }
    for workload in inventory.workloads().filter(|workload| workload.owner.is_none()) {
        add("workload", Some(&workload.namespace), Some(&workload.kind), &workload.name);
    }
    for pod in inventory.pods() {
        add("pod", Some(&pod.namespace), None, &pod.name);
    }
    found
}
