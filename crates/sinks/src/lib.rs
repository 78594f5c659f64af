//! Sinks: what turns a batch into somebody else's format and delivers it, one file for each
//! format, listed in [`ALL`], and one engine that delivers for all of them.
//!
//! Knows nothing of the tick that makes batches.
#![forbid(unsafe_code)]

mod address;
mod alertmanager;
pub mod bench;
mod chunks;
mod credentials;
mod deliver;
mod error;
mod event_object;
mod exposed;
mod google;
mod labels;
mod parquet_file;
mod path;
mod plan;
mod protobuf;
mod queue;
mod reach;
mod select;
mod settings;
pub mod telemetry;
mod template;
mod text;
mod transport;

// What `cargo xtask new sink` begins with.
#[cfg(test)]
#[path = "../template/sink.rs"]
mod new_sink;

mod elasticsearch;
mod email;
mod files;
mod gcl;
mod gcm;
mod graphite;
mod hawkular;
mod honeycomb;
mod influxdb;
mod influxdb2;
mod influxdb3;
mod kafka;
mod librato;
mod log;
mod loki;
mod opentsdb;
mod otlp;
mod remotewrite;
mod riemann;
mod rows;
mod s3;
mod stackdriver;
mod statsd;
mod victoriametrics;
mod wavefront;
mod webhook;

use std::io::Write;

use model::LabelOptions;

pub use deliver::{AlertSink, EventSink, Sink, SinkStatus, StatusHandle};
pub use error::Error;
pub use influxdb::InfluxReader;
pub use parquet_file::SampleWriter;
pub use reach::{Reach, Reached};
pub use settings::{COMMON, Clock, redact};

use plan::{AlertPlan, EventPlan, Plan};
use select::Selection;
use settings::Settings;

/// Every sink there is.
pub const ALL: &[Kind] = &[
    log::KIND,
    influxdb::KIND,
    graphite::KIND,
    statsd::KIND,
    opentsdb::KIND,
    wavefront::KIND,
    honeycomb::KIND,
    librato::KIND,
    riemann::KIND,
    kafka::KIND,
    influxdb2::KIND,
    influxdb3::KIND,
    remotewrite::KIND,
    otlp::KIND,
    victoriametrics::KIND,
    loki::KIND,
    webhook::KIND,
    files::KIND,
    s3::KIND,
    elasticsearch::KIND,
    hawkular::KIND,
    gcm::KIND,
    stackdriver::KIND,
    gcl::KIND,
    email::KIND,
    alertmanager::KIND,
];

/// One row of [`ALL`].
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// What `--sink` calls it.
    pub key: &'static str,
    /// Heapster's name of it.
    pub name: &'static str,
    /// Its settings besides [`COMMON`], as (name, one sentence).
    pub settings: &'static [(&'static str, &'static str)],
    /// One `--sink` value as an example.
    pub example: &'static str,
    /// What whoever uses it should know when it starts.
    pub notice: Option<&'static str>,
    /// Whether it takes metrics, and how.
    metrics: Option<Metrics>,
    /// Whether it takes events, and how.
    events: Option<Events>,
    /// Whether it takes alerts, and how.
    alerts: Option<Alerts>,
}

/// How a kind of sink takes metrics.
type Metrics = fn(&Settings, Selection) -> Result<Plan, Error>;

/// How a kind of sink takes events.
#[derive(Debug, Clone, Copy)]
struct Events {
    /// Heapster's name of it, which differs from that of the sink of metrics here and there.
    name: &'static str,
    plan: fn(&Settings) -> Result<EventPlan, Error>,
}

/// How a kind of sink takes alerts.
#[derive(Debug, Clone, Copy)]
struct Alerts {
    plan: fn(&Settings) -> Result<AlertPlan, Error>,
}

/// What a sink is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Metrics.
    Metrics,
    /// Events.
    Events,
    /// Alerts.
    Alerts,
}

/// What a sink is made from.
pub struct Setup {
    /// Settings as (name, value), as the command line's URI or the configuration gives them.
    pub settings: Vec<(String, String)>,
    /// How Kubernetes labels become metric labels.
    pub labels: LabelOptions,
    /// Where a sink that prints prints to.
    pub output: Box<dyn Write + Send>,
    /// The time, for signatures.
    pub clock: Clock,
}

impl Kind {
    /// Whether it takes metrics.
    pub fn takes_metrics(&self) -> bool {
        self.metrics.is_some()
    }

    /// Whether it takes events.
    pub fn takes_events(&self) -> bool {
        self.events.is_some()
    }

    /// Whether it takes alerts.
    pub fn takes_alerts(&self) -> bool {
        self.alerts.is_some()
    }

