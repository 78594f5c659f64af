//! The cluster's certificate authority and the certificates it signs. Everything lives in memory
//! and differs from run to run; nothing here is a secret worth keeping.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, OnceLock};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};
use rustls::crypto::ring;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::config::Certificates;
use crate::error::Error;
use crate::plan::Plan;

/// A certificate and its key.
pub(crate) struct Identity {
    pub certificate: CertificateDer<'static>,
    pub key: PrivatePkcs8KeyDer<'static>,
}

/// A person's certificate and key, both PEM, and the certificate as connections show it.
pub(crate) struct PersonCertificate {
    pub certificate: String,
    pub key: String,
    pub der: CertificateDer<'static>,
}

/// Signs certificates for the API server, the kubelets and people.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    pem: String,
    /// All kubelets share a key: making five thousand proves nothing.
    kubelet_key: KeyPair,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Result<Self, Error> {
        let mut params = params(name, Vec::new());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate()?;
        let own = params.self_signed(&key)?;
        let (pem, certificate) = (own.pem(), own.der().clone());
        let issuer = Issuer::new(params, key);
        Ok(Self { issuer, certificate, pem, kubelet_key: KeyPair::generate()? })
    }

    /// The authority's certificate.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate that shows a client to be `name`.
    pub(crate) fn client(&self, name: &str) -> Result<Identity, Error> {
        let mut params = leaf(name, Vec::new());
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?.der().clone();
        Ok(Identity { certificate, key: PrivatePkcs8KeyDer::from(key.serialize_der()) })
    }

    /// A certificate that shows a person to be `name`, of `group`.
    pub(crate) fn person(&self, name: &str, group: &str) -> Result<PersonCertificate, Error> {
        let mut params = leaf(name, Vec::new());
        params.distinguished_name.push(DnType::OrganizationName, group);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(PersonCertificate {
            der: certificate.der().clone(),
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }

    /// Who shows no certificate is let in to say who they are in another way.
    fn clients(&self) -> Result<Arc<dyn ClientCertVerifier>, Error> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone())?;
        let provider = Arc::new(ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        Ok(verifier.allow_unauthenticated().build()?)
    }

    /// TLS for the API server on `address`.
    pub(crate) fn api_server(&self, address: IpAddr) -> Result<Arc<ServerConfig>, Error> {
        let mut names = vec![
            SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            SanType::IpAddress(IpAddr::V4(Ipv4Addr::new(10, 43, 0, 1))),
        ];
        if !address.is_unspecified() && address != IpAddr::V4(Ipv4Addr::LOCALHOST) {
            names.push(SanType::IpAddress(address));
        }
        for name in ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"] {
            names.push(SanType::DnsName(name.try_into()?));
        }
        let key = KeyPair::generate()?;
        let certificate = leaf("kube-apiserver", names).signed_by(&key, &self.issuer)?;
        server(certificate.der().clone(), &key, Some(self.clients()?))
    }

    fn kubelet(
        &self,
        name: &str,
        address: IpAddr,
        form: Certificates,
    ) -> Result<Arc<ServerConfig>, Error> {
        let mut names = vec![SanType::DnsName(name.try_into()?)];
        if form == Certificates::Signed {
            names.push(SanType::IpAddress(address));
        }
        let params = leaf(&format!("system:node:{name}"), names);
        let certificate = if form == Certificates::SelfSigned {
            params.self_signed(&self.kubelet_key)?
        } else {
            params.signed_by(&self.kubelet_key, &self.issuer)?
        };
        server(certificate.der().clone(), &self.kubelet_key, None)
    }
}

/// The kubelets' TLS, made for each node at its first connection.
pub(crate) struct KubeletTls {
    authority: Arc<Authority>,
    form: Certificates,
    by_node: Vec<OnceLock<Arc<ServerConfig>>>,
}

impl KubeletTls {
    pub(crate) fn new(authority: Arc<Authority>, form: Certificates, nodes: usize) -> Self {
        Self { authority, form, by_node: (0..nodes).map(|_| OnceLock::new()).collect() }
    }

    pub(crate) fn of(&self, plan: &Plan, node: u32) -> Result<Arc<ServerConfig>, Error> {
        let place = &self.by_node[node as usize];
        if let Some(config) = place.get() {
            return Ok(Arc::clone(config));
        }
        let machine = &plan.nodes[node as usize];
        let config = self.authority.kubelet(&machine.name, machine.address, self.form)?;
        Ok(Arc::clone(place.get_or_init(|| config)))
    }
}

fn params(name: &str, names: Vec<SanType>) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.subject_alt_names = names;
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2099, 1, 1);
    params
}

fn leaf(name: &str, names: Vec<SanType>) -> CertificateParams {
    let mut params = params(name, names);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

fn server(
    certificate: CertificateDer<'static>,
    key: &KeyPair,
    clients: Option<Arc<dyn ClientCertVerifier>>,
) -> Result<Arc<ServerConfig>, Error> {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?;
    let config = match clients {
        Some(verifier) => config.with_client_cert_verifier(verifier),
        None => config.with_no_client_auth(),
    };
    let mut config = config.with_single_cert(vec![certificate], key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // Thousands of kubelets: no session memory each.
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}
