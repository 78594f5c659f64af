//! Librato: JSON measurements with tags over HTTP.

use model::Batch;

use crate::address::Address;
use crate::chunks::{Chunks, Framing};
use crate::labels::Labels;
use crate::plan::{Encode, Plan, Transport};
use crate::select::{Selection, value};
use crate::settings::Settings;
use crate::text::{push_int, push_json, push_object, push_value};
use crate::transport::{Body, HttpPlan};
use crate::{Error, Kind};

pub(crate) const KIND: Kind = Kind {
    key: "librato",
    name: "Librato Sink",
    settings: &[
        ("username", "user; required"),
        ("token", "token; required"),
        ("token_file", "file that holds the token"),
        ("api", "server (default https://metrics-api.librato.com)"),
        ("prefix", "before every name, with a dot after it"),
        ("tags", "comma-separated names of tags of every request"),
        ("tag_*", "the value of one of those tags"),
    ],
    example: "librato:?username=me&token=$TOKEN&tags=cluster&tag_cluster=production",
    notice: Some("Librato has been shut down; only servers that speak its protocol take this"),
    metrics: Some(plan),
    events: None,
    alerts: None,
};

/// Most measurements and bytes of one request.
const MEASUREMENTS: u32 = 1000;
const BYTES: usize = 1 << 20;
/// Longest name, name of a tag and value of a tag, in characters.
const NAME: usize = 255;
const TAG_NAME: usize = 64;
const TAG_VALUE: usize = 255;

fn plan(settings: &Settings, selection: Selection) -> Result<Plan, Error> {
    let host = settings.text_or("api", settings.text_or("address", ""));
    let address = Address::parse(host, "metrics-api.librato.com:443");
    let scheme = if address.scheme == "http" { "http" } else { "https" };
    let user = settings.text_or("username", "");
    let token = settings.secret("token", "token_file")?;
    let (false, Some(token)) = (user.is_empty(), token) else {
        return Err(settings.bad("username", user, "users, with a token"));
    };
    let transport = Transport::Http(Box::new(HttpPlan {
        destination: format!("/{user}"),
        body: Body::Json("application/json"),
        basic: Some((user.to_owned(), token)),
        ..HttpPlan::post(
            format!("{scheme}://{}", address.authority),
            format!("{}/v1/measurements", address.path.trim_end_matches('/')),
        )
    }));
    let framing = Framing {
        head: head(settings),
        separator: b",",
        tail: b"]}",
        ..Framing::lines(MEASUREMENTS, BYTES)
    };
    let prefix = match settings.text_or("prefix", "") {
        "" => String::new(),
        prefix => format!("{prefix}."),
    };
    let encode = Librato { selection, prefix, labels: Labels::default(), tags: Vec::new() };
    Ok(Plan { encode: Box::new(encode), framing, transport, concurrency: 1 })
}

/// What stands before the first measurement: the tags of all of them, if there are any.
fn head(settings: &Settings) -> Vec<u8> {
    let mut labels = Labels::default();
    for name in settings.text_or("tags", "").split(',').filter(|name| !name.is_empty()) {
        labels.push(name, settings.text_or(&format!("tag_{name}"), ""));
    }
    labels.sort();
    let mut head = vec![b'{'];
    if labels.iter().next().is_some() {
        head.extend_from_slice(b"\"tags\":");
        push_tags(&mut head, &labels);
        head.push(b',');
    }
    head.extend_from_slice(b"\"measurements\":[");
    head
}

struct Librato {
    selection: Selection,
    prefix: String,
    labels: Labels,
    /// The tags of one row as a JSON object; reused.
    tags: Vec<u8>,
}

impl Encode for Librato {
    fn encode(&mut self, batch: &Batch, out: &mut Chunks<'_>) {
        let Self { selection, prefix, labels, tags } = self;
        for selected in selection.tables(batch) {
            let names: Vec<String> = selected
                .columns
                .iter()
                .map(|column| {
                    clean(&format!("{prefix}{}", column.metric().name().replace('/', ".")), NAME)
                })
                .collect();
            selection.for_each_row(batch, &selected, labels, |row, labels| {
                tags.clear();
                push_tags(tags, labels);
                for (column, name) in selected.columns.iter().zip(&names) {
                    let Some(value) = value(column, row.at) else { continue };
                    out.point(|point| {
                        point.extend_from_slice(b"{\"name\":");
                        push_json(point, name);
                        point.extend_from_slice(b",\"value\":");
                        push_value(point, value);
                        point.extend_from_slice(b",\"tags\":");
                        point.extend_from_slice(tags);
                        point.extend_from_slice(b",\"time\":");
                        push_int(point, batch.timestamp().secs());
                        point.push(b'}');
                    });
                }
            });
        }
    }
}

fn push_tags(out: &mut Vec<u8>, labels: &Labels) {
    let cleaned = |(key, value): (&str, &str)| (clean(key, TAG_NAME), clean(value, TAG_VALUE));
    push_object(out, labels.iter().map(cleaned));
}

/// At most `longest` characters, those that Librato does not take replaced by underscores.
fn clean(text: &str, longest: usize) -> String {
    let plain =
        |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | ':' | '-' | '_');
    text.chars().take(longest).map(|letter| if plain(letter) { letter } else { '_' }).collect()
}
