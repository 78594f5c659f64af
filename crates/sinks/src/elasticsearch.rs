//! Elasticsearch 5 to 9 and `OpenSearch`: documents by the bulk API; metrics and events.
//!
//! A document for each family of metrics of a row, and for each metric of no family.

mod template;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use http::Method;
use model::{Batch, Event, Timestamp, Value};
use once::Order as _;

use crate::address::Address;
use crate::chunks::{Chunks, Framing};
use crate::event_object::{EventObject, push_compact};
use crate::labels::Labels;
use crate::plan::{Encode, EncodeEvents, EventPlan, Plan, Transport};
use crate::select::{Selection, value};
use crate::settings::{Secret, Settings};
use crate::text::{push_json, push_object, push_value};
use crate::transport::{Body, HttpPlan, Judge, Preparation, Sign, Signer};
use crate::{Error, Events, Kind};

pub(crate) const KIND: Kind = Kind {
    key: "elasticsearch",
    name: "ElasticSearch Sink",
    settings: &[
        ("nodes", "URL of a node, repeatable; counts instead of the URI's own"),
        ("ver", "5, 6, 7 (default), 8, 9, opensearch: what the server speaks"),
        ("index", "first part of the names of indexes (default heapster)"),
        ("cluster_name", "value of the tag cluster_name (default \"default\")"),
        ("esUserName", "user"),
        ("esUserSecret", "password of the user"),
        ("esUserSecret_file", "file that holds the password"),
        ("pipeline", "ingest pipeline that documents go through (default none)"),
        ("bulkWorkers", "requests at once (default 5)"),
        ("access_key", "access key of AWS: requests are signed (default: AWS_ACCESS_KEY_ID)"),
        ("secret_key", "secret key of AWS (default: AWS_SECRET_ACCESS_KEY)"),
        ("secret_key_file", "file that holds the secret key of AWS"),
        ("session_token", "session token of temporary credentials of AWS"),
        ("session_token_file", "file that holds the session token"),
        ("region", "region of AWS (default: as the host's name says)"),
        ("insecuressl", "true: do not verify the server's certificate"),
        ("maxRetries", "accepted without effect: what fails is tried again until it is too old"),
        ("healthCheck", "accepted without effect: a node that fails is left for the next"),
        ("sniff", "accepted without effect: nodes are those that are named"),
        ("startupHealthcheckTimeout", "accepted without effect: starting waits for nobody"),
    ],
    example: "elasticsearch:?nodes=https://es-1:9200&nodes=https://es-2:9200&ver=8",
    notice: None,
    metrics: Some(plan),
    events: Some(Events { name: "ElasticSearch Sink", plan: event_plan }),
    alerts: None,
};

/// Most documents and bytes of one request.
const DOCUMENTS: u32 = 1000;
const BYTES: usize = 2 << 20;
/// Families of metrics, by the first part of their names, with their timestamps' fields.
const FAMILIES: [(&str, &str); 4] = [
    ("cpu", "CpuMetricsTimestamp"),
    ("filesystem", "FilesystemMetricsTimestamp"),
    ("memory", "MemoryMetricsTimestamp"),
    ("network", "NetworkMetricsTimestamp"),
];
/// What belongs to no family.
const GENERAL: &str = "general";
const EVENTS: &str = "events";
const CLUSTER: &str = "cluster_name";

/// How a server wants types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Types {
    /// One for each family (5).
    Families,
    /// One, which has to be named (6).
    Doc,
    /// None.
    None,
}

fn types(settings: &Settings) -> Result<Types, Error> {
    match settings.text_or("ver", "7") {
        "5" => Ok(Types::Families),
        "6" => Ok(Types::Doc),
        "7" | "8" | "9" | "opensearch" => Ok(Types::None),
        other => Err(settings.bad("ver", other, "5, 6, 7, 8, 9, opensearch")),
    }
}

fn plan(settings: &Settings, selection: Selection) -> Result<Plan, Error> {
    let encode = Elasticsearch {
        selection,
        documents: Documents::new(settings)?,
        cluster: cluster(settings),
        labels: Labels::default(),
        tags: Vec::new(),
    };
    Ok(Plan {
        encode: Box::new(encode),
        framing: Framing::lines(DOCUMENTS, BYTES),
        transport: transport(settings)?,
        concurrency: settings.number("bulkWorkers", 5, &1)?,
    })
}

fn event_plan(settings: &Settings) -> Result<EventPlan, Error> {
    let (documents, cluster) = (Documents::new(settings)?, cluster(settings));
    Ok(EventPlan {
        encode: Box::new(ElasticsearchEvents { documents, cluster }),
        framing: Framing::lines(DOCUMENTS, BYTES),
        transport: transport(settings)?,
        concurrency: settings.number("bulkWorkers", 5, &1)?,
    })
}

