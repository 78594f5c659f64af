//! What an X.509 certificate says of itself: whose it is, for which names, until when.
//!
//! Reads the few fields that people are shown (RFC 5280); decides nothing about trust.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use model::Timestamp;
use rustls::pki_types::CertificateDer;

use crate::tls::{pin_of, shown_pin};

/// Names that are shown of one certificate; an API server's may have dozens.
const SHOWN_NAMES: usize = 8;
/// A certificate that ends within this time is about to expire.
pub(crate) const SOON: Duration = Duration::from_hours(14 * 24);

/// A certificate's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Certificate {
    /// Common name of the subject, else its organization; empty without either.
    pub(crate) subject: String,
    /// Likewise of the issuer.
    pub(crate) issuer: String,
    /// DNS names and addresses of the alternative names.
    pub(crate) names: Vec<String>,
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    /// What pins its key, as `kubeletPins` takes it.
    pub(crate) pin: Option<String>,
}

impl Certificate {
    /// Reads a certificate in DER; `None` for anything else.
    pub(crate) fn read(der: &[u8]) -> Option<Self> {
        let mut outer = Reader(der).enter(SEQUENCE)?;
        let mut fields = outer.enter(SEQUENCE)?;
        if fields.tag() == Some(VERSION) {
            fields.next()?;
        }
        fields.take(INTEGER)?;
        fields.take(SEQUENCE)?;
        let issuer = name(fields.enter(SEQUENCE)?);
        let mut validity = fields.enter(SEQUENCE)?;
        let (not_before, not_after) = (time(validity.next()?)?, time(validity.next()?)?);
        let subject = name(fields.enter(SEQUENCE)?);
        let mut names = Vec::new();
        while let Some((tag, content)) = fields.next() {
            if tag == EXTENSIONS {
                names = alternative_names(content).unwrap_or_default();
            }
        }
        let pin = pin_of(&CertificateDer::from(der)).map(|pin| shown_pin(&pin));
        Some(Self { subject, issuer, names, not_before, not_after, pin })
    }

    /// Whether it ends within [`SOON`] of `now`.
    pub(crate) fn ends_soon(&self, now: Timestamp) -> bool {
        self.not_after < now.plus(SOON)
    }
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = if self.subject.is_empty() { "a certificate" } else { &self.subject };
        write!(f, "{subject} for ")?;
        if self.names.is_empty() {
            f.write_str("no name at all")?;
        }
        for (at, name) in self.names.iter().take(SHOWN_NAMES).enumerate() {
            write!(f, "{}{name}", if at == 0 { "" } else { ", " })?;
        }
        if let Some(more @ 1..) = self.names.len().checked_sub(SHOWN_NAMES) {
            write!(f, " and {more} more")?;
        }
        if self.issuer == self.subject {
            f.write_str(", self-signed")?;
        } else {
            write!(f, ", issued by {}", self.issuer)?;
        }
        write!(f, ", valid until {}", self.not_after.to_rfc3339_seconds())
    }
}

const INTEGER: u8 = 0x02;
const OBJECT_ID: u8 = 0x06;
const OCTETS: u8 = 0x04;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
const DNS_NAME: u8 = 0x82;
const IP_ADDRESS: u8 = 0x87;
/// 2.5.4.3
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// 2.5.4.10
const ORGANIZATION: &[u8] = &[0x55, 0x04, 0x0a];
/// 2.5.29.17
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 0x11];

/// The rest of a run of DER elements.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn tag(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// The next element's tag and content.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&[tag, first], mut rest) = self.0.split_first_chunk::<2>()?;
        let mut length = usize::from(first);
        if first & 0x80 != 0 {
            // At most four bytes of length: more is no certificate that anybody shows.
            let count = usize::from(first & 0x7f);
            let (bytes, after) =
                rest.split_at_checked(count).filter(|_| (1..=4).contains(&count))?;
            length = bytes.iter().fold(0, |length, byte| (length << 8) | usize::from(*byte));
            rest = after;
        }
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    fn take(&mut self, wanted: u8) -> Option<&'a [u8]> {
        self.next().filter(|(tag, _)| *tag == wanted).map(|(_, content)| content)
    }

    fn enter(&mut self, wanted: u8) -> Option<Reader<'a>> {
        self.take(wanted).map(Reader)
    }
}

