//! Tokens of an `OpenID` Connect provider that the API server trusts: RS256 signatures by keys that
//! were given at the start. Source: kube-apiserver's `--oidc-*` flags.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde_json::Value;

use crate::apiserver::{AUTHENTICATED, Caller};
use crate::plan::Sec;

/// A provider whose tokens are people.
#[derive(Debug, Clone)]
pub struct Issuer {
    url: String,
    client: String,
    /// Key id, modulus, exponent.
    keys: Vec<(String, Vec<u8>, Vec<u8>)>,
}

impl Issuer {
    /// The provider at `url` whose tokens for `client` are signed by a key of `jwks` (JSON Web
    /// Key Set, RFC 7517); `None` when that has no RSA key.
    pub fn new(url: &str, client: &str, jwks: &str) -> Option<Self> {
        let set = once::json(jwks.as_bytes()).ok()?;
        let decoded = |value: &Value| URL_SAFE_NO_PAD.decode(value.as_str()?).ok();
        let key = |key: &Value| {
            let id = key["kid"].as_str().unwrap_or_default().to_owned();
            Some((id, decoded(&key["n"])?, decoded(&key["e"])?))
        };
        let keys: Vec<_> = set["keys"].as_array()?.iter().filter_map(key).collect();
        let (url, client) = (url.to_owned(), client.to_owned());
        (!keys.is_empty()).then_some(Self { url, client, keys })
    }

    /// Whose token it is at `now`: the name is the claim `email`, else `sub` behind the issuer.
    pub(crate) fn owner(&self, token: &str, now: Sec) -> Option<Caller> {
        let mut parts = token.split('.');
        let (head, body, mark) = (parts.next()?, parts.next()?, parts.next()?);
        let json = |part: &str| -> Option<Value> {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
        };
        let (header, claims) = (json(head)?, json(body)?);
        let signature = URL_SAFE_NO_PAD.decode(mark).ok()?;
        let id = header["kid"].as_str().unwrap_or_default();
        let (_, n, e) = self.keys.iter().find(|(known, ..)| known == id)?;
        let signed = format!("{head}.{body}");
        RsaPublicKeyComponents { n, e }
            .verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &signature)
            .ok()?;
        let for_us = claims["aud"] == self.client.as_str()
            || claims["aud"]
                .as_array()
                .is_some_and(|all| all.iter().any(|one| *one == *self.client));
        if header["alg"] != "RS256"
            || claims["iss"] != self.url.as_str()
            || !for_us
            || claims["exp"].as_i64()? <= now
        {
            return None;
        }
        let name = match claims["email"].as_str() {
            Some(email) => email.to_owned(),
            None => format!("{}#{}", self.url, claims["sub"].as_str()?),
        };
        let mut groups: Vec<String> = claims["groups"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|group| group.as_str().map(str::to_owned))
            .filter(|group| !group.starts_with("system:"))
            .collect();
        groups.push(AUTHENTICATED.to_owned());
        Some(Caller { name, groups, ..Caller::default() })
    }
}
