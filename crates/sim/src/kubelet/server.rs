//! Answers requests to kubelets: routes, authentication and faults. Knows nothing of sockets.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};

use super::{View, cadvisor, legacy, resource, summary};
use crate::config::Now;
use crate::faults::{Fault, Table};
use crate::http::{Body, Cut, JSON, PROMETHEUS, TEXT, answer, bearer, streamed};
use crate::objects::{Cluster, Object, Version, render};
use crate::telemetry;
use crate::tokens::AdminTokens;

/// Bytes per chunk of an oversized answer.
const CHUNK: u64 = 64 * 1024;

/// All kubelets of the cluster.
pub(crate) struct Kubelets {
    pub cluster: Arc<Cluster>,
    pub faults: Arc<Table>,
    pub now: Now,
    pub tokens: Arc<AdminTokens>,
}

/// The parts of a request that matter to a kubelet.
pub(crate) struct Request<'a> {
    pub method: &'a Method,
    pub path: &'a str,
    pub query: Option<&'a str>,
}

impl Kubelets {
    /// Whether connections to a node are to be reset.
    pub(crate) fn is_down(&self, node: u32) -> bool {
        self.faults.of(node) == Some(Fault::Down)
    }

    /// Answers a request that came to a node's port; the HTTPS one wants the token.
    pub(crate) async fn answer(
        &self,
        node: u32,
        secure: bool,
        request: Request<'_>,
        headers: &HeaderMap,
    ) -> Result<Response<Body>, Cut> {
        let authorized = !secure || self.tokens.takes(bearer(headers));
        self.answer_as(node, authorized, request).await
    }

    /// Answers a request whose sender is, or is not, known.
    pub(crate) async fn answer_as(
        &self,
        node: u32,
        authorized: bool,
        request: Request<'_>,
    ) -> Result<Response<Body>, Cut> {
        let fault = self.faults.of(node);
        if fault.is_some() {
            metrics::counter!(telemetry::FAULTS_SERVED).increment(1);
        }
        match fault {
            Some(Fault::Down) => return Err(Cut),
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::Slow(delay)) => tokio::time::sleep(delay).await,
            Some(Fault::Unauthorized) => return Ok(unauthorized()),
            Some(Fault::Forbidden) => return Ok(forbidden(request.method, request.path)),
            Some(Fault::Internal) => {
                let body = "Internal Error: failed to get node info: node not found";
                return Ok(answer(StatusCode::INTERNAL_SERVER_ERROR, TEXT, body));
            }
            Some(Fault::Garbage) => return Ok(answer(StatusCode::OK, JSON, garbage())),
            Some(Fault::Oversized(bytes)) => return Ok(oversized(bytes)),
            Some(Fault::Truncated | Fault::Skew(_)) | None => {}
        }
        if !authorized {
            return Ok(unauthorized());
        }
        let skew = if let Some(Fault::Skew(seconds)) = fault { seconds } else { 0 };
        let (kind, body) = match self.page(node, skew, &request) {
            Ok(page) => page,
            Err(refusal) => return Ok(*refusal),
        };
        if fault == Some(Fault::Truncated) {
            return Ok(truncated(kind, &body));
        }
        Ok(answer(StatusCode::OK, kind, body))
    }

    fn page(
        &self,
        node: u32,
        skew: i64,
        request: &Request<'_>,
    ) -> Result<(&'static str, Bytes), Box<Response<Body>>> {
        let path = request.path.trim_end_matches('/');
        let allowed = match path {
            "/stats/container" => *request.method == Method::POST,
            _ => *request.method == Method::GET,
        };
        let view = View::new(&self.cluster.plan, node, (self.now)().secs(), skew);
        let page = match path {
            "/healthz" | "/healthz/ping" => (TEXT, Bytes::from_static(b"ok")),
            "/stats/summary" => (JSON, summary::render(&view, lean(request.query)).into()),
            "/stats/container" => (JSON, legacy::render(&view).into()),
            "/metrics/resource" => (PROMETHEUS, resource::render(&view).into()),
            "/metrics/cadvisor" => (PROMETHEUS, cadvisor::render(&view).into()),
            "/metrics" => (PROMETHEUS, own_metrics(&view).into()),
            "/pods" => (JSON, self.pods(&view).into()),
            _ => {
                let missing = answer(StatusCode::NOT_FOUND, TEXT, "404 page not found\n");
                return Err(Box::new(missing));
            }
        };
        if allowed {
            Ok(page)
        } else {
            Err(Box::new(answer(StatusCode::METHOD_NOT_ALLOWED, TEXT, "405: Method Not Allowed")))
        }
    }

    /// `/pods`: the pods assigned to the node, as the API server has them.
    fn pods(&self, view: &View<'_>) -> Vec<u8> {
        let slots = view.plan.by_node[view.index as usize].iter();
        let items: Vec<_> = slots
            .flat_map(|slot| view.plan.pods(*slot, view.t))
            .map(|pod| {
                let object = Object::Pod { slot: pod.slot, generation: pod.generation };
                let version = Version { resource_version: 0, at: view.t, object };
                render(&self.cluster, &version, view.t)
            })
            .collect();
        let list = serde_json::json!({
            "kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items,
        });
        serde_json::to_vec(&list).unwrap_or_default()
    }
}

