//! A connection for each chunk, which is the body of a Riemann message: its length before it, a
//! message back that says whether it was taken.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::Outcome;
use super::peer::Caller;
use crate::protobuf::{Read, fields};

/// Most bytes that are read of an answer.
const MAX_ANSWER_BYTES: u32 = 1 << 20;
/// Fields of an answer.
const OK: u64 = 2;
const ERROR: u64 = 3;

pub(super) async fn send(caller: &Caller, bytes: &[u8]) -> Outcome {
    match exchange(caller, bytes).await {
        Ok(answer) => judge(&answer),
        Err(error) => Outcome::failed(error),
    }
}

async fn exchange(caller: &Caller, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = caller.connect().await?;
    let length = u32::try_from(bytes.len()).map_err(std::io::Error::other)?;
    stream.write_all(&length.to_be_bytes()).await?;
    stream.write_all(bytes).await?;
    stream.flush().await?;
    let length = stream.read_u32().await?;
    if length > MAX_ANSWER_BYTES {
        return Err(std::io::Error::other(format!("an answer of {length} bytes")));
    }
    let mut answer = vec![0; length as usize];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

fn judge(answer: &[u8]) -> Outcome {
    let mut taken = false;
    let mut reason = String::new();
    for field in fields(answer) {
        match field {
            (OK, Read::Number(ok)) => taken = ok != 0,
            (ERROR, Read::Bytes(text)) => reason = String::from_utf8_lossy(text).into_owned(),
            _ => {}
        }
    }
    if taken { Outcome::Delivered } else { Outcome::failed(format_args!("not taken: {reason}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_whether_it_was_taken() {
        assert_eq!(judge(&[0x10, 1]), Outcome::Delivered);
        let refused = judge(b"\x10\x00\x1a\x03bad");
        assert_eq!(refused, Outcome::failed("not taken: bad"));
        assert_eq!(judge(b""), Outcome::failed("not taken: "));
    }
}
