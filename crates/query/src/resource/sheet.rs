//! What is answered of a node's pods, in one piece of memory.
//!
//! A list of all pods looks at every pod of every node, in an order that is none of the nodes':
//! waiting for memory takes most of the time. So what is looked at together lies together, and a
//! pod is told by its key where it was found before.

use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::LazyLock;
use std::time::Duration;

use foldhash::quality::RandomState;
use model::Timestamp;

/// Tells the pods of a node apart in place of their names: 64 bits that nobody can choose, for they
/// depend on a number that each process draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PodKey(u64);

impl PodKey {
    pub(super) fn of(namespace: &str, name: &str) -> Self {
        static DRAWN: LazyLock<RandomState> = LazyLock::new(RandomState::default);
        let mut hasher = DRAWN.build_hasher();
        hasher.write(namespace.as_bytes());
        hasher.write_u8(b'/');
        hasher.write(name.as_bytes());
        Self(hasher.finish())
    }
}

/// A pod's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PodAnswer {
    /// When and over how long its first measured container was; `None` where none has a rate.
    pub(super) measured: Option<(Timestamp, Duration)>,
    /// How many containers of the node stand before its own.
    pub(super) before: usize,
    /// Where its first container is.
    first: usize,
    containers: u32,
}

/// A container's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ContainerAnswer<'a> {
    pub(super) name: &'a str,
    pub(super) cpu: Cpu,
    pub(super) memory_bytes: i64,
}

/// What is known of a container's CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cpu {
    /// Nothing yet: there is one sample.
    Waits,
    /// Nothing: its counter fell.
    Fell,
    /// Billionths of a core.
    Nanocores(i64),
}

const WAITS: i64 = i64::MIN;
const FELL: i64 = i64::MIN + 1;
/// Instead of a time.
const NEVER: i64 = i64::MIN;

/// The answers of a node's pods.
///
/// One pod after the other, numbers little-endian: its key, time, length in nanoseconds, containers
/// before its own, its own; of each of these CPU, memory, bytes of its name, its name.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    bytes: Box<[u8]>,
    /// Every pod's key and place, in order: for who does not know where one is.
    by_key: Box<[(PodKey, u32)]>,
}

/// Where the numbers of a pod are, and its first container.
const KEY: usize = 0;
const TIME: usize = 8;
const LENGTH: usize = 16;
const BEFORE: usize = 24;
const CONTAINERS: usize = 28;
const POD: usize = 32;
/// Where the numbers of a container are, and its name.
const CPU: usize = 0;
const MEMORY: usize = 8;
const NAME_BYTES: usize = 16;
const NAME: usize = 20;

impl Sheet {
    /// The pod of `key`, if it is at that place. Any number may be asked for.
    pub(super) fn at(&self, place: usize, key: PodKey) -> Option<PodAnswer> {
        if self.key(place)? != key {
            return None;
        }
        let time = self.long(place + TIME);
        let length = Duration::from_nanos(self.long(place + LENGTH).unsigned_abs());
        Some(PodAnswer {
            measured: (time != NEVER).then(|| (Timestamp::from_nanos(time), length)),
            before: self.short(place + BEFORE),
            first: place + POD,
            containers: u32::from_le_bytes(self.part(place + CONTAINERS).unwrap_or_default()),
        })
    }

    /// The place of the pod of `key`.
    pub(super) fn find(&self, key: PodKey) -> Option<usize> {
        let found = self.by_key.binary_search_by_key(&key, |(key, _)| *key);
        found.ok().and_then(|at| self.by_key.get(at)).map(|(_, place)| index(*place))
    }

    /// The containers of a pod.
    pub(super) fn of(&self, pod: PodAnswer) -> impl Iterator<Item = ContainerAnswer<'_>> {
        let mut at = pod.first;
        (0..pod.containers).map(move |_| {
            let begin = at + NAME;
            at = begin + self.short(at + NAME_BYTES);
            let name = self.bytes.get(begin..at).unwrap_or_default();
            let numbers = begin - NAME;
            let cpu = match self.long(numbers + CPU) {
                WAITS => Cpu::Waits,
                FELL => Cpu::Fell,
                nanocores => Cpu::Nanocores(nanocores),
            };
            // Whole names went in.
            let name = std::str::from_utf8(name).unwrap_or_default();
            ContainerAnswer { name, cpu, memory_bytes: self.long(numbers + MEMORY) }
        })
    }

    fn key(&self, place: usize) -> Option<PodKey> {
        self.part(place + KEY).map(|bytes| PodKey(u64::from_le_bytes(bytes)))
    }

    fn long(&self, at: usize) -> i64 {
        self.part(at).map_or(0, i64::from_le_bytes)
    }

    fn short(&self, at: usize) -> usize {
        index(self.part(at).map_or(0, u32::from_le_bytes))
    }

    fn part<const LENGTH: usize>(&self, at: usize) -> Option<[u8; LENGTH]> {
        self.bytes.get(at..).and_then(<[u8]>::first_chunk).copied()
    }
}

