//! This process as one of several: its lease, its port for the others, and which sinks it feeds.

use std::sync::Arc;
use std::time::Duration;

use api::{Problem, ReplicaFacts};
use cluster::replicas::{Membership, ReplicaOptions, lease_for};
use cluster::{Connection, KubernetesSource};
use model::{Batch, SharedInventory};
use pipeline::{BoxFuture, Clock, Sink, SinkError, Source};
use replicas::{Peers, SharedSource, Token};

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
        let peers = Peers::bind(config.listen, token).await.map_err(|error| {
            Failure::unavailable(format!(
                "cannot listen on {} for other replicas: {error}; choose another --peer-listen",
                config.listen
            ))
        })?;
        let bound = peers.local_addr().map_err(Failure::unavailable)?;
        let address = config.address.clone().unwrap_or_else(|| bound.to_string());
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
        let source = Arc::new(SharedSource::new(source, known, Arc::clone(inventory), &peers));
        Ok(Self { membership, peers, source, clock })
    }

    pub(super) fn source(&self) -> Arc<dyn Source> {
        Arc::<SharedSource>::clone(&self.source)
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

    /// Follows the leases and answers the others until dropped.
    pub(super) async fn run(self) -> &'static str {
        tokio::join!(self.membership.follow(), self.peers.serve());
        "replicas"
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
