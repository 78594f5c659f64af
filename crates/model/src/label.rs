//! Heapster's labels of a row, made from entity and context when somebody asks for them.

use crate::{EntityKind, Table};

/// A Kubernetes label that is also stored as a label of its own (`--store-label`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLabel {
    /// The Kubernetes label's key.
    pub key: String,
    /// The name it is stored under.
    pub name: String,
}

/// How Kubernetes labels become metric labels (`--label-separator`, `--ignore-label`,
/// `--store-label`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelOptions {
    /// Joins the `key:value` pairs of the `labels` label.
    pub separator: String,
    /// Kubernetes label keys left out of the `labels` label.
    pub ignored: Vec<String>,
    /// Kubernetes labels also stored on their own.
    pub stored: Vec<StoredLabel>,
}

impl Default for LabelOptions {
    fn default() -> Self {
        Self { separator: ",".to_owned(), ignored: Vec::new(), stored: Vec::new() }
    }
}

/// Calls `each(key, value)` for every Heapster label of `row`, in no promised order.
///
/// Source of names and rules: Heapster's core labels and its label copier. For a part (volume,
/// filesystem, disk, accelerator) these are the labels that the labeled metric adds to those of
/// its owner: `resource_id`, or `make`, `model` and `accelerator_id`.
pub fn for_each_label(
    table: &Table,
    row: usize,
    options: &LabelOptions,
    mut each: impl FnMut(&str, &str),
) {
    let entity = &table.entities()[row];
    let context = table.context(row);
    match entity.kind() {
        EntityKind::Volume | EntityKind::Filesystem | EntityKind::Disk => {
            return each("resource_id", entity.name());
        }
        EntityKind::Accelerator => {
            let (make, model) = entity.variant().split_once('/').unwrap_or((entity.variant(), ""));
            each("make", make);
            each("model", model);
            return each("accelerator_id", entity.name());
        }
        EntityKind::Workload => {
            each("type", "workload");
            each("workload_kind", entity.variant());
            each("workload_name", entity.name());
        }
        kind => each("type", kind.heapster_type().unwrap_or_default()),
    }
    if let Some(node) = &context.node {
        each("nodename", &node.name);
        each("hostname", &node.hostname);
        each("host_id", &node.host_id);
    }
    if let Some(namespace) = entity.namespace() {
        each("namespace_name", namespace);
    }
    if let Some(namespace) = &context.namespace {
        each("namespace_id", &namespace.uid);
    }
    if let Some(container) = entity.container() {
        each("container_name", container);
    }
    pod_labels(table, row, options, &mut each);
    if entity.kind() == EntityKind::Node
        && let Some(node) = &context.node
    {
        kubernetes_labels(&node.labels, options, &mut each);
    }
}

fn pod_labels(
    table: &Table,
    row: usize,
    options: &LabelOptions,
    each: &mut impl FnMut(&str, &str),
) {
    let entity = &table.entities()[row];
    let Some(name) = entity.pod() else { return };
    each("pod_name", name);
    let uid_of_entity = match entity.kind() {
        EntityKind::Pod => entity.uid(),
        _ => entity.parent().map_or("", |pod| pod.uid()),
    };
    let Some(pod) = &table.context(row).pod else {
        if !uid_of_entity.is_empty() {
            each("pod_id", uid_of_entity);
        }
        return;
    };
    each("pod_id", &pod.uid);
    if entity.kind() == EntityKind::Container
        && let Some(spec) = pod.containers.iter().find(|spec| &*spec.name == entity.name())
    {
        each("container_base_image", &spec.image);
    }
    kubernetes_labels(&pod.labels, options, each);
}

fn kubernetes_labels(
    labels: &[(Box<str>, Box<str>)],
    options: &LabelOptions,
    each: &mut impl FnMut(&str, &str),
) {
    let mut pairs: Vec<(&str, &str)> = labels
        .iter()
        .map(|(key, value)| (&**key, &**value))
        .filter(|(key, _)| !options.ignored.iter().any(|ignored| ignored == key))
        .collect();
    pairs.sort_unstable();
    let mut joined = String::new();
    for (key, value) in pairs {
        if !joined.is_empty() {
            joined.push_str(&options.separator);
        }
        joined.push_str(key);
        joined.push(':');
        joined.push_str(value);
    }
    each("labels", &joined);
    for stored in &options.stored {
        if let Some((_, value)) = labels.iter().find(|(key, _)| **key == *stored.key) {
            each(&stored.name, value);
        }
    }
}
