//! `GET /objects/scaler/…`: the `HorizontalPodAutoscaler` that sets how many pods a workload has.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use model::Timestamp;
use serde_json::{Value, json};

use super::place::{KindAddress, Place};
use super::{Asking, kinds, person, respond};
use crate::ApiState;
use crate::people::Refusal;
use crate::people::upstream::{self, Question};

/// Most autoscalers of a namespace that are looked at.
const MAX_SCALERS: &str = "500";

pub(super) async fn scaler(
    State(state): State<Arc<ApiState>>,
    Path(parts): Path<(String, String, String, String, String)>,
    session: Asking,
) -> Response {
    let answer = async {
        let session = person(session)?;
        let place = Place::read(parts)?;
        let known = kinds::discovered(&session, state.now()).await?;
        let kind = known.at(&place.kind).map(|kind| kind.word.clone()).unwrap_or_default();
        let list = KindAddress::read("autoscaling", "v2", "horizontalpodautoscalers")?;
        let path = format!("{}?limit={MAX_SCALERS}", list.path(&place.namespace));
        let scaler = match upstream::json(&*session.person, Question::get(&path)).await {
            Ok(found) => {
                let items = found["items"].as_array();
                let of = |one: &&Value| is_of(one, &kind, &place.name);
                items.and_then(|items| items.iter().find(of)).map_or(Value::Null, shown)
            }
            // Clusters without autoscaling, and people who may not see it.
            Err(Refusal { status: StatusCode::NOT_FOUND | StatusCode::FORBIDDEN, .. }) => {
                Value::Null
            }
            Err(refusal) => return Err(refusal),
        };
        Ok(Json(json!({ "scaler": scaler })).into_response())
    };
    respond(answer.await)
}

/// Whether it scales the workload of that kind and name.
fn is_of(scaler: &Value, kind: &str, name: &str) -> bool {
    let target = &scaler["spec"]["scaleTargetRef"];
    target["kind"] == kind && target["name"] == name
}

fn shown(scaler: &Value) -> Value {
    let (spec, status) = (&scaler["spec"], &scaler["status"]);
    let created = scaler["metadata"]["creationTimestamp"].as_str();
    let created = created.and_then(Timestamp::parse_rfc3339).map(Timestamp::millis);
    let wanted = spec["metrics"].as_array().map_or(&[][..], Vec::as_slice);
    let measured = status["currentMetrics"].as_array().map_or(&[][..], Vec::as_slice);
    let metrics: Vec<Value> = wanted
        .iter()
        .map(|wanted| {
            let (name, target) = metric(wanted, "target");
            let now = measured.iter().map(|one| metric(one, "current"));
            let now = now.into_iter().find(|(other, _)| *other == name).map(|(_, value)| value);
            json!({ "name": name, "target": target, "current": now })
        })
        .collect();
    json!({
        "name": scaler["metadata"]["name"],
        // Kubernetes takes 1 where nothing is said.
        "min": spec["minReplicas"].as_u64().unwrap_or(1),
        "max": spec["maxReplicas"].as_u64(),
        "current": status["currentReplicas"].as_u64(),
        "wanted": status["desiredReplicas"].as_u64(),
        "created": created,
        "metrics": metrics,
    })
}

/// A metric's name and its value on one `side`, as the object writes it.
fn metric(metric: &Value, side: &str) -> (String, String) {
    let kind = metric["type"].as_str().unwrap_or_default();
    // `Resource` is told in `resource`, `ContainerResource` in `containerResource`.
    let mut field: String = kind.to_owned();
    if let Some(first) = field.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    let told = &metric[field.as_str()];
    let name = told["name"].as_str().or_else(|| told["metric"]["name"].as_str());
    let values = &told[side];
    let value = match values["averageUtilization"].as_u64() {
        Some(percent) => format!("{percent}%"),
        None => ["averageValue", "value"]
            .iter()
            .find_map(|field| values[field].as_str())
            .unwrap_or_default()
            .to_owned(),
    };
    (name.unwrap_or(kind).to_owned(), value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_autoscaler_is_told_in_few_words() {
        let object = json!({
            "metadata": { "name": "web", "creationTimestamp": "2026-11-26T00:00:00Z" },
            "spec": {
                "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "web" },
                "maxReplicas": 9,
                "metrics": [
                    { "type": "Resource", "resource": {
                        "name": "cpu", "target": { "type": "Utilization", "averageUtilization": 80 },
                    } },
                    { "type": "Pods", "pods": {
                        "metric": { "name": "queue" }, "target": { "averageValue": "30" },
                    } },
                ],
            },
            "status": {
                "currentReplicas": 3, "desiredReplicas": 4,
                "currentMetrics": [{ "type": "Resource", "resource": {
                    "name": "cpu", "current": { "averageUtilization": 91, "averageValue": "91m" },
                } }],
            },
        });
        assert!(is_of(&object, "Deployment", "web"));
        assert!(!is_of(&object, "StatefulSet", "web") && !is_of(&object, "Deployment", "api"));
        let expected = json!({
            "name": "web", "min": 1, "max": 9, "current": 3, "wanted": 4,
            "created": 1_795_651_200_000_i64,
            "metrics": [
                { "name": "cpu", "target": "80%", "current": "91%" },
                { "name": "queue", "target": "30", "current": null },
            ],
        });
        assert_eq!(shown(&object), expected);
    }
}
