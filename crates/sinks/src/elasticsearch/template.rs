//! The template of the daily indexes: fields, and an alias for each family of metrics.

use serde_json::{Value, json};

use super::{EVENTS, FAMILIES, GENERAL, Types};

/// Tags that are searched by words too.
const TEXTS: [&str; 7] = [
    "container_base_image",
    "container_name",
    "hostname",
    "labels",
    "namespace_name",
    "nodename",
    "pod_name",
];
/// Tags that are compared whole only.
const KEYWORDS: [&str; 6] =
    ["host_id", "namespace_id", "cluster_name", "pod_id", "resource_id", "type"];

/// The body of `PUT /_template/<index>`.
pub(super) fn template(index: &str, types: Types) -> String {
    let pattern = format!("{index}-*");
    let mappings = match types {
        Types::Families => {
            let mut mappings = serde_json::Map::new();
            mappings.insert("_default_".to_owned(), json!({ "_all": { "enabled": false } }));
            for (family, field) in FAMILIES {
                mappings.insert(family.to_owned(), with(metrics(), field));
            }
            mappings.insert(GENERAL.to_owned(), with(general(), "GeneralMetricsTimestamp"));
            mappings.insert(EVENTS.to_owned(), json!({ "properties": events() }));
            Value::Object(mappings)
        }
        Types::Doc => json!({ "_doc": whole() }),
        Types::None => whole(),
    };
    let patterns = match types {
        Types::Families => json!({ "template": pattern }),
        Types::Doc | Types::None => json!({ "index_patterns": [pattern] }),
    };
    let mut template = json!({ "aliases": aliases(index, types), "mappings": mappings });
    merge(&mut template, patterns);
    template.to_string()
}

/// An alias for each family: of its type, or of what has its timestamp.
fn aliases(index: &str, types: Types) -> Value {
    let fields = FAMILIES.iter().copied();
    let others = [(GENERAL, "GeneralMetricsTimestamp"), (EVENTS, "LastOccurrenceTimestamp")];
    let aliases = fields.chain(others).map(|(family, field)| {
        let alias = match types {
            Types::Families => json!({}),
            Types::Doc | Types::None => json!({ "filter": { "exists": { "field": field } } }),
        };
        (format!("{index}-{family}"), alias)
    });
    Value::Object(aliases.collect())
}

/// Every field of every family, in one mapping.
fn whole() -> Value {
    let mut properties = metrics();
    merge(&mut properties, general());
    merge(&mut properties, events());
    for (_, field) in FAMILIES.iter().chain([&(GENERAL, "GeneralMetricsTimestamp")]) {
        merge(&mut properties, json!({ *field: date() }));
    }
    json!({ "properties": properties, "dynamic_templates": [values()] })
}

fn with(mut properties: Value, timestamp: &str) -> Value {
    merge(&mut properties, json!({ timestamp: date() }));
    json!({ "properties": properties, "dynamic_templates": [values()] })
}

/// Values are floats, however the first of them looks.
fn values() -> Value {
    json!({ "values": { "path_match": "Metrics.*.value", "mapping": { "type": "double" } } })
}

fn metrics() -> Value {
    let texts = TEXTS.iter().map(|name| ((*name).to_owned(), text()));
    let keywords = KEYWORDS.iter().map(|name| ((*name).to_owned(), keyword()));
    let mut tags = serde_json::Map::new();
    tags.extend(texts.chain(keywords));
    json!({ "MetricsTags": { "properties": tags } })
}

fn general() -> Value {
    let mut properties = metrics();
    let value = json!({ "properties": { "value": { "type": "double" } } });
    merge(&mut properties, json!({ "MetricsName": text(), "MetricsValue": value }));
    properties
}

fn events() -> Value {
    json!({
        "EventTags": { "properties": {
            "eventID": keyword(), "cluster_name": keyword(), "hostname": text(),
            "pod_id": keyword(), "pod_name": text(),
        } },
        "Count": { "type": "long" },
        "FirstOccurrenceTimestamp": date(),
        "LastOccurrenceTimestamp": date(),
        "Message": { "type": "text" },
        "Reason": text(),
        "Type": keyword(),
    })
}

fn text() -> Value {
    json!({ "type": "text", "fields": { "raw": keyword() } })
}

fn keyword() -> Value {
    json!({ "type": "keyword" })
}

fn date() -> Value {
    json!({ "type": "date", "format": "strict_date_optional_time||epoch_millis" })
}

/// Adds the fields of `more`.
fn merge(into: &mut Value, more: Value) {
    if let (Value::Object(into), Value::Object(more)) = (into, more) {
        into.extend(more);
    }
}
