//! The options of the sources `kubernetes` and `kubernetes.summary_api`.
//!
//! Heapster's are Heapster's in name, default and meaning; ours are marked so.

use std::path::PathBuf;
use std::time::Duration;

use crate::uri::{ComponentUri, UriError};

/// What an option means when it is not given: Heapster's world or today's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Defaults {
    /// `inClusterConfig`; `None`: when running in a pod.
    pub in_cluster: Option<bool>,
    /// `kubeletPort`; `None`: the port that the node object states, else 10250.
    pub kubelet_port: Option<u16>,
    /// `kubeletHttps`.
    pub kubelet_https: bool,
    /// Whether `insecure` also counts beside `auth` (Heapster ignored it there).
    pub insecure_beside_auth: bool,
    /// `kubeletVia`.
    pub via: Via,
    /// Whether kubelets' certificates are taken unverified where no authority is known (Heapster).
    pub unverified_without_authority: bool,
}

impl Defaults {
    /// As the program was when it was called heapster.
    pub const fn heapster() -> Self {
        Self {
            in_cluster: Some(true),
            kubelet_port: Some(10255),
            kubelet_https: false,
            insecure_beside_auth: false,
            via: Via::Direct,
            unverified_without_authority: true,
        }
    }

    /// As clusters are today: the secure port, and credentials from wherever we run.
    pub const fn taffrail() -> Self {
        Self {
            in_cluster: None,
            kubelet_port: None,
            kubelet_https: true,
            insecure_beside_auth: true,
            via: Via::Auto,
            unverified_without_authority: false,
        }
    }
}

/// How kubelets are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// At the node's address.
    Direct,
    /// Through the API server's node proxy, which needs the right `nodes/proxy`.
    Proxy,
    /// Directly; outside the cluster through the proxy where that fails to connect.
    Auto,
}

/// A kind of a node's addresses, as Kubernetes names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressKind {
    /// `InternalIP`.
    InternalIp,
    /// `Hostname`.
    Hostname,
    /// `InternalDNS`.
    InternalDns,
    /// `ExternalIP`.
    ExternalIp,
    /// `ExternalDNS`.
    ExternalDns,
}

impl AddressKind {
    const ALL: [Self; 5] =
        [Self::InternalIp, Self::Hostname, Self::InternalDns, Self::ExternalIp, Self::ExternalDns];

    /// Kubernetes' name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InternalIp => "InternalIP",
            Self::Hostname => "Hostname",
            Self::InternalDns => "InternalDNS",
            Self::ExternalIp => "ExternalIP",
            Self::ExternalDns => "ExternalDNS",
        }
    }
}

/// What is read from kubelets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// `/stats/summary`, and `/metrics/resource` from kubelets that answer it with 404.
    Auto,
    /// `/stats/summary` only.
    Summary,
    /// `/metrics/resource` only: CPU and working set, cheap for the kubelet.
    Resource,
    /// `/metrics/cadvisor` only: also page cache, load, throttling and disk I/O; costs the kubelet
    /// more than its summary.
    Cadvisor,
    /// `POST /stats/container` (kubelets before 1.18), and `/stats/summary` from kubelets that
    /// answer it with 404.
    Container,
}

