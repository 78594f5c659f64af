//! AWS Signature Version 4: the headers that prove who sends a request. Reads no clock.

use std::fmt::Write as _;

use http::{HeaderName, HeaderValue, header};
use model::Timestamp;
use once::Order as _;
use ring::{digest, hmac};

use crate::Error;
use crate::settings::{Secret, Settings};

/// Settings of a sink that signs, as (name, one sentence).
pub(crate) const SETTINGS: &[(&str, &str)] = &[
    ("access_key", "access key id (default: AWS_ACCESS_KEY_ID of the environment)"),
    ("secret_key", "secret access key (default: AWS_SECRET_ACCESS_KEY of the environment)"),
    ("secret_key_file", "file that holds the secret access key"),
    ("session_token", "session token of temporary credentials"),
    ("session_token_file", "file that holds the session token"),
    ("region", "region (default us-east-1)"),
];

const SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// Signs requests to one service.
#[derive(Debug)]
pub(crate) struct Signer {
    access_key: String,
    secret_key: Secret,
    session_token: Option<Secret>,
    region: String,
    /// `s3`, `es`, `aoss`: S3 signs the body's hash as a header and does not encode paths twice.
    service: &'static str,
}

/// What of a request is signed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signed<'a> {
    pub(crate) method: &'a str,
    /// `host` or `host:port`, as the header says it.
    pub(crate) host: &'a str,
    /// Path and query as they are sent.
    pub(crate) target: &'a str,
    pub(crate) body: &'a [u8],
    pub(crate) time: Timestamp,
}

impl Signer {
    /// A signer with the settings of [`SETTINGS`]; `None` where there is no access key.
    pub(crate) fn new(settings: &Settings, service: &'static str) -> Result<Option<Self>, Error> {
        let access_key = settings.text_or("access_key", "");
        let secret_key = settings.secret("secret_key", "secret_key_file")?;
        match (access_key, secret_key) {
            ("", None) => Ok(None),
            ("", Some(_)) | (_, None) => {
                Err(settings.bad("access_key", access_key, "access keys, with a secret_key"))
            }
            (access_key, Some(secret_key)) => Ok(Some(Self {
                access_key: access_key.to_owned(),
                secret_key,
                session_token: settings.secret("session_token", "session_token_file")?,
                region: settings.text_or("region", "us-east-1").to_owned(),
                service,
            })),
        }
    }

    /// The headers to add, the authorization among them.
    pub(crate) fn sign(&self, request: &Signed<'_>) -> Vec<(HeaderName, HeaderValue)> {
        let Some(time) = amz_date(request.time) else { return Vec::new() };
        let body_hash = hex(digest::digest(&digest::SHA256, request.body).as_ref());
        let mut signed = vec![(header::HOST, request.host.to_owned())];
        if self.service == "s3" {
            signed.push((SHA256, body_hash.clone()));
        }
        signed.push((DATE, time.clone()));
        if let Some(token) = &self.session_token {
            signed.push((TOKEN, token.reveal().to_owned()));
        }
        let names: Vec<&str> = signed.iter().map(|(name, _)| name.as_str()).collect();
        let names = names.join(";");
        let canonical = self.canonical(request, &signed, &names, &body_hash);
        let day = time.get(..8).unwrap_or_default();
        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let hash = hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref());
        let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{hash}");
        let signature = hex(&self.signature(day, &text));
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
            self.access_key
        );
        signed.push((header::AUTHORIZATION, authorization));
        signed
            .into_iter()
            .filter(|(name, _)| *name != header::HOST)
            .filter_map(|(name, value)| {
                let mut header = HeaderValue::from_str(&value).ok()?;
                header.set_sensitive(name == TOKEN || name == header::AUTHORIZATION);
                Some((name, header))
            })
            .collect()
    }

    fn canonical(
        &self,
        request: &Signed<'_>,
        headers: &[(HeaderName, String)],
        names: &str,
        body_hash: &str,
    ) -> String {
        let (path, query) = request.target.split_once('?').unwrap_or((request.target, ""));
        let path = match path {
            "" => "/".to_owned(),
            path if self.service == "s3" => path.to_owned(),
            path => encode_path(path),
        };
        let mut pairs: Vec<String> = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| if pair.contains('=') { pair.to_owned() } else { format!("{pair}=") })
            .collect();
        pairs.order();
        let mut text = format!("{}\n{path}\n{}\n", request.method, pairs.join("&"));
        for (name, value) in headers {
            // Writing to a string cannot fail.
            writeln!(text, "{name}:{}", value.trim()).ok();
        }
        write!(text, "\n{names}\n{body_hash}").ok();
        text
    }

    fn signature(&self, day: &str, text: &str) -> Vec<u8> {
        let mut key = format!("AWS4{}", self.secret_key.reveal()).into_bytes();
        for part in [day, &*self.region, self.service, "aws4_request", text] {
            let by = hmac::Key::new(hmac::HMAC_SHA256, &key);
            key = hmac::sign(&by, part.as_bytes()).as_ref().to_vec();
        }
        key
    }
}

/// `20130524T000000Z`; `None` for a time that no calendar has.
fn amz_date(time: Timestamp) -> Option<String> {
    let time = jiff::Timestamp::from_second(time.secs()).ok()?;
    Some(time.strftime("%Y%m%dT%H%M%SZ").to_string())
}

/// `path`, whose segments are encoded once already, encoded once more.
fn encode_path(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        push_encoded(&mut out, byte, true);
    }
    out
}

/// `byte` as it may stand in a signed path or query; a slash only where it is `allowed`.
pub(crate) fn push_encoded(out: &mut String, byte: u8, slash_allowed: bool) {
    let plain = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    if plain || (slash_allowed && byte == b'/') {
        out.push(char::from(byte));
    } else {
        write!(out, "%{byte:02X}").ok();
    }
}

/// Bytes in lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        write!(text, "{byte:02x}").ok();
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(signer: &Signer, host: &str, target: &str, time: &str) -> String {
        let time = Timestamp::parse_rfc3339(time).unwrap();
        let request = Signed { method: "GET", host, target, body: b"", time };
        let headers = signer.sign(&request);
        let (_, value) = headers.iter().find(|(name, _)| *name == header::AUTHORIZATION).unwrap();
        value.to_str().unwrap().rsplit_once("Signature=").unwrap().1.to_owned()
    }

    /// Requests and signatures from AWS's documentation of S3 and from its published test suite.
    #[test]
    fn signatures_are_those_that_aws_publishes() {
        let signer = |access_key: &str, secret_key: &str, service| Signer {
            access_key: access_key.into(),
            secret_key: secret_key.into(),
            session_token: None,
            region: "us-east-1".into(),
            service,
        };
        let s3 = signer("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "s3");
        let host = "examplebucket.s3.amazonaws.com";
        assert_eq!(
            signature(&s3, host, "/?lifecycle", "2013-05-24T00:00:00Z"),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
        );
        assert_eq!(
            signature(&s3, host, "/?prefix=J&max-keys=2", "2013-05-24T00:00:00Z"),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
        );
        let other = signer("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "service");
        assert_eq!(
            signature(&other, "example.amazonaws.com", "/", "2015-08-30T12:36:00Z"),
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
        );
    }
}
