//! Datagrams: sent is all that can be known. A closed port on the same network is noticed.

use tokio::net::UdpSocket;
use tokio::task::yield_now;

use super::Outcome;
use crate::chunks::datagrams;

/// Sends that many datagrams before others get their turn.
const BURST: usize = 32;

/// Sends the datagrams of a chunk.
pub(super) async fn send(address: &str, bytes: &[u8]) -> Outcome {
    match send_all(address, bytes).await {
        Ok(()) => Outcome::Delivered,
        Err(error) => Outcome::failed(error),
    }
}

async fn send_all(address: &str, bytes: &[u8]) -> std::io::Result<()> {
    let target = tokio::net::lookup_host(address)
        .await?
        .next()
        .ok_or_else(|| std::io::Error::other("the name has no address"))?;
    let any = if target.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(target).await?;
    for (at, datagram) in datagrams(bytes).enumerate() {
        socket.send(datagram).await?;
        if at % BURST == 0 {
            yield_now().await;
        }
    }
    // A port that nobody listens on is reported by the network after the fact.
    match socket.take_error()? {
        Some(error) => Err(error),
        None => Ok(()),
    }
}
