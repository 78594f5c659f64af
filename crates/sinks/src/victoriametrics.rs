//! VictoriaMetrics: a JSON line for each sample, for its import API.

use model::Batch;

use crate::address::Address;
use crate::chunks::{Chunks, Framing};
use crate::credentials::{basic, bearer};
use crate::exposed::{CLUSTER, Exposer, for_each_label};
use crate::plan::{Encode, Plan, Transport};
use crate::select::Selection;
use crate::settings::Settings;
use crate::text::{push_float, push_int, push_json};
use crate::transport::{Body, Finish, HttpPlan};
use crate::{Error, Kind};

pub(crate) const KIND: Kind = Kind {
    key: "victoriametrics",
    name: "VictoriaMetrics Sink",
    settings: &[
        ("user", "user"),
        ("pw", "password"),
        ("pw_file", "file that holds the password"),
        ("token", "bearer token"),
        ("token_file", "file that holds the bearer token"),
        CLUSTER,
        ("insecuressl", "true: do not verify the server's certificate"),
    ],
    example: "victoriametrics:http://victoria-metrics:8428?cluster=production",
    notice: None,
    metrics: Some(plan),
    events: None,
    alerts: None,
};

/// Most samples and bytes of one request, before compression.
const SAMPLES: u32 = 20_000;
const BYTES: usize = 8 << 20;

fn plan(settings: &Settings, selection: Selection) -> Result<Plan, Error> {
    let address = Address::parse(settings.text_or("address", ""), "localhost:8428");
    let path = match &*address.path {
        "" | "/" => "/api/v1/import",
        path => path,
    };
    let transport = Transport::Http(Box::new(HttpPlan {
        destination: path.to_owned(),
        body: Body::Json("application/json"),
        finish: Finish::Gzip,
        basic: basic(settings)?,
        headers: bearer(settings)?,
        ..HttpPlan::post(address.base(), path.to_owned())
    }));
    Ok(Plan {
        encode: Box::new(Import { exposer: Exposer::new(settings, selection) }),
        framing: Framing::lines(SAMPLES, BYTES),
        transport,
        concurrency: 1,
    })
}

struct Import {
    exposer: Exposer,
}

impl Encode for Import {
    fn encode(&mut self, batch: &Batch, out: &mut Chunks<'_>) {
        let millis = batch.timestamp().millis();
        self.exposer.for_each_row(batch, |row, columns| {
            for column in columns {
                let Some(value) = column.value(row.row) else { continue };
                out.point(|line| {
                    line.extend_from_slice(b"{\"metric\":{\"__name__\":");
                    push_json(line, &column.exposed.name);
                    for_each_label(row.labels, &column.exposed, |name, value| {
                        line.push(b',');
                        push_json(line, name);
                        line.push(b':');
                        push_json(line, value);
                    });
                    line.extend_from_slice(b"},\"values\":[");
                    push_float(line, value);
                    line.extend_from_slice(b"],\"timestamps\":[");
                    push_int(line, millis);
                    line.extend_from_slice(b"]}\n");
                });
            }
        });
    }
}
