//! Reviews: whoever has the token may do everything, and this says so.

use http::{Method, Response, StatusCode};
use serde_json::{Value, json};

use super::resource::Resource;
use super::status::Status;
use super::{Api, Request, json as respond};
use crate::http::Body;

/// The user behind the token.
const USER: &str = "sim-admin";

pub(super) fn answer(
    api: &Api,
    resource: &Resource,
    request: &Request,
) -> Result<Response<Body>, Status> {
    if request.method != Method::POST {
        return Err(Status::method_not_allowed());
    }
    let mut review = read(resource, &request.body)?;
    if !review.is_object() {
        return Err(Status::bad_request("a review is an object"));
    }
    let user = json!({ "username": USER, "groups": ["system:masters", "system:authenticated"] });
    review["kind"] = resource.kind.into();
    review["apiVersion"] = resource.api_version().into();
    review["status"] = match resource.kind {
        "SelfSubjectRulesReview" => json!({
            "resourceRules": [{ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"] }],
            "nonResourceRules": [{ "verbs": ["*"], "nonResourceURLs": ["*"] }],
            "incomplete": false,
        }),
        "TokenReview" if review["spec"]["token"] == api.token.as_str() => {
            json!({ "authenticated": true, "user": user })
        }
        "TokenReview" => json!({ "authenticated": false, "error": "invalid bearer token" }),
        "SelfSubjectReview" => json!({ "userInfo": user }),
        "SubjectAccessReview" if review["spec"]["user"] != USER => {
            json!({ "allowed": false, "reason": "only sim-admin may do anything" })
        }
        _ => json!({ "allowed": true, "reason": "sim-admin may do everything" }),
    };
    Ok(respond(StatusCode::CREATED, &review))
}

/// kubectl asks about itself in protobuf; since the answer does not depend on the question, it
/// need not be understood. Questions about others must be JSON.
fn read(resource: &Resource, body: &[u8]) -> Result<Value, Status> {
    if body.starts_with(b"k8s\0") {
        let about_itself = resource.kind.starts_with("SelfSubject");
        return if about_itself { Ok(json!({ "metadata": {} })) } else { Err(Status::not_json()) };
    }
    serde_json::from_slice(body)
        .map_err(|error| Status::bad_request(format!("the review cannot be read: {error}")))
}
