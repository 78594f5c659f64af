//! `StatsD` over UDP, every value a gauge: names in Etsy's dots or with Influx's tags.

use std::collections::HashMap;

use model::Batch;

use crate::address::Address;
use crate::chunks::{Chunks, Framing};
use crate::labels::Labels;
use crate::path::Words;
use crate::plan::{Encode, Plan, Transport};
use crate::select::{Selection, value};
use crate::settings::Settings;
use crate::text::{push_clean, push_value};
use crate::{Error, Kind};

pub(crate) const KIND: Kind = Kind {
    key: "statsd",
    name: "StatsD Sink",
    settings: &[
        ("prefix", "before every name; etsystatsd puts a dot after it"),
        ("protocolType", "etsystatsd (default), influxstatsd"),
        ("numMetricsPerMsg", "lines in a packet (default 5)"),
        ("renameLabels", "old:new,… names of labels"),
        ("allowedLabels", "comma-separated labels to send; none means all"),
        ("labelStyle", "lowerCamelCase (default), upperCamelCase"),
    ],
    example: "statsd:udp://statsd:8125?prefix=k8s",
    notice: None,
    metrics: Some(plan),
    events: None,
    alerts: None,
};

const WORDS: Words = Words {
    namespaces: "namespace",
    workloads: "workload",
    nodes: "node",
    namespaces_of_node: "namespace",
    pods: Some("pod"),
    containers: "container",
    system_containers: "sys-container",
};

/// The label that holds the Kubernetes labels, which are sent one by one instead.
const KUBERNETES_LABELS: &str = "labels";

fn plan(settings: &Settings, selection: Selection) -> Result<Plan, Error> {
    let text = settings.text_or("address", "");
    let address = Address::parse(text, "localhost:8125");
    if !matches!(&*address.scheme, "udp" | "") {
        return Err(settings.bad("address", text, "udp://host:port"));
    }
    let etsy = match settings.text_or("protocolType", "etsystatsd") {
        "etsystatsd" => true,
        "influxstatsd" => false,
        other => return Err(settings.bad("protocolType", other, "etsystatsd, influxstatsd")),
    };
    let upper = match settings.text_or("labelStyle", "lowerCamelCase") {
        "lowerCamelCase" => false,
        "upperCamelCase" => true,
        other => return Err(settings.bad("labelStyle", other, "lowerCamelCase, upperCamelCase")),
    };
    let mut prefix = settings.text_or("prefix", "").to_owned();
    if etsy && !prefix.is_empty() {
        prefix.push('.');
    }
    let list = |name| settings.text_or(name, "").split(',').filter(|word| !word.is_empty());
    let renamed = list("renameLabels").filter_map(|pair| pair.split_once(':'));
    let names = Names {
        upper,
        renamed: renamed.map(|(old, new)| (old.to_owned(), new.to_owned())).collect(),
        allowed: list("allowedLabels").map(str::to_owned).collect(),
    };
    let encode =
        Statsd { selection, etsy, prefix, names, labels: Labels::default(), name: Vec::new() };
    Ok(Plan {
        encode: Box::new(encode),
        framing: Framing::datagrams(settings.number("numMetricsPerMsg", 5, &1)?),
        transport: Transport::Udp(address.authority),
        concurrency: 1,
    })
}

struct Statsd {
    selection: Selection,
    etsy: bool,
    prefix: String,
    names: Names,
    labels: Labels,
    /// What the lines of one row have in common; reused.
    name: Vec<u8>,
}

/// Which labels are sent, and what they are called.
struct Names {
    upper: bool,
    renamed: HashMap<String, String>,
    allowed: Vec<String>,
}

impl Encode for Statsd {
    fn encode(&mut self, batch: &Batch, out: &mut Chunks<'_>) {
        let Self { selection, etsy, prefix, names, labels, name } = self;
        for selected in selection.tables(batch) {
            selection.for_each_row(batch, &selected, labels, |row, labels| {
                name.clear();
                let separator = &*selection.labels.separator;
                if *etsy {
                    WORDS.push(name, row, labels, is_plain);
                    for (key, value) in user_labels(labels, separator, names) {
                        for word in [&*names.call(key), value] {
                            push_clean(name, word, is_plain);
                            name.push(b'.');
                        }
                    }
                } else {
                    push_tags(name, labels, separator, names);
                }
                for column in &selected.columns {
                    let Some(value) = value(column, row.at) else { continue };
                    out.point(|line| {
                        line.extend_from_slice(prefix.as_bytes());
                        if *etsy {
                            line.extend_from_slice(name);
                            push_clean(line, column.metric().name(), is_plain);
                            if row.is_part() {
                                line.push(b'.');
                                push_clean(line, row.entity.name(), is_plain);
                            }
                        } else {
                            push_clean(line, column.metric().name(), is_plain_tag);
                            line.extend_from_slice(name);
                        }
                        line.push(b':');
                        push_value(line, value);
                        line.extend_from_slice(b"|g\n");
                    });
                }
            });
        }
    }
}

/// Every label as `,key=value`, sorted by the key that it had before it was renamed.
fn push_tags(out: &mut Vec<u8>, labels: &Labels, separator: &str, names: &Names) {
    let own = labels
        .iter()
        .filter(|(key, value)| *key != KUBERNETES_LABELS && !value.is_empty() && names.allow(key));
    let mut pairs: Vec<_> = own.chain(user_labels(labels, separator, names)).collect();
    pairs.sort_unstable();
    for (key, value) in pairs {
        out.push(b',');
        push_clean(out, &names.call(key), is_plain_tag);
        out.push(b'=');
        push_clean(out, value, is_plain_tag);
    }
}

/// The Kubernetes labels of a row, one by one.
fn user_labels<'a>(
    labels: &'a Labels,
    separator: &'a str,
    names: &'a Names,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    labels
        .get(KUBERNETES_LABELS)
        .split(if separator.is_empty() { "," } else { separator })
        .filter_map(|pair| pair.split_once(':'))
        .filter(|(key, _)| names.allow(KUBERNETES_LABELS) || names.allow(key))
}

impl Names {
    fn allow(&self, key: &str) -> bool {
        self.allowed.is_empty() || self.allowed.iter().any(|allowed| allowed == key)
    }

    /// What the label `key` is called: renamed, then in camel case.
    fn call(&self, key: &str) -> String {
        let key = self.renamed.get(key).map_or(key, |new| new);
        let mut called = String::with_capacity(key.len());
        for (at, word) in key.split('_').enumerate() {
            let mut letters = word.chars();
            match letters.next() {
                Some(first) if at > 0 || self.upper => called.extend(first.to_uppercase()),
                Some(first) => called.push(first),
                None => {}
            }
            called.push_str(letters.as_str());
        }
        called
    }
}

/// What a part of a dotted name may hold.
fn is_plain(letter: char) -> bool {
    !matches!(letter, '.' | '=' | '|' | ':') && !letter.is_whitespace()
}

/// What a tag may hold.
fn is_plain_tag(letter: char) -> bool {
    !matches!(letter, ',' | ':' | '=' | '|') && !letter.is_whitespace()
}
