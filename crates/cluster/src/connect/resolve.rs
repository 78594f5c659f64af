//! Which API server, with which credentials: from options, environment and files.

use std::path::{Path, PathBuf};
use std::time::Duration;

use http::Uri;
use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::{ConnectError, Origin, Trouble};
use crate::SourceOptions;

/// Where Kubernetes mounts a pod's token and CA.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// The variable that names another folder, for pods whose token is mounted by hand.
pub(super) const SERVICE_ACCOUNT_VARIABLE: &str = "TAFFRAIL_SERVICE_ACCOUNT";

/// The folder with a pod's token and CA.
pub(super) fn account(env: Env<'_>) -> PathBuf {
    let named = env(SERVICE_ACCOUNT_VARIABLE).filter(|folder| !folder.is_empty());
    named.unwrap_or_else(|| SERVICE_ACCOUNT.to_owned()).into()
}

/// How long a TCP connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

type Resolved = Result<(Config, Origin), ConnectError>;
type Env<'a> = &'a (dyn Fn(&str) -> Option<String> + Sync);

/// Follows Heapster: in-cluster, else `auth`'s kubeconfig, else the URI alone. Where the option
/// `inClusterConfig` is neither given nor defaulted: in-cluster when in a pod, else the URI's
/// server, else the current kubeconfig.
pub(super) async fn resolve(options: &SourceOptions, env: Env<'_>, account: &Path) -> Resolved {
    let in_pod = env("KUBERNETES_SERVICE_HOST").is_some_and(|host| !host.is_empty())
        && account.join("token").exists();
    let in_cluster =
        options.in_cluster.unwrap_or(in_pod && options.auth.is_none() && options.context.is_none());
    let (mut config, origin) = if in_cluster {
        from_pod(options, env, account)?
    } else if options.auth.is_some() || (options.in_cluster.is_none() && options.server.is_none()) {
        from_kubeconfig(options, env).await?
    } else {
        from_uri(options)?
    };
    if options.use_service_account {
        let token = account.join("token");
        if std::fs::metadata(&token).is_ok() {
            config.auth_info.token = None;
            config.auth_info.token_file = Some(token.display().to_string());
        }
    }
    explicit(options, &mut config)?;
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    // Whoever asks repeats it where that helps, and shows the refusal meanwhile.
    config.default_retry = false;
    Ok((config, origin))
}

/// Authorities and token that the options name themselves.
fn explicit(options: &SourceOptions, config: &mut Config) -> Result<(), ConnectError> {
    if let Some(file) = &options.ca {
        if options.insecure {
            return Err(configuration(
                "ca= and insecure=true contradict each other",
                "leave one out: ca=FILE verifies the API server's certificate by that file",
            ));
        }
        config.root_cert = Some(read_certificates(file)?);
        config.root_cert_file = Some(file.clone());
        config.accept_invalid_certs = false;
    }
    if let Some(file) = &options.token_file {
        if let Err(error) = std::fs::read_to_string(file) {
            return Err(configuration(
                &format!("the token {} cannot be read: {error}", file.display()),
                "correct tokenFile=",
            ));
        }
        config.auth_info = kube::config::AuthInfo {
            token_file: Some(file.display().to_string()),
            ..kube::config::AuthInfo::default()
        };
    }
    Ok(())
}

fn from_pod(options: &SourceOptions, env: Env<'_>, account: &Path) -> Resolved {
    let advice = "run taffrail in a pod with a service account, or outside with \
                  inClusterConfig=false and auth=/path/of/kubeconfig";
    let url = match &options.server {
        Some(server) => server.clone(),
        None => service_url(env).ok_or_else(|| {
            configuration("KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set", advice)
        })?,
    };
    let mut config = Config::new(parse_url(&url)?);
    let token = account.join("token");
    if let Err(error) = std::fs::read_to_string(&token) {
        return Err(configuration(
            &format!("the service account's token {} cannot be read: {error}", token.display()),
            advice,
        ));
    }
    config.auth_info.token_file = Some(token.display().to_string());
    if options.insecure {
        config.accept_invalid_certs = true;
    } else if options.ca.is_none() {
        let path = account.join("ca.crt");
        config.root_cert = Some(read_certificates(&path)?);
        config.root_cert_file = Some(path);
    }
    Ok((config, Origin::InCluster))
}

fn service_url(env: Env<'_>) -> Option<String> {
    let host = env("KUBERNETES_SERVICE_HOST").filter(|host| !host.is_empty())?;
    let port = env("KUBERNETES_SERVICE_PORT").filter(|port| !port.is_empty())?;
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    Some(format!("https://{host}:{port}"))
}

