//! TLS between replicas: each shows a certificate, and takes one of the same authority for the same
//! name. The token is needed besides.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::client::verify_server_name;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// Why there is no TLS between replicas.
#[derive(Debug, thiserror::Error)]
pub enum PeerTlsError {
    /// A file that cannot be read.
    #[error("{file}: {error}")]
    Unreadable {
        /// Which.
        file: String,
        /// What the system says.
        error: std::io::Error,
    },
    /// A file that holds something else than it should.
    #[error("{file}: {error}; give a PEM file")]
    Unusable {
        /// Which.
        file: String,
        /// What is wrong with it.
        error: String,
    },
    /// They do not go together.
    #[error("certificate, key and authority cannot be used together: {0}")]
    Mismatch(String),
    /// No certificate can be for such a name.
    #[error("{0:?} is no name of a certificate; give a DNS name")]
    Name(String),
}

/// The certificate of this replica, and whose others' it takes.
#[derive(Debug)]
pub struct PeerTls {
    files: [PathBuf; 3],
    name: ServerName<'static>,
    made: RwLock<Arc<Made>>,
}

/// What was made of the files when they were read last.
struct Made {
    content: [Vec<u8>; 3],
    acceptor: TlsAcceptor,
    connector: TlsConnector,
}

impl std::fmt::Debug for Made {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Made")
    }
}

impl PeerTls {
    /// From PEM files: certificate and key of this replica, and the authority of all; `name` is the
    /// DNS name that every certificate has.
    pub fn read(
        certificate: &Path,
        key: &Path,
        authority: &Path,
        name: &str,
    ) -> Result<Arc<Self>, PeerTlsError> {
        let dns = ServerName::try_from(name.to_owned());
        let dns = dns.map_err(|_| PeerTlsError::Name(name.to_owned()))?;
        let files = [certificate, key, authority].map(Path::to_owned);
        let made = RwLock::new(Arc::new(make(&files, content(&files)?)?));
        Ok(Arc::new(Self { files, name: dns, made }))
    }

    /// Reads the files again; what is not whole yet is tried the next time.
    pub(crate) fn renew(&self) {
        let Ok(content) = content(&self.files) else { return };
        if self.made().content == content {
            return;
        }
        match make(&self.files, content) {
            Ok(made) => {
                tracing::info!("the certificate between replicas is new");
                *self.made.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(made);
            }
            Err(error) => tracing::warn!(%error, "the old certificate between replicas stays"),
        }
    }

    /// The other side's connection to us; an error says in one line what is wrong with it.
    pub(crate) async fn accept(
        &self,
        stream: TcpStream,
    ) -> Result<server::TlsStream<TcpStream>, String> {
        let acceptor = self.made().acceptor.clone();
        let stream = shaken(acceptor.accept(stream)).await?;
        self.named(stream.get_ref().1.peer_certificates())?;
        Ok(stream)
    }

    /// Our connection to the other side.
    pub(crate) async fn connect(
        &self,
        stream: TcpStream,
    ) -> Result<client::TlsStream<TcpStream>, String> {
        let connector = self.made().connector.clone();
        shaken(connector.connect(self.name.clone(), stream)).await
    }

    /// Whether a certificate that the authority vouches for is a replica's.
    fn named(&self, chain: Option<&[CertificateDer<'_>]>) -> Result<(), String> {
        let certificate = chain.and_then(<[_]>::first).ok_or("it shows no certificate")?;
        let parsed = ParsedCertificate::try_from(certificate).map_err(|error| error.to_string())?;
        verify_server_name(&parsed, &self.name).map_err(|error| error.to_string())
    }

    fn made(&self) -> Arc<Made> {
        Arc::clone(&self.made.read().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn shaken<S>(handshake: impl Future<Output = std::io::Result<S>>) -> Result<S, String> {
    match timeout(HANDSHAKE, handshake).await {
        Ok(shaken) => shaken.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no handshake within {HANDSHAKE:?}")),
    }
}

fn content(files: &[PathBuf; 3]) -> Result<[Vec<u8>; 3], PeerTlsError> {
    let read = |file: &PathBuf| {
        let shown = || file.display().to_string();
        std::fs::read(file).map_err(|error| PeerTlsError::Unreadable { file: shown(), error })
    };
    let [certificate, key, authority] = files;
    Ok([read(certificate)?, read(key)?, read(authority)?])
}

fn make(files: &[PathBuf; 3], content: [Vec<u8>; 3]) -> Result<Made, PeerTlsError> {
    let [certificate, key, authority] = &content;
    let unusable = |at: usize, error: String| PeerTlsError::Unusable {
        file: files.get(at).map_or_else(String::new, |file| file.display().to_string()),
        error,
    };
    let chain = |at: usize, pem: &[u8]| -> Result<Vec<CertificateDer<'static>>, PeerTlsError> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        let chain = chain.map_err(|error| unusable(at, error.to_string()))?;
        if chain.is_empty() {
            return Err(unusable(at, "it holds no certificate".to_owned()));
        }
        Ok(chain)
    };
    let own = chain(0, certificate)?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|e| unusable(1, e.to_string()))?;
    let mut roots = RootCertStore::empty();
    for root in chain(2, authority)? {
        roots.add(root).map_err(|error| unusable(2, error.to_string()))?;
    }
    let mismatch = |error: rustls::Error| PeerTlsError::Mismatch(error.to_string());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = Arc::new(roots);
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider))
            .build()
            .map_err(|error| PeerTlsError::Mismatch(error.to_string()))?;
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(mismatch)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(own.clone(), key.clone_key())
        .map_err(mismatch)?;
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(mismatch)?
        .with_root_certificates(roots)
        .with_client_auth_cert(own, key)
        .map_err(mismatch)?;
    let (acceptor, connector) =
        (TlsAcceptor::from(Arc::new(server)), TlsConnector::from(Arc::new(client)));
    Ok(Made { content, acceptor, connector })
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    type Authority = CertifiedIssuer<'static, KeyPair>;

