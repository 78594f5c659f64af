//! Scraped samples on offer to the other replicas: each target is asked by one of them, and every
//! one keeps what came of it.
//!
//! Entries are numbered; a replica asks for those after the last one that it has. Beyond the bound
//! the oldest go, and are counted: who was away for so long lacks them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use model::{Described, SeriesSample};

use crate::telemetry;
use crate::wire::{Reader, Writer};

/// Most bytes that are held for others.
const MAX_BYTES: usize = 64 << 20;
/// Most bytes of one answer, unless one entry alone is larger.
const MAX_ANSWER_BYTES: usize = 8 << 20;
/// Most labels of a series that are read.
const MAX_LABELS: usize = 256;
/// The first byte of an answer: the version of what follows.
const VERSION: u8 = 2;

/// What came of one scrape.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SharedSamples {
    /// Samples.
    pub samples: Vec<SeriesSample>,
    /// What is new of its metrics.
    pub described: Vec<Described>,
}

/// Scraped samples for the other replicas.
#[derive(Debug)]
pub struct Ledger {
    /// Unlike that of any other process.
    epoch: u64,
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    /// The number of the newest entry.
    newest: u64,
    queue: VecDeque<Bytes>,
    bytes: usize,
}

impl Ledger {
    pub(crate) fn new(epoch: u64) -> Self {
        Self { epoch, entries: Mutex::default() }
    }

    /// Offers what came of a scrape: its samples, and what is new of its metrics.
    pub fn offer(&self, samples: &[SeriesSample], described: &[Described]) {
        let bytes = Bytes::from(encoded(samples, described));
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.newest += 1;
        entries.bytes += bytes.len();
        entries.queue.push_back(bytes);
        while entries.bytes > MAX_BYTES && entries.queue.len() > 1 {
            let gone = entries.queue.pop_front().map_or(0, |bytes| bytes.len());
            entries.bytes -= gone;
            metrics::counter!(telemetry::SCRAPES_FORGOTTEN).increment(1);
        }
    }

    /// What comes after entry `after` of `epoch`; everything for who knows another epoch.
    pub(crate) fn answer(&self, epoch: u64, after: u64) -> Bytes {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = entries.newest - entries.queue.len() as u64;
        let known = if epoch == self.epoch { after.clamp(oldest, entries.newest) } else { oldest };
        let skipped = usize::try_from(known - oldest).unwrap_or(usize::MAX);
        let mut writer = Writer::default();
        let (mut bytes, mut count) = (0, 0);
        for entry in entries.queue.iter().skip(skipped) {
            if count > 0 && bytes + entry.len() > MAX_ANSWER_BYTES {
                break;
            }
            bytes += entry.len();
            count += 1;
        }
        writer.byte(VERSION);
        writer.number(self.epoch);
        let last = known + count as u64;
        writer.number(last);
        writer.byte(u8::from(last < entries.newest));
        writer.count(count);
        for entry in entries.queue.iter().skip(skipped).take(count) {
            writer.count(entry.len());
            writer.0.extend_from_slice(entry);
        }
        writer.0.into()
    }
}

/// An answer of another replica's ledger.
#[derive(Debug, PartialEq)]
pub(crate) struct Page {
    pub(crate) epoch: u64,
    /// The number of its last entry.
    pub(crate) last: u64,
    /// Whether there is more after it.
    pub(crate) more: bool,
    pub(crate) entries: Vec<SharedSamples>,
}

impl Page {
    /// `None` for what is no such answer.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        if reader.byte()? != VERSION {
            return None;
        }
        let (epoch, last, more) = (reader.number()?, reader.number()?, reader.byte()? == 1);
        let count = reader.count()?;
        let mut entries = Vec::new();
        for _ in 0..count {
            let length = reader.count()?;
            entries.push(decoded(reader.bytes(length)?)?);
        }
        reader.0.is_empty().then_some(Self { epoch, last, more, entries })
    }
}

/// Every text once, then series by the numbers of their texts, then descriptions.
fn encoded(samples: &[SeriesSample], described: &[Described]) -> Vec<u8> {
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    let mut texts: Vec<&str> = Vec::new();
    let mut writer = Writer::default();
    let base = samples.first().map_or(0, |sample| sample.time);
    writer.signed(base);
    writer.count(samples.len());
    for sample in samples {
        writer.count(sample.labels.len());
        for (name, value) in &*sample.labels {
            for text in [&**name, &**value] {
                let number = *numbers.entry(text).or_insert_with(|| {
                    texts.push(text);
                    texts.len() - 1
                });
                writer.count(number);
            }
        }
        writer.signed(sample.time.wrapping_sub(base));
        writer.float(sample.value);
    }
    writer.count(described.len());
    for Described { name, kind, help } in described {
        for text in [name.as_str(), kind, help] {
            writer.text(text);
        }
    }
    let mut whole = Writer::default();
    whole.count(texts.len());
    for text in texts {
        whole.text(text);
    }
    whole.0.append(&mut writer.0);
    whole.0
}

