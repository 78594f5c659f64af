//! A URL as Go's `net/url` reads and prints it. Does not decode the path: it prints what it read.

use std::fmt;

/// The parts of a URL, empty where absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GoUrl {
    /// Lower case.
    pub scheme: String,
    /// What follows `scheme:` when no slash does.
    pub opaque: String,
    /// `user[:password]`, still escaped.
    pub userinfo: String,
    /// `host[:port]`, IPv6 in brackets.
    pub host: String,
    /// Path as written.
    pub path: String,
    /// Query as written, without the question mark.
    pub raw_query: String,
    /// Fragment as written, without the hash.
    pub fragment: String,
}

impl GoUrl {
    /// Reads `text` by the rules of Go's `url.Parse`; the error is Go's reason.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.bytes().any(|byte| byte < 0x20 || byte == 0x7f) {
            return Err("invalid control character in URL".to_owned());
        }
        let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
        let (scheme, rest) = scheme_of(text)?;
        let (rest, raw_query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut url = Self {
            scheme: scheme.to_ascii_lowercase(),
            raw_query: raw_query.to_owned(),
            fragment: fragment.to_owned(),
            ..Self::default()
        };
        if !rest.starts_with('/') {
            if !scheme.is_empty() {
                rest.clone_into(&mut url.opaque);
                return Ok(url);
            }
            if rest.split('/').next().is_some_and(|segment| segment.contains(':')) {
                return Err("first path segment in URL cannot contain colon".to_owned());
            }
        }
        let authority =
            rest.strip_prefix("//").filter(|after| !scheme.is_empty() || !after.starts_with('/'));
        let Some(after) = authority else {
            rest.clone_into(&mut url.path);
            return Ok(url);
        };
        let end = after.find('/').unwrap_or(after.len());
        let (authority, path) = after.split_at_checked(end).unwrap_or((after, ""));
        path.clone_into(&mut url.path);
        let (userinfo, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        check_host(host)?;
        userinfo.clone_into(&mut url.userinfo);
        host.clone_into(&mut url.host);
        Ok(url)
    }

    /// The query as decoded name-value pairs, malformed pairs left out. Both `&` and `;` separate,
    /// as they did in the Go that built Heapster.
    pub fn query_pairs(&self) -> Vec<(String, String)> {
        self.raw_query
            .split(['&', ';'])
            .filter(|pair| !pair.is_empty())
            .filter_map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                Some((unescape(name, true)?, unescape(value, true)?))
            })
            .collect()
    }

    /// Decoded user name and password.
    pub fn credentials(&self) -> Option<(String, Option<String>)> {
        if self.userinfo.is_empty() {
            return None;
        }
        let (user, password) = match self.userinfo.split_once(':') {
            Some((user, password)) => (user, Some(unescape(password, false)?)),
            None => (&*self.userinfo, None),
        };
        Some((unescape(user, false)?, password))
    }
}

impl fmt::Display for GoUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.scheme.is_empty() {
            write!(f, "{}:", self.scheme)?;
        }
        if self.opaque.is_empty() {
            if !self.host.is_empty() || !self.userinfo.is_empty() {
                f.write_str("//")?;
                if !self.userinfo.is_empty() {
                    write!(f, "{}@", self.userinfo)?;
                }
                f.write_str(&self.host)?;
            }
            f.write_str(&self.path)?;
        } else {
            f.write_str(&self.opaque)?;
        }
        if !self.raw_query.is_empty() {
            write!(f, "?{}", self.raw_query)?;
        }
        if !self.fragment.is_empty() {
            write!(f, "#{}", self.fragment)?;
        }
        Ok(())
    }
}

/// Scheme and rest; no scheme when the text does not begin like one.
fn scheme_of(text: &str) -> Result<(&str, &str), String> {
    for (at, c) in text.char_indices() {
        match c {
            'a'..='z' | 'A'..='Z' => {}
            '0'..='9' | '+' | '-' | '.' if at > 0 => {}
            ':' if at == 0 => return Err("missing protocol scheme".to_owned()),
            ':' => return Ok(text.split_once(':').unwrap_or(("", text))),
            _ => return Ok(("", text)),
        }
    }
    Ok(("", text))
}

fn check_host(host: &str) -> Result<(), String> {
    let port = if host.starts_with('[') {
        let Some((_, after)) = host.rsplit_once(']') else {
            return Err("missing ']' in host".to_owned());
        };
        after
    } else {
        host.find(':').and_then(|at| host.get(at..)).unwrap_or("")
    };
    let valid = port.is_empty()
        || port.strip_prefix(':').is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
    if !valid {
        return Err(format!("invalid port {port:?} after host"));
    }
    match host.chars().find(|c| matches!(c, ' ' | '<' | '>' | '"' | '\\' | '^' | '`' | '{' | '}')) {
        Some(c) => Err(format!("invalid character {:?} in host name", c.to_string())),
        None => Ok(()),
    }
}

/// Undoes percent escapes; `None` when one is malformed or the bytes are not UTF-8.
fn unescape(text: &str, plus_is_space: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => hex(rest.next()?)? * 16 + hex(rest.next()?)?,
            b'+' if plus_is_space => b' ',
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_queries_and_credentials() {
        let url = GoUrl::parse("http://u%40x:p%3Aw@h/?a=b+c&d=%zz;e=%C3%A4&f").unwrap();
        let pairs = [("a", "b c"), ("e", "ä"), ("f", "")];
        let pairs: Vec<_> = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        assert_eq!(url.query_pairs(), pairs);
        assert_eq!(url.credentials(), Some(("u@x".to_owned(), Some("p:w".to_owned()))));
    }
}
