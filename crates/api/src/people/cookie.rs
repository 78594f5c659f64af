//! The cookies of the dashboard: read from a request, written for an answer.

use http::{HeaderMap, HeaderValue, header};

/// Holds a session's secret.
pub(super) const SESSION: &str = "taffrail_session";
/// Ties an answer of the identity provider to the browser that asked for it.
pub(super) const OIDC: &str = "taffrail_oidc";

/// Longest path of a dashboard.
const MAX_PATH_BYTES: usize = 512;

/// The value of the cookie `name`; the first one, when there are several.
pub(super) fn read<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter();
    let pairs = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(';'));
    pairs
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|it| it.1)
}

/// Sets cookie `name` for the dashboard below `path`, no script may read it, and only requests
/// over TLS or to this machine carry it.
pub(super) fn set(
    name: &str,
    value: &str,
    path: &str,
    seconds: u64,
    same_site: &str,
) -> Option<HeaderValue> {
    let text = format!(
        "{name}={value}; Path={path}; Max-Age={seconds}; Secure; HttpOnly; SameSite={same_site}"
    );
    HeaderValue::try_from(text).ok()
}

/// `given` as the path of a dashboard: what follows cannot add attributes or lead elsewhere.
pub(super) fn path(given: &str) -> Option<&str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~:%".contains(&byte);
    let well = given.starts_with('/')
        && !given.starts_with("//")
        && given.len() <= MAX_PATH_BYTES
        && given.bytes().all(plain);
    well.then_some(given)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_found_and_paths_cannot_lead_astray() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=1; taffrail_session=s=2"));
        headers.append(header::COOKIE, HeaderValue::from_static("b=3"));
        assert_eq!(read(&headers, SESSION), Some("s=2"));
        assert_eq!(read(&headers, "b"), Some("3"));
        assert_eq!(read(&headers, "c"), None);
        for (given, well) in [
            ("/", true),
            ("/api/v1/namespaces/x/services/http:y:/proxy/", true),
            ("//evil.example/", false),
            ("/; Domain=evil.example", false),
            ("https://evil.example/", false),
            ("", false),
        ] {
            assert_eq!(path(given).is_some(), well, "{given}");
        }
    }
}
