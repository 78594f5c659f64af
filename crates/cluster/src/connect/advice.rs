//! From a failed request to the API server to the hop, the reason and the change to make.

use http::{StatusCode, Uri};
use kube::client::AuthError;

use super::{ConnectError, Origin, Trouble};
use crate::diagnose::group_of;
use crate::failure::{Cause, classify};

/// Explains `error`; `resource` is what was asked for, where that matters.
pub(super) fn api_failure(
    error: &kube::Error,
    url: &Uri,
    origin: &Origin,
    resource: Option<&str>,
) -> ConnectError {
    let url = &*shown(url);
    match error {
        kube::Error::Api(status) => {
            refused(status.code, &status.message, &who(url, origin), resource)
        }
        // What it printed may be a secret, what it complained of is not.
        kube::Error::Auth(AuthError::AuthExecRun { out, .. }) => {
            let said = String::from_utf8_lossy(&out.stderr);
            let said = said.lines().next().unwrap_or("it says nothing").trim();
            ConnectError::Authentication(Trouble {
                reason: format!("it ends with {}: {said}", out.status),
                advice: format!("check the user in {origin}"),
            })
        }
        // The lines behind the first quote what was read, which may be a secret.
        kube::Error::Auth(error) => {
            let error = error.to_string();
            let error = error.lines().next().unwrap_or_default();
            ConnectError::Authentication(Trouble {
                reason: format!("no credentials for {url}: {error}"),
                advice: format!("check the user in {origin}: its token file or login command"),
            })
        }
        kube::Error::RustlsTls(error) if error.to_string().contains("KeyMismatch") => {
            ConnectError::Configuration(Trouble {
                reason: format!(
                    "the client certificate and the key in {origin} do not belong together"
                ),
                advice: "give the client certificate and key that were made together".to_owned(),
            })
        }
        kube::Error::ProxyProtocolUnsupported { proxy_url } => {
            ConnectError::Configuration(Trouble {
                reason: format!("the proxy {} in {origin} is of no known kind", shown(proxy_url)),
                advice: "write proxy-url with http://, https:// or socks5://".to_owned(),
            })
        }
        kube::Error::RustlsTls(error) => ConnectError::Configuration(Trouble {
            reason: format!("the TLS settings of {origin} cannot be used: {error}"),
            advice: "correct the certificate authority, client certificate and key there"
                .to_owned(),
        }),
        kube::Error::InferKubeconfig(error) => ConnectError::Configuration(Trouble {
            reason: format!("{origin}: {error}"),
            advice: "correct the file: its client certificate, key and authority".to_owned(),
        }),
        kube::Error::SerdeError(error) => ConnectError::Answer(Trouble {
            reason: format!("{url} does not answer like a Kubernetes API server: {error}"),
            advice: "check that the URL is an API server's and not a proxy's or dashboard's"
                .to_owned(),
        }),
        other => transport(classify(other), url, origin),
    }
}

/// The same, and which command did not log us in.
pub(super) fn with_login(error: ConnectError, login: Option<&str>) -> ConnectError {
    match (error, login) {
        (ConnectError::Authentication(mut trouble), Some(login)) => {
            trouble.reason = format!("the login command `{login}`: {}", trouble.reason);
            trouble.advice = format!(
                "run the login command `{login}` by hand and see what it says; {}",
                trouble.advice
            );
            ConnectError::Authentication(trouble)
        }
        (error, _) => error,
    }
}

