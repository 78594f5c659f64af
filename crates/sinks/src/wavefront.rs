//! Wavefront proxy: one line per point over TCP, labels as quoted tags.

use model::{Batch, EntityKind};

use crate::address::Address;
use crate::chunks::{Chunks, Framing};
use crate::labels::Labels;
use crate::plan::{Encode, Plan, Transport};
use crate::select::{Row, Selection, value};
use crate::settings::Settings;
use crate::text::{push_fixed, push_int};
use crate::transport::Peer;
use crate::{Error, Kind};

pub(crate) const KIND: Kind = Kind {
    key: "wavefront",
    name: "Wavefront Sink",
    settings: &[
        ("clusterName", "value of the tag cluster (default k8s-cluster)"),
        ("prefix", "before every name (default heapster.)"),
        ("includeLabels", "true: Kubernetes labels as tags label.<key>"),
        ("includeContainers", "false: leave out containers of pods"),
    ],
    example: "wavefront:wavefront-proxy:2878?clusterName=production",
    notice: None,
    metrics: Some(plan),
    events: None,
    alerts: None,
};

/// Most points and bytes of one connection.
const POINTS: u32 = 50_000;
const BYTES: usize = 1 << 20;
/// Labels that are not tags; Kubernetes labels are tags of their own, if any.
const NO_TAGS: &[&str] = &["namespace_id", "host_id", "pod_id", "hostname", "labels"];
/// Containers whose name has this in it are left out.
const SLICES: &str = "system.slice/";

fn plan(settings: &Settings, selection: Selection) -> Result<Plan, Error> {
    let address = Address::parse(settings.text_or("address", ""), "localhost:2878");
    let encode = Wavefront {
        selection,
        cluster: settings.text_or("clusterName", "k8s-cluster").to_owned(),
        prefix: settings.text_or("prefix", "heapster.").to_owned(),
        with_labels: settings.flag("includeLabels", false)?,
        with_containers: settings.flag("includeContainers", true)?,
        labels: Labels::default(),
        tags: Vec::new(),
    };
    Ok(Plan {
        encode: Box::new(encode),
        framing: Framing::lines(POINTS, BYTES),
        transport: Transport::Tcp(Peer::new(address)),
        concurrency: 1,
    })
}

struct Wavefront {
    selection: Selection,
    cluster: String,
    prefix: String,
    with_labels: bool,
    with_containers: bool,
    labels: Labels,
    /// Source and tags of one row; reused.
    tags: Vec<u8>,
}

impl Encode for Wavefront {
    fn encode(&mut self, batch: &Batch, out: &mut Chunks<'_>) {
        let Self { selection, cluster, prefix, labels, tags, .. } = self;
        let (with_labels, with_containers) = (self.with_labels, self.with_containers);
        for selected in selection.tables(batch) {
            selection.for_each_row(batch, &selected, labels, |row, labels| {
                let of_pod = row.owner.kind() == EntityKind::Container;
                if (of_pod && !with_containers) || labels.get("container_name").contains(SLICES) {
                    return;
                }
                tags.clear();
                push_source(tags, row, labels, cluster);
                push_tag(tags, "cluster", cluster);
                for (key, value) in labels.iter() {
                    if !value.trim().is_empty() && !NO_TAGS.contains(&key) {
                        push_tag(tags, key, value);
                    }
                }
                if with_labels {
                    push_user_labels(tags, labels, &selection.labels.separator);
                }
                for column in &selected.columns {
                    let Some(value) = value(column, row.at) else { continue };
                    out.point(|line| {
                        line.extend_from_slice(prefix.as_bytes());
                        line.extend_from_slice(labels.get("type").as_bytes());
                        line.push(b'.');
                        let name = column.metric().name().bytes();
                        line.extend(name.map(|byte| if byte == b'/' { b'.' } else { byte }));
                        line.push(b' ');
                        push_fixed(line, value);
                        line.push(b' ');
                        push_int(line, batch.timestamp().secs());
                        line.extend_from_slice(tags);
                        line.extend_from_slice(b" \n");
                    });
                }
            });
        }
    }
}

/// Who the point is about: the host, the cluster, or `<namespace>-ns`.
fn push_source(out: &mut Vec<u8>, row: Row<'_>, labels: &Labels, cluster: &str) {
    match row.owner.kind() {
        EntityKind::Cluster => push_tag(out, "source", cluster),
        EntityKind::Namespace => push_tag(out, "source", &format!("{}-ns", row.owner.name())),
        _ => push_tag(out, "source", labels.get("hostname")),
    }
}

fn push_user_labels(out: &mut Vec<u8>, labels: &Labels, separator: &str) {
    let separator = if separator.is_empty() { "," } else { separator };
    for (key, value) in labels.get("labels").split(separator).filter_map(|p| p.split_once(':')) {
        if !value.is_empty() {
            push_tag(out, &format!("label.{key}"), value);
        }
    }
}

/// ` key="value"`, quotes escaped, line breaks as spaces.
fn push_tag(out: &mut Vec<u8>, key: &str, value: &str) {
    out.push(b' ');
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"=\"");
    for byte in value.bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\n' | b'\r' => out.push(b' '),
            other => out.push(other),
        }
    }
    out.push(b'"');
}
