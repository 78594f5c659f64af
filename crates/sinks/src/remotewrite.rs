//! Prometheus remote write, 1.0 and 2.0: protocol buffers in snappy, with stale markers for series
//! that end.

use std::collections::HashMap;
use std::sync::Arc;

use http::HeaderName;
use model::{Batch, CATALOG, Context, Entity, EntityKind, Exposed, Kind as Counts, Timestamp};

use crate::address::Address;
use crate::chunks::{Chunks, Framing};
use crate::credentials::{basic, bearer};
use crate::exposed::{CLUSTER, Exposer, for_each_label, position};
use crate::plan::{Encode, Plan, Transport};
use crate::protobuf::{push_bytes, push_double, push_message, push_uint, push_varint};
use crate::select::Selection;
use crate::settings::{Secret, Settings};
use crate::transport::{Body, Finish, HttpPlan, Judge};
use crate::{Error, Kind};

pub(crate) const KIND: Kind = Kind {
    key: "remotewrite",
    name: "Remote Write Sink",
    settings: &[
        ("version", "version of the protocol: 1 (default) or 2"),
        ("user", "user"),
        ("pw", "password"),
        ("pw_file", "file that holds the password"),
        ("token", "bearer token"),
        ("token_file", "file that holds the bearer token"),
        ("tenant", "value of the header X-Scope-OrgID (Mimir, Cortex)"),
        CLUSTER,
        ("insecuressl", "true: do not verify the server's certificate"),
    ],
    example: "remotewrite:http://prometheus:9090/api/v1/write?cluster=production",
    notice: None,
    metrics: Some(plan),
    events: None,
    alerts: None,
};

/// Most samples and bytes of one request, before compression.
const SAMPLES: u32 = 5_000;
const BYTES: usize = 2 << 20;
/// The value that ends a series: Prometheus's stale marker.
const STALE: f64 = f64::from_bits(0x7ff0_0000_0000_0002);
/// Sets of the catalog's metrics are bits of a `u128`.
const _: () = assert!(CATALOG.len() <= 128, "a set of metrics needs more bits");

fn plan(settings: &Settings, selection: Selection) -> Result<Plan, Error> {
    let version_2 = match settings.text_or("version", "1") {
        "1" => false,
        "2" => true,
        other => return Err(settings.bad("version", other, "1, 2")),
    };
    let address = Address::parse(settings.text_or("address", ""), "localhost:9090");
    let path = match &*address.path {
        "" | "/" => "/api/v1/write",
        path => path,
    };
    let mut headers = bearer(settings)?;
    let version = if version_2 { "2.0.0" } else { "0.1.0" };
    let name = HeaderName::from_static("x-prometheus-remote-write-version");
    headers.push((name, Secret::from(version)));
    if let Some(tenant) = settings.text("tenant") {
        headers.push((HeaderName::from_static("x-scope-orgid"), Secret::from(tenant)));
    }
    let transport = Transport::Http(Box::new(HttpPlan {
        destination: path.to_owned(),
        body: Body::Typed(if version_2 {
            "application/x-protobuf;proto=io.prometheus.write.v2.Request"
        } else {
            "application/x-protobuf"
        }),
        finish: Finish::Snappy,
        basic: basic(settings)?,
        headers,
        judge: Judge::RemoteWrite,
        ..HttpPlan::post(address.base(), path.to_owned())
    }));
    let series = Series { exposer: Exposer::new(settings, selection), seen: HashMap::new() };
    let encode: Box<dyn Encode> =
        if version_2 { Box::new(Version2 { series }) } else { Box::new(Version1 { series }) };
    let framing = Framing { joins: !version_2, ..Framing::lines(SAMPLES, BYTES) };
    Ok(Plan { encode, framing, transport, concurrency: 1 })
}

/// The series of each batch, and those that ended with it.
struct Series {
    exposer: Exposer,
    /// What the last batch had.
    seen: HashMap<Arc<Entity>, Seen>,
}

struct Seen {
    context: Context,
    /// By position in the catalog. Metrics that the cluster names are not marked stale.
    metrics: u128,
}

