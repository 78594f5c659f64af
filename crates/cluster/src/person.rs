//! A person's own way to the API server: the same server, with their credentials in place of the
//! process's.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, Response};
use kube::client::Body;
use kube::config::{AuthInfo, Kubeconfig};
use kube::{Client, Config};
use secrecy::ExposeSecret as _;

use crate::connect::{ConnectError, Connection, Origin, Trouble};

/// How long the API server may take to begin an answer; a drain's evictions are asked one by one.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(1);

/// What a person shows.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// A bearer token.
    Token(String),
    /// A client certificate with its key.
    Certificate {
        /// The chain, PEM.
        certificate: String,
        /// The key, PEM.
        key: String,
    },
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token(_) => "Token(…)",
            Self::Certificate { .. } => "Certificate(…)",
        })
    }
}

impl Credentials {
    /// The credentials of a kubeconfig's current context, as far as they stand in it: files it
    /// names and programs it would run are the reader's, and are not looked at.
    pub fn from_kubeconfig(text: &str) -> Result<Self, String> {
        let kubeconfig = Kubeconfig::from_yaml(text)
            .map_err(|error| format!("the kubeconfig cannot be read: {error}"))?;
        let wanted = kubeconfig.current_context.as_deref().unwrap_or_default();
        let context = kubeconfig.contexts.iter().find(|context| context.name == wanted);
        let user = context.and_then(|context| context.context.as_ref()?.user.clone());
        let user = user.ok_or("the kubeconfig has no current context with a user")?;
        let found = kubeconfig.auth_infos.into_iter().find(|one| one.name == user);
        let info = found.and_then(|one| one.auth_info);
        let info = info.ok_or_else(|| format!("the kubeconfig has no user {user}"))?;
        if let Some(token) = info.token {
            return Ok(Self::Token(token.expose_secret().to_owned()));
        }
        let pem = |data: &str| {
            let decoded = STANDARD.decode(data.trim()).ok();
            decoded.and_then(|bytes| String::from_utf8(bytes).ok())
        };
        let certificate = info.client_certificate_data.as_deref().and_then(pem);
        let key = info.client_key_data.as_ref().and_then(|key| pem(key.expose_secret()));
        let Some((certificate, key)) = certificate.zip(key) else {
            return Err(format!(
                "user {user} of the kubeconfig has neither a token nor a certificate and key in \
                 the file itself; `kubectl config view --raw --flatten` writes such a file"
            ));
        };
        Ok(Self::Certificate { certificate, key })
    }
}

/// A person's way to the API server.
#[derive(Clone)]
pub struct Person {
    client: Client,
    connection: Connection,
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Person").field("connection", &self.connection).finish_non_exhaustive()
    }
}

impl Connection {
    /// The way of whoever shows `credentials`. Nothing is sent yet. Must run inside a runtime.
    pub fn person(&self, credentials: &Credentials) -> Result<Person, ConnectError> {
        let mut config = self.config();
        config.auth_info = match credentials {
            Credentials::Token(token) => {
                AuthInfo { token: Some(token.clone().into()), ..AuthInfo::default() }
            }
            Credentials::Certificate { certificate, key } => AuthInfo {
                client_certificate_data: Some(STANDARD.encode(certificate)),
                client_key_data: Some(STANDARD.encode(key).into()),
                ..AuthInfo::default()
            },
        };
        self.person_with(config)
    }

    /// The way of whoever runs this process; `None` in a pod, where the credentials are
    /// Taffrail's own and nobody's.
    pub fn own_person(&self) -> Option<Person> {
        match self.origin() {
            Origin::InCluster => None,
            Origin::Kubeconfig { .. } | Origin::Uri => self.person_with(self.config()).ok(),
        }
    }

    fn person_with(&self, mut config: Config) -> Result<Person, ConnectError> {
        // What was refused, or may have been done, is asked again by the person or not at all.
        config.default_retry = false;
        let client = Client::try_from(config).map_err(|error| {
            ConnectError::Configuration(Trouble {
                reason: format!("the credentials cannot be used: {error}"),
                advice: "show a certificate and its key, both PEM, or a token".to_owned(),
            })
        })?;
        Ok(Person { client, connection: self.clone() })
    }
}

impl Person {
    /// Asks the API server; any status is an answer. The body comes as it arrives, and an answer
    /// of 101 can be upgraded.
    pub async fn ask(&self, request: Request<Bytes>) -> Result<Response<Body>, ConnectError> {
        let asked = self.client.send(request.map(Body::from));
        match tokio::time::timeout(ANSWER_TIMEOUT, asked).await {
            Ok(answer) => answer.map_err(|error| self.connection.explain(&error, "objects")),
            Err(_) => Err(ConnectError::Timeout(Trouble {
                reason: format!("{} gave no answer in {ANSWER_TIMEOUT:?}", self.connection.url()),
                advice: "check that the API server is healthy".to_owned(),
            })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kubeconfig(user: &str) -> String {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts:\n- name: c\n  context: \
             {{cluster: x, user: u}}\nclusters: []\nusers:\n- name: u\n  user: {user}\n"
        )
    }

    #[test]
    fn a_kubeconfig_gives_what_stands_in_it() {
        let check = |user: &str, expected: Result<Credentials, &str>| {
            let found = Credentials::from_kubeconfig(&kubeconfig(user));
            match (found, expected) {
                (Ok(found), Ok(expected)) => assert!(found == expected, "{user}"),
                (Err(found), Err(expected)) => assert!(found.contains(expected), "{user}: {found}"),
                (found, _) => panic!("{user}: {found:?}"),
            }
        };
        check("{token: abc}", Ok(Credentials::Token("abc".to_owned())));
        let pem = |text: &str| STANDARD.encode(text);
        check(
            &format!(
                "{{client-certificate-data: {}, client-key-data: {}}}",
                pem("CERT"),
                pem("KEY")
            ),
            Ok(Credentials::Certificate { certificate: "CERT".to_owned(), key: "KEY".to_owned() }),
        );
        check("{tokenFile: /etc/passwd}", Err("neither a token nor"));
        check("{exec: {apiVersion: v1, command: /bin/true}}", Err("neither a token nor"));
        assert!(Credentials::from_kubeconfig("a: [").is_err());
    }
}
