//! Tokens of Google's: from the key of a service account, or from the metadata server of a
//! machine there.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use model::Timestamp;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde::Deserialize;
use tokio::sync::Mutex;

use super::Outcome;
use super::dial::Dialer;

/// Where a machine there asks for its own token.
const METADATA: &str =
    "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token";
/// What says that a request to the metadata server is meant.
const FLAVOR: &str = "metadata-flavor";
/// What tokens allow.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// How long a token holds that is asked for.
const HOLDS: Duration = Duration::from_hours(1);
/// A token that holds no longer than this is replaced.
const MARGIN: Duration = Duration::from_mins(2);
/// Most bytes of an answer.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Who asks.
#[derive(Debug)]
pub(crate) struct GoogleAccount {
    key: Option<ServiceKey>,
    /// The token, and until when it holds.
    token: Mutex<Option<(String, Timestamp)>>,
}

/// The key of a service account, as its JSON file has it.
#[derive(Debug)]
pub(crate) struct ServiceKey {
    email: String,
    token_uri: String,
    pair: RsaKeyPair,
    /// The account's project, if the file names it.
    pub(crate) project: Option<String>,
}

impl ServiceKey {
    /// Reads the JSON of a service account's key; the error says what is wrong with it.
    pub(crate) fn parse(json: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct File {
            client_email: String,
            private_key: String,
            token_uri: String,
            project_id: Option<String>,
        }
        let file: File = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let key = PrivateKeyDer::from_pem_slice(file.private_key.as_bytes())
            .map_err(|error| format!("private_key: {error}"))?;
        let pair = match &key {
            PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
            _ => return Err("private_key: no RSA key".to_owned()),
        };
        let pair = pair.map_err(|error| format!("private_key: {error}"))?;
        let (email, token_uri) = (file.client_email, file.token_uri);
        Ok(Self { email, token_uri, pair, project: file.project_id })
    }

    /// A signed claim that is exchanged for a token (RFC 7523).
    fn assertion(&self, now: Timestamp) -> Result<String, Outcome> {
        let claims = serde_json::json!({
            "iss": self.email,
            "scope": SCOPE,
            "aud": self.token_uri,
            "iat": now.secs(),
            "exp": now.plus(HOLDS).secs(),
        });
        let encode = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
        let text =
            format!("{}.{}", encode(r#"{"alg":"RS256","typ":"JWT"}"#), encode(&claims.to_string()));
        let mut signature = vec![0; self.pair.public().modulus_len()];
        let random = SystemRandom::new();
        self.pair
            .sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature)
            .map_err(|_| Outcome::failed("the key cannot sign"))?;
        Ok(format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// A token as it is given out.
#[derive(Deserialize)]
struct Answer {
    access_token: String,
    /// Seconds.
    expires_in: u64,
}

impl GoogleAccount {
    /// An account with that key; without one, this machine's own.
    pub(crate) fn new(key: Option<ServiceKey>) -> Self {
        Self { key, token: Mutex::default() }
    }

    /// A token that still holds.
    pub(super) async fn token(
        &self,
        client: &Client<HttpsConnector<Dialer>, Full<Bytes>>,
        now: Timestamp,
    ) -> Result<String, Outcome> {
        let mut kept = self.token.lock().await;
        if let Some((token, until)) = &*kept
            && now.plus(MARGIN) < *until
        {
            return Ok(token.clone());
        }
        let request = self.request(now)?;
        let response = client
            .request(request)
            .await
            .map_err(|error| Outcome::failed(format_args!("no token: {error}")))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await;
        let body = body.map_or_else(|_| Bytes::new(), http_body_util::Collected::to_bytes);
        let answer: Answer = serde_json::from_slice(&body).map_err(|_| {
            let text = String::from_utf8_lossy(&body);
            Outcome::failed(format_args!("no token: {status}: {}", super::answer::shown(&text)))
        })?;
        let until = now.plus(Duration::from_secs(answer.expires_in));
        *kept = Some((answer.access_token.clone(), until));
        Ok(answer.access_token)
    }

    fn request(&self, now: Timestamp) -> Result<Request<Full<Bytes>>, Outcome> {
        let request = match &self.key {
            None => Request::get(METADATA).header(FLAVOR, "Google").body(Full::default()),
            Some(key) => {
                let form = form_urlencoded::Serializer::new(String::new())
                    .append_pair("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
                    .append_pair("assertion", &key.assertion(now)?)
                    .finish();
                Request::builder()
                    .method(Method::POST)
                    .uri(&key.token_uri)
                    .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                    .body(Full::new(form.into()))
            }
        };
        request.map_err(|error| Outcome::failed(format_args!("no token: {error}")))
    }
}
