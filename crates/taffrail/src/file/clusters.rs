//! The key `clusters`: what each of several clusters has of its own, over what the file says for
//! all of them. `{cluster}` in a text stands for the cluster's name.

use std::collections::HashMap;

use once::Order as _;
use yaml::{Node, Value};

use super::{File, Item, Mistakes};
use crate::outputs;

/// What stands for the cluster's name.
const PLACE: &str = "{cluster}";
/// The key that names a cluster.
const NAME: &str = "name";
/// What two clusters must not have in common: flags, and whether each must be given.
const OWN: [(&str, bool); 3] = [("source", true), ("listen", true), ("data-dir", false)];

/// A cluster's name, its line and its words.
struct Cluster {
    name: String,
    line: usize,
    words: Vec<String>,
}

/// Each cluster of `list` with its words: those of `common`, then its own.
pub(super) fn read(common: &[Item], list: &Node) -> Result<Vec<(String, Vec<String>)>, Mistakes> {
    let Value::List(entries) = &list.value else {
        return Err(vec![(list.line, "clusters: must be a list".to_owned())]);
    };
    let (mut clusters, mut mistakes) = (Vec::new(), Mistakes::new());
    for (at, entry) in entries.iter().enumerate() {
        match one(common, &format!("clusters[{at}]"), entry) {
            Ok(cluster) => clusters.push(cluster),
            Err(wrong) => mistakes.extend(wrong),
        }
    }
    shared(&clusters, &mut mistakes);
    // What is wrong for all of them is told once.
    mistakes.order();
    mistakes.dedup();
    if mistakes.is_empty() {
        Ok(clusters.into_iter().map(|Cluster { name, words, .. }| (name, words)).collect())
    } else {
        Err(mistakes)
    }
}

fn one(common: &[Item], place: &str, entry: &Node) -> Result<Cluster, Mistakes> {
    let wrong = |line, what: &str| Err(vec![(line, format!("{place}: {what}"))]);
    let Value::Map(items) = &entry.value else {
        return wrong(entry.line, "must hold keys, one of them name");
    };
    let (named, own): (Vec<&Item>, Vec<&Item>) = items.iter().partition(|(key, ..)| key == NAME);
    let plain = |name: &str| {
        let kept = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        !name.is_empty() && name.len() <= 63 && name.bytes().all(kept) && !name.starts_with('.')
    };
    let name = match named.first().map(|(_, _, node)| (&node.value, node.line)) {
        Some((Value::Text(name), _)) if plain(name) => name,
        Some((_, line)) => {
            return wrong(line, "a name is up to 63 letters, digits, dots, - and _");
        }
        None => return wrong(entry.line, "no name"),
    };
    let mut file = File { cluster: Some(name.clone()), ..File::default() };
    let filled = |item: &Item| (item.0.clone(), item.1, filled_in(&item.2, name));
    file.map("", &common.iter().map(filled).collect::<Vec<_>>());
    file.place = format!("{place}.");
    file.map("", &own.into_iter().map(filled).collect::<Vec<_>>());
    if file.mistakes.is_empty() {
        Ok(Cluster { name: name.clone(), line: entry.line, words: file.words })
    } else {
        Err(file.mistakes)
    }
}

/// `node` with the cluster's name where its place is.
fn filled_in(node: &Node, name: &str) -> Node {
    let value = match &node.value {
        Value::Null => Value::Null,
        Value::Text(text) => Value::Text(text.replace(PLACE, name)),
        Value::List(items) => Value::List(items.iter().map(|item| filled_in(item, name)).collect()),
        Value::Map(items) => Value::Map(
            items
                .iter()
                .map(|(key, line, node)| (key.clone(), *line, filled_in(node, name)))
                .collect(),
        ),
    };
    Node { line: node.line, value }
}

/// Tells what a cluster has in common with one before it, and must not.
fn shared(clusters: &[Cluster], mistakes: &mut Mistakes) {
    let mut owners: HashMap<String, &str> = HashMap::new();
    for (at, Cluster { name, line, words }) in clusters.iter().enumerate() {
        if clusters[..at].iter().any(|before| before.name == *name) {
            mistakes.push((*line, format!("two clusters have the name {name}")));
            continue;
        }
        let mut owned = Vec::new();
        for (flag, needed) in OWN {
            let begin = format!("--{flag}=");
            match words.iter().rev().find_map(|word| word.strip_prefix(&begin)) {
                // Any free port.
                Some(value) if flag == "listen" && value.ends_with(":0") => {}
                Some(value) => owned.push(format!("{} {value}", flag.replace('-', "_"))),
                None if needed => {
                    mistakes.push((*line, format!("the cluster {name} has no {flag}")));
                }
                None => {}
            }
        }
        owned.extend(words.iter().flat_map(|word| folders(word)));
        owned.order();
        owned.dedup();
        for thing in owned {
            if let Some(other) = owners.get(&thing) {
                let what = format!("the clusters {other} and {name} both have the {thing}");
                mistakes.push((*line, format!("{what}: write {PLACE} into it, or two")));
            } else {
                owners.insert(thing, name);
            }
        }
    }
}

