//! Asks targets: one request, a bounded body, at most the target's own time. Knows nothing of
//! samples.

use std::collections::HashMap;
use std::error::Error;
use std::io::Read as _;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, USER_AGENT,
};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_rustls::{FixedServerNameResolver, HttpsConnector};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use model::ScrapeTls;
use once::Http;
use rustls::RootCertStore;
use rustls_pki_types::ServerName;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::exposition::Format;
use crate::failure::Failure;
use crate::limits::{Limits, MAX_TLS_SETTINGS};

mod tls;

/// What answers are asked for, as Prometheus asks.
const ACCEPTED: &str = "application/openmetrics-text;version=1.0.0,\
    application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
const AGENT: &str = concat!("taffrail/", env!("CARGO_PKG_VERSION"));
/// How long an idle connection is kept: longer than the usual interval.
const IDLE_TIMEOUT: Duration = Duration::from_secs(75);
/// Read buffer of a connection; what an idle connection may keep.
const READ_BUFFER_BYTES: usize = 8 << 10;
/// The step in which memory for bodies is taken.
const GRAIN: usize = 1 << 10;

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    body: Bytes,
    gzip: bool,
    pub(crate) format: Format,
    /// Its share of the memory for bodies, given back when it is dropped.
    _memory: Option<OwnedSemaphorePermit>,
}

/// Asks targets.
pub(crate) struct Asker {
    clients: Mutex<HashMap<ScrapeTls, Http>>,
    authorities: Vec<u8>,
    /// Read once, when the first target is verified.
    roots: OnceLock<Result<Arc<RootCertStore>, String>>,
    body_bytes: usize,
    memory: Arc<Semaphore>,
    requests: Arc<Semaphore>,
}

impl Asker {
    pub(crate) fn new(limits: &Limits, authorities: Vec<u8>) -> Self {
        Self {
            clients: Mutex::default(),
            authorities,
            roots: OnceLock::new(),
            body_bytes: limits.body_bytes,
            memory: Arc::new(Semaphore::new(limits.bodies_bytes.div_ceil(GRAIN))),
            requests: Arc::new(Semaphore::new(limits.requests)),
        }
    }

    /// Asks `url`; ends within `at_most`.
    pub(crate) async fn ask(
        &self,
        url: &str,
        tls: &ScrapeTls,
        at_most: Duration,
    ) -> Result<Answer, Failure> {
        let Ok(_place) = Arc::clone(&self.requests).try_acquire_owned() else {
            return Err(Failure::new(
                "too_many_requests",
                "too many targets are being asked at once",
            ));
        };
        let http = self.client(tls)?;
        match timeout(at_most, self.exchange(&http, url, at_most)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure::new("timeout", format!("no answer within {at_most:?}"))),
        }
    }

    async fn exchange(&self, http: &Http, url: &str, at_most: Duration) -> Result<Answer, Failure> {
        let request = Request::get(url)
            .header(ACCEPT, ACCEPTED)
            .header(ACCEPT_ENCODING, "gzip")
            .header(USER_AGENT, AGENT)
            .header("X-Prometheus-Scrape-Timeout-Seconds", at_most.as_secs_f64().to_string())
            .body(Full::default())
            .map_err(|error| Failure::new("address", format!("{url} is no URL: {error}")))?;
        let response =
            http.request(request).await.map_err(|error| Failure::new("connect", cause(&error)))?;
        let status = response.status();
        if status != StatusCode::OK {
            return Err(Failure::new("status", format!("server returned HTTP status {status}")));
        }
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let gzip = match header(CONTENT_ENCODING).map(str::trim) {
            None | Some("" | "identity") => false,
            Some(coding) if coding.eq_ignore_ascii_case("gzip") => true,
            Some(coding) => {
                let reason = format!("the answer is encoded as {coding}, which was not asked for");
                return Err(Failure::new("encoding", reason));
            }
        };
        let format = Format::of(header(CONTENT_TYPE).unwrap_or_default());
        let announced = header(CONTENT_LENGTH).and_then(|length| length.parse::<usize>().ok());
        if announced.is_some_and(|length| length > self.body_bytes) {
            return Err(too_large(self.body_bytes));
        }
        self.body(response.into_body(), gzip, format).await
    }

    async fn body(
        &self,
        mut body: hyper::body::Incoming,
        gzip: bool,
        format: Format,
    ) -> Result<Answer, Failure> {
        let mut whole = BytesMut::new();
        let mut memory: Option<OwnedSemaphorePermit> = None;
        let mut granted = 0;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| {
                Failure::new("body", format!("the answer broke off: {}", cause(&error)))
            })?;
            let Ok(data) = frame.into_data() else { continue };
            if whole.len() + data.len() > self.body_bytes {
                return Err(too_large(self.body_bytes));
            }
            whole.extend_from_slice(&data);
            let wanted = whole.len().div_ceil(GRAIN).saturating_sub(granted);
            let grains = u32::try_from(wanted).unwrap_or(u32::MAX);
            if grains > 0 {
                let Ok(more) = Arc::clone(&self.memory).try_acquire_many_owned(grains) else {
                    let reason = "the answers that are being read take too much memory together";
                    return Err(Failure::new("too_much_memory", reason));
                };
                granted += wanted;
                match &mut memory {
                    Some(memory) => memory.merge(more),
                    None => memory = Some(more),
                }
            }
        }
        Ok(Answer { body: whole.freeze(), gzip, format, _memory: memory })
    }

    /// The client for these settings; its connections are kept.
    fn client(&self, tls: &ScrapeTls) -> Result<Http, Failure> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = clients.get(tls) {
            return Ok(known.clone());
        }
        if clients.len() >= MAX_TLS_SETTINGS {
            let reason = format!("more than {MAX_TLS_SETTINGS} different tlsConfigs");
            return Err(Failure::new("too_many_tls_settings", reason));
        }
        let wrong = |reason: String| Failure::new("tls", reason);
        let named = (!tls.server_name.is_empty()).then(|| {
            ServerName::try_from(tls.server_name.to_string())
                .map_err(|error| wrong(format!("its serverName cannot be used: {error}")))
        });
        let named = named.transpose()?;
        let roots = || self.roots.get_or_init(|| tls::roots(&self.authorities)).clone();
        let config = tls::config(tls, roots).map_err(wrong)?;
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let builder =
            HttpsConnector::<HttpConnector>::builder().with_tls_config(config).https_or_http();
        let builder = match named {
            None => builder,
            Some(name) => builder.with_server_name_resolver(FixedServerNameResolver::new(name)),
        };
        let https = builder.enable_http1().wrap_connector(tcp);
        let http = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(1)
            .pool_timer(TokioTimer::new())
            .http1_read_buf_exact_size(READ_BUFFER_BYTES)
            .build(https);
        clients.insert(tls.clone(), http.clone());
        Ok(http)
    }
}

