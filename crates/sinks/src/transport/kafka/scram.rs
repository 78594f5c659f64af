//! SCRAM (RFC 5802, RFC 7677): proves a password to a broker without sending it, and has the broker
//! prove that it knows it too.

use std::io;
use std::num::NonZeroU32;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::{digest, hmac, pbkdf2};

/// Rounds that a broker may ask for: fewer than these give the password away.
const LEAST_ROUNDS: u32 = 4096;
/// More would only keep us busy.
const MOST_ROUNDS: u32 = 100_000;
const NONCE_BYTES: usize = 18;
/// No channel binding, in base64.
const UNBOUND: &str = "biws";

/// Which hash is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha256,
    Sha512,
}

impl Hash {
    fn digest(self, bytes: &[u8]) -> digest::Digest {
        let algorithm = match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha512 => &digest::SHA512,
        };
        digest::digest(algorithm, bytes)
    }

    fn hmac(self, key: &[u8], text: &[u8]) -> hmac::Tag {
        let algorithm = match self {
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha512 => hmac::HMAC_SHA512,
        };
        hmac::sign(&hmac::Key::new(algorithm, key), text)
    }

    fn stretched(self, password: &str, salt: &[u8], rounds: NonZeroU32) -> Vec<u8> {
        let (algorithm, length) = match self {
            Self::Sha256 => (pbkdf2::PBKDF2_HMAC_SHA256, digest::SHA256_OUTPUT_LEN),
            Self::Sha512 => (pbkdf2::PBKDF2_HMAC_SHA512, digest::SHA512_OUTPUT_LEN),
        };
        let mut out = vec![0; length];
        pbkdf2::derive(algorithm, rounds, salt, password.as_bytes(), &mut out);
        out
    }
}

/// A conversation that has begun.
pub(super) struct Scram {
    hash: Hash,
    nonce: String,
    /// The first message without its head.
    bare: String,
}

impl Scram {
    pub(super) fn new(hash: Hash, user: &str) -> io::Result<Self> {
        let mut nonce = [0; NONCE_BYTES];
        SystemRandom::new().fill(&mut nonce).map_err(|_| io::Error::other("no random bytes"))?;
        Ok(Self::with_nonce(hash, user, BASE64_STANDARD.encode(nonce)))
    }

    fn with_nonce(hash: Hash, user: &str, nonce: String) -> Self {
        let user = user.replace('=', "=3D").replace(',', "=2C");
        let bare = format!("n={user},r={nonce}");
        Self { hash, nonce, bare }
    }

    /// The first message.
    pub(super) fn first(&self) -> String {
        format!("n,,{}", self.bare)
    }

    /// The last message, an answer to `challenge`, and the verdict that the broker must give.
    pub(super) fn last(self, challenge: &str, password: &str) -> io::Result<(String, String)> {
        let field = |name: &str| {
            let found = challenge.split(',').find_map(|field| field.strip_prefix(name));
            found.ok_or_else(|| io::Error::other(format!("a challenge without {name}")))
        };
        let nonce = field("r=")?;
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err(io::Error::other("a challenge to somebody else"));
        }
        let salt = BASE64_STANDARD.decode(field("s=")?).map_err(io::Error::other)?;
        let rounds: u32 = field("i=")?.parse().map_err(io::Error::other)?;
        let rounds = NonZeroU32::new(rounds)
            .filter(|rounds| (LEAST_ROUNDS..=MOST_ROUNDS).contains(&rounds.get()))
            .ok_or_else(|| io::Error::other(format!("a challenge of {rounds} rounds")))?;
        let Self { hash, bare, .. } = self;
        let salted = hash.stretched(password, &salt, rounds);
        let client = hash.hmac(&salted, b"Client Key");
        let stored = hash.digest(client.as_ref());
        let unproven = format!("c={UNBOUND},r={nonce}");
        let said = format!("{bare},{challenge},{unproven}");
        let signature = hash.hmac(stored.as_ref(), said.as_bytes());
        let pairs = client.as_ref().iter().zip(signature.as_ref());
        let proof: Vec<u8> = pairs.map(|(left, right)| left ^ right).collect();
        let server = hash.hmac(&salted, b"Server Key");
        let verdict = hash.hmac(server.as_ref(), said.as_bytes());
        let last = format!("{unproven},p={}", BASE64_STANDARD.encode(proof));
        Ok((last, format!("v={}", BASE64_STANDARD.encode(verdict))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Source: RFC 7677, section 3.
    #[test]
    fn the_example_of_the_standard_is_answered_as_it_says() {
        let nonce = "rOprNGfwEbeRWgbNEkqO";
        let scram = || Scram::with_nonce(Hash::Sha256, "user", nonce.to_owned());
        assert_eq!(scram().first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let whole = format!("{nonce}%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
        let challenge = format!("r={whole},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
        let (last, verdict) = scram().last(&challenge, "pencil").unwrap();
        let proof = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        assert_eq!(last, format!("c=biws,r={whole},p={proof}"));
        assert_eq!(verdict, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
        for bad in [
            format!("r={whole},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1"),
            format!("r={whole},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4294967295"),
            format!("r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"),
            "r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096".to_owned(),
            String::new(),
        ] {
            assert!(scram().last(&bad, "pencil").is_err(), "{bad}");
        }
    }
}
