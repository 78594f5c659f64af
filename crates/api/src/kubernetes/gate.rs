//! Who asks on the secure port, and whether they may: front-proxy headers, client certificates,
//! bearer tokens; then the cluster's own authorization.
//!
//! Order and caches as in Kubernetes' own servers. The cluster is asked through [`Delegate`]:
//! this crate has no Kubernetes client.

use std::collections::HashMap;
use std::hash::Hash;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use axum::body::Body;
use http::{HeaderMap, Method, Request, header};
use model::Timestamp;
use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, UnixTime};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::status::Status;
use crate::limits::hit;
use crate::request::decoded;
use crate::server::subject;

/// How long an answer of the cluster is believed. metrics-server's.
const BELIEVED: Duration = Duration::from_secs(10);
/// Most answers that are remembered of each kind.
const MAX_REMEMBERED: usize = 4096;
/// Most questions to the cluster at once.
const MAX_REVIEWS: usize = 64;
/// Longest token that is looked at.
const MAX_TOKEN_BYTES: usize = 16 << 10;
/// Paths that nobody has to prove anything for.
const OPEN: [&str; 3] = ["/healthz", "/livez", "/readyz"];
/// The group that may do everything, as in Kubernetes' own servers.
const MASTERS: &str = "system:masters";

/// Somebody who asks.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct User {
    /// Name.
    pub name: String,
    /// Uid; may be empty.
    pub uid: String,
    /// Groups.
    pub groups: Vec<String>,
    /// More that an authenticator said, as (key, values).
    pub extra: Vec<(String, Vec<String>)>,
}

/// What somebody wants to do.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Attributes {
    /// `get`, `list`, `watch`, …
    pub verb: String,
    /// Of a resource; empty for other paths.
    pub group: String,
    /// Its version.
    pub version: String,
    /// Its plural name; empty for other paths.
    pub resource: String,
    /// The namespace; empty for all.
    pub namespace: String,
    /// What of the resource; a custom metric's name.
    pub subresource: String,
    /// The object; empty for lists.
    pub name: String,
    /// The path, where it is no resource's.
    pub path: String,
}

/// The cluster's word on [`Attributes`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decision {
    /// Whether it may be done.
    pub allowed: bool,
    /// Why, if that was said.
    pub reason: String,
}

/// An answer of the cluster; `Err` says in one line why there is none.
pub type Answered<T> = Pin<Box<dyn Future<Output = Result<T, String>> + Send>>;

/// The cluster as it is asked about people.
pub trait Delegate: Send + Sync {
    /// Whose token it is; `None` when it is nobody's (any more).
    fn token(&self, token: String) -> Answered<Option<User>>;
    /// Whether `user` may.
    fn access(&self, user: User, wanted: Attributes) -> Answered<Decision>;
}

/// Whom to believe without asking: the content of `extension-apiserver-authentication`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trust {
    /// PEM: authority of client certificates.
    pub client_ca: Option<String>,
    /// PEM: authority of front proxies.
    pub front_proxy_ca: Option<String>,
    /// Common names of front proxies; empty for any that the authority vouches for.
    pub allowed_names: Vec<String>,
    /// Headers with the user's name, the first that is there.
    pub username_headers: Vec<String>,
    /// Headers with the user's uid; `x-remote-uid` where none are named.
    pub uid_headers: Vec<String>,
    /// Headers with groups.
    pub group_headers: Vec<String>,
    /// Prefixes of headers with more.
    pub extra_prefixes: Vec<String>,
}

/// Authorities ready to verify with.
#[derive(Default)]
struct Verifiers {
    trust: Trust,
    clients: Option<Arc<dyn ClientCertVerifier>>,
    front_proxies: Option<Arc<dyn ClientCertVerifier>>,
}

/// Lets requests of the secure port in, or not.
pub struct Gate {
    delegate: Arc<dyn Delegate>,
    verifiers: RwLock<Arc<Verifiers>>,
    tokens: Remembered<String, Option<User>>,
    decisions: Remembered<(User, Attributes), Decision>,
    reviews: Semaphore,
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate").finish_non_exhaustive()
    }
}

impl Gate {
    /// A gate that trusts nobody before [`Gate::trust`], and asks `delegate` about tokens and
    /// rights.
    pub fn new(delegate: Arc<dyn Delegate>) -> Arc<Self> {
        Arc::new(Self {
            delegate,
            verifiers: RwLock::default(),
            tokens: Remembered::default(),
            decisions: Remembered::default(),
            reviews: Semaphore::new(MAX_REVIEWS),
        })
    }

