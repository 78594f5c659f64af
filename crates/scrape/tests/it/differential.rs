//! A real Prometheus 2.42 and this crate scrape the same program by the same rules: the same
//! series come of it, with the same values.
//!
//! Needs `prometheus` (Debian's package; `cargo xtask tools`).

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{
    Monitor, MonitorEndpoint, MonitorKind, PortChoice, RelabelRule, Requirement, ScrapeTls,
};
use pipeline::Clock;
use scrape::{STALE, Scraper, Settings};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use crate::kept::{Kept, Series};
use crate::program::{inventory, pod, serve};

/// How long Prometheus may take until it has scraped.
const PATIENCE: Duration = Duration::from_mins(1);

const BODY: &str = r#"# HELP requests_total Requests.
# TYPE requests_total counter
requests_total{code="200",method="GET",path="/a b"} 12.5
requests_total{code="500",method="POST"} 3
requests_total {code="404" , method="GET" , } 1
# TYPE latency histogram
latency_bucket{le="0.1"} 1
latency_bucket{le="1"} 2
latency_bucket{le="+Inf"} 3
latency_sum 0.75
latency_count 3
# TYPE queue gauge
queue{name="a\\b\"c\nd",empty=""} -Inf
queue{name="Mixed_Case-9"} 1e-300
queue{name="tab",pod="own",exported_pod="earlier"}	+Inf
odd_value{kind="small"} 4.9406564584124654e-324
odd_value{kind="zero"} -0
with_colon:sum 7
collides{job="own",namespace="own",instance="own",container=""} 1
unicode{name="grün",short="ß"} 1
"#;

const OPEN: &str = "# TYPE jobs counter\n# UNIT jobs_seconds seconds\njobs_total{q=\"a\"} 17.5 # {id=\"1\"} 0.5\n\
    jobs_created{q=\"a\"} 1520872607.123\n# TYPE up_info info\nup_info{v=\"1\"} 1\n# EOF\n";

/// One way to be scraped.
struct Case {
    path: &'static str,
    honor: bool,
    relabel: Vec<RelabelRule>,
    metric_relabel: Vec<RelabelRule>,
}

fn rule(
    action: &str,
    sources: &str,
    regex: Option<&str>,
    target: &str,
    replacement: Option<&str>,
) -> RelabelRule {
    let sources = sources.split(',').filter(|name| !name.is_empty()).map(Box::from);
    RelabelRule {
        action: action.into(),
        source_labels: sources.collect(),
        regex: regex.map(Box::from),
        target_label: target.into(),
        replacement: replacement.map(Box::from),
        ..RelabelRule::default()
    }
}

fn cases() -> Vec<Case> {
    let hashed = |source: &str, modulus| RelabelRule {
        modulus,
        ..rule("hashmod", source, None, "shard", None)
    };
    let joined = RelabelRule {
        separator: Some("".into()),
        ..rule("replace", "code,method", None, "both", None)
    };
    let dashed = RelabelRule {
        separator: Some("-".into()),
        ..rule("uppercase", "name,code", None, "up", None)
    };
    let metric: Vec<Vec<RelabelRule>> = vec![
        vec![],
        vec![joined],
        vec![dashed],
        vec![rule("replace", "path", Some("/(.*) (.*)"), "path", Some("$2-${1}-$3$$"))],
        vec![rule("replace", "code", Some("(\\d)(\\d+)"), "class_$1", Some("${1}xx"))],
        vec![rule("replace", "code", Some("(?P<first>.).*"), "first", Some("$first"))],
        vec![rule("replace", "code", Some("2.*"), "code", Some(""))],
        vec![rule("replace", "", None, "fixed", Some("always"))],
        vec![rule("replace", "name", Some("([\\w-]+)"), "word", Some("$1"))],
        vec![rule("replace", "name", Some("gr.n"), "green", Some("yes"))],
        vec![rule("replace", "name", Some("a.*d"), "dot", Some("matches a newline"))],
        vec![rule("keep", "__name__", Some("requests_total|latency_.+"), "", None)],
        vec![rule("drop", "__name__,le", Some("latency_bucket;(0\\.1|1)"), "", None)],
        vec![rule("drop", "code", Some("50"), "", None)],
        vec![rule("keepequal", "pod", None, "exported_pod", None)],
        vec![rule("dropequal", "method", None, "method", None)],
        vec![hashed("name", 7)],
        vec![hashed("code,method", 1_000_003)],
        vec![rule("labelmap", "", Some("(co|me)(.+)"), "", Some("m_${2}_$1"))],
        vec![rule("labelmap", "", Some("exported_(.+)"), "", None)],
        vec![rule("labeldrop", "", Some("code|na.*"), "", None)],
        vec![rule("labelkeep", "", Some("__name__|job|instance|code|le|name"), "", None)],
        vec![
            rule("lowercase", "name", None, "name", None),
            rule("uppercase", "short", None, "short", None),
        ],
        vec![rule("Replace", "__name__", Some("(.+)_total"), "__name__", Some("renamed:$1"))],
    ];
    let mut cases: Vec<Case> = metric
        .into_iter()
        .map(|metric_relabel| Case { path: "/text", honor: false, relabel: vec![], metric_relabel })
        .collect();
    cases.push(Case { path: "/text", honor: true, relabel: vec![], metric_relabel: vec![] });
    cases.push(Case { path: "/open", honor: false, relabel: vec![], metric_relabel: vec![] });
    let of_targets = vec![
        rule("replace", "__meta_kubernetes_pod_node_name", None, "node", None),
        rule(
            "replace",
            "__meta_kubernetes_pod_label_app,__meta_kubernetes_namespace",
            Some("(.+);(.+)"),
            "job",
            Some("$2/$1"),
        ),
        rule("labelmap", "", Some("__meta_kubernetes_pod_label_(.+)"), "", None),
        rule("replace", "", None, "instance", Some("somewhere")),
        rule("replace", "", None, "__tmp_x", Some("gone")),
    ];
    cases.push(Case { path: "/text", honor: false, relabel: of_targets, metric_relabel: vec![] });
    let dropped = vec![rule("drop", "__meta_kubernetes_pod_name", Some("program"), "", None)];
    cases.push(Case { path: "/text", honor: false, relabel: dropped, metric_relabel: vec![] });
    let path = vec![rule("replace", "", None, "__metrics_path__", Some("/open"))];
    cases.push(Case { path: "/text", honor: false, relabel: path, metric_relabel: vec![] });
    cases
}