/// The options of a Kubernetes source, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub struct SourceOptions {
    /// Heapster's name of the source (`kubernetes.summary_api`).
    pub key: String,
    /// `scheme://host` of the API server, if the URI names one.
    pub server: Option<String>,
    /// `inClusterConfig`; `None`: when running in a pod.
    pub in_cluster: Option<bool>,
    /// `insecure`: do not verify the API server's certificate.
    pub insecure: bool,
    /// Whether `insecure` also counts beside `auth`.
    pub insecure_beside_auth: bool,
    /// `auth`: path of a kubeconfig.
    pub auth: Option<PathBuf>,
    /// `context` (ours): of the kubeconfig, instead of its current one.
    pub context: Option<String>,
    /// `useServiceAccount`: use the pod's token.
    pub use_service_account: bool,
    /// `ca` (ours): PEM file of the authorities of the API server's certificate, whatever else names
    /// one.
    pub ca: Option<PathBuf>,
    /// `tokenFile` (ours): file with our token, whatever else names one.
    pub token_file: Option<PathBuf>,
    /// `kubeletPort`; `None`: as the node states, else 10250.
    pub kubelet_port: Option<u16>,
    /// `kubeletHttps`.
    pub kubelet_https: bool,
    /// `kubeletInsecure` (ours): do not verify kubelets' certificates.
    pub kubelet_insecure: bool,
    /// `kubeletCA` (ours): PEM file of the authorities that sign kubelets' certificates.
    pub kubelet_ca: Option<PathBuf>,
    /// `kubeletPins` (ours): file of certificates or keys that are taken although no authority
    /// vouches for them: a line `NODE sha256:HEX` each.
    pub kubelet_pins: Option<PathBuf>,
    /// Whether they are taken unverified where no authority is known.
    pub unverified_without_authority: bool,
    /// `kubeletAddresses` (ours): which kinds of a node's addresses are used, best first; empty for
    /// Heapster's rule (the last `InternalIP`, else the first `ExternalIP`).
    pub addresses: Vec<AddressKind>,
    /// `kubeletTimeout` (ours): deadline of one request, 1 s to 60 s.
    pub kubelet_timeout: Duration,
    /// `kubeletConcurrency` (ours): how many requests may run at once.
    pub kubelet_concurrency: usize,
    /// `kubeletVia` (ours): `direct`, `proxy` or `auto`.
    pub via: Via,
    /// `kubeletEndpoint` (ours): `auto`, `summary`, `resource`, `cadvisor` or `container`.
    pub endpoint: Endpoint,
    /// `host_id_annotation`: the node annotation that is the host id where the object has none.
    pub host_id_annotation: String,
}

/// The key of Heapster's cAdvisor source.
pub const KUBERNETES: &str = "kubernetes";
/// The key of Heapster's summary source.
pub const SUMMARY_API: &str = "kubernetes.summary_api";

/// Default deadline of one request to a kubelet.
pub(crate) const KUBELET_TIMEOUT: Duration = Duration::from_secs(10);
/// Default bound on requests to kubelets that run at once; each may hold one body in memory.
pub(crate) const KUBELET_CONCURRENCY: usize = 128;
/// The secure port, where a node object states none.
pub(crate) const KUBELET_PORT: u16 = 10250;

const KNOWN: &[&str] = &[
    "inClusterConfig",
    "insecure",
    "auth",
    "useServiceAccount",
    "kubeletPort",
    "kubeletHttps",
    "host_id_annotation",
    // Accepted and ignored, as Heapster did since 1.0.
    "apiVersion",
    "context",
    "ca",
    "tokenFile",
    "kubeletInsecure",
    "kubeletCA",
    "kubeletPins",
    "kubeletAddresses",
    "kubeletTimeout",
    "kubeletConcurrency",
    "kubeletVia",
    "kubeletEndpoint",
];

impl SourceOptions {
    /// Reads `--source`'s value. `env` looks up variables for the value's expansion.
    ///
    /// # Example
    /// ```
    /// use cluster::{Defaults, SourceOptions};
    /// let text = "kubernetes.summary_api:?kubeletPort=10250&kubeletHttps=true";
    /// let options = SourceOptions::parse(text, &|_| None, Defaults::heapster())?;
    /// assert_eq!(options.kubelet_port, Some(10250));
    /// # Ok::<(), cluster::uri::UriError>(())
    /// ```
    pub fn parse(
        text: &str,
        env: &dyn Fn(&str) -> Option<String>,
        defaults: Defaults,
    ) -> Result<Self, UriError> {
        Self::from_uri(&ComponentUri::parse(text, env)?, defaults)
    }

    /// What `kubernetes.summary_api` without any option means.
    pub fn new(defaults: Defaults) -> Self {
        Self {
            key: SUMMARY_API.to_owned(),
            server: None,
            in_cluster: defaults.in_cluster,
            insecure: false,
            insecure_beside_auth: defaults.insecure_beside_auth,
            auth: None,
            context: None,
            use_service_account: false,
            ca: None,
            token_file: None,
            kubelet_port: defaults.kubelet_port,
            kubelet_https: defaults.kubelet_https,
            kubelet_insecure: false,
            kubelet_ca: None,
            kubelet_pins: None,
            unverified_without_authority: defaults.unverified_without_authority,
            addresses: Vec::new(),
            kubelet_timeout: KUBELET_TIMEOUT,
            kubelet_concurrency: KUBELET_CONCURRENCY,
            via: defaults.via,
            endpoint: Endpoint::Auto,
            host_id_annotation: String::new(),
        }
    }

