//! The kinds that clients may write, and whether an object is one of its kind: types and unknown
//! fields by Kubernetes' own published types, then the rules that a manifest breaks most easily.

use k8s_openapi::api::{apps, autoscaling, batch, coordination, core, networking, policy, rbac};
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::resource::Resource;

/// Reads an object as its type and writes what was understood.
type RoundTrip = fn(Value) -> Result<Value, serde_json::Error>;

fn round_trip<T: DeserializeOwned + Serialize>(value: Value) -> Result<Value, serde_json::Error> {
    serde_json::to_value(serde_json::from_value::<T>(value)?)
}

/// The type of a resource's objects; `None` for what clients may not write here.
fn round_trip_of(resource: &Resource) -> Option<RoundTrip> {
    Some(match (resource.group, resource.plural) {
        ("", "namespaces") => round_trip::<core::v1::Namespace>,
        ("", "serviceaccounts") => round_trip::<core::v1::ServiceAccount>,
        ("", "services") => round_trip::<core::v1::Service>,
        ("", "endpoints") => round_trip::<core::v1::Endpoints>,
        ("", "secrets") => round_trip::<core::v1::Secret>,
        ("batch", "jobs") => round_trip::<batch::v1::Job>,
        ("batch", "cronjobs") => round_trip::<batch::v1::CronJob>,
        ("harbour.example.com", "ships")
        | ("monitoring.coreos.com", "servicemonitors" | "podmonitors") => Ok,
        ("", "configmaps") => round_trip::<core::v1::ConfigMap>,
        ("", "persistentvolumeclaims") => round_trip::<core::v1::PersistentVolumeClaim>,
        ("", "persistentvolumes") => round_trip::<core::v1::PersistentVolume>,
        ("", "resourcequotas") => round_trip::<core::v1::ResourceQuota>,
        ("apps", "deployments") => round_trip::<apps::v1::Deployment>,
        ("apps", "statefulsets") => round_trip::<apps::v1::StatefulSet>,
        ("apps", "daemonsets") => round_trip::<apps::v1::DaemonSet>,
        ("apps", "controllerrevisions") => round_trip::<apps::v1::ControllerRevision>,
        ("autoscaling", "horizontalpodautoscalers") => {
            round_trip::<autoscaling::v2::HorizontalPodAutoscaler>
        }
        ("coordination.k8s.io", "leases") => round_trip::<coordination::v1::Lease>,
        ("rbac.authorization.k8s.io", "roles") => round_trip::<rbac::v1::Role>,
        ("rbac.authorization.k8s.io", "rolebindings") => round_trip::<rbac::v1::RoleBinding>,
        ("rbac.authorization.k8s.io", "clusterroles") => round_trip::<rbac::v1::ClusterRole>,
        ("rbac.authorization.k8s.io", "clusterrolebindings") => {
            round_trip::<rbac::v1::ClusterRoleBinding>
        }
        ("networking.k8s.io", "networkpolicies") => round_trip::<networking::v1::NetworkPolicy>,
        ("policy", "poddisruptionbudgets") => round_trip::<policy::v1::PodDisruptionBudget>,
        ("apiregistration.k8s.io", "apiservices") => round_trip::<APIService>,
        _ => return None,
    })
}

/// Whether clients may create objects of it.
pub(super) fn is_writable(resource: &Resource) -> bool {
    round_trip_of(resource).is_some()
}

/// What is wrong with an object that a client sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// It cannot be read as its kind.
    Undecodable(String),
    /// Fields that its kind does not have.
    Unknown(Vec<String>),
    /// It breaks a rule: the field's path and what is wrong.
    Invalid(&'static str, String),
}

/// Looks for flaws; unknown fields only when `strict`.
pub(super) fn check(resource: &Resource, object: &Value, strict: bool) -> Result<(), Flaw> {
    let Some(round_trip) = round_trip_of(resource) else { return Ok(()) };
    let understood =
        round_trip(object.clone()).map_err(|error| Flaw::Undecodable(error.to_string()))?;
    if strict {
        let mut unknown = Vec::new();
        lost(object, &understood, "", &mut unknown);
        if !unknown.is_empty() {
            return Err(Flaw::Unknown(unknown));
        }
    }
    rules(resource, object)
}

/// Paths of fields with something in them that `understood` has not.
fn lost(sent: &Value, understood: &Value, path: &str, found: &mut Vec<String>) {
    match (sent, understood) {
        (Value::Object(sent), Value::Object(understood)) => {
            for (key, value) in sent {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                match understood.get(key) {
                    Some(understood) => lost(value, understood, &path, found),
                    None if is_nothing(value) => {}
                    None => found.push(path),
                }
            }
        }
        (Value::Array(sent), Value::Array(understood)) => {
            for (at, (value, understood)) in sent.iter().zip(understood).enumerate() {
                lost(value, understood, &format!("{path}[{at}]"), found);
            }
        }
        _ => {}
    }
}

/// What serializing may leave out.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

