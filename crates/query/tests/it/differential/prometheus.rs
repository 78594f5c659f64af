//! A Prometheus with given samples, started for the comparison and ended with it.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use query::promql::MemorySeries;
use serde_json::Value;

use super::samples;

/// How often readiness is asked for, and how long in between.
const TRIES: u32 = 100;
const BETWEEN: Duration = Duration::from_millis(200);

/// A running server.
pub(crate) struct Server {
    child: Child,
    port: u16,
    folder: PathBuf,
}

impl Server {
    /// Writes blocks with `series` and starts a server on them.
    pub(crate) fn start(name: &str, series: &MemorySeries) -> Result<Self, String> {
        let text = |error: std::io::Error| error.to_string();
        let folder = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).map_err(text)?;
        let (metrics, config, blocks) =
            (folder.join("samples.om"), folder.join("config.yml"), folder.join("blocks"));
        fs::write(&metrics, samples::open_metrics(series)).map_err(text)?;
        fs::write(&config, "global: {}\n").map_err(text)?;
        let made = Command::new("promtool")
            .args(["tsdb", "create-blocks-from", "openmetrics", "--quiet"])
            .args([&metrics, &blocks])
            .output()
            .map_err(|error| format!("promtool: {error}; run `cargo xtask tools`"))?;
        if !made.status.success() {
            return Err(String::from_utf8_lossy(&made.stderr).into_owned());
        }
        let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let port = free.map_err(text)?.port();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", blocks.display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .args(["--storage.tsdb.retention.time=50y", "--log.level=error"])
            .arg("--enable-feature=promql-per-step-stats")
            .stdin(Stdio::null())
            .spawn()
            .map_err(text)?;
        let server = Self { child, port, folder };
        for _ in 0..TRIES {
            if server.ask("/api/v1/query", "query=1").is_ok_and(|v| v["status"] == "success") {
                return Ok(server);
            }
            std::thread::sleep(BETWEEN);
        }
        Err("prometheus does not become ready".to_owned())
    }

    /// The answer to a POST of a form, or to a GET where there is none.
    pub(crate) fn ask(&self, path: &str, body: &str) -> Result<Value, String> {
        let kind = "Content-Type: application/x-www-form-urlencoded";
        let answer = self.send(path, kind, body.as_bytes())?;
        let json = String::from_utf8_lossy(&answer);
        serde_json::from_str(&json).map_err(|error| format!("{error}: {json}"))
    }

    /// The body that answers a POST, or a GET where there is nothing to send.
    pub(crate) fn send(&self, path: &str, header: &str, body: &[u8]) -> Result<Vec<u8>, String> {
        let text = |error: std::io::Error| error.to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).map_err(text)?;
        let method = if body.is_empty() { "GET" } else { "POST" };
        let head = format!(
            "{method} {path} HTTP/1.0\r\nHost: localhost\r\n{header}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body].concat()).map_err(text)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).map_err(text)?;
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.ok_or("an answer without a body")?;
        Ok(answer.split_off(end + 4))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        drop(fs::remove_dir_all(&self.folder));
    }
}
