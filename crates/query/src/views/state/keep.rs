//! The versions of objects as bytes, so that they outlive the process.
//!
//! Magic, layout, the time of the last observation, then every kind of object. A text stands once,
//! where it is met first; later it is a number. Numbers are varints, of either sign zigzagged.

use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use model::{
    Autoscaler, Bookmark, Claim, Commons, ContainerSpec, ContainerState, ContainerStatus, Counts,
    Namespace, Node, Owner, PersistentVolume, Pod, Quota, Ready, Resources, ScrapeHint, Shared,
    Taint, Termination, Timestamp, Truth, Word, Workload,
};

use super::key::{Keyed, in_order};
use super::objects::{Object, Objects, Version};
use super::{Mounted, State, Up};

const MAGIC: &[u8; 4] = b"TFST";
/// Goes up with every change of what is written; bytes of another layout are left unread.
const LAYOUT: u64 = 2;
/// Most texts of one file.
const MAX_TEXTS: usize = 50_000_000;

/// Bytes that are no versions of objects, or not those of this layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the states of objects as this version writes them")]
pub struct UnknownStates;

pub(super) fn write(state: &State) -> Vec<u8> {
    let mut out = Writer {
        bytes: MAGIC.to_vec(),
        known: HashTable::new(),
        texts: 0,
        hasher: RandomState::default(),
    };
    out.number(LAYOUT);
    state.last.put(&mut out);
    state.pods.put(&mut out);
    state.nodes.put(&mut out);
    state.namespaces.put(&mut out);
    state.workloads.put(&mut out);
    state.claims.put(&mut out);
    state.volumes.put(&mut out);
    state.autoscalers.put(&mut out);
    state.quotas.put(&mut out);
    state.targets.put(&mut out);
    out.bytes
}

pub(super) fn read(bytes: &[u8]) -> Result<State, UnknownStates> {
    let bytes = bytes.strip_prefix(MAGIC).ok_or(UnknownStates)?;
    let mut input = Reader { bytes, texts: Vec::new(), commons: Commons::default() };
    if input.number() != Some(LAYOUT) {
        return Err(UnknownStates);
    }
    whole(&mut input).filter(|_| input.bytes.is_empty()).ok_or(UnknownStates)
}

fn whole(input: &mut Reader<'_>) -> Option<State> {
    let last = i64::take(input)?;
    Some(State {
        pods: Kept::take(input)?,
        nodes: Kept::take(input)?,
        namespaces: Kept::take(input)?,
        workloads: Kept::take(input)?,
        claims: Kept::take(input)?,
        volumes: Kept::take(input)?,
        autoscalers: Kept::take(input)?,
        quotas: Kept::take(input)?,
        targets: Kept::take(input)?,
        mounted: Mounted::default(),
        turn: 0,
        last,
        cut: None,
    })
}

struct Writer {
    bytes: Vec<u8>,
    /// Texts that stand in `bytes`.
    known: HashTable<Known>,
    /// How many were written.
    texts: u64,
    hasher: RandomState,
}

/// Where a text stands: there are millions, and none is held twice.
struct Known {
    at: usize,
    len: u32,
    /// From 1.
    number: u32,
}

impl Known {
    fn text<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        bytes.get(self.at..self.at + self.len as usize).unwrap_or_default()
    }
}

impl Writer {
    fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.bytes.push(value.to_le_bytes()[0]);
    }

    /// The number of a text that is known; zero, length and bytes of a new one.
    fn text(&mut self, text: &str) {
        let text = text.as_bytes();
        let hash = self.hasher.hash_one(text);
        if let Some(known) = self.known.find(hash, |known| known.text(&self.bytes) == text) {
            return self.number(known.number.into());
        }
        self.number(0);
        self.number(text.len() as u64);
        let at = self.bytes.len();
        self.bytes.extend_from_slice(text);
        self.texts += 1;
        // A text too long or too late to be found again is written anew.
        if let (Ok(len), Ok(number)) = (u32::try_from(text.len()), u32::try_from(self.texts)) {
            let again = |known: &Known| self.hasher.hash_one(known.text(&self.bytes));
            self.known.insert_unique(hash, Known { at, len, number }, again);
        }
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    texts: Vec<&'a str>,
    /// Records that were read hold together what they will hold together in the inventory.
    commons: Commons,
}