/// A URL for people: no user, no password, no slash at the end.
pub(super) fn shown(url: &Uri) -> String {
    let text = url.to_string();
    let text = text.trim_end_matches('/');
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let end = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

/// "https://… (context x of /…)".
pub(super) fn who(url: &str, origin: &Origin) -> String {
    format!("{url} ({origin})")
}

pub(super) fn refused(code: u16, message: &str, who: &str, resource: Option<&str>) -> ConnectError {
    match StatusCode::from_u16(code) {
        Ok(StatusCode::UNAUTHORIZED) => ConnectError::Authentication(Trouble {
            reason: format!("{who} does not accept our credentials (401)"),
            advice: "renew them: the token or client certificate is missing, expired or for \
                     another cluster"
                .to_owned(),
        }),
        Ok(StatusCode::FORBIDDEN) => ConnectError::Authorization(Trouble {
            reason: format!("{who} refuses {} (403): {message}", resource.unwrap_or("access")),
            advice: rule(resource.unwrap_or("nodes")),
        }),
        Ok(StatusCode::BAD_REQUEST) if message.contains("HTTP request to an HTTPS server") => {
            ConnectError::Tls(Trouble {
                reason: format!("{who} speaks TLS on this port"),
                advice: HTTPS.to_owned(),
            })
        }
        Ok(status) if status.is_redirection() => ConnectError::Answer(Trouble {
            reason: format!("{who} answers {code}, a redirect"),
            advice: "check that the URL is an API server's: a login page or a proxy answers there"
                .to_owned(),
        }),
        _ => ConnectError::Answer(Trouble {
            reason: format!("{who} answers {code}: {message}"),
            advice: "check the API server's health and log".to_owned(),
        }),
    }
}

/// What helps when TLS is spoken where we did not expect it.
const HTTPS: &str = "write https:// instead of http:// in the server's URL";

/// The RBAC rule that lets us watch `resource`.
fn rule(resource: &str) -> String {
    let group = group_of(resource);
    format!(
        "bind our user to a ClusterRole with the rule {{apiGroups: [\"{group}\"], resources: \
         [\"{resource}\"], verbs: [\"get\", \"list\", \"watch\"]}}"
    )
}

/// No whole answer came.
pub(super) fn transport(
    (cause, detail): (Cause, String),
    url: &str,
    origin: &Origin,
) -> ConnectError {
    let trouble = |advice: String| Trouble { reason: format!("{url}: {detail}"), advice };
    match cause {
        Cause::Unresolved => ConnectError::Dns(trouble(format!(
            "correct the server's name in {origin}, or this machine's DNS"
        ))),
        Cause::Refused => ConnectError::Connect(trouble(format!(
            "start the cluster, or correct the server's address in {origin}"
        ))),
        Cause::TimedOut | Cause::Unreachable => ConnectError::Connect(trouble(format!(
            "check the address in {origin}, and VPN, routes and firewalls on the way"
        ))),
        Cause::UntrustedIssuer => ConnectError::Tls(trouble(format!(
            "give the cluster's CA in {origin} (certificate-authority), or that of a proxy that \
             opens TLS in between, or add insecure=true"
        ))),
        Cause::WrongName => ConnectError::Tls(trouble(format!(
            "use a name that the certificate has as server in {origin}, or set tls-server-name there"
        ))),
        Cause::OutOfTime => ConnectError::Tls(trouble(
            "renew the API server's certificate, or correct this machine's clock".to_owned(),
        )),
        Cause::ClientCertificate => ConnectError::Tls(trouble(format!(
            "renew the client certificate in {origin}: this cluster's CA must have signed it"
        ))),
        Cause::NotTls => {
            ConnectError::Tls(trouble(format!("write http:// instead of https:// in {origin}")))
        }
        Cause::ByProxy => ConnectError::Connect(trouble(format!(
            "let the proxy pass us to that server, or correct proxy-url in {origin}"
        ))),
        Cause::NotHttp => ConnectError::Tls(trouble(HTTPS.to_owned())),
        Cause::Handshake => ConnectError::Tls(trouble(format!(
            "check that {url} is the API server itself and speaks TLS 1.2 or later"
        ))),
        Cause::Cut | Cause::Other => {
            ConnectError::Connect(trouble("check the API server's health and log".to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_password() {
        for (url, expected) in [
            ("https://user:pass@host:6443/", "https://host:6443"),
            ("https://host/k8s/c@1/", "https://host/k8s/c@1"),
            ("http://[fd00::1]:80", "http://[fd00::1]:80"),
        ] {
            assert_eq!(shown(&url.parse().unwrap()), expected);
        }
    }
}
