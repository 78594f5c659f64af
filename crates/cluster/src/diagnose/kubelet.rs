//! The hops to one node's kubelet, up to a summary that can be read, and the node's clock.

use std::net::SocketAddr;
use std::sync::Arc;

use http::StatusCode;
use model::{Draft, EntityKind, Hop, Node, Registry, Timestamp, Verified};
use pipeline::Clock;
use rustls::pki_types::ServerName;
use tokio::time::timeout;

use super::trail::Trail;
use super::{Check, clock, may_proxy, probe};
use crate::certificate::Certificate;
use crate::connect::{Connection, Origin};
use crate::decode::Decoder;
use crate::failure::{Cause, Failure};
use crate::kubelet::{Answer, Ask, Entry, KubeletClient, Refusal, Route, authority, is_web_page};
use crate::options::{Endpoint, SourceOptions, Via};
use crate::source::{resource_path, target};

const SUMMARY: &str = "/stats/summary";
const CADVISOR: &str = "/metrics/cadvisor";

/// What all kubelets are tried with.
pub(super) struct Walk<'a> {
    kubelets: &'a KubeletClient,
    options: &'a SourceOptions,
    entry: Result<Entry, Failure>,
    /// Whether the API server's proxy may stand in; why not, where our rights do not allow it.
    detour: Result<(), &'static str>,
    now: Clock,
}

impl<'a> Walk<'a> {
    pub(super) async fn new(
        connection: &'a Connection,
        kubelets: &'a KubeletClient,
        now: Clock,
    ) -> Self {
        let options = connection.options();
        let detour = if options.via != Via::Auto || *connection.origin() == Origin::InCluster {
            Err("")
        } else {
            match may_proxy(connection).await {
                Ok(true) => Ok(()),
                _ => Err("our rights do not allow the API server's node proxy (nodes/proxy)"),
            }
        };
        Self { kubelets, options, entry: kubelets.entry().await, detour, now }
    }

    /// Tries every hop to `node`.
    pub(super) async fn node(&self, node: Arc<Node>) -> Vec<Check> {
        let mut trail = Trail::new(node.name.to_string());
        let (address, port) = match target(&node, self.options) {
            Ok(target) => target,
            Err(reason) => {
                let change = format!("`kubectl describe node {}` says why", node.name);
                trail.warn("address", format!("it is not asked: {reason}"), change);
                return trail.checks();
            }
        };
        self.kubelets.names.put(&address, &node.name);
        let direct = Route::Direct { address: address.clone(), port };
        let proxied = Route::Proxy { node: node.name.clone() };
        if self.options.via == Via::Proxy {
            trail.skip("connect", "kubeletVia=proxy: the API server connects".to_owned());
            self.ask(&mut trail, &proxied, &node).await;
            return trail.checks();
        }
        match probe::resolve(&address, port).await {
            Ok(addresses) => {
                trail.pass("address", format!("{address}, port {port}"));
                self.connect(&mut trail, &direct, &addresses, &address).await;
            }
            Err(cause) => {
                let Failure { reason, advice, .. } = self.kubelets.explain(&direct, SUMMARY, cause);
                trail.fail("address", reason, advice);
                trail.reaches("connect");
                trail.reaches("tls");
            }
        }
        self.ask(&mut trail, &direct, &node).await;
        self.other_way(&mut trail, &proxied, &node).await;
        trail.checks()
    }

    /// The API server's proxy, where the direct way ended and our rights allow it.
    async fn other_way(&self, trail: &mut Trail, proxied: &Route, node: &Arc<Node>) {
        if !matches!(trail.broken(), Some("address" | "connect" | "tls" | "authentication")) {
            return;
        }
        match self.detour {
            Ok(()) if self.try_ask(proxied, SUMMARY).await.is_ok() => {
                trail.detour();
                let evidence = "the API server's node proxy reaches it instead, by our own rights";
                trail.pass("proxy", evidence.to_owned());
                self.ask(trail, proxied, node).await;
            }
            Ok(()) => trail.skip("proxy", "the API server does not reach it either".to_owned()),
            Err("") => {}
            Err(reason) => trail.skip("proxy", reason.to_owned()),
        }
    }

    /// TCP and TLS.
    async fn connect(
        &self,
        trail: &mut Trail,
        route: &Route,
        addresses: &[SocketAddr],
        host: &str,
    ) {
        let limit = probe::STEP_TIMEOUT.min(self.options.kubelet_timeout);
        let reached = match probe::connect(addresses, limit).await {
            Ok((address, took)) => {
                trail.pass("connect", format!("took {} ms", took.as_millis()));
                Some(address)
            }
            Err(cause) => {
                let Failure { reason, advice, .. } = self.kubelets.explain(route, SUMMARY, cause);
                let port = addresses.first().map_or(0, SocketAddr::port);
                trail.fail("connect", format!("{}: {reason}", authority(host, port)), advice);
                None
            }
        };
        if !trail.reaches("tls") {
            return;
        }
        if !self.options.kubelet_https {
            return trail.skip("tls", "kubeletHttps=false: nothing is encrypted".to_owned());
        }
        if let (Some(address), Ok(name)) = (reached, ServerName::try_from(host.to_owned())) {
            self.handshake(trail, route, address, name).await;
        }
    }

