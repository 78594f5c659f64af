//! Options, environments and files through the resolution. Sends nothing.

use std::collections::HashMap;

use super::*;
use crate::Defaults;

struct Files {
    dir: tempfile::TempDir,
    env: HashMap<String, String>,
}

impl Files {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), env: HashMap::new() }
    }

    fn with(self, name: &str, text: &str) -> Self {
        std::fs::write(self.dir.path().join(name), text).unwrap();
        self
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.replace("DIR", &self.path()));
        self
    }

    fn path(&self) -> String {
        self.dir.path().display().to_string()
    }

    /// A pod's environment and mounted files.
    fn pod() -> Self {
        let authority = rcgen::generate_simple_self_signed(["ca".to_owned()]).unwrap();
        Self::new()
            .with("token", "secret")
            .with("ca.crt", &authority.cert.pem())
            .env("KUBERNETES_SERVICE_HOST", "10.0.0.1")
            .env("KUBERNETES_SERVICE_PORT", "443")
    }

    async fn check(&self, source: &str, defaults: Defaults, expected: &str) {
        let source = source.replace("DIR", &self.path());
        let options = SourceOptions::parse(&source, &|_| None, defaults).unwrap();
        let env = |name: &str| self.env.get(name).cloned();
        let got = match resolve(&options, &env, self.dir.path()).await {
            Err(error) => error.to_string(),
            Ok((config, origin)) => format!(
                "{} from {origin}: insecure={} ca={} token={:?}",
                config.cluster_url,
                config.accept_invalid_certs,
                config.root_cert.is_some(),
                config.auth_info.token_file
            ),
        };
        assert_eq!(got.replace(&self.path(), "DIR"), expected, "{source}");
    }
}

#[tokio::test]
async fn authority_and_token_may_be_named_beside_a_url() {
    let files = Files::pod().with("other", "more").with("config", KUBECONFIG);
    let url = "kubernetes.summary_api:https://api:6443?inClusterConfig=false";
    let ours = Defaults::taffrail();
    let from = "https://api:6443/ from the source's URI: insecure=false";
    let named = r#"token=Some("DIR/other")"#;
    let both = format!("{url}&ca=DIR/ca.crt&tokenFile=DIR/other");
    files.check(&both, ours, &format!("{from} ca=true {named}")).await;
    files.check(&format!("{url}&ca=DIR/ca.crt"), ours, &format!("{from} ca=true token=None")).await;
    let kubeconfig = "kubernetes.summary_api:?auth=DIR/config&ca=DIR/ca.crt&tokenFile=DIR/other";
    let expected =
        format!("https://one:6443/ from context one of DIR/config: insecure=false ca=true {named}");
    files.check(kubeconfig, ours, &expected).await;
    for (options, said) in [
        ("&ca=DIR/none", "the certificate authority DIR/none cannot be read"),
        ("&ca=DIR/other", "it holds no certificate"),
        ("&ca=DIR/ca.crt&insecure=true", "ca= and insecure=true contradict each other"),
        ("&tokenFile=DIR/none", "the token DIR/none cannot be read"),
    ] {
        let source = format!("{url}{options}").replace("DIR", &files.path());
        let options = SourceOptions::parse(&source, &|_| None, ours).unwrap();
        let found = resolve(&options, &|_| None, files.dir.path()).await.unwrap_err().to_string();
        let found = found.replace(&files.path(), "DIR");
        assert!(found.contains(said), "{found}");
    }
}

const KUBECONFIG: &str = r"
apiVersion: v1
kind: Config
current-context: one
contexts:
- {name: one, context: {cluster: c1, user: u1}}
- {name: two, context: {cluster: c2, user: u1}}
clusters:
- {name: c1, cluster: {server: 'https://one:6443'}}
- {name: c2, cluster: {server: 'https://two:6443', insecure-skip-tls-verify: true}}
users:
- {name: u1, user: {tokenFile: token}}
";

const POD: &str = "the pod's service account";

