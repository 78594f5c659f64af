//! Prometheus and `VictoriaMetrics` beside the store: the same samples, through remote write.
//!
//! Starts the programs of Debian's packages on free ports, with temporary folders.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{Batch, EntityKind};
use store::Labels;

/// Ticks that one request carries.
const TICKS: usize = 10;
/// How long a rival may take to start or to settle.
const PATIENCE: Duration = Duration::from_mins(3);

/// One rival that runs.
pub(crate) struct Rival {
    pub(crate) name: &'static str,
    child: Child,
    pub(crate) address: String,
    write_path: &'static str,
    folder: tempfile::TempDir,
    /// Time within requests.
    pub(crate) writing: Duration,
}

impl Drop for Rival {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

fn start(
    name: &'static str,
    write_path: &'static str,
    make: impl Fn(&Path, &str) -> Command,
) -> Rival {
    let folder = tempfile::tempdir().unwrap();
    let address = free_address();
    let child = make(folder.path(), &address)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| {
            panic!("{name} does not start ({error}): apt-get install prometheus victoria-metrics")
        });
    let rival = Rival { name, child, address, write_path, folder, writing: Duration::ZERO };
    let begun = Instant::now();
    while TcpStream::connect(&rival.address).is_err() {
        assert!(begun.elapsed() < PATIENCE, "{name} does not listen");
        std::thread::sleep(Duration::from_millis(50));
    }
    rival
}

pub(crate) fn prometheus() -> Rival {
    start("Prometheus 2.42", "/api/v1/write", |folder, address| {
        let config = folder.join("prometheus.yml");
        fs::write(&config, "global: {}\n").unwrap();
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .args(["--web.enable-remote-write-receiver", "--storage.tsdb.retention.time=10y"]);
        command
    })
}

pub(crate) fn victoria_metrics() -> Rival {
    start("VictoriaMetrics 1.79", "/api/v1/write", |folder, address| {
        let mut command = Command::new("victoria-metrics");
        command
            .arg(format!("-storageDataPath={}", folder.join("data").display()))
            .arg(format!("-httpListenAddr={address}"))
            .arg("-retentionPeriod=10y");
        command
    })
}

impl Rival {
    /// Sends one request of remote write.
    pub(crate) fn write(&mut self, body: &[u8]) {
        let begun = Instant::now();
        let status = self.request("POST", self.write_path, body);
        self.writing += begun.elapsed();
        assert!(status.0 / 100 == 2, "{}: {status:?}", self.name);
    }

    fn request(&self, method: &str, path: &str, body: &[u8]) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n\
             Content-Encoding: snappy\r\nContent-Type: application/x-protobuf\r\n\
             X-Prometheus-Remote-Write-Version: 0.1.0\r\n\r\n",
            self.address,
            body.len()
        )
        .unwrap();
        stream.write_all(body).unwrap();
        let mut answer = BufReader::new(stream);
        let mut line = String::new();
        answer.read_line(&mut line).unwrap();
        let mut rest = String::new();
        answer.read_to_string(&mut rest).unwrap();
        (line.split(' ').nth(1).unwrap().parse().unwrap(), rest)
    }

    /// Makes what was sent visible to queries.
    pub(crate) fn flush(&self) {
        if self.name.starts_with("Victoria") {
            self.request("GET", "/internal/force_flush", b"");
        }
    }

    /// Bytes on disk of what is in its final form, and how many samples that is of `sent`.
    pub(crate) fn settled(&self, sent: f64) -> (f64, f64) {
        self.flush();
        if self.name.starts_with("Victoria") {
            self.request("GET", "/internal/force_merge", b"");
        }
        let begun = Instant::now();
        let mut last = self.kept(sent);
        let mut same = 0;
        // Files that have not changed for ten seconds are merged.
        while same < 10 {
            assert!(begun.elapsed() < PATIENCE, "{} does not settle", self.name);
            std::thread::sleep(Duration::from_secs(1));
            let now = self.kept(sent);
            same = if now == last { same + 1 } else { 0 };
            last = now;
        }
        last
    }

    fn kept(&self, sent: f64) -> (f64, f64) {
        let data = self.folder.path().join("data");
        if self.name.starts_with("Victoria") {
            return (size(&data.join("data")) + size(&data.join("indexdb")), sent);
        }
        // Blocks alone: what is younger is still in its head and log.
        let mut found = (0.0, 0.0);
        for entry in fs::read_dir(data).unwrap().flatten() {
            let Ok(meta) = fs::read_to_string(entry.path().join("meta.json")) else { continue };
            let samples = meta.split("\"numSamples\":").nth(1).unwrap_or("0");
            let digits: String = samples.trim().chars().take_while(char::is_ascii_digit).collect();
            found.0 += size(&entry.path());
            found.1 += digits.parse().unwrap_or(0.0);
        }
        found
    }

    /// Resident memory in bytes.
    pub(crate) fn resident(&self) -> f64 {
        let text = fs::read_to_string(format!("/proc/{}/statm", self.child.id())).unwrap();
        text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0.0) * 4096.0
    }
}

