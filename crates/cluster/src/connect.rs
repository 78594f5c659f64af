//! The way to the API server: which one, with which credentials, and whether it lets us in.
//!
//! Resolution order follows Heapster for its options, kubectl without any.

mod advice;
mod error;
mod renewal;
mod resolve;

pub use error::{ConnectError, Trouble};
pub(crate) use renewal::{Renewal, Way, is_about_trust};
pub(crate) use resolve::read_certificates;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use kube::api::ListParams;
use kube::{Api, Client, Config};
use serde::Deserialize;

use crate::SourceOptions;
use crate::failure::Cause;
use crate::wire::object;

/// Where the connection's settings came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The pod's service account.
    InCluster,
    /// A kubeconfig.
    Kubeconfig {
        /// Its path, or several merged by `KUBECONFIG`.
        path: PathBuf,
        /// The context used.
        context: String,
    },
    /// The source's URI alone.
    Uri,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InCluster => f.write_str("the pod's service account"),
            Self::Kubeconfig { path, context } => {
                write!(f, "context {context} of {}", path.display())
            }
            Self::Uri => f.write_str("the source's URI"),
        }
    }
}

/// A resolved connection to an API server. Nothing has been sent yet.
#[derive(Clone)]
pub struct Connection {
    pub(crate) renewal: Arc<Renewal>,
    pub(crate) options: SourceOptions,
    client: Client,
    origin: Origin,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.url();
        let mut shown = f.debug_struct("Connection");
        shown.field("url", &url).field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// How long [`Connection::check`] waits for each answer.
pub const CHECK_TIMEOUT: Duration = Duration::from_secs(10);

/// What the API server says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerVersion {
    /// `v1.33.2`.
    pub git_version: String,
    /// `linux/amd64`.
    #[serde(default)]
    pub platform: String,
}

impl Connection {
    /// Decides which API server to use and with which credentials. `env` looks up environment
    /// variables (`KUBERNETES_SERVICE_HOST`, `KUBECONFIG`, `HOME`). Must run inside a runtime.
    pub async fn resolve(
        options: &SourceOptions,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ConnectError> {
        let variables = renewal::variables(env);
        let known = |name: &str| variables.get(name).cloned();
        let (config, origin) = resolve::resolve(options, &known, &resolve::account(&known)).await?;
        let url = config.cluster_url.clone();
        let login = config.auth_info.exec.as_ref().and_then(|exec| exec.command.clone());
        let renewal = Renewal::new(config, options, variables).map_err(|error| {
            let failed = advice::api_failure(&error, &url, &origin, None);
            advice::with_login(failed, login.as_deref())
        })?;
        let renewal = Arc::new(renewal);
        let client = renewal.client();
        Ok(Self { renewal, options: options.clone(), client, origin })
    }

    /// The settings as they were read last.
    pub(crate) fn config(&self) -> Config {
        self.renewal.current().config.clone()
    }

    /// The API server's URL, without a slash at the end and without user and password.
    pub fn url(&self) -> String {
        advice::shown(&self.renewal.current().config.cluster_url)
    }

    /// Where the settings came from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The options it was made from.
    pub fn options(&self) -> &SourceOptions {
        &self.options
    }

    /// kube's client, for requests of one's own.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Asks for the version, then for one node: whether we get in and may read.
    pub async fn check(&self) -> Result<ServerVersion, ConnectError> {
        let request = Request::get("/version").body(Vec::new()).unwrap_or_default();
        let version = self.within(self.client.request(request), None).await?;
        let nodes: Api<object::Node> = Api::all(self.client());
        self.within(nodes.list(&ListParams::default().limit(1)), Some("nodes")).await?;
        Ok(version)
    }

    pub(crate) async fn within<T>(
        &self,
        asked: impl Future<Output = Result<T, kube::Error>>,
        resource: Option<&str>,
    ) -> Result<T, ConnectError> {
        match tokio::time::timeout(CHECK_TIMEOUT, asked).await {
            Ok(answer) => answer.map_err(|error| self.explained(&error, resource)),
            Err(_) => Err(ConnectError::Timeout(Trouble {
                reason: format!("{} gave no answer in {CHECK_TIMEOUT:?}", self.url()),
                advice: "check that the API server is healthy and that no firewall drops packets"
                    .to_owned(),
            })),
        }
    }

    /// A failed way to the API server, explained.
    pub(crate) fn explain_cause(&self, cause: Cause, detail: &str) -> ConnectError {
        advice::transport((cause, detail.to_owned()), &self.url(), &self.origin)
    }

    /// A status that the API server refused `resource` with, explained.
    pub(crate) fn explain_status(&self, code: u16, message: &str, resource: &str) -> ConnectError {
        advice::refused(code, message, &advice::who(&self.url(), &self.origin), Some(resource))
    }

    /// A failed request to the API server, explained.
    pub(crate) fn explain(&self, error: &kube::Error, resource: &str) -> ConnectError {
        self.explained(error, Some(resource))
    }

    fn explained(&self, error: &kube::Error, resource: Option<&str>) -> ConnectError {
        let way = self.renewal.current();
        advice::api_failure(error, &way.config.cluster_url, &self.origin, resource)
    }
}