#[tokio::test]
async fn heapster_is_in_cluster_unless_told_otherwise() {
    let pod = Files::pod().with("config", KUBECONFIG);
    let old = Defaults::heapster();
    let token = r#"token=Some("DIR/token")"#;
    let expected = format!("https://10.0.0.1:443/ from {POD}: insecure=false ca=true {token}");
    pod.check("kubernetes", old, &expected).await;
    let expected =
        format!("https://kubernetes.default/ from {POD}: insecure=false ca=true {token}");
    pod.check("kubernetes:https://kubernetes.default", old, &expected).await;
    let expected = format!("https://10.0.0.1:443/ from {POD}: insecure=true ca=false {token}");
    pod.check("kubernetes:?insecure=true", old, &expected).await;
    // Beside auth, Heapster ignores the host and insecure.
    pod.check(
        "kubernetes:https://ignored?inClusterConfig=false&auth=DIR/config&insecure=true",
        old,
        &format!(
            "https://one:6443/ from context one of DIR/config: insecure=false ca=false {token}"
        ),
    )
    .await;
    pod.check(
        "kubernetes:http://master:8080?inClusterConfig=false",
        old,
        "http://master:8080/ from the source's URI: insecure=false ca=false token=None",
    )
    .await;
    pod.check(
        "kubernetes:http://master:8080?inClusterConfig=false&useServiceAccount=true",
        old,
        &format!("http://master:8080/ from the source's URI: insecure=false ca=false {token}"),
    )
    .await;
}

#[tokio::test]
async fn taffrail_uses_what_is_there() {
    let ours = Defaults::taffrail();
    let token = r#"token=Some("DIR/token")"#;
    let expected = format!("https://10.0.0.1:443/ from {POD}: insecure=false ca=true {token}");
    Files::pod().check("kubernetes", ours, &expected).await;
    let laptop = Files::new().with("config", KUBECONFIG).env("KUBECONFIG", "DIR/none:DIR/config");
    let expected = "from context one of DIR/config: insecure=false ca=false";
    laptop.check("kubernetes", ours, &format!("https://one:6443/ {expected} {token}")).await;
    laptop
        .check(
            "kubernetes:?context=two",
            ours,
            &format!(
                "https://two:6443/ from context two of DIR/config: insecure=true ca=false {token}"
            ),
        )
        .await;
    laptop
        .check(
            "kubernetes:?auth=DIR/config&insecure=true",
            ours,
            &format!(
                "https://one:6443/ from context one of DIR/config: insecure=true ca=false {token}"
            ),
        )
        .await;
}

#[tokio::test]
async fn mistakes_are_named() {
    let nothing = Files::new();
    nothing
        .check(
            "kubernetes",
            Defaults::heapster(),
            "configuration: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set; run \
             taffrail in a pod with a service account, or outside with inClusterConfig=false and \
             auth=/path/of/kubeconfig",
        )
        .await;
    nothing
        .check(
            "kubernetes",
            Defaults::taffrail(),
            "configuration: there is no kubeconfig, and this is not a pod with a service account; \
             name one with auth=/path/of/kubeconfig or KUBECONFIG; `kubectl config view` shows \
             which kubectl uses",
        )
        .await;
    nothing
        .check(
            "kubernetes:?inClusterConfig=false",
            Defaults::heapster(),
            "configuration: invalid kubernetes master url specified: inClusterConfig=false names no \
             API server; write kubernetes:https://HOST:PORT?inClusterConfig=false, or add \
             auth=/path/of/kubeconfig",
        )
        .await;
    let no_context = KUBECONFIG.replace("current-context: one", "");
    Files::new()
        .with("config", &no_context)
        .check(
            "kubernetes:?auth=DIR/config",
            Defaults::taffrail(),
            "configuration: DIR/config has no current context; choose one: `kubectl config \
             use-context NAME`, or the option context=NAME",
        )
        .await;
    Files::pod()
        .with("ca.crt", "no certificate")
        .check(
            "kubernetes",
            Defaults::heapster(),
            "configuration: the certificate authority DIR/ca.crt cannot be read: it holds no \
             certificate; correct the path or the file: it must hold certificates in PEM",
        )
        .await;
}

