//! `GET /alerts/history`: how alerts changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use ::rules::{Change, ChangesAsked};
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use http::Uri;
use serde::Serialize;

use super::{Page, is_shown, owned};
use crate::ApiState;
use crate::error::Error;
use crate::people::Sight;
use crate::request::pairs;
use crate::v1::respond;

#[derive(Debug, Serialize)]
struct Answer {
    total: usize,
    items: Vec<Item>,
}

#[derive(Debug, Serialize)]
struct Item {
    at: i64,
    id: String,
    name: String,
    state: &'static str,
    severity: String,
    labels: BTreeMap<String, String>,
    value: Option<f64>,
    summary: String,
    silenced: bool,
}

pub(crate) async fn history(
    State(state): State<Arc<ApiState>>,
    sight: Option<Extension<Arc<Sight>>>,
    uri: Uri,
) -> Response {
    let sight = sight.map(|Extension(sight)| sight);
    let shown = |one: &&Change| is_shown(sight.as_deref(), one.label("namespace"));
    respond(read(uri.query().unwrap_or("")).map(|(asked, page)| {
        state.alerts.journal(|journal| Answer {
            total: journal.find(&asked).filter(shown).count(),
            items: page.cut(journal.find(&asked).filter(shown).map(item)),
        })
    }))
}

fn read(query: &str) -> Result<(ChangesAsked, Page), Error> {
    let (mut asked, mut page) = (ChangesAsked::default(), Page::default());
    for (name, value) in pairs(query) {
        if page.take(&name, &value)? {
            continue;
        }
        let wrong = |name, takes: &str| Error::Parameter {
            name,
            value: value.clone().into_owned(),
            takes: takes.to_owned(),
        };
        let time = |name| value.parse().map_err(|_| wrong(name, "milliseconds since the epoch"));
        match &*name {
            "from" => asked.from = Some(time("from")?),
            "to" => asked.to = Some(time("to")?),
            "name" => asked.name = Some(value.into_owned()),
            "id" => asked.id = Some(value.into_owned()),
            "state" if ["pending", "firing", "resolved", "dropped"].contains(&&*value) => {
                asked.kind = Some(value.into_owned());
            }
            "state" => return Err(wrong("state", "pending, firing, resolved or dropped")),
            _ => return Err(Error::UnknownParameter(name.into_owned())),
        }
    }
    Ok((asked, page))
}

fn item(change: &Change) -> Item {
    Item {
        at: change.at,
        id: change.id.clone(),
        name: change.label("alertname").to_owned(),
        state: change.kind.name(),
        severity: change.label("severity").to_owned(),
        labels: owned(change.labels.iter().map(|(name, value)| (&**name, &**value))),
        value: change.value,
        summary: change.summary.clone(),
        silenced: change.silenced,
    }
}
