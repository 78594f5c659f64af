//! Two kinds of proxies that pass connections on: HTTP's CONNECT, and SOCKS 5.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What a proxy speaks.
#[derive(Clone, Copy)]
pub(crate) enum Speaks {
    /// With this header, if any.
    Connect(Option<&'static str>),
    Socks,
}

/// A running proxy.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    pub(crate) passed: Arc<AtomicUsize>,
    _task: JoinSet<()>,
}

impl Proxy {
    pub(crate) async fn start(speaks: Speaks) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let passed = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&passed);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut running = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let counted = Arc::clone(&counted);
                running.spawn(async move {
                    // Who only looks whether the port is open goes away at once.
                    let through = match speaks {
                        Speaks::Connect(header) => connect(stream, header).await,
                        Speaks::Socks => socks(stream).await,
                    };
                    let Some((mut near, mut far)) = through else { return };
                    counted.fetch_add(1, Ordering::SeqCst);
                    drop(copy_bidirectional(&mut near, &mut far).await);
                });
            }
        });
        Self { port, passed, _task: task }
    }
}

async fn connect(mut near: TcpStream, header: Option<&str>) -> Option<(TcpStream, TcpStream)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(near.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let target = head.strip_prefix("CONNECT ")?.split(' ').next()?;
    if header.is_some_and(|header| !head.to_lowercase().contains(&header.to_lowercase())) {
        near.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").await.ok()?;
        return None;
    }
    let far = TcpStream::connect(target).await.ok()?;
    near.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok()?;
    Some((near, far))
}

async fn socks(mut near: TcpStream) -> Option<(TcpStream, TcpStream)> {
    let mut greeting = [0; 2];
    near.read_exact(&mut greeting).await.ok()?;
    let mut methods = vec![0; usize::from(greeting[1])];
    near.read_exact(&mut methods).await.ok()?;
    near.write_all(&[5, 0]).await.ok()?;
    let mut request = [0; 4];
    near.read_exact(&mut request).await.ok()?;
    let host = match request[3] {
        1 => {
            let mut address = [0; 4];
            near.read_exact(&mut address).await.ok()?;
            std::net::Ipv4Addr::from(address).to_string()
        }
        3 => {
            let mut name = vec![0; usize::from(near.read_u8().await.ok()?)];
            near.read_exact(&mut name).await.ok()?;
            String::from_utf8(name).ok()?
        }
        _ => return None,
    };
    let port = near.read_u16().await.ok()?;
    let far = TcpStream::connect((host, port)).await.ok()?;
    near.write_all(&[5, 0, 0, 1, 127, 0, 0, 1, 0, 0]).await.ok()?;
    Some((near, far))
}