fn monitor(index: usize, case: &Case) -> Monitor {
    let endpoint = MonitorEndpoint {
        port: PortChoice::Name("metrics".into()),
        path: case.path.into(),
        scheme: "".into(),
        params: Box::default(),
        interval: "1s".into(),
        timeout: "900ms".into(),
        honor_labels: case.honor,
        honor_timestamps: true,
        only_running: true,
        tls: ScrapeTls::default(),
        relabel: case.relabel.clone().into(),
        metric_relabel: case.metric_relabel.clone().into(),
        refused: None,
    };
    Monitor {
        kind: MonitorKind::Pod,
        namespace: "shop".into(),
        name: format!("case-{index:02}").into(),
        selector: [Requirement::In("app".into(), ["program".into()].into())].into(),
        endpoints: [endpoint].into(),
        ..Monitor::default()
    }
}

/// A rule as Prometheus' configuration has it.
fn written(rule: &RelabelRule) -> Value {
    let mut json = json!({ "action": rule.action });
    if !rule.source_labels.is_empty() {
        json["source_labels"] =
            rule.source_labels.iter().map(|name| Value::from(&**name)).collect();
    }
    for (key, value) in
        [("separator", &rule.separator), ("regex", &rule.regex), ("replacement", &rule.replacement)]
    {
        if let Some(value) = value {
            json[key] = (**value).into();
        }
    }
    if !rule.target_label.is_empty() {
        json["target_label"] = (*rule.target_label).into();
    }
    if rule.modulus > 0 {
        json["modulus"] = rule.modulus.into();
    }
    json
}

/// What the operator writes for such a monitor.
fn job(index: usize, case: &Case, discovered: &BTreeMap<String, String>) -> Value {
    let copied = |from: &str, to: &str| json!({ "source_labels": [from], "target_label": to });
    let mut relabel = vec![
        json!({ "source_labels": ["job"], "target_label": "__tmp_prometheus_job_name" }),
        json!({
            "action": "keep", "source_labels": ["__meta_kubernetes_pod_container_port_name"],
            "regex": "metrics",
        }),
        copied("__meta_kubernetes_namespace", "namespace"),
        copied("__meta_kubernetes_pod_container_name", "container"),
        copied("__meta_kubernetes_pod_name", "pod"),
        json!({ "target_label": "job", "replacement": format!("shop/case-{index:02}") }),
        json!({ "target_label": "endpoint", "replacement": "metrics" }),
    ];
    relabel.extend(case.relabel.iter().map(written));
    let own = |name: &str| name.starts_with("__meta_");
    let labels: BTreeMap<_, _> = discovered.iter().filter(|(name, _)| own(name)).collect();
    json!({
        "job_name": format!("podMonitor/shop/case-{index:02}/0"),
        "honor_labels": case.honor,
        "metrics_path": case.path,
        "scrape_interval": "1s",
        "scrape_timeout": "900ms",
        "static_configs": [{ "targets": [discovered["__address__"]], "labels": labels }],
        "relabel_configs": relabel,
        "metric_relabel_configs": case.metric_relabel.iter().map(written).collect::<Vec<_>>(),
    })
}

