//! Hawkular Metrics: JSON points of gauges and counters, and tags of each metric once.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;

use form_urlencoded::byte_serialize;
use http::header::AUTHORIZATION;
use model::{Batch, EntityKind, Kind as MetricKind, Metric, descriptor};
use once::Order as _;
use regex::Regex;

use crate::address::Address;
use crate::chunks::{Chunks, Framing};
use crate::labels::{Labels, digest};
use crate::plan::{Encode, Plan, Transport};
use crate::select::{Row, Selection, value};
use crate::settings::{Secret, Settings};
use crate::text::{push_int, push_json, push_object, push_value};
use crate::transport::{Body, HttpPlan, Target};
use crate::{Error, Kind};

pub(crate) const KIND: Kind = Kind {
    key: "hawkular",
    name: "Hawkular-Metrics Sink",
    settings: &[
        ("tenant", "tenant of every metric (default heapster)"),
        ("labelToTenant", "label whose value is the tenant where there is one"),
        ("labelNodeId", "label that names a node in ids instead of nodename"),
        ("labelTagPrefix", "before the tags made of Kubernetes labels (default \"labels.\")"),
        ("user", "user"),
        ("pass", "password of the user"),
        ("pass_file", "file that holds the password"),
        ("useServiceAccount", "true: send the pod's own token"),
        ("caCert", "PEM file of the CA to trust, as cacert"),
        ("insecure", "true: do not verify the server's certificate, as insecuressl"),
        ("insecuressl", "true: do not verify the server's certificate"),
        ("filter", "label(NAME:REGEX) or name(REGEX): what is not sent, repeatable"),
        ("batchSize", "points in a request (default 1000; 0: as many as fit)"),
        ("concurrencyLimit", "requests at once (default 5)"),
        (
            "tagRequests",
            "series whose tags go with one batch at most (default 10000), a request each",
        ),
        ("disablePreCache", "accepted without effect: tags are not read at the start"),
    ],
    example: "hawkular:https://hawkular-metrics?tenant=k8s",
    notice: Some("Hawkular has been retired; only servers that are still there take this"),
    metrics: Some(plan),
    events: None,
    alerts: None,
};

const TENANT: &str = "hawkular-tenant";
/// Most bytes of a request.
const BYTES: usize = 1 << 20;
/// Where a pod finds its own token.
const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";
/// Batches for which the tags of a metric that is gone are remembered.
const REMEMBERED: u64 = 2;
/// Series whose tags go with one batch where nobody says otherwise: Hawkular takes tags of one
/// metric a request, and the first batch of a large cluster has millions that are new.
const TAG_REQUESTS: usize = 10_000;

fn plan(settings: &Settings, selection: Selection) -> Result<Plan, Error> {
    let text = settings.text_or("address", "");
    let address = Address::parse(text, "localhost:8080");
    let path = match address.path.trim_end_matches('/') {
        "" => "/hawkular/metrics",
        path => path,
    };
    let tenant = settings.text_or("tenant", "heapster").to_owned();
    let user = settings.text("user").filter(|user| !user.is_empty()).map(str::to_owned);
    let mut headers = Vec::new();
    if settings.flag("useServiceAccount", false)? {
        if let Some(user) = &user {
            return Err(settings.bad("user", user, "nothing beside useServiceAccount"));
        }
        let token = settings.read("useServiceAccount", Path::new(TOKEN))?;
        headers.push((AUTHORIZATION, Secret::from(&*format!("Bearer {}", token.trim()))));
    }
    let transport = Transport::Http(Box::new(HttpPlan {
        target: Target::InChunk,
        destination: format!("{path}/{tenant}"),
        body: Body::Json("application/json"),
        basic: user.zip(settings.secret("pass", "pass_file")?),
        headers,
        ..HttpPlan::post(address.base(), String::new())
    }));
    let batch: usize = settings.number("batchSize", 1000, &0)?;
    let encode = Hawkular {
        selection,
        path: path.to_owned(),
        tenant,
        tenant_label: settings.text_or("labelToTenant", "").to_owned(),
        node_label: settings.text_or("labelNodeId", "").to_owned(),
        prefix: settings.text_or("labelTagPrefix", "labels.").to_owned(),
        filters: filters(settings)?,
        batch: if batch == 0 { usize::MAX } else { batch },
        labels: Labels::default(),
        tag_requests: settings.number("tagRequests", TAG_REQUESTS, &0)?,
        room: 0,
        tagged: HashMap::new(),
        run: 0,
    };
    Ok(Plan {
        encode: Box::new(encode),
        framing: Framing::lines(u32::MAX, BYTES),
        transport,
        concurrency: settings.number("concurrencyLimit", 5, &1)?,
    })
}

