//! A source that measures this replica's nodes and takes the others' from the others.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use cluster::replicas::{Member, Members, Membership};
use futures_util::{StreamExt, stream};
use model::{Draft, Hop, SharedInventory, Target, TargetState, Timestamp};
use pipeline::{BoxFuture, Source, Window};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use crate::client::{self, Missing, Own};
use crate::merge::merge;
use crate::server::{Offer, Peers, Wanted};
use crate::share::{Share, encode};
use crate::{PeerTls, Token, telemetry};

/// Replicas asked at once.
const CONCURRENCY: usize = 16;
/// The most of a tick's time that is kept for the exchange.
const LONGEST_EXCHANGE: Duration = Duration::from_secs(5);
/// How long the first tick waits for the leases' first list.
const FIRST_LEASES: Duration = Duration::from_secs(3);

/// Measures with `inner` and exchanges shares with the other replicas.
pub struct SharedSource {
    inner: Arc<dyn Source>,
    membership: Membership,
    inventory: SharedInventory,
    token: Token,
    tls: Option<Arc<PeerTls>>,
    offers: watch::Sender<Option<Offer>>,
    state: Mutex<State>,
}

/// What is kept from tick to tick.
#[derive(Default)]
struct State {
    /// The end of the newest share taken of each replica.
    taken: HashMap<Arc<str>, Timestamp>,
    /// Nodes that answered somebody, and when.
    answered: HashMap<Arc<str>, Timestamp>,
    /// Nodes that nobody has measured, and since when.
    since: HashMap<Arc<str>, Timestamp>,
    /// Replicas whose share did not come in the last tick, and why.
    missing: Vec<(Member, Missing)>,
    ticks: u64,
}

/// One replica's answer.
type Answer = (Member, Result<Bytes, Missing>);

impl SharedSource {
    /// `inner` must ask only nodes that are this replica's by `membership`.
    pub fn new(
        inner: Arc<dyn Source>,
        membership: Membership,
        inventory: SharedInventory,
        peers: &Peers,
    ) -> Self {
        let (token, tls, offers) = (peers.token(), peers.tls(), peers.offers());
        Self { inner, membership, inventory, token, tls, offers, state: Mutex::default() }
    }

