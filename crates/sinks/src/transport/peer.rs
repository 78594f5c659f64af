//! A connection to `host:port`, under TLS where that is asked for.

use std::io;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::tls;
use crate::Error;
use crate::address::Address;
use crate::settings::Settings;

/// Who is connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer {
    /// `host:port`.
    pub(crate) address: String,
    pub(crate) tls: bool,
}

impl Peer {
    /// That of `address`, under TLS where its scheme is `tls` or `https`.
    pub(crate) fn new(address: Address) -> Self {
        let tls = ["tls", "https"].contains(&&*address.scheme);
        Self { address: address.authority, tls }
    }

    /// As a destination is shown, with one of these schemes.
    pub(crate) fn shown(&self, plain: &str, tls: &str) -> String {
        format!("{}://{}", if self.tls { tls } else { plain }, self.address)
    }
}

/// What bytes are written to and read from.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Connects to a peer.
#[derive(Debug)]
pub(super) struct Caller {
    peer: Peer,
    tls: Arc<ClientConfig>,
}

impl Caller {
    pub(super) fn new(peer: Peer, settings: &Settings) -> Result<Self, Error> {
        let tls = Arc::new(tls::config(settings, peer.tls)?);
        Ok(Self { peer, tls })
    }

    pub(super) fn address(&self) -> &str {
        &self.peer.address
    }

    pub(super) async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        connect(&self.peer.address, self.peer.tls.then_some(&self.tls)).await
    }
}

/// A connection to `address` (`host:port`), under TLS where there is a configuration for it.
pub(super) async fn connect(
    address: &str,
    tls: Option<&Arc<ClientConfig>>,
) -> io::Result<Box<dyn Stream>> {
    let tcp = TcpStream::connect(address).await?;
    tcp.set_nodelay(true)?;
    Ok(match tls {
        Some(tls) => Box::new(secured(tcp, address, tls).await?),
        None => Box::new(tcp),
    })
}

/// TLS with the host of `address` (`host:port`) over `tcp`.
pub(super) async fn secured(
    tcp: TcpStream,
    address: &str,
    tls: &Arc<ClientConfig>,
) -> io::Result<TlsStream<TcpStream>> {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host.trim_matches(['[', ']']).to_owned();
    let name = ServerName::try_from(host).map_err(io::Error::other)?;
    TlsConnector::from(Arc::clone(tls)).connect(name, tcp).await
}
