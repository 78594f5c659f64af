//! The door of the main port: finds out who asks, refuses forged requests, and lets everybody see
//! what they may.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use http::{HeaderMap, Method, Request, Uri, header};

use super::cookie::{self, SESSION};
use super::paths::{Admission, admit as admission};
use super::{Credentials, Login, Refusal, Session, login};
use crate::{ApiState, dashboard};

/// What a request that changes something brings beside the session's cookie.
pub(crate) const CSRF_HEADER: &str = "x-taffrail-csrf";
/// Longest bearer token that is looked at.
pub(super) const MAX_TOKEN_BYTES: usize = 16 << 10;
/// Longest URI that is handed on.
const MAX_URI_BYTES: usize = 60_000;

/// How somebody proved who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proof {
    /// A browser's cookie, or nothing at all: other pages could make the browser send the same.
    Ambient,
    /// A token that only the sender knows.
    Token,
}

/// Lets a request pass to its handler, or not.
pub(crate) async fn admitted(
    state: &Arc<ApiState>,
    mut request: Request<Body>,
) -> Result<Request<Body>, Refusal> {
    let path = request.uri().path();
    let ours = path.starts_with("/api/taffrail/");
    let open = state.people.login == Login::Dashboard && !ours;
    if open || is_public(state, request.method(), path) {
        return Ok(request);
    }
    let found = recognise(state, request.headers()).await?;
    let proof = found.as_ref().map_or(Proof::Ambient, |(_, proof)| *proof);
    if proof == Proof::Ambient {
        not_forged(state, &request, found.as_ref().map(|(session, _)| &**session))?;
    }
    let path = request.uri().path();
    // Signing in and out has to work for whoever sees nothing.
    if path == SESSION_PATH || path.starts_with("/api/taffrail/v1/session/") {
        if let Some((session, _)) = found {
            request.extensions_mut().insert(session);
        }
        return Ok(request);
    }
    let Some((session, _)) = found else {
        if closed(state) {
            return Err(Refusal::sign_in());
        }
        return Ok(request);
    };
    let sight = session.sight(state).await?;
    match admission(&sight, path, request.uri().query().unwrap_or("")) {
        Admission::Pass => {}
        Admission::Query(query) => {
            let target = format!("{path}?{query}");
            let uri = (target.len() <= MAX_URI_BYTES).then(|| target.parse::<Uri>().ok()).flatten();
            *request.uri_mut() = uri.ok_or_else(|| {
                Refusal::bad(
                    "you may see more namespaces than one list can be asked for: name some",
                )
            })?;
        }
        Admission::Namespace(name) => return Err(Refusal::namespace(&name)),
        Admission::Beyond => return Err(Refusal::beyond()),
    }
    request.extensions_mut().insert(sight);
    request.extensions_mut().insert(session);
    Ok(request)
}

/// Whether nobody is let in who does not say who they are.
fn closed(state: &ApiState) -> bool {
    state.people.login != Login::Off
}

/// Where sessions begin and end.
const SESSION_PATH: &str = "/api/taffrail/v1/session";

/// What nobody has to prove anything for: probes, and the dashboard's files, which hold no data.
fn is_public(state: &ApiState, method: &Method, path: &str) -> bool {
    match path {
        // Whoever pushes shows a token of its own, which is looked at there.
        "/healthz" | "/healthz/healthz" | "/api/v1/write" | "/v1/metrics" => true,
        // None of the dashboard's files is there.
        _ if path.starts_with("/api/") => false,
        _ => (method == Method::GET || method == Method::HEAD) && dashboard::is_file(state, path),
    }
}

