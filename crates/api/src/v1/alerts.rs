//! `GET /alerts` and what belongs to it: rules, changes, silences, receivers.

mod history;
mod receivers;
mod rules;
mod silences;

use std::collections::BTreeMap;
use std::sync::Arc;

use ::rules::{Alert, AlertState, GroupStanding, RuleStanding, shortest};
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use http::Uri;
use once::Order as _;
use serde::Serialize;
use serde_json::Value;

use super::respond;
use crate::ApiState;
use crate::error::Error;
use crate::limits::{DEFAULT_LIST_ITEMS, MAX_LIST_ITEMS};
use crate::people::Sight;
use crate::request::pairs;

pub(crate) use history::history;
pub(crate) use receivers::receivers;
pub(crate) use rules::rules;
pub(crate) use silences::{expire, list, make};

/// Highest offset that is taken.
const MAX_OFFSET: usize = 1_000_000;

#[derive(Debug, Serialize)]
struct Answer {
    timestamp: i64,
    total: usize,
    counts: Counts,
    items: Vec<Item>,
}

#[derive(Debug, Default, Serialize)]
struct Counts {
    firing: usize,
    pending: usize,
    resolved: usize,
    silenced: usize,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    id: String,
    name: String,
    state: &'static str,
    severity: String,
    group: Arc<str>,
    file: Arc<str>,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    value: Value,
    expression: Arc<str>,
    active_at: i64,
    fired_at: Option<i64>,
    resolved_at: Option<i64>,
    silenced_by: Vec<String>,
}

/// Which alerts are wanted.
#[derive(Debug, Default)]
struct Asked {
    states: Vec<String>,
    severities: Vec<String>,
    names: Vec<String>,
    labels: Vec<(String, String)>,
    search: String,
    silenced: Option<bool>,
    page: Page,
}

/// Which part of a list is wanted.
#[derive(Debug)]
struct Page {
    limit: usize,
    offset: usize,
}

impl Default for Page {
    fn default() -> Self {
        Self { limit: DEFAULT_LIST_ITEMS, offset: 0 }
    }
}

impl Page {
    /// Takes a parameter of paging; false when it is another.
    fn take(&mut self, name: &str, value: &str) -> Result<bool, Error> {
        let (place, name, most) = match name {
            "limit" => (&mut self.limit, "limit", MAX_LIST_ITEMS),
            "offset" => (&mut self.offset, "offset", MAX_OFFSET),
            _ => return Ok(false),
        };
        let number = value.parse().ok().filter(|number| *number <= most);
        *place = number.ok_or_else(|| Error::Parameter {
            name,
            value: value.to_owned(),
            takes: format!("a number up to {most}"),
        })?;
        Ok(true)
    }

    fn cut<T>(&self, all: impl Iterator<Item = T>) -> Vec<T> {
        all.skip(self.offset).take(self.limit).collect()
    }
}

pub(crate) async fn alerts(
    State(state): State<Arc<ApiState>>,
    sight: Option<Extension<Arc<Sight>>>,
    uri: Uri,
) -> Response {
    let sight = sight.map(|Extension(sight)| sight);
    let asked = Asked::read(uri.query().unwrap_or(""));
    respond(asked.map(|asked| asked.answer(&state, sight.as_deref())))
}

/// Whether somebody with `sight` is told of an alert about `namespace`; of what is about none,
/// whoever may see nodes is.
fn is_shown(sight: Option<&Sight>, namespace: &str) -> bool {
    sight.is_none_or(|sight| sight.tells(namespace))
}

impl Asked {
    fn read(query: &str) -> Result<Self, Error> {
        let mut asked = Self::default();
        for (name, value) in pairs(query) {
            if asked.page.take(&name, &value)? {
                continue;
            }
            let wrong = |name, takes: &str| Error::Parameter {
                name,
                value: value.clone().into_owned(),
                takes: takes.to_owned(),
            };
            match &*name {
                "state" if ["firing", "pending", "resolved"].contains(&&*value) => {
                    asked.states.push(value.into_owned());
                }
                "state" => return Err(wrong("state", "firing, pending or resolved")),
                "severity" => asked.severities.push(value.into_owned()),
                "name" => asked.names.push(value.into_owned()),
                "search" => asked.search = value.to_lowercase(),
                "silenced" => match &*value {
                    "true" => asked.silenced = Some(true),
                    "false" => asked.silenced = Some(false),
                    _ => return Err(wrong("silenced", "true or false")),
                },
                "label" => {
                    let pair = value.split_once('=').ok_or_else(|| wrong("label", "key=value"))?;
                    asked.labels.push((pair.0.to_owned(), pair.1.to_owned()));
                }
                _ => return Err(Error::UnknownParameter(name.into_owned())),
            }
        }
        Ok(asked)
    }