    /// What it takes, in words.
    pub fn takes(&self) -> &'static str {
        match (self.takes_metrics(), self.takes_events(), self.takes_alerts()) {
            (true, false, _) => "metrics",
            (true, true, _) => "metrics and events",
            (false, true, false) => "events",
            (false, true, true) => "events and alerts",
            (false, false, _) => "alerts",
        }
    }

    /// What is wrong with `settings` of a sink of `wanted`, each with the setting where it is known.
    /// Reads the files that they name; sends nothing.
    pub fn check(
        &self,
        wanted: Wanted,
        settings: &[(String, String)],
    ) -> Vec<(Option<String>, Error)> {
        let (known, unknown): (Vec<_>, Vec<_>) =
            settings.iter().cloned().partition(|(name, _)| self.knows(name));
        let mut wrong: Vec<_> = unknown
            .into_iter()
            .filter_map(|(name, value)| {
                let error = self.settings(vec![(name.clone(), value)]).err()?;
                Some((Some(name), error))
            })
            .collect();
        let planned = match wanted {
            Wanted::Metrics => self.plan(known, LabelOptions::default()).err(),
            Wanted::Events => self.event_plan(known).err(),
            Wanted::Alerts => self.alert_plan(known).err(),
        };
        wrong.extend(planned.map(|error| (error.setting().map(str::to_owned), error)));
        wrong
    }

    /// The setting that says which cluster it is, if the kind has one.
    pub fn cluster_setting(&self) -> Option<&'static str> {
        let named = ["cluster", "cluster_name", "clusterName"];
        self.settings.iter().map(|(name, _)| *name).find(|name| named.contains(name))
    }

    /// Whether it has a setting called `name`.
    pub fn knows(&self, name: &str) -> bool {
        let known = COMMON.iter().chain(self.settings).map(|(name, _)| *name);
        known.into_iter().any(|known| is_called(known, name))
    }

    /// A sink of metrics of this kind, which begins to send what its queue holds from before. A
    /// setting that it does not have is an error. Must be called inside a runtime, but for a sink
    /// that prints.
    pub fn build(&self, setup: Setup) -> Result<Sink, Error> {
        let (plan, mut settings) = self.plan(setup.settings, setup.labels)?;
        settings.clock = setup.clock;
        self.warn();
        Sink::new(self, plan, &settings, setup.output)
    }

    /// A sink of events of this kind; otherwise as [`Kind::build`].
    pub fn build_events(&self, setup: Setup) -> Result<EventSink, Error> {
        let (plan, name, mut settings) = self.event_plan(setup.settings)?;
        settings.clock = setup.clock;
        let selection = Selection::new(&settings, setup.labels)?;
        self.warn();
        EventSink::new(self.key, name, plan, selection, &settings, setup.output)
    }

    /// A sink of alerts of this kind; otherwise as [`Kind::build`].
    pub fn build_alerts(&self, setup: Setup) -> Result<AlertSink, Error> {
        let (plan, mut settings) = self.alert_plan(setup.settings)?;
        settings.clock = setup.clock;
        let selection = Selection::new(&settings, setup.labels)?;
        self.warn();
        AlertSink::new(self, plan, selection, &settings, setup.output)
    }

    fn warn(&self) {
        if let Some(notice) = self.notice {
            tracing::warn!(sink = self.key, notice, "mind");
        }
    }

    pub(crate) fn plan(
        &self,
        pairs: Vec<(String, String)>,
        labels: LabelOptions,
    ) -> Result<(Plan, Settings), Error> {
        let Some(plan) = self.metrics else {
            return Err(self.not_taken("metrics"));
        };
        let settings = self.settings(pairs)?;
        let selection = Selection::new(&settings, labels)?;
        Ok((plan(&settings, selection)?, settings))
    }

    pub(crate) fn event_plan(
        &self,
        pairs: Vec<(String, String)>,
    ) -> Result<(EventPlan, &'static str, Settings), Error> {
        let Some(Events { name, plan }) = self.events else {
            return Err(self.not_taken("events"));
        };
        let settings = self.settings(pairs)?;
        Ok((plan(&settings)?, name, settings))
    }

    pub(crate) fn alert_plan(
        &self,
        pairs: Vec<(String, String)>,
    ) -> Result<(AlertPlan, Settings), Error> {
        let Some(Alerts { plan }) = self.alerts else { return Err(self.not_taken("alerts")) };
        let settings = self.settings(pairs)?;
        Ok((plan(&settings)?, settings))
    }

    fn not_taken(&self, what: &'static str) -> Error {
        Error::NotTaken { sink: self.key, what, takes: self.takes() }
    }

    /// `pairs`, once every name is known.
    fn settings(&self, pairs: Vec<(String, String)>) -> Result<Settings, Error> {
        let known = || COMMON.iter().chain(self.settings).map(|(name, _)| *name);
        for (name, _) in &pairs {
            if !known().any(|known| is_called(known, name)) {
                return Err(Error::UnknownSetting {
                    sink: self.key,
                    name: name.clone(),
                    known: list(known()),
                });
            }
        }
        let pairs = pairs.into_iter().map(as_ours).collect();
        Ok(Settings { sink: self.key, pairs, clock: Clock::default() })
    }
}

/// The sink kind of that key.
pub fn find(key: &str) -> Result<&'static Kind, Error> {
    ALL.iter().find(|kind| kind.key == key).ok_or_else(|| Error::NotRecognized {
        key: key.to_owned(),
        known: list(ALL.iter().map(|kind| kind.key)),
    })
}