fn size(path: &Path) -> f64 {
    let Ok(entries) = fs::read_dir(path) else { return 0.0 };
    let each = entries.flatten().map(|entry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => size(&entry.path()),
        Ok(meta) => meta.len() as f64,
        Err(_) => 0.0,
    });
    each.sum()
}

/// Gathers batches into requests of remote write.
#[derive(Default)]
pub(crate) struct Requests {
    /// By entity and column: the series' place.
    places: HashMap<(usize, String), usize>,
    series: Vec<Line>,
    ticks: usize,
}

struct Line {
    labels: Vec<u8>,
    samples: Vec<(i64, f64)>,
}

impl Requests {
    /// Takes a batch; a whole request when enough are gathered.
    pub(crate) fn take(&mut self, batch: &Arc<Batch>) -> Option<Vec<u8>> {
        let time = batch.timestamp().millis();
        for table in batch.tables() {
            for (row, entity) in table.entities().iter().enumerate() {
                for column in table.columns() {
                    let Some(value) = column.get(row) else { continue };
                    let name = column.metric().name();
                    let key = (Arc::as_ptr(entity) as usize, name.to_owned());
                    let next = self.series.len();
                    let place = *self.places.entry(key).or_insert(next);
                    if place == next {
                        let labels = labels(name, &Labels::of(entity, table.context(row)));
                        self.series.push(Line { labels, samples: Vec::new() });
                    }
                    self.series[place].samples.push((time, value.as_f64()));
                }
            }
        }
        self.ticks += 1;
        (self.ticks >= TICKS).then(|| self.request())
    }

    /// Takes the samples of one series: time in milliseconds, value.
    pub(crate) fn add(&mut self, labels: &BTreeMap<String, String>, samples: Vec<(i64, f64)>) {
        let labels = encoded(labels.iter().map(|(name, value)| (&**name, &**value)));
        self.series.push(Line { labels, samples });
    }

    /// What is gathered, as snappy's format with one literal.
    pub(crate) fn request(&mut self) -> Vec<u8> {
        self.ticks = 0;
        let mut message = Vec::new();
        for line in self.series.iter_mut().filter(|line| !line.samples.is_empty()) {
            let mut series = line.labels.clone();
            for (time, value) in line.samples.drain(..) {
                let mut sample = vec![0x09];
                sample.extend(value.to_le_bytes());
                sample.push(0x10);
                varint(&mut sample, time.unsigned_abs());
                bytes(&mut series, 2, &sample);
            }
            bytes(&mut message, 1, &series);
        }
        let mut body = Vec::with_capacity(message.len() + 10);
        varint(&mut body, message.len() as u64);
        if !message.is_empty() {
            body.push(63 << 2);
            body.extend((message.len() as u32 - 1).to_le_bytes());
        }
        body.extend(message);
        body
    }
}

fn labels(metric: &str, labels: &Labels) -> Vec<u8> {
    let name = metric.replace(['/', '-', '.'], "_");
    let mut pairs = vec![("__name__", name.as_str())];
    let kind = labels.kind();
    if kind != EntityKind::Cluster {
        pairs.push(("kind", kind.name()));
    }
    pairs.extend(labels.iter());
    pairs.sort_unstable();
    encoded(pairs.into_iter())
}

/// Labels of a series of remote write, sorted by name.
fn encoded<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in pairs {
        let mut label = Vec::new();
        bytes(&mut label, 1, name.as_bytes());
        bytes(&mut label, 2, value.as_bytes());
        bytes(&mut out, 1, &label);
    }
    out
}

fn bytes(out: &mut Vec<u8>, field: u8, content: &[u8]) {
    out.push(field << 3 | 2);
    varint(out, content.len() as u64);
    out.extend(content);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
