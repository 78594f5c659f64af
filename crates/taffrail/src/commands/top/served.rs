//! `top` through a running server.

use std::path::Path;
use std::time::Duration;

use http::{Method, StatusCode};
use tokio::time::timeout;
use top::{Answer, Api, Error};

use crate::exit::Failure;
use crate::remote::{LOCAL, Remote};

/// Taffrail's own API below a server's address.
pub(super) const PREFIX: &str = "/api/taffrail/v1";
const JSON: &str = "application/json";
/// How long a server on this machine may take to show that it is there.
const LOCAL_DEADLINE: Duration = Duration::from_secs(2);

/// A running server.
#[derive(Debug)]
pub(super) struct Server(Remote);

impl Server {
    pub(super) fn new(
        url: &str,
        token_file: Option<&Path>,
        ca_file: Option<&Path>,
    ) -> Result<Self, Failure> {
        Remote::new(url, token_file, ca_file).map(Self)
    }

    async fn ask(&self, method: Method, path: &str, body: Vec<u8>) -> Result<Vec<u8>, Error> {
        let whole = format!("{PREFIX}{path}");
        let answer = self.0.ask(method, &whole, JSON, body).await;
        let (status, body) = answer.map_err(|error| Error::Unreachable(error.to_string()))?;
        judged(self.name(), path, status, body.into())
    }
}

/// The server at the usual address of this machine, if a Taffrail answers there.
pub(super) async fn local() -> Result<Option<Server>, Failure> {
    let server = Server::new(LOCAL, None, None)?;
    let status = timeout(LOCAL_DEADLINE, server.get("/status")).await;
    let ours = matches!(&status, Ok(Ok(body)) if body.starts_with(b"{\"version\""));
    Ok(ours.then_some(server))
}

/// The body of a good answer, or what the server says instead.
pub(super) fn judged(
    server: &str,
    path: &str,
    status: StatusCode,
    body: Vec<u8>,
) -> Result<Vec<u8>, Error> {
    if status.is_success() {
        return Ok(body);
    }
    let said: Option<serde_json::Value> = serde_json::from_slice(&body).ok();
    let part = |name: &str| {
        let text = said.as_ref().and_then(|said| said["error"][name].as_str());
        text.filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let reason = match (part("reason"), part("advice")) {
        (Some(reason), Some(advice)) => format!("{reason}; {advice}"),
        (Some(reason), None) => reason,
        _ if status == StatusCode::UNAUTHORIZED => {
            format!("{status}; give the token of a person with --token-file=FILE")
        }
        _ => status.to_string(),
    };
    Err(Error::Refused { server: server.to_owned(), path: path.to_owned(), reason })
}

impl Api for Server {
    fn name(&self) -> &str {
        self.0.url()
    }

    fn get<'a>(&'a self, path: &'a str) -> Answer<'a> {
        Box::pin(self.ask(Method::GET, path, Vec::new()))
    }

    fn post<'a>(&'a self, path: &'a str, body: Vec<u8>) -> Answer<'a> {
        Box::pin(self.ask(Method::POST, path, body))
    }
}
