//! OpenTelemetry's protocol for metrics, over HTTP and over gRPC: a resource for each entity.

use model::{
    Batch, Context, Entity, EntityKind, Kind as Counts, Metric, MetricId, Timestamp, metric,
};

use crate::address::Address;
use crate::chunks::{Chunks, Framing};
use crate::credentials::bearer;
use crate::exposed::{ExposedColumn, Exposer};
use crate::plan::{Encode, Plan, Transport};
use crate::protobuf::{push_bytes, push_double, push_fixed64, push_message, push_uint};
use crate::select::Selection;
use crate::settings::Settings;
use crate::transport::{Body, Finish, HttpPlan, Judge};
use crate::{Error, Kind};

pub(crate) const KIND: Kind = Kind {
    key: "otlp",
    name: "OTLP Sink",
    settings: &[
        ("protocol", "http (default; port 4318) or grpc (port 4317)"),
        ("token", "bearer token"),
        ("token_file", "file that holds the bearer token"),
        ("cluster", "value of the resource attribute k8s.cluster.name (default: none)"),
        ("insecuressl", "true: do not verify the server's certificate"),
    ],
    example: "otlp:http://collector:4317?protocol=grpc&cluster=production",
    notice: None,
    metrics: Some(plan),
    events: None,
    alerts: None,
};

/// Most data points and bytes of one request, before compression: collectors take 4 MiB.
const POINTS: u32 = 10_000;
const BYTES: usize = 2 << 20;
const SERVICE: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
/// `AGGREGATION_TEMPORALITY_CUMULATIVE`.
const CUMULATIVE: u64 = 2;

fn plan(settings: &Settings, selection: Selection) -> Result<Plan, Error> {
    let grpc = match settings.text_or("protocol", "http") {
        "http" => false,
        "grpc" => true,
        other => return Err(settings.bad("protocol", other, "http, grpc")),
    };
    let default = if grpc { "localhost:4317" } else { "localhost:4318" };
    let address = Address::parse(settings.text_or("address", ""), default);
    let target = match &*address.path {
        _ if grpc => SERVICE,
        "" | "/" => "/v1/metrics",
        path => path,
    };
    let transport = Transport::Http(Box::new(HttpPlan {
        destination: target.to_owned(),
        body: Body::Typed(if grpc { "application/grpc" } else { "application/x-protobuf" }),
        finish: Finish::Gzip,
        grpc,
        headers: bearer(settings)?,
        judge: if grpc { Judge::Grpc } else { Judge::Plain },
        ..HttpPlan::post(address.base(), target.to_owned())
    }));
    let cluster = settings.text_or("cluster", "").to_owned();
    let encode = Otlp { exposer: Exposer::new(settings, selection), cluster };
    Ok(Plan {
        encode: Box::new(encode),
        framing: Framing::lines(POINTS, BYTES),
        transport,
        concurrency: 1,
    })
}

struct Otlp {
    exposer: Exposer,
    cluster: String,
}

/// What a column is in OpenTelemetry's words.
struct Named {
    name: String,
    unit: &'static str,
    /// An attribute that tells it from another column of the same name.
    attribute: Option<Attribute>,
}

impl Encode for Otlp {
    fn encode(&mut self, batch: &Batch, out: &mut Chunks<'_>) {
        let Self { exposer, cluster } = self;
        let time = batch.timestamp();
        let mut kind = None;
        let mut names: Vec<Named> = Vec::new();
        exposer.for_each_row(batch, |row, columns| {
            if kind != Some(row.entity.kind()) {
                kind = Some(row.entity.kind());
                names = columns.iter().map(|column| named(column, row.entity.kind())).collect();
            }
            let started = batch.table(row.entity.kind()).started(row.row);
            let mut metrics = Vec::new();
            let mut points = 0;
            for (column, named) in columns.iter().zip(&names) {
                let Some(value) = column.value(row.row) else { continue };
                points += 1;
                push_message(&mut metrics, 2, |metric| {
                    push_metric(metric, column, named, value, started, time);
                });
            }
            out.run(points, |request| {
                push_message(request, 1, |resource_metrics| {
                    push_message(resource_metrics, 1, |resource| {
                        push_resource(resource, row.entity, row.context, cluster);
                    });
                    push_message(resource_metrics, 2, |scope_metrics| {
                        push_message(scope_metrics, 1, |scope| {
                            push_bytes(scope, 1, b"taffrail");
                            push_bytes(scope, 2, env!("CARGO_PKG_VERSION").as_bytes());
                        });
                        scope_metrics.extend_from_slice(&metrics);
                    });
                });
            });
        });
    }
}