fn cluster(settings: &Settings) -> String {
    settings.text_or("cluster_name", "default").to_owned()
}

fn transport(settings: &Settings) -> Result<Transport, Error> {
    let nodes: Vec<&str> = settings.all("nodes").filter(|node| !node.is_empty()).collect();
    let nodes = if nodes.is_empty() { vec![settings.text_or("address", "")] } else { nodes };
    let addresses: Vec<Address> =
        nodes.iter().map(|node| Address::parse(node, "localhost:9200")).collect();
    let base = |address: &Address| address.base();
    let mut bases = addresses.iter().map(base);
    let first = bases.next().unwrap_or_default();
    let index = settings.text_or("index", "heapster");
    let mut target = "/_bulk?filter_path=errors,items.*.error.type,items.*.error.reason".to_owned();
    if let Some(pipeline) = settings.text("pipeline").filter(|name| !name.is_empty()) {
        target.push_str("&pipeline=");
        target.extend(form_urlencoded::byte_serialize(pipeline.as_bytes()));
    }
    let user = settings.text("esUserName").filter(|user| !user.is_empty()).map(str::to_owned);
    let secret: Option<Secret> = settings.secret("esUserSecret", "esUserSecret_file")?;
    let template = Preparation {
        method: Method::PUT,
        target: format!("/_template/{index}"),
        body: template::template(index, types(settings)?),
        must_work: true,
    };
    Ok(Transport::Http(Box::new(HttpPlan {
        standby: bases.collect(),
        destination: format!("/{index}"),
        body: Body::Json("application/json"),
        basic: user.zip(secret),
        sign: signer(settings, &first)?.map(Sign::Aws),
        prepare: vec![template],
        judge: Judge::Bulk,
        ..HttpPlan::post(first.clone(), target)
    })))
}

/// Who signs, where there are keys; the region is in the names of Amazon's hosts.
fn signer(settings: &Settings, base: &str) -> Result<Option<Signer>, Error> {
    let host = base.split("://").nth(1).unwrap_or_default();
    let parts: Vec<&str> = host.split(['.', ':']).collect();
    let amazon = parts.windows(3).find(|parts| parts.ends_with(&["es", "amazonaws"]));
    let serverless = parts.windows(3).find(|parts| parts.ends_with(&["aoss", "amazonaws"]));
    let service = if serverless.is_some() { "aoss" } else { "es" };
    let mut pairs = settings.pairs.clone();
    if settings.text("region").is_none()
        && let Some(&[region, ..]) = amazon.or(serverless)
    {
        pairs.push(("region".to_owned(), region.to_owned()));
    }
    let settings = Settings { sink: settings.sink, pairs, clock: settings.clock.clone() };
    Signer::new(&settings, service)
}

/// Which documents there are, and how they are announced.
struct Documents {
    index: String,
    types: Types,
}

impl Documents {
    fn new(settings: &Settings) -> Result<Self, Error> {
        let index = settings.text_or("index", "heapster").to_owned();
        Ok(Self { index, types: types(settings)? })
    }

    /// The line before a document. `id` is what no other document of that time and type has: one
    /// that is sent twice is there once.
    fn push_action(&self, out: &mut Vec<u8>, time: Timestamp, family: &str, id: u64) {
        let date = time.to_rfc3339_seconds();
        let date = date.get(..10).unwrap_or_default().replace('-', ".");
        out.extend_from_slice(b"{\"index\":{\"_id\":");
        push_json(out, &format!("{:x}-{id:016x}", time.millis()));
        out.extend_from_slice(b",\"_index\":");
        push_json(out, &format!("{}-{date}", self.index));
        let named = match self.types {
            Types::Families => Some(family),
            Types::Doc => Some("_doc"),
            Types::None => None,
        };
        if let Some(name) = named {
            out.extend_from_slice(b",\"_type\":");
            push_json(out, name);
        }
        out.extend_from_slice(b"}}\n");
    }
}

struct Elasticsearch {
    selection: Selection,
    documents: Documents,
    cluster: String,
    labels: Labels,
    /// The tags of one row as JSON; reused.
    tags: Vec<u8>,
}

