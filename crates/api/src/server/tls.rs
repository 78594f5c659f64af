//! TLS on a listener: certificate, key, and which clients are let in. Reads no files.

use std::sync::Arc;

use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use super::access::Access;

/// What a listener needs for TLS.
#[derive(Clone)]
pub struct Tls {
    pub(super) acceptor: TlsAcceptor,
    pub(super) access: Access,
}

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate file holds no certificate, or a broken one.
    #[error("the serving certificate cannot be read: {0}")]
    Certificate(String),
    /// The key file holds no private key, or a broken one.
    #[error("the serving key cannot be read: {0}")]
    Key(String),
    /// Certificate and key do not go together, or cannot be used.
    #[error("certificate and key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
    /// The client authority's file holds no certificate, or a broken one.
    #[error("the client CA cannot be read: {0}")]
    ClientCa(String),
    /// Names are allowed that no client could prove.
    #[error("allowed users need a client CA that vouches for them")]
    UsersWithoutCa,
}

impl Tls {
    /// From PEM text. With `client_ca` every path but `/healthz` asks for a client certificate of
    /// that authority, and for one of the `allowed_users` as its common name if there are any.
    ///
    /// Heapster let nobody in where only the authority was given, and everybody where only the
    /// users were; the first now lets in whom the authority vouches for, the second is refused.
    pub fn new(
        certificate_pem: &[u8],
        key_pem: &[u8],
        client_ca_pem: Option<&[u8]>,
        allowed_users: &[String],
    ) -> Result<Self, TlsError> {
        let chain = certificates(certificate_pem).map_err(TlsError::Certificate)?;
        let key = PrivateKeyDer::from_pem_slice(key_pem)
            .map_err(|error| TlsError::Key(error.to_string()))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let (builder, access) = match client_ca_pem {
            None if !allowed_users.is_empty() => return Err(TlsError::UsersWithoutCa),
            None => (builder.with_no_client_auth(), Access::Open),
            Some(pem) => {
                let mut roots = RootCertStore::empty();
                for certificate in certificates(pem).map_err(TlsError::ClientCa)? {
                    roots
                        .add(certificate)
                        .map_err(|error| TlsError::ClientCa(error.to_string()))?;
                }
                // Without a certificate only /healthz answers; the handshake itself goes well.
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                        .allow_unauthenticated()
                        .build()
                        .map_err(|error| TlsError::ClientCa(error.to_string()))?;
                let access = Access::Certificate(allowed_users.to_vec());
                (builder.with_client_cert_verifier(verifier), access)
            }
        };
        let mut config = builder.with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), access })
    }

    /// The same certificate and clients, for HTTP/2 alone.
    pub(super) fn for_http2(&self) -> Self {
        let mut config = ServerConfig::clone(self.acceptor.config());
        config.alpn_protocols = vec![b"h2".to_vec()];
        Self { acceptor: TlsAcceptor::from(Arc::new(config)), access: self.access.clone() }
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("access", &self.access).finish_non_exhaustive()
    }
}

pub(super) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())?;
    if certificates.is_empty() {
        return Err("it holds no certificate".to_owned());
    }
    Ok(certificates)
}
