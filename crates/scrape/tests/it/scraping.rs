//! Programs that answer well and badly, side by side.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use model::SharedInventory;
use pipeline::Clock;
use scrape::{Limits, Scraper, Settings};

use crate::kept::{Kept, newest};
use crate::program::{inventory, pod, serve};

const TEXT: &str = "text/plain; version=0.0.4";

fn settings() -> Settings {
    Settings {
        annotations: true,
        interval: Duration::from_secs(1),
        timeout: Duration::from_millis(700),
        limits: Limits { samples: 1000, body_bytes: 1 << 20, ..Limits::default() },
        ..Settings::default()
    }
}

fn scraper(inventory: &SharedInventory, kept: &Arc<Kept>) -> Scraper {
    let keep = Arc::<Kept>::clone(kept);
    Scraper::new(settings(), Arc::clone(inventory), keep, Clock::system())
}

/// `count` series.
fn many(count: usize) -> Vec<u8> {
    let mut text = String::new();
    for i in 0..count {
        writeln!(text, "m{{i=\"{i}\"}} {i}").unwrap();
    }
    text.into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fails_alone_and_by_name() {
    let address = serve(Arc::new(|path, _| match path {
        "/good" | "/gzip" => Some(("200 OK", TEXT, b"# TYPE a counter\na{x=\"1\"} 2\n".to_vec())),
        "/open" => {
            let open = "application/openmetrics-text; version=1.0.0";
            Some(("200 OK", open, b"# TYPE a counter\na_total 3\n# EOF\n".to_vec()))
        }
        "/broken" => Some(("200 OK", TEXT, b"a 1\nb{ 2\n".to_vec())),
        "/many" => Some(("200 OK", TEXT, many(1001))),
        "/large" | "/bomb-gzip" => Some(("200 OK", TEXT, vec![b'#'; 2 << 20])),
        "/bytes" => Some(("200 OK", TEXT, b"a{x=\"\xff\"} 1\n".to_vec())),
        "/500" => Some(("500 Internal Server Error", TEXT, Vec::new())),
        _ => None,
    }));
    let bad = ["/broken", "/many", "/large", "/bomb-gzip", "/bytes", "/500", "/hang"];
    let paths = ["/good", "/gzip", "/open"].into_iter().chain(bad);
    let mut pods: Vec<_> =
        paths.map(|path| pod(path.trim_start_matches('/'), address, path)).collect();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    pods.push(pod("closed", closed, "/metrics"));
    let all = pods.len();
    let (inventory, kept) = (inventory(pods, Vec::new()), Arc::new(Kept::default()));
    let scraper = scraper(&inventory, &kept);
    let running = tokio::spawn(scraper.clone().run());
    let up = |series: &crate::kept::Series, name: &str| {
        newest(series, &["__name__=\"up\"", &format!("pod=\"{name}\"")])
    };
    let series = kept
        .until("all asked twice", |series| {
            let ups = series.iter().filter(|(labels, _)| labels.contains("__name__=\"up\""));
            let twice = ups.filter(|(_, samples)| samples.len() > 1);
            twice.count() == all
        })
        .await;
    for name in ["good", "gzip", "open"] {
        assert_eq!(up(&series, name), Some(1.0), "{name}");
    }
    for name in bad.map(|path| path.trim_start_matches('/')).into_iter().chain(["closed"]) {
        assert_eq!(up(&series, name), Some(0.0), "{name}");
    }
    let of = |name: &str, pod: &str| {
        newest(&series, &[&format!("__name__=\"{name}\""), &format!("pod=\"{pod}\"")])
    };
    assert_eq!(
        (of("a", "good"), of("a", "gzip"), of("a_total", "open")),
        (Some(2.0), Some(2.0), Some(3.0))
    );
    assert_eq!(of("scrape_samples_scraped", "good"), Some(1.0));
    assert_eq!(of("scrape_series_added", "good"), Some(0.0), "the second time");
    assert!(!series.keys().any(|labels| labels.contains("__name__=\"m\"")));
    let targets = scraper.targets();
    for (name, expected) in [
        ("broken", "not in Prometheus' format: line 2"),
        ("many", "more than 1000 samples"),
        ("large", "larger than 1048576 bytes"),
        ("bomb-gzip", "larger than 1048576 bytes"),
        ("bytes", "not UTF-8 at byte 5"),
        ("500", "HTTP status 500"),
        ("hang", "no answer within 700ms"),
        ("closed", "Connection refused"),
        ("good", ""),
    ] {
        let of =
            |target: &&scrape::ShownTarget| target.labels.iter().any(|(_, value)| **value == *name);
        let target = targets.active.iter().find(of).unwrap();
        assert!(target.standing.error.contains(expected), "{name}: {}", target.standing.error);
    }
    let summary = scraper.summary();
    assert_eq!((summary.up, summary.down), (3, bad.len() + 1));
    running.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_ends() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let address = serve(Arc::new(move |_, _| {
        let once = if counted.fetch_add(1, Ordering::Relaxed) == 0 { "once 1\n" } else { "" };
        Some(("200 OK", TEXT, format!("always 1\n{once}").into_bytes()))
    }));
    let inventory = inventory(vec![pod("web", address, "")], Vec::new());
    let kept = Arc::new(Kept::default());
    let running = tokio::spawn(scraper(&inventory, &kept).run());
    let is_stale = |series: &crate::kept::Series, name: &str| {
        let samples =
            series.iter().find(|(labels, _)| labels.contains(&format!("__name__=\"{name}\"")));
        samples.is_some_and(|(_, samples)| {
            samples.last().unwrap().1.to_bits() == scrape::STALE.to_bits()
        })
    };
    let series = kept.until("the first series ended", |series| is_stale(series, "once")).await;
    assert!(!is_stale(&series, "always"));
    inventory.write().unwrap().remove_pod("shop", "web");
    let series = kept.until("everything ended", |series| is_stale(series, "up")).await;
    assert!(is_stale(&series, "always") && is_stale(&series, "scrape_duration_seconds"));
    let times = |samples: &Vec<(i64, f64)>| samples.windows(2).all(|pair| pair[0].0 < pair[1].0);
    assert!(series.values().all(times), "{series:?}");
    running.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_replicas_targets_are_not_asked() {
    let address = serve(Arc::new(|_, _| Some(("200 OK", TEXT, b"a 1\n".to_vec()))));
    let pods = vec![pod("mine", address, "/mine"), pod("theirs", address, "/theirs")];
    let (inventory, kept) = (inventory(pods, Vec::new()), Arc::new(Kept::default()));
    let keep = Arc::<Kept>::clone(&kept);
    let scraper = Scraper::shared_with(settings(), inventory, keep, Clock::system(), |key| {
        key.contains("/mine")
    });
    let running = tokio::spawn(scraper.clone().run());
    let series =
        kept.until("asked twice", |series| series.values().any(|samples| samples.len() > 1)).await;
    assert!(series.keys().all(|labels| labels.contains("pod=\"mine\"")), "{series:?}");
    assert_eq!(scraper.targets().active.iter().filter(|target| target.mine).count(), 1);
    running.abort();
}