fn lean(query: Option<&str>) -> bool {
    let pairs = url::form_urlencoded::parse(query.unwrap_or("").as_bytes());
    let mut values = pairs.filter(|(key, _)| key == "only_cpu_and_memory").map(|(_, value)| value);
    values.next().is_some_and(|value| value == "true" || value == "1")
}

fn own_metrics(view: &View<'_>) -> String {
    let pods = view.pods();
    let containers: usize = pods.iter().map(|pod| pod.containers.len()).sum();
    format!(
        "# HELP kubelet_running_pods [ALPHA] Number of pods that have a running pod sandbox\n\
         # TYPE kubelet_running_pods gauge\nkubelet_running_pods {}\n\
         # HELP kubelet_running_containers [ALPHA] Number of containers currently running\n\
         # TYPE kubelet_running_containers gauge\n\
         kubelet_running_containers{{container_state=\"running\"}} {containers}\n\
         # HELP process_start_time_seconds [ALPHA] Start time of the process since unix epoch in seconds.\n\
         # TYPE process_start_time_seconds gauge\nprocess_start_time_seconds {}\n",
        pods.len(),
        cadvisor::number(crate::usage::float(view.node.booted.unsigned_abs())),
    )
}

fn unauthorized() -> Response<Body> {
    answer(StatusCode::UNAUTHORIZED, TEXT, "Unauthorized")
}

fn forbidden(method: &Method, path: &str) -> Response<Body> {
    let verb = if *method == Method::POST { "create" } else { "get" };
    let part = if path.starts_with("/stats") { "stats" } else { "metrics" };
    let body = format!(
        "Forbidden (user=system:serviceaccount:default:default, verb={verb}, resource=nodes, subresource={part})"
    );
    answer(StatusCode::FORBIDDEN, TEXT, body)
}

fn garbage() -> Vec<u8> {
    let noise = (0..512_u64).flat_map(|i| crate::seed::mix(i, 0x6a).to_le_bytes());
    b"{\"node\":".iter().copied().chain(noise).collect()
}

/// A body that promises all its bytes, gives half of them and fails.
fn truncated(kind: &'static str, body: &Bytes) -> Response<Body> {
    let half = body.slice(..body.len() / 2);
    let lost = io::Error::new(io::ErrorKind::ConnectionAborted, "truncated on purpose");
    let mut response = streamed(kind, stream::iter([Ok(half), Err(lost)]));
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    response
}

/// A JSON object opened and followed by as many spaces as asked for.
fn oversized(bytes: u64) -> Response<Body> {
    let spaces = Bytes::from(vec![b' '; usize::try_from(CHUNK).unwrap_or(0)]);
    let chunks = (0..bytes.div_ceil(CHUNK)).map(move |n| {
        let length = usize::try_from((bytes - n * CHUNK).min(CHUNK)).unwrap_or(0);
        if n == 0 {
            let mut first = vec![b' '; length];
            if let Some(opening) = first.first_mut() {
                *opening = b'{';
            }
            return Ok(first.into());
        }
        Ok(spaces.slice(..length))
    });
    streamed(JSON, stream::iter(chunks))
}
