//! Bytes of Kafka's protocol: four requests, their answers, and record batches of version 2.

use std::io::{self, Write as _};

use flate2::write::GzEncoder;
use once::Order as _;

/// Keys of requests, and the versions that are spoken: the oldest that brokers from 1.0 to 4.x
/// take, before fields got tags.
const PRODUCE: (i16, i16) = (0, 3);
const METADATA: (i16, i16) = (3, 4);
const SASL_HANDSHAKE: (i16, i16) = (17, 1);
const SASL_AUTHENTICATE: (i16, i16) = (36, 0);
/// How we are called in the brokers' logs, as Heapster was.
const CLIENT: &str = "kafka-sink";
/// All replicas in sync have what is acknowledged.
const ALL: i16 = -1;
/// How long a broker may wait for its replicas, in milliseconds.
const REPLICAS_MS: i32 = 10_000;
/// A record batch's version.
const MAGIC: u8 = 2;
/// Most bytes of a block of snappy.
const SNAPPY_BLOCK: usize = 32 * 1024;
/// What begins a run of snappy blocks, as Java reads it: magic, version, oldest that reads it.
const SNAPPY_HEAD: &[u8; 16] = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01";

/// How record batches are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Gzip,
    Snappy,
    Lz4,
}

impl Compression {
    /// The batch attribute that names it.
    fn attribute(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
        }
    }

    fn compress(self, records: Vec<u8>) -> io::Result<Vec<u8>> {
        match self {
            Self::None => Ok(records),
            Self::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(&records)?;
                encoder.finish()
            }
            Self::Snappy => {
                let mut out = SNAPPY_HEAD.to_vec();
                let mut encoder = snap::raw::Encoder::new();
                for block in records.chunks(SNAPPY_BLOCK) {
                    let block = encoder.compress_vec(block).map_err(io::Error::other)?;
                    out.extend_from_slice(&length(&block)?.to_be_bytes());
                    out.extend_from_slice(&block);
                }
                Ok(out)
            }
            Self::Lz4 => {
                let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
                encoder.write_all(&records)?;
                encoder.finish().map_err(io::Error::other)
            }
        }
    }
}

/// A request without its frame.
pub(super) struct Request {
    key: i16,
    version: i16,
    body: Vec<u8>,
}

impl Request {
    fn new((key, version): (i16, i16)) -> Self {
        Self { key, version, body: Vec::new() }
    }

    fn int16(mut self, value: i16) -> Self {
        self.body.extend_from_slice(&value.to_be_bytes());
        self
    }

    fn int32(mut self, value: i32) -> Self {
        self.body.extend_from_slice(&value.to_be_bytes());
        self
    }

    fn text(mut self, text: &str) -> Self {
        push_text(&mut self.body, text);
        self
    }

    fn bytes(self, bytes: &[u8]) -> Self {
        let mut with_length = self.int32(i32::try_from(bytes.len()).unwrap_or(i32::MAX));
        with_length.body.extend_from_slice(bytes);
        with_length
    }

    /// As it goes: length, header, body.
    pub(super) fn framed(&self, correlation: i32) -> Vec<u8> {
        let mut out = vec![0; 4];
        out.extend_from_slice(&self.key.to_be_bytes());
        out.extend_from_slice(&self.version.to_be_bytes());
        out.extend_from_slice(&correlation.to_be_bytes());
        push_text(&mut out, CLIENT);
        out.extend_from_slice(&self.body);
        let length = u32::try_from(out.len() - 4).unwrap_or(u32::MAX);
        out[..4].copy_from_slice(&length.to_be_bytes());
        out
    }
}

fn push_text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&i16::try_from(text.len()).unwrap_or(i16::MAX).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

pub(super) fn metadata(topic: &str) -> Request {
    let mut request = Request::new(METADATA).int32(1).text(topic);
    // A topic that is missing is made, where brokers make topics.
    request.body.push(1);
    request
}

pub(super) fn produce(topic: &str, partition: i32, batch: &[u8]) -> Request {
    let no_transaction = -1;
    Request::new(PRODUCE)
        .int16(no_transaction)
        .int16(ALL)
        .int32(REPLICAS_MS)
        .int32(1)
        .text(topic)
        .int32(1)
        .int32(partition)
        .bytes(batch)
}

pub(super) fn sasl_handshake(mechanism: &str) -> Request {
    Request::new(SASL_HANDSHAKE).text(mechanism)
}

pub(super) fn sasl_authenticate(message: &str) -> Request {
    Request::new(SASL_AUTHENTICATE).bytes(message.as_bytes())
}

/// An answer that is being read.
#[derive(Debug)]
pub(super) struct Answer {
    bytes: Vec<u8>,
    at: usize,
}

