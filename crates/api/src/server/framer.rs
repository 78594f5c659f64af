//! The framer: finds the heads in a connection's bytes and makes long ones fit hyper.
//!
//! Old Dashboards ask for a whole namespace's pods in one path, up to a megabyte; the `http`
//! crate takes no URI beyond 65,534 bytes. A long target is moved into a header of ours that no
//! client can send: every head passes here, and one that holds it is refused. Bodies pass by
//! their length; after a body of unknown length the connection is told to close, so that what
//! follows cannot be taken for a head that was never looked at. Knows no sockets.

use std::mem::MaybeUninit;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::Error;
use crate::heapster;
use crate::limits::{
    MAX_HEADER_BYTES, MAX_HEADERS, MAX_LONG_HEADS, MAX_PLAIN_TARGET_BYTES, MAX_TARGET_BYTES, hit,
};

/// The header that carries a long target, or a [`Refusal`].
pub(super) const TARGET_HEADER: &str = "x-taffrail-request-target";

/// Method, version and spaces of a request line.
const REQUEST_LINE_EXTRA: usize = 64;

/// Why a head was replaced by one that only carries this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    Head,
    TargetTooLong,
    HeadersTooLarge,
    Busy,
}

const REFUSALS: [(Refusal, &str); 4] = [
    (Refusal::Head, "!head"),
    (Refusal::TargetTooLong, "!target"),
    (Refusal::HeadersTooLarge, "!headers"),
    (Refusal::Busy, "!busy"),
];

impl Refusal {
    /// Reads what [`TARGET_HEADER`] carries, if that is a refusal: targets begin with a slash.
    pub(super) fn parse(value: &str) -> Option<Self> {
        REFUSALS.iter().find(|(_, name)| *name == value).map(|(refusal, _)| *refusal)
    }

    /// The error that the client sees.
    pub(super) fn error(self) -> Error {
        match self {
            Self::Head => Error::Head,
            Self::TargetTooLong => Error::TargetTooLong,
            Self::HeadersTooLarge => Error::HeadersTooLarge,
            Self::Busy => Error::Busy,
        }
    }

    fn name(self) -> &'static str {
        REFUSALS.iter().find(|(refusal, _)| *refusal == self).map_or("", |(_, name)| name)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Gathering a head.
    Head,
    /// Passing on a body of which that many bytes are missing.
    Body(u64),
    /// Passing on whatever comes; hyper closes after this request.
    Rest,
    /// A head was refused: nothing more is passed on.
    Refused,
}

/// One connection's framing.
#[derive(Debug)]
pub(super) struct Framer {
    phase: Phase,
    /// The head so far.
    head: Vec<u8>,
    /// How much of it was searched for its end.
    searched: usize,
    /// Where its request line ends, once that has come.
    line: Option<usize>,
    long_heads: Arc<Semaphore>,
    /// Held from when a head grows long until the next head begins.
    permit: Option<OwnedSemaphorePermit>,
}

impl Framer {
    /// For one connection. `long_heads` bounds how many large heads are in memory at once.
    pub(super) fn new(long_heads: Arc<Semaphore>) -> Self {
        Self {
            phase: Phase::Head,
            head: Vec::new(),
            searched: 0,
            line: None,
            long_heads,
            permit: None,
        }
    }

    /// Whether nothing more will be passed on.
    pub(super) fn refused(&self) -> bool {
        self.phase == Phase::Refused
    }

    /// Takes what the client sent, and adds to `out` what hyper shall see of it.
    pub(super) fn push(&mut self, mut input: &[u8], out: &mut Vec<u8>) {
        while !input.is_empty() {
            match self.phase {
                Phase::Refused => return,
                Phase::Rest => {
                    out.extend_from_slice(input);
                    return;
                }
                Phase::Body(missing) => {
                    let here = usize::try_from(missing).unwrap_or(usize::MAX).min(input.len());
                    let (body, after) = input.split_at(here);
                    out.extend_from_slice(body);
                    let missing = missing - here as u64;
                    self.phase = if missing == 0 { Phase::Head } else { Phase::Body(missing) };
                    input = after;
                }
                Phase::Head => input = self.gather(input, out),
            }
        }
    }

