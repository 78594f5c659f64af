//! Questions over HTTP on one connection that is kept, as Grafana and browsers keep theirs.
//!
//! A question takes from before its first byte goes out until after the last one of its answer has
//! come: what the client makes of the answer is not the server's time.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

/// One server and the connection to it.
pub(crate) struct Client {
    address: String,
    stream: TcpStream,
    /// What came, in its first `filled` bytes.
    buffer: Vec<u8>,
    filled: usize,
}

/// An answer and what it took.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) took: Duration,
}

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

impl Client {
    pub(crate) fn new(address: &str) -> Self {
        let stream = connect(address);
        Self { address: address.to_owned(), stream, buffer: vec![0; 64 << 10], filled: 0 }
    }

    /// The bytes of a question to this server.
    pub(crate) fn question(&self, method: &str, path: &str, body: &str) -> Vec<u8> {
        let question = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        question.into_bytes()
    }

    /// The answer; asked once more on a new connection if the server closed an idle one.
    pub(crate) fn ask(&mut self, question: &[u8]) -> Answer {
        let asked = self.exchange(question);
        let (took, framed) = asked.unwrap_or_else(|| {
            self.stream = connect(&self.address);
            self.exchange(question).unwrap()
        });
        let came = &self.buffer[..self.filled];
        let status = std::str::from_utf8(&came[9..12]).unwrap().parse().unwrap();
        Answer { status, body: framed.body(came), took }
    }

    /// `None`: the connection was closed.
    fn exchange(&mut self, question: &[u8]) -> Option<(Duration, Framed)> {
        self.filled = 0;
        let mut framed = Framed::Head;
        let begun = Instant::now();
        self.stream.write_all(question).ok()?;
        while !framed.is_whole(&self.buffer[..self.filled]) {
            if self.filled == self.buffer.len() {
                self.buffer.resize(self.filled * 2, 0);
            }
            let count = self.stream.read(&mut self.buffer[self.filled..]).ok()?;
            self.filled += (count > 0).then_some(count)?;
        }
        Some((begun.elapsed(), framed))
    }

    /// An answer in JSON.
    pub(crate) fn get(&mut self, path: &str) -> Value {
        let Answer { status, body, .. } = self.ask(&self.question("GET", path, ""));
        assert!(status == 200, "{path}: {status} {body}");
        serde_json::from_str(&body).unwrap()
    }
}

/// How far an answer has come.
enum Framed {
    Head,
    /// Where its body begins and ends.
    Length(usize, usize),
    /// Where its body begins, and the chunk that is not whole yet.
    Chunks(usize, usize),
}

impl Framed {
    fn is_whole(&mut self, came: &[u8]) -> bool {
        if matches!(self, Self::Head)
            && let Some(end) = position(came, b"\r\n\r\n")
        {
            let begin = end + 4;
            *self = match length(&came[..end]) {
                Some(length) => Self::Length(begin, begin + length),
                None => Self::Chunks(begin, begin),
            };
        }
        match self {
            Self::Head => false,
            Self::Length(_, end) => came.len() >= *end,
            Self::Chunks(_, at) => loop {
                let Some((begin, length)) = chunk(came, *at) else { return false };
                let next = begin + length + 2;
                if came.len() < next {
                    return false;
                }
                if length == 0 {
                    return true;
                }
                *at = next;
            },
        }
    }

    fn body(self, came: &[u8]) -> String {
        let bytes = match self {
            Self::Head => Vec::new(),
            Self::Length(begin, end) => came[begin..end].to_vec(),
            Self::Chunks(mut at, _) => {
                let mut all = Vec::new();
                while let Some((begin, length @ 1..)) = chunk(came, at) {
                    all.extend_from_slice(&came[begin..begin + length]);
                    at = begin + length + 2;
                }
                all
            }
        };
        String::from_utf8(bytes).unwrap()
    }
}

/// What a head says of its body's length; none where it comes in chunks.
fn length(head: &[u8]) -> Option<usize> {
    const NAME: &[u8] = b"content-length:";
    let mut lines = head.split(|byte| *byte == b'\n');
    let line =
        lines.find(|line| line.len() > NAME.len() && line[..NAME.len()].eq_ignore_ascii_case(NAME));
    line.map(|line| std::str::from_utf8(&line[NAME.len()..]).unwrap().trim().parse().unwrap())
}

/// Where the chunk begins whose line begins at `at`, and its length.
fn chunk(came: &[u8], at: usize) -> Option<(usize, usize)> {
    let line = came.get(at..)?;
    let end = position(line, b"\r\n")?;
    let length = usize::from_str_radix(std::str::from_utf8(&line[..end]).unwrap(), 16).unwrap();
    Some((at + end + 2, length))
}

fn position(came: &[u8], wanted: &[u8]) -> Option<usize> {
    came.windows(wanted.len()).position(|bytes| bytes == wanted)
}