    /// Trusts `trust` from now on; the one before stays when its certificates cannot be read.
    pub fn trust(&self, trust: Trust) -> Result<(), String> {
        let read = |pem: &Option<String>| pem.as_deref().map(verifier).transpose();
        let clients = read(&trust.client_ca).map_err(|error| format!("client CA: {error}"))?;
        let front_proxies =
            read(&trust.front_proxy_ca).map_err(|error| format!("front-proxy CA: {error}"))?;
        let new = Arc::new(Verifiers { trust, clients, front_proxies });
        *self.verifiers.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    /// Whether `request` may be answered, `chain` being the certificates that the client showed
    /// and proved to own.
    pub(crate) async fn admit(
        &self,
        request: &mut Request<Body>,
        chain: &[CertificateDer<'static>],
        now: Timestamp,
    ) -> Result<(), Status> {
        if OPEN.contains(&request.uri().path()) {
            return Ok(());
        }
        let user = self.authenticate(request.headers(), chain, now).await?;
        // What authenticated must not reach logs or handlers.
        request.headers_mut().remove(header::AUTHORIZATION);
        if user.groups.iter().any(|group| group == MASTERS) {
            return Ok(());
        }
        let wanted = attributes(request);
        let key = (user, wanted);
        let decision = if let Some(decision) = self.decisions.get(&key) {
            decision
        } else {
            let asked = self.delegate.access(key.0.clone(), key.1.clone());
            let decision = self.review(asked).await?;
            self.decisions.put(key.clone(), decision.clone());
            decision
        };
        if decision.allowed { Ok(()) } else { Err(forbidden(&key.0, &key.1, &decision.reason)) }
    }

    async fn authenticate(
        &self,
        headers: &HeaderMap,
        chain: &[CertificateDer<'static>],
        now: Timestamp,
    ) -> Result<User, Status> {
        let verifiers = {
            let held = self.verifiers.read().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(&held)
        };
        if let Some(user) = verifiers.front_proxy(headers, chain, now) {
            return Ok(user);
        }
        if let Some(user) = verifiers.client(chain, now) {
            return Ok(user);
        }
        let Some(token) = bearer(headers) else { return Err(Status::unauthorized()) };
        if token.len() > MAX_TOKEN_BYTES {
            hit("token_bytes");
            return Err(Status::unauthorized());
        }
        let known = if let Some(known) = self.tokens.get(&token) {
            known
        } else {
            let known = self.review(self.delegate.token(token.clone())).await?;
            self.tokens.put(token, known.clone());
            known
        };
        known.ok_or_else(Status::unauthorized)
    }

    async fn review<T>(&self, asked: Answered<T>) -> Result<T, Status> {
        let Ok(_place) = self.reviews.try_acquire() else {
            hit("reviews");
            return Err(Status::busy("too many requests wait for the API server's word"));
        };
        asked.await.map_err(|reason| {
            tracing::debug!(reason, "a review failed");
            Status::unavailable(format!("the API server cannot be asked who may: {reason}"))
        })
    }
}

impl Verifiers {
    /// The user that a front proxy names in headers; only a verified one is believed.
    fn front_proxy(
        &self,
        headers: &HeaderMap,
        chain: &[CertificateDer<'static>],
        now: Timestamp,
    ) -> Option<User> {
        let trust = &self.trust;
        let names = |names: &[String]| -> Vec<String> {
            let values = names.iter().flat_map(|name| headers.get_all(name.as_str()));
            values.filter_map(|value| value.to_str().ok()).map(str::to_owned).collect()
        };
        let name = names(&trust.username_headers).into_iter().find(|name| !name.is_empty())?;
        let certificate = verified(self.front_proxies.as_ref(), chain, now)?;
        let allowed = &trust.allowed_names;
        let common_name = subject::common_name(certificate).unwrap_or_default();
        if !allowed.is_empty() && !allowed.contains(&common_name) {
            return None;
        }
        let mut extra: Vec<(String, Vec<String>)> = Vec::new();
        for key in headers.keys() {
            let mut prefixes = trust.extra_prefixes.iter();
            let of = |prefix: &String| {
                key.as_str().strip_prefix(&*prefix.to_ascii_lowercase()).map(decoded)
            };
            if let Some(name) = prefixes.find_map(of) {
                extra.push((name.into_owned(), names(&[key.as_str().to_owned()])));
            }
        }
        extra.sort();
        let uid = match &*trust.uid_headers {
            [] => names(&["x-remote-uid".to_owned()]),
            headers => names(headers),
        };
        let uid = uid.into_iter().next().unwrap_or_default();
        Some(User { name, uid, groups: names(&trust.group_headers), extra })
    }

    fn client(&self, chain: &[CertificateDer<'static>], now: Timestamp) -> Option<User> {
        let certificate = verified(self.clients.as_ref(), chain, now)?;
        let name = subject::common_name(certificate).filter(|name| !name.is_empty())?;
        let mut groups = subject::organizations(certificate);
        groups.push("system:authenticated".to_owned());
        Some(User { name, groups, ..User::default() })
    }
}

fn verified<'a>(
    verifier: Option<&Arc<dyn ClientCertVerifier>>,
    chain: &'a [CertificateDer<'static>],
    now: Timestamp,
) -> Option<&'a CertificateDer<'static>> {
    let (verifier, (first, rest)) = (verifier?, chain.split_first()?);
    let seconds = u64::try_from(now.secs()).unwrap_or(0);
    let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    verifier.verify_client_cert(first, rest, now).ok().map(|_| first)
}

fn verifier(pem: &str) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| error.to_string())
}

fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| token.to_owned())
}