impl Answer {
    /// An answer to the request of that number.
    pub(super) fn new(bytes: Vec<u8>, correlation: i32) -> io::Result<Self> {
        let mut answer = Self { bytes, at: 0 };
        if answer.int32()? != correlation {
            return Err(io::Error::other("an answer to another request"));
        }
        Ok(answer)
    }

    fn take<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let end = self.at.saturating_add(N);
        let taken = self.bytes.get(self.at..end).and_then(|bytes| bytes.try_into().ok());
        self.at = end;
        taken.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))
    }

    fn int16(&mut self) -> io::Result<i16> {
        self.take().map(i16::from_be_bytes)
    }

    fn int32(&mut self) -> io::Result<i32> {
        self.take().map(i32::from_be_bytes)
    }

    /// Empty where there is none.
    fn text(&mut self) -> io::Result<String> {
        let length = usize::try_from(self.int16()?).unwrap_or(0);
        let end = self.at.saturating_add(length);
        let text = self.bytes.get(self.at..end).map(|bytes| String::from_utf8_lossy(bytes).into());
        self.at = end;
        text.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))
    }

    /// Reads as many elements as the number before them says.
    fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> io::Result<T>) -> io::Result<Vec<T>> {
        let length = self.int32()?;
        (0..length).map(|_| read(self)).collect()
    }

    /// Partitions of the topic with the addresses of their leaders, those without one left out.
    pub(super) fn leaders(mut self) -> io::Result<Vec<(i32, String)>> {
        self.int32()?;
        let brokers = self.list(|answer| {
            let id = answer.int32()?;
            let host = answer.text()?;
            let port = answer.int32()?;
            answer.text()?;
            Ok((id, host, port))
        })?;
        self.text()?;
        self.int32()?;
        let topics = self.list(|answer| {
            let code = answer.int16()?;
            answer.text()?;
            answer.take::<1>()?;
            let partitions = answer.list(|answer| {
                answer.int16()?;
                let (index, leader) = (answer.int32()?, answer.int32()?);
                answer.list(Self::int32)?;
                answer.list(Self::int32)?;
                Ok((index, leader))
            })?;
            Ok((code, partitions))
        })?;
        let mut leaders = Vec::new();
        for (code, partitions) in topics {
            if code != 0 && partitions.is_empty() {
                return Err(io::Error::other(error_text(code)));
            }
            for (index, leader) in partitions {
                let found = brokers.iter().find(|(id, ..)| *id == leader);
                leaders.extend(found.map(|(_, host, port)| {
                    let host =
                        if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
                    (index, format!("{host}:{port}"))
                }));
            }
        }
        if leaders.is_empty() {
            return Err(io::Error::other("no partition of the topic has a leader"));
        }
        leaders.order();
        Ok(leaders)
    }

    /// The error code of the only partition.
    pub(super) fn produced(mut self) -> io::Result<i16> {
        let codes = self.list(|answer| {
            answer.text()?;
            answer.list(|answer| {
                answer.int32()?;
                let code = answer.int16()?;
                answer.take::<16>()?;
                Ok(code)
            })
        })?;
        let code = codes.into_iter().flatten().next();
        code.ok_or_else(|| io::Error::other("an answer about no partition"))
    }

    pub(super) fn sasl_offered(mut self) -> io::Result<()> {
        let code = self.int16()?;
        let mechanisms = self.list(Self::text)?;
        if code == 0 {
            return Ok(());
        }
        let offered = mechanisms.join(", ");
        Err(io::Error::other(format!("{}; brokers offer: {offered}", error_text(code))))
    }

    /// What the broker says, as far as it agrees.
    pub(super) fn sasl_accepted(mut self) -> io::Result<String> {
        let code = self.int16()?;
        let reason = self.text()?;
        if code == 0 {
            let length = usize::try_from(self.int32()?).unwrap_or(0);
            let said = self.bytes.get(self.at..self.at.saturating_add(length));
            let said = said.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
            return Ok(String::from_utf8_lossy(said).into_owned());
        }
        Err(io::Error::other(format!("{}: {reason}", error_text(code))))
    }
}

/// Whether the same batch will never be taken.
pub(super) fn is_hopeless(code: i16) -> bool {
    // Too large, invalid topic, record list too large, unsupported for its format, invalid record.
    matches!(code, 10 | 17 | 18 | 43 | 87)
}

/// A broker's error code in words, where it has a frequent one.
pub(super) fn error_text(code: i16) -> String {
    let words = match code {
        2 => "the batch came damaged",
        3 => "unknown topic or partition",
        5 => "the partition has no leader",
        6 => "not the partition's leader",
        7 => "timed out",
        10 | 18 => "too large for the brokers' message.max.bytes",
        17 => "invalid topic",
        19 | 20 => "too few replicas are in sync",
        29 => "the user may not write to the topic",
        33 => "SASL PLAIN is not offered",
        58 => "user or password is wrong",
        87 => "invalid record",
        _ => "failed",
    };
    format!("{words} (Kafka's error {code})")
}

