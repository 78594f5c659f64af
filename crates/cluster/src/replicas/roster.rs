//! Who lives, by what was seen of leases, and whose a node is. Pure: time is an argument.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use once::Order as _;
use tokio::time::Instant;

use super::ReplicaOptions;
use super::lease::Lease;
use crate::telemetry;

/// Replicas that are counted; more are left out, and counted as such.
pub const MAX_MEMBERS: usize = 64;

/// A replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub name: Arc<str>,
    /// `host:port` at which it is asked.
    pub address: Arc<str>,
}

/// The living replicas at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Members {
    /// This replica's name.
    pub me: Arc<str>,
    /// All, this one among them, by name.
    pub all: Arc<[Member]>,
    /// Whether the leases were read at least once.
    pub observed: bool,
}

impl Members {
    pub(super) fn alone(name: &str, address: &str) -> Self {
        let me = Member { name: name.into(), address: address.into() };
        Self { me: Arc::clone(&me.name), all: [me].into(), observed: false }
    }

    /// The replica whose `key` is: the one whose name hashes highest with it, so that of a
    /// replica that comes or goes only its own keys move.
    pub fn owner(&self, key: &str) -> &str {
        let weight = |member: &&Member| (weight(&member.name, key), Arc::clone(&member.name));
        self.all.iter().max_by_key(weight).map_or(&*self.me, |member| &*member.name)
    }

    /// Whether `key` is this replica's.
    pub fn is_mine(&self, key: &str) -> bool {
        self.owner(key) == &*self.me
    }

    /// All but this one.
    pub fn others(&self) -> impl Iterator<Item = &Member> {
        self.all.iter().filter(|member| member.name != self.me)
    }

    pub(super) fn names(&self) -> Vec<&str> {
        self.all.iter().map(|member| &*member.name).collect()
    }
}

/// Highest-random-weight hashing: FNV-1a over both, then mixed so that names that differ in the
/// last letter only do not hash alike (the finalizer of `SplitMix64`).
fn weight(member: &str, key: &str) -> u64 {
    let bytes = member.bytes().chain([0]).chain(key.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

/// What was seen of leases so far.
pub(super) struct Roster {
    me: Member,
    lease: Duration,
    seen: HashMap<String, Seen>,
    last: Option<Instant>,
}

struct Seen {
    renewed: String,
    /// When that renewal was first seen, by our own time: clocks of machines differ.
    at: Instant,
}

impl Roster {
    pub(super) fn new(options: &ReplicaOptions) -> Self {
        let me =
            Member { name: options.name.as_str().into(), address: options.address.as_str().into() };
        Self { me, lease: options.lease, seen: HashMap::new(), last: None }
    }

    /// Takes in what the API server has now; who lives by that.
    pub(super) fn observe(&mut self, leases: &[Lease], now: Instant) -> Members {
        // After a time without answers nobody could be seen to renew: everybody begins anew.
        let blind = self.last.is_some_and(|last| now - last > self.lease / 2);
        self.last = Some(now);
        let mut all = vec![self.me.clone()];
        let mut still = HashMap::new();
        for lease in leases {
            let (Some(holder), Some(address)) = (lease.holder(), lease.address()) else { continue };
            if holder == &*self.me.name {
                continue;
            }
            let before = self.seen.remove(holder);
            let same = before.filter(|seen| seen.renewed == lease.renewed() && !blind);
            let at = same.map_or(now, |seen| seen.at);
            still.insert(holder.to_owned(), Seen { renewed: lease.renewed().to_owned(), at });
            if now - at < lease.duration() {
                all.push(Member { name: holder.into(), address: address.into() });
            }
        }
        self.seen = still;
        all.order_by(|left, right| left.name.cmp(&right.name));
        if all.len() > MAX_MEMBERS {
            let more = u64::try_from(all.len() - MAX_MEMBERS).unwrap_or(u64::MAX);
            metrics::counter!(telemetry::REPLICAS_LEFT_OUT).increment(more);
            all.truncate(MAX_MEMBERS);
        }
        #[expect(clippy::cast_precision_loss, reason = "at most 64")]
        metrics::gauge!(telemetry::REPLICAS).set(all.len() as f64);
        Members { me: Arc::clone(&self.me.name), all: all.into(), observed: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roster() -> Roster {
        Roster::new(&ReplicaOptions {
            namespace: "n".to_owned(),
            name: "b".to_owned(),
            address: "b:1".to_owned(),
            lease: Duration::from_secs(4),
        })
    }

    fn members(names: &[&str]) -> Members {
        let one = |name: &&str| Member { name: (*name).into(), address: "".into() };
        let all = names.iter().map(one).collect();
        Members { me: names[0].into(), all, observed: true }
    }

    #[test]
    fn a_lease_expires_by_what_was_seen_not_by_its_time() {
        let (mut roster, begin) = (roster(), Instant::now());
        let at = |secs| begin + Duration::from_secs(secs);
        // Its clock is years off.
        let old = Lease::of("a", "1999-01-01T00:00:00.000000Z", 4);
        for (secs, expected) in [(0, "a b"), (1, "a b"), (2, "a b"), (3, "a b"), (4, "b")] {
            let seen = roster.observe(std::slice::from_ref(&old), at(secs));
            assert_eq!(seen.names().join(" "), expected, "after {secs} s");
        }
        let renewed = Lease::of("a", "1998-01-01T00:00:00.000000Z", 4);
        assert_eq!(roster.observe(&[renewed], at(5)).names(), ["a", "b"]);
        assert_eq!(roster.observe(&[], at(6)).names(), ["b"], "given back");
    }

    #[test]
    fn nobody_dies_of_an_api_server_that_was_away() {
        let (mut roster, begin) = (roster(), Instant::now());
        let lease = Lease::of("a", "x", 4);
        roster.observe(std::slice::from_ref(&lease), begin);
        let later = begin + Duration::from_mins(1);
        assert_eq!(roster.observe(&[lease], later).names(), ["a", "b"]);
    }

    #[test]
    fn nodes_are_shared_evenly_and_only_the_dead_ones_move() {
        let three = members(&["t-0", "t-1", "t-2"]);
        let two = members(&["t-0", "t-2"]);
        let mut counts: HashMap<String, usize> = HashMap::new();
        for node in 0..3000 {
            let node = format!("node-{node}");
            let owner = three.owner(&node).to_owned();
            if owner != "t-1" {
                assert_eq!(two.owner(&node), owner);
            }
            *counts.entry(owner).or_default() += 1;
        }
        assert!(counts.values().all(|count| (900..1100).contains(count)), "{counts:?}");
    }
}
