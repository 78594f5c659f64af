//! The clients of the scale benchmark: an HPA controller's lists, a list of all pods, a dashboard,
//! and somebody who looks every second how old the newest measurements are. curl asks, over TLS and
//! with a token, so that nothing stands between it and the server.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, UNIX_EPOCH};

/// Lists that an HPA controller asks for in a turn.
const LISTS: usize = 100;
/// What a dashboard's pages ask for in a turn.
const PAGES: [&str; 5] =
    ["overview", "nodes?limit=50", "pods?limit=50&sort=cpu", "workloads", "namespaces"];
const BASE: &str = "/apis/metrics.k8s.io/v1beta1";

/// Where the server is, and with what it is asked.
pub(super) struct Place {
    secure: String,
    main: String,
    token: String,
    /// Namespaces with something in them, and what selects.
    selections: Vec<String>,
}

/// What was measured by asking; seconds, one for each question or node.
#[derive(Default)]
pub(super) struct Asked {
    pub(super) lists: Vec<f64>,
    pub(super) all_pods: Vec<f64>,
    pub(super) all_pods_mib: f64,
    pub(super) dashboard: Vec<f64>,
    /// How old a node's new sample was when it was first seen.
    pub(super) freshness: Vec<f64>,
}

impl Place {
    pub(super) fn new(port: u16, kubeconfig: &Path, main: &str) -> Result<Self, String> {
        let text = std::fs::read_to_string(kubeconfig).map_err(|error| error.to_string())?;
        let token = text.lines().find_map(|line| line.trim().strip_prefix("token: "));
        let token = token.ok_or("the kubeconfig has no token")?.to_owned();
        let pairs = [("web", "frontend"), ("shop", "config-sync"), ("kube-system", "kube-proxy")];
        let selections = pairs.map(|(namespace, app)| {
            format!("{BASE}/namespaces/{namespace}/pods?labelSelector=app%3D{app}")
        });
        Ok(Self {
            secure: format!("https://127.0.0.1:{port}"),
            main: format!("http://{main}/api/taffrail/v1/"),
            token,
            selections: selections.to_vec(),
        })
    }

    /// Time since `begun` until nodes are listed for the first time.
    pub(super) fn first_answer(
        &self,
        begun: Instant,
        patience: Duration,
    ) -> Result<Duration, String> {
        while begun.elapsed() < patience {
            let nodes = self.text(&format!("{BASE}/nodes")).unwrap_or_default();
            if nodes.contains("\"window\"") {
                return Ok(begun.elapsed());
            }
            thread::sleep(Duration::from_millis(200));
        }
        Err("metrics.k8s.io never listed a node".to_owned())
    }

    fn curl(&self) -> Command {
        let mut command = Command::new("/usr/bin/curl");
        command.args(["-sk", "--max-time", "60", "-H"]);
        command.arg(format!("Authorization: Bearer {}", self.token));
        command
    }

