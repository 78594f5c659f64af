//! `GET /objects/logs`: lines of several containers in one answer, as they come, one JSON line
//! each; or as a text to keep.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};
use http::{HeaderName, Uri, header};
use model::Timestamp;
use regex::{Regex, RegexBuilder};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::place::{self, KindAddress, Place};
use super::{Asking, person, respond};
use crate::ApiState;
use crate::limits::hit;
use crate::people::upstream::{self, Question};
use crate::people::{Refusal, Session};
use crate::request::pairs;
use crate::v1::Place as StreamPlace;

/// Most containers that are read at once.
const MAX_SOURCES: usize = 32;
/// Lines that wait for the client; beyond, the API server waits with its own.
const MAX_LINES: usize = 256;
/// Longest line; the rest of a longer one is left out.
const MAX_LINE_BYTES: usize = 64 << 10;
/// Most lines of the past.
const MAX_TAIL: usize = 100_000;
/// Most places of a line that are told to match.
const MAX_MATCHES: usize = 20;
/// Largest compiled pattern.
const MAX_PATTERN_BYTES: usize = 1 << 20;
/// How long a quiet answer stays without a line that says that all is well.
const QUIET: Duration = Duration::from_secs(15);

/// What is asked for.
#[expect(clippy::struct_excessive_bools, reason = "each is a parameter of the request")]
struct Wanted {
    namespace: String,
    /// Pod and container.
    sources: Vec<(String, String)>,
    follow: bool,
    previous: bool,
    since: Option<u64>,
    /// The last time that is wanted; what comes later ends a source.
    until: Option<Timestamp>,
    tail: usize,
    filter: Option<Regex>,
    /// A file instead of JSON lines.
    text: bool,
    timestamps: bool,
}

impl Wanted {
    fn read(query: &str) -> Result<Self, Refusal> {
        let mut wanted = Self {
            namespace: String::new(),
            sources: Vec::new(),
            follow: false,
            previous: false,
            since: None,
            until: None,
            tail: 500,
            filter: None,
            text: false,
            timestamps: true,
        };
        for (key, value) in pairs(query) {
            match &*key {
                "namespace" => wanted.namespace = place::name(&value)?,
                "source" => {
                    let (pod, container) = value
                        .split_once('/')
                        .ok_or_else(|| Refusal::bad("source: give pod/container"))?;
                    wanted.sources.push((place::name(pod)?, place::name(container)?));
                }
                "follow" => wanted.follow = value == "true",
                "previous" => wanted.previous = value == "true",
                "timestamps" => wanted.timestamps = value == "true",
                "format" => wanted.text = value == "text",
                "since" => {
                    let since = value.parse().ok().filter(|since| *since > 0);
                    wanted.since = Some(since.ok_or_else(|| Refusal::bad("since: give seconds"))?);
                }
                "until" => {
                    let until = value.parse().ok().map(Timestamp::from_millis);
                    let wrong = || Refusal::bad("until: give milliseconds since the epoch");
                    wanted.until = Some(until.ok_or_else(wrong)?);
                }
                "tail" => {
                    let tail = value.parse().ok().filter(|tail| *tail <= MAX_TAIL);
                    wanted.tail = tail.ok_or_else(|| Refusal::bad("tail: at most 100000"))?;
                }
                "filter" if value.is_empty() => {}
                "filter" => wanted.filter = Some(pattern(&value)?),
                _ => return Err(Refusal::bad(format!("{key}: no such parameter"))),
            }
        }
        if wanted.namespace.is_empty() || wanted.sources.is_empty() {
            return Err(Refusal::bad("give a namespace and sources"));
        }
        if wanted.sources.len() > MAX_SOURCES {
            hit("log_sources");
            return Err(Refusal::bad("at most 32 containers at once"));
        }
        Ok(wanted)
    }

    fn path(&self, pod: &str, container: &str) -> Result<String, Refusal> {
        let kind = KindAddress::read("core", "v1", "pods")?;
        let pod = Place { kind, namespace: self.namespace.clone(), name: pod.to_owned() };
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("container", container).append_pair("timestamps", "true");
        query.append_pair("tailLines", &self.tail.to_string());
        if self.follow {
            query.append_pair("follow", "true");
        }
        if self.previous {
            query.append_pair("previous", "true");
        }
        if let Some(since) = self.since {
            query.append_pair("sinceSeconds", &since.to_string());
        }
        Ok(format!("{}/log?{}", pod.path(), query.finish()))
    }
}

