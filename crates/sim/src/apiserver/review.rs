//! Reviews: whose token it is, and what somebody may do.

use http::{Method, Response, StatusCode};
use serde_json::{Value, json};

use super::caller::{ADMIN, Caller};
use super::rbac::{self, Wanted};
use super::resource::Resource;
use super::status::Status;
use super::{Api, Request, json as respond};
use crate::http::Body;

pub(super) fn answer(
    api: &Api,
    caller: &Caller,
    resource: &Resource,
    request: &Request,
) -> Result<Response<Body>, Status> {
    if request.method != Method::POST {
        return Err(Status::method_not_allowed());
    }
    let mut review = read(caller, resource, &request.body)?;
    if !review.is_object() {
        return Err(Status::bad_request("a review is an object"));
    }
    review["kind"] = resource.kind.into();
    review["apiVersion"] = resource.api_version().into();
    let spec = &review["spec"];
    review["status"] = match resource.kind {
        "SelfSubjectRulesReview" => rules(api, caller, spec["namespace"].as_str().unwrap_or("")),
        "TokenReview" => match api.owner(spec["token"].as_str().unwrap_or_default()) {
            Some(owner) => json!({ "authenticated": true, "user": owner.json() }),
            None => json!({ "authenticated": false, "error": "invalid bearer token" }),
        },
        "SelfSubjectReview" => json!({ "userInfo": caller.json() }),
        "SubjectAccessReview" => decide(api, &named(spec), spec),
        _ => decide(api, caller, spec),
    };
    Ok(respond(StatusCode::CREATED, &review))
}

fn rules(api: &Api, caller: &Caller, namespace: &str) -> Value {
    let (paths, resources): (Vec<Value>, Vec<Value>) = if caller.is_master() {
        (
            vec![json!({ "verbs": ["*"], "nonResourceURLs": ["*"] })],
            vec![json!({ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"] })],
        )
    } else {
        let rules = rbac::rules(&api.store, caller, namespace).into_iter();
        rules.partition(|rule| rule["nonResourceURLs"].is_array())
    };
    json!({ "resourceRules": resources, "nonResourceRules": paths, "incomplete": false })
}

/// Whom a review is about.
fn named(spec: &Value) -> Caller {
    let name = spec["user"].as_str().unwrap_or_default();
    if name == ADMIN {
        return Caller::admin();
    }
    let groups = spec["groups"].as_array().into_iter().flatten();
    let groups = groups.filter_map(|group| group.as_str().map(str::to_owned)).collect();
    Caller { name: name.to_owned(), groups, ..Caller::default() }
}

fn decide(api: &Api, caller: &Caller, spec: &Value) -> Value {
    let (with, path) = (&spec["resourceAttributes"], &spec["nonResourceAttributes"]);
    let text = |field: &str| with[field].as_str().unwrap_or_default();
    let wanted = if with.is_object() {
        Wanted {
            verb: text("verb"),
            group: text("group"),
            resource: text("resource"),
            subresource: text("subresource"),
            namespace: text("namespace"),
            name: text("name"),
            path: "",
        }
    } else {
        let text = |field: &str| path[field].as_str().unwrap_or_default();
        Wanted { verb: text("verb"), path: text("path"), ..Wanted::default() }
    };
    match rbac::may(&api.store, caller, &wanted) {
        Some(reason) => json!({ "allowed": true, "reason": reason }),
        None => json!({ "allowed": false }),
    }
}

/// kubectl asks about itself in protobuf; where the answer does not depend on the question, it need
/// not be understood. Other questions must be JSON.
fn read(caller: &Caller, resource: &Resource, body: &[u8]) -> Result<Value, Status> {
    if body.starts_with(b"k8s\0") {
        let any = resource.kind == "SelfSubjectReview"
            || (resource.kind.starts_with("SelfSubject") && caller.is_master());
        return if any { Ok(json!({ "metadata": {} })) } else { Err(Status::not_json()) };
    }
    serde_json::from_slice(body)
        .map_err(|error| Status::bad_request(format!("the review cannot be read: {error}")))
}
