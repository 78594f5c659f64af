//! `/session`: who is signed in, signing in and signing out.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::cookie::{self, SESSION};
use super::sessions::LONGEST;
use super::upstream::{self, Question};
use super::{Credentials, Person, Refusal, Session};
use crate::ApiState;
use crate::kubernetes::User;
use crate::limits::{BODY_TIMEOUT, hit};

/// Largest body of a sign-in: a kubeconfig with certificates.
const MAX_BODY_BYTES: usize = 256 << 10;
/// Whom the API server calls those that showed nothing.
const ANONYMOUS: &str = "system:anonymous";

/// What somebody signs in with; exactly one of the three ways.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignIn {
    token: Option<String>,
    kubeconfig: Option<String>,
    certificate: Option<String>,
    key: Option<String>,
    /// The dashboard's path as the browser sees it, which the cookie is for.
    path: String,
}

impl SignIn {
    fn credentials(self) -> Result<(Credentials, String), Refusal> {
        let path = cookie::path(&self.path).map(str::to_owned);
        let path = path.ok_or_else(|| Refusal::bad("`path` is no path of a dashboard"))?;
        let credentials = match (self.token, self.kubeconfig, self.certificate.zip(self.key)) {
            (Some(token), None, None) => {
                let token = token.trim();
                if token.is_empty()
                    || token.len() > super::guard::MAX_TOKEN_BYTES
                    || !token.bytes().all(|byte| byte.is_ascii_graphic())
                {
                    return Err(Refusal::bad("a token is one line without spaces"));
                }
                Credentials::Token(token.to_owned())
            }
            (None, Some(text), None) => Credentials::Kubeconfig(text),
            (None, None, Some((certificate, key))) => Credentials::Certificate { certificate, key },
            _ => {
                return Err(Refusal::bad(
                    "give a token, a kubeconfig, or a certificate with its key",
                ));
            }
        };
        Ok((credentials, path))
    }
}

/// Whom the API server takes `person` for.
pub(super) async fn who(person: &dyn Person) -> Result<User, Refusal> {
    let ask = |version: &'static str| async move {
        let review = json!({
            "apiVersion": format!("authentication.k8s.io/{version}"), "kind": "SelfSubjectReview",
        });
        let path = format!("/apis/authentication.k8s.io/{version}/selfsubjectreviews");
        upstream::json(person, Question::send(Method::POST, &path, &review)).await
    };
    let answer = match ask("v1").await {
        // Before Kubernetes 1.28.
        Err(refusal) if refusal.status == StatusCode::NOT_FOUND => ask("v1beta1").await,
        answer => answer,
    };
    let answer = answer.map_err(|refusal| match refusal.status {
        StatusCode::UNAUTHORIZED => Refusal::new(
            StatusCode::UNAUTHORIZED,
            "the API server does not know these credentials",
            "they may have expired: make new ones, such as with `kubectl create token NAME`",
        ),
        _ => refusal,
    })?;
    let user = &answer["status"]["userInfo"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let groups = user["groups"].as_array().into_iter().flatten().map(text).collect();
    let user =
        User { name: text(&user["username"]), uid: text(&user["uid"]), groups, extra: Vec::new() };
    if user.name == ANONYMOUS || user.name.is_empty() {
        return Err(Refusal::new(
            StatusCode::UNAUTHORIZED,
            "the API server takes these credentials for nobody's",
            "show others",
        ));
    }
    Ok(user)
}

/// `GET /session`.
pub(crate) async fn show(
    State(state): State<Arc<ApiState>>,
    session: Option<Extension<Arc<Session>>>,
) -> Response {
    let session = session.map(|Extension(session)| session);
    Json(describe(&state, session.as_ref()).await).into_response()
}

async fn describe(state: &ApiState, session: Option<&Arc<Session>>) -> Value {
    let people = &state.people;
    let mut ways = Vec::new();
    if people.server.is_some() {
        ways.extend(["token", "certificate", "kubeconfig"]);
    }
    if people.oidc.is_some() {
        ways.push("oidc");
    }
    let mut namespaces = Value::Null;
    let (mut whole, mut nodes) = (true, true);
    if let Some(session) = session
        && let Ok(sight) = session.sight(state).await
    {
        (whole, nodes) = (sight.whole(), sight.nodes);
        if !sight.all {
            namespaces = json!(sight.namespaces);
        }
    }
    let user = match session {
        Some(session) => Some(session.user().await),
        None => None,
    };
    json!({
        "login": people.login != super::Login::Off,
        "ways": ways,
        "readOnly": people.read_only,
        "cluster": people.server.is_some(),
        "user": session.zip(user).map(|(session, user)| json!({
            "name": user.name, "groups": user.groups,
            "own": session.own, "ends": session.ends(),
        })),
        "csrf": session.map(|session| &session.csrf),
        "namespaces": namespaces,
        "nodes": nodes,
        "whole": whole,
    })
}

/// `POST /session`.
pub(crate) async fn sign_in(
    State(state): State<Arc<ApiState>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    // A form of another site cannot send this type.
    let json = headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if !json {
        return Refusal::bad("send application/json").into_response();
    }
    let Ok(Ok(body)) = timeout(BODY_TIMEOUT, to_bytes(body, MAX_BODY_BYTES)).await else {
        hit("sign_in_body");
        return Refusal::bad("the body is too large or too slow").into_response();
    };
    let read: Result<SignIn, _> = serde_json::from_slice(&body);
    let asked = read
        .map_err(|error| Refusal::bad(format!("the body: {error}")))
        .and_then(SignIn::credentials);
    let (credentials, path) = match asked {
        Ok(asked) => asked,
        Err(refusal) => return refusal.into_response(),
    };
    match state.people.sign_in(credentials, state.now()).await {
        Ok((secret, session)) => {
            let user = session.user().await.name;
            tracing::info!(user, "signed in");
            let mut response = Json(describe(&state, Some(&session)).await).into_response();
            set_session(&mut response, &secret, &path);
            response
        }
        Err(refusal) => refusal.into_response(),
    }
}

/// Gives the browser the session's cookie.
pub(super) fn set_session(response: &mut Response, secret: &str, path: &str) {
    if let Some(cookie) = cookie::set(SESSION, secret, path, LONGEST.as_secs(), "Strict") {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

/// `DELETE /session?path=…`.
pub(crate) async fn sign_out(
    State(state): State<Arc<ApiState>>,
    headers: HeaderMap,
    uri: http::Uri,
) -> Response {
    if let Some(secret) = cookie::read(&headers, SESSION) {
        state.people.sessions.close(secret);
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    let query = uri.query().unwrap_or("");
    let given = crate::request::pairs(query).find(|(key, _)| key == "path");
    let path = given.and_then(|(_, path)| cookie::path(&path).map(str::to_owned));
    let path = path.as_deref().unwrap_or("/");
    if let Some(cookie) = cookie::set(SESSION, "", path, 0, "Strict") {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}
