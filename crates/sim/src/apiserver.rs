//! The API server: routes a request to discovery, objects, watches, reviews, the kubelet proxy or
//! the simulation's own controls. Knows nothing of sockets or TLS.
//!
//! # Faults at run time
//!
//! `/sim/faults` is the simulation's own door (no Kubernetes has it), open to whoever may use the
//! API server:
//!
//! - `GET` lists the faults in force: `[{"target":"node-3","fault":"slow:2000ms"}]`.
//! - `PUT` or `POST` adds some, as one object or a list of `{"node":"node-3","fault":"slow:2s"}` and
//!   `{"fraction":0.05,"fault":"500"}`, or as `{"spec":"node-3=hang,5%=slow:2s"}`.
//! - `DELETE` mends everything; `DELETE ?node=node-3` mends one node.

mod admin;
mod aggregated;
mod attributes;
mod caller;
mod certificate;
mod discovery;
mod exec;
mod list;
mod logs;
mod openapi;
mod parameters;
mod rbac;
mod resource;
mod review;
mod schema;
mod selector;
mod status;
mod table;
mod token;
mod watch;
mod write;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use self::list::namespace_index;
use self::parameters::Parameters;
use self::resource::Resource;
use self::status::Status;
use crate::aggregator::Aggregator;
use crate::config::Now;
use crate::faults::Table as FaultTable;
use crate::http::{Body, Cut, JSON, TEXT, answer};
use crate::kubelet::server::{Kubelets, Request as KubeletRequest};
use crate::objects::Version;
use crate::plan::Sec;
use crate::store::{Kind, Store};
use crate::tokens::AdminTokens;

pub(crate) use self::caller::{AUTHENTICATED, Caller};
pub(crate) use self::certificate::Issued;
pub(crate) use self::token::Tokens;

/// Largest request body read; reviews and faults are small.
pub(crate) const LARGEST_REQUEST: usize = 1 << 20;

/// What all requests are answered from.
pub(crate) struct Api {
    pub store: Arc<Store>,
    pub kubelets: Arc<Kubelets>,
    pub faults: Arc<FaultTable>,
    pub now: Now,
    pub admins: Arc<AdminTokens>,
    pub tokens: Tokens,
    pub issued: Issued,
    pub issuer: Option<crate::issuer::Issuer>,
    pub aggregator: Arc<Aggregator>,
    pub bookmark_every: Duration,
    pub shutdown: CancellationToken,
}

/// The parts of a request that matter.
pub(crate) struct Request {
    pub method: Method,
    pub path: String,
    pub query: Option<String>,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// What the connection becomes when the answer is 101.
    pub upgrade: Option<hyper::upgrade::OnUpgrade>,
}

/// Where an object request points.
#[derive(Debug)]
struct Place {
    resource: &'static Resource,
    namespace: Option<String>,
    name: Option<String>,
    subresource: Option<String>,
    /// What follows a `proxy` subresource.
    rest: String,
    watch: bool,
}

impl Api {
    /// The pod at `place`.
    fn pod(&self, place: &Place) -> Result<Version, Status> {
        let name = place.name.as_deref().unwrap_or_default();
        let missing = || Status::not_found(place.resource, name);
        let namespace = place.namespace.as_deref().unwrap_or_default();
        let index = namespace_index(self.store.cluster(), namespace).ok_or_else(missing)?;
        self.store.get(Kind::Pods, &(index, name.into())).ok_or_else(missing)
    }

    /// Answers a request; `secure` ones need a token, or come over a connection that `shown`
    /// proved to be theirs.
    pub(crate) async fn answer(
        self: &Arc<Self>,
        secure: bool,
        shown: Option<&Caller>,
        request: Request,
    ) -> Result<Response<Body>, Cut> {
        let caller = match self.caller(secure, shown, &request.headers) {
            Ok(caller) => caller,
            Err(status) => return Ok(status.response()),
        };
        self.catch_up();
        let path = request.path.trim_end_matches('/').to_owned();
        let wanted = attributes::wanted(&path, &request);
        if let Err(status) = rbac::demand(&self.store, &caller, &wanted) {
            return Ok(status.response());
        }
        if let Some(answer) = aggregated::proxied(self, &caller, &path, &request).await {
            return Ok(answer);
        }
        let page = discovery::page(&path, &self.store);
        if let Some(page) = aggregated::merged(&self.aggregator, &path, page) {
            return Ok(only_get(&request, page));
        }
        if path == "/sim/faults" {
            return Ok(admin::faults(self, &request).unwrap_or_else(|status| status.response()));
        }
        if path == "/sim/certificates" {
            let answered = self.issued.answer(&request);
            return Ok(answered.unwrap_or_else(|status| status.response()));
        }
        let Some(place) = place(&path) else { return Ok(Status::no_such_path().response()) };
        if place.resource.is_review() {
            let answered = review::answer(self, &caller, place.resource, &request);
            return Ok(answered.unwrap_or_else(|status| status.response()));
        }
        if place.subresource.as_deref() == Some("proxy") && place.resource.plural == "nodes" {
            return self.proxy(&place, &request).await;
        }
        Ok(self.objects(&place, &request).unwrap_or_else(|status| status.response()))
    }

    /// Brings the objects up to the present; cheap when nothing is due.
    pub(crate) fn catch_up(&self) -> Sec {
        let now = (self.now)().secs();
        self.store.step(now);
        now
    }