fn length(bytes: &[u8]) -> io::Result<i32> {
    i32::try_from(bytes.len()).map_err(io::Error::other)
}

/// The messages of a chunk as one record batch.
pub(super) fn record_batch(chunk: &[u8], compression: Compression) -> io::Result<Vec<u8>> {
    let (mut first, mut latest, mut count) = (None, i64::MIN, 0_i32);
    let mut records = Vec::with_capacity(chunk.len());
    let mut record = Vec::new();
    for (time, value) in messages(chunk) {
        let first = *first.get_or_insert(time);
        latest = latest.max(time);
        record.clear();
        record.push(0);
        push_varint(&mut record, time - first);
        push_varint(&mut record, count.into());
        push_varint(&mut record, -1);
        push_varint(&mut record, i64::from(length(value)?));
        record.extend_from_slice(value);
        push_varint(&mut record, 0);
        push_varint(&mut records, i64::from(length(&record)?));
        records.extend_from_slice(&record);
        count += 1;
    }
    let first = first.ok_or_else(|| io::Error::other("no message"))?;
    let records = compression.compress(records)?;
    let mut sealed = Vec::with_capacity(records.len() + 40);
    sealed.extend_from_slice(&compression.attribute().to_be_bytes());
    sealed.extend_from_slice(&(count - 1).to_be_bytes());
    sealed.extend_from_slice(&first.to_be_bytes());
    sealed.extend_from_slice(&latest.to_be_bytes());
    // No idempotent producer: its id, epoch and sequence.
    sealed.extend_from_slice(&(-1_i64).to_be_bytes());
    sealed.extend_from_slice(&(-1_i16).to_be_bytes());
    sealed.extend_from_slice(&(-1_i32).to_be_bytes());
    sealed.extend_from_slice(&count.to_be_bytes());
    sealed.extend_from_slice(&records);
    let mut batch = Vec::with_capacity(sealed.len() + 21);
    batch.extend_from_slice(&0_i64.to_be_bytes());
    // Leader epoch, magic, checksum.
    let counted = i32::try_from(sealed.len() + 9).map_err(io::Error::other)?;
    batch.extend_from_slice(&counted.to_be_bytes());
    batch.extend_from_slice(&(-1_i32).to_be_bytes());
    batch.push(MAGIC);
    batch.extend_from_slice(&crc32c::crc32c(&sealed).to_be_bytes());
    batch.extend_from_slice(&sealed);
    Ok(batch)
}

/// The messages of a chunk, with their times.
fn messages(mut chunk: &[u8]) -> impl Iterator<Item = (i64, &[u8])> {
    std::iter::from_fn(move || {
        let (time, rest) = chunk.split_first_chunk::<8>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (value, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        chunk = rest;
        Some((i64::from_be_bytes(*time), value))
    })
}

fn push_varint(out: &mut Vec<u8>, value: i64) {
    crate::protobuf::push_varint(out, crate::protobuf::zigzag(value));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_answer_is_an_error_and_no_panic() {
        let answer = [0, 0, 0, 7, 0x7f, 0xff, 0xff, 0xff];
        assert!(Answer::new(answer.to_vec(), 7).unwrap().produced().is_err());
        assert!(Answer::new(answer.to_vec(), 8).is_err());
        assert!(Answer::new(vec![0], 8).is_err());
        assert!(Answer::new(answer.to_vec(), 7).unwrap().leaders().is_err());
    }

    #[test]
    fn a_batch_holds_its_messages_under_a_checksum() {
        let mut chunk = Vec::new();
        for (time, value) in [(1000_i64, "a"), (2000, "bc")] {
            chunk.extend_from_slice(&time.to_be_bytes());
            chunk.extend_from_slice(&u32::try_from(value.len()).unwrap().to_be_bytes());
            chunk.extend_from_slice(value.as_bytes());
        }
        let batch = record_batch(&chunk, Compression::None).unwrap();
        let length = i32::from_be_bytes(batch[8..12].try_into().unwrap());
        assert_eq!(usize::try_from(length).unwrap(), batch.len() - 12);
        assert_eq!(batch[17..21], crc32c::crc32c(&batch[21..]).to_be_bytes());
        let records = &batch[61..];
        assert_eq!(records, b"\x0e\0\0\0\x01\x02a\0\x12\0\xd0\x0f\x02\x01\x04bc\0");
        assert!(record_batch(b"", Compression::None).is_err());
    }
}
