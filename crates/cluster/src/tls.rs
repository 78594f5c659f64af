//! Verification of kubelets' certificates, by address or else by node name.
//!
//! Kubelets are reached by address, but many certificates name only the node: such a certificate
//! is accepted too, since the API server vouches for which node has which address. Knows no HTTP.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, RwLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme};

use crate::failure::presented_names;

/// Which check a kubelet's certificate passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verified {
    /// It names the address.
    Address,
    /// It names the node.
    NodeName,
    /// Nothing was checked.
    Nothing,
}

/// Why a certificate was refused, with what rustls does not tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unverified {
    /// Signed by somebody unknown; the names it carries.
    Issuer { names: String },
    /// For other names.
    Names { names: String, wanted: String },
}

impl fmt::Display for Unverified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Issuer { names } => write!(f, "unknown issuer, names {names}"),
            Self::Names { names, wanted } => write!(f, "names {names}, wanted {wanted}"),
        }
    }
}

impl std::error::Error for Unverified {}

/// Which node has which address, and how its certificate was verified last.
#[derive(Debug, Default)]
pub(crate) struct NodeNames {
    by_address: RwLock<HashMap<IpAddr, Named>>,
}

/// A node's name, and how its certificate was verified last.
type Named = (Box<str>, Option<Verified>);

impl NodeNames {
    /// Says that `address` is the node `name`.
    pub(crate) fn put(&self, address: IpAddr, name: &str) {
        let Ok(mut map) = self.by_address.write() else { return };
        let entry = map.entry(address).or_insert_with(|| (name.into(), None));
        if *entry.0 != *name {
            *entry = (name.into(), None);
        }
    }

    /// Forgets addresses that `keep` does not accept.
    pub(crate) fn retain(&self, keep: impl Fn(&IpAddr) -> bool) {
        if let Ok(mut map) = self.by_address.write() {
            map.retain(|address, _| keep(address));
        }
    }

    /// How the certificate at `address` was verified last.
    pub(crate) fn verified(&self, address: IpAddr) -> Option<Verified> {
        self.by_address.read().ok()?.get(&address)?.1
    }

    fn name_of(&self, address: IpAddr) -> Option<Box<str>> {
        Some(self.by_address.read().ok()?.get(&address)?.0.clone())
    }

    fn note(&self, address: IpAddr, verified: Verified) {
        if let Ok(mut map) = self.by_address.write()
            && let Some(entry) = map.get_mut(&address)
        {
            entry.1 = Some(verified);
        }
    }
}

/// Verifies kubelets' certificates.
#[derive(Debug)]
pub(crate) struct KubeletVerifier {
    /// `None`: accept any certificate.
    roots: Option<RootCertStore>,
    nodes: Arc<NodeNames>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl KubeletVerifier {
    pub(crate) fn new(roots: Option<RootCertStore>, nodes: Arc<NodeNames>) -> Self {
        let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
        Self { roots, nodes, algorithms }
    }

    fn verify_names(
        &self,
        certificate: &ParsedCertificate<'_>,
        asked: &ServerName<'_>,
    ) -> Result<Verified, rustls::Error> {
        let refused = match verify_server_name(certificate, asked) {
            Ok(()) => return Ok(Verified::Address),
            Err(error) => error,
        };
        let ServerName::IpAddress(address) = asked else { return Err(refused) };
        let Some(node) = self.nodes.name_of(IpAddr::from(*address)) else { return Err(refused) };
        let by_node = ServerName::try_from(&*node);
        if by_node.is_ok_and(|name| verify_server_name(certificate, &name).is_ok()) {
            return Ok(Verified::NodeName);
        }
        let wanted = format!("{} or {node}", asked.to_str());
        Err(other(Unverified::Names { names: names_of(&refused), wanted }))
    }
}

impl ServerCertVerifier for KubeletVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = match &self.roots {
            None => Verified::Nothing,
            Some(roots) => {
                let certificate = ParsedCertificate::try_from(end_entity)?;
                verify_server_cert_signed_by_trust_anchor(
                    &certificate,
                    roots,
                    intermediates,
                    now,
                    self.algorithms.all,
                )
                .map_err(|error| match error {
                    rustls::Error::InvalidCertificate(
                        CertificateError::UnknownIssuer | CertificateError::BadSignature,
                    ) => other(Unverified::Issuer { names: names_in(&certificate) }),
                    error => error,
                })?;
                self.verify_names(&certificate, server_name)?
            }
        };
        if let ServerName::IpAddress(address) = server_name {
            self.nodes.note(IpAddr::from(*address), verified);
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn other(error: Unverified) -> rustls::Error {
    rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(error))))
}

/// The names in a certificate, found by asking for one that nobody has.
fn names_in(certificate: &ParsedCertificate<'_>) -> String {
    match ServerName::try_from("name.invalid").map(|name| verify_server_name(certificate, &name)) {
        Ok(Err(error)) => names_of(&error),
        _ => "unknown names".to_owned(),
    }
}

fn names_of(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext {
            presented,
            ..
        }) => presented_names(presented),
        _ => "other names".to_owned(),
    }
}
