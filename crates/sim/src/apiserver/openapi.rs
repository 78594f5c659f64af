//! `/openapi/v3`: which kinds can be written how. Clients read there whether a server knows dry
//! runs and validates fields itself; schemas of objects are not repeated here.

use serde_json::{Map, Value, json};

use super::resource::{self, Resource};
use super::{schema, write};

/// The page at `path`, if it is one of these.
pub(super) fn page(path: &str) -> Option<Value> {
    let rest = path.strip_prefix("/openapi/v3")?;
    if rest.is_empty() {
        let mut paths = Map::new();
        for path in places() {
            let url = format!("/openapi/v3/{path}?hash=0");
            paths.insert(path, json!({ "serverRelativeURL": url }));
        }
        return Some(json!({ "paths": paths }));
    }
    let place = rest.strip_prefix('/')?;
    places().contains(&place.to_owned()).then(|| document(place))
}

/// `api/v1`, `apis/apps/v1`, …
fn places() -> Vec<String> {
    let named =
        resource::groups().into_iter().map(|(group, version)| format!("apis/{group}/{version}"));
    std::iter::once("api/v1".to_owned()).chain(named).collect()
}

fn place_of(one: &Resource) -> String {
    match one.group {
        "" => format!("api/{}", one.version),
        group => format!("apis/{group}/{}", one.version),
    }
}

fn document(place: &str) -> Value {
    let mut paths = Map::new();
    for one in resource::ALL.iter().filter(|one| place_of(one) == place) {
        let within = if one.namespaced { "namespaces/{namespace}/" } else { "" };
        let all = format!("/{place}/{within}{}", one.plural);
        let mut operations = json!({ "get": operation(one, "list", &[]) });
        if schema::is_writable(one) {
            operations["post"] = operation(one, "post", &["dryRun", "fieldValidation"]);
        }
        let mut single = json!({ "get": operation(one, "get", &[]) });
        if write::keeps(one) {
            single["put"] = operation(one, "put", &["dryRun", "fieldValidation"]);
            single["delete"] = operation(one, "delete", &["dryRun"]);
        }
        if schema::is_writable(one) {
            // Clients look for these parameters at `patch` alone, whatever they then send.
            single["patch"] = operation(one, "patch", &["dryRun", "fieldValidation"]);
        }
        paths.insert(format!("{all}/{{name}}"), single);
        paths.insert(all, operations);
    }
    json!({
        "openapi": "3.0.0",
        "info": { "title": "Kubernetes", "version": super::discovery::GIT_VERSION },
        "paths": paths,
        "components": { "schemas": {} },
    })
}

fn operation(one: &Resource, action: &str, parameters: &[&str]) -> Value {
    let parameter =
        |name: &&str| json!({ "name": name, "in": "query", "schema": { "type": "string" } });
    json!({
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": {
            "group": one.group, "version": one.version, "kind": one.kind,
        },
        "parameters": parameters.iter().map(parameter).collect::<Vec<_>>(),
        "responses": { "200": { "description": "OK" } },
    })
}
