//! Signing in at an `OpenID` Connect provider: authorization code with PKCE. Source: `OpenID` Connect
//! Core 1.0 and RFC 7636.
//!
//! The ID token is the person's bearer token; the API server checks its signature with each
//! request. It comes from the provider itself over TLS, which is why its signature need not be
//! checked here (Core, 3.1.3.7); what it says of issuer, audience, time and nonce is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex as Lock, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header};
use model::Timestamp;
use serde::Deserialize;
use tokio::sync::Mutex;

use super::cookie::{self, OIDC};
use super::sessions::{no_randomness, secret};
use super::{ApiServer, Credentials, Person, Refusal, Web, login};
use crate::ApiState;
use crate::kubernetes::Answered;
use crate::limits::hit;
use crate::request::{pairs, query_of};

/// Most sign-ins that wait for the provider.
const MAX_PENDING: usize = 1000;
/// How long one may take.
const PENDING: Duration = Duration::from_mins(10);
/// How long before its end an ID token is renewed.
const EARLY: Duration = Duration::from_secs(30);

/// How to reach the provider.
pub struct OidcParts {
    /// The issuer's URL, as its tokens name it.
    pub issuer: String,
    /// Who we are there.
    pub client_id: String,
    /// What proves it; `None` for a public client.
    pub client_secret: Option<String>,
    /// What is asked for, `openid` among it.
    pub scopes: String,
    /// Where the provider sends people back: ours, ending in `/api/taffrail/v1/session/oidc/callback`.
    pub redirect: String,
    /// How it is asked.
    pub web: Arc<dyn Web>,
    /// The time.
    pub clock: crate::Clock,
}

/// The provider, and who is under way there.
pub(crate) struct Oidc {
    parts: Arc<OidcParts>,
    pending: Lock<HashMap<String, Pending>>,
    metadata: Mutex<Option<(Timestamp, Metadata)>>,
}

/// How long what the provider says of itself is believed.
const METADATA_BELIEVED: Duration = Duration::from_mins(10);

/// What the provider says of itself.
#[derive(Debug, Clone, Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
}

/// Somebody who is at the provider.
struct Pending {
    nonce: String,
    verifier: String,
    /// Held by the browser as a cookie.
    binding: String,
    /// The dashboard's path, and the page below it.
    path: String,
    page: String,
    begun: Timestamp,
}

/// What the provider gives for a code.
#[derive(Deserialize)]
struct Tokens {
    id_token: String,
    refresh_token: Option<String>,
}

impl Oidc {
    pub(super) fn new(parts: OidcParts) -> Self {
        Self { parts: Arc::new(parts), pending: Lock::default(), metadata: Mutex::default() }
    }

    async fn metadata(&self, now: Timestamp) -> Result<Metadata, Refusal> {
        let mut held = self.metadata.lock().await;
        if let Some((at, metadata)) = &*held
            && now.since(*at) < METADATA_BELIEVED
        {
            return Ok(metadata.clone());
        }
        let issuer = self.parts.issuer.trim_end_matches('/');
        let url = format!("{issuer}/.well-known/openid-configuration");
        let request = Request::get(url).body(Bytes::new()).map_err(|error| provider(&error))?;
        let answer = self.parts.web.ask(request).await.map_err(|error| provider(&error))?;
        if answer.status() != StatusCode::OK {
            return Err(provider(&format!("its configuration: {}", answer.status())));
        }
        let metadata: Metadata =
            serde_json::from_slice(answer.body()).map_err(|error| provider(&error))?;
        if metadata.issuer != self.parts.issuer {
            return Err(provider(&format!(
                "it calls itself {}, and --oidc-issuer is {}",
                metadata.issuer, self.parts.issuer
            )));
        }
        *held = Some((now, metadata.clone()));
        Ok(metadata)
    }

