//! One server behind the aggregator: TLS with the front proxy's certificate, the user in headers.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::{FixedServerNameResolver, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use once::Http;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::time::timeout;

use super::Unready;
use super::place::Place;
use crate::apiserver::Caller;
use crate::tls::Identity;

/// How long a probe may take.
const PROBE: Duration = Duration::from_secs(5);
/// Most of a failed probe's answer that is read.
const MOST_SHOWN: usize = 4 << 10;
/// Idle connections kept to one server.
const MOST_IDLE: usize = 32;
/// What speaks of a connection, or of the one who asks, and must not be handed on.
const OWN_HEADERS: [&str; 8] = [
    "authorization",
    "connection",
    "host",
    "keep-alive",
    "transfer-encoding",
    "upgrade",
    "content-length",
    "x-forwarded-for",
];
/// Prefixes of headers that only the aggregator may write.
const OWN_PREFIXES: [&str; 2] = ["x-remote-", "impersonate-"];

/// A server that answers an API group.
pub(crate) struct Backend {
    pub(super) place: Place,
    client: Http,
}

impl std::fmt::Debug for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Backend").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Backend {
    pub(super) fn new(place: Place, identity: &Identity) -> Result<Self, Unready> {
        let failed = |message: String| Unready { reason: "FailedDiscoveryCheck", message };
        let config = tls(&place, identity).map_err(failed)?;
        let name = ServerName::try_from(place.server_name.clone())
            .map_err(|error| failed(format!("{}: {error}", place.server_name)))?;
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_only()
            .with_server_name_resolver(FixedServerNameResolver::new(name))
            .enable_http1()
            .build();
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(MOST_IDLE)
            .build(connector);
        Ok(Self { place, client })
    }

    /// Asks on behalf of `caller`. `Err` says in one line why there is no answer.
    pub(crate) async fn ask(
        &self,
        caller: &Caller,
        method: Method,
        target: &str,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<Response<Incoming>, String> {
        let url = format!("https://{}{target}", self.place.authority);
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = url.parse().map_err(|error| format!("{url}: {error}"))?;
        *request.headers_mut() = forwarded(headers, caller);
        self.client.request(request).await.map_err(|error| chain(&error))
    }

    pub(super) async fn probe(&self, path: &str, caller: &Caller) -> Result<(), Unready> {
        let asked = async {
            let (headers, body) = (HeaderMap::new(), Bytes::new());
            let answer = self.ask(caller, Method::GET, path, &headers, body).await?;
            if answer.status().is_success() {
                return Ok(());
            }
            let status = answer.status();
            let body = Limited::new(answer.into_body(), MOST_SHOWN).collect().await;
            let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            Err(format!("bad status {status}: {}", String::from_utf8_lossy(&body)))
        };
        let answered = timeout(PROBE, asked).await;
        let answered = answered.unwrap_or_else(|_| Err("no answer within 5 s".to_owned()));
        answered.map_err(|why| Unready {
            reason: "FailedDiscoveryCheck",
            message: format!(
                "failing or missing response from https://{}{path}: {why}",
                self.place.authority
            ),
        })
    }
}

/// An error with its causes, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// The client's headers, with the user in place of how that was proven.
fn forwarded(headers: &HeaderMap, caller: &Caller) -> HeaderMap {
    let mut forwarded = HeaderMap::new();
    for (name, value) in headers {
        let word = name.as_str();
        let own = OWN_HEADERS.contains(&word)
            || OWN_PREFIXES.iter().any(|prefix| word.starts_with(prefix));
        if !own {
            forwarded.append(name, value.clone());
        }
    }
    let mut add = |name: &str, value: &str| {
        // What cannot stand in a header cannot be told.
        if let (Ok(name), Ok(value)) =
            (HeaderName::try_from(name.to_ascii_lowercase()), HeaderValue::try_from(value))
        {
            forwarded.append(name, value);
        }
    };
    add("x-remote-user", &caller.name);
    if !caller.uid.is_empty() {
        add("x-remote-uid", &caller.uid);
    }
    caller.groups.iter().for_each(|group| add("x-remote-group", group));
    for (key, values) in &caller.extra {
        let key: String = url::form_urlencoded::byte_serialize(key.as_bytes()).collect();
        for value in values {
            add(&format!("x-remote-extra-{key}"), value);
        }
    }
    if !forwarded.contains_key(header::USER_AGENT) {
        let agent = HeaderValue::from_static("taffrail-sim aggregator");
        forwarded.insert(header::USER_AGENT, agent);
    }
    forwarded
}

fn tls(place: &Place, identity: &Identity) -> Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(place.ca.as_deref().unwrap_or_default()) {
        let certificate = certificate.map_err(|error| format!("caBundle: {error}"))?;
        roots.add(certificate).map_err(|error| format!("caBundle: {error}"))?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = if place.insecure {
        // `insecureSkipTLSVerify`
        builder.dangerous().with_custom_certificate_verifier(tls::anybody(&provider))
    } else if roots.is_empty() {
        return Err("x509: certificate signed by unknown authority (no caBundle)".to_owned());
    } else {
        builder.with_root_certificates(roots)
    };
    let key = PrivateKeyDer::Pkcs8(identity.key.clone_key());
    builder
        .with_client_auth_cert(vec![identity.certificate.clone()], key)
        .map_err(|error| error.to_string())
}
