//! TLS as a client: the system's CAs, one from a file, or none at all when asked for.

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::Error;
use crate::settings::Settings;

/// The settings `cacert` and `insecuressl` as a configuration; without any CA where TLS is not
/// `spoken`.
pub(crate) fn config(settings: &Settings, spoken: bool) -> Result<ClientConfig, Error> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| bad_ca(settings, error))?;
    let builder = if settings.flag("insecuressl", false)? && spoken {
        tracing::warn!(sink = settings.sink, "the server's certificate is not verified");
        builder.dangerous().with_custom_certificate_verifier(tls::anybody(&provider))
    } else {
        let roots = if spoken { roots(settings)? } else { RootCertStore::empty() };
        builder.with_root_certificates(roots)
    };
    match client(settings)? {
        None => Ok(builder.with_no_client_auth()),
        Some((chain, key)) => builder
            .with_client_auth_cert(chain, key)
            .map_err(|error| bad_file(settings, "cert", error)),
    }
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// The settings `cert` and `key`: who we are.
fn client(settings: &Settings) -> Result<Option<Identity>, Error> {
    let (certificate, key) = match (settings.path("cert"), settings.path("key")) {
        (None, None) => return Ok(None),
        (Some(certificate), Some(key)) => (certificate, key),
        (Some(_), None) => return Err(settings.bad("key", "", "PEM files; cert needs one")),
        (None, Some(_)) => return Err(settings.bad("cert", "", "PEM files; key needs one")),
    };
    let text = settings.read("cert", &certificate)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    let chain = chain.map_err(|error| bad_file(settings, "cert", error))?;
    if chain.is_empty() {
        return Err(bad_file(settings, "cert", "no certificate in it"));
    }
    let text = settings.read("key", &key)?;
    let key = PrivateKeyDer::from_pem_slice(text.as_bytes())
        .map_err(|error| bad_file(settings, "key", error))?;
    Ok(Some((chain, key)))
}

fn roots(settings: &Settings) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = settings.path("cacert") {
        let text = settings.read("cacert", &path)?;
        for certificate in CertificateDer::pem_slice_iter(text.as_bytes()) {
            let certificate = certificate.map_err(|error| bad_ca(settings, error))?;
            roots.add(certificate).map_err(|error| bad_ca(settings, error))?;
        }
        if roots.is_empty() {
            return Err(bad_ca(settings, "no certificate in it"));
        }
    } else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    Ok(roots)
}

fn bad_ca(settings: &Settings, reason: impl std::fmt::Display) -> Error {
    bad_file(settings, "cacert", reason)
}

fn bad_file(settings: &Settings, name: &'static str, reason: impl std::fmt::Display) -> Error {
    Error::BadFile {
        sink: settings.sink,
        name,
        path: settings.path(name).unwrap_or_default(),
        reason: reason.to_string(),
    }
}
