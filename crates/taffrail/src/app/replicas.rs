//! This process as one of several: its lease, its port for the others, and which sinks it feeds.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use api::{Problem, ReplicaFacts};
use cluster::replicas::{Membership, ReplicaOptions, lease_for};
use cluster::{Connection, KubernetesSource};
use model::{Batch, SharedInventory};
use pipeline::{BoxFuture, Clock, Sink, SinkError, Source};
use replicas::{Ledger, PeerTls, Peers, SharedSource, Taker, Token};

use crate::adapters::QueuedSink;
use crate::config::ReplicaConfig;
use crate::exit::Failure;
use crate::facts::{ReplicasTold, Trouble};

/// The key by which one of the replicas is chosen to feed the sinks.
pub(super) const SINKS: &str = "sinks";

/// What runs beside the tick.
pub(super) struct Replicas {
    membership: Membership,
    peers: Peers,
    source: Arc<SharedSource>,
    kubelets: Arc<KubernetesSource>,
    clock: Clock,
}

impl Replicas {
    /// Binds the port for the others and puts the exchange around `source`.
    pub(super) async fn around(
        source: KubernetesSource,
        config: &ReplicaConfig,
        (connection, inventory): (&Connection, &SharedInventory),
        resolution: Duration,
        clock: Clock,
    ) -> Result<Self, Failure> {
        let token = Token::read(&config.token).map_err(Failure::config)?;
        let socket = super::listen::bind(config.listen).await.map_err(|error| {
            Failure::unavailable(format!(
                "cannot listen on {} for other replicas: {error}; choose another --peer-listen",
                config.listen
            ))
        })?;
        let tls = config.tls.as_ref().map(|files| {
            PeerTls::read(&files.certificate, &files.key, &files.authority, &files.name)
        });
        let tls = tls.transpose().map_err(|error| {
            Failure::config(format!("TLS between replicas (--peer-cert-file, …): {error}"))
        })?;
        let peers = Peers::on(socket, token).with_tls(tls);
        let bound = peers.local_addr().map_err(Failure::unavailable)?;
        let reached = config.address.as_ref().map(|address| with_port(address, bound.port()));
        let address = reached.unwrap_or_else(|| bound.to_string());
        let options = ReplicaOptions {
            namespace: config.namespace.clone(),
            name: config.name.clone(),
            address,
            lease: config.lease.unwrap_or_else(|| lease_for(resolution)),
        };
        let membership = Membership::new(connection, options, clock);
        let of_tick = membership.clone();
        let source = source.only(move |node| of_tick.members().is_mine(node));
        let (source, known) = (Arc::new(source), membership.clone());
        let kubelets = Arc::clone(&source);
        let source = Arc::new(SharedSource::new(source, known, Arc::clone(inventory), &peers));
        Ok(Self { membership, peers, source, kubelets, clock })
    }

    pub(super) fn source(&self) -> Arc<dyn Source> {
        Arc::<SharedSource>::clone(&self.source)
    }

    /// The source of this replica's own nodes; its quick loop asks all.
    pub(super) fn kubelets(&self) -> Arc<KubernetesSource> {
        Arc::clone(&self.kubelets)
    }

    pub(super) fn membership(&self) -> Membership {
        self.membership.clone()
    }

    /// A sink that is fed by one replica at a time.
    pub(super) fn elected(&self, inner: QueuedSink) -> Box<dyn Sink> {
        Box::new(Elected { inner, membership: self.membership.clone() })
    }

    /// Replicas that are missing, and leases that cannot be used.
    pub(super) fn trouble(&self) -> Trouble {
        let (source, membership, clock) =
            (Arc::clone(&self.source), self.membership.clone(), self.clock);
        Arc::new(move || {
            let missing = source.missing().into_iter().map(|(name, hop, reason, advice)| Problem {
                about: format!("replica {name}"),
                hop,
                reason,
                advice,
                since: clock.now(),
            });
            let leases = membership.trouble().map(|error| Problem {
                about: "leases of replicas".to_owned(),
                hop: error.hop(),
                reason: error.trouble().reason.clone(),
                advice: error.trouble().advice.clone(),
                since: clock.now(),
            });
            missing.chain(leases).collect()
        })
    }

    /// Who the replicas are, whose the sinks are, and whose share did not come.
    pub(super) fn holdings(&self) -> ReplicasTold {
        let (source, membership) = (Arc::clone(&self.source), self.membership.clone());
        Arc::new(move || {
            let members = membership.members();
            let missing = source.missing();
            let why = |name: &str| {
                missing.iter().find(|(of, ..)| of == name).map(|(_, _, reason, _)| reason.clone())
            };
            let feeder = members.owner(SINKS);
            let told = members.all.iter().map(|member| ReplicaFacts {
                name: member.name.to_string(),
                address: member.address.to_string(),
                me: member.name == members.me,
                feeds: &*member.name == feeder,
                missing: why(&member.name),
            });
            told.collect()
        })
    }

    /// Where scraped samples are offered to the others.
    pub(super) fn ledger(&self) -> Arc<Ledger> {
        self.peers.ledger()
    }

    /// Follows the leases, answers the others and takes what they scraped, until dropped.
    pub(super) async fn run(self, taker: Taker) -> &'static str {
        let exchanged = self.peers.exchange(self.membership.clone(), taker);
        tokio::join!(self.membership.follow(), self.peers.serve(), exchanged);
        "replicas"
    }
}

/// `address` with a port: the given one where it has none, behind brackets where it is IPv6.
fn with_port(address: &str, port: u16) -> String {
    let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match bare.unwrap_or(address).parse::<IpAddr>() {
        Ok(ip) => SocketAddr::new(ip, port).to_string(),
        Err(_) if address.contains(':') => address.to_owned(),
        Err(_) => format!("{address}:{port}"),
    }
}

/// A sink that every replica has and one feeds.
struct Elected {
    inner: QueuedSink,
    membership: Membership,
}

impl Sink for Elected {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn export(&mut self, batch: Arc<Batch>) -> BoxFuture<'_, Result<(), SinkError>> {
        if self.membership.members().is_mine(SINKS) {
            self.inner.export(batch)
        } else {
            Box::pin(std::future::ready(Ok(())))
        }
    }

    fn finish(&mut self) -> BoxFuture<'_, ()> {
        self.inner.finish()
    }
}

/// Ready when `shutdown` is and the lease is given back, so that others take over at once.
pub(super) async fn leaving(shutdown: impl Future<Output = ()>, membership: Option<Membership>) {
    shutdown.await;
    if let Some(membership) = membership {
        membership.leave().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_gets_a_port_where_it_has_none() {
        for (given, expected) in [
            ("10.0.0.1", "10.0.0.1:8083"),
            ("fd00::1", "[fd00::1]:8083"),
            ("[fd00::1]", "[fd00::1]:8083"),
            ("[fd00::1]:9", "[fd00::1]:9"),
            ("10.0.0.1:9", "10.0.0.1:9"),
            ("t-0.peers", "t-0.peers:8083"),
            ("t-0.peers:9", "t-0.peers:9"),
        ] {
            assert_eq!(with_port(given, 8083), expected, "{given}");
        }
    }
}
