//! The whole path: recorded programs' bytes in, their answers out; the binary as a process.
#![expect(clippy::unwrap_used, reason = "a test may")]

#[path = "it/aggregator.rs"]
mod aggregator;
#[path = "it/agree.rs"]
mod agree;
#[path = "it/alertmanager.rs"]
mod alertmanager;
#[path = "it/beside.rs"]
mod beside;
#[path = "it/bounds.rs"]
mod bounds;
#[path = "it/cli.rs"]
mod cli;
#[path = "it/clusters.rs"]
mod clusters;
#[path = "it/doctor.rs"]
mod doctor;
#[path = "it/eventer.rs"]
mod eventer;
#[path = "it/first.rs"]
mod first;
#[path = "it/heapster_api.rs"]
mod heapster_api;
#[path = "it/heapster_pairs.rs"]
mod heapster_pairs;
#[path = "it/historical.rs"]
mod historical;
#[path = "it/history.rs"]
mod history;
#[path = "it/ipv6.rs"]
mod ipv6;
#[path = "it/itself.rs"]
mod itself;
#[path = "it/killed.rs"]
mod killed;
#[path = "it/manifests.rs"]
mod manifests;
#[path = "it/outage.rs"]
mod outage;
#[path = "it/people.rs"]
mod people;
#[path = "it/promql.rs"]
mod promql;
#[path = "../../sinks/tests/it/real.rs"]
mod real;
#[path = "it/refused.rs"]
mod refused;
#[path = "it/replicas.rs"]
mod replicas;
#[path = "it/rotation.rs"]
mod rotation;
#[path = "it/scraping.rs"]
mod scraping;
#[path = "it/secure.rs"]
mod secure;
#[path = "it/senders.rs"]
mod senders;
#[path = "it/served.rs"]
mod served;
#[path = "it/shared_events.rs"]
mod shared_events;
#[path = "it/simulated.rs"]
mod simulated;
#[path = "it/store.rs"]
mod store;
#[path = "it/top.rs"]
mod top;
#[path = "it/trusted.rs"]
mod trusted;
