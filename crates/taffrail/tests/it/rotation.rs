//! The token is replaced and the old one revoked while `taffrail serve` runs: no tick is lost.

use std::path::Path;

use serde_json::Value;
use sim::{Control, Sim};
use tokio::task::spawn_blocking;

use crate::beside::until;
use crate::served::Served;
use crate::simulated::sized;

const PREFIX: &str = "/api/taffrail/v1";
const TICK_MS: i64 = 5000;

fn newest(served: &Served) -> i64 {
    let status = served.get(&format!("{PREFIX}/status"));
    status["lastBatch"]["timestamp"].as_i64().unwrap_or(0)
}

/// Times at which a node has samples, from `since` on.
fn samples(served: &Served, node: &str, since: i64) -> Vec<i64> {
    let body = serde_json::json!({
        "start": since, "end": since + 3_600_000, "points": 4000,
        "series": [{ "kind": "node", "name": node, "metric": "memory/working_set" }],
    });
    let answer = served.post(&format!("{PREFIX}/query"), &body.to_string());
    let values = answer["series"][0]["avg"].as_array().unwrap();
    let times = answer["timestamps"].as_array().unwrap();
    let known = times.iter().zip(values).filter(|(_, value)| !value.is_null());
    known.map(|(time, _)| time.as_i64().unwrap()).collect()
}

fn run(folder: &Path, control: &Control, first: &str) {
    let source = format!(
        "--source=kubernetes.summary_api:?auth={}&kubeletVia=direct",
        folder.join("config").display()
    );
    let served = Served::start(&["serve", &source, "--no-history", "--metric-resolution=5s"]);
    until("the first tick", || newest(&served) > 0);
    let before = newest(&served);
    let mut old = first.to_owned();
    for _ in 0..2 {
        let seen = newest(&served);
        let fresh = control.issue_token(None);
        std::fs::write(folder.join("token"), &fresh).unwrap();
        assert!(control.revoke_token(&old));
        old = fresh;
        until("two more ticks", || newest(&served) >= seen + 2 * TICK_MS);
    }
    let after = newest(&served);
    for node in ["node-1", "node-2", "node-3"] {
        let times = samples(&served, node, before);
        let whole = usize::try_from((after - before) / TICK_MS + 1).unwrap();
        assert!(times.len() >= whole, "{node} missed a tick of {whole}: {times:?}");
    }
    let targets = served.get(&format!("{PREFIX}/targets"));
    for target in targets["items"].as_array().unwrap() {
        assert_eq!((&target["state"], &target["verified"]), (&"up".into(), &"address".into()));
    }
    // The watches go on too: each asks again with the token that is good.
    let status = served.get(&format!("{PREFIX}/status"));
    assert_eq!(status["problems"], Value::Array(Vec::new()), "{status:#}");
    let renewed = served.text("/metrics");
    let line = renewed.lines().find(|line| line.starts_with("taffrail_credentials_renewed_total "));
    assert!(line.is_some(), "nothing was read anew");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotated_token_costs_no_tick() {
    let sim = Sim::start(sized(3, 3)).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let token = sim.token().to_owned();
    let text = sim.kubeconfig().replace(&format!("token: {token}"), "tokenFile: token");
    std::fs::write(folder.path().join("config"), text).unwrap();
    std::fs::write(folder.path().join("token"), &token).unwrap();
    let control = sim.control();
    let served = tokio::spawn(async move { sim.run(std::future::pending()).await });
    spawn_blocking(move || run(folder.path(), &control, &token)).await.unwrap();
    served.abort();
}
