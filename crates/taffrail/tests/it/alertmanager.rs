//! A real Alertmanager: an alert of ours fires there with its labels, is repeated, and is over
//! there when it is over here; rules that change while the process runs.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::beside::eventually;
use crate::real::{alertmanager, free, get};
use crate::served::Served;

/// The alerts of an Alertmanager.
fn alerts(address: &str) -> Result<Vec<Value>, String> {
    let body = get(address, "/api/v2/alerts");
    serde_json::from_str(&body).map_err(|error| format!("{error}: {body}"))
}

/// Pushes `heat{room="…"}` at this moment.
fn push(server: &Served, room: &str, heat: i64) {
    let now = server.get("/api/v1/query?query=time()")["data"]["result"][1].clone();
    let now: f64 = now.as_str().unwrap().parse().unwrap();
    let pushed = json!({ "resourceMetrics": [{ "scopeMetrics": [{ "metrics": [{
        "name": "heat",
        "gauge": { "dataPoints": [{
            "timeUnixNano": format!("{:.0}", now * 1e9),
            "asInt": heat.to_string(),
            "attributes": [{ "key": "room", "value": { "stringValue": room } }],
        }]},
    }]}]}]});
    assert_eq!(server.post("/v1/metrics", &pushed.to_string()), json!({ "partialSuccess": {} }));
}

const RULES: &str = "groups:\n- name: rooms\n  interval: 1s\n  rules:\n  - alert: Hot\n    expr: heat > 30\n    labels: {severity: page}\n    annotations: {summary: '{{ $labels.room }} has {{ $value }} degrees'}\n";

fn serve(rules: &Path, more: &[&str]) -> Served {
    let rules = format!("--rule-file={}", rules.display());
    let words =
        ["serve", "--source=host", "--metric-resolution=5s", "--no-history", "--no-builtin-rules"];
    Served::start(&[&words[..], &[rules.as_str()], more].concat())
}

#[test]
fn an_alert_fires_and_ends_at_an_alertmanager() {
    let (folder, address) = (tempfile::tempdir().unwrap(), free());
    let rules = folder.path().join("rules.yml");
    fs::write(&rules, RULES).unwrap();
    let _manager = alertmanager(&address);
    eventually("Alertmanager answers", || alerts(&address));
    let manager = format!("--alertmanager=http://{address}");
    let server = serve(&rules, &[&manager, "--external-url=http://taffrail.example"]);
    push(&server, "kitchen", 31);
    push(&server, "cellar", 12);
    let fired = eventually("the alert is there", || match alerts(&address)?.as_slice() {
        [one] => Ok(one.clone()),
        other => Err(format!("{other:?}")),
    });
    let labels = json!({ "alertname": "Hot", "room": "kitchen", "severity": "page" });
    assert_eq!((&fired["labels"], &fired["status"]["state"]), (&labels, &json!("active")));
    assert_eq!(fired["annotations"]["summary"], "kitchen has 31 degrees");
    let told = server.get("/api/v1/alertmanagers");
    let url = &told["data"]["activeAlertmanagers"][0]["url"];
    assert_eq!(url, &format!("http://{address}/api/v2/alerts"));
    let link = fired["generatorURL"].as_str().unwrap();
    assert!(link.starts_with("http://taffrail.example/alerts?"), "{link}");
    push(&server, "kitchen", 29);
    eventually("the alert is over", || match alerts(&address)?.as_slice() {
        [] => Ok(()),
        other => Err(format!("{other:?}")),
    });
    // It did not run out there: we said that it is over.
    let told = get(&address, "/metrics");
    let resolved = "alertmanager_alerts_received_total{status=\"resolved\",version=\"v2\"} 1";
    assert!(told.contains(resolved), "{told}");
}

/// The names of the rules, as Prometheus' API has them.
fn rules(server: &Served) -> Vec<String> {
    let told = server.get("/api/v1/rules");
    let groups = told["data"]["groups"].as_array().unwrap();
    let rules = groups.iter().flat_map(|group| group["rules"].as_array().unwrap());
    rules.map(|rule| rule["name"].as_str().unwrap().to_owned()).collect()
}

fn until_rules_are(server: &Served, expected: &[&str]) {
    eventually(&format!("the rules are {expected:?}"), || match rules(server) {
        found if found == expected => Ok(()),
        other => Err(other),
    });
}

fn problems(server: &Served) -> Vec<Value> {
    let status = server.get("/api/taffrail/v1/status");
    status["problems"].as_array().unwrap().clone()
}

#[test]
fn rule_files_are_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.yml");
    fs::write(&file, RULES).unwrap();
    let server = serve(&file, &[]);
    push(&server, "kitchen", 31);
    let fired = |server: &Served| {
        let told = server.get("/api/v1/alerts");
        told["data"]["alerts"][0]["activeAt"].as_str().map(str::to_owned).ok_or(told)
    };
    let since = eventually("the alert fires", || fired(&server));
    let with_another = format!("{RULES}  - record: heat:max\n    expr: max(heat)\n");
    // Asked for by HTTP.
    fs::write(&file, &with_another).unwrap();
    assert_eq!(server.post_text("/-/reload", ""), "");
    assert_eq!(rules(&server), ["Hot", "heat:max"]);
    assert_eq!(fired(&server), Ok(since.clone()), "the alert goes on");
    // Broken: the old rules stay, and why is said.
    fs::write(&file, "groups:\n- nom: x\n").unwrap();
    let told = server.post_text("/-/reload", "");
    assert!(told.contains("rules.yml:2: unknown key nom"), "{told}");
    assert_eq!(rules(&server), ["Hot", "heat:max"]);
    let problem = &problems(&server)[0];
    assert_eq!(problem["about"], "rule files");
    assert!(problem["reason"].as_str().unwrap().contains("unknown key nom"), "{problem}");
    // Whole again, and noticed without being asked.
    fs::write(&file, RULES.replace("heat > 30", "heat > 30.5")).unwrap();
    until_rules_are(&server, &["Hot"]);
    assert_eq!(problems(&server), [] as [Value; 0]);
    assert_eq!(fired(&server), Ok(since), "the alert goes on with another expression");
    // By a signal, as people know it. The group is gone, and its alert with it.
    fs::write(&file, "groups: []\n").unwrap();
    server.hang_up();
    until_rules_are(&server, &[]);
    let told = server.get("/api/taffrail/v1/alerts/history");
    assert_eq!(told["items"][0]["state"], "resolved", "{told}");
}
