//! A socket seen through the framer: what hyper reads is what the framer lets pass.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Semaphore;
use tokio::time::{Sleep, sleep};

use super::framer::Framer;
use crate::limits::{MAX_DISCARDED_BYTES, WRITE_TIMEOUT, hit};

/// Bytes asked of the socket at once.
const READ_BYTES: usize = 16 << 10;
/// Pieces of no more bytes than these go out as one: to copy them takes less than what the system
/// does for several.
const JOINED_BYTES: usize = 4 << 10;

/// Reads through a [`Framer`]; writes straight through, and gives up on clients that do not read.
pub(super) struct HeadReader<S> {
    stream: S,
    framer: Framer,
    input: Box<[u8]>,
    /// Framed bytes that hyper did not take yet, from `taken` on.
    framed: Vec<u8>,
    taken: usize,
    /// Small pieces that go out as one.
    joined: Vec<u8>,
    /// Bytes thrown away after a refused head.
    discarded: usize,
    /// Runs while the client takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> HeadReader<S> {
    pub(super) fn new(stream: S, long_heads: Arc<Semaphore>) -> Self {
        Self {
            stream,
            framer: Framer::new(long_heads),
            input: vec![0; READ_BYTES].into(),
            framed: Vec::new(),
            taken: 0,
            joined: Vec::new(),
            discarded: 0,
            stalled: None,
        }
    }

    /// Passes on the outcome of a write, unless the client has taken nothing for too long.
    fn watched<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(WRITE_TIMEOUT)));
        ready!(stalled.as_mut().poll(context));
        hit("unread_answer");
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// Gives hyper what is framed. Whether there was anything.
    fn give(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        let waiting = self.framed.get(self.taken..).unwrap_or_default();
        let here = waiting.len().min(buffer.remaining());
        if let Some(now) = waiting.get(..here) {
            buffer.put_slice(now);
        }
        self.taken += here;
        if self.taken == self.framed.len() {
            self.framed.clear();
            // A large buffer is not kept for small heads to come.
            self.framed.shrink_to(READ_BYTES);
            self.taken = 0;
        }
        here > 0
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for HeadReader<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if this.give(buffer) || buffer.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            let mut input = ReadBuf::new(&mut this.input);
            ready!(Pin::new(&mut this.stream).poll_read(context, &mut input))?;
            let filled = input.filled();
            if filled.is_empty() {
                return Poll::Ready(Ok(()));
            }
            if this.framer.refused() {
                // Closing with unread bytes would reset the connection before the client has
                // read why it was refused.
                this.discarded += filled.len();
                if this.discarded > MAX_DISCARDED_BYTES {
                    return Poll::Ready(Ok(()));
                }
                continue;
            }
            this.framer.push(filled, &mut this.framed);
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for HeadReader<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.watched(context, written)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(context);
        this.watched(context, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let stream = Pin::new(&mut this.stream);
        let bytes: usize = slices.iter().map(|slice| slice.len()).sum();
        let written = if bytes <= JOINED_BYTES {
            this.joined.clear();
            for slice in slices {
                this.joined.extend_from_slice(slice);
            }
            stream.poll_write(context, &this.joined)
        } else {
            stream.poll_write_vectored(context, slices)
        };
        this.watched(context, written)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;
    use crate::limits::MAX_LONG_HEADS;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_nothing_is_given_up() {
        let (near, mut far) = duplex(16);
        let mut reader = HeadReader::new(near, Arc::new(Semaphore::new(MAX_LONG_HEADS)));
        let began = tokio::time::Instant::now();
        let error = reader.write_all(&[0; 100]).await.unwrap_err();
        assert_eq!((error.kind(), began.elapsed()), (io::ErrorKind::TimedOut, WRITE_TIMEOUT));
        far.read_exact(&mut [0; 16]).await.unwrap();
    }
}
