//! Where a sink sends to: `scheme://host:port/path`, every part of which may be missing.

/// The parts of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// Empty when there is none.
    pub(crate) scheme: String,
    /// `host:port`; IPv6 in brackets.
    pub(crate) authority: String,
    /// With its first slash; empty when there is none.
    pub(crate) path: String,
}

impl Address {
    /// Reads `text`; host and port that it lacks are those of `default` (`host:port`).
    pub(crate) fn parse(text: &str, default: &str) -> Self {
        let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
        let (authority, path) = match rest.find('/').and_then(|at| rest.split_at_checked(at)) {
            Some((authority, path)) => (authority, path),
            None => (rest, ""),
        };
        let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let (default_host, default_port) = default.rsplit_once(':').unwrap_or((default, ""));
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port),
            _ => (authority, ""),
        };
        let host = if host.is_empty() { default_host } else { host };
        let port = if port.is_empty() { default_port } else { port };
        Self {
            scheme: scheme.to_owned(),
            authority: format!("{host}:{port}"),
            path: path.to_owned(),
        }
    }

    /// `scheme://host:port` for requests, which go without TLS unless it is asked for.
    pub(crate) fn base(&self) -> String {
        let scheme = if self.scheme == "https" { "https" } else { "http" };
        format!("{scheme}://{}", self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_the_default() {
        let check = |text, expected: (&str, &str, &str)| {
            let read = Address::parse(text, "localhost:8086");
            assert_eq!((&*read.scheme, &*read.authority, &*read.path), expected, "{text}");
        };
        check("", ("", "localhost:8086", ""));
        check("http://db/", ("http", "db:8086", "/"));
        check("http://u:p@db:1/x/y", ("http", "db:1", "/x/y"));
        check("db:1", ("", "db:1", ""));
        check("udp://:9", ("udp", "localhost:9", ""));
        check("http://[::1]", ("http", "[::1]:8086", ""));
        check("http://[::1]:7", ("http", "[::1]:7", ""));
    }
}
