//! The quick loop: CPU and memory of every node, from `/metrics/resource`, as each answers.
//!
//! Beside the tick (docs/decisions/0140). A node without that path is asked for a short summary.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use http::StatusCode;
use model::{Draft, EntityKind, Hop, Node, NodeSamples, Registry, Timestamp, Value};
use tokio::time::Instant;

use super::KubernetesSource;
use super::discovery::{address, phase, resource_path, spread};
use crate::decode::Decoder;
use crate::failure::Failure;
use crate::kubelet::{Ask, Entry, Refusal, Route};
use crate::options::Via;
use crate::telemetry;

const SUMMARY: &str = "/stats/summary?only_cpu_and_memory=true";
/// The second round does not wait a whole one: until then there is no rate to show.
const SECOND_ROUND: Duration = Duration::from_secs(10);
/// What a round may take of the time until the next.
const ROUND_SHARE: f64 = 0.9;

/// Takes what the quick loop reads.
pub trait ResourceTaker: Send + Sync {
    /// A round begins.
    fn begins(&self, now: Timestamp);
    /// A node answered.
    fn answered(&self, samples: NodeSamples, now: Timestamp);
    /// A node was asked and failed.
    fn failed(&self, node: &str);
    /// A round ended; `nodes` are all that there are.
    fn ends(&self, nodes: &HashSet<Box<str>>, now: Timestamp);
}

/// A node's answer, not read yet.
enum Body {
    Resource(bytes::Bytes),
    Summary(bytes::Bytes),
}

impl KubernetesSource {
    /// Reads every node again and again, `every` so often; does not end.
    pub async fn follow_resources(&self, every: Duration, taker: &dyn ResourceTaker) {
        let mut next = Instant::now();
        let mut old = HashSet::new();
        let mut first = true;
        loop {
            tokio::time::sleep_until(next).await;
            let round = Instant::now();
            self.round(round + every.mul_f64(ROUND_SHARE), taker, &mut old).await;
            let took = round.elapsed().as_secs_f64();
            metrics::histogram!(telemetry::RESOURCE_ROUND).record(took);
            next = if first { second(round, every) } else { after(next, every) };
            first = false;
        }
    }

    /// Asks every node once. `old` are nodes that lack the path.
    async fn round(
        &self,
        deadline: Instant,
        taker: &dyn ResourceTaker,
        old: &mut HashSet<Box<str>>,
    ) {
        taker.begins(self.clock.now());
        let nodes = self.all_nodes();
        self.know_names(&nodes);
        let names: HashSet<Box<str>> = nodes.iter().map(|node| node.name.clone()).collect();
        old.retain(|name| names.contains(name));
        let mut decoder = Decoder::default();
        match self.kubelets.entry().await {
            Err(failure) => {
                tracing::debug!(reason = failure.reason, "resource metrics cannot be asked for");
                for node in &nodes {
                    taker.failed(&node.name);
                }
            }
            Ok(entry) => {
                let (spread, begin) = (spread(nodes.len()), Instant::now());
                let own = nodes.len() <= telemetry::MAX_NODE_SERIES;
                // In the order of their phases: what waits is only what is due next.
                let mut order: Vec<(Instant, Arc<Node>, bool)> = nodes
                    .iter()
                    .map(|node| {
                        (
                            begin + phase(&node.name, spread),
                            Arc::clone(node),
                            old.contains(&node.name),
                        )
                    })
                    .collect();
                order.sort_by_key(|(begin, ..)| *begin);
                let asked = order.into_iter().map(|(begin, node, lacks)| {
                    let entry = &entry;
                    // All nodes of a large cluster share a series.
                    let series: Arc<str> =
                        if own { (*node.name).into() } else { telemetry::ALL_NODES.into() };
                    async move {
                        tokio::time::sleep_until(begin).await;
                        let answer = self.resource((&node, &series), lacks, entry, deadline).await;
                        (node, answer)
                    }
                });
                let places = self.options.kubelet_concurrency;
                let mut running = stream::iter(asked).buffer_unordered(places);
                let mut open: HashSet<&str> = nodes.iter().map(|node| &*node.name).collect();
                while let Ok(Some((node, answer))) =
                    tokio::time::timeout_at(deadline, running.next()).await
                {
                    open.remove(&*node.name);
                    if let Ok(Body::Summary(_)) = &answer {
                        old.insert(node.name.clone());
                    }
                    self.read_answer(&node, answer, &mut decoder, taker);
                }
                for node in open {
                    taker.failed(node);
                }
            }
        }
        taker.ends(&names, self.clock.now());
    }

    pub(super) fn all_nodes(&self) -> Vec<Arc<Node>> {
        let inventory = self.inventory.read().unwrap_or_else(PoisonError::into_inner);
        inventory.nodes().map(Arc::clone).collect()
    }

