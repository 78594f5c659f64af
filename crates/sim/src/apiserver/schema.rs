//! The kinds that clients may write, and whether an object is one of its kind: types and unknown
//! fields by the types that Kubernetes publishes, then the rules that a manifest breaks most easily.

mod types;

#[cfg(test)]
mod traced;

use serde_json::Value;

use super::resource::Resource;

/// The type of a resource's objects; `None` for what clients may not write here.
fn type_of(resource: &Resource) -> Option<&'static str> {
    Some(match (resource.group, resource.plural) {
        ("harbour.example.com", "ships")
        | ("monitoring.coreos.com", "servicemonitors" | "podmonitors") => "any",
        (
            "",
            "namespaces"
            | "serviceaccounts"
            | "services"
            | "endpoints"
            | "secrets"
            | "configmaps"
            | "persistentvolumeclaims"
            | "persistentvolumes"
            | "resourcequotas",
        )
        | ("batch", "jobs" | "cronjobs")
        | ("apps", "deployments" | "statefulsets" | "daemonsets" | "controllerrevisions")
        | ("autoscaling", "horizontalpodautoscalers")
        | ("coordination.k8s.io", "leases")
        | (
            "rbac.authorization.k8s.io",
            "roles" | "rolebindings" | "clusterroles" | "clusterrolebindings",
        )
        | ("networking.k8s.io", "networkpolicies")
        | ("policy", "poddisruptionbudgets")
        | ("apiregistration.k8s.io", "apiservices") => resource.kind,
        _ => return None,
    })
}

/// Whether clients may create objects of it.
pub(super) fn is_writable(resource: &Resource) -> bool {
    type_of(resource).is_some()
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
    let Some(expected) = type_of(resource) else { return Ok(()) };
    let mut unknown = Vec::new();
    types::check(expected, object, "", &mut unknown)
        .map_err(|error| Flaw::Undecodable(error.to_string()))?;
    if strict && !unknown.is_empty() {
        return Err(Flaw::Unknown(unknown));
    }
    rules(resource, object)
}

/// What an object may leave out.
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
