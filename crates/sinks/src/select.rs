//! What a sink is told of a batch: which rows and metrics, and with which labels. Knows no format.

use model::{
    Alert, Batch, Column, Context, Entity, EntityKind, Event, LabelOptions, Metric, Table, Value,
    descriptor, for_each_label,
};

use crate::Error;
use crate::labels::Labels;
use crate::settings::Settings;

/// Which part of a batch a sink sends, and how Kubernetes labels become its labels.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selection {
    pub(crate) labels: LabelOptions,
    /// Also what Heapster did not have.
    pub(crate) everything: bool,
    metrics: Globs,
    namespaces: Globs,
    kinds: Globs,
    include_labels: Vec<LabelGlob>,
    exclude_labels: Vec<LabelGlob>,
}

/// A Kubernetes label's key and a pattern for its value.
#[derive(Debug, Clone)]
struct LabelGlob {
    key: String,
    glob: String,
}

fn label_globs(settings: &Settings, name: &'static str) -> Result<Vec<LabelGlob>, Error> {
    let read = |text: &str| match text.split_once('=') {
        Some((key, glob)) if !key.is_empty() => {
            Ok(LabelGlob { key: key.to_owned(), glob: glob.to_owned() })
        }
        _ => Err(settings.bad(name, text, "labels with a pattern, like app=web-*")),
    };
    settings.all(name).map(read).collect()
}

/// Patterns to be matched and patterns not to be.
#[derive(Debug, Clone, Default)]
struct Globs {
    include: Vec<String>,
    exclude: Vec<String>,
}

impl Globs {
    fn new(settings: &Settings, include: &str, exclude: &str) -> Self {
        let all = |name| settings.all(name).map(str::to_owned).collect();
        Self { include: all(include), exclude: all(exclude) }
    }

    fn keep(&self, text: &str) -> bool {
        (self.include.is_empty() || self.include.iter().any(|glob| matches(glob, text)))
            && !self.exclude.iter().any(|glob| matches(glob, text))
    }
}

/// One table of a batch with the columns that are sent.
pub(crate) struct Selected<'a> {
    pub(crate) table: &'a Table,
    pub(crate) columns: Vec<&'a Column>,
}

/// One row that is sent.
#[derive(Clone, Copy)]
pub(crate) struct Row<'a> {
    pub(crate) at: usize,
    /// What is measured: maybe a part (volume, filesystem, disk, accelerator).
    pub(crate) entity: &'a Entity,
    /// Whose metric set it is in: a part's owner, else the entity itself.
    pub(crate) owner: &'a Entity,
}

impl Row<'_> {
    /// Whether Heapster would call this a labeled metric.
    pub(crate) fn is_part(&self) -> bool {
        self.entity.kind().is_labeled_part()
    }
}

impl Selection {
    pub(crate) fn new(settings: &Settings, labels: LabelOptions) -> Result<Self, Error> {
        let everything = match settings.text("metrics") {
            None | Some("heapster") => false,
            Some("all") => true,
            Some(value) => return Err(settings.bad("metrics", value, "heapster, all")),
        };
        let kinds = Globs::new(settings, "include_kind", "exclude_kind");
        for (name, list) in [("include_kind", &kinds.include), ("exclude_kind", &kinds.exclude)] {
            if let Some(unknown) = list.iter().find(|name| EntityKind::from_name(name).is_none()) {
                let known = "cluster, namespace, workload, pod, container, node, \
                             system_container, volume, filesystem, disk, accelerator";
                return Err(settings.bad(name, unknown, known));
            }
        }
        let metrics = Globs::new(settings, "include", "exclude");
        let namespaces = Globs::new(settings, "include_namespace", "exclude_namespace");
        let include_labels = label_globs(settings, "include_label")?;
        let exclude_labels = label_globs(settings, "exclude_label")?;
        Ok(Self { labels, everything, metrics, namespaces, kinds, include_labels, exclude_labels })
    }

    /// The tables that are sent, parts after what they belong to.
    pub(crate) fn tables<'a>(&'a self, batch: &'a Batch) -> impl Iterator<Item = Selected<'a>> {
        batch.tables().iter().filter(|table| self.keeps_kind(table.kind())).filter_map(|table| {
            let columns: Vec<_> =
                table.columns().iter().filter(|column| self.keeps(table, column)).collect();
            (!columns.is_empty()).then_some(Selected { table, columns })
        })
    }

    /// Calls `each` for every row of `selected` that is sent, with its labels sorted by key and
    /// those of a part's owner among them.
    pub(crate) fn for_each_row<'a>(
        &self,
        batch: &'a Batch,
        selected: &Selected<'a>,
        labels: &mut Labels,
        mut each: impl FnMut(Row<'a>, &Labels),
    ) {
        let table = selected.table;
        for (at, entity) in table.entities().iter().enumerate() {
            if !self.keeps_entity(entity) || !self.keeps_labels(table.context(at)) {
                continue;
            }
            labels.clear();
            let mut owner = &**entity;
            if table.kind().is_labeled_part() {
                let found = entity.parent().and_then(|parent| batch.find(parent));
                let Some((table, row)) = found else { continue };
                if !self.keeps_labels(table.context(row)) {
                    continue;
                }
                owner = &table.entities()[row];
                for_each_label(table, row, &self.labels, |key, value| labels.push(key, value));
            }
            for_each_label(table, at, &self.labels, |key, value| labels.push(key, value));
            labels.sort();
            each(Row { at, entity, owner }, labels);
        }
    }