/// What keeps a metric from being sent.
enum Filter {
    Label(String, Regex),
    Name(Regex),
}

fn filters(settings: &Settings) -> Result<Vec<Filter>, Error> {
    let known = "label(NAME:REGEX), name(REGEX)";
    let read = |text: &str| {
        let bad = || settings.bad("filter", text, known);
        let (command, rest) = text.split_once('(').ok_or_else(bad)?;
        let inner = rest.strip_suffix(')').ok_or_else(bad)?;
        match command {
            "name" => Ok(Filter::Name(Regex::new(inner).map_err(|_| bad())?)),
            "label" => {
                let (name, pattern) = inner.split_once(':').ok_or_else(bad)?;
                Ok(Filter::Label(name.to_owned(), Regex::new(pattern).map_err(|_| bad())?))
            }
            _ => Err(bad()),
        }
    };
    settings.all("filter").map(read).collect()
}

struct Hawkular {
    selection: Selection,
    path: String,
    tenant: String,
    tenant_label: String,
    node_label: String,
    prefix: String,
    filters: Vec<Filter>,
    batch: usize,
    labels: Labels,
    tag_requests: usize,
    /// How many more of them go with this batch.
    room: usize,
    /// By hash of tenant and id: hash of the labels that were sent as tags, and the batch that last
    /// had it. What is not among them yet gets its tags with a later batch.
    tagged: HashMap<u64, (u64, u64)>,
    /// Counts batches.
    run: u64,
}

/// Points of one tenant and type that become requests.
#[derive(Default)]
struct Points {
    json: Vec<u8>,
    count: usize,
}

impl Encode for Hawkular {
    fn encode(&mut self, batch: &Batch, out: &mut Chunks<'_>) {
        self.run += 1;
        self.room = self.tag_requests;
        let run = self.run;
        let mut labels = std::mem::take(&mut self.labels);
        let selection = self.selection.clone();
        let mut waiting: HashMap<(String, &'static str), Points> = HashMap::new();
        for selected in selection.tables(batch) {
            selection.for_each_row(batch, &selected, &mut labels, |row, labels| {
                let tenant = match labels.get(&self.tenant_label) {
                    "" => self.tenant.clone(),
                    tenant => tenant.to_owned(),
                };
                let told = labels.digest();
                for column in &selected.columns {
                    let name = column.metric().name();
                    let Some(value) = value(column, row.at) else { continue };
                    if self.is_filtered(name, labels) {
                        continue;
                    }
                    let kind = match column.metric().kind() {
                        MetricKind::Counter => "counters",
                        MetricKind::Gauge => "gauges",
                    };
                    let id = self.id(name, row, labels);
                    if let Metric::Known(metric) = column.metric()
                        && self.wants_tags(digest(&(&tenant, kind, &id)), told)
                    {
                        let unit = descriptor(*metric).heapster_unit();
                        let tags = self.tags(name, unit, labels);
                        self.push_tags(out, (&tenant, kind, &id), &tags);
                    }
                    let key = (tenant.clone(), kind);
                    let points = waiting.entry(key).or_default();
                    points.json.extend_from_slice(if points.count == 0 { b"[" } else { b"," });
                    points.json.extend_from_slice(b"{\"id\":");
                    push_json(&mut points.json, &id);
                    points.json.extend_from_slice(b",\"data\":[{\"timestamp\":");
                    push_int(&mut points.json, batch.timestamp().millis());
                    points.json.extend_from_slice(b",\"value\":");
                    push_value(&mut points.json, value);
                    points.json.extend_from_slice(b"}]}");
                    points.count += 1;
                    if points.count >= self.batch || points.json.len() >= BYTES {
                        let points = std::mem::take(points);
                        self.push_points(out, &tenant, kind, points);
                    }
                }
            });
        }
        let mut rest: Vec<_> = waiting.into_iter().filter(|(_, points)| points.count > 0).collect();
        rest.order_by(|left, right| left.0.cmp(&right.0));
        for ((tenant, kind), points) in rest {
            self.push_points(out, &tenant, kind, points);
        }
        self.tagged.retain(|_, (_, seen)| *seen + REMEMBERED >= run);
        self.labels = labels;
    }
}

impl Hawkular {
    fn is_filtered(&self, name: &str, labels: &Labels) -> bool {
        self.filters.iter().any(|filter| match filter {
            Filter::Name(pattern) => pattern.is_match(name),
            Filter::Label(label, pattern) => {
                labels.iter().any(|(key, value)| key == label && pattern.is_match(value))
            }
        })
    }

