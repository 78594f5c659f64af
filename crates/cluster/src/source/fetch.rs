//! One node's requests within a tick: waits its phase, asks, and tries the other ways that exist.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use model::{Hop, Node, Timestamp, Verified};
use tokio::time::Instant;

use super::KubernetesSource;
use super::discovery::resource_path;
use crate::failure::Failure;
use crate::kubelet::{Ask, Entry, Route};
use crate::options::{Endpoint, Via};
use crate::telemetry;

const SUMMARY: &str = "/stats/summary";
const CADVISOR: &str = "/metrics/cadvisor";
const CONTAINER: &str = "/stats/container/";
/// What begins so much behind its phase waited for a place.
const LATE: Duration = Duration::from_millis(20);

/// A node to ask in this tick.
pub(super) struct Job {
    pub(super) node: Arc<Node>,
    pub(super) name: Arc<str>,
    /// Whether the node's durations get series of their own.
    pub(super) own_series: bool,
    pub(super) address: Box<str>,
    pub(super) port: u16,
    /// When to ask.
    pub(super) begin: Instant,
    /// Whether to begin with the API server's proxy.
    pub(super) proxied: bool,
    /// Whether the kubelet is known to lack `/stats/container`.
    pub(super) modern: bool,
    /// Begin of the window, which the oldest endpoint is told.
    pub(super) start: Timestamp,
    /// End of the window, likewise.
    pub(super) end: Timestamp,
}

impl Job {
    /// The way that is tried first.
    pub(super) fn route(&self) -> Route {
        if self.proxied { self.proxy() } else { self.direct() }
    }

    fn direct(&self) -> Route {
        Route::Direct { address: self.address.clone(), port: self.port }
    }

    fn proxy(&self) -> Route {
        Route::Proxy { node: self.node.name.clone() }
    }
}

/// What a body is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Format {
    Summary,
    Resource,
    Cadvisor,
    Container,
}

/// How a node's requests ended.
pub(super) struct Fetched {
    pub(super) url: Arc<str>,
    pub(super) proxied: bool,
    pub(super) took: Duration,
    pub(super) verified: Verified,
    pub(super) result: Result<(Format, Bytes), Failure>,
}

