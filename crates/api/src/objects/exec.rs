//! `GET /objects/exec/{namespace}/{pod}`: a terminal in a container. The browser's WebSocket goes
//! through to the API server as it is: what is said is `v5.channel.k8s.io` or `v4`, and nothing
//! here reads it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;

use super::place::{self, KindAddress, Place};
use super::{Asking, changeable, person, respond};
use crate::ApiState;
use crate::limits::hit;
use crate::people::Refusal;
use crate::request::pairs;

/// Most terminals of the process.
const MAX_TERMINALS: usize = 64;
/// Most words of a command.
const MAX_WORDS: usize = 64;
/// What both ends may speak.
const PROTOCOLS: [&str; 2] = ["v5.channel.k8s.io", "v4.channel.k8s.io"];
/// What a WebSocket is made of, and passes through.
const PASSED: [header::HeaderName; 3] =
    [header::SEC_WEBSOCKET_KEY, header::SEC_WEBSOCKET_VERSION, header::SEC_WEBSOCKET_PROTOCOL];

/// Open terminals.
static OPEN: AtomicUsize = AtomicUsize::new(0);

/// One of the places for terminals.
struct Terminal;

impl Terminal {
    fn take() -> Option<Self> {
        if OPEN.fetch_add(1, Ordering::Relaxed) >= MAX_TERMINALS {
            OPEN.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(Self)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Ordering::Relaxed);
    }
}

pub(super) async fn exec(
    State(state): State<Arc<ApiState>>,
    Path((namespace, pod)): Path<(String, String)>,
    session: Asking,
    mut request: Request<Body>,
) -> Response {
    let answer = async {
        let session = person(session)?;
        changeable(&state)?;
        let kind = KindAddress::read("core", "v1", "pods")?;
        let pod = Place { kind, namespace: place::name(&namespace)?, name: place::name(&pod)? };
        let path = path(&pod, request.uri().query().unwrap_or(""))?;
        let asked = handshake(&path, request.headers())?;
        let Some(terminal) = Terminal::take() else {
            hit("terminals");
            return Err(Refusal::busy("terminals"));
        };
        let mut upstream = session.person.ask(asked).await.map_err(Refusal::unreached)?;
        if upstream.status() != StatusCode::SWITCHING_PROTOCOLS {
            let status = upstream.status();
            let body = axum::body::to_bytes(upstream.into_body(), 64 << 10).await;
            return Err(Refusal::of(status, &body.unwrap_or_default()));
        }
        let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
        let passed = [
            header::CONNECTION,
            header::UPGRADE,
            header::SEC_WEBSOCKET_ACCEPT,
            header::SEC_WEBSOCKET_PROTOCOL,
        ];
        for name in passed {
            if let Some(value) = upstream.headers().get(&name) {
                response.headers_mut().insert(name, value.clone());
            }
        }
        let user = session.user().await.name;
        tracing::info!(user, path = pod.path(), "a person opens a terminal");
        let ends = (hyper::upgrade::on(&mut request), hyper::upgrade::on(&mut upstream));
        let stopping = state.stopping.clone();
        tokio::spawn(async move {
            let joined = async {
                let (near, far) = tokio::try_join!(ends.0, ends.1)?;
                let (mut near, mut far) = (TokioIo::new(near), TokioIo::new(far));
                // An end that breaks off ends the other; nobody is left to tell.
                drop(copy_bidirectional(&mut near, &mut far).await);
                Ok::<_, hyper::Error>(())
            };
            tokio::select! {
                joined = joined => if let Err(error) = joined {
                    tracing::debug!(%error, "a terminal ended early");
                },
                () = stopping.cancelled() => {}
            }
            drop(terminal);
        });
        Ok(response)
    };
    respond(answer.await)
}

/// The API server's path for the terminal that `query` asks for.
fn path(pod: &Place, query: &str) -> Result<String, Refusal> {
    let mut text = form_urlencoded::Serializer::new(String::new());
    let (mut words, mut container) = (0, false);
    for (key, value) in pairs(query) {
        match &*key {
            "container" => {
                container = true;
                text.append_pair("container", &place::name(&value)?);
            }
            "command" => {
                words += 1;
                text.append_pair("command", &value);
            }
            _ => return Err(Refusal::bad(format!("{key}: no such parameter"))),
        }
    }
    if words == 0 || words > MAX_WORDS || !container {
        return Err(Refusal::bad("give a container and a command"));
    }
    for stream in ["stdin", "stdout", "tty"] {
        text.append_pair(stream, "true");
    }
    Ok(format!("{}/exec?{}", pod.path(), text.finish()))
}

/// The browser's handshake as it goes on.
fn handshake(path: &str, headers: &HeaderMap) -> Result<Request<Bytes>, Refusal> {
    let text = |name: header::HeaderName| {
        headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
    };
    let offered = text(header::SEC_WEBSOCKET_PROTOCOL);
    let known = offered.split(',').all(|one| PROTOCOLS.contains(&one.trim()));
    if !text(header::UPGRADE).eq_ignore_ascii_case("websocket") || !known {
        return Err(Refusal::bad("open a WebSocket that speaks v5.channel.k8s.io"));
    }
    let mut request = Request::get(path)
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket");
    for name in PASSED {
        if let Some(value) = headers.get(&name) {
            request = request.header(name, value);
        }
    }
    request.body(Bytes::new()).map_err(|error| Refusal::bad(error.to_string()))
}
