//! A simulated cluster's events to an InfluxDB sink, each once, over an outage of the sink and a
//! restart, by `eventer`; and to store and sink by `taffrail serve`, which is killed meanwhile.

use std::collections::{HashMap, HashSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::task::spawn_blocking;

use crate::beside::within;
use crate::real::get;
use crate::served::{Served, host};
use crate::simulated::{Cluster, sized};

/// Asks until it holds; events take longer than others.
pub(crate) fn until(what: &str, holds: impl FnMut() -> bool) {
    within(Duration::from_mins(4), what, holds);
}

/// What speaks like InfluxDB 1.x: keeps what is written, or refuses it.
#[derive(Clone)]
pub(crate) struct Influx {
    pub(crate) address: SocketAddr,
    written: Arc<Mutex<Vec<String>>>,
    away: Arc<AtomicBool>,
}

impl Influx {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let influx = Self { address, written: Arc::default(), away: Arc::default() };
        let this = influx.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(stream), this) = (stream, this.clone()) else { return };
                std::thread::spawn(move || this.serve(stream));
            }
        });
        influx
    }

    /// Answers requests until the other side is done; whatever goes wrong ends it.
    fn serve(&self, stream: TcpStream) -> Option<()> {
        let mut writer = stream.try_clone().ok()?;
        let mut reader = BufReader::new(stream);
        loop {
            let (mut first, mut length) = (String::new(), 0);
            reader.read_line(&mut first).ok().filter(|read| *read > 0)?;
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).ok()?;
                let line = line.trim().to_ascii_lowercase();
                if line.is_empty() {
                    break;
                }
                if let Some(text) = line.strip_prefix("content-length:") {
                    length = text.trim().parse().ok()?;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).ok()?;
            let answer = if self.away.load(Ordering::SeqCst) {
                "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
            } else if first.contains("/write") {
                let text = String::from_utf8(body).ok()?;
                self.written.lock().unwrap().push(text);
                "HTTP/1.1 204 No Content\r\n\r\n"
            } else {
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n{\"results\":[]}"
            };
            writer.write_all(answer.as_bytes()).ok()?;
        }
    }

    /// How often each event (name and version) was written.
    pub(crate) fn events(&self) -> HashMap<(String, String), usize> {
        let mut events = HashMap::new();
        for text in self.written.lock().unwrap().iter() {
            let unescaped = text.replace("\\\"", "\"");
            for event in unescaped.split("value=\"{").skip(1) {
                let field = |name: &str| {
                    let rest = event.split(&format!("\"{name}\": \"")).nth(1).unwrap();
                    rest.split('"').next().unwrap().to_owned()
                };
                *events.entry((field("name"), field("resourceVersion"))).or_default() += 1;
            }
        }
        events
    }
}

impl Influx {
    /// What was written of each event (name and version), in every form that it had.
    pub(crate) fn forms(&self) -> HashMap<(String, String), HashSet<String>> {
        let mut forms: HashMap<_, HashSet<String>> = HashMap::new();
        for text in self.written.lock().unwrap().iter() {
            for record in text.split("log/events,").skip(1) {
                let field = |name: &str| {
                    let rest = record.split(&format!("\\\"{name}\\\": \\\"")).nth(1).unwrap();
                    rest.split("\\\"").next().unwrap().to_owned()
                };
                let event = (field("name"), field("resourceVersion"));
                forms.entry(event).or_default().insert(record.trim().to_owned());
            }
        }
        forms
    }
}

/// A running eventer.
struct Eventer {
    child: Child,
    address: String,
}

