//! The hops to the API server: address, TCP, TLS, who we are to it, its version and its clock.

use std::net::SocketAddr;
use std::sync::Arc;

use http::header::{CONTENT_TYPE, DATE};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use kube::client::{Body, ConfigExt};
use model::Timestamp;
use pipeline::Clock;
use rustls::pki_types::ServerName;
use serde::Deserialize;

use super::credential::Credential;
use super::trail::Trail;
use super::{clock, probe};
use crate::connect::{ConnectError, Connection, ServerVersion, Trouble};
use crate::failure::Cause;
use crate::kubelet::http_date;

/// Largest answer to a question about ourselves that is read.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// Tries every hop; who we are to the server, where it says so.
pub(super) async fn walk(connection: &Connection, now: Clock, trail: &mut Trail) -> Option<String> {
    let config = connection.config();
    if let Some(proxy) = &config.proxy_url {
        let host = proxy.host().unwrap_or_default();
        let port =
            proxy.port_u16().unwrap_or(if proxy.scheme_str() == Some("http") { 80 } else { 1080 });
        reach(connection, trail, host, port, true).await;
        if trail.reaches("tls") {
            trail.skip("tls", "goes through the proxy; the request below tells".to_owned());
        }
    } else {
        let host = config.cluster_url.host().unwrap_or_default();
        let https = is_https(connection);
        let port = config.cluster_url.port_u16().unwrap_or(if https { 443 } else { 80 });
        let reached = reach(connection, trail, host, port, false).await;
        if trail.reaches("tls") {
            match reached {
                Some(address) if https => tls(connection, now, trail, address, host).await,
                _ => trail.skip("tls", "the URL is http: nothing is encrypted".to_owned()),
            }
        }
    }
    let mut user = None;
    if trail.reaches("authentication") {
        user = authentication(connection, now, trail).await;
    }
    if trail.reaches("version") {
        version(connection, now, trail).await;
    }
    user
}

fn is_https(connection: &Connection) -> bool {
    connection.config().cluster_url.scheme_str() == Some("https")
}

async fn reach(
    connection: &Connection,
    trail: &mut Trail,
    host: &str,
    port: u16,
    is_proxy: bool,
) -> Option<SocketAddr> {
    let broken = |trail: &mut Trail, name, (cause, reason): (Cause, String)| {
        if !is_proxy {
            return fail(trail, name, &connection.explain_cause(cause, &reason));
        }
        let evidence = format!("the proxy {host}:{port}: {reason}");
        let change = format!("start the proxy, or correct proxy-url in {}", connection.origin());
        trail.fail(name, evidence, change);
    };
    let addresses = match probe::resolve(host, port).await {
        Ok(addresses) => addresses,
        Err(failed) => {
            broken(trail, "address", failed);
            trail.reaches("connect");
            return None;
        }
    };
    let shown: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
    let whose = if is_proxy { "the proxy " } else { "" };
    let (name, shown) = (probe::bare(host), shown.join(", "));
    let evidence =
        if name == shown { format!("{whose}{name}") } else { format!("{whose}{name} is {shown}") };
    trail.pass("address", evidence);
    match probe::connect(&addresses, probe::STEP_TIMEOUT).await {
        Ok((address, took)) => {
            trail.pass("connect", format!("{address} took {} ms", took.as_millis()));
            Some(address)
        }
        Err(failed) => {
            broken(trail, "connect", failed);
            None
        }
    }
}

async fn tls(
    connection: &Connection,
    now: Clock,
    trail: &mut Trail,
    address: SocketAddr,
    host: &str,
) {
    let settings = connection.config();
    let name = settings.tls_server_name.as_deref().unwrap_or(probe::bare(host));
    let config = settings.rustls_client_config();
    let (config, name) = match (config, ServerName::try_from(name.to_owned())) {
        (Ok(config), Ok(name)) => (Arc::new(config), name),
        (Err(error), _) => return fail(trail, "tls", &connection.explain(&error, "nodes")),
        (_, Err(error)) => {
            let change = "correct the server's name, or tls-server-name in the kubeconfig";
            return trail.fail("tls", format!("{name}: {error}"), change.to_owned());
        }
    };
    match probe::handshake(address, &name, config).await {
        Ok(certificate) => {
            let shown = certificate.as_ref().map_or_else(String::new, ToString::to_string);
            let ends = certificate.filter(|certificate| certificate.ends_soon(now.now()));
            if settings.accept_invalid_certs {
                let change = "leave out insecure=true (insecure-skip-tls-verify) and give the \
                              cluster's CA: certificate-authority in the kubeconfig";
                trail.warn("tls", format!("not verified; {shown}"), change.to_owned());
            } else if let Some(certificate) = ends {
                let change = format!(
                    "renew the API server's certificate before {} (kubeadm: `kubeadm certs renew \
                     apiserver`)",
                    certificate.not_after.to_rfc3339_seconds()
                );
                trail.warn("tls", shown, change);
            } else {
                trail.pass("tls", shown);
            }
        }
        Err(untrusted) => {
            let error = connection.explain_cause(untrusted.cause, &untrusted.reason);
            let Trouble { reason, advice } = error.trouble();
            let shown = untrusted.certificate.map(|shown| format!("; it shows {shown}"));
            let evidence = format!("{reason}{}", shown.unwrap_or_default());
            trail.fail("tls", evidence, advice.clone());
        }
    }
}

