//! `GET /volumes`: volumes of pods that a kubelet measures, with how full they are.

use std::cmp::Ordering;
use std::sync::{Arc, PoisonError};

use axum::extract::State;
use axum::response::Response;
use http::Uri;
use model::{Batch, Claim, EntityKind, Inventory, metric};
use serde::Serialize;

use super::cell::{Number, Row};
use super::list::{Key, List, Page, Sort, is};
use super::respond;
use crate::ApiState;
use crate::error::Error;

const SORTS: &[Sort] = &[Sort::Name, Sort::Namespace, Sort::Node, Sort::Filesystem, Sort::Fill];

/// What a volume's `resource_id` begins with.
const PREFIX: &str = "Volume:";

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Item {
    namespace: String,
    pod: String,
    /// As the pod's spec names it.
    name: String,
    /// As a query names it.
    id: String,
    /// The claim that it comes from.
    claim: Option<String>,
    /// `Bound`, `Pending` or `Lost`.
    claim_phase: Option<String>,
    storage_class: Option<String>,
    /// Bytes that the claim asks for.
    requested: Option<i64>,
    node: Option<String>,
    usage: Option<Number>,
    limit: Option<Number>,
    available: Option<Number>,
    inodes: Option<Number>,
    inodes_free: Option<Number>,
}

pub(crate) async fn volumes(State(state): State<Arc<ApiState>>, uri: Uri) -> Response {
    respond(gather(&state, uri.query().unwrap_or("")))
}

struct Candidate<'a> {
    namespace: &'a str,
    pod: &'a str,
    id: &'a str,
    node: &'a str,
    claim: Option<&'a str>,
    known: Option<&'a Claim>,
    row: Row<'a>,
}

fn gather(state: &ApiState, query: &str) -> Result<List<Item>, Error> {
    let page = Page::parse(query, SORTS, &["namespace", "node", "pod"])?;
    let latest = state.window.latest();
    let batch = latest.as_deref();
    let inventory = state.inventory.read().unwrap_or_else(PoisonError::into_inner);
    let mut candidates = candidates(batch, &inventory);
    candidates.retain(|one| {
        let named = [Some(one.name()), Some(one.pod), one.claim];
        named.into_iter().flatten().any(|name| page.shows(name))
            && page.filter.namespace(one.namespace)
            && is(&page.filter.nodes, one.node)
            && is(&page.filter.pods, one.pod)
    });
    let (total, shown) = page.of(candidates, |one| one.sort_key(page.sort), Candidate::by_name);
    let items = shown.iter().map(Candidate::item).collect();
    Ok(List::new(batch.map(Batch::timestamp), total, items))
}

/// Share of its size from which a claimed volume is told to be nearly full.
const NEARLY_FULL: f64 = 0.85;

/// How many volumes are listed, those left out whose pod the watches no longer know; and how many
/// of them have a claim and are nearly full.
pub(super) fn count(batch: &Batch, inventory: &Inventory) -> (usize, usize) {
    let full = |one: &Candidate<'_>| {
        one.claim.is_some()
            && one
                .row
                .share(metric::FILESYSTEM_USAGE, metric::FILESYSTEM_LIMIT)
                .is_some_and(|share| share > NEARLY_FULL)
    };
    let all = candidates(Some(batch), inventory);
    (all.len(), all.iter().filter(|one| full(one)).count())
}

fn candidates<'a>(batch: Option<&'a Batch>, inventory: &'a Inventory) -> Vec<Candidate<'a>> {
    let Some(table) = batch.map(|batch| batch.table(EntityKind::Volume)) else { return Vec::new() };
    let mut found = Vec::with_capacity(table.len());
    for (row, entity) in table.entities().iter().enumerate() {
        let namespace = entity.namespace().unwrap_or_default();
        let pod = entity.pod().unwrap_or_default();
        let context = table.context(row);
        let known = inventory.pod(namespace, pod);
        if known.is_none() && context.pod.is_some() {
            continue;
        }
        let name = entity.name().strip_prefix(PREFIX).unwrap_or(entity.name());
        let claims = known.map(|pod| &*pod.claims).unwrap_or_default();
        let claim = claims.iter().find(|(volume, _)| **volume == *name);
        let measured_on = context.node.as_ref().map(|node| &*node.name);
        found.push(Candidate {
            namespace,
            pod,
            id: entity.name(),
            node: known.map(|pod| &*pod.node).or(measured_on).unwrap_or_default(),
            known: claim
                .and_then(|(_, claim)| inventory.shelf::<Claim>().get(namespace, claim))
                .map(|known| &**known),
            claim: claim.map(|(_, claim)| &**claim),
            row: Row(Some((table, row))),
        });
    }
    found
}

impl<'a> Candidate<'a> {
    fn name(&self) -> &'a str {
        self.id.strip_prefix(PREFIX).unwrap_or(self.id)
    }

    fn by_name(left: &Self, right: &Self) -> Ordering {
        let name = |one: &Self| (one.name(), one.namespace, one.pod);
        (left.name(), left.namespace, left.pod).cmp(&name(right))
    }

    fn sort_key(&self, sort: Sort) -> Option<Key<'a>> {
        let row = &self.row;
        let number = match sort {
            Sort::Namespace => return Some(Key::Text(self.namespace)),
            Sort::Node => return Some(Key::Text(self.node)),
            Sort::Filesystem => row.get(metric::FILESYSTEM_USAGE).map(|Number(value)| value),
            Sort::Fill => row.share(metric::FILESYSTEM_USAGE, metric::FILESYSTEM_LIMIT),
            _ => None,
        };
        number.map(Key::Number)
    }

    fn item(&self) -> Item {
        Item {
            namespace: self.namespace.to_owned(),
            pod: self.pod.to_owned(),
            name: self.name().to_owned(),
            id: self.id.to_owned(),
            claim: self.claim.map(str::to_owned),
            claim_phase: self.known.map(|known| known.phase.to_string()),
            storage_class: self.known.map(|known| known.storage_class.to_string()),
            requested: self.known.and_then(|known| known.requested),
            node: Some(self.node).filter(|node| !node.is_empty()).map(str::to_owned),
            usage: self.row.get(metric::FILESYSTEM_USAGE),
            limit: self.row.get(metric::FILESYSTEM_LIMIT),
            available: self.row.get(metric::FILESYSTEM_AVAILABLE),
            inodes: self.row.get(metric::FILESYSTEM_INODES),
            inodes_free: self.row.get(metric::FILESYSTEM_INODES_FREE),
        }
    }
}
