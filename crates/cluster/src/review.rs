//! Asking the API server about others: whose token, who may, which front proxies it uses; and
//! telling it our serving certificate.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Method, Request};
use serde_json::{Value, json};

use crate::Connection;
use crate::connect::ConnectError;

/// Where the API server says whom aggregated servers should trust.
const AUTHENTICATION: &str =
    "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication";
/// Most certificates in a bundle: those of replicas, the newest first.
const MAX_CERTIFICATES: usize = 8;
const BEGIN: &str = "-----BEGIN CERTIFICATE-----";

/// Somebody as a review names them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subject {
    /// Name.
    pub name: String,
    /// Uid; may be empty.
    pub uid: String,
    /// Groups.
    pub groups: Vec<String>,
    /// More, as (key, values).
    pub extra: Vec<(String, Vec<String>)>,
}

/// What is asked about; a resource, or a path where `resource` is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Access<'a> {
    /// `get`, `list`, …
    pub verb: &'a str,
    /// API group.
    pub group: &'a str,
    /// Its version.
    pub version: &'a str,
    /// Plural name.
    pub resource: &'a str,
    /// Empty for all.
    pub namespace: &'a str,
    /// What of the resource; empty for the whole.
    pub subresource: &'a str,
    /// Empty for lists.
    pub name: &'a str,
    /// Path, where it is no resource's.
    pub path: &'a str,
}

/// The content of `kube-system/extension-apiserver-authentication`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FrontProxy {
    /// PEM: authority of client certificates.
    pub client_ca: Option<String>,
    /// PEM: authority of front proxies.
    pub front_proxy_ca: Option<String>,
    /// Common names that front proxies have; empty for any.
    pub allowed_names: Vec<String>,
    /// Headers with the user's name.
    pub username_headers: Vec<String>,
    /// Headers with the user's uid.
    pub uid_headers: Vec<String>,
    /// Headers with groups.
    pub group_headers: Vec<String>,
    /// Prefixes of headers with more.
    pub extra_prefixes: Vec<String>,
}

/// What became of telling the API server our certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Injected {
    /// It knows it from now on.
    Now,
    /// It knew it already.
    Before,
    /// No `APIService` of that name is registered.
    Unregistered,
}

impl Connection {
    /// Whose `token` it is; `None` when the API server does not know it.
    pub async fn review_token(&self, token: &str) -> Result<Option<Subject>, ConnectError> {
        let review = json!({
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
            "spec": { "token": token },
        });
        let path = "/apis/authentication.k8s.io/v1/tokenreviews";
        let answer = self.send(Method::POST, path, &review, "tokenreviews").await?;
        let status = &answer["status"];
        if status["authenticated"] != true {
            return Ok(None);
        }
        let user = &status["user"];
        let extra = user["extra"].as_object().into_iter().flatten();
        Ok(Some(Subject {
            name: text(&user["username"]),
            uid: text(&user["uid"]),
            groups: texts(&user["groups"]),
            extra: extra.map(|(key, values)| (key.clone(), texts(values))).collect(),
        }))
    }

