//! A program that serves metrics, and inventories in which pods of it are.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, RwLock};
use std::thread;

use flate2::Compression;
use flate2::read::GzEncoder;
use model::{ContainerSpec, Inventory, Monitor, Pod, PodMonitor, ScrapeHint, SharedInventory};

/// What is answered on a path: status, content type, body.
pub(crate) type Page =
    Arc<dyn Fn(&str, &str) -> Option<(&'static str, &'static str, Vec<u8>)> + Send + Sync>;

/// Serves until the process ends. A page that answers `None` never answers.
pub(crate) fn serve(page: Page) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let page = Arc::clone(&page);
            // Who asked may have gone; then nothing is left to do.
            thread::spawn(move || drop(answer(stream, &page)));
        }
    });
    address
}

fn answer(mut stream: TcpStream, page: &Page) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut head, mut line) = (String::new(), String::new());
    while reader.read_line(&mut line)? > 2 {
        head.push_str(&line);
        line.clear();
    }
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let Some((status, kind, mut body)) = page(&path, &head) else {
        // Until the other side has enough.
        return stream.read(&mut [0]).map(drop);
    };
    let mut coding = "";
    if path.ends_with("gzip") {
        let mut packed = Vec::new();
        GzEncoder::new(&*body, Compression::fast()).read_to_end(&mut packed)?;
        (body, coding) = (packed, "Content-Encoding: gzip\r\n");
    }
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{coding}Content-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    )?;
    stream.write_all(&body)
}

/// A pod of the program, annotated.
pub(crate) fn pod(name: &str, at: SocketAddr, path: &str) -> Pod {
    let hint = ScrapeHint {
        scrape: "true".into(),
        port: at.port().to_string().into(),
        path: path.into(),
        scheme: "".into(),
    };
    Pod {
        namespace: "shop".into(),
        name: name.into(),
        phase: "Running".into(),
        node: "node-1".into(),
        ip: at.ip().to_string().into(),
        labels: [("app".into(), name.into())].into_iter().collect::<Box<[_]>>().into(),
        containers: [ContainerSpec {
            name: "main".into(),
            ports: [("metrics".into(), at.port())].into(),
            ..ContainerSpec::default()
        }]
        .into_iter()
        .collect(),
        scrape: Some(hint.into()),
        ..Pod::default()
    }
}

/// An inventory with these.
pub(crate) fn inventory(pods: Vec<Pod>, monitors: Vec<Monitor>) -> SharedInventory {
    let mut inventory = Inventory::default();
    for pod in pods {
        inventory.put_pod(Arc::new(pod));
    }
    for monitor in monitors {
        let (namespace, name) = (monitor.namespace.clone(), monitor.name.clone());
        inventory.put(PodMonitor { namespace, name, monitor: Arc::new(monitor) });
    }
    Arc::new(RwLock::new(inventory))
}
