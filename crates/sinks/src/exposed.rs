//! A batch as Prometheus's series: name and sorted labels, values in base units. For every sink
//! that speaks of series.

use std::sync::Arc;

use model::{
    Batch, Column, Context, Entity, EntityKind, Exposed, Metric, exposed, for_each_exposed_label,
};

use crate::labels::Labels;
use crate::select::{Selection, value};
use crate::settings::Settings;

/// Settings of a sink that speaks of series, as (name, one sentence).
pub(crate) const CLUSTER: (&str, &str) =
    ("cluster", "value of the label cluster of every series (default: none)");

/// How a batch becomes series.
pub(crate) struct Exposer {
    selection: Selection,
    cluster: String,
    labels: Labels,
}

/// The labels of one entity, and the columns that it has values in.
pub(crate) struct ExposedRow<'a> {
    pub(crate) entity: &'a Arc<Entity>,
    pub(crate) context: &'a Context,
    /// Sorted by name.
    pub(crate) labels: &'a Labels,
    pub(crate) row: usize,
}

/// One column that is sent.
pub(crate) struct ExposedColumn<'a> {
    pub(crate) column: &'a Column,
    pub(crate) exposed: Exposed,
}

impl ExposedColumn<'_> {
    /// The value in base units.
    pub(crate) fn value(&self, row: usize) -> Option<f64> {
        value(self.column, row).map(|value| value.as_f64() * self.exposed.scale)
    }
}

impl Exposer {
    pub(crate) fn new(settings: &Settings, mut selection: Selection) -> Self {
        selection.everything = settings.text("metrics") != Some("heapster");
        let cluster = settings.text_or("cluster", "").to_owned();
        Self { selection, cluster, labels: Labels::default() }
    }

    /// Calls `each` for every entity that is sent, with the columns of its table.
    pub(crate) fn for_each_row(
        &mut self,
        batch: &Batch,
        mut each: impl FnMut(&ExposedRow<'_>, &[ExposedColumn<'_>]),
    ) {
        let Self { selection, cluster, labels } = self;
        for selected in selection.tables(batch) {
            let table = selected.table;
            let columns: Vec<_> = selected
                .columns
                .iter()
                .map(|column| exposed_column(column, table.kind()))
                .collect();
            for (row, entity) in table.entities().iter().enumerate() {
                let context = context(batch, table.kind(), entity).unwrap_or(table.context(row));
                if !selection.keeps_entity(entity) || !selection.keeps_labels(context) {
                    continue;
                }
                labels_of(labels, entity, context, cluster);
                each(&ExposedRow { entity, context, labels, row }, &columns);
            }
        }
    }

    /// The labels of an entity that is gone.
    pub(crate) fn labels(&mut self, entity: &Entity, context: &Context) -> &Labels {
        labels_of(&mut self.labels, entity, context, &self.cluster);
        &self.labels
    }
}

fn exposed_column(column: &Column, kind: EntityKind) -> ExposedColumn<'_> {
    ExposedColumn { column, exposed: exposed(column.metric(), kind) }
}

/// The position of a metric of the catalog, for sets of them.
pub(crate) fn position(column: &Column) -> Option<usize> {
    match column.metric() {
        Metric::Known(id) => Some(id.index()),
        Metric::Custom { .. } => None,
    }
}

/// The context of the owner of a part.
pub(crate) fn context<'a>(
    batch: &'a Batch,
    kind: EntityKind,
    entity: &Entity,
) -> Option<&'a Context> {
    if !kind.is_labeled_part() {
        return None;
    }
    let (table, row) = batch.find(entity.parent()?)?;
    Some(table.context(row))
}

fn labels_of(labels: &mut Labels, entity: &Entity, context: &Context, cluster: &str) {
    labels.clear();
    if !cluster.is_empty() {
        labels.push("cluster", cluster);
    }
    for_each_exposed_label(entity, context, |name, value| labels.push(name, value));
    labels.sort();
}

/// Calls `each` for every label of a series: those of its entity and those of its metric, merged
/// by name, without the name of the metric itself.
pub(crate) fn for_each_label(labels: &Labels, exposed: &Exposed, mut each: impl FnMut(&str, &str)) {
    let mut own = exposed.labels.iter().peekable();
    for (name, value) in labels.iter() {
        while let Some((other, value)) = own.next_if(|(other, _)| *other < name) {
            each(other, value);
        }
        if own.peek().is_some_and(|(other, _)| *other == name) {
            continue;
        }
        each(name, value);
    }
    for (name, value) in own {
        each(name, value);
    }
}
