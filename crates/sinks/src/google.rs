//! What the sinks of Google's services have in common: project, account, server.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use model::{EntityKind, Timestamp, Value};

use crate::Error;
use crate::address::Address;
use crate::settings::Settings;
use crate::text::{push_float, push_int, push_object};
use crate::transport::{Body, GoogleAccount, HttpPlan, ServiceKey, Sign};

/// Settings of all of them, as (name, one sentence).
pub(crate) const PROJECT: (&str, &str) =
    ("project", "project (default: GOOGLE_PROJECT_ID, the key's own, the machine's own)");
pub(crate) const CREDENTIALS: (&str, &str) = (
    "credentials",
    "JSON file of a service account's key (default: GOOGLE_APPLICATION_CREDENTIALS, or the \
     machine's own account)",
);
pub(crate) const API: (&str, &str) = ("api", "server, for tests and proxies (default Google's)");

/// Where a machine of Google's is told of itself.
const METADATA: &str = "metadata.google.internal:80";
/// How long it may take.
const METADATA_TIMEOUT: Duration = Duration::from_secs(2);
/// Most time series of one request.
pub(crate) const SERIES: u32 = 200;
/// How many requests may be under way, as Heapster's workers: all with time series of one batch,
/// because the points of each must come in order.
pub(crate) const CONCURRENCY: usize = 5;
/// Most bytes of one request.
pub(crate) const BYTES: usize = 1 << 20;

/// A project, and requests to a service in its name.
pub(crate) struct Google {
    pub(crate) project: String,
    pub(crate) http: HttpPlan,
}

impl Google {
    /// Requests to `target` of the server `api`; `{}` in it stands for the project.
    pub(crate) fn new(settings: &Settings, api: &str, target: &str) -> Result<Self, Error> {
        let bad = |reason: &str| {
            let path = settings.path("credentials").unwrap_or_default();
            let (sink, name) = (settings.sink, "credentials");
            Error::BadFile { sink, name, path, reason: reason.to_owned() }
        };
        let key = match settings.path("credentials") {
            Some(path) => {
                let json = settings.read("credentials", &path)?;
                Some(ServiceKey::parse(&json).map_err(|reason| bad(&reason))?)
            }
            None => None,
        };
        let named = settings.text("project").filter(|text| !text.is_empty()).map(str::to_owned);
        let project = named
            .or_else(|| key.as_ref()?.project.clone())
            .or_else(|| machine("project/project-id"))
            .ok_or_else(|| {
                settings.bad("project", "", "projects: name one, this is no machine of Google's")
            })?;
        let address = Address::parse(settings.text_or("api", ""), &format!("{api}:443"));
        let scheme = if address.scheme == "http" { "http" } else { "https" };
        let target = target.replace("{}", &project);
        let http = HttpPlan {
            destination: format!("/{project}"),
            body: Body::Json("application/json"),
            sign: Some(Sign::Google(Box::new(GoogleAccount::new(key)))),
            ..HttpPlan::post(format!("{scheme}://{}", address.authority), target)
        };
        Ok(Self { project, http })
    }
}

/// The metadata server's address; `None` where there is none. Looked up once: elsewhere every
/// look-up would wait for a name server that does not know the name.
fn metadata() -> Option<SocketAddr> {
    static FOUND: OnceLock<Option<SocketAddr>> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let (tell, told) = mpsc::channel();
        // On a thread, because the system's resolver knows no deadline.
        thread::spawn(move || {
            let found = METADATA.to_socket_addrs().ok().and_then(|mut found| found.next());
            tell.send(found)
        });
        told.recv_timeout(METADATA_TIMEOUT).ok().flatten()
    })
}

/// What the metadata server says under `path`; nothing where there is none.
pub(crate) fn machine(path: &str) -> Option<String> {
    let mut stream = TcpStream::connect_timeout(&metadata()?, METADATA_TIMEOUT).ok()?;
    stream.set_read_timeout(Some(METADATA_TIMEOUT)).ok()?;
    write!(
        stream,
        "GET /computeMetadata/v1/{path} HTTP/1.0\r\nHost: metadata.google.internal\r\n\
         Metadata-Flavor: Google\r\n\r\n"
    )
    .ok()?;
    let mut answer = String::new();
    stream.take(64 * 1024).read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let found = head.split(' ').nth(1) == Some("200") && !body.trim().is_empty();
    found.then(|| body.trim().to_owned())
}

/// A point's value and interval.
pub(crate) struct Point {
    pub(crate) value: Value,
    /// Where a counter began; `None` for what is no counter.
    pub(crate) start: Option<Timestamp>,
    pub(crate) end: Timestamp,
}

/// Appends the fields `metricKind` and `points` of a time series.
pub(crate) fn push_point(out: &mut Vec<u8>, point: &Point) {
    let kind = if point.start.is_some() { "CUMULATIVE" } else { "GAUGE" };
    let start = point.start.unwrap_or(point.end).to_rfc3339_seconds();
    let end = point.end.to_rfc3339_seconds();
    let text = format!(
        "\"metricKind\":\"{kind}\",\"points\":[{{\"interval\":{{\"startTime\":\"{start}\",\
         \"endTime\":\"{end}\"}},\"value\":{{"
    );
    out.extend_from_slice(text.as_bytes());
    match point.value {
        Value::Int(value) => {
            out.extend_from_slice(b"\"int64Value\":\"");
            push_int(out, value);
            out.push(b'"');
        }
        Value::Float(value) => {
            out.extend_from_slice(b"\"doubleValue\":");
            push_float(out, value);
        }
    }
    out.extend_from_slice(b"}}]");
}

/// Texts by name as an object; empty ones are left out where `sparse`.
pub(crate) fn push_labels(out: &mut Vec<u8>, labels: &[(&str, &str)], sparse: bool) {
    push_object(out, labels.iter().copied().filter(|(_, value)| !sparse || !value.is_empty()));
}

/// Whether Heapster's metric sets are of that kind.
pub(crate) fn is_set(kind: EntityKind) -> bool {
    matches!(
        kind,
        EntityKind::Node | EntityKind::Pod | EntityKind::Container | EntityKind::SystemContainer
    )
}
