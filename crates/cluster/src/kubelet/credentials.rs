//! What we show to kubelets and what we trust of theirs: token, client certificate, authorities.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Request, Response};
use http_body_util::Empty;
use kube::Config;
use kube::client::ConfigExt;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Layer, ServiceExt, service_fn};

use crate::connect::{ConnectError, Connection, Trouble, read_certificates};
use crate::tls::{KubeletVerifier, NodeNames, Pins, Trust, read_pins};

type HeaderService =
    BoxCloneSyncService<Request<Empty<Bytes>>, Response<Option<HeaderValue>>, BoxError>;

/// Makes the `Authorization` header from whatever the connection has: a token, a token file, a
/// login command.
pub(crate) struct Credentials {
    service: Option<HeaderService>,
}

impl Credentials {
    pub(crate) fn new(config: &Config) -> Result<Self, kube::Error> {
        let layer = config.auth_layer()?;
        // kube renews credentials inside its middleware only, so a request is led through it and
        // robbed of its header.
        let rob = service_fn(|request: Request<Empty<Bytes>>| async move {
            Ok::<_, BoxError>(Response::new(request.headers().get(AUTHORIZATION).cloned()))
        });
        let service = layer.map(|layer| BoxCloneSyncService::new(layer.layer(rob)));
        Ok(Self { service })
    }

    pub(crate) async fn header(&self) -> Result<Option<HeaderValue>, String> {
        let Some(service) = self.service.clone() else { return Ok(None) };
        let response = service.oneshot(Request::new(Empty::new())).await;
        response.map(Response::into_body).map_err(|error| error.to_string())
    }
}

/// TLS towards kubelets by `config`'s certificates, and whether it verifies theirs. Authorities:
/// `kubeletCA`, else the API server's; then the pins of `kubeletPins`.
pub(super) fn tls(
    connection: &Connection,
    config: &Config,
    names: Arc<NodeNames>,
) -> Result<(Arc<ClientConfig>, bool), ConnectError> {
    let options = &connection.options;
    let authorities = match &options.kubelet_ca {
        Some(path) => read_certificates(path)?,
        None => config.root_cert.clone().unwrap_or_default(),
    };
    let pins = options.kubelet_pins.as_deref().map(pins).transpose()?.unwrap_or_default();
    let known = !authorities.is_empty() || !pins.is_empty();
    let anything = options.kubelet_insecure
        || (!known && (config.accept_invalid_certs || options.unverified_without_authority));
    let trust = Trust { roots: root_store(&authorities)?, pins, anything };
    // kube reads the client certificate; its verification is not wanted here.
    let mut config = config.clone();
    config.root_cert = Some(Vec::new());
    config.root_cert_file = None;
    let mut tls =
        config.rustls_client_config().map_err(|error| connection.explain(&error, "nodes"))?;
    tls.dangerous().set_certificate_verifier(Arc::new(KubeletVerifier::new(trust, names)));
    Ok((Arc::new(tls), !anything))
}

fn pins(path: &Path) -> Result<Pins, ConnectError> {
    let read = std::fs::read_to_string(path).map_err(|error| error.to_string());
    read.and_then(|text| read_pins(&text)).map_err(|reason| {
        ConnectError::Configuration(Trouble {
            reason: format!("the pins {} cannot be read: {reason}", path.display()),
            advice: "correct kubeletPins: a file with a line `NODE sha256:HEX` for each node"
                .to_owned(),
        })
    })
}

fn root_store(authorities: &[Vec<u8>]) -> Result<RootCertStore, ConnectError> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(CertificateDer::from(authority.as_slice()).into_owned()).map_err(|error| {
            ConnectError::Configuration(Trouble {
                reason: format!("a certificate authority for kubelets cannot be used: {error}"),
                advice: "correct the CA in the kubeconfig, or kubeletCA".to_owned(),
            })
        })?;
    }
    Ok(roots)
}
