//! Small servers that speak just enough of a protocol, and batches to send to them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use model::{Batch, Draft, EntityKind, LabelOptions, Registry, Timestamp, metric};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// A request as a server got it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) line: String,
    pub(crate) head: String,
    pub(crate) body: String,
    pub(crate) at: Instant,
}

/// A server on a port of its own; dropping it closes port and connections.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) const OK: &str = "HTTP/1.1 204 No Content\r\n\r\n";

impl Server {
    /// An HTTP server: `answer` makes a whole response of a request and of how many came before
    /// it, or nothing for one that is never answered.
    pub(crate) async fn http(
        address: &str,
        answer: impl Fn(&Seen, usize) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        let answer = Arc::new(answer);
        Self::start(address, move |mut stream, seen| {
            let answer = Arc::clone(&answer);
            async move {
                while let Some(request) = request(&mut stream).await {
                    let before = {
                        let mut seen = seen.lock().unwrap();
                        seen.push(request.clone());
                        seen.len() - 1
                    };
                    match answer(&request, before) {
                        Some(response) => stream.write_all(response.as_bytes()).await.unwrap(),
                        None => std::future::pending().await,
                    }
                }
            }
        })
        .await
    }

    /// A server that reads lines until the client has no more.
    pub(crate) async fn lines(address: &str) -> Self {
        Self::start(address, |mut stream, seen| async move {
            let mut body = String::new();
            stream.read_to_string(&mut body).await.unwrap();
            let (line, head) = (String::new(), String::new());
            seen.lock().unwrap().push(Seen { line, head, body, at: Instant::now() });
        })
        .await
    }

    async fn start<F: Future<Output = ()> + Send + 'static>(
        address: &str,
        serve: impl Fn(TcpStream, Arc<Mutex<Vec<Seen>>>) -> F + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { address, seen, task }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Bodies of everything that was not a preparation, one after the other.
    pub(crate) fn text(&self) -> String {
        self.seen().into_iter().map(|seen| seen.body).collect()
    }
}

async fn request(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let length = head
        .lines()
        .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok())
        .unwrap_or(0);
    let mut body = bytes.split_off(end);
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    let line = head.lines().next().unwrap().to_owned();
    let body = String::from_utf8(body).unwrap();
    Some(Seen { line, head, body, at: Instant::now() })
}

/// A port that nobody listens on now.
pub(crate) async fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().to_string()
}

/// A server that takes connections and then does nothing.
pub(crate) async fn hanging() -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let task = tokio::spawn(async move {
        let mut open = Vec::new();
        loop {
            open.push(listener.accept().await.unwrap());
        }
    });
    (address, task)
}

/// A batch of one point: the cluster's CPU, with `value`.
pub(crate) fn batch(minute: i64, value: i64) -> Batch {
    let mut draft = Draft::new(Timestamp::from_secs(60 * minute), Registry::default());
    let cluster = draft.registry.cluster();
    let row = draft.insert(&cluster).row;
    draft.table_mut(EntityKind::Cluster).set_int(row, metric::CPU_USAGE_RATE, value);
    Arc::into_inner(draft.freeze().0).unwrap()
}

/// A batch of that many points: the CPU of as many pods.
pub(crate) fn pods_batch(pods: usize) -> Batch {
    let mut draft = Draft::new(Timestamp::from_secs(60), Registry::default());
    for number in 0..pods {
        let pod = draft.registry.pod("ns", &format!("pod-{number}"), "");
        let row = draft.insert(&pod).row;
        draft.table_mut(EntityKind::Pod).set_int(row, metric::CPU_USAGE_RATE, 1);
    }
    Arc::into_inner(draft.freeze().0).unwrap()
}

/// A sink of `kind` that sends to `address`.
pub(crate) fn sink(kind: &str, address: &str, settings: &[(&str, &str)]) -> sinks::Sink {
    let address = ("address".to_owned(), address.to_owned());
    let settings = settings.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    let setup = sinks::Setup {
        settings: [address].into_iter().chain(settings).collect(),
        labels: LabelOptions::default(),
        output: Box::new(std::io::sink()),
        clock: sinks::Clock::default(),
    };
    sinks::find(kind).unwrap().build(setup).unwrap()
}