    /// Reads a parsed URI.
    pub fn from_uri(uri: &ComponentUri, defaults: Defaults) -> Result<Self, UriError> {
        let endpoint = match &*uri.key {
            KUBERNETES => Endpoint::Container,
            SUMMARY_API => Endpoint::Auto,
            other => {
                return Err(UriError::UnknownKey {
                    key: other.to_owned(),
                    known: vec![KUBERNETES.to_owned(), SUMMARY_API.to_owned()],
                });
            }
        };
        uri.check_options(KNOWN)?;
        let url = &uri.url;
        let named = !url.scheme.is_empty() && !url.host.is_empty();
        let path_of = |option| uri.get(option).filter(|path| !path.is_empty()).map(PathBuf::from);
        let text_of = |option| uri.get(option).filter(|text| !text.is_empty()).map(str::to_owned);
        let port = uri.get_parsed("kubeletPort", "a port from 1 to 65535")?;
        if port == Some(0) {
            return Err(uri.bad_value("kubeletPort", "a port from 1 to 65535"));
        }
        Ok(Self {
            key: uri.key.clone(),
            server: named.then(|| format!("{}://{}", url.scheme, url.host)),
            in_cluster: uri.get_bool("inClusterConfig")?.or(defaults.in_cluster),
            insecure: uri.get_bool("insecure")?.unwrap_or(false),
            insecure_beside_auth: defaults.insecure_beside_auth,
            auth: path_of("auth"),
            context: text_of("context"),
            use_service_account: uri.get_bool("useServiceAccount")?.unwrap_or(false),
            ca: path_of("ca"),
            token_file: path_of("tokenFile"),
            kubelet_port: port.or(defaults.kubelet_port),
            kubelet_https: uri.get_bool("kubeletHttps")?.unwrap_or(defaults.kubelet_https),
            kubelet_insecure: uri.get_bool("kubeletInsecure")?.unwrap_or(false),
            kubelet_ca: path_of("kubeletCA"),
            kubelet_pins: path_of("kubeletPins"),
            unverified_without_authority: defaults.unverified_without_authority,
            addresses: addresses(uri)?,
            kubelet_timeout: timeout(uri)?,
            kubelet_concurrency: concurrency(uri)?,
            via: via(uri, defaults)?,
            endpoint: self::endpoint(uri, endpoint)?,
            host_id_annotation: text_of("host_id_annotation").unwrap_or_default(),
        })
    }
}

fn timeout(uri: &ComponentUri) -> Result<Duration, UriError> {
    const EXPECTED: &str = "a time from 1s to 60s";
    let Some(text) = uri.get("kubeletTimeout") else { return Ok(KUBELET_TIMEOUT) };
    let secs: Option<u64> = text.strip_suffix('s').unwrap_or(text).parse().ok();
    secs.filter(|secs| (1..=60).contains(secs))
        .map(Duration::from_secs)
        .ok_or_else(|| uri.bad_value("kubeletTimeout", EXPECTED))
}

fn addresses(uri: &ComponentUri) -> Result<Vec<AddressKind>, UriError> {
    const EXPECTED: &str =
        "a list of InternalIP, Hostname, InternalDNS, ExternalIP and ExternalDNS with commas";
    let Some(text) = uri.get("kubeletAddresses").filter(|text| !text.is_empty()) else {
        return Ok(Vec::new());
    };
    let kind = |name: &str| AddressKind::ALL.into_iter().find(|kind| kind.name() == name.trim());
    let kinds: Option<Vec<AddressKind>> = text.split(',').map(kind).collect();
    kinds.ok_or_else(|| uri.bad_value("kubeletAddresses", EXPECTED))
}