async fn from_kubeconfig(options: &SourceOptions, env: Env<'_>) -> Resolved {
    let advice = "name one with auth=/path/of/kubeconfig or KUBECONFIG; `kubectl config view` \
                  shows which kubectl uses";
    let (kubeconfig, path) = read_kubeconfig(options, env, advice)?;
    let context = options.context.clone().or_else(|| kubeconfig.current_context.clone());
    let Some(context) = context.filter(|context| !context.is_empty()) else {
        return Err(configuration(
            &format!("{} has no current context", path.display()),
            "choose one: `kubectl config use-context NAME`, or the option context=NAME",
        ));
    };
    check_user(&kubeconfig, &context, &path)?;
    let chosen =
        KubeConfigOptions { context: Some(context.clone()), ..KubeConfigOptions::default() };
    let config = Config::from_custom_kubeconfig(kubeconfig, &chosen).await;
    let mut config = config.map_err(|error| {
        let error = first_line(&error.to_string());
        let reason = format!("context {context} of {}: {error}", path.display());
        configuration(&reason, "correct the kubeconfig, or choose another context")
    })?;
    if config.root_cert.as_ref().is_some_and(Vec::is_empty) {
        return Err(configuration(
            &format!(
                "the certificate authority in context {context} of {} holds no certificate",
                path.display()
            ),
            "correct certificate-authority there: it must hold certificates in PEM",
        ));
    }
    if options.insecure && options.insecure_beside_auth {
        config.accept_invalid_certs = true;
        config.root_cert = None;
    }
    Ok((config, Origin::Kubeconfig { path, context }))
}

/// Without its user a context would be used as somebody unknown, which explains nothing.
fn check_user(kubeconfig: &Kubeconfig, context: &str, path: &Path) -> Result<(), ConnectError> {
    let named = kubeconfig.contexts.iter().find(|named| named.name == context);
    let user = named.and_then(|named| named.context.as_ref()?.user.as_deref());
    let known = |user: &str| kubeconfig.auth_infos.iter().any(|named| named.name == user);
    match user.filter(|user| !user.is_empty() && !known(user)) {
        None => Ok(()),
        Some(user) => Err(configuration(
            &format!("context {context} of {}: there is no user {user}", path.display()),
            "correct the kubeconfig, or choose another context",
        )),
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim().to_owned()
}

fn read_kubeconfig(
    options: &SourceOptions,
    env: Env<'_>,
    advice: &str,
) -> Result<(Kubeconfig, PathBuf), ConnectError> {
    let from_env = env("KUBECONFIG").filter(|paths| !paths.is_empty());
    let paths: Vec<PathBuf> = match (&options.auth, from_env) {
        (Some(path), _) => vec![path.clone()],
        // Like kubectl, skips files of the list that do not exist.
        (None, Some(paths)) => std::env::split_paths(&paths).filter(|path| path.exists()).collect(),
        (None, None) => {
            let usual = env("HOME").map(|home| Path::new(&home).join(".kube/config"));
            usual.into_iter().filter(|path| path.exists()).collect()
        }
    };
    let mut merged: Option<Kubeconfig> = None;
    for path in &paths {
        let read = Kubeconfig::read_from(path).and_then(|next| match merged.take() {
            Some(earlier) => earlier.merge(next),
            None => Ok(next),
        });
        merged = Some(read.map_err(|error| {
            // The lines behind the first quote the file, secrets and all.
            let reason = first_line(&error.to_string());
            configuration(&format!("{}: {reason}", path.display()), advice)
        })?);
    }
    let first = paths.into_iter().next();
    merged.zip(first).ok_or_else(|| {
        configuration(
            "there is no kubeconfig, and this is not a pod with a service account",
            advice,
        )
    })
}

fn from_uri(options: &SourceOptions) -> Resolved {
    let server = options.server.as_ref().ok_or_else(|| {
        configuration(
            "invalid kubernetes master url specified: inClusterConfig=false names no API server",
            "write kubernetes:https://HOST:PORT?inClusterConfig=false, or add auth=/path/of/kubeconfig",
        )
    })?;
    let mut config = Config::new(parse_url(server)?);
    config.accept_invalid_certs = options.insecure;
    Ok((config, Origin::Uri))
}

fn parse_url(url: &str) -> Result<Uri, ConnectError> {
    let parsed: Option<Uri> = url.parse().ok();
    parsed.filter(|uri| matches!(uri.scheme_str(), Some("http" | "https"))).ok_or_else(|| {
        configuration(
            &format!("{url} is no URL of an API server"),
            "write https://HOST:PORT or http://HOST:PORT",
        )
    })
}

/// The certificates in a PEM file, as DER.
pub(crate) fn read_certificates(path: &Path) -> Result<Vec<Vec<u8>>, ConnectError> {
    let trouble = |what: String| {
        configuration(
            &format!("the certificate authority {} cannot be read: {what}", path.display()),
            "correct the path or the file: it must hold certificates in PEM",
        )
    };
    let text = std::fs::read(path).map_err(|error| trouble(error.to_string()))?;
    let certificates: Result<Vec<Vec<u8>>, _> = CertificateDer::pem_slice_iter(&text)
        .map(|certificate| certificate.map(|certificate| certificate.to_vec()))
        .collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(trouble("it holds no certificate".to_owned())),
        Err(error) => Err(trouble(error.to_string())),
    }
}

fn configuration(reason: &str, advice: &str) -> ConnectError {
    ConnectError::Configuration(Trouble { reason: reason.to_owned(), advice: advice.to_owned() })
}

#[cfg(test)]
mod tests;
