//! The aggregator: API groups that other servers answer, registered as `APIService`s, asked over
//! TLS with a front-proxy certificate, and probed. Reasons and messages: kube-aggregator's.

mod backend;
mod place;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures_util::future::join_all;
use once::Order as _;
use serde_json::{Value, json};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::apiserver::{Api, Caller};
use crate::error::Error;
use crate::objects::{Object, time};
use crate::plan::Sec;
use crate::store::{Change, Entry, Extent, Key, Kind, Store};
use crate::tls::{Authority, Identity};

pub(crate) use backend::Backend;
use place::Place;

/// How often a server is probed when nothing changes.
const PROBE_EVERY: Duration = Duration::from_secs(5);
/// Changes looked at at once.
const CHANGES: usize = 1_000;
/// The common name of the front proxy's certificate.
pub(crate) const FRONT_PROXY: &str = "front-proxy-client";

/// Why something registered cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unready {
    pub reason: &'static str,
    pub message: String,
}

/// A registered group and version.
#[derive(Debug)]
pub(crate) struct Route {
    pub group: String,
    pub version: String,
    group_priority: i64,
    version_priority: i64,
    backend: Result<Arc<Backend>, Unready>,
    pub available: bool,
}

/// Where API groups lead that other servers answer.
pub(crate) struct Aggregator {
    identity: Identity,
    ca_pem: String,
    routes: RwLock<BTreeMap<Key, Arc<Route>>>,
}

impl Aggregator {
    pub(crate) fn new() -> Result<Self, Error> {
        let authority = Authority::new("taffrail-sim-front-proxy-ca")?;
        Ok(Self {
            identity: authority.client(FRONT_PROXY)?,
            ca_pem: authority.pem().to_owned(),
            routes: RwLock::default(),
        })
    }

    /// The authority of front-proxy certificates, PEM.
    pub(crate) fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The route of a group and version.
    pub(crate) fn route(&self, group: &str, version: &str) -> Option<Arc<Route>> {
        let fits = |route: &&Arc<Route>| route.group == group && route.version == version;
        self.read(|routes| routes.values().find(fits).cloned())
    }

    /// All groups with their versions, as discovery orders them.
    pub(crate) fn groups(&self) -> Vec<(String, Vec<String>)> {
        let mut routes: Vec<Arc<Route>> = self.read(|routes| routes.values().cloned().collect());
        routes.order_by(|left, right| {
            let key = |route: &Route| (-route.group_priority, route.group.clone());
            let version = |route: &Route| (-route.version_priority, route.version.clone());
            key(left).cmp(&key(right)).then_with(|| version(left).cmp(&version(right)))
        });
        let mut groups: Vec<(String, Vec<String>)> = Vec::new();
        for route in routes {
            match groups.iter_mut().find(|(name, _)| *name == route.group) {
                Some((_, versions)) => versions.push(route.version.clone()),
                None => groups.push((route.group.clone(), vec![route.version.clone()])),
            }
        }
        groups
    }

    fn read<T>(&self, look: impl FnOnce(&BTreeMap<Key, Arc<Route>>) -> T) -> T {
        look(&self.routes.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Follows what is registered, and how it stands, until `stop`.
    pub(crate) async fn follow(api: Arc<Api>, stop: CancellationToken) {
        let store = Arc::clone(&api.store);
        let mut versions = store.subscribe();
        loop {
            let seen = store.version();
            api.aggregator.refresh(&store, (api.now)().secs()).await;
            let changed = async {
                while !concerns(&store, seen) {
                    if versions.changed().await.is_err() {
                        std::future::pending::<()>().await;
                    }
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(PROBE_EVERY) => {}
                () = changed => {}
            }
        }
    }

    async fn refresh(&self, store: &Store, now: Sec) {
        let Ok(registered) = store.list(Kind::ApiServices, &Extent::default()) else { return };
        let probes = registered.items.into_iter().filter_map(|(key, version)| {
            let Object::Written(written) = version.object else { return None };
            Some(async move {
                let spec = &written.body["spec"];
                let before = self.read(|routes| routes.get(&key).cloned());
                let mut route = Route::new(spec, self.backend(store, spec, before.as_deref()));
                let stands = route.probe().await;
                route.available = stands.is_ok();
                let status = status(&written.body["status"], stands, now);
                store.set_status(Kind::ApiServices, &key, status, now);
                (key, Arc::new(route))
            })
        });
        let routes = join_all(probes).await.into_iter().collect();
        *self.routes.write().unwrap_or_else(PoisonError::into_inner) = routes;
    }

    /// Whom to ask; the one from before where nothing about it changed.
    fn backend(
        &self,
        store: &Store,
        spec: &Value,
        before: Option<&Route>,
    ) -> Result<Arc<Backend>, Unready> {
        let place = Place::find(store, spec)?;
        if let Some(Ok(backend)) = before.map(|route| &route.backend)
            && backend.place == place
        {
            return Ok(Arc::clone(backend));
        }
        Backend::new(place, &self.identity).map(Arc::new)
    }
}

impl Route {
    fn new(spec: &Value, backend: Result<Arc<Backend>, Unready>) -> Self {
        let text = |field: &str| spec[field].as_str().unwrap_or_default().to_owned();
        let number = |field: &str| spec[field].as_i64().unwrap_or(0);
        Self {
            group: text("group"),
            version: text("version"),
            group_priority: number("groupPriorityMinimum"),
            version_priority: number("versionPriority"),
            backend,
            available: false,
        }
    }

    /// Whom to ask, if it answered its probe.
    pub(crate) fn backend(&self) -> Option<&Backend> {
        self.backend.as_deref().ok().filter(|_| self.available)
    }

    async fn probe(&self) -> Result<(), Unready> {
        let backend = self.backend.as_ref().map_err(Clone::clone)?;
        let caller = Caller::aggregator();
        backend.probe(&format!("/apis/{}/{}", self.group, self.version), &caller).await
    }
}

/// Whether anything after `version` changes where groups lead; statuses do not.
fn concerns(store: &Store, version: u64) -> bool {
    let relevant = |entry: &Entry| match (&entry.version.object, &entry.previous) {
        (Object::Written(now), Some(before)) if entry.change == Change::Modified => {
            let Object::Written(before) = &before.object else { return true };
            now.body["spec"] != before.body["spec"] || now.body["subsets"] != before.body["subsets"]
        }
        _ => true,
    };
    [Kind::ApiServices, Kind::Services, Kind::Endpoints].into_iter().any(|kind| {
        let changes = store.changes(kind, version, CHANGES);
        changes.map_or(true, |changes| changes.entries.iter().any(relevant))
    })
}

fn status(before: &Value, stands: Result<(), Unready>, now: Sec) -> Value {
    let (value, Unready { reason, message }) = match stands {
        Ok(()) => ("True", Unready { reason: "Passed", message: "all checks passed".to_owned() }),
        Err(unready) => ("False", unready),
    };
    let before = &before["conditions"][0];
    let since = match before["lastTransitionTime"].as_str() {
        Some(since) if before["status"] == value => since.to_owned(),
        _ => time(now),
    };
    json!({ "conditions": [{
        "type": "Available", "status": value, "lastTransitionTime": since,
        "reason": reason, "message": message,
    }] })
}