    fn objects(
        self: &Arc<Self>,
        place: &Place,
        request: &Request,
    ) -> Result<Response<Body>, Status> {
        let subresource = place.subresource.as_deref();
        if subresource == Some("token") && place.resource.plural == "serviceaccounts" {
            return token::answer(self, place, request);
        }
        match (place.resource.plural, subresource) {
            ("pods", Some("log")) if request.method == Method::GET => {
                return logs::logs(self, place, request);
            }
            ("pods", Some("exec")) if request.method == Method::GET => {
                return exec::exec(self, place, request);
            }
            ("pods", Some("eviction")) => return write::world::evict(self, place, request),
            ("deployments" | "statefulsets" | "replicasets", Some("scale")) => {
                return write::world::scale(self, place, request);
            }
            _ => {}
        }
        if !matches!(subresource, None | Some("status")) {
            return Err(Status::no_such_path());
        }
        if request.method != Method::GET && request.method != Method::HEAD {
            return write::answer(self, place, request);
        }
        let mut parameters = Parameters::read(request.query.as_deref(), &request.headers)?;
        parameters.watch |= place.watch;
        if let Some(name) = &place.name {
            if !parameters.watch {
                return list::get(
                    self,
                    place.resource,
                    place.namespace.as_deref(),
                    name,
                    &parameters,
                );
            }
            parameters.select_name(name);
        }
        if parameters.watch {
            return watch::begin(self, place.resource, place.namespace.as_deref(), &parameters);
        }
        list::list(self, place.resource, place.namespace.as_deref(), &parameters)
    }

    /// `/api/v1/nodes/{name}[:port]/proxy/...`: the API server asks the kubelet with its own rights.
    async fn proxy(&self, place: &Place, request: &Request) -> Result<Response<Body>, Cut> {
        let name = place.name.as_deref().unwrap_or("");
        let name = name.rsplit_once(':').map_or(name, |(name, _)| name);
        let Some(node) = self.store.cluster().plan.node_named(name) else {
            return Ok(Status::not_found(place.resource, name).response());
        };
        let path = format!("/{}", place.rest);
        let query = request.query.as_deref();
        let asked = KubeletRequest { method: &request.method, path: &path, query };
        match self.kubelets.answer_as(node, true, asked).await {
            Ok(response) => Ok(response),
            Err(Cut) => Ok(Status::unreachable(name).response()),
        }
    }
}

fn only_get(request: &Request, page: (&'static str, Value)) -> Response<Body> {
    if request.method != Method::GET && request.method != Method::HEAD {
        return Status::method_not_allowed().response();
    }
    match page {
        (TEXT, Value::String(text)) => answer(StatusCode::OK, TEXT, text),
        (_, value) => json(StatusCode::OK, &value),
    }
}

pub(crate) fn json(status: StatusCode, value: &Value) -> Response<Body> {
    answer(status, JSON, serde_json::to_vec(value).unwrap_or_default())
}

/// Finds the resource, namespace and name that a path points to.
fn place(path: &str) -> Option<Place> {
    let mut parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let (group, version, mut used) = match *parts.first()? {
        "api" => ("", *parts.get(1)?, 2),
        "apis" => (*parts.get(1)?, *parts.get(2)?, 3),
        _ => return None,
    };
    let (group, version) = (group.to_owned(), version.to_owned());
    let watch = parts.get(used) == Some(&"watch");
    used += usize::from(watch);
    let rest = parts.split_off(used.min(parts.len()));
    let (namespace, rest) = match rest.as_slice() {
        ["namespaces", namespace, rest @ ..] if !rest.is_empty() && !is_subresource(rest) => {
            (Some((*namespace).to_owned()), rest)
        }
        rest => (None, rest),
    };
    let resource = resource::find(&group, &version, rest.first()?)?;
    let text = |index: usize| rest.get(index).map(|part| (*part).to_owned());
    Some(Place {
        resource,
        namespace,
        name: text(1),
        subresource: text(2),
        rest: rest.get(3..).unwrap_or_default().join("/"),
        watch,
    })
}

/// Whether what follows a namespace's name is part of the namespace itself.
fn is_subresource(rest: &[&str]) -> bool {
    matches!(rest, ["status" | "finalize"])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: &str) {
        let found = place(path).map_or("nothing".to_owned(), |place| {
            let namespace = place.namespace.unwrap_or_default();
            let name = place.name.unwrap_or_default();
            let more = place.subresource.unwrap_or_default();
            format!("{} {namespace}/{name} {more} {}", place.resource.plural, place.rest)
        });
        assert_eq!(found.trim_end(), expected, "{path}");
    }

    #[test]
    fn paths_lead_to_resources() {
        check("/api/v1/pods", "pods /");
        check("/api/v1/namespaces", "namespaces /");
        check("/api/v1/namespaces/web", "namespaces /web");
        check("/api/v1/namespaces/web/status", "namespaces /web status");
        check("/api/v1/namespaces/web/pods", "pods web/");
        check("/api/v1/namespaces/web/pods/a", "pods web/a");
        check("/api/v1/watch/nodes", "nodes /");
        check("/apis/apps/v1/namespaces/web/deployments/a", "deployments web/a");
        check("/api/v1/nodes/node-1/proxy/stats/summary", "nodes /node-1 proxy stats/summary");
        check("/apis/apps/v2/deployments", "nothing");
        check("/metrics", "nothing");
    }
}
