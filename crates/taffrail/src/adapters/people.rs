//! People behind the dashboard: their way to the API server, and the provider they sign in at.

use std::sync::Arc;
use std::time::Duration;

use api::{Answered, ApiServer, Credentials, Person, Web};
use bytes::Bytes;
use cluster::Connection;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use tokio::time::timeout;

/// How long a provider may take.
const PROVIDER_TIMEOUT: Duration = Duration::from_secs(20);
/// Largest answer of a provider.
const MAX_PROVIDER_BYTES: usize = 1 << 20;

/// The API server that people are let in to.
pub(crate) struct LetIn {
    pub(crate) connection: Connection,
    /// Whether whoever asks is whoever runs the process: only this machine reaches it.
    pub(crate) alone: bool,
}

struct OnePerson(Arc<cluster::Person>);

impl ApiServer for LetIn {
    fn person(&self, credentials: Credentials) -> Result<Arc<dyn Person>, String> {
        let credentials = match credentials {
            Credentials::Token(token) => cluster::Credentials::Token(token),
            Credentials::Certificate { certificate, key } => {
                cluster::Credentials::Certificate { certificate, key }
            }
            Credentials::Kubeconfig(text) => cluster::Credentials::from_kubeconfig(&text)?,
        };
        let person = self.connection.person(&credentials);
        let person = person.map_err(|error| error.trouble().reason.clone())?;
        Ok(Arc::new(OnePerson(Arc::new(person))))
    }

    fn own(&self) -> Option<Arc<dyn Person>> {
        let person = self.connection.own_person().filter(|_| self.alone)?;
        Some(Arc::new(OnePerson(Arc::new(person))))
    }
}

impl Person for OnePerson {
    fn ask(&self, request: Request<Bytes>) -> Answered<Response<api::Body>> {
        let person = Arc::clone(&self.0);
        Box::pin(async move {
            let answer = person.ask(request).await;
            let answer = answer.map_err(|error| error.trouble().reason.clone())?;
            Ok(answer.map(api::Body::new))
        })
    }
}

/// Other servers over HTTP.
pub(crate) struct Provider(pub(crate) Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl Web for Provider {
    fn ask(&self, request: Request<Bytes>) -> Answered<Response<Bytes>> {
        let client = self.0.clone();
        Box::pin(async move {
            let exchange = async {
                let answer = client.request(request.map(Full::new)).await;
                let answer = answer.map_err(|error| crate::remote::root_cause(&error))?;
                let (head, body) = answer.into_parts();
                let body = Limited::new(body, MAX_PROVIDER_BYTES).collect().await;
                let body = body.map_err(|error| crate::remote::root_cause(&*error))?;
                Ok(Response::from_parts(head, body.to_bytes()))
            };
            timeout(PROVIDER_TIMEOUT, exchange)
                .await
                .unwrap_or_else(|_| Err(format!("no answer in {PROVIDER_TIMEOUT:?}")))
        })
    }
}
