//! Cells of objects that clients wrote.

use serde_json::{Value, json};

use super::bounds;
use crate::apiserver::resource::Resource;
use crate::objects::Object;
use crate::store::Kind;

pub(super) fn cells(resource: &Resource, body: &Value, name: &str, age: &str) -> Value {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match resource.stored {
        Some(Kind::Leases) => json!([name, body["spec"]["holderIdentity"], age]),
        Some(Kind::ConfigMaps) => {
            let parts = |field: &str| body[field].as_object().map_or(0, serde_json::Map::len);
            json!([name, parts("data") + parts("binaryData"), age])
        }
        Some(Kind::Jobs) => json!([name, "Running", "0/1", "", age, "", "", ""]),
        Some(Kind::Secrets) => {
            let parts = body["data"].as_object().map_or(0, serde_json::Map::len);
            json!([name, body["type"].as_str().unwrap_or("Opaque"), parts, age])
        }
        Some(Kind::Budgets) => json!([name, body["spec"]["minAvailable"].to_string(), age]),
        Some(Kind::Ships) => json!([name, body["spec"]["masts"], age]),
        Some(Kind::ControllerRevisions) => {
            let owners = list(&body["metadata"]["ownerReferences"]);
            let owner = owners.map(|one| {
                let kind = text(&one["kind"]).to_lowercase();
                format!("{kind}.apps/{}", text(&one["name"]))
            });
            json!([name, or_none(owner.collect::<Vec<_>>().join(",")), body["revision"], age])
        }
        Some(Kind::Scalers) => bounds::scaler(body, name, age),
        Some(Kind::Quotas) => bounds::quota(body, name, age),
        Some(Kind::Volumes) => bounds::volume(body, name, age),
        Some(Kind::Endpoints) => json!([name, endpoints(&body["subsets"]), age]),
        Some(Kind::ApiServices) => {
            let service = &body["spec"]["service"];
            let service = if service.is_object() {
                format!("{}/{}", text(&service["namespace"]), text(&service["name"]))
            } else {
                "Local".to_owned()
            };
            json!([name, service, available(&body["status"]), age])
        }
        Some(Kind::RoleBindings | Kind::ClusterRoleBindings) => {
            let role = &body["roleRef"];
            json!([name, format!("{}/{}", text(&role["kind"]), text(&role["name"])), age])
        }
        Some(Kind::Services) => service(&body["spec"], name, age),
        _ => json!([name, age]),
    }
}

/// Cells of an object of the world as clients changed it.
pub(super) fn changed(base: &Object, patch: &Value, mut cells: Value) -> Value {
    match base {
        Object::Node { .. } if patch["spec"]["unschedulable"] == true => {
            let status = text_of(&cells[1]);
            cells[1] = format!("{status},SchedulingDisabled").into();
        }
        Object::Deployment(_) | Object::StatefulSet(_) => {
            if let Some(replicas) = patch["spec"]["replicas"].as_u64() {
                let ready = text_of(&cells[1]);
                let ready = ready.split('/').next().and_then(|text| text.parse::<u64>().ok());
                cells[1] = format!("{}/{replicas}", ready.unwrap_or(0).min(replicas)).into();
            }
        }
        Object::Revision(_) => {
            if let Some(number) = patch["revision"].as_u64() {
                cells[2] = number.into();
            }
        }
        Object::CronJob(_) => {
            if let Some(suspend) = patch["spec"]["suspend"].as_bool() {
                cells[3] = suspend.to_string().into();
            }
        }
        _ => {}
    }
    cells
}

pub(super) fn text_of(cell: &Value) -> String {
    cell.as_str().unwrap_or_default().to_owned()
}

pub(super) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

pub(super) fn or_none(text: String) -> String {
    if text.is_empty() { "<none>".to_owned() } else { text }
}

fn endpoints(subsets: &Value) -> String {
    let all: Vec<String> = list(subsets)
        .flat_map(|subset| {
            list(&subset["addresses"]).flat_map(|address| {
                list(&subset["ports"]).map(|port| {
                    format!("{}:{}", address["ip"].as_str().unwrap_or_default(), port["port"])
                })
            })
        })
        .collect();
    or_none(all.join(","))
}

fn available(status: &Value) -> String {
    let found = list(&status["conditions"]).find(|one| one["type"] == "Available");
    match found {
        Some(one) if one["status"] == "True" => "True".to_owned(),
        Some(one) => format!(
            "{} ({})",
            one["status"].as_str().unwrap_or_default(),
            one["reason"].as_str().unwrap_or_default()
        ),
        None => "Unknown".to_owned(),
    }
}

fn service(spec: &Value, name: &str, age: &str) -> Value {
    let text = |field: &str| spec[field].as_str().unwrap_or_default().to_owned();
    let ports: Vec<String> = list(&spec["ports"])
        .map(|port| format!("{}/{}", port["port"], port["protocol"].as_str().unwrap_or("TCP")))
        .collect();
    let pairs = spec["selector"].as_object().into_iter().flatten();
    let selector: Vec<String> =
        pairs.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect();
    let kind = spec["type"].as_str().unwrap_or("ClusterIP");
    json!([
        name,
        kind,
        or_none(text("clusterIP")),
        or_none(text("externalName")),
        or_none(ports.join(",")),
        age,
        or_none(selector.join(","))
    ])
}