impl<'a> Reader<'a> {
    fn number(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.bytes.split_first()?;
            self.bytes = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// How many things follow: each takes a byte at least.
    fn count(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok().filter(|count| *count <= self.bytes.len())
    }

    fn text(&mut self) -> Option<&'a str> {
        if let Some(known) = usize::try_from(self.number()?).ok()?.checked_sub(1) {
            return self.texts.get(known).copied();
        }
        let len = self.count()?;
        let (text, rest) = self.bytes.split_at_checked(len)?;
        self.bytes = rest;
        let text = std::str::from_utf8(text).ok().filter(|_| self.texts.len() < MAX_TEXTS)?;
        self.texts.push(text);
        Some(text)
    }
}

/// Something that can be written down and read back.
trait Kept: Sized {
    fn put(&self, out: &mut Writer);
    fn take(input: &mut Reader<'_>) -> Option<Self>;
}

impl Kept for i64 {
    fn put(&self, out: &mut Writer) {
        out.number(((*self << 1) ^ (*self >> 63)).cast_unsigned());
    }

    fn take(input: &mut Reader<'_>) -> Option<Self> {
        let zigzag = input.number()?;
        Some((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed())
    }
}

/// Numbers that are written as larger ones.
macro_rules! number {
    ($($type:ty)*) => {$(
        impl Kept for $type {
            fn put(&self, out: &mut Writer) {
                i64::from(*self).put(out);
            }

            fn take(input: &mut Reader<'_>) -> Option<Self> {
                Self::try_from(i64::take(input)?).ok()
            }
        }
    )*};
}

number!(u16 u32 i32);

impl Kept for bool {
    fn put(&self, out: &mut Writer) {
        out.bytes.push(u8::from(*self));
    }

    fn take(input: &mut Reader<'_>) -> Option<Self> {
        match input.number()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl Kept for Timestamp {
    fn put(&self, out: &mut Writer) {
        self.nanos().put(out);
    }

    fn take(input: &mut Reader<'_>) -> Option<Self> {
        i64::take(input).map(Self::from_nanos)
    }
}

/// No part of a record.
impl Kept for Bookmark {
    fn put(&self, _: &mut Writer) {}

    fn take(_: &mut Reader<'_>) -> Option<Self> {
        Some(Self::default())
    }
}

impl Kept for Box<str> {
    fn put(&self, out: &mut Writer) {
        out.text(self);
    }

    fn take(input: &mut Reader<'_>) -> Option<Self> {
        input.text().map(Into::into)
    }
}

impl Kept for Word {
    fn put(&self, out: &mut Writer) {
        out.text(self);
    }

    fn take(input: &mut Reader<'_>) -> Option<Self> {
        input.text().map(Into::into)
    }
}

impl Kept for Arc<str> {
    fn put(&self, out: &mut Writer) {
        out.text(self);
    }

    fn take(input: &mut Reader<'_>) -> Option<Self> {
        input.text().map(Into::into)
    }
}

impl<T: Kept> Kept for Option<T> {
    fn put(&self, out: &mut Writer) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }

    fn take(input: &mut Reader<'_>) -> Option<Self> {
        if bool::take(input)? { Some(Some(T::take(input)?)) } else { Some(None) }
    }
}

impl<A: Kept, B: Kept> Kept for (A, B) {
    fn put(&self, out: &mut Writer) {
        self.0.put(out);
        self.1.put(out);
    }

    fn take(input: &mut Reader<'_>) -> Option<Self> {
        Some((A::take(input)?, B::take(input)?))
    }
}

fn put_list<T: Kept>(list: &[T], out: &mut Writer) {
    out.number(list.len() as u64);
    for one in list {
        one.put(out);
    }
}

fn take_list<T: Kept>(input: &mut Reader<'_>) -> Option<Vec<T>> {
    let count = input.count()?;
    (0..count).map(|_| T::take(input)).collect()
}

impl<T: Kept> Kept for Box<[T]> {
    fn put(&self, out: &mut Writer) {
        put_list(self, out);
    }

    fn take(input: &mut Reader<'_>) -> Option<Self> {
        take_list(input).map(Into::into)
    }
}

impl<T: Kept + 'static> Kept for Shared<T> {
    fn put(&self, out: &mut Writer) {
        put_list(self, out);
    }

    fn take(input: &mut Reader<'_>) -> Option<Self> {
        take_list(input).map(Into::into)
    }
}

impl<T: Kept> Kept for Box<T> {
    fn put(&self, out: &mut Writer) {
        T::put(self, out);
    }

