//! Client certificates that the cluster's authority issued, and whose they are.
//!
//! `POST /sim/certificates` is the simulation's own door, like `/sim/faults`: it takes
//! `{"name":"ann","group":"crew"}` and answers `{"certificate":PEM,"key":PEM}`.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use http::{Method, Response, StatusCode};
use rustls_pki_types::CertificateDer;
use serde::Deserialize;
use serde_json::json;

use super::caller::{AUTHENTICATED, Caller};
use super::status::Status;
use super::{Request, json as respond};
use crate::http::Body;
use crate::tls::Authority;

/// Most certificates that are issued.
const MOST_ISSUED: usize = 1_000;

/// What was issued, by the certificate.
pub(crate) struct Issued {
    authority: Arc<Authority>,
    known: Mutex<HashMap<Vec<u8>, Caller>>,
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued").finish_non_exhaustive()
    }
}

/// Whom a certificate is for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    name: String,
    #[serde(default)]
    group: String,
}

impl Issued {
    pub(crate) fn new(authority: Arc<Authority>) -> Self {
        Self { authority, known: Mutex::default() }
    }

    /// Whose certificate it is; the connection has checked it.
    pub(crate) fn owner(&self, certificate: &CertificateDer<'_>) -> Option<Caller> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(certificate.as_ref()).cloned()
    }

    pub(super) fn answer(&self, request: &Request) -> Result<Response<Body>, Status> {
        if request.method != Method::POST {
            return Err(Status::method_not_allowed());
        }
        let wanted: Wanted = serde_json::from_slice(&request.body)
            .map_err(|error| Status::bad_request(format!("the order cannot be read: {error}")))?;
        let made = self.authority.person(&wanted.name, &wanted.group);
        let made = made.map_err(|error| Status::bad_request(error.to_string()))?;
        let groups = [wanted.group, AUTHENTICATED.to_owned()];
        let groups = groups.into_iter().filter(|group| !group.is_empty()).collect();
        let caller = Caller { name: wanted.name, groups, ..Caller::default() };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_ISSUED {
            return Err(Status::bad_request("too many certificates were issued"));
        }
        known.insert(made.der.as_ref().to_vec(), caller);
        let answer = json!({ "certificate": made.certificate, "key": made.key });
        Ok(respond(StatusCode::CREATED, &answer))
    }
}
