//! What we show to be let in, described without showing it: its kind, place and end.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use http::HeaderValue;
use model::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;

use crate::certificate::Certificate;
use crate::connect::Connection;
use crate::kubelet::Credentials;

/// A credential that ends within this time is about to end. Tokens of pods live an hour and are
/// renewed long before.
pub(super) const SOON: Duration = Duration::from_mins(5);

/// A credential, described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Credential {
    kind: Kind,
    /// When it ends, where it says so.
    pub(super) ends: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Nothing,
    Token,
    TokenFile(String),
    Command(String),
    Password,
    /// Its subject.
    Certificate(String),
}

impl Credential {
    /// What `connection` shows. The error is why it has nothing to show: a file that cannot be
    /// read, a login command that fails.
    pub(super) async fn of(connection: &Connection) -> Result<Self, String> {
        let config = connection.config();
        let auth = &config.auth_info;
        let header = match Credentials::new(&config) {
            Ok(credentials) => credentials.header().await?,
            Err(error) => return Err(connection.explain(&error, "").trouble().reason.clone()),
        };
        let kind = match (&auth.exec, &auth.token_file) {
            (Some(exec), _) => Kind::Command(exec.command.clone().unwrap_or_default()),
            (None, Some(path)) if auth.token.is_none() => Kind::TokenFile(path.clone()),
            _ if auth.token.is_some() || auth.auth_provider.is_some() => Kind::Token,
            _ if header.is_some() => Kind::Password,
            _ => return Ok(Self::certificate(connection)),
        };
        Ok(Self { kind, ends: header.as_ref().and_then(token_end) })
    }

    fn certificate(connection: &Connection) -> Self {
        let auth = &connection.config().auth_info;
        let pem = match (&auth.client_certificate_data, &auth.client_certificate) {
            (Some(coded), _) => base64(coded.as_bytes()),
            (None, Some(path)) => std::fs::read(Path::new(path)).ok(),
            (None, None) => return Self { kind: Kind::Nothing, ends: None },
        };
        let shown = pem
            .and_then(|pem| CertificateDer::from_pem_slice(&pem).ok())
            .and_then(|der| Certificate::read(&der));
        match shown {
            Some(certificate) => Self {
                kind: Kind::Certificate(certificate.subject),
                ends: Some(certificate.not_after),
            },
            None => Self { kind: Kind::Certificate(String::new()), ends: None },
        }
    }

    /// Whether nothing is shown at all.
    pub(super) fn is_nothing(&self) -> bool {
        self.kind == Kind::Nothing
    }

    /// How to get a new one.
    pub(super) fn renewal(&self, connection: &Connection) -> String {
        let origin = connection.origin();
        match &self.kind {
            Kind::Nothing => format!(
                "give the user in {origin} a token, client certificate or login command; in a pod \
                 mount a service account (automountServiceAccountToken: true)"
            ),
            Kind::Token => format!(
                "put a token of this cluster into {origin}: `kubectl create token \
                 SERVICEACCOUNT -n NAMESPACE` makes one"
            ),
            Kind::TokenFile(path) => format!(
                "check that {path} holds a token of this cluster and is renewed: in a pod, delete \
                 the pod if its service account was recreated"
            ),
            Kind::Command(command) => format!(
                "log in again: run `{command}` by hand and see what it says, then try `kubectl \
                 get nodes`"
            ),
            Kind::Password => format!(
                "replace user and password in {origin} by a token or certificate: API servers \
                 since 1.19 take none"
            ),
            Kind::Certificate(_) => format!(
                "renew the client certificate in {origin} (kubeadm: `kubeadm certs renew \
                 admin.conf`) and see that this cluster's CA signed it"
            ),
        }
    }
}

impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Nothing => f.write_str("no credentials")?,
            Kind::Token => f.write_str("a token from the configuration")?,
            Kind::TokenFile(path) => write!(f, "the token in {path}")?,
            Kind::Command(command) => write!(f, "what the login command {command} gives")?,
            Kind::Password => f.write_str("user and password")?,
            Kind::Certificate(subject) if subject.is_empty() => {
                f.write_str("a client certificate")?;
            }
            Kind::Certificate(subject) => write!(f, "the client certificate of {subject}")?,
        }
        match self.ends {
            Some(end) => write!(f, " (until {})", end.to_rfc3339_seconds()),
            None => Ok(()),
        }
    }
}

/// `exp` of a JSON web token, unverified: it only serves to say when it ends.
fn token_end(header: &HeaderValue) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct Claims {
        exp: i64,
    }
    let token = header.to_str().ok()?.strip_prefix("Bearer ")?;
    let claims = base64(token.split('.').nth(1)?.as_bytes())?;
    let claims: Claims = serde_json::from_slice(&claims).ok()?;
    Some(Timestamp::from_secs(claims.exp))
}

/// RFC 4648 in either alphabet, with or without padding.
fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut held) = (0_u32, 0_u32);
    for letter in text.iter().filter(|letter| !letter.is_ascii_whitespace() && **letter != b'=') {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            decoded.push(u8::try_from((bits >> held) & 0xff).ok()?);
        }
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(header: &str, expected: Option<i64>) {
        let header = HeaderValue::from_str(header).unwrap();
        assert_eq!(token_end(&header).map(Timestamp::secs), expected, "{header:?}");
    }

    #[test]
    fn a_tokens_end_is_read_where_it_has_one() {
        // {"alg":"none"} . {"exp":1795427000,"sub":"x?>"} . signature
        check(
            "Bearer eyJhbGciOiJub25lIn0.eyJleHAiOjE3OTU0MjcwMDAsInN1YiI6Ing_PiJ9.c2ln",
            Some(1_795_427_000),
        );
        check("Bearer opaque", None);
        check("Bearer a.b.c", None);
        check("Basic dXNlcjpwYXNz", None);
    }

    #[test]
    fn base64_is_read_in_both_alphabets() {
        assert_eq!(base64(b"Zm9vYg==").unwrap(), b"foob");
        assert_eq!(base64(b"Zm9v\nYmE").unwrap(), b"fooba");
        assert_eq!(base64(b"-_-_").unwrap(), base64(b"+/+/").unwrap());
        assert_eq!(base64(b"a!"), None);
    }
}