    async fn handshake(
        &self,
        trail: &mut Trail,
        route: &Route,
        address: SocketAddr,
        name: ServerName<'static>,
    ) {
        match probe::handshake(address, &name, self.kubelets.tls()).await {
            Ok(certificate) => {
                let shown = certificate.as_ref().map_or_else(String::new, ToString::to_string);
                let soon = certificate.clone().filter(|shown| shown.ends_soon(self.now.now()));
                match (self.kubelets.verified(route), soon) {
                    (Verified::Nothing, _) => trail.warn(
                        "tls",
                        format!("not verified; {shown}"),
                        format!(
                            "name the authority of kubelets' certificates with kubeletCA=FILE, or \
                             pin them (kubeletPins=FILE with the line `{}`), and leave out \
                             kubeletInsecure=true",
                            pin_line(trail, certificate.as_ref())
                        ),
                    ),
                    (_, Some(certificate)) => {
                        let end = certificate.not_after.to_rfc3339_seconds();
                        let change = format!(
                            "renew the kubelet's certificate before {end} (rotateCertificates: \
                             true, and `kubectl get csr`)"
                        );
                        trail.warn("tls", shown, change);
                    }
                    (Verified::Pinned, None) => {
                        trail.pass("tls", format!("{shown}; its key is pinned"));
                    }
                    (Verified::NodeName, None) => {
                        trail.pass("tls", format!("{shown}; verified by the node's name"));
                    }
                    (_, None) => trail.pass("tls", format!("{shown}; verified by the address")),
                }
            }
            Err(untrusted) => {
                let cause = (untrusted.cause, untrusted.reason);
                let Failure { reason, advice, .. } = self.kubelets.explain(route, SUMMARY, cause);
                let mut change = advice;
                if let Some(certificate) = &untrusted.certificate
                    && certificate.pin.is_some()
                {
                    let line = pin_line(trail, Some(certificate));
                    change = format!("{change}\nline for kubeletPins: {line}");
                }
                let shown = untrusted.certificate.map(|shown| format!("; it shows {shown}"));
                trail.fail("tls", format!("{reason}{}", shown.unwrap_or_default()), change);
            }
        }
    }

    /// Asks for measurements and tells apart what a refusal means.
    async fn ask(&self, trail: &mut Trail, route: &Route, node: &Arc<Node>) {
        if !trail.is_open() {
            for name in ["authentication", "authorization", "summary", "clock", "endpoints"] {
                trail.reaches(name);
            }
            return;
        }
        let resource = resource_path(node);
        let path = match self.options.endpoint {
            Endpoint::Resource => resource,
            Endpoint::Cadvisor => CADVISOR,
            Endpoint::Auto | Endpoint::Summary | Endpoint::Container => SUMMARY,
        };
        let mut asked = (path, None, self.try_ask(route, path).await);
        if self.options.endpoint == Endpoint::Auto
            && let Err(Refusal { status: Some(StatusCode::NOT_FOUND), .. }) = asked.2
        {
            let remark = "there is no /stats/summary, so that networks and filesystems are missing";
            asked = (resource, Some(remark), self.try_ask(route, resource).await);
        }
        match asked {
            (path, remark, Ok(answer)) => {
                trail.pass("authentication", self.shown_to_kubelets(route));
                trail.pass("authorization", format!("{path} is given to us"));
                self.read(trail, route, node, &answer, (path, remark));
                if trail.reaches("endpoints") {
                    self.endpoints(trail, route, path, resource).await;
                }
            }
            (path, _, Err(refusal)) => Self::refused(trail, path, refusal),
        }
    }

    /// The other endpoints: none is needed while `path` answers.
    async fn endpoints(&self, trail: &mut Trail, route: &Route, path: &str, resource: &str) {
        let mut said = vec![format!("{path} answers")];
        let mut refused = None;
        for other in [SUMMARY, resource, CADVISOR].into_iter().filter(|other| *other != path) {
            match self.try_ask(route, other).await {
                Ok(_) => said.push(format!("{other} answers")),
                Err(Refusal { status: Some(status), failure, .. }) => {
                    said.push(format!("{other} is refused ({})", status.as_u16()));
                    refused = refused.or(Some(failure.advice));
                }
                Err(Refusal { failure, .. }) => said.push(format!("{other}: {}", failure.reason)),
            }
        }
        match refused {
            Some(change) if !change.is_empty() && said.iter().any(|one| one.contains("(403)")) => {
                trail.warn("endpoints", said.join(", "), change);
            }
            _ => trail.pass("endpoints", said.join(", ")),
        }
    }

