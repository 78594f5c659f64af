//! TLS to targets: the system's authorities and those that were given, or none where a monitor
//! says so.

use std::sync::Arc;

use model::ScrapeTls;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

/// Who may sign: the system's authorities and the `given` ones, which are PEM.
pub(crate) fn roots(given: &[u8]) -> Result<Arc<RootCertStore>, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for certificate in CertificateDer::pem_slice_iter(given) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    Ok(Arc::new(roots))
}

/// How TLS is spoken; `roots` are asked for where certificates are verified.
pub(crate) fn config(
    wanted: &ScrapeTls,
    roots: impl FnOnce() -> Result<Arc<RootCertStore>, String>,
) -> Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    if wanted.skip_verify {
        let anybody = tls::anybody(&provider);
        let builder = builder.dangerous().with_custom_certificate_verifier(anybody);
        return Ok(builder.with_no_client_auth());
    }
    Ok(builder.with_root_certificates(roots()?).with_no_client_auth())
}
