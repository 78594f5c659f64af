//! The secret that replicas share. It never travels: requests and answers carry a code that only
//! who has it can compute (HMAC-SHA-256), over the request and over answer and request together.

use std::path::Path;

use ring::hmac;

/// The fewest bytes of a token.
pub const SHORTEST_TOKEN: usize = 16;

/// A shared secret.
#[derive(Clone)]
pub struct Token(hmac::Key);

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file.
    #[error("the token of the replicas cannot be read from {path}: {error}")]
    Unreadable {
        /// Where.
        path: String,
        /// What the system says.
        error: std::io::Error,
    },
    /// Its content.
    #[error(
        "the token of the replicas in {path} is shorter than {SHORTEST_TOKEN} bytes; make one \
         with `openssl rand -hex 32`"
    )]
    Short {
        /// Where.
        path: String,
    },
}

impl Token {
    /// Reads a file; white space at its ends is no part of the token.
    pub fn read(path: &Path) -> Result<Self, TokenError> {
        let shown = path.display().to_string();
        let bytes = std::fs::read(path)
            .map_err(|error| TokenError::Unreadable { path: shown.clone(), error })?;
        Self::new(bytes.trim_ascii()).ok_or(TokenError::Short { path: shown })
    }

    /// A token; `None` if it is too short.
    pub fn new(secret: &[u8]) -> Option<Self> {
        let long_enough = secret.len() >= SHORTEST_TOKEN;
        long_enough.then(|| Self(hmac::Key::new(hmac::HMAC_SHA256, secret)))
    }

    /// The code of a request for `target` (path and query) by `from`.
    pub(crate) fn of_request(&self, from: &str, target: &str) -> String {
        hex(&self.sign(&[b"request", from.as_bytes(), target.as_bytes()]))
    }

    /// The code of an answer to the request that had the code `asked`.
    pub(crate) fn of_answer(&self, asked: &str, body: &[u8]) -> String {
        hex(&self.sign(&[b"answer", asked.as_bytes(), body]))
    }

    /// Whether two codes are the same, in a time that does not tell where they differ.
    pub(crate) fn same(&self, left: &str, right: &str) -> bool {
        self.sign(&[left.as_bytes()]).as_ref() == self.sign(&[right.as_bytes()]).as_ref()
    }

    fn sign(&self, parts: &[&[u8]]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            // Lengths go in too, so that no two lists of parts read alike.
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        context.sign()
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

fn hex(tag: &hmac::Tag) -> String {
    let digits = tag.as_ref().iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_hold_for_one_token_and_one_message() {
        let token = Token::new(b"sixteen bytes ok").unwrap();
        let other = Token::new(b"sixteen bytes no").unwrap();
        let code = token.of_request("a", "/share?end=1");
        assert_eq!(code.len(), 64);
        assert!(token.same(&code, &token.of_request("a", "/share?end=1")));
        for wrong in [
            other.of_request("a", "/share?end=1"),
            token.of_request("a", "/share?end=2"),
            token.of_request("a/", "share?end=1"),
            token.of_answer("a", b"/share?end=1"),
        ] {
            assert!(!token.same(&code, &wrong));
        }
        assert!(Token::new(b"too short").is_none());
    }
}