    /// Where to send somebody, and what their browser is to remember.
    async fn begin(
        &self,
        path: String,
        page: String,
        now: Timestamp,
    ) -> Result<(Uri, String), Refusal> {
        let metadata = self.metadata(now).await?;
        let fresh = || secret().ok_or_else(no_randomness);
        let (state, nonce, verifier, binding) = (fresh()?, fresh()?, fresh()?, fresh()?);
        let digest = ring::digest::digest(&ring::digest::SHA256, verifier.as_bytes());
        let challenge = URL_SAFE_NO_PAD.encode(digest.as_ref());
        // Providers give a refresh token only to who asks people for it.
        let lasting = self.parts.scopes.split(' ').any(|scope| scope == "offline_access");
        let pairs = [
            ("response_type", "code"),
            ("client_id", &self.parts.client_id),
            ("redirect_uri", &self.parts.redirect),
            ("scope", &self.parts.scopes),
            ("state", &state),
            ("nonce", &nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let query = query_of(pairs.into_iter().chain(lasting.then_some(("prompt", "consent"))));
        let endpoint = &metadata.authorization_endpoint;
        let joint = if endpoint.contains('?') { '&' } else { '?' };
        let to = format!("{endpoint}{joint}{query}");
        let to = to.parse::<Uri>().map_err(|error| provider(&error))?;
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.retain(|_, one| now.since(one.begun) < PENDING);
        if pending.len() >= MAX_PENDING {
            hit("oidc_pending");
            return Err(Refusal::busy("sign-ins"));
        }
        let one = Pending { nonce, verifier, binding: binding.clone(), path, page, begun: now };
        pending.insert(state, one);
        Ok((to, binding))
    }

    /// Takes who comes back with `state`; each comes once.
    fn take(&self, state: &str, now: Timestamp) -> Option<Pending> {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.remove(state).filter(|one| now.since(one.begun) < PENDING)
    }

    async fn tokens(&self, form: &[(&str, &str)], now: Timestamp) -> Result<Tokens, Refusal> {
        let endpoint = self.metadata(now).await?.token_endpoint;
        let ours = ("client_id", self.parts.client_id.as_str());
        let public = self.parts.client_secret.is_none();
        let body = query_of(form.iter().copied().chain(public.then_some(ours)));
        let mut request = Request::post(endpoint)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ACCEPT, "application/json");
        if let Some(secret) = &self.parts.client_secret {
            let plain = |text: &str| -> String {
                form_urlencoded::byte_serialize(text.as_bytes()).collect()
            };
            let pair = format!("{}:{}", plain(&self.parts.client_id), plain(secret));
            let value = format!("Basic {}", STANDARD.encode(pair));
            request = request.header(header::AUTHORIZATION, value);
        }
        let request = request.body(body.into()).map_err(|error| provider(&error))?;
        let answer = self.parts.web.ask(request).await.map_err(|error| provider(&error))?;
        let told = once::json(answer.body()).unwrap_or_default();
        if answer.status() != StatusCode::OK {
            let why = told["error_description"].as_str().or(told["error"].as_str());
            return Err(provider(&why.unwrap_or("it gives no tokens").to_owned()));
        }
        serde_json::from_value(told).map_err(|error| provider(&error))
    }
}

fn provider(why: &(impl std::fmt::Display + ?Sized)) -> Refusal {
    Refusal::new(
        StatusCode::BAD_GATEWAY,
        format!("the identity provider: {why}"),
        "try again; else look at --oidc-issuer, --oidc-client-id and the provider's log",
    )
}

/// What an ID token says.
#[derive(Debug, Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    exp: f64,
    nonce: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// When `token` ends, if it was made for us and, with a nonce, for this sign-in.
fn check(
    token: &str,
    parts: &OidcParts,
    nonce: Option<&str>,
    now: Timestamp,
) -> Result<Timestamp, Refusal> {
    let payload = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let payload = payload.ok_or_else(|| provider("its ID token is none"))?;
    let claims: Claims = serde_json::from_slice(&payload).map_err(|error| provider(&error))?;
    let ours = match &claims.aud {
        Audience::One(one) => *one == parts.client_id,
        Audience::Many(many) => many.contains(&parts.client_id),
    };
    if claims.iss != parts.issuer || !ours {
        return Err(provider("its ID token is for somebody else"));
    }
    if nonce.is_some_and(|nonce| claims.nonce.as_deref() != Some(nonce)) {
        return Err(provider("its ID token belongs to another sign-in"));
    }
    #[expect(clippy::cast_possible_truncation, reason = "seconds; a float saturates")]
    let ends = Timestamp::from_millis((claims.exp * 1000.0) as i64);
    if ends.millis() <= now.millis() {
        return Err(provider("its ID token has expired; compare the clocks"));
    }
    Ok(ends)
}

/// A person whose token is renewed before it ends.
struct Renewed {
    oidc: Arc<Oidc>,
    server: Arc<dyn ApiServer>,
    held: Mutex<Held>,
}

struct Held {
    person: Arc<dyn Person>,
    ends: Timestamp,
    refresh: Option<String>,
}

impl Renewed {
    async fn person(&self) -> Result<Arc<dyn Person>, String> {
        let mut held = self.held.lock().await;
        let now = (self.oidc.parts.clock)();
        if now.millis() + i64::try_from(EARLY.as_millis()).unwrap_or(0) < held.ends.millis() {
            return Ok(Arc::clone(&held.person));
        }
        let Some(refresh) = held.refresh.clone() else { return Ok(Arc::clone(&held.person)) };
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
        let renewed =
            self.oidc.tokens(&form, now).await.and_then(|tokens| {
                Ok((check(&tokens.id_token, &self.oidc.parts, None, now)?, tokens))
            });
        match renewed {
            Ok((ends, tokens)) => {
                held.person = self.server.person(Credentials::Token(tokens.id_token))?;
                held.ends = ends;
                held.refresh = tokens.refresh_token.or(Some(refresh));
            }
            // The API server will say that the old token is none any more.
            Err(refusal) => {
                tracing::info!(reason = refusal.reason, "a person's token could not be renewed");
                held.refresh = None;
            }
        }
        Ok(Arc::clone(&held.person))
    }
}

/// Shared with the future of a question.
struct Signed(Arc<Renewed>);

impl Person for Signed {
    fn ask(&self, request: Request<Bytes>) -> Answered<http::Response<axum::body::Body>> {
        let renewed = Arc::clone(&self.0);
        Box::pin(async move { renewed.person().await?.ask(request).await })
    }
}

/// `GET /session/oidc?path=…&page=…`: sends the browser to the provider.
pub(crate) async fn begin(State(state): State<Arc<ApiState>>, uri: Uri) -> Response {
    let Some(oidc) = &state.people.oidc else { return Refusal::no_cluster().into_response() };
    let query = uri.query().unwrap_or("");
    let of = |name: &str| pairs(query).find(|(key, _)| key == name).map(|(_, value)| value);
    let path = of("path").and_then(|path| cookie::path(&path).map(str::to_owned));
    let Some(path) = path else {
        return Refusal::bad("`path` is no path of a dashboard").into_response();
    };
    let page = of("page").map(std::borrow::Cow::into_owned).unwrap_or_default();
    let page = if is_page(&page) { page } else { String::new() };
    match oidc.begin(path.clone(), page, state.now()).await {
        Ok((to, binding)) => {
            let mut response = see(&to.to_string());
            let seconds = PENDING.as_secs();
            if let Some(cookie) = cookie::set(OIDC, &binding, &path, seconds, "Lax") {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            response
        }
        Err(refusal) => refusal.into_response(),
    }
}

/// `GET /session/oidc/callback?code=…&state=…`: where the provider sends the browser back.
pub(crate) async fn callback(
    State(state): State<Arc<ApiState>>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let Some(oidc) = &state.people.oidc else { return Refusal::no_cluster().into_response() };
    let query = uri.query().unwrap_or("");
    let of = |name: &str| pairs(query).find(|(key, _)| key == name).map(|(_, value)| value);
    let now = state.now();
    let binding = cookie::read(&headers, OIDC);
    let pending = of("state").and_then(|state| oidc.take(&state, now));
    let Some(pending) = pending.filter(|one| binding == Some(one.binding.as_str())) else {
        let why = "this sign-in was not begun in this browser, or too long ago";
        return Refusal::new(StatusCode::BAD_REQUEST, why, "begin again").into_response();
    };
    let finished = if let Some(code) = of("code") {
        finish(&state, oidc, &pending, &code, now).await
    } else {
        let why = of("error_description").or_else(|| of("error")).unwrap_or_default();
        Err(provider(&*why))
    };
    match finished {
        Ok((secret, session)) => {
            let user = session.user().await.name;
            tracing::info!(user, "signed in at the identity provider");
            let mut response = see(&format!("{}{}", pending.path, pending.page));
            login::set_session(&mut response, &secret, &pending.path);
            if let Some(cookie) = cookie::set(OIDC, "", &pending.path, 0, "Lax") {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            response
        }
        Err(refusal) => {
            let query = query_of([("trouble", refusal.reason.as_str())]);
            see(&format!("{}login?{query}", pending.path))
        }
    }
}

async fn finish(
    state: &Arc<ApiState>,
    oidc: &Oidc,
    pending: &Pending,
    code: &str,
    now: Timestamp,
) -> Result<(String, Arc<super::Session>), Refusal> {
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", oidc.parts.redirect.as_str()),
        ("code_verifier", pending.verifier.as_str()),
    ];
    let tokens = oidc.tokens(&form, now).await?;
    let ends = check(&tokens.id_token, &oidc.parts, Some(&pending.nonce), now)?;
    let server = state.people.server.clone().ok_or_else(Refusal::no_cluster)?;
    let person = server.person(Credentials::Token(tokens.id_token));
    let person = person.map_err(Refusal::credentials)?;
    let held = Held { person, ends, refresh: tokens.refresh_token };
    let oidc = Arc::new(Oidc {
        parts: Arc::clone(&oidc.parts),
        pending: Lock::default(),
        metadata: Mutex::default(),
    });
    let renewed = Renewed { oidc, server, held: Mutex::new(held) };
    state.people.admit(Arc::new(Signed(Arc::new(renewed))), now).await
}

/// Whether `page` is an address below a dashboard and cannot lead elsewhere.
fn is_page(page: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~%?&=+".contains(&byte);
    page.len() <= 2000 && !page.starts_with('/') && page.bytes().all(plain)
}

fn see(to: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    if let Ok(to) = HeaderValue::try_from(to) {
        response.headers_mut().insert(header::LOCATION, to);
    }
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, no_store);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts() -> OidcParts {
        struct Never;
        impl Web for Never {
            fn ask(&self, _: Request<Bytes>) -> Answered<http::Response<Bytes>> {
                Box::pin(async { Err("never".to_owned()) })
            }
        }
        OidcParts {
            issuer: "https://id.example".to_owned(),
            client_id: "taffrail".to_owned(),
            client_secret: None,
            scopes: "openid".to_owned(),
            redirect: "https://taffrail.example/".to_owned(),
            web: Arc::new(Never),
            clock: Arc::new(|| Timestamp::from_millis(0)),
        }
    }

    #[test]
    fn a_token_for_somebody_else_is_refused() {
        let check = |claims: &str, expected: Result<i64, &str>| {
            let token = format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(claims));
            let found = check(&token, &parts(), Some("n"), Timestamp::from_millis(1000));
            match (found, expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found.millis(), expected),
                (Err(found), Err(expected)) => {
                    assert!(found.reason.contains(expected), "{claims}: {}", found.reason);
                }
                (found, _) => panic!("{claims}: {found:?}"),
            }
        };
        let iss = r#""iss":"https://id.example""#;
        check(&format!(r#"{{{iss},"aud":"taffrail","exp":9,"nonce":"n"}}"#), Ok(9000));
        check(&format!(r#"{{{iss},"aud":["a","taffrail"],"exp":9,"nonce":"n"}}"#), Ok(9000));
        check(&format!(r#"{{{iss},"aud":"other","exp":9,"nonce":"n"}}"#), Err("somebody else"));
        check(r#"{"iss":"x","aud":"taffrail","exp":9,"nonce":"n"}"#, Err("somebody else"));
        check(
            &format!(r#"{{{iss},"aud":"taffrail","exp":9,"nonce":"m"}}"#),
            Err("another sign-in"),
        );
        check(&format!(r#"{{{iss},"aud":"taffrail","exp":9}}"#), Err("another sign-in"));
        check(&format!(r#"{{{iss},"aud":"taffrail","exp":1,"nonce":"n"}}"#), Err("expired"));
    }

    #[test]
    fn a_page_cannot_lead_elsewhere() {
        for (page, well) in [
            ("", true),
            ("pods/shop/a?range=1h", true),
            ("/evil.example", false),
            ("https://evil.example", false),
            ("a\r\nset-cookie: x", false),
        ] {
            assert_eq!(is_page(page), well, "{page:?}");
        }
    }
}
