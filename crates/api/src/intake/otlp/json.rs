//! OTLP's metrics as JSON: the protocol buffer's fields in camel case, 64-bit integers as texts.

use serde_json::Value;

use super::{Decoded, Kind, Metric, Point, Resource, summed};

pub(super) fn decode(bytes: &[u8]) -> Decoded<Vec<Resource>> {
    let root = once::json(bytes).map_err(|error| error.to_string())?;
    Ok(items(&root, "resourceMetrics").map(resource).collect())
}

fn items<'a>(of: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    of.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn text(of: &Value, name: &str) -> String {
    of.get(name).and_then(Value::as_str).unwrap_or("").to_owned()
}

fn resource(of: &Value) -> Resource {
    let attributes = of.get("resource").map(attributes).unwrap_or_default();
    let scopes = items(of, "scopeMetrics");
    let metrics = scopes.flat_map(|scope| items(scope, "metrics")).map(metric).collect();
    Resource { attributes, metrics }
}

fn attributes(of: &Value) -> Vec<(String, String)> {
    items(of, "attributes")
        .map(|pair| (text(pair, "key"), pair.get("value").map(shown).unwrap_or_default()))
        .collect()
}

fn shown(value: &Value) -> String {
    let found = ["stringValue", "boolValue", "intValue", "doubleValue"];
    let found = found.iter().find_map(|name| value.get(name));
    match found {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => match value.get("arrayValue") {
            Some(list) => {
                let items: Vec<String> = items(list, "values").map(shown).collect();
                serde_json::to_string(&items).unwrap_or_default()
            }
            None => String::new(),
        },
    }
}

fn metric(of: &Value) -> Metric {
    let temporality = |data: &Value| match data.get("aggregationTemporality") {
        Some(Value::Number(number)) => number.as_u64().unwrap_or(2),
        Some(Value::String(name)) if name == "AGGREGATION_TEMPORALITY_DELTA" => 1,
        _ => 2,
    };
    let (kind, data) = if let Some(data) = of.get("gauge") {
        (Kind::Gauge, Some(data))
    } else if let Some(data) = of.get("sum") {
        let monotonic = data.get("isMonotonic").and_then(Value::as_bool).unwrap_or(false);
        (summed(temporality(data), monotonic), Some(data))
    } else if let Some(data) = of.get("histogram") {
        let kind = match temporality(data) {
            1 => Kind::Refused("delta_temporality"),
            _ => Kind::Histogram,
        };
        (kind, Some(data))
    } else if let Some(data) = of.get("exponentialHistogram") {
        (Kind::Refused("native_histogram"), Some(data))
    } else {
        (Kind::Summary, of.get("summary"))
    };
    let points = data.into_iter().flat_map(|data| items(data, "dataPoints")).map(point).collect();
    let (name, help, unit) = (text(of, "name"), text(of, "description"), text(of, "unit"));
    Metric { name, help, unit, kind, points }
}

fn whole(value: Option<&Value>) -> u64 {
    match value {
        Some(Value::String(text)) => text.parse().unwrap_or(0),
        Some(Value::Number(number)) => number.as_u64().unwrap_or(0),
        _ => 0,
    }
}

fn float(value: Option<&Value>) -> Option<f64> {
    match value? {
        Value::Number(number) => number.as_f64(),
        // `NaN`, `Infinity` and 64-bit integers are texts.
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

fn point(of: &Value) -> Point {
    let number = of.get("asDouble").or_else(|| of.get("asInt"));
    let quantiles = || items(of, "quantileValues");
    let bounds: Vec<f64> = items(of, "explicitBounds")
        .filter_map(|bound| float(Some(bound)))
        .chain(quantiles().filter_map(|one| float(one.get("quantile"))))
        .collect();
    Point {
        attributes: attributes(of),
        time_ms: i64::try_from(whole(of.get("timeUnixNano")) / 1_000_000).unwrap_or(i64::MAX),
        absent: whole(of.get("flags")) & 1 == 1,
        value: float(number).unwrap_or(0.0),
        count: whole(of.get("count")),
        sum: float(of.get("sum")),
        bounds,
        counts: items(of, "bucketCounts").map(|count| whole(Some(count))).collect(),
        quantiles: quantiles().map(|one| float(one.get("value")).unwrap_or(0.0)).collect(),
    }
}