    /// Of replicas whose share did not come in the last tick: the name, the hop, what happened,
    /// and what to do.
    pub fn missing(&self) -> Vec<(String, Hop, String, String)> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let told = |(member, missing): &(Member, Missing)| {
            let reason =
                format!("replica {} at {}: {}", member.name, member.address, missing.reason);
            (member.name.to_string(), missing.hop, reason, missing.advice.to_owned())
        };
        state.missing.iter().map(told).collect()
    }

    async fn scrape_shared(&self, window: Window, draft: Draft) -> Draft {
        self.membership.observed(FIRST_LEASES).await;
        let members = self.membership.members();
        let left = window.deadline.saturating_duration_since(Instant::now());
        let own = Window { deadline: window.deadline - (left / 3).min(LONGEST_EXCHANGE), ..window };
        let draft = self.inner.scrape(own, draft).await;
        #[expect(clippy::cast_precision_loss, reason = "nodes are far below 2^53")]
        metrics::gauge!(telemetry::OWN_NODES).set(draft.targets().len() as f64);
        let Some((draft, bytes)) = blocking(move || (encode(&draft), draft)).await else {
            return Draft::new(window.end, model::Registry::default());
        };
        #[expect(clippy::cast_precision_loss, reason = "a share is far below 2^53 bytes")]
        metrics::gauge!(telemetry::SHARE_BYTES).set(bytes.len() as f64);
        self.offers.send_replace(Some(Offer { end: window.end, bytes }));
        // From here on the others may count on it: its next tick is theirs.
        self.membership.join();
        let answers = self.ask_all(&members, window).await;
        let inventory = Arc::clone(&self.inventory);
        let merged = blocking(move || {
            let (taken, draft) = take(answers, draft, &inventory);
            (taken, draft)
        });
        let Some((mut draft, taken)) = merged.await else {
            return Draft::new(window.end, model::Registry::default());
        };
        self.complete(&members, taken, window.end, &mut draft);
        draft
    }

    async fn ask_all(&self, members: &Members, window: Window) -> Vec<Answer> {
        let first = self.state.lock().unwrap_or_else(PoisonError::into_inner).ticks == 0;
        let resolution = window.end.since(window.start);
        let left = window.deadline.saturating_duration_since(Instant::now());
        // The first tick is at once, the others' ends with the clock: theirs will not come.
        let wait = if first { Duration::ZERO } else { left.mul_f64(0.8) };
        let oldest = window.end.minus(resolution * 2);
        let asked = members.others().map(|member| {
            let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let taken = state.taken.get(&member.name).copied().unwrap_or(Timestamp::NEVER);
            let after = taken.max(oldest).nanos();
            let wanted = Wanted { end: window.end.nanos(), after, wait };
            let own = Own {
                name: Arc::clone(&members.me),
                token: self.token.clone(),
                tls: self.tls.clone(),
            };
            let member = member.clone();
            async move {
                let target = wanted.target();
                let answer = client::ask(&member, &own, &target, window.deadline).await;
                (member, answer)
            }
        });
        let asked: Vec<_> = asked.collect();
        stream::iter(asked).buffer_unordered(CONCURRENCY).collect().await
    }

    /// Notes what came, and makes targets of the nodes that nobody measured.
    fn complete(&self, members: &Members, taken: Taken, end: Timestamp, draft: &mut Draft) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *state;
        state.ticks += 1;
        for (member, missing) in &taken.missing {
            metrics::counter!(telemetry::SHARES_MISSING, "peer" => Arc::clone(&member.name))
                .increment(1);
            if !state.missing.iter().any(|(known, _)| known.name == member.name) {
                let (name, address, reason) = (&member.name, &member.address, &missing.reason);
                tracing::warn!(%name, %address, reason, "a replica's share is missing");
            }
        }
        state.missing = taken.missing;
        state.taken.extend(taken.ends);
        state.taken.retain(|name, _| members.all.iter().any(|member| member.name == *name));
        for target in draft.targets() {
            state.since.remove(&target.node);
            if target.state == TargetState::Up {
                state.answered.insert(Arc::clone(&target.node), target.last_success);
            }
        }
        let inventory = self.inventory.read().unwrap_or_else(PoisonError::into_inner);
        state.answered.retain(|node, _| inventory.node(node).is_some());
        state.since.retain(|node, _| inventory.node(node).is_some());
        for node in inventory.nodes().filter(|node| !taken.covered.contains(&*node.name)) {
            let name: Arc<str> = (*node.name).into();
            let owner = members.owner(&name);
            let missing = state.missing.iter().find(|(member, _)| &*member.name == owner);
            let since = *state.since.entry(Arc::clone(&name)).or_insert(end);
            draft.report(Target {
                state: unmeasured(missing),
                url: missing.map_or("".into(), |(member, _)| member.address.as_ref().into()),
                since,
                last_success: state.answered.get(&name).copied().unwrap_or(Timestamp::NEVER),
                took: Duration::ZERO,
                body_bytes: 0,
                verified: model::Verified::NotAsked,
                node: name,
            });
        }
    }
}

fn unmeasured(missing: Option<&(Member, Missing)>) -> TargetState {
    match missing {
        Some((member, missing)) => TargetState::Failed {
            hop: missing.hop,
            reason: format!("replica {}, which measures it: {}", member.name, missing.reason),
            advice: missing.advice.to_owned(),
        },
        None => TargetState::Skipped {
            reason: "no replica measured it: a replica came or went in this tick".to_owned(),
        },
    }
}

/// What came of the other replicas' answers.
struct Taken {
    covered: HashSet<Arc<str>>,
    ends: Vec<(Arc<str>, Timestamp)>,
    missing: Vec<(Member, Missing)>,
}

fn take(answers: Vec<Answer>, mut draft: Draft, inventory: &SharedInventory) -> (Taken, Draft) {
    let covered = draft.targets().iter().map(|target| Arc::clone(&target.node)).collect();
    let mut taken = Taken { covered, ends: Vec::new(), missing: Vec::new() };
    for (member, answer) in answers {
        let read = answer.and_then(|bytes| {
            let merged = Share::read(&bytes).and_then(|share| {
                merge(&share, &mut draft, inventory, &mut taken.covered)?;
                Ok(share.end)
            });
            merged.map_err(|error| Missing {
                hop: Hop::Decode,
                reason: format!("its share cannot be read: {error}"),
                advice: "run the same version everywhere",
            })
        });
        match read {
            Ok(end) => taken.ends.push((member.name, end)),
            Err(missing) => taken.missing.push((member, missing)),
        }
    }
    (taken, draft)
}

/// Runs what takes long on a thread of its own; `None` if it panicked, which is logged.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> (T, Draft) + Send + 'static,
) -> Option<(Draft, T)> {
    match spawn_blocking(work).await {
        Ok((made, draft)) => Some((draft, made)),
        Err(error) => {
            tracing::error!(%error, "a share could not be made or taken");
            None
        }
    }
}

impl Source for SharedSource {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn scrape(&self, window: Window, draft: Draft) -> BoxFuture<'_, Draft> {
        Box::pin(self.scrape_shared(window, draft))
    }
}
