//! NAME: one `name{labels} value seconds` line per point, over TCP.

use model::Batch;

use crate::address::Address;
use crate::chunks::{Chunks, Framing};
use crate::labels::Labels;
use crate::plan::{Encode, Plan, Transport};
use crate::select::{Selection, value};
use crate::settings::Settings;
use crate::text::{push_int, push_json, push_value};
use crate::transport::Peer;
use crate::{Error, Kind};

pub(crate) const KIND: Kind = Kind {
    key: "NAME",
    name: "NAME",
    settings: &[("prefix", "before every name (default none)")],
    example: "NAME:tcp://localhost:4000?prefix=k8s.",
    notice: None,
    metrics: Some(plan),
    events: None,
    alerts: None,
};

/// Most points and bytes of one connection.
const POINTS: u32 = 10_000;
const BYTES: usize = 1 << 20;

#[expect(clippy::unnecessary_wraps, reason = "every kind has the same door")]
fn plan(settings: &Settings, selection: Selection) -> Result<Plan, Error> {
    let address = Address::parse(settings.text_or("address", ""), "localhost:4000");
    let prefix = settings.text_or("prefix", "").to_owned();
    Ok(Plan {
        encode: Box::new(Encoder { selection, prefix, labels: Labels::default() }),
        framing: Framing::lines(POINTS, BYTES),
        transport: Transport::Tcp(Peer::new(address)),
        concurrency: 1,
    })
}

struct Encoder {
    selection: Selection,
    prefix: String,
    labels: Labels,
}

impl Encode for Encoder {
    fn encode(&mut self, batch: &Batch, out: &mut Chunks<'_>) {
        let Self { selection, prefix, labels } = self;
        for selected in selection.tables(batch) {
            selection.for_each_row(batch, &selected, labels, |row, labels| {
                for column in &selected.columns {
                    let Some(value) = value(column, row.at) else { continue };
                    out.point(|line| {
                        line.extend_from_slice(prefix.as_bytes());
                        line.extend_from_slice(column.metric().name().as_bytes());
                        for (at, (key, value)) in labels.iter().enumerate() {
                            line.push(if at == 0 { b'{' } else { b',' });
                            line.extend_from_slice(key.as_bytes());
                            line.push(b'=');
                            push_json(line, value);
                        }
                        line.extend_from_slice(b"} ");
                        push_value(line, value);
                        line.push(b' ');
                        push_int(line, batch.timestamp().secs());
                        line.push(b'\n');
                    });
                }
            });
        }
    }
}
