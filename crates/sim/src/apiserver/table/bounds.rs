//! Cells of autoscalers, quotas and persistent volumes, whoever made them.

use serde_json::{Value, json};

use super::written::{list, or_none, text_of};

pub(super) fn scaler(body: &Value, name: &str, age: &str) -> Value {
    let (spec, status) = (&body["spec"], &body["status"]);
    let target = &spec["scaleTargetRef"];
    let reference = format!("{}/{}", text_of(&target["kind"]), text_of(&target["name"]));
    let number = |value: &Value| value.as_u64().map_or("<unset>".to_owned(), |n| n.to_string());
    json!([
        name,
        reference,
        targets(spec, status),
        number(&spec["minReplicas"]),
        number(&spec["maxReplicas"]),
        number(&status["currentReplicas"]),
        age
    ])
}

/// Measures and targets: `cpu: 37%/80%`.
fn targets(spec: &Value, status: &Value) -> String {
    let shown = |value: &Value| match value["averageUtilization"].as_u64() {
        Some(percent) => Some(format!("{percent}%")),
        None => {
            ["averageValue", "value"].iter().find_map(|one| value[one].as_str().map(str::to_owned))
        }
    };
    let all = list(&spec["metrics"]).enumerate().filter_map(|(at, metric)| {
        let wanted = &metric["resource"];
        let now = shown(&status["currentMetrics"][at]["resource"]["current"]);
        let name = wanted["name"].as_str()?;
        let now = now.unwrap_or_else(|| "<unknown>".to_owned());
        Some(format!("{name}: {now}/{}", shown(&wanted["target"])?))
    });
    or_none(all.collect::<Vec<_>>().join(", "))
}

pub(super) fn quota(body: &Value, name: &str, age: &str) -> Value {
    let status = &body["status"];
    let (mut requests, mut limits) = (Vec::new(), Vec::new());
    for (resource, hard) in status["hard"].as_object().into_iter().flatten() {
        let used = status["used"][resource].as_str().unwrap_or("0");
        let side = if resource.starts_with("limits.") { &mut limits } else { &mut requests };
        side.push(format!("{resource}: {used}/{}", text_of(hard)));
    }
    json!([name, age, requests.join(", "), limits.join(", ")])
}

pub(super) fn volume(body: &Value, name: &str, age: &str) -> Value {
    let (spec, status) = (&body["spec"], &body["status"]);
    let modes = list(&spec["accessModes"]).map(|mode| match mode.as_str() {
        Some("ReadWriteOnce") => "RWO",
        Some("ReadOnlyMany") => "ROX",
        Some("ReadWriteMany") => "RWX",
        _ => "RWOP",
    });
    let claim = &spec["claimRef"];
    let mut claimed = text_of(&claim["name"]);
    if !claimed.is_empty() {
        claimed = format!("{}/{claimed}", text_of(&claim["namespace"]));
    }
    json!([
        name,
        spec["capacity"]["storage"],
        modes.collect::<Vec<_>>().join(","),
        spec["persistentVolumeReclaimPolicy"],
        status["phase"],
        claimed,
        spec["storageClassName"],
        "<unset>",
        text_of(&status["reason"]),
        age,
        spec["volumeMode"]
    ])
}
