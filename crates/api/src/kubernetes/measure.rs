//! Metrics as an HPA names them: `network_rx_rate` is the catalog's `network/rx_rate` in base units
//! (cores, bytes, seconds, ratios), `filesystem_fill` how full the fullest is.

use std::collections::{BTreeSet, HashMap};

use model::{
    Batch, CATALOG, Entity, EntityKind, Metric, MetricId, Table, Unit, Value, descriptor, metric,
};

use super::selector::Selection;

/// How full a filesystem is: usage by limit.
const FILL: &str = "filesystem_fill";

/// One metric of one kind of thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Measure {
    Known(MetricId),
    /// A metric that the cluster named itself, by its whole name.
    Own(String),
    /// How full it is.
    Fill,
    /// The sum over what belongs to it: a pod's volumes, a node's filesystems and disks.
    PartSum(MetricId),
    /// How full the fullest of those is.
    PartFill,
}

/// Values of owners, from their parts.
pub(super) type Parts<'a> = HashMap<&'a Entity, f64>;

impl Measure {
    /// The metric of that name on things of `kind`; `None` where they have none.
    pub(super) fn find(batch: &Batch, kind: EntityKind, name: &str) -> Option<Self> {
        if name == FILL {
            return match kind {
                EntityKind::Volume | EntityKind::Filesystem => Some(Self::Fill),
                EntityKind::Pod | EntityKind::Node => Some(Self::PartFill),
                _ => None,
            };
        }
        let row = CATALOG.iter().find(|row| named(row.name).eq(name.chars()));
        if let Some(row) = row {
            let on_parts = matches!(kind, EntityKind::Pod | EntityKind::Node)
                && parts_of(kind).iter().any(|part| row.entities.contains(*part));
            if row.entities.contains(kind) {
                return Some(Self::Known(row.id));
            }
            return on_parts.then_some(Self::PartSum(row.id));
        }
        let mut columns = batch.table(kind).columns().iter();
        columns.find_map(|column| match column.metric() {
            own @ Metric::Custom { .. } if named(own.name()).eq(name.chars()) => {
                Some(Self::Own(own.name().to_owned()))
            }
            _ => None,
        })
    }

    /// Names of all metrics on things of `kind`, in order.
    pub(super) fn names(batch: Option<&Batch>, kind: EntityKind) -> BTreeSet<String> {
        let known = CATALOG.iter().filter(|row| {
            row.entities.contains(kind)
                || parts_of(kind).iter().any(|part| row.entities.contains(*part))
        });
        let mut names: BTreeSet<String> = known.map(|row| named(row.name).collect()).collect();
        if !parts_of(kind).is_empty() || matches!(kind, EntityKind::Volume | EntityKind::Filesystem)
        {
            names.insert(FILL.to_owned());
        }
        let columns = batch.into_iter().flat_map(|batch| batch.table(kind).columns());
        for column in columns {
            if let own @ Metric::Custom { .. } = column.metric() {
                names.insert(named(own.name()).collect());
            }
        }
        names
    }

    /// Whether it is a rate, which tells of the time before.
    pub(super) fn is_rate(&self) -> bool {
        match self {
            Self::Known(id) | Self::PartSum(id) => descriptor(*id).name.ends_with("_rate"),
            _ => false,
        }
    }

    /// Whether it comes from parts, whose labels a selector may ask for.
    pub(super) fn has_parts(&self) -> bool {
        matches!(self, Self::PartSum(_) | Self::PartFill)
    }

    /// Values of all owners of `kind`, from parts with the labels that are wanted.
    pub(super) fn parts<'a>(
        &self,
        batch: &'a Batch,
        kind: EntityKind,
        wanted: &Selection,
    ) -> Parts<'a> {
        let mut values = Parts::new();
        for table in parts_of(kind).iter().map(|part| batch.table(*part)) {
            for (row, entity) in table.entities().iter().enumerate() {
                let Some(owner) = entity.parent().filter(|owner| owner.kind() == kind) else {
                    continue;
                };
                let labels = part_label(entity).map(|(key, value)| (key.into(), value.into()));
                let labels: Vec<_> = labels.into_iter().collect();
                if !wanted.matches("", "", &labels) {
                    continue;
                }
                let value = match self {
                    Self::PartSum(id) => get(table, row, *id),
                    _ => fill(table, row),
                };
                let Some(value) = value else { continue };
                let held = values.entry(owner.as_ref()).or_insert(0.0);
                *held = if *self == Self::PartFill { held.max(value) } else { *held + value };
            }
        }
        values
    }

    /// The value of a row, in base units.
    pub(super) fn value(&self, table: &Table, row: usize, parts: &Parts<'_>) -> Option<f64> {
        match self {
            Self::Known(id) => get(table, row, *id),
            Self::Own(name) => table.column_named(name)?.get(row).map(Value::as_f64),
            Self::Fill => fill(table, row),
            Self::PartSum(_) | Self::PartFill => parts.get(table.entities()[row].as_ref()).copied(),
        }
    }
}

/// What the metrics of a kind of thing are summed from where it has none of its own.
fn parts_of(kind: EntityKind) -> &'static [EntityKind] {
    match kind {
        EntityKind::Pod => &[EntityKind::Volume],
        EntityKind::Node => &[EntityKind::Filesystem, EntityKind::Disk],
        _ => &[],
    }
}

/// The label that tells a part from its siblings.
pub(super) fn part_label(entity: &Entity) -> Option<(&'static str, &str)> {
    let name = entity.name();
    Some(match entity.kind() {
        EntityKind::Volume => ("volume", name.strip_prefix("Volume:").unwrap_or(name)),
        EntityKind::Filesystem | EntityKind::Disk => ("device", name),
        EntityKind::Accelerator => ("acc_id", name),
        _ => return None,
    })
}

fn named(name: &str) -> impl Iterator<Item = char> {
    name.chars().map(|letter| {
        if letter.is_ascii_alphanumeric() || letter == '-' || letter == '.' { letter } else { '_' }
    })
}

fn get(table: &Table, row: usize, id: MetricId) -> Option<f64> {
    let value = table.get(row, id)?.as_f64();
    Some(match descriptor(id).unit {
        Unit::Millicores | Unit::Milliseconds => value / 1e3,
        Unit::Nanoseconds => value / 1e9,
        Unit::Percent => value / 1e2,
        Unit::Count | Unit::Bytes | Unit::BytesPerSecond | Unit::PerSecond | Unit::Ratio => value,
    })
}

fn fill(table: &Table, row: usize) -> Option<f64> {
    let usage = get(table, row, metric::FILESYSTEM_USAGE)?;
    let limit = get(table, row, metric::FILESYSTEM_LIMIT).filter(|limit| *limit > 0.0)?;
    Some(usage / limit)
}