/// A pattern that takes linear time, whatever it is and is matched with.
fn pattern(text: &str) -> Result<Regex, Refusal> {
    let built = RegexBuilder::new(text).size_limit(MAX_PATTERN_BYTES).build();
    built.map_err(|error| Refusal::bad(format!("the pattern: {error}")))
}

/// A line or the end of one source.
enum Told {
    Line(usize, String),
    Ended(usize, Option<Refusal>),
}

pub(super) async fn logs(
    State(state): State<Arc<ApiState>>,
    session: Asking,
    uri: Uri,
) -> Response {
    let answer = async {
        let session = person(session)?;
        let wanted = Arc::new(Wanted::read(uri.query().unwrap_or(""))?);
        let Some(place) = StreamPlace::take(&state.streams) else {
            hit("streams");
            return Err(Refusal::busy("streams"));
        };
        let (lines, told) = mpsc::channel(MAX_LINES);
        let mut reading = JoinSet::new();
        for number in 0..wanted.sources.len() {
            let (session, wanted, lines) =
                (Arc::clone(&session), Arc::clone(&wanted), lines.clone());
            reading.spawn(async move {
                let ended = follow(&session, &wanted, number, &lines).await.err();
                // Nobody listens any more, where this fails.
                drop(lines.send(Told::Ended(number, ended)).await);
            });
        }
        let text = wanted.text;
        let sent = (told, reading, place, state.stopping.clone(), wanted);
        let body = stream::unfold(sent, |mut sent| async move {
            loop {
                let line = tokio::select! {
                    line = timeout(QUIET, sent.0.recv()) => line,
                    () = sent.3.cancelled() => return None,
                };
                let bytes = match line {
                    // The channel stays open for `sent.1`'s tasks only.
                    Ok(None) => return None,
                    Ok(Some(told)) => sent.4.write(&told),
                    Err(_) if sent.4.text => Bytes::new(),
                    Err(_) => Bytes::from_static(b"{}\n"),
                };
                // What compresses the answer takes a chunk without bytes for its end.
                if !bytes.is_empty() {
                    return Some((Ok::<_, std::convert::Infallible>(bytes), sent));
                }
            }
        });
        drop(lines);
        let unbuffered = (HeaderName::from_static("x-accel-buffering"), "no");
        let plain = (header::X_CONTENT_TYPE_OPTIONS, "nosniff");
        let body = Body::from_stream(body);
        Ok(if text {
            let kind = (header::CONTENT_TYPE, "text/plain; charset=utf-8");
            let name = (header::CONTENT_DISPOSITION, "attachment; filename=\"logs.txt\"");
            ([kind, name, plain], body).into_response()
        } else {
            ([(header::CONTENT_TYPE, "application/x-ndjson"), unbuffered, plain], body)
                .into_response()
        })
    };
    respond(answer.await)
}

impl Wanted {
    fn write(&self, told: &Told) -> Bytes {
        let named = |number: &usize| {
            self.sources.get(*number).map_or(("", ""), |(pod, container)| (pod, container))
        };
        let text = match (told, self.text) {
            (Told::Line(number, line), true) => {
                let (pod, container) = named(number);
                let shown = match line.split_once(' ') {
                    Some((_, rest)) if !self.timestamps => rest,
                    _ => line,
                };
                match self.sources.len() {
                    1 => format!("{shown}\n"),
                    _ => format!("{pod}/{container} {shown}\n"),
                }
            }
            (Told::Ended(number, Some(refusal)), true) => {
                let (pod, container) = named(number);
                format!("{pod}/{container}: {}\n", refusal.reason)
            }
            (Told::Ended(_, None), true) => String::new(),
            (Told::Line(number, line), false) => {
                let (time, line) = line.split_once(' ').unwrap_or(("", line));
                let mut told = json!({ "s": number, "t": time, "l": line });
                if let Some(filter) = &self.filter {
                    told["m"] = matches(filter, line).into();
                }
                format!("{told}\n")
            }
            (Told::Ended(number, refusal), false) => {
                let reason = refusal.as_ref().map(|refusal| &refusal.reason);
                format!("{}\n", json!({ "s": number, "end": true, "reason": reason }))
            }
        };
        text.into()
    }
}

/// Where `filter` finds something in `line`: beginning and end of each, in UTF-16 units as browsers
/// count.
fn matches(filter: &Regex, line: &str) -> Vec<[usize; 2]> {
    let units =
        |bytes: std::ops::Range<usize>| line.get(bytes).unwrap_or_default().encode_utf16().count();
    let (mut at, mut told) = (0, 0);
    let found = filter.find_iter(line).filter(|found| !found.is_empty()).take(MAX_MATCHES);
    found
        .map(|found| {
            let start = told + units(at..found.start());
            let end = start + units(found.range());
            (at, told) = (found.end(), end);
            [start, end]
        })
        .collect()
}

