//! Credentials and authorities that change while we run: they are read again when the API server
//! or a kubelet no longer takes the old ones, and what was asked is asked once more.
//!
//! In a pod both are files that Kubernetes replaces; outside, a kubeconfig that somebody renews or
//! a login command that gives another token.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash as _, Hasher as _, RandomState};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use http::{Request, Response, StatusCode};
use kube::client::Body;
use kube::{Client, Config};
use tokio::sync::Mutex;
use tokio::time::Instant;
use tower::service_fn;

use super::resolve;
use crate::SourceOptions;
use crate::failure::{Cause, classify};
use crate::telemetry;

/// How long what a login command gave is not asked for again after a refusal: it may open a window
/// on somebody's screen.
const LOGIN_AGAIN: Duration = Duration::from_secs(30);
/// The variables that the settings may come from.
const VARIABLES: [&str; 5] = [
    "KUBERNETES_SERVICE_HOST",
    "KUBERNETES_SERVICE_PORT",
    "KUBECONFIG",
    "HOME",
    resolve::SERVICE_ACCOUNT_VARIABLE,
];

/// What `env` says of the variables that matter.
pub(super) fn variables(env: &dyn Fn(&str) -> Option<String>) -> HashMap<&'static str, String> {
    VARIABLES.into_iter().filter_map(|name| Some((name, env(name)?))).collect()
}

/// Settings as they were read once, and a client made of them.
pub(crate) struct Way {
    pub(crate) config: Config,
    client: Client,
    /// Hash of everything secret and of the authorities: whether reading again brought news.
    mark: u64,
    made: Instant,
}

/// The settings in use, and where they came from.
pub(crate) struct Renewal {
    options: SourceOptions,
    variables: HashMap<&'static str, String>,
    account: PathBuf,
    current: RwLock<Arc<Way>>,
    /// Held by whoever reads anew.
    turn: Mutex<()>,
    hashes: RandomState,
}

impl Renewal {
    pub(super) fn new(
        config: Config,
        options: &SourceOptions,
        variables: HashMap<&'static str, String>,
    ) -> Result<Self, kube::Error> {
        let hashes = RandomState::new();
        let account = resolve::account(&|name: &str| variables.get(name).cloned());
        let way = Arc::new(way(config, options, &hashes)?);
        Ok(Self {
            options: options.clone(),
            variables,
            account,
            current: RwLock::new(way),
            turn: Mutex::new(()),
            hashes,
        })
    }

    /// The settings in use.
    pub(crate) fn current(&self) -> Arc<Way> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Settings newer than `used`, which were refused; `None` when there are none.
    pub(crate) async fn newer_than(&self, used: &Arc<Way>) -> Option<Arc<Way>> {
        let _turn = self.turn.lock().await;
        let current = self.current();
        if !Arc::ptr_eq(&current, used) {
            return Some(current);
        }
        let env = |name: &str| self.variables.get(name).cloned();
        let (config, origin) = resolve::resolve(&self.options, &env, &self.account).await.ok()?;
        let login = config.auth_info.exec.is_some() && current.made.elapsed() >= LOGIN_AGAIN;
        if mark(&config, &self.options, &self.hashes) == current.mark && !login {
            return None;
        }
        let fresh = match way(config, &self.options, &self.hashes) {
            Ok(fresh) => Arc::new(fresh),
            Err(error) => {
                tracing::warn!(%origin, %error, "renewed credentials cannot be used");
                return None;
            }
        };
        metrics::counter!(telemetry::CREDENTIALS_RENEWED).increment(1);
        tracing::info!(%origin, "credentials or authorities were refused and are read anew");
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&fresh);
        Some(fresh)
    }

    /// A client that uses whatever is current.
    pub(super) fn client(self: &Arc<Self>) -> Client {
        let namespace = self.current().config.default_namespace.clone();
        let renewal = Arc::clone(self);
        let service = service_fn(move |request: Request<Body>| {
            let renewal = Arc::clone(&renewal);
            async move { renewal.send(request).await }
        });
        Client::new(service, namespace)
    }

    async fn send(&self, request: Request<Body>) -> Result<Response<Body>, kube::Error> {
        let way = self.current();
        let (request, again) = twice(request);
        let answer = way.client.send(request).await;
        let refused = match &answer {
            Ok(response) => response.status() == StatusCode::UNAUTHORIZED,
            Err(error) => {
                matches!(error, kube::Error::Auth(_)) || is_about_trust(&classify(error).0)
            }
        };
        match again {
            Some(again) if refused => match self.newer_than(&way).await {
                Some(way) => way.client.send(again).await,
                None => answer,
            },
            _ => answer,
        }
    }
}

/// Whether other authorities or another certificate of ours may help.
pub(crate) fn is_about_trust(cause: &Cause) -> bool {
    matches!(cause, Cause::UntrustedIssuer | Cause::ClientCertificate)
}

/// A request, and the same again where its body can be had twice.
fn twice(request: Request<Body>) -> (Request<Body>, Option<Request<Body>>) {
    let (head, body) = request.into_parts();
    let again = body.try_clone().map(|body| Request::from_parts(head.clone(), body));
    (Request::from_parts(head, body), again)
}

fn way(config: Config, options: &SourceOptions, hashes: &RandomState) -> Result<Way, kube::Error> {
    let client = Client::try_from(config.clone())?;
    let mark = mark(&config, options, hashes);
    Ok(Way { config, client, mark, made: Instant::now() })
}

fn mark(config: &Config, options: &SourceOptions, hashes: &RandomState) -> u64 {
    let auth = &config.auth_info;
    let mut digest = hashes.build_hasher();
    config.cluster_url.to_string().hash(&mut digest);
    config.root_cert.hash(&mut digest);
    // Its secrets in clear; only the hash outlives this line.
    serde_json::to_vec(auth).unwrap_or_default().hash(&mut digest);
    let files = [&auth.token_file, &auth.client_certificate, &auth.client_key];
    let files = files.into_iter().flatten().map(PathBuf::from).chain(options.kubelet_ca.clone());
    for file in files {
        std::fs::read(file).ok().hash(&mut digest);
    }
    digest.finish()
}