impl Encode for Elasticsearch {
    fn encode(&mut self, batch: &Batch, out: &mut Chunks<'_>) {
        let Self { selection, documents, cluster, labels, tags } = self;
        let time = batch.timestamp();
        let date = time.to_rfc3339_seconds();
        for mut selected in selection.tables(batch) {
            selected
                .columns
                .order_by(|left, right| left.metric().name().cmp(right.metric().name()));
            selection.for_each_row(batch, &selected, labels, |row, labels| {
                tags.clear();
                push_tags(tags, labels, cluster);
                let values: Vec<(&str, Value)> = selected
                    .columns
                    .iter()
                    .filter_map(|column| Some((column.metric().name(), value(column, row.at)?)))
                    .collect();
                for (family, field) in FAMILIES {
                    let of_family: Vec<_> =
                        values.iter().filter(|(name, _)| family_of(name) == family).collect();
                    if of_family.is_empty() {
                        continue;
                    }
                    out.point(|out| {
                        documents.push_action(out, time, family, hash(tags, family));
                        push_family(out, &of_family, tags, (field, &date));
                    });
                }
                for (name, value) in values.iter().filter(|(name, _)| family_of(name) == GENERAL) {
                    out.point(|out| {
                        documents.push_action(out, time, GENERAL, hash(tags, name));
                        out.extend_from_slice(b"{\"GeneralMetricsTimestamp\":");
                        push_json(out, &date);
                        out.extend_from_slice(b",\"MetricsTags\":");
                        out.extend_from_slice(tags);
                        out.extend_from_slice(b",\"MetricsName\":");
                        push_json(out, name);
                        out.extend_from_slice(b",\"MetricsValue\":{\"value\":");
                        push_value(out, *value);
                        out.extend_from_slice(b"}}\n");
                    });
                }
            });
        }
    }
}

/// The family of a metric.
fn family_of(name: &str) -> &str {
    let first = name.split_once('/').map_or("", |(first, _)| first);
    FAMILIES.iter().find(|(family, _)| *family == first).map_or(GENERAL, |(family, _)| family)
}

/// A document of a family; its fields are sorted by name, so that the timestamp comes first or
/// last.
fn push_family(out: &mut Vec<u8>, values: &[&(&str, Value)], tags: &[u8], when: (&str, &str)) {
    let (field, date) = when;
    out.push(b'{');
    let timestamp = |out: &mut Vec<u8>| {
        push_json(out, field);
        out.push(b':');
        push_json(out, date);
    };
    if field < "Metrics" {
        timestamp(out);
        out.push(b',');
    }
    out.extend_from_slice(b"\"Metrics\":{");
    for (at, (name, value)) in values.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        push_json(out, name);
        out.extend_from_slice(b":{\"value\":");
        push_value(out, *value);
        out.push(b'}');
    }
    out.extend_from_slice(b"},\"MetricsTags\":");
    out.extend_from_slice(tags);
    if field > "Metrics" {
        out.push(b',');
        timestamp(out);
    }
    out.extend_from_slice(b"}\n");
}

fn hash(tags: &[u8], name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (tags, name).hash(&mut hasher);
    hasher.finish()
}

/// The labels and the cluster as one object, sorted.
fn push_tags(out: &mut Vec<u8>, labels: &Labels, cluster: &str) {
    let mut pairs: Vec<_> = labels.iter().filter(|(key, _)| *key != CLUSTER).collect();
    pairs.push((CLUSTER, cluster));
    pairs.order();
    push_object(out, pairs);
}

struct ElasticsearchEvents {
    documents: Documents,
    cluster: String,
}

impl EncodeEvents for ElasticsearchEvents {
    fn event(&mut self, timestamp: Timestamp, event: &Event, out: &mut Chunks<'_>) {
        let object = EventObject::of(event);
        let time = if event.last_seen.is_never() { timestamp } else { event.last_seen };
        let mut tags = Labels::default();
        tags.push("eventID", &event.uid);
        tags.push("hostname", &event.host);
        if &*event.object_kind == "Pod" {
            tags.push("pod_id", &event.object_uid);
            tags.push("pod_name", &event.object_name);
        }
        out.point(|out| {
            let id = hash(event.uid.as_bytes(), &event.count.to_string());
            self.documents.push_action(out, time, EVENTS, id);
            out.extend_from_slice(format!("{{\"Count\":{},\"Metadata\":", event.count).as_bytes());
            push_compact(out, &object.metadata);
            out.extend_from_slice(b",\"InvolvedObject\":");
            push_compact(out, &object.involved_object);
            out.extend_from_slice(b",\"Source\":");
            push_compact(out, &object.source);
            for (name, time) in [
                ("FirstOccurrenceTimestamp", event.first_seen),
                ("LastOccurrenceTimestamp", event.last_seen),
            ] {
                out.extend_from_slice(
                    format!(",\"{name}\":\"{}\"", time.to_rfc3339_seconds()).as_bytes(),
                );
            }
            for (name, text) in [
                ("Message", &event.message),
                ("Reason", &event.reason),
                ("Type", &event.event_type),
            ] {
                out.extend_from_slice(format!(",\"{name}\":").as_bytes());
                push_json(out, text);
            }
            out.extend_from_slice(b",\"EventTags\":");
            push_tags(out, &tags, &self.cluster);
            out.extend_from_slice(b"}\n");
        });
    }
}
