//! Whoever runs the process, while the API server does not answer.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use api::{Answered, ApiParts, ApiServer, ApiState, Credentials, PeopleParts, Person};
use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response};
use model::Inventory;
use serde_json::Value;
use tokio::time::timeout;

use super::fixture::{parts, send};

/// An API server that takes every question and answers none.
struct Hanging;

impl ApiServer for Hanging {
    fn person(&self, _: Credentials) -> Result<Arc<dyn Person>, String> {
        Ok(Arc::new(Self))
    }

    fn own(&self) -> Option<Arc<dyn Person>> {
        Some(Arc::new(Self))
    }
}

impl Person for Hanging {
    fn ask(&self, _: Request<Bytes>) -> Answered<Response<Body>> {
        Box::pin(pending())
    }
}

#[tokio::test(start_paused = true)]
async fn a_hanging_api_server_holds_nobody_up() {
    let people = PeopleParts { server: Some(Arc::new(Hanging)), ..PeopleParts::default() };
    let parts = ApiParts { people, ..parts(&[], Inventory::default()) };
    let state = ApiState::new(parts);
    for path in ["/api/taffrail/v1/status", "/api/v1/model/metrics", "/api/v1/query?query=up"] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = timeout(Duration::from_millis(1), send(&state, request)).await;
        assert_ne!(answer.unwrap().status, 401, "{path}");
    }
    let request = Request::get("/api/taffrail/v1/session").body(Body::empty()).unwrap();
    let answer = timeout(Duration::from_secs(5), send(&state, request)).await.unwrap();
    let session: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((&session["user"]["name"], &session["user"]["own"]), (&"".into(), &true.into()));
}
