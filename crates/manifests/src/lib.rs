//! What is applied to a Kubernetes cluster so that Taffrail runs there: objects as JSON values,
//! printed as YAML. The files in `deploy/` are what this crate prints; a test holds that.
//!
//! ```
//! let options = manifests::Options::of(manifests::Variant::Plain);
//! assert!(manifests::render(&options).contains("kind: Deployment"));
//! ```
#![forbid(unsafe_code)]

mod access;
mod apis;
mod network;
mod pod;
mod yaml;

pub use apis::SECURE_PORT;

use serde_json::{Value, json};

/// Where the image is, without its tag.
pub const REPOSITORY: &str = "ghcr.io/taffrail/taffrail";
/// The namespace of a deployment of its own.
pub const NAMESPACE: &str = "taffrail";
/// The port of the dashboard and of Heapster's APIs, in the container.
pub const HTTP_PORT: u16 = 8082;
/// The port on which replicas ask each other, in the container.
pub const PEER_PORT: u16 = 8083;

/// The port on which OTLP over gRPC is taken, in the container and of the service.
pub const OTLP_PORT: u16 = 4317;
/// The port that Kubernetes Dashboard asks as its metrics scraper, in the container.
pub const SCRAPER_PORT: u16 = 8000;

/// The name of every object.
const NAME: &str = "taffrail";

/// Which deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// One pod in a namespace of its own.
    Plain,
    /// The same in `kube-system`, with Heapster's service in front of it.
    Heapster,
    /// Three pods that share the nodes and each answer for all.
    Replicas,
    /// One pod that answers metrics.k8s.io too, in place of metrics-server.
    MetricsServer,
    /// The same with the metrics that an HPA scales on, in place of an adapter.
    CustomMetrics,
    /// One pod beside Kubernetes Dashboard 2 to 7, in place of its metrics scraper.
    Dashboard,
}

impl Variant {
    /// Every variant, as the command line names them.
    pub const ALL: [Self; 6] = [
        Self::Plain,
        Self::Heapster,
        Self::Replicas,
        Self::MetricsServer,
        Self::CustomMetrics,
        Self::Dashboard,
    ];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "taffrail",
            Self::Heapster => "heapster",
            Self::Replicas => "replicas",
            Self::MetricsServer => "metrics-server",
            Self::CustomMetrics => "custom-metrics",
            Self::Dashboard => "dashboard",
        }
    }

    const fn namespace(self) -> &'static str {
        match self {
            Self::Heapster => "kube-system",
            Self::Dashboard => "kubernetes-dashboard",
            Self::Plain | Self::Replicas | Self::MetricsServer | Self::CustomMetrics => NAMESPACE,
        }
    }

    /// Whether the API server asks it.
    const fn is_aggregated(self) -> bool {
        matches!(self, Self::MetricsServer | Self::CustomMetrics)
    }
}

/// What can be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Which deployment.
    pub variant: Variant,
    /// Where everything is put. One that no cluster has by itself is created too.
    pub namespace: String,
    /// The image with its tag.
    pub image: String,
    /// Whether programs are scraped: by pods' annotations and by monitors.
    pub scrape: bool,
    /// Whether others may push metrics: with a token of the secret `taffrail-push`, by remote
    /// write and OTLP over HTTP on the main port, and by OTLP over gRPC.
    pub push: bool,
}

impl Options {
    /// A variant as it stands in `deploy/`.
    pub fn of(variant: Variant) -> Self {
        Self {
            variant,
            namespace: variant.namespace().to_owned(),
            image: format!("{REPOSITORY}:{}", env!("CARGO_PKG_VERSION")),
            scrape: false,
            push: false,
        }
    }
}

/// An object with the sentence that stands above it.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// One or more lines for whoever reads the file.
    pub comment: &'static str,
    /// The object.
    pub object: Value,
}

/// The objects, in the order in which they are applied.
pub fn documents(options: &Options) -> Vec<Document> {
    let mut documents = Vec::new();
    let mut put = |comment, object| documents.push(Document { comment, object });
    let theirs = ["default", "kube-system", "kube-public", Variant::Dashboard.namespace()];
    if !theirs.contains(&&*options.namespace) {
        put("Everything lives here, and no pod here may ask for privileges.", namespace(options));
    }
    access::put(options, &mut put);
    if options.variant.is_aggregated() {
        apis::put(options, &mut put);
    }
    if options.variant != Variant::Replicas {
        put("Where history is kept.", pod::claim(options));
    }
    pod::put(options, &mut put);
    network::put(options, &mut put);
    documents
}

/// The objects as one file of YAML.
pub fn render(options: &Options) -> String {
    let secret = format!(
        "# Who pushes metrics shows a token, which is not in this file:\n\
         #   kubectl -n {} create secret generic taffrail-push \\\n\
         #     --from-literal=token=\"$(openssl rand -hex 32)\"\n",
        options.namespace,
    );
    let mut text = format!(
        "# Taffrail in a cluster, as `taffrail manifests --variant={}{}{}` prints it.\n\
         # docs/DEPLOY.md tells what each object is for and what to change.\n{}",
        options.variant.name(),
        if options.scrape { " --scrape" } else { "" },
        if options.push { " --push" } else { "" },
        if options.push { &*secret } else { "" },
    );
    for document in documents(options) {
        text.push_str("---\n");
        for line in document.comment.lines() {
            text.push_str("# ");
            text.push_str(line);
            text.push('\n');
        }
        yaml::write(&document.object, &mut text);
    }
    text
}

fn namespace(options: &Options) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": options.namespace,
            "labels": {
                "app.kubernetes.io/name": NAME,
                "pod-security.kubernetes.io/enforce": "restricted",
            },
        },
    })
}

/// `metadata` of a namespaced object.
fn metadata(options: &Options, name: &str) -> Value {
    json!({ "name": name, "namespace": options.namespace, "labels": labels() })
}

/// What finds the pods; never changes, because a Deployment's selector cannot.
fn labels() -> Value {
    json!({ "app.kubernetes.io/name": NAME })
}