impl Series {
    /// Calls `each` with labels, metric and value of every sample, stale markers included.
    fn for_each(
        &mut self,
        batch: &Batch,
        mut each: impl FnMut(&crate::labels::Labels, &Exposed, f64),
    ) {
        let Self { exposer, seen } = self;
        let mut now: HashMap<Arc<Entity>, Seen> = HashMap::with_capacity(seen.len());
        exposer.for_each_row(batch, |row, columns| {
            let mut metrics = 0;
            for column in columns {
                let Some(value) = column.value(row.row) else { continue };
                if let Some(position) = position(column.column) {
                    metrics |= 1 << position;
                }
                each(row.labels, &column.exposed, value);
            }
            let context = Context {
                node: row.context.node.clone(),
                pod: (row.entity.kind() == EntityKind::Volume)
                    .then(|| row.context.pod.clone())
                    .flatten(),
                namespace: None,
            };
            now.insert(Arc::clone(row.entity), Seen { context, metrics });
        });
        for (entity, before) in std::mem::take(seen) {
            let ended = match now.get(&entity) {
                Some(still) if node(&still.context) == node(&before.context) => {
                    before.metrics & !still.metrics
                }
                _ => before.metrics,
            };
            if ended == 0 {
                continue;
            }
            let labels = exposer.labels(&entity, &before.context);
            for row in CATALOG.iter().filter(|row| ended & (1 << row.id.index()) != 0) {
                let exposed = model::exposed(&model::Metric::Known(row.id), entity.kind());
                each(labels, &exposed, STALE);
            }
        }
        *seen = now;
    }
}

fn node(context: &Context) -> Option<&str> {
    context.node.as_ref().map(|node| &*node.name)
}

struct Version1 {
    series: Series,
}

impl Encode for Version1 {
    fn encode(&mut self, batch: &Batch, out: &mut Chunks<'_>) {
        let mut sample = Vec::new();
        let mut label = Vec::new();
        let mut whole = Vec::new();
        self.series.for_each(batch, |labels, exposed, value| {
            whole.clear();
            let mut push_label = |name: &str, value: &str| {
                label.clear();
                push_bytes(&mut label, 1, name.as_bytes());
                push_bytes(&mut label, 2, value.as_bytes());
                push_bytes(&mut whole, 1, &label);
            };
            push_label("__name__", &exposed.name);
            for_each_label(labels, exposed, push_label);
            sample.clear();
            push_sample(&mut sample, batch.timestamp(), value);
            push_bytes(&mut whole, 2, &sample);
            out.point(|bytes| push_bytes(bytes, 1, &whole));
        });
    }
}

fn push_sample(out: &mut Vec<u8>, time: Timestamp, value: f64) {
    push_double(out, 1, value);
    push_uint(out, 2, time.millis().cast_unsigned());
}

struct Version2 {
    series: Series,
}

/// One request: every text once, series by the positions of their texts.
#[derive(Default)]
struct Request {
    symbols: HashMap<String, u64>,
    texts: Vec<u8>,
    series: Vec<u8>,
    samples: u32,
}

impl Request {
    fn symbol(&mut self, text: &str) -> u64 {
        if self.symbols.is_empty() {
            // The first symbol is the empty text, which stands for "none".
            self.symbols.insert(String::new(), 0);
            push_bytes(&mut self.texts, 4, b"");
        }
        if let Some(position) = self.symbols.get(text) {
            return *position;
        }
        let position = self.symbols.len() as u64;
        self.symbols.insert(text.to_owned(), position);
        push_bytes(&mut self.texts, 4, text.as_bytes());
        position
    }

    fn add(
        &mut self,
        labels: &crate::labels::Labels,
        exposed: &Exposed,
        time: Timestamp,
        value: f64,
    ) {
        let mut references = Vec::new();
        let mut push = |request: &mut Self, name: &str, value: &str| {
            push_varint(&mut references, request.symbol(name));
            push_varint(&mut references, request.symbol(value));
        };
        push(self, "__name__", &exposed.name);
        for_each_label(labels, exposed, |name, value| push(self, name, value));
        push_message(&mut self.series, 5, |series| {
            push_bytes(series, 1, &references);
            push_message(series, 2, |sample| push_sample(sample, time, value));
            let counter = exposed.kind == Counts::Counter;
            push_message(series, 5, |metadata| push_uint(metadata, 1, if counter { 1 } else { 2 }));
        });
        self.samples += 1;
    }

    fn send(&mut self, out: &mut Chunks<'_>) {
        let Self { mut texts, series, samples, .. } = std::mem::take(self);
        if samples > 0 {
            texts.extend_from_slice(&series);
            out.whole(texts, samples);
        }
    }
}