    /// Adds to the head, and passes it on when it is whole. Returns what follows it.
    fn gather<'a>(&mut self, input: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
        let mut input = input;
        if self.head.is_empty() {
            self.permit = None;
            // Empty lines before a request line are allowed and mean nothing.
            while let [b'\r' | b'\n', rest @ ..] = input {
                input = rest;
            }
            // Nearly every head comes whole, and is not kept.
            if let Some((head, after)) = end_of_head(input, 0).map(|end| input.split_at(end)) {
                self.pass(head, out);
                return after;
            }
        }
        let before = self.head.len();
        self.head.extend_from_slice(input);
        let Some(end) = end_of_head(&self.head, self.searched) else {
            self.searched = self.head.len();
            if self.line.is_none() {
                self.line = end_of_line(input).map(|end| before + end);
            }
            if let Err(refusal) = self.admit(self.line, self.head.len()) {
                self.refuse(refusal, out);
            }
            return &[];
        };
        let used = end - before;
        let mut head = std::mem::take(&mut self.head);
        head.truncate(end);
        self.searched = 0;
        self.line = None;
        self.pass(&head, out);
        // A large buffer is not kept for small heads to come.
        if head.capacity() <= MAX_HEADER_BYTES {
            head.clear();
            self.head = head;
        }
        input.get(used..).unwrap_or_default()
    }

    /// Passes on a whole head.
    fn pass(&mut self, head: &[u8], out: &mut Vec<u8>) {
        let admitted = self.admit(end_of_line(head), head.len());
        match admitted.and_then(|()| framing(head)) {
            Ok(framing) => {
                framing.write(head, out);
                self.phase = framing.phase;
            }
            Err(refusal) => self.refuse(refusal, out),
        }
    }

    /// Whether a head of which so many bytes have come is within bounds; `line` is where its
    /// request line ends, once that has come.
    fn admit(&mut self, line: Option<usize>, length: usize) -> Result<(), Refusal> {
        if line.unwrap_or(length) > MAX_TARGET_BYTES + REQUEST_LINE_EXTRA {
            return Err(Refusal::TargetTooLong);
        }
        if line.is_some_and(|line| length - line > MAX_HEADER_BYTES) {
            return Err(Refusal::HeadersTooLarge);
        }
        if length > MAX_HEADER_BYTES && self.permit.is_none() {
            let permit = Arc::clone(&self.long_heads).try_acquire_owned();
            self.permit = Some(permit.map_err(|_| Refusal::Busy)?);
        }
        Ok(())
    }

    fn refuse(&mut self, refusal: Refusal, out: &mut Vec<u8>) {
        match refusal {
            Refusal::Head => {}
            Refusal::TargetTooLong => hit("target_bytes"),
            Refusal::HeadersTooLarge => hit("header_bytes"),
            Refusal::Busy => hit("long_heads"),
        }
        let name = refusal.name();
        let head =
            format!("GET / HTTP/1.1\r\n{TARGET_HEADER}: {name}\r\nconnection: close\r\n\r\n");
        out.extend_from_slice(head.as_bytes());
        self.phase = Phase::Refused;
        self.head = Vec::new();
        self.permit = None;
    }
}

/// Where the first line ends, if its end is there.
fn end_of_line(head: &[u8]) -> Option<usize> {
    memchr::memchr(b'\n', head).map(|at| at + 1)
}

/// Where the first empty line ends, if it is there; bytes before `searched` hold none.
fn end_of_head(head: &[u8], searched: usize) -> Option<usize> {
    let from = searched.saturating_sub(2);
    let tail = head.get(from..)?;
    for at in memchr::memchr_iter(b'\n', tail) {
        match tail.get(at + 1..) {
            Some([b'\n', ..]) => return Some(from + at + 2),
            Some([b'\r', b'\n', ..]) => return Some(from + at + 3),
            _ => {}
        }
    }
    None
}

/// What is to be done with a whole head.
struct Framing {
    phase: Phase,
    /// Begin and end of the request target, when it has to move.
    long_target: Option<(usize, usize)>,
    /// hyper has to close after this request.
    close: bool,
}