fn push_metric(
    out: &mut Vec<u8>,
    column: &ExposedColumn<'_>,
    named: &Named,
    value: f64,
    started: Timestamp,
    time: Timestamp,
) {
    push_bytes(out, 1, named.name.as_bytes());
    push_bytes(out, 3, named.unit.as_bytes());
    let counter = column.exposed.kind == Counts::Counter;
    push_message(out, if counter { 7 } else { 5 }, |data| {
        push_message(data, 1, |point| {
            if counter && !started.is_never() {
                push_fixed64(point, 2, started.nanos().cast_unsigned());
            }
            push_fixed64(point, 3, time.nanos().cast_unsigned());
            push_double(point, 4, value);
            if let Some((name, value)) = named.attribute {
                push_message(point, 7, |attribute| push_attribute(attribute, name, value));
            }
        });
        if counter {
            push_uint(data, 2, CUMULATIVE);
            push_uint(data, 3, 1);
        }
    });
}

fn push_attribute(out: &mut Vec<u8>, name: &str, value: &str) {
    push_bytes(out, 1, name.as_bytes());
    push_message(out, 2, |any| push_bytes(any, 1, value.as_bytes()));
}

fn push_resource(out: &mut Vec<u8>, entity: &Entity, context: &Context, cluster: &str) {
    let mut put = |name: &str, value: &str| {
        if !value.is_empty() {
            push_message(out, 1, |attribute| push_attribute(attribute, name, value));
        }
    };
    put("k8s.cluster.name", cluster);
    put("k8s.namespace.name", entity.namespace().unwrap_or_default());
    put("k8s.pod.name", entity.pod().unwrap_or_default());
    if let Some(pod) = &context.pod {
        put("k8s.pod.uid", &pod.uid);
    }
    let is_sum =
        matches!(entity.kind(), EntityKind::Cluster | EntityKind::Namespace | EntityKind::Workload);
    if let (false, Some(node)) = (is_sum, &context.node) {
        put("k8s.node.name", &node.name);
    } else {
        put("k8s.node.name", entity.node().unwrap_or_default());
    }
    put("k8s.container.name", entity.container().unwrap_or_default());
    match entity.kind() {
        EntityKind::Workload => {
            put(&format!("k8s.{}.name", entity.variant().to_lowercase()), entity.name());
        }
        EntityKind::Volume => {
            put("k8s.volume.name", entity.name().trim_start_matches("Volume:"));
        }
        EntityKind::Filesystem | EntityKind::Disk => put("system.device", entity.name()),
        EntityKind::Accelerator => put("hw.id", entity.name()),
        _ => {}
    }
}

/// An attribute's name and value.
type Attribute = (&'static str, &'static str);

const RECEIVE: Option<Attribute> = Some(("network.io.direction", "receive"));
const TRANSMIT: Option<Attribute> = Some(("network.io.direction", "transmit"));

/// What the conventions name: metric, the end of its name, unit, attribute.
const KNOWN: &[(MetricId, &str, &str, Option<Attribute>)] = &[
    (metric::CPU_USAGE, "cpu.time", "s", None),
    (metric::CPU_USAGE_RATE, "cpu.usage", "{cpu}", None),
    (metric::MEMORY_USAGE, "memory.usage", "By", None),
    (metric::MEMORY_WORKING_SET, "memory.working_set", "By", None),
    (metric::MEMORY_RSS, "memory.rss", "By", None),
    (metric::NETWORK_RX, "network.io", "By", RECEIVE),
    (metric::NETWORK_TX, "network.io", "By", TRANSMIT),
    (metric::NETWORK_RX_ERRORS, "network.errors", "{error}", RECEIVE),
    (metric::NETWORK_TX_ERRORS, "network.errors", "{error}", TRANSMIT),
    (metric::UPTIME, "uptime", "s", None),
];

/// Source of names: OpenTelemetry's semantic conventions for Kubernetes and containers; what they
/// lack is `taffrail.<kind>.<metric>`.
fn named(column: &ExposedColumn<'_>, kind: EntityKind) -> Named {
    let own =
        || format!("taffrail.{}.{}", kind.name(), column.column.metric().name().replace('/', "."));
    let unit = own_unit(column);
    let prefix = match kind {
        EntityKind::Container => "container",
        EntityKind::Pod => "k8s.pod",
        EntityKind::Node => "k8s.node",
        _ => return Named { name: own(), unit, attribute: None },
    };
    let Metric::Known(id) = column.column.metric() else {
        return Named { name: own(), unit, attribute: None };
    };
    match KNOWN.iter().find(|(known, ..)| known == id) {
        Some((_, name, unit, attribute)) => {
            Named { name: format!("{prefix}.{name}"), unit, attribute: *attribute }
        }
        None => Named { name: own(), unit, attribute: None },
    }
}

fn own_unit(column: &ExposedColumn<'_>) -> &'static str {
    let Metric::Known(id) = column.column.metric() else { return "1" };
    match model::descriptor(*id).unit {
        model::Unit::Count | model::Unit::Ratio => "1",
        model::Unit::Bytes => "By",
        model::Unit::BytesPerSecond => "By/s",
        model::Unit::PerSecond => "1/s",
        model::Unit::Milliseconds | model::Unit::Nanoseconds => "s",
        model::Unit::Millicores => "{cpu}",
        model::Unit::Percent => "%",
    }
}
