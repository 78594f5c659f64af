//! Requests straight to a secure port.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

/// The name under which the simulated cluster's aggregator knows the port.
pub(crate) const NAME: &str = "taffrail.kube-system.svc";

/// A certificate with its key.
pub(crate) struct Identity {
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) key: PrivateKeyDer<'static>,
}

/// A serving certificate for that name, signed by itself, in files of `folder`: its PEM.
pub(crate) fn serving(folder: &Path) -> String {
    let params = rcgen::CertificateParams::new(vec![NAME.to_owned()]).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap().pem();
    std::fs::write(folder.join("tls.crt"), &certificate).unwrap();
    std::fs::write(folder.join("tls.key"), key.serialize_pem()).unwrap();
    certificate
}

/// A client of a secure port.
pub(crate) struct Direct {
    address: String,
    config: Arc<ClientConfig>,
}

impl Direct {
    /// One that believes this bundle (base64 of PEM) and nothing else.
    pub(crate) fn trusting(address: &str, bundle: &str) -> Self {
        Self::new(address, &STANDARD.decode(bundle).unwrap(), None)
    }

    /// One that believes these certificates (PEM) and shows one of its own, if any.
    pub(crate) fn new(address: &str, pem: &[u8], own: Option<&Identity>) -> Self {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            roots.add(certificate.unwrap()).unwrap();
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match own {
            Some(own) => {
                let chain = vec![own.certificate.clone()];
                config.with_client_auth_cert(chain, own.key.clone_key()).unwrap()
            }
            None => config.with_no_client_auth(),
        };
        Self { address: address.to_owned(), config: Arc::new(config) }
    }

    /// Status and body of a GET; the body is null where it is no JSON.
    pub(crate) fn get(&self, path: &str, headers: &[(&str, &str)]) -> (u16, Value) {
        let name = ServerName::try_from(NAME).unwrap();
        let connection = ClientConnection::new(Arc::clone(&self.config), name).unwrap();
        let socket = TcpStream::connect(&self.address).unwrap();
        let mut stream = StreamOwned::new(connection, socket);
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {NAME}\r\n").unwrap();
        for (name, value) in headers {
            write!(stream, "{name}: {value}\r\n").unwrap();
        }
        write!(stream, "\r\n").unwrap();
        let mut answer = Vec::new();
        // The other side may close without a farewell once the answer is whole.
        drop(stream.read_to_end(&mut answer));
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }
}