/// A sheet that is being written.
#[derive(Debug, Default)]
pub(super) struct Draft {
    bytes: Vec<u8>,
    /// How many containers are written.
    containers: u32,
    by_key: Vec<(PodKey, u32)>,
}

impl Draft {
    /// Writes a pod with its containers, of which it has some.
    pub(super) fn pod<'n>(
        &mut self,
        key: PodKey,
        measured: Option<(Timestamp, Duration)>,
        containers: impl ExactSizeIterator<Item = ContainerAnswer<'n>>,
    ) {
        let (time, length) =
            measured.map_or((NEVER, 0), |(at, length)| (at.nanos(), nanos(length)));
        let own = count(containers.len());
        self.by_key.push((key, count(self.bytes.len())));
        self.bytes.extend_from_slice(&key.0.to_le_bytes());
        self.bytes.extend_from_slice(&time.to_le_bytes());
        self.bytes.extend_from_slice(&length.to_le_bytes());
        for number in [self.containers, own] {
            self.bytes.extend_from_slice(&number.to_le_bytes());
        }
        containers.for_each(|one| self.container(&one));
        self.containers = self.containers.saturating_add(own);
    }

    fn container(&mut self, answer: &ContainerAnswer<'_>) {
        let cpu = match answer.cpu {
            Cpu::Waits => WAITS,
            Cpu::Fell => FELL,
            Cpu::Nanocores(nanocores) => nanocores,
        };
        self.bytes.extend_from_slice(&cpu.to_le_bytes());
        self.bytes.extend_from_slice(&answer.memory_bytes.to_le_bytes());
        self.bytes.extend_from_slice(&count(answer.name.len()).to_le_bytes());
        self.bytes.extend_from_slice(answer.name.as_bytes());
    }

    pub(super) fn done(mut self) -> Sheet {
        self.by_key.sort_unstable();
        Sheet { bytes: self.bytes.into(), by_key: self.by_key.into() }
    }
}

fn nanos(length: Duration) -> i64 {
    i64::try_from(length.as_nanos()).unwrap_or(i64::MAX)
}

/// A kubelet's answer is bounded far below what a number here may count to.
fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_found_where_it_is_and_nowhere_else() {
        let measured = Some((Timestamp::from_secs(9), Duration::from_millis(14_999)));
        let one = |name, cpu| ContainerAnswer { name, cpu, memory_bytes: 7 };
        let pods = [
            ("a", measured, vec![one("app", Cpu::Nanocores(-3)), one("", Cpu::Fell)]),
            ("b", None, vec![one("naïve", Cpu::Waits)]),
            ("c", measured, vec![one("app", Cpu::Nanocores(i64::MAX))]),
        ];
        let key = |name| PodKey::of("ns", name);
        let mut draft = Draft::default();
        for (name, measured, containers) in &pods {
            draft.pod(key(name), *measured, containers.iter().copied());
        }
        let sheet = draft.done();
        let (mut places, mut before) = (Vec::new(), 0);
        for (name, measured, containers) in &pods {
            let place = sheet.find(key(name)).unwrap();
            let answer = sheet.at(place, key(name)).unwrap();
            assert_eq!((answer.measured, answer.before), (*measured, before), "{name}");
            assert_eq!(sheet.of(answer).collect::<Vec<_>>(), *containers, "{name}");
            places.push(place);
            before += containers.len();
        }
        assert_eq!(before, 4);
        assert_eq!(sheet.find(key("d")), None);
        assert_ne!(PodKey::of("n", "sa"), PodKey::of("ns", "a"));
        // Wherever a pod was before, it is found where it is.
        for place in 0..sheet.bytes.len() + POD {
            let at = sheet.at(place, key("b")).is_some();
            assert_eq!(at, place == places[1], "{place}");
        }
        assert_eq!(sheet.at(usize::MAX - POD, key("b")), None);
        assert_eq!(Sheet::default().find(key("a")), None);
    }
}
