//! What went wrong on the way to an API server or kubelet, told apart from the chain of errors
//! that the HTTP and TLS libraries leave. Knows no advice: that depends on who was asked.

use std::error::Error;
use std::io;

use model::{Hop, Timestamp};
use rustls::CertificateError;
use rustls::pki_types::UnixTime;

use crate::tls::Unverified;

/// A failed step: where, what happened, what to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Where.
    pub hop: Hop,
    /// What happened, in one line.
    pub reason: String,
    /// What to change, in one line; empty when nothing is known to help.
    pub advice: String,
}

/// The kinds of failure that ask for different changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cause {
    /// A name has no address.
    Unresolved,
    /// Nobody listens.
    Refused,
    /// No way there.
    Unreachable,
    /// No answer in time.
    TimedOut,
    /// The certificate's issuer is not trusted.
    UntrustedIssuer,
    /// The certificate is for other names.
    WrongName,
    /// The certificate's time is over or has not come.
    OutOfTime,
    /// The other end refused our certificate or wants one.
    ClientCertificate,
    /// The other end speaks no TLS.
    NotTls,
    /// The other end speaks something else than HTTP, most likely TLS.
    NotHttp,
    /// The proxy in between does not let us through.
    ByProxy,
    /// Any other failed handshake.
    Handshake,
    /// The connection ended in the middle.
    Cut,
    /// Anything else.
    Other,
}

impl Cause {
    pub(crate) fn hop(&self) -> Hop {
        match self {
            Self::Unresolved => Hop::Address,
            Self::Refused | Self::Unreachable | Self::ByProxy | Self::Other => Hop::Connect,
            Self::TimedOut => Hop::Timeout,
            Self::Cut => Hop::Body,
            _ => Hop::Tls,
        }
    }
}

/// Finds the cause in a chain of errors, with a one-line reason.
pub(crate) fn classify(error: &(dyn Error + 'static)) -> (Cause, String) {
    let mut link = Some(error);
    let mut last = String::new();
    while let Some(error) = link {
        if let Some(found) = classify_link(error) {
            return found;
        }
        last = error.to_string();
        link = error.source();
    }
    (Cause::Other, last)
}

fn classify_link(error: &(dyn Error + 'static)) -> Option<(Cause, String)> {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return Some(classify_tls(tls));
    }
    if let Some(io) = error.downcast_ref::<io::Error>() {
        // An io::Error hides what it carries from source().
        return io
            .get_ref()
            .and_then(|inner| {
                classify_link(inner).or_else(|| inner.source().and_then(classify_link))
            })
            .or_else(|| classify_io(io));
    }
    if let Some(hyper) = error.downcast_ref::<hyper::Error>()
        && (hyper.is_incomplete_message() || hyper.is_closed())
    {
        return Some((Cause::Cut, "the connection ended in the middle of the answer".to_owned()));
    }
    if error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse) {
        let reason = "what answers speaks TLS or something else, but no HTTP on this port";
        return Some((Cause::NotHttp, reason.to_owned()));
    }
    let text = error.to_string();
    if let Some(detail) = text.strip_prefix("tunnel error: ").or(text.strip_prefix("SOCKS error: "))
    {
        return Some((Cause::ByProxy, format!("the proxy does not let us through: {detail}")));
    }
    // hyper-util keeps its resolver's error type private.
    text.starts_with("dns error").then(|| {
        let detail = error.source().map_or(text, ToString::to_string);
        (Cause::Unresolved, format!("the name does not resolve: {detail}"))
    })
}

fn classify_io(error: &io::Error) -> Option<(Cause, String)> {
    let (cause, text) = match error.kind() {
        io::ErrorKind::ConnectionRefused => (Cause::Refused, "connection refused"),
        io::ErrorKind::TimedOut => (Cause::TimedOut, "no connection in time"),
        io::ErrorKind::HostUnreachable => (Cause::Unreachable, "no route to the host"),
        io::ErrorKind::NetworkUnreachable => (Cause::Unreachable, "the network is unreachable"),
        io::ErrorKind::ConnectionReset => (Cause::Cut, "connection reset by the other end"),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe => {
            (Cause::Cut, "the other end closed the connection")
        }
        _ => return None,
    };
    Some((cause, text.to_owned()))
}

fn classify_tls(error: &rustls::Error) -> (Cause, String) {
    use rustls::AlertDescription as Alert;
    match error {
        rustls::Error::InvalidCertificate(error) => classify_certificate(error),
        rustls::Error::AlertReceived(alert) => {
            let about_us = matches!(
                alert,
                Alert::CertificateRequired
                    | Alert::BadCertificate
                    | Alert::UnknownCA
                    | Alert::CertificateExpired
                    | Alert::CertificateUnknown
                    | Alert::CertificateRevoked
                    | Alert::AccessDenied
                    // An authority of the same name with another key.
                    | Alert::DecryptError
            );
            let cause = if about_us { Cause::ClientCertificate } else { Cause::Handshake };
            (cause, format!("the server ended the TLS handshake with alert {alert:?}"))
        }
        rustls::Error::InvalidMessage(_) => {
            (Cause::NotTls, "the server does not answer in TLS".to_owned())
        }
        other => (Cause::Handshake, format!("the TLS handshake failed: {other}")),
    }
}

fn classify_certificate(error: &CertificateError) -> (Cause, String) {
    match error {
        // A different authority of the same name shows as a bad signature.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            (Cause::UntrustedIssuer, "the certificate's issuer is not trusted".to_owned())
        }
        CertificateError::Expired | CertificateError::NotValidYet => {
            (Cause::OutOfTime, error.to_string())
        }
        CertificateError::ExpiredContext { not_after, .. } => {
            (Cause::OutOfTime, format!("the certificate expired at {}", date(*not_after)))
        }
        CertificateError::NotValidYetContext { not_before, .. } => {
            (Cause::OutOfTime, format!("the certificate is not valid before {}", date(*not_before)))
        }
        CertificateError::NotValidForName => {
            (Cause::WrongName, "the certificate is for another name".to_owned())
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            let names = presented_names(presented);
            let expected = expected.to_str();
            (Cause::WrongName, format!("the certificate is for {names}, not for {expected}"))
        }
        CertificateError::Other(other) => match other.0.downcast_ref::<Unverified>() {
            Some(Unverified::Issuer { names }) => (
                Cause::UntrustedIssuer,
                format!(
                    "the certificate (for {names}) is signed by an authority that is not trusted"
                ),
            ),
            Some(Unverified::Names { names, wanted }) => {
                (Cause::WrongName, format!("the certificate is for {names}, not for {wanted}"))
            }
            None => (Cause::Handshake, format!("the certificate is refused: {other}")),
        },
        other => (Cause::Handshake, format!("the certificate is refused: {other}")),
    }
}

/// Names as webpki lists them (`DnsName("n1")`, `IpAddress(10.0.0.1)`), without the wrapping.
pub(crate) fn presented_names(presented: &[String]) -> String {
    if presented.is_empty() {
        return "no name at all".to_owned();
    }
    let bare = |name: &String| {
        let inside = name.split_once('(').map_or(&**name, |(_, inside)| inside);
        inside.trim_end_matches(')').trim_matches('"').to_owned()
    };
    presented.iter().map(bare).collect::<Vec<_>>().join(", ")
}

fn date(time: UnixTime) -> String {
    Timestamp::from_secs(i64::try_from(time.as_secs()).unwrap_or(i64::MAX)).to_rfc3339_seconds()
}
