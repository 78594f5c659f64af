//! Single steps of a connection: resolving a name, TCP, TLS. Sends nothing above TLS.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;

use crate::certificate::Certificate;
use crate::failure::{Cause, classify};
use crate::tls::{KubeletVerifier, Trust};

/// How long resolving, connecting or a handshake may take each.
pub(super) const STEP_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a step failed, with what the other end showed.
pub(super) struct Untrusted {
    pub(super) cause: Cause,
    pub(super) reason: String,
    /// What the other end showed, where it showed anything.
    pub(super) certificate: Option<Certificate>,
}

/// Every address of `host`.
pub(super) async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, (Cause, String)> {
    let host = bare(host);
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let failed =
        |reason: String| (Cause::Unresolved, format!("the name {host} does not resolve: {reason}"));
    match timeout(STEP_TIMEOUT, tokio::net::lookup_host((host, port))).await {
        Ok(Ok(found)) => {
            let found: Vec<SocketAddr> = found.collect();
            if found.is_empty() { Err(failed("it has no address".to_owned())) } else { Ok(found) }
        }
        Ok(Err(error)) => Err(failed(error.to_string())),
        Err(_) => Err(failed(format!("no answer within {STEP_TIMEOUT:?}"))),
    }
}

/// A URL's host without an IPv6 address's brackets.
pub(super) fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

/// Connects to the first address that takes it, within `limit`; that address and how long it took.
pub(super) async fn connect(
    addresses: &[SocketAddr],
    limit: Duration,
) -> Result<(SocketAddr, Duration), (Cause, String)> {
    let begin = Instant::now();
    let mut failed = (Cause::Unresolved, "there is no address".to_owned());
    for address in addresses {
        let left = limit.saturating_sub(begin.elapsed());
        match timeout(left, TcpStream::connect(address)).await {
            Ok(Ok(_)) => return Ok((*address, begin.elapsed())),
            // Only a connection that was made can be reset: what follows will show it.
            Ok(Err(error)) if error.kind() == ErrorKind::ConnectionReset => {
                return Ok((*address, begin.elapsed()));
            }
            Ok(Err(error)) => failed = classify(&error),
            Err(_) => return Err((Cause::TimedOut, format!("no connection within {limit:?}"))),
        }
    }
    Err(failed)
}

/// A handshake as `config` wants it. When it fails, another one that verifies nothing shows what
/// the other end's certificate is.
pub(super) async fn handshake(
    address: SocketAddr,
    name: &ServerName<'static>,
    config: Arc<ClientConfig>,
) -> Result<Option<Certificate>, Untrusted> {
    match shake(address, name.clone(), config).await {
        Ok(certificate) => Ok(certificate),
        Err((cause, reason)) => {
            let about_certificate =
                matches!(cause, Cause::UntrustedIssuer | Cause::WrongName | Cause::OutOfTime);
            let certificate = match unverified() {
                Some(config) if about_certificate => {
                    shake(address, name.clone(), config).await.ok().flatten()
                }
                _ => None,
            };
            Err(Untrusted { cause, reason, certificate })
        }
    }
}

async fn shake(
    address: SocketAddr,
    name: ServerName<'static>,
    config: Arc<ClientConfig>,
) -> Result<Option<Certificate>, (Cause, String)> {
    let shaken = async {
        let stream = TcpStream::connect(address).await?;
        TlsConnector::from(config).connect(name, stream).await
    };
    let stream = match timeout(STEP_TIMEOUT, shaken).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(classify(&error)),
        Err(_) => return Err((Cause::TimedOut, format!("no handshake within {STEP_TIMEOUT:?}"))),
    };
    let chain = stream.get_ref().1.peer_certificates();
    Ok(chain.and_then(<[_]>::first).and_then(|first| Certificate::read(first)))
}

/// TLS that accepts and shows nothing.
fn unverified() -> Option<Arc<ClientConfig>> {
    let verifier = KubeletVerifier::new(Trust::anything(), Arc::default());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let config = builder.with_safe_default_protocol_versions().ok()?;
    let config = config.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    Some(Arc::new(config.with_no_client_auth()))
}
