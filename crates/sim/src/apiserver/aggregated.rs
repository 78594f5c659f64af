//! Requests that other servers answer, and discovery with their groups in it.

use http::{Response, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::caller::Caller;
use super::status::Status;
use super::{Api, Request};
use crate::aggregator::{Aggregator, Route};
use crate::http::Body;

/// The answer of the server that a path belongs to; `None` for paths of our own.
pub(super) async fn proxied(
    api: &Api,
    caller: &Caller,
    path: &str,
    request: &Request,
) -> Option<Response<Body>> {
    let (group, version) = group_version(path)?;
    let route = api.aggregator.route(group, version)?;
    let Some(backend) = route.backend() else {
        let message = "the server is currently unable to handle the request";
        return Some(Status::unavailable_service(message).response());
    };
    let target = match &request.query {
        Some(query) => format!("{}?{query}", request.path),
        None => request.path.clone(),
    };
    let (method, body) = (request.method.clone(), request.body.clone());
    let asked = backend.ask(caller, method, &target, &request.headers, body).await;
    Some(match asked {
        Err(why) => {
            let message = format!("error trying to reach service: {why}");
            Status::unavailable_service(message).response()
        }
        Ok(answer) => {
            let (mut head, body) = answer.into_parts();
            for name in [header::CONNECTION, header::TRANSFER_ENCODING] {
                head.headers.remove(name);
            }
            Response::from_parts(head, body.map_err(std::io::Error::other).boxed_unsync())
        }
    })
}

/// Group and version of `/apis/G/V/…` and of its page of schemas.
fn group_version(path: &str) -> Option<(&str, &str)> {
    let path = path.strip_prefix("/openapi/v3").unwrap_or(path);
    let mut parts = path.strip_prefix("/apis/")?.split('/');
    Some((parts.next()?, parts.next()?))
}

/// `page` of our own at `path`, with the groups of other servers.
pub(super) fn merged(
    aggregator: &Aggregator,
    path: &str,
    page: Option<(&'static str, Value)>,
) -> Option<(&'static str, Value)> {
    let Some((kind, mut page)) = page else {
        let name = path.strip_prefix("/apis/")?;
        let found = aggregator.groups().into_iter().find(|(group, _)| group == name)?;
        let mut group = group(&found);
        group["kind"] = "APIGroup".into();
        group["apiVersion"] = "v1".into();
        return Some((crate::http::JSON, group));
    };
    match path {
        "/apis" => {
            if let Some(groups) = page["groups"].as_array_mut() {
                groups.extend(aggregator.groups().iter().map(group));
            }
        }
        "/openapi/v3" => {
            for (group, versions) in aggregator.groups() {
                let there = |version: &&String| {
                    let route = aggregator.route(&group, version);
                    route.as_deref().and_then(Route::backend).is_some()
                };
                for version in versions.iter().filter(there) {
                    let place = format!("apis/{group}/{version}");
                    let url = format!("/openapi/v3/{place}");
                    page["paths"][place] = json!({ "serverRelativeURL": url });
                }
            }
        }
        _ => {}
    }
    Some((kind, page))
}

fn group((name, versions): &(String, Vec<String>)) -> Value {
    let versions: Vec<Value> = versions
        .iter()
        .map(|version| json!({ "groupVersion": format!("{name}/{version}"), "version": version }))
        .collect();
    json!({ "name": name, "versions": versions, "preferredVersion": versions.first() })
}