fn rules(resource: &Resource, object: &Value) -> Result<(), Flaw> {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    if !is_dns_name(name) && resource.group != "rbac.authorization.k8s.io" {
        let why = format!(
            "\"{name}\": a lowercase RFC 1123 subdomain must consist of lower case \
                           alphanumeric characters, '-' or '.'"
        );
        return Err(Flaw::Invalid("metadata.name", why));
    }
    match resource.plural {
        "deployments" | "statefulsets" | "daemonsets" => workload(&object["spec"]),
        "services" => service(&object["spec"]),
        "clusterrolebindings" | "rolebindings" if object["roleRef"]["name"].is_null() => {
            Err(Flaw::Invalid("roleRef.name", "Required value".to_owned()))
        }
        "persistentvolumeclaims" => {
            let storage = &object["spec"]["resources"]["requests"]["storage"];
            required("spec.resources[storage]", storage)?;
            required("spec.accessModes", &object["spec"]["accessModes"])
        }
        _ => Ok(()),
    }
}

fn required(path: &'static str, value: &Value) -> Result<(), Flaw> {
    if is_nothing(value) || value == "" {
        return Err(Flaw::Invalid(path, "Required value".to_owned()));
    }
    Ok(())
}

fn is_dns_name(name: &str) -> bool {
    let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    let bytes = name.as_bytes();
    let ends = bytes.first().zip(bytes.last());
    bytes.len() <= 253
        && ends.is_some_and(|(first, last)| plain(*first) && plain(*last))
        && bytes.iter().all(|c| plain(*c) || matches!(c, b'-' | b'.'))
}

/// A pod template that its controller would find again, with mounts that exist.
fn workload(spec: &Value) -> Result<(), Flaw> {
    let template = &spec["template"];
    let wanted = spec["selector"]["matchLabels"].as_object();
    let labels = &template["metadata"]["labels"];
    let Some(wanted) = wanted.filter(|wanted| !wanted.is_empty()) else {
        return Err(Flaw::Invalid("spec.selector", "Required value".to_owned()));
    };
    if wanted.iter().any(|(key, value)| labels[key] != *value) {
        let why = format!("{labels}: `selector` does not match template `labels`");
        return Err(Flaw::Invalid("spec.template.metadata.labels", why));
    }
    let pod = &template["spec"];
    let named = |list: &Value| -> Vec<String> {
        let items = list.as_array().into_iter().flatten();
        items.filter_map(|item| item["name"].as_str().map(str::to_owned)).collect()
    };
    let mut volumes = named(&pod["volumes"]);
    let claims = spec["volumeClaimTemplates"].as_array().into_iter().flatten();
    volumes.extend(claims.filter_map(|one| one["metadata"]["name"].as_str().map(str::to_owned)));
    required("spec.template.spec.containers", &pod["containers"])?;
    for container in pod["containers"].as_array().into_iter().flatten() {
        required("spec.template.spec.containers[].name", &container["name"])?;
        required("spec.template.spec.containers[].image", &container["image"])?;
        let ports = named(&container["ports"]);
        for mount in container["volumeMounts"].as_array().into_iter().flatten() {
            let name = mount["name"].as_str().unwrap_or_default();
            if !volumes.iter().any(|volume| volume == name) {
                let path = "spec.template.spec.containers[].volumeMounts[].name";
                return Err(Flaw::Invalid(path, format!("Not found: \"{name}\"")));
            }
        }
        for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
            if let Some(port) = container[probe]["httpGet"]["port"].as_str()
                && !ports.iter().any(|known| known == port)
            {
                let path = "spec.template.spec.containers[].httpGet.port";
                return Err(Flaw::Invalid(path, format!("no port is named \"{port}\"")));
            }
        }
    }
    Ok(())
}

fn service(spec: &Value) -> Result<(), Flaw> {
    if spec["type"] != "ExternalName" && spec["clusterIP"] != "None" {
        required("spec.ports", &spec["ports"])?;
    }
    for port in spec["ports"].as_array().into_iter().flatten() {
        if !port["port"].as_u64().is_some_and(|port| (1..=65535).contains(&port)) {
            let why = "must be between 1 and 65535, inclusive".to_owned();
            return Err(Flaw::Invalid("spec.ports[].port", why));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::apiserver::resource::find;

    fn check_of(resource: (&str, &str), object: &Value, expected: &Result<(), Flaw>) {
        let resource = find(resource.0, "v1", resource.1).unwrap();
        assert_eq!(check(resource, object, true), *expected);
    }

    #[test]
    fn flaws_are_found() {
        let lease = |spec: Value| json!({ "metadata": { "name": "a" }, "spec": spec });
        let leases = ("coordination.k8s.io", "leases");
        check_of(
            leases,
            &lease(json!({ "holderIdentity": "x", "leaseDurationSeconds": 5 })),
            &Ok(()),
        );
        let unknown = Flaw::Unknown(vec!["spec.holder".to_owned()]);
        check_of(leases, &lease(json!({ "holder": "x" })), &Err(unknown));
        let leases = find(leases.0, "v1", leases.1).unwrap();
        let wrong = check(leases, &lease(json!({ "leaseDurationSeconds": "5" })), false);
        assert!(matches!(wrong, Err(Flaw::Undecodable(_))), "{wrong:?}");
        let deployment = json!({
            "metadata": { "name": "a" },
            "spec": {
                "selector": { "matchLabels": { "app": "a" } },
                "template": { "metadata": { "labels": { "app": "a" } }, "spec": {
                    "containers": [{ "name": "c", "image": "i",
                        "volumeMounts": [{ "name": "data", "mountPath": "/d" }] }],
                } },
            },
        });
        let path = "spec.template.spec.containers[].volumeMounts[].name";
        let missing = Flaw::Invalid(path, "Not found: \"data\"".to_owned());
        check_of(("apps", "deployments"), &deployment, &Err(missing));
    }
}
