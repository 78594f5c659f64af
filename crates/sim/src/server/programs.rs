//! The port on which pods serve metrics: which pod is meant is the address a connection came to.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use hyper::body::Incoming;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::{Service, speak};
use crate::programs::Programs;
use crate::telemetry;

/// The loopback address that a connection came to over loopback.
fn loopback(stream: &TcpStream) -> Option<Ipv4Addr> {
    let (local, peer) = (stream.local_addr().ok()?.ip(), stream.peer_addr().ok()?.ip());
    match local {
        IpAddr::V4(address) if local.is_loopback() && peer.is_loopback() => Some(address),
        _ => None,
    }
}

pub(super) struct ProgramService {
    pub(super) programs: Arc<Programs>,
}

impl Service for ProgramService {
    async fn connection(self: Arc<Self>, stream: TcpStream, stop: CancellationToken) {
        let found = loopback(&stream).and_then(|at| self.programs.at(at));
        let Some(pod) = found else {
            metrics::counter!(telemetry::CONNECTIONS_REFUSED).increment(1);
            return;
        };
        let programs = Arc::clone(&self.programs);
        let answer = move |request: http::Request<Incoming>| {
            let programs = Arc::clone(&programs);
            async move {
                let (head, _) = request.into_parts();
                Ok(programs.answer(pod, head.uri.path(), &head.headers).await)
            }
        };
        speak(stream, answer, stop).await;
    }
}
