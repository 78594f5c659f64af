//! The crate's integration tests.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at what it did not expect"
)]

#[path = "it/alerts.rs"]
mod alerts;
#[path = "it/any.rs"]
mod any;
#[path = "it/batches.rs"]
mod batches;
#[path = "it/clouds.rs"]
mod clouds;
#[path = "it/delivery.rs"]
mod delivery;
#[path = "it/docs.rs"]
mod docs;
#[path = "it/events.rs"]
mod events;
#[path = "it/every.rs"]
mod every;
#[path = "it/families.rs"]
mod families;
#[path = "it/files.rs"]
mod files;
#[path = "it/filters.rs"]
mod filters;
#[path = "it/fixtures.rs"]
mod fixtures;
#[path = "it/golden.rs"]
mod golden;
#[path = "it/guarded.rs"]
mod guarded;
#[path = "it/hawkular.rs"]
mod hawkular;
#[path = "it/influxd.rs"]
mod influxd;
#[path = "it/kafka.rs"]
mod kafka;
#[path = "it/log.rs"]
mod log;
#[path = "it/outage.rs"]
mod outage;
#[path = "it/pki.rs"]
mod pki;
#[path = "it/python.rs"]
mod python;
#[path = "it/real.rs"]
mod real;
#[path = "it/riemann.rs"]
mod riemann;
#[path = "it/servers.rs"]
mod servers;