    fn id(&self, metric: &str, row: Row<'_>, labels: &Labels) -> String {
        let node = match labels.get(&self.node_label) {
            "" => labels.get("nodename"),
            node => node,
        };
        let name = row.owner.name();
        let pod = labels.get("pod_id");
        let mut id = match row.owner.kind() {
            EntityKind::Node => format!("machine/{node}/{metric}"),
            EntityKind::SystemContainer => format!("sys_container/{name}/{pod}/{metric}"),
            EntityKind::Cluster => format!("cluster/{metric}"),
            EntityKind::Namespace => format!("ns/{name}/{metric}"),
            EntityKind::Pod => format!("pod/{pod}/{metric}"),
            EntityKind::Container => format!("{name}/{pod}/{metric}"),
            kind => format!("{}/{name}/{metric}", kind.name()),
        };
        if row.is_part() {
            // Writing to a string cannot fail.
            write!(id, "/{}", row.entity.name()).ok();
        }
        id
    }

    /// Every label, the Kubernetes labels one by one too, and what describes the metric.
    fn tags(&self, name: &str, unit: &str, labels: &Labels) -> Vec<u8> {
        let group = format!("{}/{name}", labels.get("container_name"));
        let mut tags: Vec<(String, &str)> =
            labels.iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let separator = &*self.selection.labels.separator;
        let own = labels.get("labels").split(if separator.is_empty() { "," } else { separator });
        let own = own.filter_map(|pair| pair.split_once(':'));
        tags.extend(own.map(|(key, value)| (format!("{}{key}", self.prefix), value)));
        tags.push(("descriptor_name".to_owned(), name));
        tags.push(("group_id".to_owned(), &group));
        if !unit.is_empty() {
            tags.push(("units".to_owned(), unit));
        }
        if labels.iter().any(|(key, _)| key == "resource_id") {
            let described = "Identifier(s) specific to a metric";
            tags.push(("resource_id_description".to_owned(), described));
        }
        tags.order();
        let mut json = Vec::new();
        push_object(&mut json, tags);
        json
    }

    /// Whether the tags of the series go now: they, or others, have not been sent, and there is
    /// room for a request.
    fn wants_tags(&mut self, series: u64, labels: u64) -> bool {
        if let Some((sent, seen)) = self.tagged.get_mut(&series) {
            *seen = self.run;
            if *sent == labels {
                return false;
            }
        }
        if self.room == 0 {
            return false;
        }
        self.room -= 1;
        self.tagged.insert(series, (labels, self.run));
        true
    }

    fn push_tags(&self, out: &mut Chunks<'_>, (tenant, kind, id): (&str, &str, &str), tags: &[u8]) {
        let id: String = byte_serialize(id.as_bytes()).collect();
        let id = id.replace('+', "%20");
        let head = format!("PUT {}/{kind}/{id}/tags\n{TENANT}: {tenant}\n\n", self.path);
        out.whole([head.as_bytes(), tags].concat(), 1);
    }

    fn push_points(&self, out: &mut Chunks<'_>, tenant: &str, kind: &str, points: Points) {
        let Points { mut json, count } = points;
        json.push(b']');
        let head = format!("POST {}/{kind}/raw\n{TENANT}: {tenant}\n\n", self.path);
        out.whole([head.as_bytes(), &json].concat(), u32::try_from(count).unwrap_or(u32::MAX));
    }
}
