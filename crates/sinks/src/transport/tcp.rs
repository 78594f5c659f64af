//! A connection for each chunk: line protocols answer nothing, but a server that has read to the
//! end closes its side, and that is the acknowledgement.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Outcome;

/// Writes `bytes` and waits until the other side has read them all.
pub(super) async fn send(address: &str, bytes: &[u8]) -> Outcome {
    match exchange(address, bytes).await {
        Ok(()) => Outcome::Delivered,
        Err(error) => Outcome::failed(error),
    }
}

async fn exchange(address: &str, bytes: &[u8]) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(bytes).await?;
    stream.shutdown().await?;
    let mut answer = [0; 1024];
    while stream.read(&mut answer).await? > 0 {}
    Ok(())
}
