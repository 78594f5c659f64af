//! Objects of the cluster as their own API server shows them to the person who asks: kinds,
//! lists, single objects, what may be done with them, logs and terminals.
//!
//! Only what is listed here can be asked for: a request names a kind, a namespace and a name, and
//! the path to the API server is made from them; nobody gives a path.

mod actions;
mod apply;
mod deeds;
mod drain;
mod exec;
mod kinds;
mod live;
mod logs;
mod one;
mod page;
mod place;
mod revisions;
mod rights;
mod rows;
mod scaler;
mod tables;

use std::sync::Arc;

use axum::Extension;
use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};

use crate::ApiState;
use crate::observe::named;
use crate::people::{Refusal, Session};
use crate::v1;

pub(crate) use deeds::Deeds;
pub(crate) use kinds::Kinds;
pub(crate) use tables::Tables;

/// The routes below `/api/taffrail/v1/objects`.
pub(crate) fn routes() -> Router<Arc<ApiState>> {
    let route = |name: &'static str, routes: MethodRouter<Arc<ApiState>>| {
        named(name, routes.fallback(v1::method_refused))
    };
    Router::new()
        .route("/kinds", route("v1ObjectKinds", get(kinds::kinds)))
        .route("/list/{group}/{version}/{plural}", route("v1Objects", get(page::list)))
        .route("/stream/{group}/{version}/{plural}", route("v1ObjectStream", get(page::stream)))
        .route(
            "/one/{group}/{version}/{plural}/{namespace}/{name}",
            route("v1Object", get(one::one)),
        )
        .route("/events/{namespace}/{uid}", route("v1ObjectEvents", get(one::events)))
        .route(
            "/rights/{group}/{version}/{plural}/{namespace}/{name}",
            route("v1ObjectRights", get(rights::rights)),
        )
        .route(
            "/revisions/{group}/{version}/{plural}/{namespace}/{name}",
            route("v1ObjectRevisions", get(revisions::revisions)),
        )
        .route(
            "/scaler/{group}/{version}/{plural}/{namespace}/{name}",
            route("v1ObjectScaler", get(scaler::scaler)),
        )
        .route(
            "/act/{group}/{version}/{plural}/{namespace}/{name}/{action}",
            route("v1ObjectAct", post(actions::act)),
        )
        .route("/drain/{name}", route("v1ObjectDrain", post(drain::drain)))
        .route("/apply", route("v1ObjectApply", post(apply::apply)))
        .route("/logs", route("v1Logs", get(logs::logs)))
        .route("/exec/{namespace}/{pod}", route("v1Exec", get(exec::exec)))
}

/// The session of a request, where there is one.
type Asking = Option<Extension<Arc<Session>>>;

/// Whoever asks; objects are shown to nobody else.
fn person(session: Asking) -> Result<Arc<Session>, Refusal> {
    session.map(|Extension(session)| session).ok_or_else(Refusal::no_person)
}

fn respond(answer: Result<Response, Refusal>) -> Response {
    answer.unwrap_or_else(IntoResponse::into_response)
}

/// Refuses where nothing may be changed from here.
fn changeable(state: &ApiState) -> Result<(), Refusal> {
    if state.people.read_only { Err(Refusal::read_only()) } else { Ok(()) }
}
