//! Questions over HTTP on one connection that is kept, as Grafana and browsers keep theirs.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use serde_json::Value;

/// One server and the connection to it.
pub(crate) struct Client {
    address: String,
    stream: BufReader<TcpStream>,
}

fn connect(address: &str) -> BufReader<TcpStream> {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    BufReader::new(stream)
}

impl Client {
    pub(crate) fn new(address: &str) -> Self {
        Self { address: address.to_owned(), stream: connect(address) }
    }

    /// The status and the body; once more on a new connection if the server closed an idle one.
    pub(crate) fn send(&mut self, method: &str, path: &str, body: &str) -> (u16, String) {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        if let Some(answer) = self.exchange(&request) {
            return answer;
        }
        self.stream = connect(&self.address);
        self.exchange(&request).unwrap()
    }

    /// `None`: the connection was closed.
    fn exchange(&mut self, request: &str) -> Option<(u16, String)> {
        self.stream.get_mut().write_all(request.as_bytes()).ok()?;
        let status = self.line()?.split(' ').nth(1).unwrap().parse().unwrap();
        let (mut length, mut chunked) = (0, false);
        loop {
            let line = self.line()?.to_lowercase();
            match line.split_once(": ") {
                Some(("content-length", value)) => length = value.parse().unwrap(),
                Some(("transfer-encoding", value)) => chunked = value == "chunked",
                Some(_) => {}
                None => break,
            }
        }
        let mut body = Vec::new();
        if chunked {
            loop {
                let length = usize::from_str_radix(&self.line()?, 16).unwrap();
                self.take(length, &mut body);
                self.line()?;
                if length == 0 {
                    break;
                }
            }
        } else {
            self.take(length, &mut body);
        }
        Some((status, String::from_utf8(body).unwrap()))
    }

    fn take(&mut self, length: usize, body: &mut Vec<u8>) {
        let from = body.len();
        body.resize(from + length, 0);
        self.stream.read_exact(&mut body[from..]).unwrap();
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let length = self.stream.read_line(&mut line).ok()?;
        (length > 0).then(|| line.trim_end().to_owned())
    }

    /// An answer in JSON.
    pub(crate) fn get(&mut self, path: &str) -> Value {
        let (status, body) = self.send("GET", path, "");
        assert!(status == 200, "{path}: {status} {body}");
        serde_json::from_str(&body).unwrap()
    }
}
