//! A connection for each chunk: line protocols answer nothing, but a server that has read to the
//! end closes its side, and that is the acknowledgement.

use std::io::ErrorKind;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::Outcome;
use super::peer::Caller;

/// Writes `bytes` and waits until the other side has read them all.
pub(super) async fn send(caller: &Caller, bytes: &[u8]) -> Outcome {
    match exchange(caller, bytes).await {
        Ok(()) => Outcome::Delivered,
        Err(error) => Outcome::failed(error),
    }
}

async fn exchange(caller: &Caller, bytes: &[u8]) -> std::io::Result<()> {
    let mut stream = caller.connect().await?;
    stream.write_all(bytes).await?;
    stream.shutdown().await?;
    let mut answer = [0; 1024];
    loop {
        match stream.read(&mut answer).await {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            // Closed without a farewell of TLS, which says no more than closed without TLS.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}