impl Drop for Eventer {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Eventer {
    fn start(program: &Path, source: &str, sink: &str, folder: &Path) -> Self {
        let mut child = Command::new(program)
            .args([source, sink, "-frequency=5s", "--healthz-ip=127.0.0.1", "-healthz-port", "0"])
            .arg(format!("--data-dir={}", folder.display()))
            .env_clear()
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut greeting = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut greeting).unwrap();
        Self { address: host(&greeting, "http://"), child }
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: e\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn stop(mut self) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

/// Two fields of the metadata of every event that the API server has now.
pub(crate) fn listed(api: &str) -> Vec<(String, String)> {
    listed_by(api, ["name", "resourceVersion"])
}

fn listed_by(api: &str, fields: [&str; 2]) -> Vec<(String, String)> {
    let body = get(api.strip_prefix("http://").unwrap(), "/api/v1/events");
    let begin = body.find('{').unwrap();
    let end = body.rfind('}').unwrap();
    let list: Value = serde_json::from_str(body.get(begin..=end).unwrap()).unwrap();
    let text = |event: &Value, field: &str| event["metadata"][field].as_str().unwrap().to_owned();
    let items = list["items"].as_array().unwrap();
    items.iter().map(|event| (text(event, fields[0]), text(event, fields[1]))).collect()
}

fn run(cluster: &Cluster) {
    let (kubeconfig, api) = (cluster.path(), &cluster.plain_url);
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("eventer");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_taffrail"), &program).unwrap();
    let influx = Influx::start();
    let source =
        format!("--source=kubernetes:?inClusterConfig=false&auth={}", kubeconfig.display());
    let queue = folder.path().join("queue");
    let sink = format!("--sink=influxdb:http://{}?queue={}", influx.address, queue.display());
    let begin = || Eventer::start(&program, &source, &sink, folder.path());
    let eventer = begin();
    until("it has read how far events are", || folder.path().join("events.position").exists());
    let before: Vec<(String, String)> = listed(api);
    until("events are written", || !influx.events().is_empty());
    let health = eventer.get("/healthz");
    assert!(health.starts_with("HTTP/1.1 200") && health.ends_with("ok"), "{health}");
    let metrics = eventer.get("/metrics");
    for name in [
        "eventer_manager_last_time_seconds ",
        "eventer_scraper_last_time_seconds ",
        "eventer_scraper_events_total_number",
        "eventer_scraper_duration_milliseconds",
        "eventer_exporter_duration_milliseconds{exporter=\"InfluxDB Sink\"",
    ] {
        assert!(metrics.contains(name), "{name} is missing: {metrics}");
    }
    // The sink goes away, the eventer too, and events go on.
    influx.away.store(true, Ordering::SeqCst);
    let seen = listed(api);
    until("more events meanwhile", || listed(api) != seen);
    eventer.stop();
    let seen = listed(api);
    until("and more while nobody reads", || listed(api) != seen);
    let eventer = begin();
    influx.away.store(false, Ordering::SeqCst);
    let wanted: Vec<_> = listed(api).into_iter().filter(|event| !before.contains(event)).collect();
    assert!(!wanted.is_empty());
    until("every event is written", || {
        let events = influx.events();
        wanted.iter().all(|event| events.contains_key(event))
    });
    eventer.stop();
    let twice: Vec<_> = influx.events().into_iter().filter(|(_, times)| *times > 1).collect();
    assert!(twice.is_empty(), "written more than once: {twice:?}");
}

/// The server with a store and a sink is killed, and started again: the store has every event once,
/// the sink each at least once, and what came after the restart once.
fn serve(cluster: &Cluster) {
    let (folder, api) = (tempfile::tempdir().unwrap(), &cluster.plain_url);
    let influx = Influx::start();
    let source = cluster.source();
    let data = format!("--data-dir={}", folder.path().join("data").display());
    let queue = folder.path().join("queue");
    let sink = format!("--event-sink=influxdb:http://{}?queue={}", influx.address, queue.display());
    let begin = || Served::start(&["serve", &source, &data, &sink]);
    let stored = |served: &Served| -> Vec<String> {
        let answer = served.get("/api/taffrail/v1/events?limit=1000");
        let items = answer["items"].as_array().unwrap();
        items.iter().map(|event| event["uid"].as_str().unwrap().to_owned()).collect()
    };
    let served = begin();
    until("events are written", || !influx.events().is_empty());
    // It dies without a word.
    drop(served);
    let seen = listed(api);
    until("more events while nobody reads", || listed(api) != seen);
    let served = begin();
    let there = listed_by(api, ["uid", "name"]);
    until("every event is stored", || {
        let stored = stored(&served);
        there.iter().all(|(uid, _)| stored.contains(uid))
    });
    let mut uids = stored(&served);
    let all = uids.len();
    uids.sort_unstable();
    uids.dedup();
    assert_eq!(uids.len(), all, "an event is stored twice");
    let before = influx.events();
    let missed: Vec<_> = listed(api).into_iter().filter(|event| !seen.contains(event)).collect();
    until("what was missed is written", || {
        let events = influx.events();
        missed.iter().all(|event| events.contains_key(event))
    });
    let events = influx.events();
    let twice = events.iter().filter(|(event, times)| !before.contains_key(*event) && **times > 1);
    assert_eq!(twice.count(), 0, "{events:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_loses_no_event() {
    let cluster = cluster().await;
    spawn_blocking(move || serve(&cluster)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_event_comes_once_over_an_outage_and_a_restart() {
    let cluster = cluster().await;
    spawn_blocking(move || run(&cluster)).await.unwrap();
}

/// A cluster where much happens.
pub(crate) async fn cluster() -> Cluster {
    Cluster::of(sized(6, 30)).await
}
