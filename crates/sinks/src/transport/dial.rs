//! Connections for requests: straight to the server, or through a proxy's tunnel.

use std::pin::Pin;
use std::task::{Context, Poll};

use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tower_service::Service;

use crate::Error;
use crate::settings::Settings;

/// The value of the setting `proxy` that uses none, whatever the environment says.
const NO_PROXY: &str = "none";

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Opens the connection under TLS.
#[derive(Debug, Clone)]
pub(crate) enum Dialer {
    Straight(HttpConnector),
    Tunnel(Tunnel<HttpConnector>),
}

impl Service<Uri> for Dialer {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match self {
            Self::Straight(connector) => connector.poll_ready(context).map_err(Into::into),
            Self::Tunnel(tunnel) => tunnel.poll_ready(context).map_err(Into::into),
        }
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        match self {
            Self::Straight(connector) => {
                let connecting = connector.call(uri);
                Box::pin(async move { connecting.await.map_err(Into::into) })
            }
            Self::Tunnel(tunnel) => {
                let connecting = tunnel.call(uri);
                Box::pin(async move { connecting.await.map_err(Into::into) })
            }
        }
    }
}

/// A connector to `base` (`https://host:port`), over HTTP/2 alone where `http2` says so.
pub(crate) fn connector(
    base: &str,
    tls: ClientConfig,
    http2: bool,
    settings: &Settings,
) -> Result<HttpsConnector<Dialer>, Error> {
    let dialer = dialer(base, settings)?;
    let builder = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
    Ok(if http2 {
        builder.enable_http2().wrap_connector(dialer)
    } else {
        builder.enable_http1().wrap_connector(dialer)
    })
}

/// Through the proxy of the setting `proxy`, else through that of the environment
/// (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`), else straight.
fn dialer(base: &str, settings: &Settings) -> Result<Dialer, Error> {
    let mut straight = HttpConnector::new();
    straight.enforce_http(false);
    straight.set_nodelay(true);
    let matcher = match settings.text_or("proxy", "") {
        "" => Matcher::from_env(),
        NO_PROXY => return Ok(Dialer::Straight(straight)),
        proxy => Matcher::builder().all(proxy).build(),
    };
    let asked = !settings.text_or("proxy", "").is_empty();
    let intercept = base.parse().ok().and_then(|uri: Uri| matcher.intercept(&uri));
    let Some(intercept) = intercept else {
        return if asked { Err(bad_proxy(settings)) } else { Ok(Dialer::Straight(straight)) };
    };
    if intercept.uri().scheme_str() != Some("http") {
        return Err(bad_proxy(settings));
    }
    let tunnel = Tunnel::new(intercept.uri().clone(), straight);
    Ok(Dialer::Tunnel(match intercept.basic_auth() {
        Some(authorization) => tunnel.with_auth(authorization.clone()),
        None => tunnel,
    }))
}

/// Without the value, which may hold a password.
fn bad_proxy(settings: &Settings) -> Error {
    settings.bad("proxy", "…", "proxies like http://user:password@host:3128, none")
}