    /// Whether `subject` may, and why if that is said.
    pub async fn review_access(
        &self,
        subject: &Subject,
        access: &Access<'_>,
    ) -> Result<(bool, String), ConnectError> {
        let mut spec = json!({
            "user": subject.name, "uid": subject.uid, "groups": subject.groups,
            "extra": subject.extra.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
        });
        if access.resource.is_empty() {
            spec["nonResourceAttributes"] = json!({ "verb": access.verb, "path": access.path });
        } else {
            spec["resourceAttributes"] = json!({
                "verb": access.verb, "group": access.group, "version": access.version,
                "resource": access.resource, "subresource": access.subresource,
                "namespace": access.namespace, "name": access.name,
            });
        }
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec,
        });
        let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
        let answer = self.send(Method::POST, path, &review, "subjectaccessreviews").await?;
        let status = &answer["status"];
        Ok((status["allowed"] == true, text(&status["reason"])))
    }

    /// Whom the API server wants aggregated servers to trust.
    pub async fn front_proxy(&self) -> Result<FrontProxy, ConnectError> {
        let map = self.send(Method::GET, AUTHENTICATION, &Value::Null, "configmaps").await?;
        let data = &map["data"];
        // Lists are JSON inside the map's texts.
        let list = |key: &str| {
            let listed: Option<Vec<String>> =
                data[key].as_str().and_then(|text| serde_json::from_str(text).ok());
            listed.unwrap_or_default()
        };
        let pem = |key: &str| data[key].as_str().map(str::to_owned);
        Ok(FrontProxy {
            client_ca: pem("client-ca-file"),
            front_proxy_ca: pem("requestheader-client-ca-file"),
            allowed_names: list("requestheader-allowed-names"),
            username_headers: list("requestheader-username-headers"),
            uid_headers: list("requestheader-uid-headers"),
            group_headers: list("requestheader-group-headers"),
            extra_prefixes: list("requestheader-extra-headers-prefix"),
        })
    }

    /// Makes the API server trust `certificate` (PEM) where the `APIService` of that name leads.
    /// Certificates of other replicas stay.
    pub async fn inject_ca(
        &self,
        service: &str,
        certificate: &str,
    ) -> Result<Injected, ConnectError> {
        let path = format!("/apis/apiregistration.k8s.io/v1/apiservices/{service}");
        let request = Request::get(&path).body(Vec::new()).unwrap_or_default();
        let asked = async {
            match self.client().request::<Value>(request).await {
                Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
                found => found.map(Some),
            }
        };
        let found = self.within(asked, Some("apiservices")).await?;
        let Some(found) = found else { return Ok(Injected::Unregistered) };
        let held = found["spec"]["caBundle"].as_str().unwrap_or("");
        let held = STANDARD.decode(held).unwrap_or_default();
        let held = String::from_utf8_lossy(&held);
        let Some(bundle) = with_certificate(&held, certificate) else {
            return Ok(Injected::Before);
        };
        let change = json!({
            // Another replica may do the same at this very moment.
            "metadata": { "resourceVersion": found["metadata"]["resourceVersion"] },
            "spec": { "caBundle": STANDARD.encode(bundle), "insecureSkipTLSVerify": false },
        });
        self.send(Method::PATCH, &path, &change, "apiservices").await.map(|_| Injected::Now)
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: &Value,
        resource: &str,
    ) -> Result<Value, ConnectError> {
        let kind = match method {
            Method::PATCH => "application/merge-patch+json",
            _ => "application/json",
        };
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let request = Request::builder().method(method).uri(path);
        let request = request.header(http::header::CONTENT_TYPE, kind).body(body);
        let request = request.unwrap_or_default();
        self.within(self.client().request(request), Some(resource)).await
    }
}

/// `held` with `certificate` before the others; `None` when it is there already.
fn with_certificate(held: &str, certificate: &str) -> Option<String> {
    let certificate = certificate.trim();
    let others = || held.split(BEGIN).map(str::trim).filter(|rest| rest.contains("-----END"));
    let whole = |rest: &str| format!("{BEGIN}\n{rest}\n");
    if others().any(|rest| whole(rest).trim() == certificate) {
        return None;
    }
    let mut bundle = format!("{certificate}\n");
    others().take(MAX_CERTIFICATES - 1).for_each(|rest| bundle.push_str(&whole(rest)));
    Some(bundle)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_holds_the_certificates_of_replicas_and_is_bounded() {
        let pem = |n: usize| format!("{BEGIN}\nAAA{n}\n-----END CERTIFICATE-----\n");
        let first = with_certificate("", &pem(1)).unwrap();
        assert_eq!(first, pem(1));
        assert_eq!(with_certificate(&first, &pem(1)), None);
        let second = with_certificate(&first, &pem(2)).unwrap();
        assert_eq!(second, pem(2) + &pem(1));
        assert_eq!(with_certificate(&second, &pem(1)), None);
        let many = (3..30).fold(second, |held, n| with_certificate(&held, &pem(n)).unwrap());
        assert_eq!(many.matches(BEGIN).count(), MAX_CERTIFICATES);
    }
}