/// The common name in a distinguished name, else the organization.
fn name(mut parts: Reader<'_>) -> String {
    let mut organization = String::new();
    while let Some(mut set) = parts.enter(SET) {
        while let Some(mut pair) = set.enter(SEQUENCE) {
            let (Some(id), Some((_, text))) = (pair.take(OBJECT_ID), pair.next()) else { continue };
            let text = printable(text);
            if id == COMMON_NAME {
                return text;
            }
            if id == ORGANIZATION {
                organization = text;
            }
        }
    }
    organization
}

/// Text that can be shown on a terminal.
fn printable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().filter(|letter| !letter.is_control()).collect()
}

fn alternative_names(extensions: &[u8]) -> Option<Vec<String>> {
    let mut extensions = Reader(extensions).enter(SEQUENCE)?;
    while let Some(mut extension) = extensions.enter(SEQUENCE) {
        if extension.take(OBJECT_ID)? != ALTERNATIVE_NAMES {
            continue;
        }
        let value = loop {
            // Before it may stand whether it is critical.
            if let (OCTETS, value) = extension.next()? {
                break value;
            }
        };
        let mut names = Reader(value).enter(SEQUENCE)?;
        let mut found = Vec::new();
        while let Some((tag, content)) = names.next() {
            match tag {
                DNS_NAME => found.push(printable(content)),
                IP_ADDRESS => found.extend(address(content).map(|address| address.to_string())),
                _ => {}
            }
        }
        return Some(found);
    }
    None
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let four: Option<[u8; 4]> = bytes.try_into().ok();
    let sixteen: Option<[u8; 16]> = bytes.try_into().ok();
    four.map(IpAddr::from).or(sixteen.map(IpAddr::from))
}

/// `YYMMDDhhmmssZ` or `YYYYMMDDhhmmssZ`.
fn time((tag, content): (u8, &[u8])) -> Option<Timestamp> {
    let text = std::str::from_utf8(content).ok()?;
    let (century, digits) = match tag {
        UTC_TIME => (if text.get(..2)?.parse::<u8>().ok()? < 50 { "20" } else { "19" }, text),
        GENERALIZED_TIME => ("", text),
        _ => return None,
    };
    let digits = format!("{century}{}", digits.strip_suffix('Z')?);
    let part = |range: std::ops::Range<usize>| digits.get(range);
    Timestamp::parse_rfc3339(&format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0..4)?,
        part(4..6)?,
        part(6..8)?,
        part(8..10)?,
        part(10..12)?,
        part(12..14)?
    ))
    // Beyond what 64 bits of nanoseconds hold: as late as can be told.
    .or_else(|| (part(0..4)? > "2261").then_some(Timestamp::from_nanos(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};

    use super::*;

    fn sign(names: &[&str], until: i32) -> Vec<u8> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, "node-1");
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(until, 3, 2);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    fn check(names: &[&str], until: i32, expected: &str) {
        assert_eq!(Certificate::read(&sign(names, until)).unwrap().to_string(), expected);
    }

    #[test]
    fn tells_names_issuer_and_end() {
        check(
            &["n1", "10.0.0.1", "fd00::1"],
            2031,
            "node-1 for n1, 10.0.0.1, fd00::1, self-signed, valid until 2031-03-02T00:00:00Z",
        );
        check(
            &[],
            2099,
            "node-1 for no name at all, self-signed, valid until 2099-03-02T00:00:00Z",
        );
        check(
            &["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"],
            1999,
            "node-1 for a, b, c, d, e, f, g, h and 2 more, self-signed, valid until \
             1999-03-02T00:00:00Z",
        );
        let far = Certificate::read(&sign(&["x"], 4000)).unwrap();
        assert!(!far.ends_soon(Timestamp::from_secs(1_795_000_000)));
    }

    #[test]
    fn any_bytes_are_read_without_harm() {
        let whole = sign(&["n1", "10.0.0.1"], 2031);
        for end in 0..whole.len() {
            assert_eq!(Certificate::read(&whole[..end]), None, "{end}");
        }
        for at in 0..whole.len() {
            let mut bent = whole.clone();
            bent[at] ^= 0xff;
            drop(Certificate::read(&bent));
        }
    }
}