/// Whether `name` is the setting `known`, which may end with a star for any rest.
fn is_called(known: &str, name: &str) -> bool {
    known == name || known.strip_suffix('*').is_some_and(|begin| name.starts_with(begin))
}

/// A setting by the name that all sinks call it.
fn as_ours((name, value): (String, String)) -> (String, String) {
    let name = match &*name {
        // Of gcm's own; all means what Heapster had.
        "metrics" if value == "autoscaling" => {
            return ("autoscaling".to_owned(), "true".to_owned());
        }
        "caCert" => "cacert".to_owned(),
        "insecure" => "insecuressl".to_owned(),
        _ => name,
    };
    (name, value)
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setup(settings: &[(&str, &str)]) -> Setup {
        let settings = settings.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        Setup {
            settings: settings.collect(),
            labels: LabelOptions::default(),
            output: Box::new(std::io::sink()),
            clock: Clock::default(),
        }
    }

    #[test]
    fn mistakes_name_what_is_known() {
        let error = find("logg").unwrap_err().to_string();
        assert!(
            error.starts_with("sink not recognized: \"logg\" (known: log, influxdb"),
            "{error}"
        );
        for kind in ALL {
            let built = if kind.takes_metrics() {
                kind.build(setup(&[("bogus", "1")])).err()
            } else if kind.takes_events() {
                kind.build_events(setup(&[("bogus", "1")])).err()
            } else {
                kind.build_alerts(setup(&[("bogus", "1")])).err()
            };
            let error = built.unwrap().to_string();
            assert!(error.contains("has no setting \"bogus\""), "{error}");
        }
        let check = |kind: Kind, name, value, expected| {
            let error = kind.build(setup(&[(name, value)])).err().unwrap().to_string();
            assert_eq!(error, expected);
        };
        check(
            log::KIND,
            "metrics",
            "some",
            "sink log: metrics=\"some\" is not one of heapster, all",
        );
        check(
            statsd::KIND,
            "protocolType",
            "dog",
            "sink statsd: protocolType=\"dog\" is not one of etsystatsd, influxstatsd",
        );
        check(
            influxdb::KIND,
            "retention",
            "7d; DROP",
            "sink influxdb: retention=\"7d; DROP\" is not one of InfluxDB durations like 36h, 7d, \
             4w, INF, 0",
        );
    }

    #[tokio::test]
    async fn every_kind_is_found_and_built() {
        for kind in ALL {
            let query = kind.example.split_once('?').map_or("", |(_, query)| query);
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            let pairs = pairs.filter(|(name, _)| !name.ends_with("_file"));
            let address: &[_] = match kind.key {
                "files" => &[("address", "/tmp")],
                "s3" => &[("address", "http://localhost/bucket")],
                "email" => &[("address", "smtp://localhost")],
                _ => &[],
            };
            let required: &Vec<_> = &address.iter().copied().chain(pairs).collect();
            let kind = find(kind.key).unwrap();
            assert!(
                kind.takes_metrics() || kind.takes_events() || kind.takes_alerts(),
                "{}",
                kind.key
            );
            match kind.build(setup(required)) {
                Ok(sink) => assert_eq!(sink.name(), kind.name),
                Err(error) => {
                    let expected = format!("sink {} takes {}, no metrics", kind.key, kind.takes());
                    assert_eq!(error.to_string(), expected);
                }
            }
            match kind.build_events(setup(required)) {
                Ok(sink) => assert!(sink.name().to_lowercase().contains("sink"), "{}", kind.key),
                Err(error) => {
                    let expected = format!("sink {} takes {}, no events", kind.key, kind.takes());
                    assert_eq!(error.to_string(), expected);
                }
            }
            match kind.build_alerts(setup(required)) {
                Ok(sink) => assert_eq!(sink.name(), kind.name),
                Err(error) => {
                    let expected = format!("sink {} takes {}, no alerts", kind.key, kind.takes());
                    assert_eq!(error.to_string(), expected);
                }
            }
        }
    }

    #[test]
    fn what_a_new_sink_begins_as_works() {
        let mut draft =
            model::Draft::new(model::Timestamp::from_secs(60), model::Registry::default());
        let cluster = draft.registry.cluster();
        let row = draft.insert(&cluster).row;
        draft.table_mut(cluster.kind()).set_int(row, model::metric::CPU_USAGE_RATE, 7);
        let mut encoder = bench::Encoder::new(&new_sink::KIND, &[("prefix", "k8s.")]).unwrap();
        let mut sent = Vec::new();
        encoder.encode(&draft.freeze().0, |bytes| sent.extend_from_slice(bytes));
        assert_eq!(sent, b"k8s.cpu/usage_rate{type=\"cluster\"} 7 60\n");
    }

    #[test]
    fn a_sink_that_sends_needs_a_runtime() {
        let error = influxdb::KIND.build(setup(&[])).err().unwrap();
        assert!(matches!(error, Error::NoRuntime { sink: "influxdb" }), "{error}");
    }
}
