//! The schemas of custom and external metrics, in either version of `OpenAPI`.

use serde_json::{Map, Value, json};

use super::discovery::Group;
use super::{custom, external};

const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1";
const QUANTITY: &str = "io.k8s.apimachinery.pkg.api.resource.Quantity";

/// One version's part of a document: paths with the name of the schema that they answer, and the
/// schemas; `reference` writes a reference to one.
pub(super) fn of(
    group: &Group,
    version: &str,
    reference: &dyn Fn(&str) -> Value,
) -> (Vec<(String, String)>, Map<String, Value>) {
    let base = format!("/apis/{}/{version}", group.name);
    let short = group.name.split('.').next().unwrap_or_default();
    let name = |kind: &str| format!("io.k8s.metrics.pkg.apis.{short}_metrics.{version}.{kind}");
    let (list, item) = match group.name {
        custom::GROUP => (custom::LIST, "MetricValue"),
        _ => (external::LIST, "ExternalMetricValue"),
    };
    let paths: &[&str] = match group.name {
        custom::GROUP => &[
            "/namespaces/{namespace}/{resource}/{name}/{metric}",
            "/namespaces/{namespace}/metrics/{metric}",
            "/{resource}/{name}/{metric}",
        ],
        _ => &["/namespaces/{namespace}/{metric}"],
    };
    let text = json!({ "type": "string" });
    let mut properties = json!({
        "timestamp": reference(&format!("{META}.Time")), "value": reference(QUANTITY),
        "windowSeconds": { "type": "integer", "format": "int64" },
    });
    match (group.name, version) {
        (custom::GROUP, "v1beta1") => {
            properties["describedObject"] = json!({ "type": "object" });
            properties["metricName"] = text.clone();
            properties["selector"] = json!({ "type": "object" });
        }
        (custom::GROUP, _) => {
            properties["describedObject"] = json!({ "type": "object" });
            properties["metric"] = json!({ "type": "object" });
        }
        _ => {
            properties["metricName"] = text.clone();
            properties["metricLabels"] = json!({ "type": "object", "additionalProperties": text });
        }
    }
    let items = json!({ "type": "array", "items": reference(&name(item)) });
    let whole = json!({
        "type": "object",
        "properties": {
            "apiVersion": text, "kind": text, "items": items,
            "metadata": reference(&format!("{META}.ListMeta")),
        },
        "required": ["items"],
        "x-kubernetes-group-version-kind":
            [{ "group": group.name, "version": version, "kind": list }],
    });
    let mut schemas = Map::new();
    schemas.insert(name(list), whole);
    schemas.insert(name(item), json!({ "type": "object", "properties": properties }));
    let paths = paths.iter().map(|path| (format!("{base}{path}"), name(list))).collect();
    (paths, schemas)
}
