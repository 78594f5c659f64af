//! A running Taffrail far away, asked over HTTP: what every command that talks to a server shares.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use once::Http;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tokio::time::timeout;

use crate::exit::Failure;

/// The server that is meant when none is named.
pub(crate) const LOCAL: &str = "http://127.0.0.1:8082";
/// Most bytes of an answer to a list or a query of graphs.
pub(crate) const MAX_ANSWER_BYTES: usize = 64 << 20;
/// Most bytes of a token file.
const MAX_TOKEN_BYTES: u64 = 64 << 10;

/// What an answer may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Until its last byte.
    pub(crate) deadline: Duration,
    /// Most bytes.
    pub(crate) bytes: usize,
}

/// What an answer may take where a command does not say otherwise.
const BOUNDS: Bounds = Bounds { deadline: Duration::from_secs(30), bytes: MAX_ANSWER_BYTES };

/// A client of one server.
#[derive(Debug, Clone)]
pub(crate) struct Remote {
    /// Without a slash at its end.
    base: String,
    authorization: Option<HeaderValue>,
    bounds: Bounds,
    client: Http,
}

/// Why there is no answer; its text says what to change.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unanswered {
    /// Nobody is reached there.
    #[error(
        "cannot reach {server}: {reason}; is `taffrail serve` running there? Name another server with --server=URL"
    )]
    Unreachable {
        /// Where.
        server: String,
        /// What happened.
        reason: String,
    },
    /// The answer is too long.
    #[error("{server} answers {path} with more than {bytes} bytes; ask for less")]
    TooLong {
        /// Where.
        server: String,
        /// What was asked.
        path: String,
        /// What it may have.
        bytes: usize,
    },
}

impl Remote {
    /// A client of `server` that shows the token in `token_file`, and trusts the certificates in
    /// `ca_file`, else the system's.
    pub(crate) fn new(
        server: &str,
        token_file: Option<&Path>,
        ca_file: Option<&Path>,
    ) -> Result<Self, Failure> {
        let base = server.trim_end_matches('/').to_owned();
        let parsed: Option<Uri> = base.parse().ok();
        let known = parsed.is_some_and(|uri| {
            matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some()
        });
        if !known {
            return Err(Failure::usage(format!(
                "--server={server}: not a URL like {LOCAL} or https://host/path"
            )));
        }
        let authorization = token_file.map(bearer).transpose()?;
        let client = client(ca_file, "--ca-file", base.starts_with("https:"))?;
        Ok(Self { base, authorization, bounds: BOUNDS, client })
    }

    /// A client of the server that a command line names.
    pub(crate) fn of(asked: &crate::cli::AskArgs) -> Result<Self, Failure> {
        Self::new(&asked.server, asked.token_file.as_deref(), asked.ca_file.as_deref())
    }

    /// The same with other bounds of an answer.
    pub(crate) fn within(self, bounds: Bounds) -> Self {
        Self { bounds, ..self }
    }

    /// The server's URL.
    pub(crate) fn url(&self) -> &str {
        &self.base
    }

    /// The status and body of the answer to `method path`, whatever the status.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        content_type: &'static str,
        body: Vec<u8>,
    ) -> Result<(StatusCode, Bytes), Unanswered> {
        let Bounds { deadline, bytes } = self.bounds;
        let unreachable =
            |reason: String| Unanswered::Unreachable { server: self.base.clone(), reason };
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(USER_AGENT, concat!("taffrail/", env!("CARGO_PKG_VERSION")))
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, content_type);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| unreachable(error.to_string()))?;
        let exchange = async {
            let answer = self
                .client
                .request(request)
                .await
                .map_err(|error| unreachable(root_cause(&error)))?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), bytes).collect().await;
            let cut = |error: Box<dyn std::error::Error + Send + Sync>| {
                if error.is::<LengthLimitError>() {
                    let (server, path) = (self.base.clone(), path.to_owned());
                    return Unanswered::TooLong { server, path, bytes };
                }
                unreachable(format!("the answer ended early: {}", root_cause(&*error)))
            };
            Ok((status, body.map_err(cut)?.to_bytes()))
        };
        timeout(deadline, exchange)
            .await
            .unwrap_or_else(|_| Err(unreachable(format!("no answer within {deadline:?}"))))
    }
}

/// A client that trusts the certificates in the file that `flag` names, else the system's if TLS
/// is `spoken` at all.
pub(crate) fn client(ca_file: Option<&Path>, flag: &str, spoken: bool) -> Result<Http, Failure> {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls(spoken, ca_file, flag)?)
        .https_or_http()
        .enable_http1()
        .wrap_connector(connector);
    Ok(Client::builder(TokioExecutor::new()).build(connector))
}

/// The innermost reason: "connection refused" rather than "client error".
pub(crate) fn root_cause(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

fn bearer(path: &Path) -> Result<HeaderValue, Failure> {
    let wrong =
        |reason: String| Failure::config(format!("--token-file={}: {reason}", path.display()));
    let length = std::fs::metadata(path).map_err(|error| wrong(error.to_string()))?.len();
    if length > MAX_TOKEN_BYTES {
        return Err(wrong("too large for a token".to_owned()));
    }
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    if text.trim().is_empty() {
        return Err(wrong("the file is empty".to_owned()));
    }
    let value = HeaderValue::try_from(format!("Bearer {}", text.trim()));
    let mut value = value.map_err(|_| wrong("a token is one line of text".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

fn tls(spoken: bool, ca_file: Option<&Path>, flag: &str) -> Result<ClientConfig, Failure> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = ca_file {
        let wrong =
            |reason: String| Failure::config(format!("{flag}={}: {reason}", path.display()));
        let text = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
        for certificate in CertificateDer::pem_slice_iter(&text) {
            let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
            roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(wrong("no certificate in it".to_owned()));
        }
    } else if spoken {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    Ok(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}
