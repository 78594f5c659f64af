//! Graphite: one `path value seconds` line per point, over TCP or UDP.

use model::Batch;

use crate::address::Address;
use crate::chunks::{Chunks, Framing};
use crate::labels::Labels;
use crate::path::Words;
use crate::plan::{Encode, Plan, Transport};
use crate::select::{Row, Selection, value};
use crate::settings::Settings;
use crate::text::{push_clean, push_fixed, push_int};
use crate::transport::Peer;
use crate::{Error, Kind};

pub(crate) const KIND: Kind = Kind {
    key: "graphite",
    name: "Graphite Sink",
    settings: &[("prefix", "first part of every path (default kubernetes)")],
    example: "graphite:tcp://carbon:2003?prefix=kubernetes",
    notice: None,
    metrics: Some(plan),
    events: None,
    alerts: None,
};

const WORDS: Words = Words {
    namespaces: "namespaces",
    workloads: "workloads",
    nodes: "nodes",
    namespaces_of_node: "pods",
    pods: None,
    containers: "containers",
    system_containers: "sys-containers",
};

/// Most points and bytes of one connection.
const POINTS: u32 = 50_000;
const BYTES: usize = 1 << 20;

fn plan(settings: &Settings, selection: Selection) -> Result<Plan, Error> {
    let text = settings.text_or("address", "");
    let address = Address::parse(text, "localhost:2003");
    let (transport, framing) = match &*address.scheme {
        "tcp" | "tls" | "" => (Transport::Tcp(Peer::new(address)), Framing::lines(POINTS, BYTES)),
        "udp" => (Transport::Udp(address.authority), Framing::datagrams(1)),
        _ => {
            return Err(settings.bad(
                "address",
                text,
                "tcp://host:port, tls://host:port, udp://host:port",
            ));
        }
    };
    let prefix = settings.text_or("prefix", "kubernetes").to_owned();
    let encode = Graphite { selection, prefix, labels: Labels::default(), path: Vec::new() };
    Ok(Plan { encode: Box::new(encode), framing, transport, concurrency: 1 })
}

struct Graphite {
    selection: Selection,
    prefix: String,
    labels: Labels,
    /// The path of one row; reused.
    path: Vec<u8>,
}

impl Encode for Graphite {
    fn encode(&mut self, batch: &Batch, out: &mut Chunks<'_>) {
        let Self { selection, prefix, labels, path } = self;
        for selected in selection.tables(batch) {
            selection.for_each_row(batch, &selected, labels, |row, labels| {
                path.clear();
                path.extend_from_slice(prefix.as_bytes());
                path.push(b'.');
                WORDS.push(path, row, labels, is_plain);
                for column in &selected.columns {
                    let Some(value) = value(column, row.at) else { continue };
                    out.point(|line| {
                        line.extend_from_slice(path);
                        push_metric(line, column.metric().name(), row);
                        line.push(b' ');
                        push_fixed(line, value);
                        line.push(b' ');
                        push_int(line, batch.timestamp().secs());
                        line.push(b'\n');
                    });
                }
            });
        }
    }
}

/// The metric with dots for slashes; a part's id after the metric's first word, so that two
/// volumes of a pod do not share a path.
fn push_metric(out: &mut Vec<u8>, metric: &str, row: Row<'_>) {
    for (at, word) in metric.split('/').enumerate() {
        if at > 0 {
            out.push(b'.');
        }
        out.extend_from_slice(word.as_bytes());
        if at == 0 && row.is_part() {
            out.push(b'.');
            push_clean(out, row.entity.name(), is_plain);
        }
    }
}

/// What a part of a path may hold.
fn is_plain(letter: char) -> bool {
    !matches!(letter, '.' | '/') && !letter.is_whitespace()
}
