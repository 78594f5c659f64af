//! Takes what the other replicas scraped, every second.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use cluster::replicas::{Member, Membership};
use futures_util::{StreamExt, stream};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::client::{self, Missing, Own};
use crate::ledger::{Page, SharedSamples};
use crate::server::samples_target;
use crate::{PeerTls, Token, telemetry};

/// How often the others are asked.
const EVERY: Duration = Duration::from_secs(1);
/// How long all of them together may take.
const AT_MOST: Duration = Duration::from_secs(10);
/// Replicas asked at once.
const CONCURRENCY: usize = 8;

/// Takes scraped samples of another replica.
pub type Taker = Arc<dyn Fn(&SharedSamples) + Send + Sync>;

/// How far a replica's ledger is known: its epoch, and the number of the last entry.
type Known = (u64, u64);

/// Asks the others for what they scraped, until dropped.
pub(crate) async fn run(
    membership: Membership,
    (token, tls): (Token, Option<Arc<PeerTls>>),
    taker: Taker,
) {
    let mut known: HashMap<Arc<str>, Known> = HashMap::new();
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let members = membership.members();
        known.retain(|name, _| members.others().any(|member| member.name == *name));
        let deadline = Instant::now() + AT_MOST;
        let asked: Vec<_> = members
            .others()
            .map(|member| {
                let (member, taker) = (member.clone(), &taker);
                let (token, tls) = (token.clone(), tls.clone());
                let own = Own { name: Arc::clone(&members.me), token, tls };
                let from = known.get(&member.name).copied().unwrap_or_default();
                async move {
                    let reached = follow(&member, &own, from, deadline, taker).await;
                    (member.name, reached)
                }
            })
            .collect();
        let reached: Vec<_> = stream::iter(asked).buffer_unordered(CONCURRENCY).collect().await;
        for (name, (reached, missing)) in reached {
            if let Some(missing) = missing {
                metrics::counter!(telemetry::SCRAPES_MISSING, "peer" => Arc::clone(&name))
                    .increment(1);
                tracing::debug!(%name, reason = missing.reason, "a replica's scrapes did not come");
            }
            known.insert(name, reached);
        }
    }
}

/// Takes everything that a replica has to offer; how far that is, and why no further.
async fn follow(
    member: &Member,
    own: &Own,
    mut known: Known,
    deadline: Instant,
    taker: &Taker,
) -> (Known, Option<Missing>) {
    loop {
        let target = samples_target(known);
        let bytes = match client::ask(member, own, &target, deadline).await {
            Ok(bytes) => bytes,
            Err(missing) => return (known, Some(missing)),
        };
        let take = Arc::clone(taker);
        let reading = spawn_blocking(move || {
            let page = Page::read(&bytes)?;
            page.entries.iter().for_each(|entry| take(entry));
            Some(((page.epoch, page.last), page.more))
        });
        let Ok(Some((reached, more))) = reading.await else {
            let missing = Missing {
                hop: model::Hop::Decode,
                reason: "its scrapes cannot be read".to_owned(),
                advice: "run the same version everywhere",
            };
            return (known, Some(missing));
        };
        known = reached;
        if !more {
            return (known, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::Peers;

    #[tokio::test]
    async fn each_entry_is_taken_once() {
        let token = Token::new(b"sixteen bytes ok").unwrap();
        let peers = Peers::bind("127.0.0.1:0".parse().unwrap(), token.clone()).await.unwrap();
        let address = peers.local_addr().unwrap().to_string();
        let member = Member { name: "t-1".into(), address: address.as_str().into() };
        let own = Own { name: "t-0".into(), token, tls: None };
        let ledger = peers.ledger();
        let serving = tokio::spawn(peers.serve());
        let times = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&times);
        let taker: Taker = Arc::new(move |shared: &SharedSamples| {
            noted.lock().unwrap().extend(shared.samples.iter().map(|sample| sample.time));
        });
        let offer = |time: i64| {
            let labels = Arc::new([("__name__".into(), "a".into())]);
            ledger.offer(&[model::SeriesSample { labels, time, value: 1.0 }], &[]);
        };
        let deadline = Instant::now() + Duration::from_secs(20);
        offer(1);
        offer(2);
        let (known, missing) = follow(&member, &own, (0, 0), deadline, &taker).await;
        assert_eq!((known.1, missing), (2, None));
        offer(3);
        let (known, _) = follow(&member, &own, known, deadline, &taker).await;
        assert_eq!(*times.lock().unwrap(), [1, 2, 3]);
        serving.abort();
        drop(serving.await);
        let (after, missing) = follow(&member, &own, known, deadline, &taker).await;
        assert_eq!(after, known);
        assert!(missing.is_some());
    }
}
