//! The schemas of metrics.k8s.io, as `OpenAPI` 2 and 3: what the API server merges with its own.

use serde_json::{Map, Value, json};

use super::discovery::Group;
use super::metrics::GROUP;
use super::schemas;

const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1";
const QUANTITY: &str = "io.k8s.apimachinery.pkg.api.resource.Quantity";

/// `OpenAPI` 2, all groups and versions.
pub(super) fn v2(groups: &[Group], taffrail: &str) -> Value {
    let reference = |name: &str| json!({ "$ref": format!("#/definitions/{name}") });
    let (mut paths, mut definitions) = (Map::new(), Map::new());
    let all = groups.iter().flat_map(|group| group.versions.iter().map(move |one| (group, *one)));
    for (group, version) in all {
        if group.name != GROUP {
            let (more, schemas) = schemas::of(group, version, &reference);
            for (path, schema) in more {
                let ok = json!({ "description": "OK", "schema": reference(&schema) });
                paths.insert(path, json!({ "get": { "responses": { "200": ok } } }));
            }
            definitions.extend(schemas);
            continue;
        }
        for (path, kind, list) in operations(version) {
            let ok = json!({ "description": "OK", "schema": reference(&name(version, &kind)) });
            paths.insert(path, json!({ "get": operation(version, &kind, list, &ok) }));
        }
        definitions.extend(schemas(version, &reference));
    }
    json!({
        "swagger": "2.0", "info": { "title": "Taffrail", "version": taffrail },
        "paths": paths, "definitions": definitions,
    })
}

/// The index of `OpenAPI` 3.
pub(super) fn v3_index(groups: &[Group]) -> Value {
    let mut paths = Map::new();
    for group in groups {
        for version in group.versions {
            let path = format!("apis/{}/{version}", group.name);
            let url = format!("/openapi/v3/{path}");
            paths.insert(path, json!({ "serverRelativeURL": url }));
        }
    }
    json!({ "paths": paths })
}

/// `OpenAPI` 3 of one version of a group; `None` where it is not served.
pub(super) fn v3(groups: &[Group], group: &str, version: &str, taffrail: &str) -> Option<Value> {
    let group = groups.iter().find(|one| one.name == group)?;
    if !group.versions.contains(&version) {
        return None;
    }
    let reference = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let mut paths = Map::new();
    let json_of = |schema: &str| {
        let schema = json!({ "schema": reference(schema) });
        json!({ "description": "OK", "content": { "application/json": schema } })
    };
    let mut all = schemas(version, &reference);
    if group.name == GROUP {
        for (path, kind, list) in operations(version) {
            let ok = json_of(&name(version, &kind));
            paths.insert(path, json!({ "get": operation(version, &kind, list, &ok) }));
        }
    } else {
        // Of the other group's, those that every document needs.
        all.retain(|name, _| !name.contains(".pkg.apis.metrics."));
        let (more, schemas) = schemas::of(group, version, &reference);
        for (path, schema) in more {
            let ok = json_of(&schema);
            paths.insert(path, json!({ "get": { "responses": { "200": ok } } }));
        }
        all.extend(schemas);
    }
    Some(json!({
        "openapi": "3.0.0", "info": { "title": "Taffrail", "version": taffrail },
        "paths": paths, "components": { "schemas": all },
    }))
}

/// Every path with the kind it answers and whether that is a list.
fn operations(version: &str) -> [(String, String, bool); 5] {
    let base = format!("/apis/{GROUP}/{version}");
    let row = |path: &str, kind: &str, list| (format!("{base}{path}"), kind.to_owned(), list);
    [
        row("/nodes", "NodeMetricsList", true),
        row("/nodes/{name}", "NodeMetrics", false),
        row("/pods", "PodMetricsList", true),
        row("/namespaces/{namespace}/pods", "PodMetricsList", true),
        row("/namespaces/{namespace}/pods/{name}", "PodMetrics", false),
    ]
}

fn operation(version: &str, kind: &str, list: bool, ok: &Value) -> Value {
    json!({
        "responses": { "200": ok, "401": { "description": "Unauthorized" } },
        "x-kubernetes-action": if list { "list" } else { "get" },
        "x-kubernetes-group-version-kind": {
            "group": GROUP, "version": version, "kind": kind.trim_end_matches("List"),
        },
    })
}

fn name(version: &str, kind: &str) -> String {
    format!("io.k8s.metrics.pkg.apis.metrics.{version}.{kind}")
}

fn schemas(version: &str, reference: &dyn Fn(&str) -> Value) -> Map<String, Value> {
    let meta = |kind: &str| reference(&format!("{META}.{kind}"));
    let text = json!({ "type": "string" });
    let usage = json!({ "type": "object", "additionalProperties": reference(QUANTITY) });
    let base = json!({
        "apiVersion": text, "kind": text, "metadata": meta("ObjectMeta"),
        "timestamp": meta("Time"), "window": meta("Duration"),
    });
    let with = |key: &str, value: Value| {
        let mut properties = base.clone();
        properties[key] = value;
        properties
    };
    let containers =
        json!({ "type": "array", "items": reference(&name(version, "ContainerMetrics")) });
    let mut all = Map::new();
    let mut put = |kind: &str, properties: &Value, required: &[&str]| {
        let mut schema =
            json!({ "type": "object", "properties": properties, "required": required });
        if kind != "ContainerMetrics" {
            schema["x-kubernetes-group-version-kind"] =
                json!([{ "group": GROUP, "version": version, "kind": kind }]);
        }
        all.insert(name(version, kind), schema);
    };
    put("ContainerMetrics", &json!({ "name": text, "usage": usage }), &["name", "usage"]);
    put("NodeMetrics", &with("usage", usage.clone()), &["timestamp", "window", "usage"]);
    put("PodMetrics", &with("containers", containers), &["timestamp", "window", "containers"]);
    for kind in ["NodeMetrics", "PodMetrics"] {
        let items = json!({ "type": "array", "items": reference(&name(version, kind)) });
        let properties = json!({
            "apiVersion": text, "kind": text, "metadata": meta("ListMeta"), "items": items,
        });
        put(&format!("{kind}List"), &properties, &["items"]);
    }
    let string = |format: &str| json!({ "type": "string", "format": format });
    all.insert(QUANTITY.to_owned(), text.clone());
    all.insert(format!("{META}.Time"), string("date-time"));
    all.insert(format!("{META}.Duration"), text.clone());
    all.insert(
        format!("{META}.ObjectMeta"),
        json!({
            "type": "object",
            "properties": {
                "name": text, "namespace": text, "creationTimestamp": meta("Time"),
                "labels": { "type": "object", "additionalProperties": text },
            },
        }),
    );
    all.insert(
        format!("{META}.ListMeta"),
        json!({
            "type": "object", "properties": { "continue": text, "resourceVersion": text },
        }),
    );
    all
}
