//! From a failed request to a kubelet to the hop, the reason and the change to make.

use http::StatusCode;
use model::Hop;

use crate::failure::{Cause, Failure};

/// What was asked and how: what advice depends on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) path: &'a str,
    pub(super) post: bool,
    pub(super) https: bool,
    pub(super) token: bool,
    /// `None` through the API server.
    pub(super) port: Option<u16>,
}

/// The port that kubelets of today keep closed.
const READ_ONLY_PORT: u16 = 10255;

impl Asked<'_> {
    /// The kubelet (or the API server before it) answered, but with an error.
    pub(super) fn refused(&self, status: StatusCode, body: &str) -> Failure {
        let failure = |hop, reason: String, advice: String| Failure { hop, reason, advice };
        let colon = if body.is_empty() { "" } else { ": " };
        match status {
            StatusCode::UNAUTHORIZED => failure(
                Hop::Authentication,
                format!("the kubelet does not know us (401{colon}{body})"),
                self.about_authentication(),
            ),
            StatusCode::FORBIDDEN => failure(
                Hop::Authorization,
                format!("we may not read {} (403{colon}{body})", self.path),
                format!(
                    "bind our user to a ClusterRole with the rule {{apiGroups: [\"\"], resources: \
                     [\"{}\"], verbs: [\"{}\"]}}",
                    self.resource(),
                    if self.post { "create" } else { "get" },
                ),
            ),
            StatusCode::BAD_REQUEST if body.contains("HTTP request to an HTTPS server") => failure(
                Hop::Tls,
                "the kubelet speaks https on this port".to_owned(),
                "give kubeletHttps=true".to_owned(),
            ),
            StatusCode::NOT_FOUND => failure(
                Hop::Http,
                format!("the kubelet has no {} (404)", self.path),
                "check kubeletPort; kubelets since 1.18 have only the summary and resource \
                 endpoints"
                    .to_owned(),
            ),
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::BAD_GATEWAY if self.port.is_none() => {
                failure(
                    Hop::Http,
                    format!("the API server does not reach the kubelet ({status}{colon}{body})"),
                    "mend the way from the API server to the node: firewalls, konnectivity, the \
                     node's address"
                        .to_owned(),
                )
            }
            _ => failure(
                Hop::Http,
                format!("the kubelet answers {status}{colon}{body}"),
                "look into the kubelet's log on that node".to_owned(),
            ),
        }
    }

    fn about_authentication(&self) -> String {
        match (self.port, self.https, self.token) {
            (None, ..) => "renew the credentials for the API server",
            (_, false, _) => "give kubeletHttps=true: without it no token is sent",
            (_, true, true) => {
                "the kubelet does not accept our token: start it with \
                 --authentication-token-webhook, or check that the token is of this cluster"
            }
            (_, true, false) => {
                "we have no token to show: give useServiceAccount=true in a pod, or a kubeconfig \
                 with a token or a client certificate that kubelets trust"
            }
        }
        .to_owned()
    }

    /// What RBAC calls the path.
    fn resource(&self) -> &'static str {
        match (self.port, self.path.starts_with("/stats")) {
            (None, _) => "nodes/proxy",
            (Some(_), true) => "nodes/stats",
            (Some(_), false) => "nodes/metrics",
        }
    }

    /// No whole answer came.
    pub(super) fn transport(&self, (cause, reason): (Cause, String)) -> Failure {
        let advice = match cause {
            Cause::Refused if self.port == Some(READ_ONLY_PORT) => {
                "the read-only port is closed on this cluster: use \
                 kubeletPort=10250&kubeletHttps=true"
            }
            Cause::Refused => "check that the kubelet runs there, and kubeletPort",
            Cause::Unreachable | Cause::TimedOut | Cause::Unresolved => {
                "check the node, and network policies and firewalls on the way; outside the \
                 cluster's network give kubeletVia=proxy"
            }
            Cause::UntrustedIssuer => {
                "let the cluster's CA sign kubelet certificates (serverTLSBootstrap: true), or \
                 name their CA with kubeletCA=FILE, or pin the certificate with kubeletPins=FILE \
                 (`taffrail doctor` prints the line), or give kubeletInsecure=true"
            }
            Cause::WrongName => {
                "issue the kubelet a certificate with its address or node name, or give \
                 kubeletInsecure=true"
            }
            Cause::OutOfTime => "renew the kubelet's certificate, or correct our clock",
            Cause::ClientCertificate => {
                "the kubelet refuses our client certificate: renew it, or sign it by the CA in \
                 the kubelet's --client-ca-file"
            }
            Cause::NotTls => "give kubeletHttps=false, or the port that speaks https",
            Cause::NotHttp => "give kubeletHttps=true, or the port that speaks http",
            Cause::Handshake => "check that a kubelet of TLS 1.2 or later listens on this port",
            Cause::Cut => "look into the kubelet's log on that node: it may have restarted",
            Cause::ByProxy | Cause::Other => "",
        };
        Failure { hop: cause.hop(), reason, advice: advice.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUMMARY: Asked =
        Asked { path: "/stats/summary", post: false, https: true, token: true, port: Some(10250) };

    fn check(failure: &Failure, hop: Hop, expected: &str) {
        assert_eq!(failure.hop, hop);
        assert!(failure.advice.contains(expected), "{}", failure.advice);
    }

    #[test]
    fn advice_fits_what_was_asked() {
        let refused = (Cause::Refused, "connection refused".to_owned());
        let read_only = Asked { https: false, token: false, port: Some(10255), ..SUMMARY };
        let expected = "the read-only port is closed on this cluster: use \
                        kubeletPort=10250&kubeletHttps=true";
        check(&read_only.transport(refused.clone()), Hop::Connect, expected);
        check(&SUMMARY.transport(refused), Hop::Connect, "kubeletPort");
        let forbidden = |asked: Asked| asked.refused(StatusCode::FORBIDDEN, "");
        check(&forbidden(SUMMARY), Hop::Authorization, r#"["nodes/stats"], verbs: ["get"]"#);
        let post = Asked { path: "/stats/container/", post: true, ..SUMMARY };
        check(&forbidden(post), Hop::Authorization, r#"["nodes/stats"], verbs: ["create"]"#);
        let resource = Asked { path: "/metrics/resource", ..SUMMARY };
        check(&forbidden(resource), Hop::Authorization, r#"["nodes/metrics"], verbs: ["get"]"#);
        let proxied = Asked { port: None, ..SUMMARY };
        check(&forbidden(proxied), Hop::Authorization, r#"["nodes/proxy"]"#);
        let unknown = |asked: Asked| asked.refused(StatusCode::UNAUTHORIZED, "");
        check(&unknown(SUMMARY), Hop::Authentication, "--authentication-token-webhook");
        let bare = Asked { token: false, ..SUMMARY };
        check(&unknown(bare), Hop::Authentication, "useServiceAccount=true");
    }
}