fn framing(head: &[u8]) -> Result<Framing, Refusal> {
    let mut headers = [MaybeUninit::uninit(); MAX_HEADERS];
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(head, &mut headers) {
        Ok(httparse::Status::Complete(length)) if length == head.len() => {}
        Err(httparse::Error::TooManyHeaders) => return Err(Refusal::HeadersTooLarge),
        _ => return Err(Refusal::Head),
    }
    let (method, target) = (request.method.unwrap_or(""), request.path.unwrap_or(""));
    if target.len() > MAX_TARGET_BYTES {
        return Err(Refusal::TargetTooLong);
    }
    let mut length = None;
    let mut unknown_length = false;
    for header in request.headers.iter() {
        if header.name.eq_ignore_ascii_case(TARGET_HEADER) {
            return Err(Refusal::Head);
        } else if header.name.eq_ignore_ascii_case("transfer-encoding")
            || header.name.eq_ignore_ascii_case("upgrade")
        {
            // What follows may be another protocol's; where it is not, hyper closes.
            unknown_length = true;
        } else if header.name.eq_ignore_ascii_case("content-length") {
            let digits = std::str::from_utf8(header.value).unwrap_or("");
            let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            let parsed: Option<u64> = if plain { digits.parse().ok() } else { None };
            // Two lengths are how requests get smuggled.
            if length.replace(parsed.ok_or(Refusal::Head)?).is_some() {
                return Err(Refusal::Head);
            }
        }
    }
    let long_target = (target.len() > MAX_PLAIN_TARGET_BYTES).then(|| {
        let begin = method.len() + 1;
        (begin, begin + target.len())
    });
    if long_target.is_some() && method != "GET" {
        return Err(Refusal::TargetTooLong);
    }
    let phase = match (unknown_length, length) {
        (true, _) => Phase::Rest,
        (false, None | Some(0)) => Phase::Head,
        (false, Some(length)) => Phase::Body(length),
    };
    Ok(Framing { phase, long_target, close: unknown_length })
}

impl Framing {
    /// Writes `head` as hyper shall see it.
    fn write(&self, head: &[u8], out: &mut Vec<u8>) {
        if self.long_target.is_none() && !self.close {
            out.extend_from_slice(head);
            return;
        }
        let empty_line = if head.ends_with(b"\r\n") { 2 } else { 1 };
        let lines = head.get(..head.len() - empty_line).unwrap_or_default();
        match self.long_target {
            Some((begin, end)) => {
                out.extend_from_slice(lines.get(..begin).unwrap_or_default());
                out.push(b'/');
                out.extend_from_slice(lines.get(end..).unwrap_or_default());
                out.extend_from_slice(TARGET_HEADER.as_bytes());
                out.extend_from_slice(b": ");
                out.extend_from_slice(lines.get(begin..end).unwrap_or_default());
                out.extend_from_slice(b"\r\n");
            }
            None => out.extend_from_slice(lines),
        }
        if self.close {
            out.extend_from_slice(b"connection: close\r\n");
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// Frames `data` at once and in pieces of which its own bytes give the sizes, and routes what it
/// names: never panics, and both ways say the same.
pub fn fuzz_request_head(data: &[u8]) {
    let frame = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let mut framer = Framer::new(Arc::new(Semaphore::new(MAX_LONG_HEADS)));
        let mut out = Vec::new();
        pieces.for_each(|piece| framer.push(piece, &mut out));
        (out, framer.phase)
    };
    let whole = frame(&mut std::iter::once(data));
    let mut rest = data;
    let sizes = data.iter().map(|byte| usize::from(*byte % 7) + 1);
    let mut pieces = sizes.map_while(|size| {
        let (piece, after) = rest.split_at(size.min(rest.len()));
        rest = after;
        (!piece.is_empty()).then_some(piece)
    });
    let in_pieces = frame(&mut pieces);
    assert_eq!(whole, in_pieces, "framing depends on how the bytes arrive");
    let text = String::from_utf8_lossy(data);
    for path in text.split([' ', '\r', '\n']).filter_map(|word| word.strip_prefix('/')) {
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        drop(heapster::find(path));
    }
}

#[cfg(test)]
mod tests;