/// What `request` wants to do, in the words of the cluster's authorization.
fn attributes(request: &Request<Body>) -> Attributes {
    let path = request.uri().path();
    let parts: Vec<_> = path.trim_matches('/').split('/').map(decoded).collect();
    let parts: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
    let ["apis", group, version, rest @ ..] = parts.as_slice() else {
        let verb = request.method().as_str().to_ascii_lowercase();
        return Attributes { verb, path: path.to_owned(), ..Attributes::default() };
    };
    let (namespace, rest) = match rest {
        ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
        rest => ("", rest),
    };
    let Some(resource) = rest.first() else {
        let verb = request.method().as_str().to_ascii_lowercase();
        return Attributes { verb, path: path.to_owned(), ..Attributes::default() };
    };
    let name = rest.get(1).copied().unwrap_or_default();
    let watches = || {
        let mut pairs = crate::request::pairs(request.uri().query().unwrap_or(""));
        pairs.any(|(key, value)| key == "watch" && !matches!(&*value, "false" | "0"))
    };
    let verb = match *request.method() {
        Method::GET | Method::HEAD if !name.is_empty() => "get",
        Method::GET | Method::HEAD if watches() => "watch",
        Method::GET | Method::HEAD => "list",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        _ => "delete",
    };
    Attributes {
        verb: verb.to_owned(),
        group: (*group).to_owned(),
        version: (*version).to_owned(),
        resource: (*resource).to_owned(),
        namespace: namespace.to_owned(),
        subresource: rest.get(2).copied().unwrap_or_default().to_owned(),
        name: name.to_owned(),
        path: String::new(),
    }
}

fn forbidden(user: &User, wanted: &Attributes, reason: &str) -> Status {
    let Attributes { verb, group, resource, subresource, namespace, name, path, .. } = wanted;
    let who = &user.name;
    let mut message = if resource.is_empty() {
        format!("forbidden: User \"{who}\" cannot {verb} path \"{path}\"")
    } else {
        let place = match namespace.as_str() {
            "" => "at the cluster scope".to_owned(),
            namespace => format!("in the namespace \"{namespace}\""),
        };
        let object = if name.is_empty() { String::new() } else { format!(" \"{name}\"") };
        let slash = if subresource.is_empty() { "" } else { "/" };
        format!(
            "{resource}.{group}{object} is forbidden: User \"{who}\" cannot {verb} resource \
             \"{resource}{slash}{subresource}\" in API group \"{group}\" {place}"
        )
    };
    if !reason.is_empty() {
        message = format!("{message}: {reason}");
    }
    Status::forbidden(message)
}

/// Answers of the last seconds, at most [`MAX_REMEMBERED`].
struct Remembered<K, V>(Mutex<HashMap<K, (Instant, V)>>);

impl<K, V> Default for Remembered<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, V: Clone> Remembered<K, V> {
    fn get(&self, key: &K) -> Option<V> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.get(key).filter(|(at, _)| at.elapsed() < BELIEVED).map(|(_, value)| value.clone())
    }

    fn put(&self, key: K, value: V) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() >= MAX_REMEMBERED {
            held.retain(|_, (at, _)| at.elapsed() < BELIEVED);
            if held.len() >= MAX_REMEMBERED {
                hit("remembered_reviews");
                held.clear();
            }
        }
        held.insert(key, (Instant::now(), value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: &str, target: &str, expected: &str) {
        let request = Request::builder().method(method).uri(target).body(Body::empty()).unwrap();
        let found = attributes(&request);
        let Attributes { verb, group, version, resource, subresource, namespace, name, path } =
            found;
        let place = format!("{namespace}/{name} {path}");
        let shown = format!("{verb} {group}/{version} {resource} {subresource} {place}");
        let shown: Vec<&str> = shown.split_whitespace().collect();
        let shown = shown.join(" ");
        assert_eq!(shown.trim_end(), expected, "{method} {target}");
    }

    #[test]
    fn requests_are_told_as_the_cluster_tells_them() {
        check("GET", "/apis/g/v1/nodes", "list g/v1 nodes /");
        check("GET", "/apis/g/v1/nodes/n", "get g/v1 nodes /n");
        check("GET", "/apis/g/v1/namespaces/a/pods?watch=true", "watch g/v1 pods a/");
        check("GET", "/apis/g/v1/namespaces/a/pods/p", "get g/v1 pods a/p");
        check("DELETE", "/apis/g/v1/pods", "delete g/v1 pods /");
        check("GET", "/apis/g/v1/namespaces/a/pods/*/m", "get g/v1 pods m a/*");
        check("GET", "/apis/g/v1", "get / / /apis/g/v1");
        check("GET", "/version", "get / / /version");
    }

    #[tokio::test(start_paused = true)]
    async fn answers_are_believed_for_a_while_and_their_number_is_bounded() {
        let held = Remembered::default();
        held.put(1, "a");
        tokio::time::advance(Duration::from_secs(9)).await;
        assert_eq!(held.get(&1), Some("a"));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(held.get(&1), None);
        for key in 0..10_000 {
            held.put(key, "b");
        }
        assert!(held.0.lock().unwrap().len() <= MAX_REMEMBERED);
    }
}
