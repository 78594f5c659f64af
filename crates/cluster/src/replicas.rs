//! Replicas of this program over one cluster: leases tell who lives, a hash tells whose node is
//! whose. Knows nothing of what replicas tell each other.

mod lease;
mod roster;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pipeline::Clock;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::connect::{ConnectError, Connection};
use lease::Leases;
use roster::Roster;
pub use roster::{MAX_MEMBERS, Member, Members};

/// The least time that a lease lasts.
pub const SHORTEST_LEASE: Duration = Duration::from_secs(2);
/// The longest that a lease lasts unless asked for.
const USUAL_LEASE: Duration = Duration::from_secs(15);

/// How long a lease lasts at a resolution: two of them are no longer than a tick, so that a dead
/// replica's nodes miss one tick at most.
pub fn lease_for(resolution: Duration) -> Duration {
    (resolution / 2).clamp(SHORTEST_LEASE, USUAL_LEASE)
}

/// What a replica is told of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaOptions {
    /// Where the leases are.
    pub namespace: String,
    /// Its name, unlike any other's.
    pub name: String,
    /// `host:port` at which other replicas ask it.
    pub address: String,
    /// How long its lease lasts without being renewed; whole seconds.
    pub lease: Duration,
}

/// A replica among others. Cheap to clone.
#[derive(Clone)]
pub struct Membership {
    shared: Arc<Shared>,
}

struct Shared {
    options: ReplicaOptions,
    leases: Leases,
    members: watch::Sender<Members>,
    joined: AtomicBool,
    wake: Notify,
    trouble: Mutex<Option<ConnectError>>,
}

impl Membership {
    /// A replica that neither knows the others nor is known to them. Sends nothing yet.
    pub fn new(connection: &Connection, options: ReplicaOptions, clock: Clock) -> Self {
        let members = Members::alone(&options.name, &options.address);
        let shared = Shared {
            leases: Leases::new(connection.clone(), options.clone(), clock),
            options,
            members: watch::Sender::new(members),
            joined: AtomicBool::new(false),
            wake: Notify::new(),
            trouble: Mutex::new(None),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Who lives now, this replica among them.
    pub fn members(&self) -> Members {
        self.shared.members.borrow().clone()
    }

    /// Waits until the leases were read once, at most so long.
    pub async fn observed(&self, at_most: Duration) {
        let mut members = self.shared.members.subscribe();
        let observed = members.wait_for(|members| members.observed);
        if tokio::time::timeout(at_most, observed).await.is_err() {
            tracing::warn!("the replicas' leases have not been read yet");
        }
    }

    /// From now on others may count on this replica: its lease is held.
    pub fn join(&self) {
        if !self.shared.joined.swap(true, Ordering::Relaxed) {
            self.shared.wake.notify_one();
        }
    }

    /// Why leases cannot be read or renewed now.
    pub fn trouble(&self) -> Option<ConnectError> {
        self.shared.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads leases and renews its own until dropped. While the API server does not answer, who
    /// lived last is taken to live.
    pub async fn follow(self) {
        let mut roster = Roster::new(&self.shared.options);
        let every = self.shared.options.lease / 4;
        loop {
            let limit = self.shared.options.lease / 2;
            let outcome = match tokio::time::timeout(limit, self.round(&mut roster)).await {
                Ok(outcome) => outcome,
                Err(_) => Err(self.shared.leases.no_answer(limit)),
            };
            self.note(outcome.err());
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                () = self.shared.wake.notified() => {}
            }
        }
    }

    async fn round(&self, roster: &mut Roster) -> Result<(), ConnectError> {
        let shared = &self.shared;
        let leases = shared.leases.list().await?;
        let members = roster.observe(&leases, Instant::now());
        shared.members.send_if_modified(|known| {
            let changed = *known != members;
            if changed && known.names() != members.names() {
                let names = members.names().join(", ");
                tracing::info!(replicas = names, "replicas that share the nodes");
            }
            *known = members;
            changed
        });
        if shared.joined.load(Ordering::Relaxed) {
            shared.leases.renew(&leases).await?;
        }
        Ok(())
    }

    fn note(&self, trouble: Option<ConnectError>) {
        let mut known = self.shared.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        match (&*known, &trouble) {
            (None, Some(error)) => tracing::warn!(%error, "leases cannot be read or renewed"),
            (Some(_), None) => tracing::info!("leases are read and renewed again"),
            _ => {}
        }
        *known = trouble;
    }

    /// Gives the lease back, so that others take over at once.
    pub async fn leave(&self) {
        if self.shared.joined.swap(false, Ordering::Relaxed)
            && let Ok(Err(error)) =
                tokio::time::timeout(self.shared.options.lease, self.shared.leases.give_back())
                    .await
        {
            tracing::debug!(%error, "the lease was not given back and will expire");
        }
    }
}

impl std::fmt::Debug for Membership {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Membership").field("options", &self.shared.options).finish_non_exhaustive()
    }
}
