//! A connection that speaks HTTP/2 from its first byte on: gRPC's.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;

use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tracing::debug;

use super::Front;
use super::access::Client;
use crate::limits::{HEAD_TIMEOUT, MAX_HEADER_BYTES, MAX_STREAMS_OF_CONNECTION, WRITE_TIMEOUT};

/// Serves one connection until it ends or the server stops.
pub(super) async fn converse<S>(stream: S, client: Client, front: &Arc<Front>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(|request| {
        let front = Arc::clone(front);
        let client = client.clone();
        async move { Ok::<_, Infallible>(front.answer(request, &client).await) }
    });
    let header_bytes = u32::try_from(MAX_HEADER_BYTES).unwrap_or(u32::MAX);
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS_OF_CONNECTION)
        .max_header_list_size(header_bytes)
        // A peer that is gone without a word is noticed.
        .keep_alive_interval(HEAD_TIMEOUT)
        .keep_alive_timeout(WRITE_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = front.stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(%error, "connection ended early");
    }
}