    fn answer(&self, state: &ApiState, sight: Option<&Sight>) -> Answer {
        let now = state.now().millis();
        let groups = state.alerts.groups();
        let mut counts = Counts::default();
        let mut all: Vec<(AlertState, Item)> = Vec::new();
        for group in &groups {
            for rule in &group.rules {
                let shown = |one: &&Alert| is_shown(sight, one.labels.get("namespace"));
                for alert in rule.alerts.iter().filter(shown) {
                    let item = item(state, group, rule, alert, now);
                    match alert.state {
                        AlertState::Firing => counts.firing += 1,
                        AlertState::Pending => counts.pending += 1,
                        AlertState::Resolved => counts.resolved += 1,
                    }
                    counts.silenced += usize::from(!item.silenced_by.is_empty());
                    if self.passes(&item) {
                        all.push((alert.state, item));
                    }
                }
            }
        }
        all.order_by(|(left_state, left), (right_state, right)| {
            let newest = |item: &Item| item.resolved_at.or(item.fired_at).unwrap_or(item.active_at);
            left_state
                .cmp(right_state)
                .then_with(|| newest(right).cmp(&newest(left)))
                .then_with(|| left.id.cmp(&right.id))
        });
        let total = all.len();
        let items = self.page.cut(all.into_iter().map(|(_, item)| item));
        Answer { timestamp: now, total, counts, items }
    }

    fn passes(&self, item: &Item) -> bool {
        let any = |wanted: &[String], found: &str| {
            wanted.is_empty() || wanted.iter().any(|wanted| wanted == found)
        };
        let has = |text: &str| text.to_lowercase().contains(&self.search);
        any(&self.states, item.state)
            && any(&self.severities, &item.severity)
            && any(&self.names, &item.name)
            && self.labels.iter().all(|(name, value)| item.labels.get(name) == Some(value))
            && self.silenced.is_none_or(|wanted| wanted != item.silenced_by.is_empty())
            && (self.search.is_empty()
                || has(&item.name)
                || item.labels.values().any(|value| has(value))
                || item.annotations.get("summary").is_some_and(|text| has(text)))
    }
}

fn item(
    state: &ApiState,
    group: &GroupStanding,
    rule: &RuleStanding,
    alert: &Alert,
    now: i64,
) -> Item {
    let silenced_by = match alert.state {
        AlertState::Resolved => Vec::new(),
        _ => state.alerts.holding(&alert.labels, now),
    };
    Item {
        id: alert.id(),
        name: alert.name().to_owned(),
        state: alert.state.name(),
        severity: alert.labels.get("severity").to_owned(),
        group: Arc::clone(&group.name),
        file: Arc::clone(&group.file),
        labels: owned(alert.labels.iter()),
        annotations: owned(alert.annotations.iter().map(|(name, text)| (&**name, &**text))),
        value: number(alert.value),
        expression: Arc::clone(&rule.expression),
        active_at: alert.active_at,
        fired_at: alert.fired_at,
        resolved_at: alert.resolved_at,
        silenced_by,
    }
}

fn owned<'a>(mut pairs: impl Iterator<Item = (&'a str, &'a str)>) -> BTreeMap<String, String> {
    // Once for all iterators: what collects sorts, which is much code.
    fn collected(pairs: &mut dyn Iterator<Item = (&str, &str)>) -> BTreeMap<String, String> {
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
    collected(&mut pairs)
}

/// A number, or a text where JSON has none.
fn number(value: f64) -> Value {
    if value.is_finite() { value.into() } else { shortest(value).into() }
}