    const NAME: &str = "taffrail-peers";

    fn authority() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    }

    /// A replica with a certificate for `name` by `signer`, which takes those of `trusted`.
    fn replica(
        signer: &Authority,
        name: &str,
        trusted: &Authority,
    ) -> (tempfile::TempDir, Arc<PeerTls>) {
        let folder = tempfile::tempdir().unwrap();
        write(&folder, signer, name, trusted);
        let file = |name: &str| folder.path().join(name);
        let tls = PeerTls::read(&file("crt"), &file("key"), &file("ca"), NAME).unwrap();
        (folder, tls)
    }

    fn write(folder: &tempfile::TempDir, signer: &Authority, name: &str, trusted: &Authority) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, signer).unwrap();
        let put =
            |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
        put("crt", certificate.pem());
        put("key", key.serialize_pem());
        put("ca", trusted.pem());
    }

    /// What each side says of a connection from `from` to `to`.
    async fn meet(from: &PeerTls, to: &PeerTls) -> (Result<(), String>, Result<(), String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let accept = async {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = to.accept(stream).await?;
            stream.write_all(b"x").await.map_err(|error| error.to_string())
        };
        let connect = async {
            let stream = TcpStream::connect(address).await.unwrap();
            let mut stream = from.connect(stream).await?;
            // In TLS 1.3 a refusal of our certificate comes after our handshake.
            stream.read_u8().await.map(drop).map_err(|error| error.to_string())
        };
        tokio::join!(connect, accept)
    }

    #[tokio::test]
    async fn certificates_of_one_authority_for_one_name_meet() {
        let (ours, theirs) = (authority(), authority());
        let (folder, one) = replica(&ours, NAME, &ours);
        let (_other, two) = replica(&ours, NAME, &ours);
        let (_, stranger) = replica(&theirs, NAME, &ours);
        let (_, misnamed) = replica(&ours, "somebody", &ours);
        assert_eq!(meet(&one, &two).await, (Ok(()), Ok(())));
        for wrong in [&stranger, &misnamed] {
            let (asking, answering) = meet(wrong, &two).await;
            assert!(asking.is_err() && answering.is_err(), "{asking:?} {answering:?}");
            let (asking, answering) = meet(&one, wrong).await;
            assert!(asking.is_err() && answering.is_err(), "{asking:?} {answering:?}");
        }
        // Files that change are read again; half a rotation is not used.
        std::fs::write(folder.path().join("key"), "half").unwrap();
        one.renew();
        assert_eq!(meet(&one, &two).await, (Ok(()), Ok(())));
        write(&folder, &theirs, NAME, &theirs);
        one.renew();
        assert!(meet(&one, &two).await.0.is_err());
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let ours = authority();
        let (folder, _) = replica(&ours, NAME, &ours);
        let file = |name: &str| folder.path().join(name);
        let check = |files: [&str; 3], name: &str, said: &str| {
            let [certificate, key, authority] = files.map(file);
            let error = PeerTls::read(&certificate, &key, &authority, name).unwrap_err();
            assert!(error.to_string().contains(said), "{error}");
        };
        check(["none", "key", "ca"], NAME, "none: No such file");
        check(["key", "key", "ca"], NAME, "it holds no certificate");
        check(["crt", "ca", "ca"], NAME, "give a PEM file");
        check(["ca", "key", "ca"], NAME, "cannot be used together");
        check(["crt", "key", "ca"], "not a name", "give a DNS name");
    }
}
