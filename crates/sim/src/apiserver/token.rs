//! Tokens of service accounts, each good for a while: `TokenRequest`.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use http::{Method, Response, StatusCode};
use serde_json::json;

use super::caller::Caller;
use super::status::Status;
use super::{Api, Place, Request, json as respond, list};
use crate::http::Body;
use crate::objects::{Object, time};
use crate::plan::Sec;
use crate::store::Kind;

/// Tokens known at once; the first to end gives way.
const MOST_TOKENS: usize = 1_000;
/// How long a token is good when nobody says.
const USUAL: Sec = 3_600;
/// The shortest, as Kubernetes allows it.
const LEAST: Sec = 600;

/// Tokens that were given out.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    given: Mutex<BTreeMap<String, (Caller, Sec)>>,
}

impl Tokens {
    /// Whose token it is at `now`.
    pub(crate) fn owner(&self, token: &str, now: Sec) -> Option<Caller> {
        let given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        given.get(token).filter(|(_, ends)| now < *ends).map(|(owner, _)| owner.clone())
    }

    fn add(&self, token: String, owner: Caller, ends: Sec) {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        if given.len() >= MOST_TOKENS {
            let first = given.iter().min_by_key(|(_, (_, ends))| *ends);
            if let Some(first) = first.map(|(token, _)| token.clone()) {
                given.remove(&first);
            }
        }
        given.insert(token, (owner, ends));
    }
}

/// Answers `POST …/serviceaccounts/{name}/token`.
pub(super) fn answer(
    api: &Api,
    place: &Place,
    request: &Request,
) -> Result<Response<Body>, Status> {
    if request.method != Method::POST {
        return Err(Status::method_not_allowed());
    }
    if request.body.starts_with(b"k8s\0") {
        return Err(Status::not_json());
    }
    let mut asked = once::json(&request.body)
        .map_err(|error| Status::bad_request(format!("the request cannot be read: {error}")))?;
    if !asked.is_object() {
        return Err(Status::bad_request("a TokenRequest is an object"));
    }
    let (Some(namespace), Some(name)) = (&place.namespace, &place.name) else {
        return Err(Status::no_such_path());
    };
    let missing = || Status::not_found(place.resource, name);
    let index = list::namespace_index(api.store.cluster(), namespace).ok_or_else(missing)?;
    let account = api.store.get(Kind::ServiceAccounts, &(index, name.as_str().into()));
    let Object::Written(account) = account.ok_or_else(missing)?.object else {
        return Err(missing());
    };
    let seconds = asked["spec"]["expirationSeconds"].as_i64().unwrap_or(USUAL);
    if seconds < LEAST {
        return Err(Status::invalid(format!(
            "TokenRequest \"{name}\" is invalid: spec.expirationSeconds: Invalid value: {seconds}: \
             may not specify a duration less than 10 minutes"
        )));
    }
    let now = (api.now)().secs();
    let ends = now + seconds;
    let token = format!("sim-{:032x}", rand(api, &account.uid, now));
    api.tokens.add(token.clone(), Caller::account(namespace, name, account.uid.clone()), ends);
    asked["kind"] = "TokenRequest".into();
    asked["apiVersion"] = "authentication.k8s.io/v1".into();
    asked["status"] = json!({ "token": token, "expirationTimestamp": time(ends) });
    Ok(respond(StatusCode::CREATED, &asked))
}

/// A number that differs with each token of a run; nothing here is a secret worth keeping.
fn rand(api: &Api, uid: &str, now: Sec) -> u128 {
    let count = api.tokens.given.lock().unwrap_or_else(PoisonError::into_inner).len();
    let text: u64 = uid.bytes().fold(0, |all, byte| crate::seed::mix(all, u64::from(byte)));
    let low = crate::seed::mix(text, now.unsigned_abs());
    let high = crate::seed::mix(low, count as u64);
    (u128::from(high) << 64) | u128::from(low)
}