/// Folders that the sink of a word writes into.
fn folders(word: &str) -> Vec<String> {
    let sink = ["--sink=", "--event-sink=", "--alert-sink="]
        .iter()
        .find_map(|flag| word.strip_prefix(flag));
    let Some((key, settings)) = sink.and_then(|sink| outputs::parse(sink).ok()) else {
        return Vec::new();
    };
    let writes = |name: &str| name == "queue" || (name == "address" && key == "files");
    settings
        .into_iter()
        .filter(|(name, _)| writes(name))
        .map(|(name, value)| {
            let what = if name == "queue" { "queue" } else { "folder of files" };
            format!("{what} {value}")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Said, read};

    const FILE: &str = "metric_resolution: 30s
data_dir: /var/lib/taffrail/{cluster}
sinks:
  - kind: influxdb
    address: http://influxdb:8086
    queue: /var/lib/queue/{cluster}
  - kind: graphite
    address: tcp://carbon:2003
    prefix: k8s.{cluster}
  - \"remotewrite:http://prometheus:9090/api/v1/write\"
clusters:
  - name: production
    source: kubernetes.summary_api:https://prod:6443
    listen: 127.0.0.1:8082
  - name: staging
    source: kubernetes.summary_api:https://staging:6443
    listen: 127.0.0.1:8083
    metric_resolution: 60s
    sinks:
      - log
      - kind: influxdb
        address: http://other:8086
        cluster_name: s
";

    #[test]
    fn each_cluster_has_its_own_over_what_all_have() {
        let Said::Many(clusters) = read(FILE).unwrap() else { panic!("one") };
        let [(production, words), (staging, other)] = &clusters[..] else { panic!("{clusters:?}") };
        assert_eq!((&**production, &**staging), ("production", "staging"));
        let expected = [
            "--metric-resolution=30s",
            "--data-dir=/var/lib/taffrail/production",
            "--sink=influxdb:http://influxdb:8086?queue=%2Fvar%2Flib%2Fqueue%2Fproduction&cluster%5Fname=production",
            "--sink=graphite:tcp://carbon:2003?prefix=k8s%2Eproduction",
            "--sink=remotewrite:http://prometheus:9090/api/v1/write?cluster=production",
            "--source=kubernetes.summary_api:https://prod:6443",
            "--listen=127.0.0.1:8082",
        ];
        assert_eq!(words, &expected);
        let last: Vec<&str> = other.iter().rev().take(3).map(String::as_str).collect();
        let expected = [
            "--sink=influxdb:http://other:8086?cluster%5Fname=s",
            "--sink=log",
            "--metric-resolution=60s",
        ];
        assert_eq!(last, expected);
    }

    #[test]
    fn what_two_clusters_may_not_share_is_told() {
        let check = |from: &str, to: &str, expected: &str| {
            let text = FILE.replace(from, to);
            assert_ne!(text, FILE);
            let mistakes = read(&text).unwrap_err();
            let found = mistakes.iter().any(|(_, mistake)| mistake.contains(expected));
            assert!(found && mistakes.len() == 1, "{expected}: {mistakes:?}");
        };
        check("8083", "8082", "production and staging both have the listen 127.0.0.1:8082");
        check(
            "/var/lib/taffrail/{cluster}",
            "/d",
            "both have the data_dir /d: write {cluster} into it",
        );
        check("/var/lib/queue/{cluster}", "/q", "both have the queue /q: write {cluster} into it");
        check("name: staging", "name: production", "two clusters have the name production");
        check("name: staging", "name: a b", "clusters[1]: a name is up to 63 letters");
        check("    listen: 127.0.0.1:8083\n", "", "the cluster staging has no listen");
        check(
            "        cluster_name: s",
            "        cluster_name: s\n        bogus: 1",
            "clusters[1].sinks[1].bogus",
        );
        check(
            "metric_resolution: 30s",
            "metric_resolution: soon",
            "metric_resolution: invalid value",
        );
    }
}
