//! The secure port: an aggregated API server for `metrics.k8s.io`, in place of metrics-server, and
//! for `custom.metrics.k8s.io` and `external.metrics.k8s.io`, in place of an adapter.
//!
//! Shapes and messages: metrics-server's and Kubernetes' own API servers'. Differences:
//! `docs/decisions/0140`, `docs/decisions/0181`.

mod accept;
mod custom;
mod discovery;
mod external;
mod gate;
mod measure;
mod metrics;
mod openapi;
mod paced;
mod parameters;
mod probes;
mod proto;
mod quantity;
mod schemas;
mod selector;
mod status;
mod stored;
mod write;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use http::{Method, Request, header};
use serde_json::Value;

use crate::observe::{self, Handler};
use crate::{Answers, ApiState};

pub(crate) use accept::Form;
pub use gate::{Answered, Attributes, Decision, Delegate, Gate, Trust, User};
pub(crate) use quantity::{cpu, memory};
pub(crate) use selector::Selection;
pub(crate) use status::Status;

/// What the secure port answers, each `group/version`: the names of `APIService`s, turned around.
pub const API_SERVICES: [&str; 4] = [
    "metrics.k8s.io/v1beta1",
    "custom.metrics.k8s.io/v1beta2",
    "custom.metrics.k8s.io/v1beta1",
    "external.metrics.k8s.io/v1beta1",
];

/// The routes of the secure port, behind its gate.
pub fn router(state: &Arc<ApiState>) -> Answers {
    Answers::of(Router::new().fallback(any(answer)), state)
}

/// The versions of the group, the preferred first.
fn versions(state: &ApiState) -> &'static [&'static str] {
    if state.options.old_resource_version { &["v1beta1", "v1alpha1"] } else { &["v1beta1"] }
}

async fn answer(State(state): State<Arc<ApiState>>, request: Request<Body>) -> Response {
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or("");
    if matches!(&*path, "/healthz" | "/livez" | "/readyz") {
        return handled("probe", probes::answer(&state, &path, query));
    }
    if let Some(rest) = path.strip_prefix("/apis/metrics.k8s.io/") {
        let (version, rest) = rest.split_once('/').unwrap_or((rest, ""));
        if versions(&state).contains(&version) && !rest.is_empty() {
            let rest = rest.strip_suffix('/').unwrap_or(rest);
            let form = Form::of(request.headers()).unwrap_or(Form::Json);
            let answered = metrics::answer(&state, version, rest, &request);
            let response = answered.unwrap_or_else(|status| status.respond(form));
            return handled("resourceMetrics", response);
        }
    }
    for (group, versions) in
        [(custom::GROUP, &custom::VERSIONS[..]), (external::GROUP, &external::VERSIONS[..])]
    {
        let rest = path.strip_prefix("/apis/").and_then(|path| path.strip_prefix(group));
        let rest =
            rest.and_then(|rest| rest.strip_prefix('/')).and_then(|rest| rest.split_once('/'));
        let Some((version, rest)) = rest else { continue };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if !versions.contains(&version) || rest.is_empty() {
            continue;
        }
        let answered = match group {
            custom::GROUP => custom::answer(&state, version, rest, &request),
            _ => external::answer(&state, version, rest, &request),
        };
        let response = answered.unwrap_or_else(|status| status.respond(Form::Json));
        return handled("storedMetrics", response);
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let status = Status::unsupported(request.method().as_str(), metrics::GROUP, "nodes");
        return status.respond(Form::Json);
    }
    if path == "/metrics" {
        return handled("prometheus", observe::exposition(State(state)).await);
    }
    let page = page(&state, &path, &request);
    page.map_or_else(
        || Status::no_path().respond(Form::Json),
        |page| handled("discovery", page_response(&page)),
    )
}

fn page(state: &Arc<ApiState>, path: &str, request: &Request<Body>) -> Option<Value> {
    let (groups, taffrail) = (discovery::groups(state), state.status.facts().version);
    if path == "/apis"
        && let Some(discovery) = accept::aggregated_discovery(request.headers())
    {
        return Some(discovery::aggregated(&groups, discovery));
    }
    match path {
        "/openapi/v2" => Some(openapi::v2(&groups, &taffrail)),
        "/openapi/v3" => Some(openapi::v3_index(&groups)),
        _ => {
            let of_group = path.strip_prefix("/openapi/v3/apis/");
            if let Some((group, version)) = of_group.and_then(|rest| rest.split_once('/')) {
                return openapi::v3(&groups, group, version, &taffrail);
            }
            discovery::page(path, &groups, &taffrail)
        }
    }
}

fn page_response(page: &Value) -> Response {
    let kind = match page["kind"].as_str() {
        Some("APIGroupDiscoveryList") => {
            let version = page["apiVersion"].as_str().and_then(|text| text.rsplit('/').next());
            let version = version.unwrap_or("v2");
            format!("application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList")
        }
        _ => "application/json".to_owned(),
    };
    ([(header::CONTENT_TYPE, kind)], page.to_string()).into_response()
}

fn handled(name: &'static str, mut response: Response) -> Response {
    response.extensions_mut().insert(Handler(name));
    response
}