    fn text(&self, path: &str) -> Result<String, String> {
        let mut command = self.curl();
        let output = command.arg(format!("{}{path}", self.secure)).output();
        let output = output.map_err(|error| format!("curl: {error}"))?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Asks for all, one after the other over one connection: seconds and bytes of each.
    fn timed(&self, urls: &[String]) -> Result<Vec<(f64, f64)>, String> {
        let mut command = self.curl();
        command.args(["-w", "%{http_code} %{time_total} %{size_download}\\n"]);
        for url in urls {
            command.arg("-o").arg("/dev/null").arg(url);
        }
        let output = command.output().map_err(|error| format!("curl: {error}"))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut answers = Vec::new();
        for line in text.lines() {
            let words: Vec<f64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
            match words.as_slice() {
                [code, seconds, bytes] if (code - 200.0).abs() < 0.5 => {
                    answers.push((*seconds, *bytes));
                }
                _ => return Err(format!("asked for {urls:?}: {line}")),
            }
        }
        Ok(answers)
    }

    fn turn(&self, asked: &mut Asked) -> Result<(), String> {
        let lists: Vec<String> = self
            .selections
            .iter()
            .cycle()
            .take(LISTS)
            .map(|path| format!("{}{path}", self.secure))
            .collect();
        asked.lists.extend(self.timed(&lists)?.into_iter().map(|(seconds, _)| seconds));
        let all = [format!("{}{BASE}/pods", self.secure)];
        for (seconds, bytes) in self.timed(&all)? {
            asked.all_pods.push(seconds);
            asked.all_pods_mib = bytes / f64::from(1 << 20);
        }
        let pages = PAGES.map(|page| format!("{}{page}", self.main));
        asked.dashboard.extend(self.timed(&pages)?.into_iter().map(|(seconds, _)| seconds));
        Ok(())
    }

    /// Looks at all nodes once a second, until stopped.
    fn look(&self, stop: &AtomicBool) -> Result<Asked, String> {
        let (mut asked, mut seen) = (Asked::default(), HashMap::new());
        let mut command = self.curl();
        // Over one connection, as whoever watches: what is measured is no handshake.
        command.args(["-N", "--rate", "1/s", "-w", "%{stderr}\\n"]);
        command.arg(format!("{}{BASE}/nodes?look=[1-1000000]", self.secure));
        // curl holds back what it writes behind an answer, unless it is an error: into one pipe both.
        let (reader, writer) = std::io::pipe().map_err(|error| error.to_string())?;
        let both = writer.try_clone().map_err(|error| error.to_string())?;
        let child = command.stdout(both).stderr(writer).spawn();
        drop(command);
        let mut child = child.map_err(|error| format!("curl: {error}"))?;
        let lines = BufReader::new(reader).lines();
        for line in lines.take_while(|_| !stop.load(Ordering::Relaxed)) {
            let list = line.map_err(|error| format!("curl: {error}"))?;
            Self::learn(&list, &mut seen, &mut asked)?;
        }
        drop(child.kill());
        child.wait().map_err(|error| format!("curl: {error}"))?;
        if stop.load(Ordering::Relaxed) { Ok(asked) } else { Err("nodes are not listed".into()) }
    }

    /// How old the samples of a list of nodes are that were not there before.
    fn learn(
        list: &str,
        seen: &mut HashMap<String, String>,
        asked: &mut Asked,
    ) -> Result<(), String> {
        let now = UNIX_EPOCH.elapsed().map_err(|error| error.to_string())?.as_secs_f64();
        let first = seen.is_empty();
        for item in list.split("\"metadata\":{\"name\":\"").skip(1) {
            let name = item.split('"').next().unwrap_or_default();
            let Some((_, rest)) = item.split_once("\"timestamp\":\"") else { continue };
            let time = rest.split('"').next().unwrap_or_default();
            let before = seen.insert(name.to_owned(), time.to_owned());
            if !first
                && before.as_deref() != Some(time)
                && let Some(then) = seconds(time)
            {
                asked.freshness.push(now - then);
            }
        }
        Ok(())
    }
}

/// Seconds since the epoch of `2026-11-23T09:15:00Z`.
fn seconds(text: &str) -> Option<f64> {
    let numbers: Vec<i32> = text
        .split(|letter: char| !letter.is_ascii_digit())
        .filter_map(|part| part.parse().ok())
        .collect();
    let [year, month, day, hour, minute, second] = *numbers.as_slice() else { return None };
    // Days since 1970-03-01 of a year that begins in March (H. Hinnant's days_from_civil).
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let of_year = (153 * month + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some(f64::from(days) * 86_400.0 + f64::from(hour * 3600 + minute * 60 + second))
}

/// Clients at work.
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    turns: JoinHandle<Result<Asked, String>>,
    looks: JoinHandle<Result<Asked, String>>,
}

impl Load {
    pub(super) fn start(place: Place, every: Duration) -> Self {
        let (stop, place) = (Arc::new(AtomicBool::new(false)), Arc::new(place));
        let (stopped, there) = (Arc::clone(&stop), Arc::clone(&place));
        let turns = thread::spawn(move || {
            let mut asked = Asked::default();
            while !stopped.load(Ordering::Relaxed) {
                let begun = Instant::now();
                there.turn(&mut asked)?;
                pause(begun, every, &stopped);
            }
            Ok(asked)
        });
        let stopped = Arc::clone(&stop);
        let looks = thread::spawn(move || place.look(&stopped));
        Self { stop, turns, looks }
    }

    /// Stops them; what they measured.
    pub(super) fn end(self) -> Result<Asked, String> {
        self.stop.store(true, Ordering::Relaxed);
        let join = |thread: JoinHandle<Result<Asked, String>>| {
            thread.join().map_err(|_| "a client broke down".to_owned())?
        };
        let (turns, looks) = (join(self.turns)?, join(self.looks)?);
        Ok(Asked { freshness: looks.freshness, ..turns })
    }
}

/// Waits until `every` has gone by since `begun`.
fn pause(begun: Instant, every: Duration, stop: &AtomicBool) {
    while begun.elapsed() < every && !stop.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(100));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", 0.0),
            ("2026-11-23T09:15:00Z", 1_795_425_300.0),
            ("2024-02-29T00:00:01Z", 1_709_164_801.0),
        ] {
            assert!((seconds(text).unwrap_or(-1.0) - expected).abs() < 0.1, "{text}");
        }
    }
}