/// Reads one container's lines to their end.
async fn follow(
    session: &Session,
    wanted: &Wanted,
    number: usize,
    lines: &mpsc::Sender<Told>,
) -> Result<(), Refusal> {
    let Some((pod, container)) = wanted.sources.get(number) else { return Ok(()) };
    let path = wanted.path(pod, container)?;
    let question = Question { accept: "*/*", ..Question::get(&path) };
    let answer = upstream::streamed(&*session.person, question).await?;
    let mut chunks = answer.into_body().into_data_stream();
    let mut splitter = Splitter::default();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| Refusal::unreached(error.to_string()))?;
        splitter.push(&chunk);
        while let Some(line) = splitter.next() {
            if send(wanted, number, &line, lines).await.is_none() {
                return Ok(());
            }
        }
    }
    if let Some(rest) = splitter.rest() {
        send(wanted, number, &rest, lines).await;
    }
    Ok(())
}

/// Hands a line on, if it passes the filter; `None` when nobody listens any more.
async fn send(
    wanted: &Wanted,
    number: usize,
    line: &[u8],
    lines: &mpsc::Sender<Told>,
) -> Option<()> {
    let line = String::from_utf8_lossy(line);
    if let Some(until) = wanted.until
        && let Some((time, _)) = line.split_once(' ')
        && Timestamp::parse_rfc3339(time).is_some_and(|time| time > until)
    {
        return None;
    }
    let said = line.split_once(' ').map_or(&*line, |(_, said)| said);
    if wanted.filter.as_ref().is_some_and(|filter| !filter.is_match(said)) {
        return Some(());
    }
    lines.send(Told::Line(number, line.into_owned())).await.ok()
}

/// Cuts a stream into lines of bounded length.
#[derive(Default)]
struct Splitter {
    buffer: BytesMut,
    /// The line's beginning went out already; its rest is left out.
    skipping: bool,
}

impl Splitter {
    fn push(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
    }

    fn next(&mut self) -> Option<Bytes> {
        loop {
            let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') else {
                if self.buffer.len() <= MAX_LINE_BYTES {
                    return None;
                }
                let line = self.buffer.split_to(MAX_LINE_BYTES).freeze();
                self.buffer.clear();
                if std::mem::replace(&mut self.skipping, true) {
                    continue;
                }
                hit("log_line");
                return Some(line);
            };
            let mut line = self.buffer.split_to(end + 1);
            if std::mem::take(&mut self.skipping) {
                continue;
            }
            line.truncate(end.min(MAX_LINE_BYTES));
            return Some(line.freeze());
        }
    }

    /// What is left when the stream has ended.
    fn rest(mut self) -> Option<Bytes> {
        let whole = !self.buffer.is_empty() && !self.skipping;
        whole.then(|| self.buffer.split().freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_and_never_grow_without_bound() {
        let mut splitter = Splitter::default();
        splitter.push(b"a\nb");
        assert_eq!(splitter.next().as_deref(), Some(&b"a"[..]));
        assert_eq!(splitter.next(), None);
        splitter.push(b"c\n");
        assert_eq!(splitter.next().as_deref(), Some(&b"bc"[..]));
        for _ in 0..40 {
            splitter.push(&[b'x'; 4096]);
            while let Some(line) = splitter.next() {
                assert_eq!(line.len(), MAX_LINE_BYTES);
            }
            assert!(splitter.buffer.len() <= MAX_LINE_BYTES + 4096);
        }
        splitter.push(b"end\nnext");
        assert_eq!(splitter.next(), None);
        assert_eq!(splitter.rest().as_deref(), Some(&b"next"[..]));
    }

    #[test]
    fn matches_are_told_as_browsers_count() {
        let filter = pattern("b+|ü").unwrap();
        assert_eq!(matches(&filter, "a🚢bb ü b"), [[3, 5], [6, 7], [8, 9]]);
        assert_eq!(matches(&pattern("x*").unwrap(), "ab"), [[0, 0]; 0]);
        assert_eq!(matches(&filter, &"b ".repeat(100)).len(), MAX_MATCHES);
    }

    #[test]
    fn a_pattern_is_bounded() {
        assert!(pattern("(a+)+$").is_ok());
        assert!(pattern("(").is_err());
        assert!(pattern("(((a{100}){100}){100}){100}").is_err());
    }
}
