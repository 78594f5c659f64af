//! Label and field selectors: parsing and matching.

use crate::apiserver::status::Status;
use crate::kubelet::container_name;
use crate::objects::{Cluster, Object, Version, counts, metadata, outcome};
use crate::plan::Controller;
use crate::store::Key;

/// Which objects of a resource are wanted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selection {
    labels: Vec<(String, Test)>,
    fields: Vec<(String, String, bool)>,
}

/// A requirement on a label.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    Exists,
    Absent,
    In(Vec<String>),
    NotIn(Vec<String>),
}

impl Selection {
    pub(crate) fn parse(labels: Option<&str>, fields: Option<&str>) -> Result<Self, Status> {
        Ok(Self {
            labels: parse_labels(labels.unwrap_or(""))?,
            fields: parse_fields(fields.unwrap_or(""))?,
        })
    }

    pub(crate) fn is_everything(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// Only the object with this name, too.
    pub(crate) fn and_name(&mut self, name: &str) {
        self.fields.push(("metadata.name".to_owned(), name.to_owned(), true));
    }

    /// Whether all fields it asks for exist on such an object.
    pub(crate) fn check_fields(&self, kind: &str, known: &[&str]) -> Result<(), Status> {
        for (field, _, _) in &self.fields {
            if !known.contains(&field.as_str()) {
                let message = format!(
                    "Unable to find \"{kind}\" that match label selector \"\", field selector \
                     \"{field}\": field label not supported: {field}"
                );
                return Err(Status::bad_request(message));
            }
        }
        Ok(())
    }

    pub(crate) fn matches(&self, cluster: &Cluster, key: &Key, version: &Version) -> bool {
        let fits = |(name, value, equal): &(String, String, bool)| {
            (field(cluster, key, version, name).unwrap_or_default() == *value) == *equal
        };
        if !self.fields.iter().all(fits) {
            return false;
        }
        if self.labels.is_empty() {
            return true;
        }
        if let Object::Written(written) = &version.object {
            return self.fits(|key| written.label(key));
        }
        let metadata = metadata(cluster, version);
        self.fits(|key| {
            metadata.labels.iter().find(|(label, _)| *label == key).map(|(_, value)| &**value)
        })
    }

    /// Whether the labels are as asked.
    fn fits<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.labels.iter().all(|(key, test)| {
            let value = label(key);
            match test {
                Test::Exists => value.is_some(),
                Test::Absent => value.is_none(),
                Test::In(values) => {
                    value.is_some_and(|value| values.iter().any(|one| one == value))
                }
                Test::NotIn(values) => {
                    !value.is_some_and(|value| values.iter().any(|one| one == value))
                }
            }
        })
    }
}

const ALWAYS: [&str; 2] = ["metadata.name", "metadata.namespace"];

/// Fields that objects of a kind can be selected by.
pub(crate) fn fields_of(kind: &str) -> Vec<&'static str> {
    let more: &[&str] = match kind {
        "Pod" => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ],
        "Node" => &["spec.unschedulable"],
        "Namespace" => &["status.phase"],
        "Job" => &["status.successful"],
        "ReplicaSet" => &["status.replicas"],
        "Event" => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "regarding.kind",
            "regarding.namespace",
            "regarding.name",
            "regarding.uid",
            "reason",
            "reportingComponent",
            "reportingController",
            "source",
            "type",
        ],
        _ => &[],
    };
    ALWAYS.iter().chain(more).copied().collect()
}

fn field(cluster: &Cluster, key: &Key, version: &Version, name: &str) -> Option<String> {
    let plan = &cluster.plan;
    if let Object::Changed { base, patch } = &version.object {
        if let ("spec.unschedulable", Some(said)) = (name, patch["spec"]["unschedulable"].as_bool())
        {
            return Some(said.to_string());
        }
        return field(cluster, key, &version.of(base), name);
    }
    match (name, &version.object) {
        ("metadata.name", _) => Some(key.1.to_string()),
        ("metadata.namespace", Object::Node { .. } | Object::Namespace(_) | Object::Volume(_)) => {
            None
        }
        ("metadata.namespace", _) => Some(plan.namespace(key.0).to_string()),
        (_, Object::Pod { slot, generation }) => {
            let pod = plan.pod(*slot, *generation)?;
            let controller = plan.workload_of(*slot).template.controller;
            let node = plan.slots[*slot as usize].node;
            match name {
                "spec.nodeName" => node.map(|node| plan.nodes[node as usize].name.to_string()),
                "status.phase" => Some(plan.phase(&pod, version.at).name().to_owned()),
                "status.podIP" => plan.pod_address(&pod).map(|ip| ip.to_string()),
                "spec.schedulerName" => Some("default-scheduler".to_owned()),
                "spec.serviceAccountName" => Some("default".to_owned()),
                "spec.hostNetwork" => Some((controller == Controller::DaemonSet).to_string()),
                "spec.restartPolicy" => {
                    let task = matches!(controller, Controller::Task { .. });
                    Some(if task { "Never" } else { "Always" }.to_owned())
                }
                _ => None,
            }
        }
        ("spec.unschedulable", Object::Node { node, .. }) => {
            Some(plan.nodes[*node as usize].cordoned.to_string())
        }
        ("status.phase", Object::Namespace(_)) => Some("Active".to_owned()),
        ("status.successful", Object::Job { workload, run }) => {
            let workload = &plan.workloads[*workload as usize];
            Some(outcome(plan, workload, *run, version.at).succeeded.to_string())
        }
        ("status.replicas", Object::ReplicaSet { workload, version: revision }) => {
            let workload = &plan.workloads[*workload as usize];
            Some(counts(plan, workload, Some(*revision), version.at).replicas.to_string())
        }
        (_, Object::Event(event)) => {
            let involved = &event.involved;
            let short = name.trim_start_matches("involvedObject.").trim_start_matches("regarding.");
            match short {
                "kind" => Some(involved.kind.to_owned()),
                "namespace" => involved.namespace.as_ref().map(ToString::to_string),
                "name" => Some(involved.name.clone()),
                "uid" => Some(involved.uid.clone()),
                "apiVersion" => Some(involved.api_version.to_owned()),
                "fieldPath" => involved.field_path.clone(),
                "reason" => Some(event.reason.to_owned()),
                "type" => Some(event.kind().to_owned()),
                "source" | "reportingComponent" | "reportingController" => {
                    Some(event.component.to_owned())
                }
                _ => None,
            }
        }
        _ => None,
    }
}

