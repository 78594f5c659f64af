//! The ports that the process serves on, and their TLS.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use api::Listener;
use tokio::net::TcpListener;

use super::measure::Measured;
use super::secure::{Keeper, Secure};
use crate::config::{Config, Dialect, TlsFiles};
use crate::exit::Failure;

/// Binds `address`; all addresses of both kinds (`::`) are those of IPv4 on a machine without IPv6.
pub(super) async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let bound = TcpListener::bind(address).await;
    let all = SocketAddr::from((Ipv6Addr::UNSPECIFIED, address.port()));
    match bound {
        Err(error)
            if address == all
                && !matches!(error.kind(), ErrorKind::AddrInUse | ErrorKind::PermissionDenied) =>
        {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port())).await.map_err(|_| error)
        }
        bound => bound,
    }
}

/// The same; a failure says what to do `otherwise`.
pub(super) async fn bound(address: SocketAddr, otherwise: &str) -> Result<TcpListener, Failure> {
    bind(address).await.map_err(|error| {
        Failure::unavailable(format!("cannot listen on {address}: {error}; {otherwise}"))
    })
}

/// Binds the main port.
pub(super) async fn listen(config: &Config) -> Result<Listener, Failure> {
    let address = config.listen;
    let flags = match config.dialect {
        Dialect::Taffrail => "--listen (port 0 takes a free one)",
        Dialect::Heapster => "--listen-ip and --heapster-port",
    };
    let otherwise = format!("stop what listens there, or choose another address with {flags}");
    let socket = bound(address, &otherwise).await?;
    let open = config.people.login == crate::cli::LoginChoice::Off;
    if open && !crate::cli::is_loopback(address.ip()) {
        tracing::warn!(%address, "reachable from other machines, and nobody has to sign in");
    }
    match &config.tls {
        None => Ok(Listener::plain(socket)),
        Some(files) => Ok(Listener::with_tls(socket, tls(files)?)),
    }
}

/// Every port, bound.
pub(super) struct Ports {
    pub(super) listeners: Vec<Listener>,
    /// Where the secure one is, and what keeps it.
    pub(super) secure: Option<(SocketAddr, Keeper)>,
    /// Where OTLP over gRPC is taken.
    pub(super) grpc: Option<SocketAddr>,
}

/// Binds the other ports that are wanted.
pub(super) async fn others(
    config: &Config,
    main: Listener,
    measured: &Measured,
) -> Result<Ports, Failure> {
    let mut listeners = vec![main];
    let mut grpc = None;
    if let Some(address) = config.apis.sidecar {
        let socket = bound(address, "choose another with --sidecar-listen").await?;
        listeners.push(Listener::sidecar(socket));
    }
    if let Some(address) = config.rules.otlp_grpc {
        let listener = otlp(config, address).await?;
        grpc = Some(listener.local_addr().map_err(Failure::unavailable)?);
        listeners.push(listener);
    }
    let Some(secure) = &config.apis.secure else {
        return Ok(Ports { listeners, secure: None, grpc });
    };
    let connection = measured.cluster.as_ref().map(|(_, connection)| connection);
    let Secure { listener, keeper } = Secure::listen(secure, connection).await?;
    let address = listener.local_addr().map_err(Failure::unavailable)?;
    listeners.push(listener);
    Ok(Ports { listeners, secure: Some((address, keeper)), grpc })
}

/// Binds the port for OTLP over gRPC.
async fn otlp(config: &Config, address: SocketAddr) -> Result<Listener, Failure> {
    let socket = bound(address, "choose another with --otlp-grpc-listen").await?;
    let tls = config.tls.as_ref().map(tls).transpose()?;
    Ok(Listener::grpc(socket, tls.as_ref(), config.push_access(address)?))
}

fn tls(files: &TlsFiles) -> Result<api::Tls, Failure> {
    let read = |path: &std::path::Path| {
        std::fs::read(path)
            .map_err(|error| Failure::config(format!("cannot read {}: {error}", path.display())))
    };
    let client_ca = files.client_ca.as_deref().map(read).transpose()?;
    let (certificate, key) = (read(&files.certificate)?, read(&files.key)?);
    api::Tls::new(&certificate, &key, client_ca.as_deref(), &files.allowed_users).map_err(|error| {
        Failure::config(format!(
            "TLS of the main port ({}, {}): {error}",
            files.certificate.display(),
            files.key.display()
        ))
    })
}