impl KubernetesSource {
    /// The path that is configured.
    pub(super) fn path<'a>(&self, node: &'a Node) -> &'a str {
        match self.options.endpoint {
            Endpoint::Auto | Endpoint::Summary => SUMMARY,
            Endpoint::Resource => resource_path(node),
            Endpoint::Cadvisor => CADVISOR,
            Endpoint::Container => CONTAINER,
        }
    }

    /// Asks one node, at its phase or as soon as there is a place; within its own deadline and the
    /// tick's.
    pub(super) async fn fetch(&self, job: &Job, entry: &Entry, deadline: Instant) -> Fetched {
        if Instant::now() > job.begin + LATE {
            metrics::counter!(telemetry::REQUESTS_QUEUED).increment(1);
        }
        tokio::time::sleep_until(job.begin).await;
        let begin = Instant::now();
        let mut route = job.route();
        let mut result = self.ask(job, &route, entry, begin, deadline).await;
        if let Err(first) = &result
            && let Some(other) = self.other_route(job, &route, first.hop).await
            && Instant::now() < deadline
        {
            let second = self.ask(job, &other, entry, Instant::now(), deadline).await;
            result = match second {
                Ok(answer) => {
                    route = other;
                    Ok(answer)
                }
                Err(second) => Err(both(first, &second)),
            };
        }
        let path = match &result {
            Ok((Format::Resource, _)) => resource_path(&job.node),
            Ok((Format::Cadvisor, _)) => CADVISOR,
            Ok((Format::Container, _)) => CONTAINER,
            Ok(_) => SUMMARY,
            Err(_) => self.path(&job.node),
        };
        Fetched {
            url: self.kubelets.url(&route, path).into(),
            proxied: matches!(route, Route::Proxy { .. }),
            took: begin.elapsed(),
            verified: if result.is_ok() {
                self.kubelets.verified(&route)
            } else {
                Verified::NotAsked
            },
            result,
        }
    }

    /// The way left after `failed` could not be used; `None` when an error is the kubelet's own.
    async fn other_route(&self, job: &Job, failed: &Route, hop: Hop) -> Option<Route> {
        let on_the_way = matches!(
            hop,
            Hop::Address | Hop::Connect | Hop::Tls | Hop::Timeout | Hop::Authentication
        );
        match failed {
            Route::Direct { .. } if on_the_way && self.proxy.allowed().await => Some(job.proxy()),
            // The proxy was only remembered: the kubelet may have become reachable.
            Route::Proxy { .. } if self.options.via == Via::Auto => Some(job.direct()),
            _ => None,
        }
    }

    async fn ask(
        &self,
        job: &Job,
        route: &Route,
        entry: &Entry,
        begin: Instant,
        deadline: Instant,
    ) -> Result<(Format, Bytes), Failure> {
        let limit = deadline.min(begin + self.options.kubelet_timeout);
        let asked = self.ask_endpoints(job, route, entry);
        let answer = match tokio::time::timeout_at(limit, asked).await {
            Ok(answer) => answer,
            Err(_) => Err(Failure {
                hop: Hop::Timeout,
                reason: format!("no whole answer within {:?}", limit.duration_since(begin)),
                advice: "look at the node's load and network; a slow kubelet may need a longer \
                         kubeletTimeout"
                    .to_owned(),
            }),
        };
        let took_ms = begin.elapsed().as_secs_f64() * 1e3;
        let name = match &answer {
            Ok((Format::Container, _)) => telemetry::CADVISOR_DURATION,
            _ => telemetry::SUMMARY_DURATION,
        };
        let node = if job.own_series { Arc::clone(&job.name) } else { telemetry::ALL_NODES.into() };
        metrics::histogram!(name, "node" => node).record(took_ms);
        answer
    }

    /// Asks the configured endpoint, and the other one where the kubelet has it not.
    async fn ask_endpoints(
        &self,
        job: &Job,
        route: &Route,
        entry: &Entry,
    ) -> Result<(Format, Bytes), Failure> {
        let resource = resource_path(&job.node);
        let get = |path| Ask { path, post: None };
        let (format, ask, fallback) = match self.options.endpoint {
            Endpoint::Summary => (Format::Summary, get(SUMMARY), None),
            Endpoint::Resource => (Format::Resource, get(resource), None),
            Endpoint::Cadvisor => (Format::Cadvisor, get(CADVISOR), None),
            Endpoint::Container if !job.modern => {
                let ask = Ask { path: CONTAINER, post: Some(container_request(job)) };
                (Format::Container, ask, Some((Format::Summary, get(SUMMARY))))
            }
            Endpoint::Auto | Endpoint::Container => {
                (Format::Summary, get(SUMMARY), Some((Format::Resource, get(resource))))
            }
        };
        let refusal = match self.kubelets.fetch(route, &ask, entry).await {
            Ok(answer) => return Ok((format, answer.body)),
            Err(refusal) => refusal,
        };
        match fallback {
            Some((other, ask)) if is_missing(format, refusal.status) => {
                let answer = self.kubelets.fetch(route, &ask, entry).await;
                answer.map(|answer| (other, answer.body)).map_err(|refusal| refusal.failure)
            }
            _ => Err(refusal.failure),
        }
    }
}

/// Whether a status says that the kubelet has no such endpoint. For `/stats/container` a refusal
/// may hide that: kubelets authorize before they look whether they have it.
fn is_missing(format: Format, status: Option<StatusCode>) -> bool {
    match status {
        Some(StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) => true,
        Some(StatusCode::FORBIDDEN) => matches!(format, Format::Container),
        _ => false,
    }
}

/// What Heapster posted to `/stats/container/`.
fn container_request(job: &Job) -> Bytes {
    format!(
        r#"{{"containerName":"/","num_stats":1,"start":"{}","end":"{}","subcontainers":true}}"#,
        job.start, job.end
    )
    .into()
}

fn both(first: &Failure, second: &Failure) -> Failure {
    Failure {
        hop: first.hop,
        reason: if first.reason == second.reason {
            first.reason.clone()
        } else {
            format!("{}; the other way: {}", first.reason, second.reason)
        },
        advice: if second.advice.is_empty() { &first.advice } else { &second.advice }.clone(),
    }
}
