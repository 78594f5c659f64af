//! From OTLP's names to Prometheus': units and `_total` appended, attributes as labels.
//!
//! Source: opentelemetry.io "Prometheus and OpenMetrics Compatibility", as Prometheus' receiver.

use std::collections::BTreeMap;

use once::Order as _;
use query::promql::{Labels, METRIC_NAME, STALE};

use super::{Kind, Metric, Point, Resource};
use crate::intake::{Described, MAX_SERIES, Outcome, Pushed};

/// Units by their UCUM name.
const UNITS: &[(&str, &str)] = &[
    ("d", "days"),
    ("h", "hours"),
    ("min", "minutes"),
    ("s", "seconds"),
    ("ms", "milliseconds"),
    ("us", "microseconds"),
    ("ns", "nanoseconds"),
    ("By", "bytes"),
    ("KiBy", "kibibytes"),
    ("MiBy", "mebibytes"),
    ("GiBy", "gibibytes"),
    ("TiBy", "tibibytes"),
    ("KBy", "kilobytes"),
    ("MBy", "megabytes"),
    ("GBy", "gigabytes"),
    ("TBy", "terabytes"),
    ("m", "meters"),
    ("V", "volts"),
    ("A", "amperes"),
    ("J", "joules"),
    ("W", "watts"),
    ("g", "grams"),
    ("Cel", "celsius"),
    ("Hz", "hertz"),
    ("%", "percent"),
];
/// Units behind a slash.
const PER: &[(&str, &str)] = &[
    ("s", "second"),
    ("m", "minute"),
    ("h", "hour"),
    ("d", "day"),
    ("w", "week"),
    ("mo", "month"),
    ("y", "year"),
];

/// Series as they are made.
#[derive(Debug, Default)]
pub(super) struct Series {
    all: BTreeMap<Labels, Vec<(i64, f64)>>,
    described: Vec<Described>,
    outcome: Outcome,
}

impl Series {
    pub(super) fn add(&mut self, resource: &Resource) {
        let find = |name: &str| {
            let mut found = resource.attributes.iter().filter(|(known, _)| known == name);
            found.next().map_or("", |(_, value)| value.as_str())
        };
        let (space, service) = (find("service.namespace"), find("service.name"));
        let job = if space.is_empty() { service.to_owned() } else { format!("{space}/{service}") };
        let own = [
            ("job".to_owned(), job),
            ("instance".to_owned(), find("service.instance.id").to_owned()),
        ];
        let mut newest = None;
        for metric in &resource.metrics {
            if let Kind::Refused(reason) = metric.kind {
                self.outcome.refuse(reason, metric.points.len());
                continue;
            }
            let name = name(metric);
            let (kind, help) = (described(metric.kind), metric.help.clone());
            self.described.push(Described { name: name.clone(), kind, help });
            for point in &metric.points {
                newest = newest.max(Some(point.time_ms));
                self.point(&name, metric.kind, point, &own);
            }
        }
        let about = ["service.namespace", "service.name", "service.instance.id"];
        let others: Vec<(String, String)> = resource
            .attributes
            .iter()
            .filter(|(name, _)| !about.contains(&&**name))
            .map(|(name, value)| (label(name), value.clone()))
            .collect();
        if let Some(newest) = newest.filter(|_| !others.is_empty()) {
            self.put("target_info", &others, &own, None, (newest, 1.0));
        }
    }

    fn point(&mut self, name: &str, kind: Kind, point: &Point, own: &[(String, String)]) {
        let labels: Vec<(String, String)> =
            point.attributes.iter().map(|(name, value)| (label(name), value.clone())).collect();
        let time = point.time_ms;
        let value = |value: f64| (time, if point.absent { STALE } else { value });
        #[expect(clippy::cast_precision_loss, reason = "Prometheus' counts are floats")]
        let float = |count: u64| count as f64;
        if matches!(kind, Kind::Gauge | Kind::Counter) {
            return self.put(name, &labels, own, None, value(point.value));
        }
        if let Some(sum) = point.sum {
            self.put(&format!("{name}_sum"), &labels, own, None, value(sum));
        }
        self.put(&format!("{name}_count"), &labels, own, None, value(float(point.count)));
        if kind == Kind::Summary {
            for (quantile, found) in point.bounds.iter().zip(&point.quantiles) {
                let quantile = quantile.to_string();
                self.put(name, &labels, own, Some(("quantile", &quantile)), value(*found));
            }
            return;
        }
        let bucket = format!("{name}_bucket");
        let mut below: u64 = 0;
        for (bound, count) in point.bounds.iter().zip(&point.counts) {
            below = below.saturating_add(*count);
            let bound = bound.to_string();
            self.put(&bucket, &labels, own, Some(("le", &bound)), value(float(below)));
        }
        let all = ("le", "+Inf");
        self.put(&bucket, &labels, own, Some(all), value(float(point.count)));
    }

    fn put(
        &mut self,
        name: &str,
        labels: &[(String, String)],
        own: &[(String, String)],
        further: Option<(&str, &str)>,
        sample: (i64, f64),
    ) {
        let pairs = labels.iter().chain(own).map(|(name, value)| (&**name, &**value));
        let labels = Labels::new(pairs.chain(further).chain([(METRIC_NAME, name)]));
        if self.all.len() >= MAX_SERIES && !self.all.contains_key(&labels) {
            crate::limits::hit("push_series");
            return self.outcome.refuse("too_many_series", 1);
        }
        self.all.entry(labels).or_default().push(sample);
    }

    pub(super) fn finish(self) -> (Vec<Pushed>, Vec<Described>, Outcome) {
        let series = self.all.into_iter().map(|(labels, mut samples)| {
            samples.order_by_key(|(time, _)| *time);
            Pushed { labels, samples }
        });
        (series.collect(), self.described, self.outcome)
    }
}

fn described(kind: Kind) -> &'static str {
    match kind {
        Kind::Gauge | Kind::Refused(_) => "gauge",
        Kind::Counter => "counter",
        Kind::Histogram => "histogram",
        Kind::Summary => "summary",
    }
}

/// A label's name: what cannot stand in one becomes an underscore.
fn label(name: &str) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect();
    if plain.starts_with(|c: char| c.is_ascii_digit()) { format!("key_{plain}") } else { plain }
}

fn name(metric: &Metric) -> String {
    let words = |text: &str| -> Vec<String> {
        let parts = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == ':'));
        parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    let mut parts = words(&metric.name);
    for unit in unit(metric) {
        if !parts.contains(&unit) {
            parts.push(unit);
        }
    }
    if metric.kind == Kind::Counter {
        parts.retain(|part| part != "total");
        parts.push("total".to_owned());
    }
    let name = parts.join("_");
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
}

/// The unit as words: `bytes`, or `bytes`, `per`, `second`.
fn unit(metric: &Metric) -> Vec<String> {
    let known = |table: &[(&str, &'static str)], text: &str| {
        let found =
            table.iter().find(|(unit, _)| *unit == text).map(|(_, word)| (*word).to_owned());
        let plain = !text.is_empty() && !text.contains(['{', '}']);
        found.or_else(|| plain.then(|| label(text)))
    };
    if metric.unit == "1" {
        return if metric.kind == Kind::Gauge { vec!["ratio".to_owned()] } else { Vec::new() };
    }
    let (first, per) = metric.unit.split_once('/').unwrap_or((&metric.unit, ""));
    let mut words: Vec<String> = known(UNITS, first.trim()).into_iter().collect();
    if let Some(per) = known(PER, per.trim()) {
        words.extend(["per".to_owned(), per]);
    }
    words
}
