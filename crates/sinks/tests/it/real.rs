//! Real servers as packages bring them, each with a folder of its own; `crates/taffrail` starts them
//! from here too. `cargo xtask tools` installs them.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Longest wait for what must happen.
pub(crate) const SOON: Duration = Duration::from_mins(1);
pub(crate) const STEP: Duration = Duration::from_millis(50);

/// An address that nobody listens on now.
pub(crate) fn free() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// The port of an address.
pub(crate) fn port(address: &str) -> &str {
    address.rsplit_once(':').unwrap().1
}

/// A real server with a folder of its own; both end with it.
pub(crate) struct Program {
    process: Child,
    pub(crate) folder: TempDir,
}

impl Drop for Program {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

impl Program {
    /// Starts `binary` and waits until it listens on `address`.
    pub(crate) fn start(
        binary: &str,
        folder: TempDir,
        arguments: &[String],
        address: &str,
    ) -> Self {
        assert!(Path::new(binary).exists(), "{binary} is missing: run cargo xtask tools");
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let process = Command::new(binary)
            .args(arguments)
            .current_dir(folder.path())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut program = Self { process, folder };
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            let ended = program.process.try_wait().unwrap();
            let log = || fs::read_to_string(program.folder.path().join("log")).unwrap();
            assert!(ended.is_none() && begun.elapsed() < SOON, "{binary}: {}", log());
            sleep(STEP);
        }
        program
    }
}

/// The answer's body.
pub(crate) fn get(address: &str, target: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET {target} HTTP/1.0\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

/// `InfluxDB` 1.
pub(crate) fn influxd(address: &str) -> Program {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display();
    let config = format!(
        "reporting-enabled = false\nbind-address = \"127.0.0.1:0\"\n[meta]\ndir = \"{path}/m\"\n\
         [data]\ndir = \"{path}/d\"\nwal-dir = \"{path}/w\"\n[monitor]\nstore-enabled = false\n\
         [retention]\nenabled = true\n[http]\nbind-address = \"{address}\"\n"
    );
    fs::write(folder.path().join("conf"), config).unwrap();
    Program::start("/usr/bin/influxd", folder, &["-config".into(), "conf".into()], address)
}

/// Prometheus, which takes remote write.
pub(crate) fn prometheus(address: &str, config: &str) -> Program {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("conf.yml"), config).unwrap();
    let arguments = [
        "--config.file=conf.yml".to_owned(),
        "--storage.tsdb.path=data".to_owned(),
        format!("--web.listen-address={address}"),
        "--web.enable-remote-write-receiver".to_owned(),
    ];
    Program::start("/usr/bin/prometheus", folder, &arguments, address)
}

/// Alertmanager, alone and with nobody to tell.
pub(crate) fn alertmanager(address: &str) -> Program {
    let folder = tempfile::tempdir().unwrap();
    let config = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n";
    fs::write(folder.path().join("conf.yml"), config).unwrap();
    let arguments = [
        "--config.file=conf.yml".to_owned(),
        "--storage.path=data".to_owned(),
        "--cluster.listen-address=".to_owned(),
        format!("--web.listen-address={address}"),
    ];
    Program::start("/usr/bin/prometheus-alertmanager", folder, &arguments, address)
}

/// `VictoriaMetrics` on its own port and on those of others' protocols.
pub(crate) fn victoria_metrics(http: &str, graphite: &str, opentsdb: &str) -> Program {
    let arguments = [
        "-storageDataPath=data".to_owned(),
        format!("-httpListenAddr={http}"),
        format!("-graphiteListenAddr={graphite}"),
        format!("-opentsdbHTTPListenAddr={opentsdb}"),
        "-dedup.minScrapeInterval=1ms".to_owned(),
        "-memory.allowedBytes=128MB".to_owned(),
    ];
    let folder = tempfile::tempdir().unwrap();
    let program = Program::start("/usr/bin/victoria-metrics", folder, &arguments, http);
    for address in [graphite, opentsdb] {
        while TcpStream::connect(address).is_err() {
            sleep(STEP);
        }
    }
    program
}

/// Every (labels, time in milliseconds, value) of the series that match, as `VictoriaMetrics`
/// exports them; what was sent twice is there twice until a query or a merge drops it.
pub(crate) fn exported(http: &str, matching: &str) -> Vec<(serde_json::Value, i64, f64)> {
    get(http, "/internal/force_flush");
    let text = get(http, &format!("/api/v1/export?reduce_mem_usage=1&match[]={matching}"));
    let mut points = Vec::new();
    for line in text.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let list = |name: &str| line[name].as_array().unwrap().clone();
        for (time, value) in list("timestamps").iter().zip(list("values")) {
            points.push((line["metric"].clone(), time.as_i64().unwrap(), value.as_f64().unwrap()));
        }
    }
    points
}

/// Graphite's own store, with a point in every step for so long (`60s:1d`).
pub(crate) fn carbon(address: &str, kept: &str) -> Program {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display();
    let (host, port) = address.split_once(':').unwrap();
    let config = format!(
        "[cache]\nSTORAGE_DIR = {path}\nLOCAL_DATA_DIR = {path}/whisper\nCONF_DIR = {path}\n\
         LOG_DIR = {path}\nPID_DIR = {path}\nLINE_RECEIVER_INTERFACE = {host}\n\
         LINE_RECEIVER_PORT = {port}\nPICKLE_RECEIVER_PORT = 0\nCACHE_QUERY_PORT = 0\n\
         MAX_UPDATES_PER_SECOND = inf\nMAX_CREATES_PER_MINUTE = inf\nENABLE_TAGS = False\n\
         CARBON_METRIC_INTERVAL = 0\n"
    );
    fs::write(folder.path().join("carbon.conf"), config).unwrap();
    let schemas = format!("[all]\npattern = .*\nretentions = {kept}\n");
    fs::write(folder.path().join("storage-schemas.conf"), schemas).unwrap();
    let arguments = [format!("--config={path}/carbon.conf"), "--nodaemon".into(), "start".into()];
    Program::start("/usr/bin/carbon-cache", folder, &arguments, address)
}

/// What carbon has under a path (`nodes/n1/cpu/usage_rate`): seconds and values.
pub(crate) fn whispered(carbon: &Program, path: &str) -> Vec<(i64, f64)> {
    let file = carbon.folder.path().join(format!("whisper/kubernetes/{path}.wsp"));
    let output = Command::new("/usr/bin/whisper-fetch").arg(file).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    // A slot that nothing came for has no value.
    let known = text.lines().filter_map(|line| line.split_once('\t'));
    let known = known.filter(|(_, value)| *value != "None");
    known.map(|(time, value)| (time.parse().unwrap(), value.parse().unwrap())).collect()
}
