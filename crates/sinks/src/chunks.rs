//! Cutting what an encoder writes into chunks: request bodies, or runs of datagrams.
//!
//! Knows neither the format nor where chunks go.

use std::time::Duration;

use bytes::Bytes;

/// How points become chunks.
#[derive(Debug, Clone)]
pub(crate) struct Framing {
    /// Before the first point of a chunk.
    pub(crate) head: Vec<u8>,
    /// Between two points.
    pub(crate) separator: &'static [u8],
    /// After the last point.
    pub(crate) tail: &'static [u8],
    /// A chunk has at most that many points,
    pub(crate) max_points: u32,
    /// and at most that many bytes, unless a single point is larger.
    pub(crate) max_bytes: usize,
    /// Datagrams of at most that many points each, with a length before each one.
    pub(crate) datagrams: Option<u32>,
    /// Whether chunks can be joined to one.
    pub(crate) joins: bool,
    /// How long chunks are gathered where the settings do not say.
    pub(crate) gather: Duration,
}

/// A datagram's most bytes, so that it fits an Ethernet frame over IPv6.
const MAX_DATAGRAM_BYTES: usize = 1432;
/// Bytes of the length before a datagram.
const LENGTH_BYTES: usize = 2;

impl Framing {
    /// One point a line.
    pub(crate) fn lines(max_points: u32, max_bytes: usize) -> Self {
        let head = Vec::new();
        Self {
            head,
            separator: b"",
            tail: b"",
            max_points,
            max_bytes,
            datagrams: None,
            joins: true,
            gather: Duration::ZERO,
        }
    }

    /// Datagrams of at most `points` lines.
    pub(crate) fn datagrams(points: u32) -> Self {
        Self { datagrams: Some(points), joins: false, ..Self::lines(4096, 64 * 1024) }
    }
}

impl Framing {
    /// One body of several chunks.
    pub(crate) fn join(&self, chunks: &[Bytes]) -> Bytes {
        if let [one] = chunks {
            return one.clone();
        }
        let mut whole = self.head.clone();
        for (at, chunk) in chunks.iter().enumerate() {
            if at > 0 {
                whole.extend_from_slice(self.separator);
            }
            let points = self.head.len()..chunk.len().saturating_sub(self.tail.len());
            whole.extend_from_slice(chunk.get(points).unwrap_or_default());
        }
        whole.extend_from_slice(self.tail);
        whole.into()
    }
}

/// Points that are sent and acknowledged together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub(crate) bytes: Vec<u8>,
    pub(crate) points: u32,
}

/// Takes points, hands on chunks.
pub(crate) struct Chunks<'a> {
    framing: &'a Framing,
    hand_on: &'a mut dyn FnMut(Chunk),
    open: Vec<u8>,
    points: u32,
    /// Where the open datagram's length stands, and its points.
    datagram: Option<(usize, u32)>,
}

impl<'a> Chunks<'a> {
    pub(crate) fn new(framing: &'a Framing, hand_on: &'a mut dyn FnMut(Chunk)) -> Self {
        Self { framing, hand_on, open: Vec::new(), points: 0, datagram: None }
    }

    /// Takes the point that `write` appends. One that appends nothing is none.
    pub(crate) fn point(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if self.points >= self.framing.max_points {
            self.close();
        }
        if self.points == 0 {
            self.open.extend_from_slice(&self.framing.head);
        }
        let before = self.open.len();
        if self.points > 0 {
            self.open.extend_from_slice(self.framing.separator);
        }
        let start = self.open.len();
        write(&mut self.open);
        if self.open.len() == start {
            self.open.truncate(if self.points > 0 { before } else { 0 });
            return;
        }
        if self.framing.datagrams.is_some() {
            self.place_in_datagram(start);
        } else if self.open.len() + self.framing.tail.len() > self.framing.max_bytes
            && self.points > 0
        {
            let point = self.open.split_off(start);
            self.open.truncate(before);
            self.close();
            self.open.extend_from_slice(&self.framing.head);
            self.open.extend_from_slice(&point);
        }
        self.points += 1;
    }

    /// Takes a whole chunk that an encoder cut itself.
    pub(crate) fn whole(&mut self, bytes: Vec<u8>, points: u32) {
        self.close();
        (self.hand_on)(Chunk { bytes, points });
    }

    /// Takes `points` points that `write` appends and that must stay together.
    pub(crate) fn run(&mut self, points: u32, write: impl FnOnce(&mut Vec<u8>)) {
        if points > 0 {
            self.point(write);
            self.points += points - 1;
        }
    }

