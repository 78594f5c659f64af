//! Names in a certificate's subject. Knows only as much DER as that takes, and trusts
//! the TLS library to have verified the certificate.

/// 2.5.4.3, `id-at-commonName`.
const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];
/// 2.5.4.10, `id-at-organizationName`.
const ORGANIZATION: [u8; 3] = [0x55, 0x04, 0x0a];

const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;
/// The version, a context-specific element that may be absent.
const VERSION: u8 = 0xa0;

/// The last common name of the subject of `certificate` (DER), as Go's `Subject.CommonName`.
pub(crate) fn common_name(certificate: &[u8]) -> Option<String> {
    values(certificate, COMMON_NAME)?.pop()
}

/// The organizations in the subject of `certificate` (DER), which Kubernetes reads as groups.
pub(crate) fn organizations(certificate: &[u8]) -> Vec<String> {
    values(certificate, ORGANIZATION).unwrap_or_default()
}

fn values(certificate: &[u8], wanted: [u8; 3]) -> Option<Vec<String>> {
    let (certificate, _) = expect(certificate, SEQUENCE)?;
    let (mut fields, _) = expect(certificate, SEQUENCE)?;
    if let (VERSION, _, rest) = element(fields)? {
        fields = rest;
    }
    // Serial number, signature algorithm, issuer, validity.
    for _ in 0..4 {
        (_, _, fields) = element(fields)?;
    }
    let (mut names, _) = expect(fields, SEQUENCE)?;
    let mut found = Vec::new();
    while !names.is_empty() {
        let (_, mut set, rest) = element(names)?;
        names = rest;
        while !set.is_empty() {
            let (pair, after) = expect(set, SEQUENCE)?;
            set = after;
            let (oid, value) = expect(pair, OBJECT_IDENTIFIER)?;
            if *oid == wanted {
                let (_, text, _) = element(value)?;
                found.push(String::from_utf8(text.to_vec()).ok()?);
            }
        }
    }
    Some(found)
}

/// The first element's content, if it has the tag, and what follows it.
fn expect(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = element(der)?;
    (found == tag).then_some((content, rest))
}

/// The first element: tag, content, and what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let [tag, first, rest @ ..] = der else { return None };
    let (length, rest) = if *first < 0x80 {
        (usize::from(*first), rest)
    } else {
        let (bytes, rest) = rest.split_at_checked(usize::from(*first & 0x7f))?;
        if bytes.len() > 4 {
            return None;
        }
        (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::*;

    #[test]
    fn finds_the_common_name_and_survives_damage() {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::OrganizationName, "ops");
        params.distinguished_name.push(DnType::CommonName, "ann");
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let der = certificate.der();
        assert_eq!(common_name(der).as_deref(), Some("ann"));
        assert_eq!(organizations(der), ["ops"]);
        for cut in 0..der.len() {
            common_name(&der[..cut]);
            let mut damaged = der.to_vec();
            damaged[cut] ^= 0xff;
            common_name(&damaged);
        }
    }
}
