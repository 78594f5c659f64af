//! Verification of kubelets' certificates, by address or else by node name.
//!
//! Kubelets are reached by address, but many certificates name only the node: such a certificate
//! is accepted too, since the API server vouches for which node has which address. Knows no HTTP.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, RwLock};

use model::Verified;
use ring::digest::{SHA256, digest};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme};

use crate::failure::presented_names;

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
    by_address: RwLock<HashMap<Box<str>, Named>>,
}

/// A node's name, and how its certificate was verified last.
type Named = (Box<str>, Option<Verified>);

impl NodeNames {
    /// Says that `address` is the node `name`.
    pub(crate) fn put(&self, address: &str, name: &str) {
        let Ok(mut map) = self.by_address.write() else { return };
        let entry = map.entry(address.into()).or_insert_with(|| (name.into(), None));
        if *entry.0 != *name {
            *entry = (name.into(), None);
        }
    }

    /// Forgets addresses that `keep` does not accept.
    pub(crate) fn retain(&self, keep: impl Fn(&str) -> bool) {
        if let Ok(mut map) = self.by_address.write() {
            map.retain(|address, _| keep(address));
        }
    }

    /// How the certificate at `address` was verified last.
    pub(crate) fn verified(&self, address: &str) -> Option<Verified> {
        self.by_address.read().ok()?.get(address)?.1
    }

    fn name_of(&self, address: &str) -> Option<Box<str>> {
        Some(self.by_address.read().ok()?.get(address)?.0.clone())
    }

    fn note(&self, address: &str, verified: Verified) {
        if let Ok(mut map) = self.by_address.write()
            && let Some(entry) = map.get_mut(address)
        {
            entry.1 = Some(verified);
        }
    }
}

/// SHA-256 of certificates or of their public keys (SPKI), by the node's name.
pub(crate) type Pins = HashMap<Box<str>, Vec<[u8; 32]>>;

/// What is taken, in this order: what an authority vouches for, what is pinned, anything.
#[derive(Debug)]
pub(crate) struct Trust {
    /// Empty: no authority is known.
    pub(crate) roots: RootCertStore,
    pub(crate) pins: Pins,
    /// Whether anything is taken in the end.
    pub(crate) anything: bool,
}

impl Trust {
    /// Takes anything, and so verifies nothing.
    pub(crate) fn anything() -> Self {
        Self { roots: RootCertStore::empty(), pins: Pins::new(), anything: true }
    }
}

/// Verifies kubelets' certificates.
#[derive(Debug)]
pub(crate) struct KubeletVerifier {
    trust: Trust,
    nodes: Arc<NodeNames>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl KubeletVerifier {
    pub(crate) fn new(trust: Trust, nodes: Arc<NodeNames>) -> Self {
        let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
        Self { trust, nodes, algorithms }
    }

    fn by_authority(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        asked: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<Verified, rustls::Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        verify_server_cert_signed_by_trust_anchor(
            &certificate,
            &self.trust.roots,
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
        self.verify_names(&certificate, asked)
    }

    fn is_pinned(&self, end_entity: &CertificateDer<'_>, asked: &ServerName<'_>) -> bool {
        let Some(node) = self.nodes.name_of(&asked.to_str()) else { return false };
        let Some(pins) = self.trust.pins.get(&node) else { return false };
        let key = pin_of(end_entity);
        let whole = digest(&SHA256, end_entity);
        pins.iter().any(|pin| pin == whole.as_ref() || key.as_ref().is_some_and(|key| pin == key))
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
        let Some(node) = self.nodes.name_of(&asked.to_str()) else { return Err(refused) };
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
        let verified = match self.by_authority(end_entity, intermediates, server_name, now) {
            Ok(verified) => verified,
            Err(_) if self.is_pinned(end_entity, server_name) => Verified::Pinned,
            Err(_) if self.trust.anything => Verified::Nothing,
            Err(error) => return Err(error),
        };
        self.nodes.note(&server_name.to_str(), verified);
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

/// What pins a certificate's key: SHA-256 of its SPKI, which a renewal with the same key keeps.
pub(crate) fn pin_of(end_entity: &CertificateDer<'_>) -> Option<[u8; 32]> {
    let certificate = ParsedCertificate::try_from(end_entity).ok()?;
    digest(&SHA256, &certificate.subject_public_key_info()).as_ref().try_into().ok()
}

/// `sha256:` and 64 digits.
pub(crate) fn shown_pin(pin: &[u8; 32]) -> String {
    let digits: Vec<String> = pin.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{}", digits.concat())
}

/// Reads a file of pins: `NODE sha256:HEX` a line (colons between bytes are taken too), `#` begins
/// a remark. The error says which line is wrong.
pub(crate) fn read_pins(text: &str) -> Result<Pins, String> {
    let mut pins = Pins::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let wrong = || format!("line {} is not `NODE sha256:HEX`", at + 1);
        let (node, pin) = line.split_once(char::is_whitespace).ok_or_else(wrong)?;
        let digits = pin.trim().strip_prefix("sha256:").ok_or_else(wrong)?.replace(':', "");
        let byte = |at: usize| u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok();
        let bytes: Option<Vec<u8>> = (0..32).map(byte).collect();
        let bytes = bytes.filter(|_| digits.len() == 64).ok_or_else(wrong)?;
        let pin: [u8; 32] = bytes.try_into().map_err(|_| wrong())?;
        pins.entry(node.into()).or_default().push(pin);
    }
    Ok(pins)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_are_read_as_they_are_shown() {
        let pin: [u8; 32] = std::array::from_fn(|at| u8::try_from(at).unwrap());
        let colons = shown_pin(&pin).replace("000102", "00:01:02");
        let text = format!("# nodes\n\nn1  {}  # self-signed\nn1 {colons}\n", shown_pin(&pin));
        let pins = read_pins(&text).unwrap();
        assert_eq!(pins.get("n1").unwrap(), &[pin, pin]);
        for wrong in ["n1", "n1 00", "n1 sha256:00", &format!("n1 {}ff", shown_pin(&pin))] {
            assert_eq!(read_pins(wrong).unwrap_err(), "line 1 is not `NODE sha256:HEX`");
        }
    }
}