    /// The point from `start` on goes into the open datagram, or into a new one.
    fn place_in_datagram(&mut self, start: usize) {
        let most = self.framing.datagrams.unwrap_or(1);
        if let Some((at, points)) = self.datagram
            && points < most
            && self.open.len() - at - LENGTH_BYTES <= MAX_DATAGRAM_BYTES
        {
            self.datagram = Some((at, points + 1));
            return;
        }
        let point = self.open.split_off(start);
        self.end_datagram();
        if self.open.len() + point.len() > self.framing.max_bytes && self.points > 0 {
            self.close();
        }
        self.datagram = Some((self.open.len(), 1));
        self.open.extend_from_slice(&[0; LENGTH_BYTES]);
        self.open.extend_from_slice(&point);
    }

    fn end_datagram(&mut self) {
        if let Some((at, _)) = self.datagram.take() {
            let length = u16::try_from(self.open.len() - at - LENGTH_BYTES).unwrap_or(u16::MAX);
            self.open[at..at + LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
        }
    }

    fn close(&mut self) {
        self.end_datagram();
        if self.points > 0 {
            self.open.extend_from_slice(self.framing.tail);
            let capacity = self.open.len();
            let bytes = std::mem::replace(&mut self.open, Vec::with_capacity(capacity));
            (self.hand_on)(Chunk { bytes, points: std::mem::take(&mut self.points) });
        }
    }

    /// Hands on what is left.
    pub(crate) fn finish(mut self) {
        self.close();
    }
}

/// The datagrams of a chunk.
pub(crate) fn datagrams(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = bytes.split_first_chunk::<LENGTH_BYTES>()?;
        let (datagram, rest) = rest.split_at_checked(u16::from_le_bytes(*length).into())?;
        bytes = rest;
        Some(datagram)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(framing: &Framing, points: &[&str]) -> Vec<(Vec<u8>, u32)> {
        let mut chunks = Vec::new();
        let mut hand_on = |chunk: Chunk| chunks.push((chunk.bytes, chunk.points));
        let mut out = Chunks::new(framing, &mut hand_on);
        for point in points {
            out.point(|bytes| bytes.extend_from_slice(point.as_bytes()));
        }
        out.finish();
        chunks
    }

    fn check(framing: &Framing, points: &[&str], expected: &[(&str, u32)]) {
        let chunks = cut(framing, points);
        let read: Vec<_> =
            chunks.iter().map(|(bytes, n)| (std::str::from_utf8(bytes).unwrap(), *n)).collect();
        assert_eq!(read, expected);
    }

    #[test]
    fn chunks_end_by_points_and_by_bytes() {
        check(&Framing::lines(2, 100), &["a\n", "b\n", "", "c\n"], &[("a\nb\n", 2), ("c\n", 1)]);
        check(&Framing::lines(9, 4), &["aa\n", "b\n", "c\n"], &[("aa\n", 1), ("b\nc\n", 2)]);
        check(&Framing::lines(9, 4), &["longer\n", "b\n"], &[("longer\n", 1), ("b\n", 1)]);
        check(&Framing::lines(9, 4), &[], &[]);
        let list =
            Framing { head: b"[".into(), separator: b",", tail: b"]", ..Framing::lines(9, 6) };
        check(&list, &["1", "22", "", "3"], &[("[1,22]", 2), ("[3]", 1)]);
        check(&list, &["", "1"], &[("[1]", 1)]);
    }

    #[test]
    fn chunks_are_joined_as_if_they_had_been_one() {
        let list =
            Framing { head: b"[".into(), separator: b",", tail: b"]", ..Framing::lines(2, 99) };
        let chunks = cut(&list, &["1", "2", "3"]);
        assert_eq!(chunks.len(), 2);
        let chunks: Vec<Bytes> = chunks.into_iter().map(|(bytes, _)| bytes.into()).collect();
        assert_eq!(list.join(&chunks), Bytes::from_static(b"[1,2,3]"));
        assert_eq!(list.join(&chunks[1..]), Bytes::from_static(b"[3]"));
    }

    #[test]
    fn datagrams_hold_a_number_of_points_and_fit_a_frame() {
        let chunks = cut(&Framing::datagrams(2), &["a\n", "b\n", "c\n"]);
        assert_eq!(chunks.len(), 1);
        let read: Vec<_> = datagrams(&chunks[0].0).collect();
        assert_eq!(read, [&b"a\nb\n"[..], b"c\n"]);
        let long = "x".repeat(1000);
        let chunks = cut(&Framing::datagrams(5), &[&long, &long]);
        assert_eq!(datagrams(&chunks[0].0).map(<[u8]>::len).collect::<Vec<_>>(), [1000, 1000]);
        let many = vec![&*long; 100];
        let chunks = cut(&Framing::datagrams(1), &many);
        assert_eq!(chunks.len(), 2);
        let sent: usize = chunks.iter().map(|(bytes, _)| datagrams(bytes).count()).sum();
        assert_eq!(sent, 100);
        assert_eq!(chunks.iter().map(|(_, points)| points).sum::<u32>(), 100);
    }
}