/// Who asks: by a token in the request, else by the cookie, else whoever runs the process where
/// nobody has to sign in.
async fn recognise(
    state: &Arc<ApiState>,
    headers: &HeaderMap,
) -> Result<Option<(Arc<Session>, Proof)>, Refusal> {
    let sessions = &state.people.sessions;
    if let Some(token) = bearer(headers)
        && let Some(server) = &state.people.server
    {
        let now = state.now();
        if let Some(session) = sessions.find(token, now) {
            return Ok(Some((session, Proof::Token)));
        }
        if closed(state) {
            let person = server.person(Credentials::Token(token.to_owned()));
            let person = person.map_err(Refusal::credentials)?;
            let user = login::who(&*person).await?;
            return Ok(Some((sessions.remember(token, person, user, now), Proof::Token)));
        }
    }
    let secret = cookie::read(headers, SESSION);
    let signed_in = secret.and_then(|secret| sessions.find(secret, state.now()));
    let found = match signed_in {
        Some(session) => Some(session),
        None if closed(state) => None,
        None => state.people.own(),
    };
    Ok(found.map(|session| (session, Proof::Ambient)))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    let well = scheme.eq_ignore_ascii_case("bearer")
        && !token.is_empty()
        && token.len() <= MAX_TOKEN_BYTES;
    well.then_some(token)
}

/// Refuses what another page made the browser send.
fn not_forged(
    state: &ApiState,
    request: &Request<Body>,
    session: Option<&Session>,
) -> Result<(), Refusal> {
    let (headers, path) = (request.headers(), request.uri().path());
    let Some(rest) = path.strip_prefix("/api/taffrail/v1/") else { return Ok(()) };
    let upgrade = headers.contains_key(header::UPGRADE);
    let changes = !(request.method().is_safe() || rest == "query") || upgrade;
    let objects = rest.starts_with("objects");
    if !changes && !objects {
        return Ok(());
    }
    if changes && !same_origin(headers) {
        return Err(Refusal::forged());
    }
    // A name that leads to this machine but is not its own: another site's, rebound.
    if !closed(state) && (changes || objects) && !names_this_machine(headers) {
        return Err(Refusal::forged());
    }
    // A browser cannot add headers to an upgrade; its origin was looked at above. Signing in
    // begins the session, so that there is nothing to show yet.
    let signing_in = path == SESSION_PATH && *request.method() == Method::POST;
    if changes && !upgrade && !signing_in && objects {
        let shown = headers.get(CSRF_HEADER).and_then(|value| value.to_str().ok());
        let expected = session.map(|session| session.csrf.as_str());
        if expected.is_some() && shown != expected {
            return Err(Refusal::forged());
        }
    }
    Ok(())
}

/// Whether a browser says that a page of this very host asks; programs say nothing.
fn same_origin(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if text("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none") {
        return false;
    }
    let Some(origin) = text("origin") else { return true };
    let host = text("host").unwrap_or_default();
    let authority = origin.split_once("://").map_or("", |(_, authority)| authority);
    // The API server's proxy and others put their own name for ours and tell the browser's.
    let forwarded = text("x-forwarded-host").unwrap_or_default();
    !authority.is_empty() && (authority == host || authority == forwarded)
}

/// Whether the request was addressed to this machine by a name of its own.
fn names_this_machine(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or("");
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost"
        || name.ends_with(".localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, http::HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn other_sites_are_told_from_our_own_page() {
        let check = |pairs: &[(&'static str, &'static str)], expected: bool| {
            assert_eq!(same_origin(&headers(pairs)), expected, "{pairs:?}");
        };
        check(&[("host", "a:1")], true);
        check(&[("host", "a:1"), ("origin", "http://a:1")], true);
        check(&[("host", "a:1"), ("origin", "http://a:2")], false);
        check(&[("host", "a:1"), ("origin", "null")], false);
        check(&[("host", "a:1"), ("sec-fetch-site", "cross-site")], false);
        check(&[("host", "a:1"), ("sec-fetch-site", "same-site"), ("origin", "http://a:1")], false);
        check(&[("host", "up"), ("x-forwarded-host", "b"), ("origin", "https://b")], true);
    }

    #[test]
    fn a_rebound_name_is_not_this_machine() {
        let check = |host: &'static str, expected: bool| {
            assert_eq!(names_this_machine(&headers(&[("host", host)])), expected, "{host}");
        };
        check("localhost:8082", true);
        check("127.0.0.1:8082", true);
        check("[::1]:8082", true);
        check("evil.example:8082", false);
        check("127.0.0.1.evil.example", false);
        check("10.0.0.1:8082", false);
        check("", false);
    }
}