impl Answer {
    /// The text, decompressed; at most `body_bytes` of it.
    pub(crate) fn text(&self, body_bytes: usize) -> Result<std::borrow::Cow<'_, str>, Failure> {
        let encoded =
            |at: usize| Failure::new("malformed", format!("the answer is not UTF-8 at byte {at}"));
        if !self.gzip {
            let text =
                std::str::from_utf8(&self.body).map_err(|error| encoded(error.valid_up_to()))?;
            return Ok(text.into());
        }
        let mut plain = Vec::new();
        let most = u64::try_from(body_bytes).unwrap_or(u64::MAX).saturating_add(1);
        let mut reader = flate2::read::MultiGzDecoder::new(&*self.body).take(most);
        reader.read_to_end(&mut plain).map_err(|error| {
            Failure::new("malformed", format!("the answer is no gzip: {error}"))
        })?;
        if plain.len() > body_bytes {
            return Err(too_large(body_bytes));
        }
        let text =
            String::from_utf8(plain).map_err(|error| encoded(error.utf8_error().valid_up_to()))?;
        Ok(text.into())
    }
}

fn too_large(most: usize) -> Failure {
    Failure::new("body_too_large", format!("the answer is larger than {most} bytes"))
}

/// The innermost reason of a chain of errors.
fn cause(error: &(dyn Error + 'static)) -> String {
    let mut link = error;
    while let Some(source) = link.source() {
        link = source;
    }
    link.to_string()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn gzip(text: &[u8]) -> Answer {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(text).unwrap();
        let body = encoder.finish().unwrap().into();
        Answer { body, gzip: true, format: Format::Text, _memory: None }
    }

    #[test]
    fn bodies_are_decompressed_within_their_bound() {
        assert_eq!(gzip(b"a 1\n").text(4).unwrap(), "a 1\n");
        assert_eq!(gzip(b"a 1\n").text(3).unwrap_err().name, "body_too_large");
        let bomb = gzip(&vec![b'a'; 10 << 20]);
        assert!(bomb.body.len() < 20 << 10);
        assert_eq!(bomb.text(1 << 20).unwrap_err().name, "body_too_large");
        assert_eq!(gzip(b"\xff").text(10).unwrap_err().name, "malformed");
        let cut = Answer { body: gzip(b"abc").body.slice(..12), ..gzip(b"") };
        assert!(cut.text(10).unwrap_err().reason.contains("no gzip"));
    }
}
