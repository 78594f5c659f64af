//! Questions to the API server in a person's name, with bounds on their answers.

use axum::body::{Body, to_bytes};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use serde_json::{Value, json};

use super::{Person, Refusal};
use crate::limits::hit;

/// Largest answer that is read whole: a list's page or an object.
pub(crate) const MAX_ANSWER_BYTES: usize = 32 << 20;

/// A question.
pub(crate) struct Question<'a> {
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) path: &'a str,
    pub(crate) accept: &'a str,
    pub(crate) content_type: &'a str,
    pub(crate) body: Bytes,
}

impl<'a> Question<'a> {
    pub(crate) fn get(path: &'a str) -> Self {
        Self {
            method: Method::GET,
            path,
            accept: "application/json",
            content_type: "",
            body: Bytes::new(),
        }
    }

    pub(crate) fn send(method: Method, path: &'a str, body: &Value) -> Self {
        let content_type = match method {
            Method::PATCH => "application/merge-patch+json",
            _ => "application/json",
        };
        let body = body.to_string().into();
        Self { method, path, accept: "application/json", content_type, body }
    }

    pub(crate) fn request(self) -> Result<Request<Bytes>, Refusal> {
        let mut request = Request::builder().method(self.method).uri(self.path);
        request = request.header(header::ACCEPT, self.accept);
        if !self.content_type.is_empty() {
            request = request.header(header::CONTENT_TYPE, self.content_type);
        }
        request.body(self.body).map_err(|error| Refusal::bad(error.to_string()))
    }
}

/// The answer as it comes, whatever its status.
pub(crate) async fn ask(
    person: &dyn Person,
    question: Question<'_>,
) -> Result<Response<Body>, Refusal> {
    person.ask(question.request()?).await.map_err(Refusal::unreached)
}

/// The answer as it comes, if it is a good one.
pub(crate) async fn streamed(
    person: &dyn Person,
    question: Question<'_>,
) -> Result<Response<Body>, Refusal> {
    let answer = ask(person, question).await?;
    if answer.status().is_success() || answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Ok(answer);
    }
    let (head, body) = answer.into_parts();
    Err(Refusal::of(head.status, &whole(body).await?))
}

/// The whole answer as JSON, if it is a good one.
pub(crate) async fn json(person: &dyn Person, question: Question<'_>) -> Result<Value, Refusal> {
    let answer = streamed(person, question).await?;
    let body = whole(answer.into_body()).await?;
    serde_json::from_slice(&body)
        .map_err(|error| Refusal::unreached(format!("the API server's answer is no JSON: {error}")))
}

async fn whole(body: Body) -> Result<Bytes, Refusal> {
    to_bytes(body, MAX_ANSWER_BYTES).await.map_err(|error| {
        hit("upstream_answer");
        Refusal::unreached(format!("the API server's answer cannot be read: {error}"))
    })
}

/// What somebody may want to do with objects.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wanted<'a> {
    pub(crate) verb: &'a str,
    pub(crate) group: &'a str,
    pub(crate) resource: &'a str,
    pub(crate) subresource: &'a str,
    /// Empty for all, or for what is in none.
    pub(crate) namespace: &'a str,
    /// Empty for any.
    pub(crate) name: &'a str,
}

/// Whether the person may; the API server says so (`SelfSubjectAccessReview`).
pub(crate) async fn may(person: &dyn Person, wanted: Wanted<'_>) -> Result<bool, Refusal> {
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "spec": { "resourceAttributes": {
            "verb": wanted.verb, "group": wanted.group, "resource": wanted.resource,
            "subresource": wanted.subresource, "namespace": wanted.namespace, "name": wanted.name,
        } },
    });
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let answer = json(person, Question::send(Method::POST, path, &review)).await?;
    Ok(answer["status"]["allowed"] == true)
}