fn concurrency(uri: &ComponentUri) -> Result<usize, UriError> {
    const EXPECTED: &str = "a number from 1 to 10000";
    match uri.get_parsed("kubeletConcurrency", EXPECTED)? {
        None => Ok(KUBELET_CONCURRENCY),
        Some(number @ 1..=10_000) => Ok(number),
        Some(_) => Err(uri.bad_value("kubeletConcurrency", EXPECTED)),
    }
}

fn via(uri: &ComponentUri, defaults: Defaults) -> Result<Via, UriError> {
    match uri.get("kubeletVia") {
        None => Ok(defaults.via),
        Some("direct") => Ok(Via::Direct),
        Some("proxy") => Ok(Via::Proxy),
        Some("auto") => Ok(Via::Auto),
        Some(_) => Err(uri.bad_value("kubeletVia", "direct, proxy or auto")),
    }
}

fn endpoint(uri: &ComponentUri, default: Endpoint) -> Result<Endpoint, UriError> {
    match uri.get("kubeletEndpoint") {
        None => Ok(default),
        Some("auto") => Ok(Endpoint::Auto),
        Some("summary") => Ok(Endpoint::Summary),
        Some("resource") => Ok(Endpoint::Resource),
        Some("cadvisor") => Ok(Endpoint::Cadvisor),
        Some("container") => Ok(Endpoint::Container),
        Some(_) => {
            Err(uri.bad_value("kubeletEndpoint", "auto, summary, resource, cadvisor or container"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<SourceOptions, String> {
        SourceOptions::parse(text, &|_| None, Defaults::heapster()).map_err(|e| e.to_string())
    }

    #[test]
    fn defaults_are_heapsters_or_ours() {
        let old = parse("kubernetes.summary_api").unwrap();
        assert_eq!(old, SourceOptions::new(Defaults::heapster()));
        assert_eq!(
            (old.in_cluster, old.kubelet_port, old.kubelet_https),
            (Some(true), Some(10255), false)
        );
        let ours = SourceOptions::new(Defaults::taffrail());
        assert_eq!((ours.in_cluster, ours.kubelet_port, ours.kubelet_https), (None, None, true));
        assert_eq!(parse("kubernetes:''").unwrap().endpoint, Endpoint::Container);
    }

    #[test]
    fn reads_every_option() {
        let options = parse(
            "kubernetes:https://h:6443/ignored?inClusterConfig=false&insecure=1&auth=/a&context=c\
             &useServiceAccount=t&kubeletPort=10250&kubeletHttps=true&host_id_annotation=x&apiVersion=v1\
             &kubeletInsecure=true&kubeletCA=/ca&kubeletTimeout=5s&kubeletConcurrency=7&kubeletVia=proxy\
             &kubeletEndpoint=resource&insecure=0&kubeletPins=/pins&kubeletAddresses=Hostname,ExternalIP",
        )
        .unwrap();
        assert_eq!(options.server.as_deref(), Some("https://h:6443"));
        assert_eq!(options.in_cluster, Some(false));
        assert!(options.insecure && options.use_service_account && options.kubelet_https);
        assert_eq!(options.auth, Some(PathBuf::from("/a")));
        assert_eq!(options.kubelet_pins, Some(PathBuf::from("/pins")));
        assert_eq!(options.addresses, [AddressKind::Hostname, AddressKind::ExternalIp]);
        assert_eq!(options.kubelet_timeout, Duration::from_secs(5));
        assert_eq!((options.kubelet_concurrency, options.via), (7, Via::Proxy));
        assert_eq!((options.kubelet_port, options.endpoint), (Some(10250), Endpoint::Resource));
    }

    #[test]
    fn refuses_what_it_cannot_read() {
        for (text, expected) in [
            (
                "kubernetes:?kubeletport=1",
                r#"kubernetes has no option "kubeletport"; did you mean "kubeletPort"?"#,
            ),
            (
                "kubernetes:?kubeletPort=0",
                r#"option kubeletPort of kubernetes is "0", which is not a port from 1 to 65535"#,
            ),
            (
                "kubernetes:?kubeletVia=x",
                r#"option kubeletVia of kubernetes is "x", which is not direct, proxy or auto"#,
            ),
            (
                "docker",
                r#"there is no source "docker"; known sources: kubernetes, kubernetes.summary_api"#,
            ),
        ] {
            assert_eq!(parse(text).unwrap_err(), expected);
        }
    }
}