    async fn try_ask(&self, route: &Route, path: &str) -> Result<Answer, Refusal> {
        let entry = self.entry.as_ref().map_err(Clone::clone)?;
        let ask = Ask { path, post: None };
        let asked = self.kubelets.fetch(route, &ask, entry);
        if let Ok(answer) = timeout(self.options.kubelet_timeout, asked).await {
            return answer;
        }
        let limit = self.options.kubelet_timeout;
        let waited = (Cause::TimedOut, format!("no whole answer within {limit:?}"));
        let mut failure = self.kubelets.explain(route, path, waited);
        "look at the node's load and the kubelet's log; a slow kubelet may need a longer \
         kubeletTimeout"
            .clone_into(&mut failure.advice);
        Err(failure.into())
    }

    fn refused(trail: &mut Trail, path: &str, refusal: Refusal) {
        const HOPS: [&str; 5] =
            ["authentication", "authorization", "summary", "clock", "endpoints"];
        let Refusal { failure: Failure { hop, reason, advice }, status, .. } = refusal;
        let failing = match hop {
            Hop::Authentication => 0,
            Hop::Authorization => 1,
            _ => 2,
        };
        for name in &HOPS[..failing] {
            match status {
                Some(_) => trail.pass(name, format!("{path} is not refused to us")),
                None => trail.skip(name, "there was no answer to tell".to_owned()),
            }
        }
        trail.fail(HOPS[failing], format!("{path}: {reason}"), advice);
        for name in &HOPS[failing + 1..] {
            trail.reaches(name);
        }
    }

    fn read(
        &self,
        trail: &mut Trail,
        route: &Route,
        node: &Arc<Node>,
        answer: &Answer,
        (path, remark): (&str, Option<&str>),
    ) {
        let now = self.now.now();
        let read = read(answer, node, now, path);
        match read {
            Ok(Seen { pods, .. }) => {
                let size = answer.body.len().div_ceil(1024);
                let remark = remark.map(|remark| format!("; {remark}")).unwrap_or_default();
                let evidence = format!("{path}: {pods} pods in {size} KiB{remark}");
                if remark.is_empty() {
                    trail.pass("summary", evidence);
                } else {
                    let change = "update the kubelet, or give kubeletEndpoint=resource";
                    trail.warn("summary", evidence, change.to_owned());
                }
            }
            Err(ref reason) => {
                let url = self.kubelets.url(route, path);
                let change = format!("check what answers at {url}: a kubelet's answer reads else");
                trail.fail("summary", format!("{path} cannot be read: {reason}"), change);
            }
        }
        if trail.reaches("clock") {
            let sampled = read.map_or(Timestamp::NEVER, |seen| seen.sampled);
            // The API server dates a proxied answer itself.
            let date = answer.date.filter(|_| matches!(route, Route::Direct { .. }));
            clock::note_node(trail, date, sampled, now, &node.name);
        }
    }

    fn shown_to_kubelets(&self, route: &Route) -> String {
        let token = self.entry.as_ref().is_ok_and(Entry::has_token);
        match route {
            Route::Proxy { .. } => "the API server is known to the kubelet".to_owned(),
            Route::Direct { .. } if token => "the kubelet accepts our token".to_owned(),
            Route::Direct { .. } => "the kubelet asks for no token of ours".to_owned(),
        }
    }
}

/// `NODE sha256:HEX`, as the file of pins takes it.
fn pin_line(trail: &Trail, certificate: Option<&Certificate>) -> String {
    let pin = certificate.and_then(|certificate| certificate.pin.as_deref());
    format!("{} {}", trail.about(), pin.unwrap_or("sha256:…"))
}

/// What an answer held.
struct Seen {
    pods: usize,
    sampled: Timestamp,
}

fn read(answer: &Answer, node: &Arc<Node>, now: Timestamp, path: &str) -> Result<Seen, String> {
    if is_web_page(&answer.body) {
        return Err("it is a web page".to_owned());
    }
    let mut draft = Draft::new(now, Registry::default());
    let mut decoder = Decoder::default();
    let read = match path {
        SUMMARY => decoder.summary(&answer.body, node, now, &mut draft),
        CADVISOR => decoder.exposition(&answer.body, node, now, &mut draft),
        _ => decoder.resource(&answer.body, node, now, &mut draft),
    };
    read.map_err(|error| error.to_string())?;
    let nodes = draft.table(EntityKind::Node);
    let sampled = if nodes.is_empty() { Timestamp::NEVER } else { nodes.compute_time(0) };
    Ok(Seen { pods: draft.table(EntityKind::Pod).len(), sampled })
}