struct Prometheus {
    child: Child,
    at: SocketAddr,
    folder: tempfile::TempDir,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Prometheus {
    fn start(jobs: &[Value]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("prometheus.yml");
        // JSON is YAML.
        fs::write(&config, json!({ "scrape_configs": jobs }).to_string()).unwrap();
        let at = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={at}"))
            .arg("--log.level=error")
            .stdin(Stdio::null())
            .spawn();
        assert!(child.is_ok(), "prometheus does not run; `cargo xtask tools` installs it");
        let child = child.unwrap();
        Self { child, at, folder }
    }

    fn get(&self, path: &str) -> Option<Value> {
        let mut stream = TcpStream::connect(self.at).ok()?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()
    }

    /// The newest value of every series, once every job has been scraped.
    fn series(&self, jobs: usize) -> BTreeMap<String, f64> {
        let begin = Instant::now();
        loop {
            assert!(
                begin.elapsed() < PATIENCE,
                "prometheus never scraped, in {}",
                self.folder.path().display()
            );
            let up = self.get("/api/v1/query?query=count(up)");
            let count =
                up.and_then(|up| up["data"]["result"][0]["value"][1].as_str().map(str::to_owned));
            if count.as_deref() == Some(&*jobs.to_string()) {
                break;
            }
            std::thread::yield_now();
        }
        let answer = self.get("/api/v1/query?query=%7B__name__%3D~%22.%2B%22%7D").unwrap();
        let result = answer["data"]["result"].as_array().unwrap();
        let one = |series: &Value| {
            let labels: BTreeMap<String, String> =
                serde_json::from_value(series["metric"].clone()).unwrap();
            let pairs: Vec<String> =
                labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
            (pairs.join(","), series["value"][1].as_str().unwrap().parse().unwrap())
        };
        result.iter().map(one).collect()
    }
}

fn newest(series: &Series) -> BTreeMap<String, f64> {
    let last = series.iter().map(|(labels, samples)| (labels.clone(), samples.last().unwrap().1));
    last.filter(|(_, value)| value.to_bits() != STALE.to_bits()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_makes_the_same_series() {
    let address = serve(Arc::new(|path, _| {
        Some(match path {
            "/open" => ("200 OK", "application/openmetrics-text; version=1.0.0", OPEN.into()),
            _ => ("200 OK", "text/plain; version=0.0.4", BODY.into()),
        })
    }));
    let cases = cases();
    let monitors = cases.iter().enumerate().map(|(index, case)| monitor(index, case));
    let inventory = inventory(vec![pod("program", address, "")], monitors.collect());
    let kept = Arc::new(Kept::default());
    let keep = Arc::<Kept>::clone(&kept);
    let settings = Settings { monitors: true, ..Settings::default() };
    let scraper = Scraper::new(settings, inventory, keep, Clock::system());
    let found = scraper.targets();
    assert_eq!(
        (found.active.len(), found.dropped.len()),
        (cases.len() - 1, 1),
        "{:?}",
        found.refused
    );
    let discovered: BTreeMap<String, String> = found.active[0].discovered.iter().cloned().collect();
    let jobs = cases.iter().enumerate().map(|(index, case)| job(index, case, &discovered));
    let prometheus = Prometheus::start(&jobs.collect::<Vec<_>>());
    let running = tokio::spawn(scraper.run());
    let expected = cases.len() - 1;
    let kept = kept
        .until("all asked twice", |series| {
            let ups = series.iter().filter(|(labels, _)| labels.contains("__name__=\"up\""));
            ups.filter(|(_, samples)| samples.len() > 1).count() == expected
        })
        .await;
    running.abort();
    let theirs = spawn_blocking(move || prometheus.series(expected)).await.unwrap();
    let mut mine = newest(&kept);
    let mut theirs = theirs;
    // How long it took and what was new differs from scrape to scrape.
    for series in [&mut mine, &mut theirs] {
        series.retain(|labels, _| {
            !labels.contains("scrape_duration_seconds") && !labels.contains("scrape_series_added")
        });
    }
    let only = |these: &BTreeMap<String, f64>, those: &BTreeMap<String, f64>| -> Vec<String> {
        let differs = |value: f64, other: Option<&f64>| {
            other.is_none_or(|other| other.to_bits() != value.to_bits())
        };
        let apart = these.iter().filter(|(labels, value)| differs(**value, those.get(*labels)));
        apart.map(|(labels, value)| format!("{labels} {value:e}")).collect()
    };
    let (ours_only, theirs_only) = (only(&mine, &theirs), only(&theirs, &mine));
    assert!(
        ours_only.is_empty() && theirs_only.is_empty(),
        "only here:\n{}\nonly in Prometheus:\n{}",
        ours_only.join("\n"),
        theirs_only.join("\n")
    );
    assert!(mine.len() > 400, "{} series are too few to prove anything", mine.len());
}