    fn take(input: &mut Reader<'_>) -> Option<Self> {
        T::take(input).map(Self::new)
    }
}

/// One of several words, by its number.
macro_rules! word {
    ($type:ident: $($number:literal $word:ident)*) => {
        impl Kept for $type {
            fn put(&self, out: &mut Writer) {
                out.number(match self {
                    $(Self::$word => $number,)*
                });
            }

            fn take(input: &mut Reader<'_>) -> Option<Self> {
                match input.number()? {
                    $($number => Some(Self::$word),)*
                    _ => None,
                }
            }
        }
    };
}

word!(Ready: 0 Unstated 1 No 2 Yes);
word!(Truth: 0 Unknown 1 False 2 True);

impl Kept for ContainerState {
    fn put(&self, out: &mut Writer) {
        match self {
            Self::Unknown => out.number(0),
            Self::Waiting(why) => {
                out.number(1);
                why.put(out);
            }
            Self::Running(since) => {
                out.number(2);
                since.put(out);
            }
            Self::Terminated(end) => {
                out.number(3);
                end.put(out);
            }
        }
    }

    fn take(input: &mut Reader<'_>) -> Option<Self> {
        match input.number()? {
            0 => Some(Self::Unknown),
            1 => Kept::take(input).map(Self::Waiting),
            2 => Kept::take(input).map(Self::Running),
            3 => Kept::take(input).map(Self::Terminated),
            _ => None,
        }
    }
}

/// Every field in its order; one that is missing here does not compile.
macro_rules! record {
    ($type:ident: $($field:ident)*) => {
        impl Kept for $type {
            fn put(&self, out: &mut Writer) {
                let Self { $($field),* } = self;
                $($field.put(out);)*
            }

            fn take(input: &mut Reader<'_>) -> Option<Self> {
                Some(Self { $($field: Kept::take(input)?),* })
            }
        }
    };
}

record!(Resources: cpu_millicores memory_bytes ephemeral_storage_bytes);
record!(Taint: key value effect);
record!(Owner: kind name);
record!(Termination: reason exit_code finished);
record!(ScrapeHint: scrape port path scheme);
record!(ContainerSpec: name image requests limits ports extended_requests);
record!(ContainerStatus: name restart_count ready state last_termination);
record!(Namespace: name uid labels phase created);
record!(Up: node up);
record!(Claim: namespace name phase storage_class volume requested capacity created);
record!(PersistentVolume: name phase storage_class reclaim_policy mode capacity claim source
    created);
record!(Autoscaler: namespace name target target_api min max current wanted generation conditions
    created);
record!(Quota: namespace name hard used created);
record!(Workload: namespace kind name owner desired ready counts created);
record!(Counts: current updated available misscheduled completions succeeded failed generation
    observed active complete suspended started ended scheduled);
record!(Node: name uid hostname host_id addresses kubelet_port ready pressures unschedulable labels
    capacity allocatable pod_capacity kubelet_version kernel_version os_image runtime_version
    provider_id pod_cidr resource_path taints created);
record!(Pod: namespace name uid node phase reason labels owner containers statuses claims
    host_network ip host_ip priority_class qos_class ready scrape started created deleted measured);

impl<T: Kept + Keyed> Kept for Objects<T> {
    fn put(&self, out: &mut Writer) {
        // In one order, so that the same versions are the same bytes.
        let mut all: Vec<&Object<T>> = self.all.iter().collect();
        all.sort_by(|a, b| in_order(a.last.record.key(), b.last.record.key()));
        out.number(all.len() as u64);
        let mut key = String::new();
        for object in all {
            object.last.record.put_key(&mut key);
            out.text(&key);
            out.number(object.versions().count() as u64);
            for version in object.versions() {
                version.from.put(out);
                version.created.put(out);
                version.until.put(out);
                version.record.put(out);
            }
        }
    }

    fn take(input: &mut Reader<'_>) -> Option<Self> {
        let count = input.count()?;
        let mut objects = Self::default();
        for _ in 0..count {
            // The records say it as well.
            input.text()?;
            let versions = (0..input.count()?).map(|_| {
                Some(Version {
                    from: Kept::take(input)?,
                    created: Kept::take(input)?,
                    until: Kept::take(input)?,
                    record: Kept::take(input)?,
                })
            });
            let versions = versions.collect::<Option<Vec<_>>>()?;
            if let Some(object) = Object::of(versions) {
                objects.add(object);
            }
        }
        Some(objects)
    }
}

impl<T: Kept + Keyed> Kept for Arc<T> {
    fn put(&self, out: &mut Writer) {
        T::put(self, out);
    }

    fn take(input: &mut Reader<'_>) -> Option<Self> {
        let mut record = T::take(input)?;
        record.share(&mut input.commons);
        Some(Self::new(record))
    }
}
