//! `GET …/pods/{name}/exec`: a WebSocket with a very small shell behind it, in the protocol
//! `v5.channel.k8s.io` (and v4): the first byte of a message names its channel.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Buf as _, BytesMut};
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;

use super::status::Status;
use super::{Api, Place, Request};
use crate::http::Body;

/// What RFC 6455 adds to a key.
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const PROTOCOLS: [&str; 2] = ["v5.channel.k8s.io", "v4.channel.k8s.io"];
const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const ERROR: u8 = 3;
const RESIZE: u8 = 4;
/// Longest message that is read.
const MOST: usize = 1 << 20;

pub(super) fn exec(
    api: &Arc<Api>,
    place: &Place,
    request: &Request,
) -> Result<Response<Body>, Status> {
    api.pod(place)?;
    let name = place.name.as_deref().unwrap_or_default();
    let text = |name: header::HeaderName| {
        request.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
    };
    let offered = text(header::SEC_WEBSOCKET_PROTOCOL);
    let spoken = PROTOCOLS.iter().find(|one| offered.split(',').any(|given| given.trim() == **one));
    let upgrade = request.upgrade.clone().filter(|_| text(header::UPGRADE) == "websocket");
    let (Some(spoken), Some(upgrade)) = (spoken, upgrade) else {
        return Err(Status::bad_request("Upgrade request required"));
    };
    let accept = format!("{}{GUID}", text(header::SEC_WEBSOCKET_KEY));
    let accept = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, accept.as_bytes());
    let (pod, shutdown) = (name.to_owned(), api.shutdown.clone());
    tokio::spawn(converse(upgrade, pod, shutdown));
    let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(spoken));
    if let Ok(accept) = HeaderValue::try_from(STANDARD.encode(accept.as_ref())) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    Ok(response)
}

async fn converse(upgrade: OnUpgrade, pod: String, shutdown: CancellationToken) {
    let Ok(upgraded) = upgrade.await else { return };
    let work = async {
        let mut socket = Socket { stream: TokioIo::new(upgraded), read: BytesMut::new() };
        // A client that went away is told nothing more.
        drop(shell(&mut socket, &pod).await);
    };
    tokio::select! {
        () = work => {}
        () = shutdown.cancelled() => {}
    }
}

async fn shell<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut Socket<S>,
    pod: &str,
) -> std::io::Result<()> {
    socket.send(STDOUT, b"/ # ").await?;
    let mut line = String::new();
    let mut size = String::new();
    while let Some(message) = socket.next().await? {
        match message.split_first() {
            Some((&STDIN, typed)) => {
                for byte in typed {
                    match byte {
                        b'\r' | b'\n' => {
                            let said = std::mem::take(&mut line);
                            socket.send(STDOUT, b"\r\n").await?;
                            let Some(answer) = run(&said, pod, &size) else {
                                let status = br#"{"metadata":{},"status":"Success"}"#;
                                socket.send(ERROR, status).await?;
                                return socket.close().await;
                            };
                            socket.send(STDOUT, format!("{answer}/ # ").as_bytes()).await?;
                        }
                        0x7f if line.pop().is_some() => {
                            socket.send(STDOUT, b"\x08 \x08").await?;
                        }
                        byte if (0x20..0x7f).contains(byte) => {
                            line.push(char::from(*byte));
                            socket.send(STDOUT, &[*byte]).await?;
                        }
                        _ => {}
                    }
                }
            }
            Some((&RESIZE, text)) => size = String::from_utf8_lossy(text).into_owned(),
            _ => {}
        }
    }
    Ok(())
}

/// What a command says; `None` ends the shell.
fn run(line: &str, pod: &str, size: &str) -> Option<String> {
    let (command, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
    Some(match command {
        "" => String::new(),
        "exit" => return None,
        "echo" => format!("{rest}\r\n"),
        "hostname" => format!("{pod}\r\n"),
        "size" => format!("{size}\r\n"),
        _ => format!("sh: {command}: not found\r\n"),
    })
}

/// A WebSocket of a server.
struct Socket<S> {
    stream: S,
    read: BytesMut,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// The next binary message, whole; `None` when the client is done.
    async fn next(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        loop {
            while let Some((kind, payload)) = self.frame() {
                match kind {
                    1 | 2 => return Ok(Some(payload)),
                    8 => return Ok(None),
                    9 => self.write(0x8a, &payload).await?,
                    _ => {}
                }
            }
            if self.read.len() > MOST || self.stream.read_buf(&mut self.read).await? == 0 {
                return Ok(None);
            }
        }
    }

    /// Takes a frame off what was read, if one is there whole.
    fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let (first, second) = (*self.read.first()?, *self.read.get(1)?);
        let (length, begin) = match second & 0x7f {
            126 => (usize::from(u16::from_be_bytes(self.read.get(2..4)?.try_into().ok()?)), 4),
            127 => {
                let length = u64::from_be_bytes(self.read.get(2..10)?.try_into().ok()?);
                (usize::try_from(length).unwrap_or(usize::MAX), 10)
            }
            short => (usize::from(short), 2),
        };
        let mask: [u8; 4] = self.read.get(begin..begin + 4)?.try_into().ok()?;
        let masked = self.read.get(begin + 4..(begin + 4).checked_add(length)?)?;
        let payload = masked.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
        let payload = payload.collect();
        self.read.advance(begin + 4 + length);
        Some((first & 0x0f, payload))
    }

    async fn send(&mut self, channel: u8, bytes: &[u8]) -> std::io::Result<()> {
        let mut message = vec![channel];
        message.extend_from_slice(bytes);
        self.write(0x82, &message).await
    }

    async fn close(&mut self) -> std::io::Result<()> {
        self.write(0x88, &1000_u16.to_be_bytes()).await
    }

    async fn write(&mut self, first: u8, payload: &[u8]) -> std::io::Result<()> {
        let mut frame = vec![first];
        if let Some(length) = u8::try_from(payload.len()).ok().filter(|length| *length < 126) {
            frame.push(length);
        } else {
            frame.push(126);
            let length = u16::try_from(payload.len()).unwrap_or(u16::MAX);
            frame.extend_from_slice(&length.to_be_bytes());
        }
        frame.extend_from_slice(payload);
        self.stream.write_all(&frame).await?;
        self.stream.flush().await
    }
}
