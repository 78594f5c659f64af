//! Who asks on the main port: sessions and their cookies, ways to sign in, and what each person
//! may see.
//!
//! Whatever a person asks of the API server goes there with what they showed, through [`Person`];
//! this crate has no Kubernetes client.

mod cookie;
pub(crate) mod guard;
pub(crate) mod login;
pub(crate) mod oidc;
mod paths;
mod refusal;
mod sessions;
mod sight;
pub(crate) mod upstream;

use std::sync::{Arc, OnceLock};

use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response};
use tokio::sync::Semaphore;

use crate::kubernetes::{Answered, User};

pub use oidc::OidcParts;
pub(crate) use refusal::Refusal;
pub(crate) use sessions::{Session, Sessions};
pub(crate) use sight::Sight;

/// Most sign-ins that are checked at once.
const MAX_SIGN_INS: usize = 16;

/// What a person shows to sign in.
#[derive(Clone)]
pub enum Credentials {
    /// A bearer token.
    Token(String),
    /// A client certificate and its key, both PEM.
    Certificate {
        /// The chain.
        certificate: String,
        /// The key.
        key: String,
    },
    /// A kubeconfig with one of both in it.
    Kubeconfig(String),
}

/// The API server that people are let in to. The errors are sentences.
pub trait ApiServer: Send + Sync {
    /// The way of whoever shows `credentials`; nothing is asked yet.
    fn person(&self, credentials: Credentials) -> Result<Arc<dyn Person>, String>;

    /// The way of whoever runs the process; `None` where it runs with rights of its own.
    fn own(&self) -> Option<Arc<dyn Person>>;
}

/// A person's way to the API server.
pub trait Person: Send + Sync {
    /// Asks the API server; any status is an answer, and only one that cannot be reached an
    /// error. The request's URI is a path.
    fn ask(&self, request: Request<Bytes>) -> Answered<Response<Body>>;
}

/// Other servers that are asked: an `OpenID` Connect issuer.
pub trait Web: Send + Sync {
    /// The whole answer to `request`, whose URI is absolute.
    fn ask(&self, request: Request<Bytes>) -> Answered<Response<Bytes>>;
}

/// Who has to sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Login {
    /// Nobody.
    #[default]
    Off,
    /// Whoever uses the dashboard; Heapster's and Prometheus' APIs stay as open as theirs were.
    Dashboard,
    /// Everybody.
    All,
}

/// What [`ApiParts`](crate::ApiParts) say about people.
#[derive(Default)]
pub struct PeopleParts {
    /// Who has to sign in.
    pub login: Login,
    /// Nothing in the cluster is changed from here.
    pub read_only: bool,
    /// Where people are let in to; `None` where nothing but this machine is measured.
    pub server: Option<Arc<dyn ApiServer>>,
    /// How to sign in with `OpenID` Connect.
    pub oidc: Option<OidcParts>,
}

/// The people of this process.
pub(crate) struct People {
    pub(crate) login: Login,
    pub(crate) read_only: bool,
    pub(crate) server: Option<Arc<dyn ApiServer>>,
    pub(crate) sessions: Sessions,
    pub(crate) oidc: Option<oidc::Oidc>,
    /// Of whoever runs the process, where that is a person.
    own: OnceLock<Option<Arc<Session>>>,
    sign_ins: Semaphore,
}

impl People {
    pub(crate) fn new(parts: PeopleParts) -> Self {
        Self {
            login: parts.login,
            read_only: parts.read_only,
            server: parts.server,
            sessions: Sessions::default(),
            oidc: parts.oidc.map(oidc::Oidc::new),
            own: OnceLock::new(),
            sign_ins: Semaphore::new(MAX_SIGN_INS),
        }
    }

    /// The session of whoever runs the process; it never ends.
    pub(crate) fn own(&self) -> Option<Arc<Session>> {
        let made = self.own.get_or_init(|| Some(Session::own(self.server.as_ref()?.own()?)));
        made.clone()
    }

    /// Checks `credentials` and opens a session; its secret.
    pub(crate) async fn sign_in(
        &self,
        credentials: Credentials,
        now: model::Timestamp,
    ) -> Result<(String, Arc<Session>), Refusal> {
        let server = self.server.as_ref().ok_or_else(Refusal::no_cluster)?;
        let person = server.person(credentials).map_err(Refusal::credentials)?;
        self.admit(person, now).await
    }

    /// Opens a session for `person` if the API server knows them.
    pub(crate) async fn admit(
        &self,
        person: Arc<dyn Person>,
        now: model::Timestamp,
    ) -> Result<(String, Arc<Session>), Refusal> {
        let _place = self.sign_ins.acquire().await.map_err(|_| Refusal::no_cluster())?;
        let user: User = login::who(&*person).await?;
        self.sessions.open(person, user, now)
    }
}