fn decoded(bytes: &[u8]) -> Option<SharedSamples> {
    let mut reader = Reader(bytes);
    let count = reader.count()?;
    let mut texts: Vec<Arc<str>> = Vec::new();
    for _ in 0..count {
        texts.push(reader.text()?.into());
    }
    let base = reader.signed()?;
    let mut shared = SharedSamples::default();
    for _ in 0..reader.count()? {
        let labels = reader.count().filter(|labels| *labels <= MAX_LABELS)?;
        let mut pairs: Vec<(Arc<str>, Arc<str>)> = Vec::with_capacity(labels);
        for _ in 0..labels {
            let mut text = || texts.get(usize::try_from(reader.number()?).ok()?).cloned();
            pairs.push((text()?, text()?));
        }
        let sorted = pairs.is_sorted_by(|left, right| left.0 < right.0);
        if !sorted || pairs.iter().any(|(name, value)| name.is_empty() || value.is_empty()) {
            return None;
        }
        let time = base.wrapping_add(reader.signed()?);
        let value = reader.float()?;
        shared.samples.push(SeriesSample { labels: pairs.into(), time, value });
    }
    for _ in 0..reader.count()? {
        let name = reader.text()?.to_owned();
        let kind = Described::kind_named(reader.text()?);
        let help = reader.text()?.to_owned();
        shared.described.push(Described { name, kind, help });
    }
    reader.0.is_empty().then_some(shared)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(name: &str, time: i64, value: f64) -> SeriesSample {
        let pair = |name: &str, value: &str| (Arc::from(name), Arc::from(value));
        SeriesSample { labels: Arc::new([pair("__name__", name), pair("job", "j")]), time, value }
    }

    fn scrape(at: i64) -> SharedSamples {
        SharedSamples {
            samples: vec![sample("a", at, 1.5), sample("b", at - 7, model::STALE)],
            described: vec![Described {
                name: "a".into(),
                kind: "gauge",
                help: "All of it.".into(),
            }],
        }
    }

    fn offer(ledger: &Ledger, shared: &SharedSamples) {
        ledger.offer(&shared.samples, &shared.described);
    }

    /// Bits, for values that equal nothing.
    fn bits(shared: &SharedSamples) -> Vec<(i64, u64)> {
        shared.samples.iter().map(|sample| (sample.time, sample.value.to_bits())).collect()
    }

    #[test]
    fn what_is_offered_comes_once() {
        let ledger = Ledger::new(9);
        offer(&ledger, &scrape(1000));
        offer(&ledger, &scrape(2000));
        let page = Page::read(&ledger.answer(0, 0)).unwrap();
        assert_eq!((page.epoch, page.last, page.entries.len()), (9, 2, 2));
        assert_eq!(bits(&page.entries[1]), bits(&scrape(2000)));
        assert_eq!(page.entries[0].samples[0].labels, scrape(0).samples[0].labels);
        assert_eq!(page.entries[0].described, scrape(0).described);
        offer(&ledger, &scrape(3000));
        let page = Page::read(&ledger.answer(9, 2)).unwrap();
        assert_eq!((page.last, page.entries.len()), (3, 1));
        assert_eq!(Page::read(&ledger.answer(9, 3)).unwrap().entries.len(), 0);
        assert_eq!(Page::read(&ledger.answer(9, 77)).unwrap().last, 3, "a number of the future");
        assert_eq!(Page::read(&ledger.answer(8, 3)).unwrap().entries.len(), 3, "a new process");
    }

    #[test]
    fn what_nobody_takes_is_bounded() {
        let ledger = Ledger::new(1);
        let name = "n".repeat(60_000);
        for at in 0..2000 {
            ledger.offer(&[sample(&name, at, 1.0)], &[]);
        }
        let entries = ledger.entries.lock().unwrap();
        assert!(entries.bytes <= MAX_BYTES && entries.queue.len() > 1000);
        drop(entries);
        let answer = ledger.answer(1, 0);
        assert!(answer.len() <= MAX_ANSWER_BYTES + 4096);
        let page = Page::read(&answer).unwrap();
        assert!(page.last < 2000 && page.entries.len() > 100);
        let next = Page::read(&ledger.answer(1, page.last)).unwrap();
        assert_eq!(
            next.entries[0].samples[0].time,
            page.entries.last().unwrap().samples[0].time + 1
        );
    }

    #[test]
    fn damaged_pages_are_refused() {
        let ledger = Ledger::new(1);
        offer(&ledger, &scrape(1000));
        let whole = ledger.answer(0, 0);
        for end in 0..whole.len() {
            assert_eq!(Page::read(&whole[..end]), None, "{end}");
        }
        for at in 0..whole.len() {
            let mut bytes = whole.to_vec();
            bytes[at] ^= 0x41;
            // Any answer will do, if only it comes.
            drop(Page::read(&bytes));
        }
        let unsorted = SeriesSample {
            labels: Arc::new([("b".into(), "1".into()), ("a".into(), "1".into())]),
            time: 0,
            value: 0.0,
        };
        assert_eq!(decoded(&encoded(&[unsorted], &[])), None);
    }
}
