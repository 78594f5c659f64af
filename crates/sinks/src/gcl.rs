//! Google Cloud Logging v2: events as log entries.

use model::{Event, Timestamp};

use crate::chunks::{Chunks, Framing};
use crate::event_object::{EventObject, push_compact};
use crate::google::{API, BYTES, CREDENTIALS, Google, PROJECT};
use crate::plan::{EncodeEvents, EventPlan, Transport};
use crate::settings::Settings;
use crate::text::push_json;
use crate::{Error, Events, Kind};

pub(crate) const KIND: Kind = Kind {
    key: "gcl",
    name: "GCL Sink",
    settings: &[PROJECT, CREDENTIALS, API],
    example: "gcl:?project=my-project",
    notice: None,
    metrics: None,
    events: Some(Events { name: "GCL Sink", plan: event_plan }),
    alerts: None,
};

/// Most entries of one request.
const ENTRIES: u32 = 1000;

fn event_plan(settings: &Settings) -> Result<EventPlan, Error> {
    let google = Google::new(settings, "logging.googleapis.com", "/v2/entries:write")?;
    let log = format!("projects/{}/logs/kubernetes.io%2Fevents", google.project);
    let mut head = b"{\"logName\":".to_vec();
    push_json(&mut head, &log);
    head.extend_from_slice(b",\"resource\":{\"type\":\"global\"},\"entries\":[");
    let framing = Framing { head, separator: b",", tail: b"]}", ..Framing::lines(ENTRIES, BYTES) };
    let transport = Transport::Http(Box::new(google.http));
    Ok(EventPlan { encode: Box::new(GclEvents), framing, transport, concurrency: 1 })
}

struct GclEvents;

impl EncodeEvents for GclEvents {
    fn event(&mut self, timestamp: Timestamp, event: &Event, out: &mut Chunks<'_>) {
        let time = if event.last_seen.is_never() { timestamp } else { event.last_seen };
        out.point(|out| {
            out.extend_from_slice(b"{\"severity\":\"NOTICE\",\"timestamp\":");
            push_json(out, &time.to_rfc3339_seconds());
            out.extend_from_slice(b",\"insertId\":");
            push_json(out, &event.uid);
            out.extend_from_slice(b",\"jsonPayload\":");
            push_compact(out, &EventObject::of(event));
            out.push(b'}');
        });
    }
}
