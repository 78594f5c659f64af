//! Programs that speak Prometheus: one process that answers for all of them, each at an address
//! of its own, as a Go service of forty series does.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Says to a child that it is the programs.
const CHILD: &str = "TAFFRAIL_BENCH_PROGRAMS";

/// The programs; their process ends with them.
pub(crate) struct Programs {
    process: Child,
    pub(crate) port: u16,
}

impl Programs {
    pub(crate) fn start() -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let mut process = command.env(CHILD, "1").stdout(Stdio::piped()).spawn().unwrap();
        let mut port = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self { process, port: port.trim().parse().unwrap() }
    }
}

impl Drop for Programs {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Where the program of this number is: all of 127.0.0.0/8 is this machine.
pub(crate) fn address(number: usize) -> Ipv4Addr {
    let [_, high, middle, low] = u32::try_from(number + 1).unwrap().to_be_bytes();
    Ipv4Addr::new(127, high + 64, middle, low)
}

/// Whether this process is the programs.
pub(crate) fn is_wanted() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// Says the port and answers until it is killed.
pub(crate) fn serve() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        // One listener for ten thousand addresses.
        let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap().port());
        std::io::stdout().flush().unwrap();
        loop {
            let (stream, peer) = listener.accept().await.unwrap();
            if peer.ip().is_loopback() {
                tokio::spawn(answer(stream));
            }
        }
    });
}

/// Answers on one connection until the other side goes.
async fn answer(mut stream: TcpStream) {
    let mut head = [0; 4096];
    let mut filled = 0;
    for round in 1_u64.. {
        while !head[..filled].ends_with(b"\r\n\r\n") {
            match stream.read(&mut head[filled..]).await {
                Ok(read) if read > 0 => filled += read,
                _ => return,
            }
        }
        filled = 0;
        let body = page(round);
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        if stream.write_all((head + &body).as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Forty series, most of which differ from round to round.
fn page(round: u64) -> String {
    let mut text = String::with_capacity(4096);
    let mut put = |line: std::fmt::Arguments<'_>| writeln!(text, "{line}").unwrap();
    put(format_args!("# HELP http_requests_total Requests by method and code."));
    put(format_args!("# TYPE http_requests_total counter"));
    for (at, code) in ["200", "304", "400", "404", "500"].into_iter().enumerate() {
        let count = round * (17 >> at);
        put(format_args!("http_requests_total{{method=\"GET\",code=\"{code}\"}} {count}"));
        let count = round * (9 >> at);
        put(format_args!("http_requests_total{{method=\"POST\",code=\"{code}\"}} {count}"));
    }
    put(format_args!("# HELP http_request_duration_seconds How long requests took."));
    put(format_args!("# TYPE http_request_duration_seconds histogram"));
    for (at, bound) in ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "+Inf"]
        .into_iter()
        .enumerate()
    {
        let count = round * (12 + at as u64);
        put(format_args!("http_request_duration_seconds_bucket{{le=\"{bound}\"}} {count}"));
    }
    put(format_args!("http_request_duration_seconds_sum {}.25", round * 2));
    put(format_args!("http_request_duration_seconds_count {}", round * 21));
    for name in [
        "go_goroutines",
        "go_threads",
        "go_memstats_alloc_bytes",
        "go_memstats_heap_inuse_bytes",
        "go_memstats_stack_inuse_bytes",
        "go_memstats_next_gc_bytes",
        "process_open_fds",
        "process_max_fds",
        "process_resident_memory_bytes",
        "process_virtual_memory_bytes",
        "process_start_time_seconds",
    ] {
        let still = name.contains("max") || name.contains("start");
        let value = if still { 1_000_000 } else { 8_000_000 + round * 4096 % 65_536 };
        put(format_args!("# HELP {name} What {name} says.\n# TYPE {name} gauge\n{name} {value}"));
    }
    for name in [
        "process_cpu_seconds_total",
        "go_memstats_mallocs_total",
        "go_memstats_frees_total",
        "go_memstats_alloc_bytes_total",
        "process_network_receive_bytes_total",
        "process_network_transmit_bytes_total",
        "go_gc_cycles_total",
    ] {
        let value = round * name.len() as u64;
        put(format_args!("# HELP {name} What {name} says.\n# TYPE {name} counter\n{name} {value}"));
    }
    text
}
