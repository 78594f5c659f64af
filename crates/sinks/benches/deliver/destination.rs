//! Destinations that take everything: each in a process of its own, so that what it costs is not
//! counted as the sink's.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// What a destination speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// There is no destination.
    None,
    /// A folder.
    Folder,
    /// Requests with a length, each answered well.
    Http,
    /// The same, with a key in the folder that tokens are given for.
    Google,
    /// Connections that are read to their end.
    Lines,
    Datagrams,
    /// Messages with a length, each answered well.
    Riemann,
    /// librdkafka's mock cluster.
    Kafka,
}

/// Holds a child's protocol.
const CHILD: &str = "TAFFRAIL_BENCH_DESTINATION";

/// A destination; its process ends with it.
pub(crate) struct Destination {
    process: Option<Child>,
    pub(crate) address: String,
    folder: Option<PathBuf>,
}

impl Destination {
    pub(crate) fn start(protocol: Protocol, folder: &Path) -> Self {
        let mut command = match protocol {
            Protocol::None => return Self { process: None, address: String::new(), folder: None },
            Protocol::Folder => {
                let folder = Some(folder.join("files"));
                return Self { process: None, address: String::new(), folder };
            }
            Protocol::Kafka => kafka(),
            _ => {
                let mut command = Command::new(std::env::current_exe().unwrap());
                command.env(CHILD, format!("{protocol:?}"));
                command
            }
        };
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut address = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut address).unwrap();
        let address = address.trim().to_owned();
        assert!(!address.is_empty(), "no destination: run cargo xtask tools");
        if protocol == Protocol::Google {
            write_key(folder, &address);
        }
        Self { process: Some(process), address, folder: None }
    }

    /// How many bytes it took; 0 where that is not known.
    pub(crate) fn bytes(&mut self) -> u64 {
        if let Some(folder) = &self.folder {
            return size(folder);
        }
        let Some(process) = &mut self.process else { return 0 };
        drop(process.stdin.take());
        let mut said = String::new();
        process.stdout.as_mut().unwrap().read_to_string(&mut said).unwrap();
        said.trim().parse().unwrap_or(0)
    }
}

impl Drop for Destination {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            process.kill().ok();
            process.wait().ok();
        }
    }
}

fn kafka() -> Command {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(here.join("../../target/tools/python/bin/python"));
    command.arg(here.join("tests/servers/kafka_mock.py")).arg("--silent").arg("heapster-metrics");
    command
}

fn write_key(folder: &Path, address: &str) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let key = serde_json::json!({
        "client_email": "me@p.iam.gserviceaccount.com",
        "private_key": std::fs::read_to_string(fixtures.join("google-test-key.pem")).unwrap(),
        "token_uri": format!("http://{address}/token"),
        "project_id": "p1",
    });
    std::fs::write(folder.join("key.json"), key.to_string()).unwrap();
}

fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| if path.is_dir() { size(&path) } else { path.metadata().unwrap().len() })
        .sum()
}

/// Whether this process is a destination.
pub(crate) fn is_wanted() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// Is a destination until its input ends; then says how many bytes it took.
pub(crate) fn serve() {
    let taken = Arc::new(AtomicU64::new(0));
    let protocol = std::env::var(CHILD).unwrap();
    if protocol == "Datagrams" {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        println!("{}", socket.local_addr().unwrap());
        let taken = Arc::clone(&taken);
        thread::spawn(move || {
            let mut datagram = vec![0; 65536];
            while let Ok(length) = socket.recv(&mut datagram) {
                taken.fetch_add(length as u64, Ordering::Relaxed);
            }
        });
    } else {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        println!("{}", listener.local_addr().unwrap());
        let taken = Arc::clone(&taken);
        thread::spawn(move || {
            for stream in listener.incoming().map(Result::unwrap) {
                let (taken, protocol) = (Arc::clone(&taken), protocol.clone());
                // A client that hangs up ends its conversation, and nothing else.
                thread::spawn(move || take(&stream, &protocol, &taken).ok());
            }
        });
    }
    io::stdin().read_to_end(&mut Vec::new()).unwrap();
    println!("{}", taken.load(Ordering::Relaxed));
}

fn take(stream: &TcpStream, protocol: &str, taken: &AtomicU64) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(1 << 20, stream);
    let pass = |reader: &mut dyn Read| -> io::Result<()> {
        taken.fetch_add(io::copy(reader, &mut io::sink())?, Ordering::Relaxed);
        Ok(())
    };
    match protocol {
        "Lines" => pass(&mut reader),
        "Riemann" => loop {
            let mut length = [0; 4];
            reader.read_exact(&mut length)?;
            pass(&mut (&mut reader).take(u32::from_be_bytes(length).into()))?;
            // Msg { ok: true }.
            (&mut &*stream).write_all(&[0, 0, 0, 2, 16, 1])?;
        },
        _ => loop {
            let mut length = 0;
            let mut logs_in = false;
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line)? == 0 {
                    return Ok(());
                }
                logs_in |= line.starts_with("POST /token");
                let line = line.trim().to_ascii_lowercase();
                if let Some(value) = line.strip_prefix("content-length: ") {
                    length = value.parse().map_err(io::Error::other)?;
                }
                if line.is_empty() {
                    break;
                }
            }
            pass(&mut (&mut reader).take(length))?;
            let body = if logs_in {
                r#"{"access_token":"t","expires_in":3600,"token_type":"Bearer"}"#
            } else {
                r#"{"errors":false}"#
            };
            let length = body.len();
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
            (&mut &*stream).write_all(answer.as_bytes())?;
        },
    }
}