impl Encode for Version2 {
    fn encode(&mut self, batch: &Batch, out: &mut Chunks<'_>) {
        let mut request = Request::default();
        self.series.for_each(batch, |labels, exposed, value| {
            request.add(labels, exposed, batch.timestamp(), value);
            if request.samples >= SAMPLES || request.texts.len() + request.series.len() >= BYTES {
                request.send(out);
            }
        });
        request.send(out);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::{Draft, LabelOptions, Registry, metric};

    use super::*;
    use crate::chunks::Chunk;
    use crate::protobuf::{Read, fields};

    /// A batch of a node and maybe of a pod.
    fn batch(second: i64, with_pod: bool) -> Batch {
        let mut draft = Draft::new(Timestamp::from_secs(second), Registry::default());
        let node = draft.registry.node("n1");
        let row = draft.insert(&node).row;
        draft.table_mut(EntityKind::Node).set_int(row, metric::CPU_USAGE, 2_500_000_000);
        if with_pod {
            let pod = draft.registry.pod("ns", "web", "u");
            let row = draft.insert(&pod).row;
            draft.table_mut(EntityKind::Pod).set_int(row, metric::MEMORY_RSS, 7);
        }
        Arc::into_inner(draft.freeze().0).unwrap()
    }

    fn text(read: &Read<'_>) -> String {
        match read {
            Read::Bytes(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
            Read::Number(number) => panic!("{number}"),
        }
    }

    fn message<'a>(read: &Read<'a>) -> &'a [u8] {
        match read {
            Read::Bytes(bytes) => bytes,
            Read::Number(number) => panic!("{number}"),
        }
    }

    /// Every series of a request of version 1: its labels, and whether its sample is a stale
    /// marker.
    fn version_1(bytes: &[u8]) -> Vec<String> {
        fields(bytes)
            .map(|(field, series)| {
                assert_eq!(field, 1);
                let mut shown = Vec::new();
                for (field, read) in fields(message(&series)) {
                    if field == 1 {
                        let pair: Vec<_> = fields(message(&read)).map(|(_, t)| text(&t)).collect();
                        shown.push(pair.join("="));
                    } else {
                        let stale = STALE.to_bits().to_le_bytes();
                        let is_stale = message(&read).windows(8).any(|window| window == stale);
                        shown.push(if is_stale { "stale" } else { "sample" }.to_owned());
                    }
                }
                shown.join(" ")
            })
            .collect()
    }

    fn encoded(encode: &mut dyn Encode, batch: &Batch) -> Vec<Chunk> {
        let framing = Framing::lines(SAMPLES, BYTES);
        let mut chunks = Vec::new();
        let mut take = |chunk| chunks.push(chunk);
        let mut out = Chunks::new(&framing, &mut take);
        encode.encode(batch, &mut out);
        out.finish();
        chunks
    }

    fn planned(pairs: &[(&str, &str)]) -> Plan {
        let pairs = pairs.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        KIND.plan(pairs.collect(), LabelOptions::default()).unwrap().0
    }

    #[test]
    fn a_series_that_ends_is_marked_once() {
        let mut plan = planned(&[("cluster", "c")]);
        let cpu = "__name__=container_cpu_usage_seconds_total cluster=c id=/ node=n1 sample";
        let pod = "__name__=container_memory_rss cluster=c namespace=ns pod=web";
        let send = |plan: &mut Plan, second, with_pod| {
            let chunks = encoded(&mut *plan.encode, &batch(second, with_pod));
            let mut series = version_1(&chunks[0].bytes);
            assert_eq!(series.len(), usize::try_from(chunks[0].points).unwrap());
            series.sort();
            series
        };
        let with_pod = [cpu.to_owned(), format!("{pod} sample")];
        assert_eq!(send(&mut plan, 60, true), with_pod);
        assert_eq!(send(&mut plan, 120, false), [cpu.to_owned(), format!("{pod} stale")]);
        assert_eq!(send(&mut plan, 180, false), [cpu.to_owned()]);
        assert_eq!(send(&mut plan, 240, true), with_pod);
    }

    #[test]
    fn version_2_says_every_text_once() {
        let mut plan = planned(&[("version", "2")]);
        let chunks = encoded(&mut *plan.encode, &batch(60, true));
        assert_eq!((chunks.len(), chunks[0].points), (1, 2));
        let read: Vec<_> = fields(&chunks[0].bytes).collect();
        let symbols: Vec<_> =
            read.iter().filter(|(field, _)| *field == 4).map(|(_, t)| text(t)).collect();
        assert_eq!(symbols[0], "");
        let mut unique = symbols.clone();
        unique.sort();
        unique.dedup();
        assert_eq!(unique.len(), symbols.len());
        let series: Vec<_> = read.iter().filter(|(field, _)| *field == 5).collect();
        assert_eq!(series.len(), 2);
        for (_, series) in series {
            let (_, references) = fields(message(series)).next().unwrap();
            let names: Vec<_> =
                message(&references).iter().map(|at| &*symbols[usize::from(*at)]).collect();
            assert_eq!(names[0], "__name__");
            assert!(names.contains(&"n1") || names.contains(&"web"), "{names:?}");
        }
    }
}