/// Every combination of Heapster's options that decide about the way to the API server: whether
/// `inClusterConfig` is left out (true) or false, a host is named, `auth` is given, `insecure` and
/// `useServiceAccount` are set; then the server, whether it is verified, by which authority, and
/// whose token is shown.
///
/// Source: Heapster's order. In a cluster the host replaces the API server's and `insecure` forgets
/// the authority; `auth` is read outside of one only, and beside it host and `insecure` are ignored;
/// without it the host is required, and nothing is known of authority and token. The service
/// account's token comes last and takes any other's place.
const COMBINATIONS: &[(&str, &str)] = &[
    ("", "https://10.0.0.1:443/ verified by ca, pod's token"),
    ("sa", "https://10.0.0.1:443/ verified by ca, pod's token"),
    ("insecure", "https://10.0.0.1:443/ unverified, pod's token"),
    ("insecure sa", "https://10.0.0.1:443/ unverified, pod's token"),
    ("auth", "https://10.0.0.1:443/ verified by ca, pod's token"),
    ("auth sa", "https://10.0.0.1:443/ verified by ca, pod's token"),
    ("auth insecure", "https://10.0.0.1:443/ unverified, pod's token"),
    ("auth insecure sa", "https://10.0.0.1:443/ unverified, pod's token"),
    ("host", "https://given/ verified by ca, pod's token"),
    ("host sa", "https://given/ verified by ca, pod's token"),
    ("host insecure", "https://given/ unverified, pod's token"),
    ("host insecure sa", "https://given/ unverified, pod's token"),
    ("host auth", "https://given/ verified by ca, pod's token"),
    ("host auth sa", "https://given/ verified by ca, pod's token"),
    ("host auth insecure", "https://given/ unverified, pod's token"),
    ("host auth insecure sa", "https://given/ unverified, pod's token"),
    ("out", "invalid kubernetes master url specified"),
    ("out sa", "invalid kubernetes master url specified"),
    ("out insecure", "invalid kubernetes master url specified"),
    ("out insecure sa", "invalid kubernetes master url specified"),
    ("out auth", "https://one:6443/ verified by ca, mine token"),
    ("out auth sa", "https://one:6443/ verified by ca, pod's token"),
    ("out auth insecure", "https://one:6443/ verified by ca, mine token"),
    ("out auth insecure sa", "https://one:6443/ verified by ca, pod's token"),
    ("out host", "https://given/ verified by the system, no token"),
    ("out host sa", "https://given/ verified by the system, pod's token"),
    ("out host insecure", "https://given/ unverified, no token"),
    ("out host insecure sa", "https://given/ unverified, pod's token"),
    ("out host auth", "https://one:6443/ verified by ca, mine token"),
    ("out host auth sa", "https://one:6443/ verified by ca, pod's token"),
    ("out host auth insecure", "https://one:6443/ verified by ca, mine token"),
    ("out host auth insecure sa", "https://one:6443/ verified by ca, pod's token"),
];

#[tokio::test]
async fn every_combination_is_heapsters() {
    let kubeconfig = KUBECONFIG.replace("tokenFile: token", "token: mine").replace(
        "{server: 'https://one:6443'}",
        "{server: 'https://one:6443', certificate-authority: ca.crt}",
    );
    let pod = Files::pod().with("config", &kubeconfig);
    let env = |name: &str| pod.env.get(name).cloned();
    for (words, expected) in COMBINATIONS {
        let has = |word: &str| words.split(' ').any(|one| one == word);
        let mut source = "kubernetes:".to_owned();
        source.push_str(if has("host") { "https://given?" } else { "?" });
        for (word, option) in [
            ("out", "&inClusterConfig=false".to_owned()),
            ("auth", format!("&auth={}/config", pod.path())),
            ("insecure", "&insecure=true".to_owned()),
            ("sa", "&useServiceAccount=true".to_owned()),
        ] {
            source.push_str(if has(word) { &option } else { "" });
        }
        let options = SourceOptions::parse(&source, &|_| None, Defaults::heapster()).unwrap();
        let found = match resolve(&options, &env, pod.dir.path()).await {
            Err(error) => error.to_string(),
            Ok((config, _)) => {
                let trust = match (config.accept_invalid_certs, &config.root_cert) {
                    (true, _) => "unverified",
                    (false, Some(_)) => "verified by ca",
                    (false, None) => "verified by the system",
                };
                let token = match (&config.auth_info.token, &config.auth_info.token_file) {
                    (Some(_), _) => "mine",
                    (None, Some(_)) => "pod's",
                    (None, None) => "no",
                };
                format!("{} {trust}, {token} token", config.cluster_url)
            }
        };
        assert!(found.contains(expected), "{words}: {found}");
    }
    assert_eq!(COMBINATIONS.len(), 32);
}