    fn read_answer(
        &self,
        node: &Arc<Node>,
        answer: Result<Body, Failure>,
        decoder: &mut Decoder,
        taker: &dyn ResourceTaker,
    ) {
        let now = self.clock.now();
        let read = answer.and_then(|body| samples(node, &body, decoder, now));
        let success = if read.is_ok() { "true" } else { "false" };
        metrics::counter!(telemetry::RESOURCE_REQUESTS, "success" => success).increment(1);
        match read {
            Ok(samples) => taker.answered(samples, now),
            Err(failure) => {
                // The tick says the same as a target; once is enough.
                tracing::debug!(node = &*node.name, reason = failure.reason, "no resource metrics");
                taker.failed(&node.name);
            }
        }
    }

    /// Asks one node, by the other way where the first is blocked.
    async fn resource(
        &self,
        (node, series): (&Node, &Arc<str>),
        lacks: bool,
        entry: &Entry,
        deadline: Instant,
    ) -> Result<Body, Failure> {
        let (address, port) = address(node, &self.options).map_err(|reason| Failure {
            hop: Hop::Address,
            reason: reason.to_owned(),
            advice: String::new(),
        })?;
        let (direct, proxy) =
            (Route::Direct { address, port }, Route::Proxy { node: node.name.clone() });
        let first = if self.options.via == Via::Proxy { &proxy } else { &direct };
        let began = Instant::now();
        let path = (!lacks).then(|| resource_path(node));
        let mut answer = self.resource_by(first, path, entry, deadline).await;
        let blocked = |hop| matches!(hop, Hop::Connect | Hop::Tls | Hop::Timeout);
        if let Err(failure) = &answer
            && self.options.via == Via::Auto
            && blocked(failure.hop)
            && Instant::now() < deadline
            && self.proxy.allowed().await
        {
            answer = self.resource_by(&proxy, path, entry, deadline).await;
        }
        self.count_request(series, began.elapsed(), answer.is_ok());
        answer
    }

    fn count_request(&self, series: &Arc<str>, took: Duration, answered: bool) {
        let node = || Arc::clone(series);
        if answered {
            let now = Value::Int(self.clock.now().secs()).as_f64();
            metrics::gauge!(telemetry::RESOURCE_LAST_TIME, "node" => node()).set(now);
        }
        metrics::histogram!(telemetry::RESOURCE_DURATION, "node" => node())
            .record(took.as_secs_f64());
    }

    /// Asks for `path`, and for a short summary where there is none.
    async fn resource_by(
        &self,
        route: &Route,
        path: Option<&str>,
        entry: &Entry,
        deadline: Instant,
    ) -> Result<Body, Failure> {
        let limit = deadline.min(Instant::now() + self.options.kubelet_timeout);
        let asked = async {
            if let Some(path) = path {
                match self.kubelets.fetch(route, &Ask { path, post: None }, entry).await {
                    Ok(answer) => return Ok(Body::Resource(answer.body)),
                    Err(Refusal { status: Some(StatusCode::NOT_FOUND), .. }) => {}
                    Err(refusal) => return Err(refusal.failure),
                }
            }
            let ask = Ask { path: SUMMARY, post: None };
            let answer = self.kubelets.fetch(route, &ask, entry).await;
            answer.map(|answer| Body::Summary(answer.body)).map_err(|refusal| refusal.failure)
        };
        match tokio::time::timeout_at(limit, asked).await {
            Ok(answer) => answer,
            Err(_) => Err(Failure {
                hop: Hop::Timeout,
                reason: "no whole answer in time".to_owned(),
                advice: String::new(),
            }),
        }
    }
}

/// When the second round begins: at once where the first took long, for nothing is shown before.
fn second(first: Instant, every: Duration) -> Instant {
    (first + SECOND_ROUND.min(every)).max(Instant::now())
}

/// When the round behind the one at `due` begins: one that came too late is left out, not made up
/// for.
fn after(due: Instant, every: Duration) -> Instant {
    let mut next = due + every;
    while next < Instant::now() {
        next += every;
    }
    next
}

fn samples(
    node: &Arc<Node>,
    body: &Body,
    decoder: &mut Decoder,
    now: Timestamp,
) -> Result<NodeSamples, Failure> {
    let mut draft = Draft::new(now, Registry::default());
    let read = match body {
        Body::Resource(body) => decoder.resource(body, node, now, &mut draft),
        Body::Summary(body) => decoder.summary(body, node, now, &mut draft),
    };
    read.map_err(|error| Failure {
        hop: Hop::Decode,
        reason: format!("the answer cannot be read: {error}"),
        advice: String::new(),
    })?;
    let (own, containers) = (draft.table(EntityKind::Node), draft.table(EntityKind::Container));
    let read = NodeSamples::read(vec![Arc::from(&*node.name)], own, containers);
    read.into_iter().next().ok_or_else(|| Failure {
        hop: Hop::Decode,
        reason: "the answer names no node".to_owned(),
        advice: String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_the_second_round_makes_up_for_a_long_first() {
        let (begun, every) = (Instant::now(), Duration::from_secs(15));
        assert_eq!(second(begun, every), begun + SECOND_ROUND);
        assert_eq!(second(begun, Duration::from_secs(5)), begun + Duration::from_secs(5));
        assert_eq!(after(begun, every), begun + every);
        tokio::time::advance(Duration::from_secs(16)).await;
        assert_eq!(second(begun, every), Instant::now());
        assert_eq!(after(begun, every), begun + 2 * every);
    }
}