    pub(crate) fn keeps_kind(&self, kind: EntityKind) -> bool {
        (self.everything || kind.heapster_type().is_some() || kind.is_labeled_part())
            && self.kinds.keep(kind.name())
    }

    pub(crate) fn keeps_entity(&self, entity: &Entity) -> bool {
        entity.namespace().is_none_or(|namespace| self.namespaces.keep(namespace))
    }

    /// Whether the Kubernetes labels of the row's pod are let through; what has no pod is.
    pub(crate) fn keeps_labels(&self, context: &Context) -> bool {
        let Some(pod) = context.pod.as_ref().filter(|_| self.filters_labels()) else { return true };
        let has = |wanted: &LabelGlob| {
            pod.labels
                .iter()
                .any(|(key, value)| **key == *wanted.key && matches(&wanted.glob, value))
        };
        (self.include_labels.is_empty() || self.include_labels.iter().any(has))
            && !self.exclude_labels.iter().any(has)
    }

    fn filters_labels(&self) -> bool {
        !self.include_labels.is_empty() || !self.exclude_labels.is_empty()
    }

    /// By its reason, and by the kind and namespace of its object.
    pub(crate) fn keeps_event(&self, event: &Event) -> bool {
        self.metrics.keep(&event.reason)
            && self.kinds.keep(kind_of_object(&event.object_kind))
            && (event.namespace.is_empty() || self.namespaces.keep(&event.namespace))
    }

    /// By its name, and by its labels where they name a namespace or are asked for.
    pub(crate) fn keeps_alert(&self, alert: &Alert) -> bool {
        let namespace = alert.label("namespace");
        let has = |wanted: &LabelGlob| matches(&wanted.glob, alert.label(&wanted.key));
        self.metrics.keep(&alert.name)
            && (namespace.is_empty() || self.namespaces.keep(namespace))
            && (self.include_labels.is_empty() || self.include_labels.iter().any(has))
            && !self.exclude_labels.iter().any(has)
    }

    pub(crate) fn keeps(&self, table: &Table, column: &Column) -> bool {
        let had = match column.metric() {
            Metric::Known(id) => descriptor(*id).heapster.contains(table.kind()),
            Metric::Custom { .. } => true,
        };
        (self.everything || had) && self.metrics.keep(column.metric().name())
    }
}

/// The name of the kind of entity that an object of Kubernetes is; empty where it is none.
fn kind_of_object(object: &str) -> &'static str {
    let kind = match object {
        "Node" => EntityKind::Node,
        "Namespace" => EntityKind::Namespace,
        "Pod" => EntityKind::Pod,
        "PersistentVolumeClaim" | "PersistentVolume" => EntityKind::Volume,
        "Deployment"
        | "ReplicaSet"
        | "StatefulSet"
        | "DaemonSet"
        | "Job"
        | "CronJob"
        | "ReplicationController" => EntityKind::Workload,
        _ => return "",
    };
    kind.name()
}

/// The value of `column` in `row`; infinities count as none, because no format can say them.
pub(crate) fn value(column: &Column, row: usize) -> Option<Value> {
    column.get(row).filter(|value| match value {
        Value::Int(_) => true,
        Value::Float(value) => value.is_finite(),
    })
}

/// Whether `text` matches `glob`: `*` is any text, slashes included, `?` any one character.
fn matches(glob: &str, text: &str) -> bool {
    let mut glob_rest = glob.chars();
    let mut text_rest = text.chars();
    let mut retry: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
    loop {
        let text_before = text_rest.clone();
        match (glob_rest.next(), text_rest.next()) {
            (None, None) => return true,
            (Some('*'), _) => {
                retry = Some((glob_rest.clone(), text_before.clone()));
                text_rest = text_before;
            }
            (Some(one), Some(other)) if one == '?' || one == other => {}
            _ => {
                let Some((after_star, mut from)) = retry.take() else { return false };
                if from.next().is_none() {
                    return false;
                }
                glob_rest = after_star.clone();
                text_rest = from.clone();
                retry = Some((after_star, from));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_as_in_a_shell_without_special_slashes() {
        let check =
            |glob, text, expected| assert_eq!(matches(glob, text), expected, "{glob} {text}");
        check("cpu/*", "cpu/usage", true);
        check("cpu/*", "memory/usage", false);
        check("*/usage", "cpu/usage", true);
        check("*usage*", "cpu/usage_rate", true);
        check("c?u/u*e", "cpu/usage", true);
        check("cpu", "cpu/usage", false);
        check("*", "", true);
        check("a*b*c", "aXbYbZc", true);
        check("a*b*c", "aXbYbZ", false);
    }
}
