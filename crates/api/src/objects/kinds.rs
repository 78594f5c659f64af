//! `GET /objects/kinds`: every kind that the API server discovers, custom ones too.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt as _, stream};
use model::Timestamp;
use once::Order as _;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::place::KindAddress;
use super::{Asking, person, respond};
use crate::ApiState;
use crate::limits::hit;
use crate::people::upstream::{self, Question};
use crate::people::{Refusal, Session};

/// How long discovery is believed: a new custom kind shows after that.
const BELIEVED: Duration = Duration::from_secs(20);
/// Most groups that are asked.
const MAX_GROUPS: usize = 500;
/// Groups asked at once.
const AT_ONCE: usize = 8;

/// One kind.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Kind {
    #[serde(flatten)]
    pub(super) address: KindAddress,
    #[serde(rename = "kind")]
    pub(super) word: String,
    pub(super) namespaced: bool,
    pub(super) verbs: Vec<String>,
    pub(super) short: Vec<String>,
    pub(super) subresources: Vec<String>,
}

/// Everything that was discovered.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Discovered {
    pub(super) kinds: Vec<Kind>,
    /// Groups whose server does not answer, with why.
    pub(super) failed: BTreeMap<String, String>,
}

/// What a session discovered last.
#[derive(Default)]
pub(crate) struct Kinds(Mutex<Option<(Timestamp, Arc<Discovered>)>>);

#[derive(Deserialize, Default)]
struct Groups {
    #[serde(default)]
    groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    name: String,
    preferred_version: Option<GroupVersion>,
    #[serde(default)]
    versions: Vec<GroupVersion>,
}

#[derive(Deserialize, Clone)]
struct GroupVersion {
    version: String,
}

#[derive(Deserialize)]
struct Resources {
    #[serde(default)]
    resources: Vec<Resource>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Resource {
    name: String,
    #[serde(default)]
    namespaced: bool,
    kind: String,
    #[serde(default)]
    verbs: Vec<String>,
    #[serde(default)]
    short_names: Vec<String>,
}

pub(super) async fn kinds(State(state): State<Arc<ApiState>>, session: Asking) -> Response {
    let answer = async {
        let session = person(session)?;
        Ok(Json(&*discovered(&session, state.now()).await?).into_response())
    };
    respond(answer.await)
}

/// The kinds as the person's API server tells them.
pub(super) async fn discovered(
    session: &Session,
    now: Timestamp,
) -> Result<Arc<Discovered>, Refusal> {
    let mut held = session.kinds.0.lock().await;
    if let Some((at, found)) = &*held
        && now.since(*at) < BELIEVED
    {
        return Ok(Arc::clone(found));
    }
    let found = Arc::new(ask(session).await?);
    *held = Some((now, Arc::clone(&found)));
    Ok(found)
}

async fn ask(session: &Session) -> Result<Discovered, Refusal> {
    let person = &*session.person;
    let read = |path: String| async move { upstream::json(person, Question::get(&path)).await };
    let groups: Groups = from(read("/apis".to_owned()).await?)?;
    if groups.groups.len() > MAX_GROUPS {
        hit("api_groups");
    }
    let mut versions = vec![(String::new(), "v1".to_owned())];
    for group in groups.groups.into_iter().take(MAX_GROUPS) {
        let preferred = group.preferred_version.or_else(|| group.versions.first().cloned());
        if let Some(preferred) = preferred {
            versions.push((group.name, preferred.version));
        }
    }
    let asked = stream::iter(versions).map(|(group, version)| async move {
        let root = if group.is_empty() { "/api".to_owned() } else { format!("/apis/{group}") };
        let found = read(format!("{root}/{version}")).await.and_then(from::<Resources>);
        (group, version, found)
    });
    let answers: Vec<_> = asked.buffered(AT_ONCE).collect().await;
    let mut discovered = Discovered::default();
    for (group, version, found) in answers {
        match found {
            Ok(found) => discovered.add(&group, &version, found.resources),
            Err(refusal) => {
                discovered.failed.insert(group, refusal.reason);
            }
        }
    }
    discovered.kinds.order_by(|left, right| {
        (&left.word, &left.address.group).cmp(&(&right.word, &right.address.group))
    });
    Ok(discovered)
}

fn from<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> Result<T, Refusal> {
    serde_json::from_value(value)
        .map_err(|error| Refusal::unreached(format!("discovery cannot be read: {error}")))
}

impl Discovered {
    fn add(&mut self, group: &str, version: &str, resources: Vec<Resource>) {
        let mut subresources: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for resource in &resources {
            if let Some((of, name)) = resource.name.split_once('/') {
                subresources.entry(of.to_owned()).or_default().push(name.to_owned());
            }
        }
        for resource in resources {
            // What cannot be listed only answers questions, as reviews do.
            if resource.name.contains('/') || !resource.verbs.iter().any(|verb| verb == "list") {
                continue;
            }
            self.kinds.push(Kind {
                subresources: subresources.remove(&resource.name).unwrap_or_default(),
                address: KindAddress {
                    group: group.to_owned(),
                    version: version.to_owned(),
                    plural: resource.name,
                },
                word: resource.kind,
                namespaced: resource.namespaced,
                verbs: resource.verbs,
                short: resource.short_names,
            });
        }
    }

    /// The kind at `address`, in any version.
    pub(super) fn at(&self, address: &KindAddress) -> Option<&Kind> {
        self.kinds.iter().find(|kind| kind.address.is(&address.group, &address.plural))
    }

    /// The kind of that name in an `apiVersion`'s group.
    pub(super) fn named(&self, api_version: &str, kind: &str) -> Option<&Kind> {
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        self.kinds.iter().find(|one| one.word == kind && one.address.group == group)
    }
}
