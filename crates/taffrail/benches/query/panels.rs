//! The queries of dashboards: the kubernetes-mixin's, and those of deploy/grafana.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

/// A dashboard's query, its variables filled.
pub(crate) struct Panel {
    pub(crate) place: String,
    pub(crate) expression: String,
}

/// Every query once.
pub(crate) fn all() -> Vec<Panel> {
    let mut seen = BTreeSet::new();
    let mut panels = mixin();
    panels.extend(grafana());
    panels.retain(|panel| seen.insert(panel.expression.clone()));
    panels
}

fn mixin() -> Vec<Panel> {
    let text = include_str!("../../tests/fixtures/mixin.tsv");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let panel = |line: &str| {
        let (place, expression) = line.rsplit_once('\t').unwrap();
        Panel { place: place.replace('\t', ", "), expression: filled(expression) }
    };
    lines.map(panel).collect()
}

fn grafana() -> Vec<Panel> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/grafana/dashboards");
    let mut panels = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let board = std::fs::read(file.unwrap().path()).unwrap();
        let board: Value = serde_json::from_slice(&board).unwrap();
        for panel in board["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().into_iter().flatten() {
                // A query of InfluxDB's has none.
                let Some(expression) = target["expr"].as_str() else { continue };
                // Nobody else holds what Taffrail says of itself.
                if expression.contains("job=\"taffrail\"") {
                    continue;
                }
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                let place = format!("{}, {}", text(&board["title"]), text(&panel["title"]));
                panels.push(Panel { place, expression: filled(expression) });
            }
        }
    }
    panels
}

/// The expression as Grafana sends it, for any value of its variables.
fn filled(expression: &str) -> String {
    let mut text = expression.replace("$__rate_interval", "5m").replace("\"$cluster\"", "\"\"");
    for name in ["namespace", "pod", "node", "workload", "type"] {
        text = text.replace(&format!("=\"${name}\""), "=~\".+\"");
        text = text.replace(&format!("\"${name}\""), "\".+\"");
    }
    text
}
