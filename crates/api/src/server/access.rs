//! Who may ask: client certificates on the main port. Source: Heapster's `--tls_client_ca` and
//! `--allowed_users`.

use std::sync::Arc;

use rustls_pki_types::CertificateDer;

use super::subject::common_name;
use crate::error::Error;

/// Paths that nobody has to prove anything for.
const OPEN: [&str; 2] = ["/healthz", "/healthz/healthz"];

/// Who the other end is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Client {
    /// Showed no certificate.
    Unknown,
    /// Showed a certificate of the client authority with this common name, maybe empty.
    Verified(String),
    /// Showed these certificates and proved to own them; nobody vouched for them yet.
    Presented(Arc<[CertificateDer<'static>]>),
}

impl Client {
    /// From the certificates that the handshake verified.
    pub(super) fn of(certificates: Option<&[CertificateDer<'_>]>) -> Self {
        match certificates.and_then(<[_]>::first) {
            Some(certificate) => Self::Verified(common_name(certificate).unwrap_or_default()),
            None => Self::Unknown,
        }
    }

    /// From the certificates that the handshake only proved.
    pub(super) fn presented(certificates: Option<&[CertificateDer<'static>]>) -> Self {
        certificates.map_or(Self::Unknown, |chain| Self::Presented(chain.into()))
    }

    /// What [`Client::presented`] was made of.
    pub(super) fn chain(&self) -> &[CertificateDer<'static>] {
        if let Self::Presented(chain) = self { chain } else { &[] }
    }
}

/// What is asked of clients.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Access {
    /// Nothing.
    #[default]
    Open,
    /// A verified certificate, with one of these common names if any are given.
    Certificate(Vec<String>),
}

impl Access {
    /// Whether `client` may ask for `path`.
    pub(super) fn check(&self, path: &str, client: &Client) -> Result<(), Error> {
        match (self, client) {
            (Self::Open, _) => Ok(()),
            _ if OPEN.contains(&path) => Ok(()),
            (Self::Certificate(_), Client::Unknown | Client::Presented(_)) => {
                Err(Error::Unauthorized)
            }
            (Self::Certificate(allowed), Client::Verified(name)) => {
                if allowed.is_empty() || allowed.contains(name) {
                    Ok(())
                } else {
                    Err(Error::Forbidden)
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_open_what_they_should() {
        let ann = Client::Verified("ann".to_owned());
        let only_bob = Access::Certificate(vec!["bob".to_owned()]);
        let anyone = Access::Certificate(Vec::new());
        let check = |access: &Access, path: &str, client: &Client, expected: Result<(), Error>| {
            assert_eq!(access.check(path, client), expected, "{access:?} {path} {client:?}");
        };
        check(&Access::Open, "/", &Client::Unknown, Ok(()));
        check(&anyone, "/", &Client::Unknown, Err(Error::Unauthorized));
        check(&anyone, "/healthz", &Client::Unknown, Ok(()));
        check(&anyone, "/", &ann, Ok(()));
        check(&only_bob, "/", &ann, Err(Error::Forbidden));
        check(&only_bob, "/healthz", &ann, Ok(()));
    }
}
