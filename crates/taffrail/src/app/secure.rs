//! The secure port: its certificate, whom it trusts, and how both are kept up to date.

mod trust;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use api::{Gate, Listener, ServingKey};
use cluster::{Connection, Injected};
use model::Hop;
use tokio::time::sleep;

use crate::adapters::Reviews;
use crate::config::SecureConfig;
use crate::exit::Failure;
use crate::input::environment;
use trust::Trusted;

/// How often whom to trust is asked again, and files are looked at.
const REFRESH: Duration = Duration::from_mins(1);
/// How soon after a failure.
const RETRY: Duration = Duration::from_secs(5);
const NOT_REGISTERED: &str = "it is not registered";
/// Names of services that may lead here: ours, and those of what we stand in for.
const SERVICES: [&str; 3] = ["taffrail", "heapster", "metrics-server"];

/// A secure port that listens, with what keeps it up to date.
pub(super) struct Secure {
    pub(super) listener: Listener,
    pub(super) keeper: Keeper,
}

/// Keeps trust and certificate up to date while the process runs.
pub(super) struct Keeper {
    trusted: Trusted,
    key: Arc<ServingKey>,
    connection: Connection,
    certificate: Certificate,
}

enum Certificate {
    Files {
        certificate: PathBuf,
        key: PathBuf,
        read: (Vec<u8>, Vec<u8>),
    },
    /// Ours, for the API server to trust.
    Made {
        injection: Injection,
    },
}

impl Secure {
    /// Binds the port.
    pub(super) async fn listen(
        config: &SecureConfig,
        connection: Option<&Connection>,
    ) -> Result<Self, Failure> {
        let Some(connection) = connection else {
            return Err(Failure::config(
                "--secure-port: the source has no cluster that could say who may ask; leave it \
                 out, or measure a cluster",
            ));
        };
        let (certificate, (pem, key_pem)) = certificate(config)?;
        let key = ServingKey::new(&pem, &key_pem)
            .map_err(|error| Failure::config(format!("TLS of the secure port: {error}")))?;
        let address = config.address;
        let otherwise = "choose another port with --secure-port";
        let socket = super::listen::bound(address, otherwise).await?;
        let gate = Gate::new(Arc::new(Reviews(connection.clone())));
        let trusted = Trusted::begin(&config.trust, &gate, connection)?;
        let listener = Listener::secure(socket, &key, Arc::clone(&gate))
            .map_err(|error| Failure::config(format!("TLS of the secure port: {error}")))?;
        let keeper = Keeper { trusted, key, connection: connection.clone(), certificate };
        Ok(Self { listener, keeper })
    }
}

impl Keeper {
    /// Runs until it is dropped.
    pub(super) async fn run(mut self) -> &'static str {
        loop {
            let mut pause = self.trusted.refresh().await;
            match &mut self.certificate {
                Certificate::Files { certificate, key, read } => {
                    reload(&self.key, certificate, key, read);
                }
                Certificate::Made { injection } => {
                    if !injection.run(&self.connection).await {
                        pause = RETRY;
                    }
                }
            }
            sleep(pause).await;
        }
    }
}

/// Telling the API server our certificate.
struct Injection {
    pem: String,
    /// API services that could not be told, so that each is warned of once.
    failed: HashSet<&'static str>,
}

impl Injection {
    /// Tells every API service that leads here. Whether one knows now; the others may be somebody
    /// else's, or not registered at all.
    async fn run(&mut self, connection: &Connection) -> bool {
        let (mut known, mut missing) = (false, Vec::new());
        for service in api::API_SERVICES {
            let (group, version) = service.split_once('/').unwrap_or((service, ""));
            let name = format!("{version}.{group}");
            match connection.inject_ca(&name, &self.pem).await {
                Ok(Injected::Now) => {
                    known = true;
                    self.failed.remove(service);
                    tracing::info!(name, "the API server trusts our certificate now");
                }
                Ok(Injected::Before) => {
                    known = true;
                    self.failed.remove(service);
                }
                Ok(Injected::Unregistered) => missing.push((service, NOT_REGISTERED.to_owned())),
                // Ours alone may be changed by the role that manifests give.
                Err(error) if error.hop() == Hop::Authorization => {
                    missing.push((service, error.trouble().reason.clone()));
                }
                Err(error) => self.warn(service, &error.trouble().reason),
            }
        }
        if !known {
            for (service, reason) in missing {
                self.warn(service, &reason);
            }
        }
        known
    }

    fn warn(&mut self, service: &'static str, reason: &str) {
        if self.failed.insert(service) {
            tracing::warn!(
                service,
                reason,
                "the API server cannot be told our certificate; register the APIService and let us get and patch it, or give --tls-cert-file"
            );
        }
    }
}

type Pems = (Vec<u8>, Vec<u8>);

fn certificate(config: &SecureConfig) -> Result<(Certificate, Pems), Failure> {
    let Some((certificate, key)) = config.files.clone() else {
        let (pem, key) = made().map_err(|error| anyhow::anyhow!("make a certificate: {error}"))?;
        let pems = (pem.clone().into_bytes(), key.into_bytes());
        let injection = Injection { pem, failed: HashSet::new() };
        return Ok((Certificate::Made { injection }, pems));
    };
    let read = |path: &PathBuf| {
        std::fs::read(path)
            .map_err(|error| Failure::config(format!("cannot read {}: {error}", path.display())))
    };
    let pems = (read(&certificate)?, read(&key)?);
    Ok((Certificate::Files { certificate, key, read: pems.clone() }, pems))
}

/// A certificate for every name that may lead here, signed by itself, and its key.
fn made() -> Result<(String, String), rcgen::Error> {
    let own = environment("POD_NAMESPACE").filter(|namespace| !namespace.is_empty());
    let mut namespaces = vec!["kube-system".to_owned(), "taffrail".to_owned()];
    namespaces.extend(own);
    namespaces.dedup();
    let mut names = vec!["localhost".to_owned()];
    for namespace in &namespaces {
        names.extend(SERVICES.map(|service| format!("{service}.{namespace}.svc")));
    }
    let mut params = rcgen::CertificateParams::new(names)?;
    params.distinguished_name.push(rcgen::DnType::CommonName, "taffrail");
    let key = rcgen::KeyPair::generate()?;
    Ok((params.self_signed(&key)?.pem(), key.serialize_pem()))
}

/// Uses the files' content when it changed and goes together; half a rotation is tried again.
fn reload(key: &ServingKey, certificate: &PathBuf, key_file: &PathBuf, before: &mut Pems) {
    let (Ok(pem), Ok(key_pem)) = (std::fs::read(certificate), std::fs::read(key_file)) else {
        return;
    };
    if before.0 == pem && before.1 == key_pem {
        return;
    }
    match key.replace(&pem, &key_pem) {
        Ok(()) => {
            tracing::info!(file = %certificate.display(), "the secure port's certificate is new");
            *before = (pem, key_pem);
        }
        Err(error) => {
            tracing::warn!(%error, "the new certificate cannot be used, the old one stays");
        }
    }
}