fn parse_fields(text: &str) -> Result<Vec<(String, String, bool)>, Status> {
    let mut fields = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (split, equal) = match part.split_once("!=") {
            Some(split) => (Some(split), false),
            None => (part.split_once("==").or_else(|| part.split_once('=')), true),
        };
        let Some((field, value)) = split else {
            let message = format!("invalid selector: '{part}'; can't understand '{part}'");
            return Err(Status::bad_request(message));
        };
        fields.push((field.trim().to_owned(), value.trim().to_owned(), equal));
    }
    Ok(fields)
}

fn parse_labels(text: &str) -> Result<Vec<(String, Test)>, Status> {
    let mut requirements = Vec::new();
    let mut start = 0;
    let mut depth = 0_i32;
    let mut parts = Vec::new();
    for (index, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(text.get(start..index).unwrap_or(""));
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(text.get(start..).unwrap_or(""));
    for part in parts.into_iter().map(str::trim).filter(|part| !part.is_empty()) {
        let requirement = parse_label(part).ok_or_else(|| {
            Status::bad_request(format!("unable to parse requirement: cannot understand '{part}'"))
        })?;
        requirements.push(requirement);
    }
    Ok(requirements)
}

fn parse_label(part: &str) -> Option<(String, Test)> {
    let requirement = |key: &str, test| {
        let key = key.trim();
        let fine = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        (!key.is_empty() && key.chars().all(fine)).then(|| (key.to_owned(), test))
    };
    let one = |value: &str| vec![value.trim().to_owned()];
    if let Some((before, values)) = part.strip_suffix(')').and_then(|part| part.split_once('(')) {
        let values = values.split(',').map(|value| value.trim().to_owned()).collect();
        let (key, word) = before.trim().rsplit_once(char::is_whitespace)?;
        return match word {
            "in" => requirement(key, Test::In(values)),
            "notin" => requirement(key, Test::NotIn(values)),
            _ => None,
        };
    }
    if let Some((key, value)) = part.split_once("!=") {
        return requirement(key, Test::NotIn(one(value)));
    }
    if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        return requirement(key, Test::In(one(value)));
    }
    match part.strip_prefix('!') {
        Some(key) => requirement(key, Test::Absent),
        None => requirement(part, Test::Exists),
    }
}

/// The names of a pod's containers, for table cells and descriptions.
pub(crate) fn container_names(cluster: &Cluster, workload: u32) -> String {
    let workload = &cluster.plan.workloads[workload as usize];
    let names = (0..cluster.plan.containers).map(|index| container_name(workload, index));
    names.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let answer = match parse_labels(text) {
            Ok(all) => all
                .iter()
                .map(|(key, test)| format!("{key} {test:?}"))
                .collect::<Vec<_>>()
                .join("; "),
            Err(status) => status.json()["message"].as_str().unwrap_or("").to_owned(),
        };
        assert_eq!(answer, expected, "{text}");
    }

    #[test]
    fn reads_label_selectors() {
        check("", "");
        check("app=web", r#"app In(["web"])"#);
        check("app==web,tier!=db", r#"app In(["web"]); tier NotIn(["db"])"#);
        check("app in (a, b),!old , new", r#"app In(["a", "b"]); old Absent; new Exists"#);
        check("app notin (a)", r#"app NotIn(["a"])"#);
        check("a b c", "unable to parse requirement: cannot understand 'a b c'");
        check("app of (a)", "unable to parse requirement: cannot understand 'app of (a)'");
    }

    #[test]
    fn reads_field_selectors() {
        let fields = parse_fields("spec.nodeName=node-1,status.phase!=Failed").unwrap();
        assert_eq!(fields[0], ("spec.nodeName".into(), "node-1".into(), true));
        assert_eq!(fields[1], ("status.phase".into(), "Failed".into(), false));
        assert!(parse_fields("nonsense").is_err());
    }
}