/// Who we are: a `SelfSubjectReview`, which API servers since 1.28 answer to everybody they know.
async fn authentication(connection: &Connection, now: Clock, trail: &mut Trail) -> Option<String> {
    #[derive(Deserialize)]
    struct Review {
        status: Status,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Status {
        user_info: User,
    }
    #[derive(Deserialize)]
    struct User {
        username: String,
    }
    let credential = match Credential::of(connection).await {
        Ok(credential) => credential,
        Err(reason) => {
            let change =
                format!("check the user in {}: its files or login command", connection.origin());
            trail.fail("authentication", format!("no credentials can be had: {reason}"), change);
            return None;
        }
    };
    let body = r#"{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}"#;
    let asked = ask(connection, "/apis/authentication.k8s.io/v1/selfsubjectreviews", Some(body));
    let answer = match connection.within(asked, None).await {
        Ok(answer) => answer,
        Err(error) => {
            match credential.ends.filter(|end| *end <= now.now()) {
                Some(end) => {
                    let (end, reason) = (end.to_rfc3339_seconds(), &error.trouble().reason);
                    let evidence = format!("{credential} ended at {end}: {reason}");
                    trail.fail("authentication", evidence, credential.renewal(connection));
                }
                None => fail(trail, "authentication", &error),
            }
            return None;
        }
    };
    let ended = credential.ends.filter(|end| *end <= now.now());
    match answer.status {
        StatusCode::UNAUTHORIZED => {
            let why = match ended {
                Some(end) => format!(", which ended at {}", end.to_rfc3339_seconds()),
                None => String::new(),
            };
            let evidence = format!("the API server does not accept {credential}{why} (401)");
            trail.fail("authentication", evidence, credential.renewal(connection));
            None
        }
        status if status.is_success() => {
            let user = serde_json::from_slice(&answer.body).map(|review: Review| review.status);
            let user = user.map(|status| status.user_info.username).ok();
            let who = user.as_deref().unwrap_or("somebody it does not name");
            known(connection, &credential, who, now, trail);
            user
        }
        // Older servers have no such review, or let not everybody ask.
        StatusCode::NOT_FOUND | StatusCode::FORBIDDEN | StatusCode::METHOD_NOT_ALLOWED => {
            known(connection, &credential, "somebody it is too old to name", now, trail);
            None
        }
        status => {
            let error = connection.explain_status(status.as_u16(), &answer.text(), "access");
            fail(trail, "authentication", &error);
            None
        }
    }
}

fn known(
    connection: &Connection,
    credential: &Credential,
    who: &str,
    now: Clock,
    trail: &mut Trail,
) {
    let evidence = format!("with {credential} we are {who}");
    let ends_soon =
        credential.ends.is_some_and(|end| end < now.now().plus(super::credential::SOON));
    if who == "system:anonymous" || (credential.is_nothing() && is_https(connection)) || ends_soon {
        trail.warn("authentication", evidence, credential.renewal(connection));
    } else {
        trail.pass("authentication", evidence);
    }
}

async fn version(connection: &Connection, now: Clock, trail: &mut Trail) {
    let asked = ask(connection, "/version", None);
    let answer = match connection.within(asked, None).await {
        Ok(answer) => answer,
        Err(error) => return fail(trail, "version", &error),
    };
    if answer.status != StatusCode::OK {
        let error = connection.explain_status(answer.status.as_u16(), &answer.text(), "/version");
        return fail(trail, "version", &error);
    }
    match serde_json::from_slice::<ServerVersion>(&answer.body) {
        Ok(version) => {
            trail.pass("version", format!("{} ({})", version.git_version, version.platform));
        }
        Err(error) => {
            return fail(
                trail,
                "version",
                &connection.explain(&kube::Error::SerdeError(error), ""),
            );
        }
    }
    clock::note_date(trail, answer.date, now.now(), "the API server");
}

fn fail(trail: &mut Trail, name: &'static str, error: &ConnectError) {
    let Trouble { reason, advice } = error.trouble().clone();
    trail.fail(name, reason, advice);
}

/// What the API server answered, whatever its status.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Vec<u8>,
    date: Option<Timestamp>,
}

impl Answer {
    /// The message of a refusal.
    pub(super) fn text(&self) -> String {
        #[derive(Deserialize)]
        struct Status {
            message: String,
        }
        let status: Option<Status> = serde_json::from_slice(&self.body).ok();
        status.map_or_else(|| crate::kubelet::shown(&self.body), |status| status.message)
    }
}

/// Asks the API server: a POST of JSON with a body, else a GET.
pub(super) async fn ask(
    connection: &Connection,
    path: &str,
    body: Option<&str>,
) -> Result<Answer, kube::Error> {
    let request = match body {
        Some(body) => Request::post(path)
            .header(CONTENT_TYPE, "application/json")
            .body(Body::from(body.as_bytes().to_vec())),
        None => Request::get(path).body(Body::empty()),
    };
    let request = request.map_err(kube::Error::HttpError)?;
    let response = connection.client().send(request).await?;
    let status = response.status();
    let date = response.headers().get(DATE).and_then(|date| http_date(date.to_str().ok()?));
    let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await;
    let body = body.map_err(kube::Error::Service)?.to_bytes().to_vec();
    Ok(Answer { status, body, date })
}
