//! A share: what one replica measured in one tick, as bytes. Only its own wire version is read:
//! replicas of two versions do not understand each other for as long as an update takes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use model::{
    CATALOG, Draft, Entity, EntityKind, Hop, Kind, Metric, Table, Target, TargetState, Timestamp,
    Value, ValueType, Verified, lookup,
};

use crate::wire::{Reader, Writer};

/// The first bytes: what it is, and the version.
const MAGIC: &[u8] = b"TFS2";
/// What sources measure; the other kinds are computed.
const MEASURED: [EntityKind; 8] = [
    EntityKind::Pod,
    EntityKind::Container,
    EntityKind::Node,
    EntityKind::SystemContainer,
    EntityKind::Volume,
    EntityKind::Filesystem,
    EntityKind::Disk,
    EntityKind::Accelerator,
];
/// Hops by their number on the wire.
const HOPS: [Hop; 10] = [
    Hop::Address,
    Hop::Connect,
    Hop::Tls,
    Hop::Authentication,
    Hop::Authorization,
    Hop::Http,
    Hop::Timeout,
    Hop::Body,
    Hop::Decode,
    Hop::Local,
];
/// How deep an entity may be nested: an accelerator in a container in a pod.
const DEEPEST: usize = 4;

/// Why a share cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ShareError {
    /// It begins otherwise.
    #[error("it is no share of this version: all replicas must run the same")]
    Version,
    /// It ends early or holds what cannot be.
    #[error("it is damaged")]
    Damaged,
}

/// A share that was read as far as its rows.
#[derive(Debug)]
pub(crate) struct Share {
    /// The end of its tick's window.
    pub(crate) end: Timestamp,
    /// How its nodes answered.
    pub(crate) targets: Vec<Target>,
    metrics: Vec<Metric>,
    rows: Bytes,
}

/// A row as it stands in a share.
pub(crate) struct RowView<'a> {
    pub(crate) entity: EntityView<'a>,
    /// Position of its node among the share's targets.
    pub(crate) node: usize,
    /// Scraped, computed, started, created.
    pub(crate) times: [Timestamp; 4],
}

/// An entity's identity.
pub(crate) struct EntityView<'a> {
    pub(crate) kind: EntityKind,
    pub(crate) namespace: &'a str,
    pub(crate) variant: &'a str,
    pub(crate) name: &'a str,
    pub(crate) uid: &'a str,
    pub(crate) parent: Option<Box<EntityView<'a>>>,
}

/// What a draft holds of its targets' nodes, as bytes.
pub(crate) fn encode(draft: &Draft) -> Bytes {
    let mut writer = Writer(MAGIC.to_vec());
    writer.signed(draft.timestamp().nanos());
    writer.count(draft.targets().len());
    for target in draft.targets() {
        write_target(target, &mut writer);
    }
    let nodes: HashMap<&str, usize> =
        draft.targets().iter().enumerate().map(|(at, target)| (&*target.node, at)).collect();
    let metrics = metrics_of(draft);
    writer.count(metrics.len());
    for metric in metrics.keys_in_order() {
        writer.text(metric.name());
        let custom = u8::from(matches!(metric, Metric::Custom { .. }));
        let counter = u8::from(metric.kind() == Kind::Counter);
        let float = u8::from(metric.value_type() == ValueType::Float);
        writer.byte(custom | counter << 1 | float << 2);
    }
    for kind in MEASURED {
        let table = draft.table(kind);
        for (row, entity) in table.entities().iter().enumerate() {
            let node = node_of(draft, table, row, entity);
            if let Some(node) = node.and_then(|node| nodes.get(node)) {
                write_row(table, row, (entity, *node), &metrics, &mut writer);
            }
        }
    }
    writer.0.into()
}

/// The metrics of a draft in the order in which they are numbered.
struct Metrics<'a> {
    order: Vec<&'a Metric>,
    numbers: HashMap<&'a Metric, usize>,
}

impl<'a> Metrics<'a> {
    fn len(&self) -> usize {
        self.order.len()
    }

    fn keys_in_order(&self) -> impl Iterator<Item = &'a Metric> + '_ {
        self.order.iter().copied()
    }
}

fn metrics_of(draft: &Draft) -> Metrics<'_> {
    let mut metrics = Metrics { order: Vec::new(), numbers: HashMap::new() };
    for column in MEASURED.into_iter().flat_map(|kind| draft.table(kind).columns()) {
        let next = metrics.order.len();
        metrics.numbers.entry(column.metric()).or_insert_with(|| {
            metrics.order.push(column.metric());
            next
        });
    }
    metrics
}

/// Whose answer a row came from.
fn node_of<'a>(
    draft: &'a Draft,
    table: &'a Table,
    row: usize,
    entity: &'a Arc<Entity>,
) -> Option<&'a str> {
    if let Some(node) = &table.context(row).node {
        return Some(&node.name);
    }
    let mut at = Some(entity);
    while let Some(one) = at {
        match one.kind() {
            EntityKind::Node => return Some(one.name()),
            EntityKind::Pod => {
                let pods = draft.table(EntityKind::Pod);
                let row = pods.find(one)?;
                return pods.context(row).node.as_ref().map(|node| &*node.name);
            }
            _ => at = one.parent(),
        }
    }
    None
}

fn write_target(target: &Target, writer: &mut Writer) {
    writer.text(&target.node);
    writer.text(&target.url);
    match &target.state {
        TargetState::Up => writer.byte(0),
        TargetState::Failed { hop, reason, advice } => {
            writer.byte(1);
            let number = HOPS.iter().position(|one| one == hop).unwrap_or(5);
            writer.count(number);
            writer.text(reason);
            writer.text(advice);
        }
        TargetState::Skipped { reason } => {
            writer.byte(2);
            writer.text(reason);
        }
    }
    writer.signed(target.since.nanos());
    writer.signed(target.last_success.nanos());
    writer.number(u64::try_from(target.took.as_nanos()).unwrap_or(u64::MAX));
    writer.number(target.body_bytes);
    let verified = Verified::ALL.iter().position(|one| *one == target.verified);
    writer.byte(verified.and_then(|at| u8::try_from(at).ok()).unwrap_or(0));
}

fn write_row(
    table: &Table,
    row: usize,
    (entity, node): (&Arc<Entity>, usize),
    metrics: &Metrics<'_>,
    writer: &mut Writer,
) {
    write_entity(entity, writer);
    writer.count(node);
    let (scraped, computed) = (table.scraped(row), table.compute_time(row));
    let computed = if computed == scraped { Timestamp::NEVER } else { computed };
    for time in [scraped, computed, table.started(row), table.created(row)] {
        writer.signed(time.nanos());
    }
    let values = table.columns().iter().filter_map(|column| {
        let value = column.get(row)?;
        Some((*metrics.numbers.get(column.metric())?, value))
    });
    for (metric, value) in values {
        writer.count(metric + 1);
        match value {
            Value::Int(value) => writer.signed(value),
            Value::Float(value) => writer.float(value),
        }
    }
    writer.count(0);
}

fn write_entity(entity: &Arc<Entity>, writer: &mut Writer) {
    let kind = entity.kind().index();
    writer.byte(u8::try_from(kind).unwrap_or(u8::MAX));
    // Only a pod has a namespace of its own; the rest has its parent's.
    let namespace = if entity.kind() == EntityKind::Pod { entity.namespace() } else { None };
    for text in [namespace.unwrap_or_default(), entity.variant(), entity.name(), entity.uid()] {
        writer.text(text);
    }
    writer.byte(u8::from(entity.parent().is_some()));
    if let Some(parent) = entity.parent() {
        write_entity(parent, writer);
    }
}

impl Share {
    /// Reads all but the rows, and sees that the rows can be read.
    pub(crate) fn read(bytes: &Bytes) -> Result<Self, ShareError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(ShareError::Version)?;
        let mut reader = Reader(rest);
        let share = Self::read_head(&mut reader, bytes).ok_or(ShareError::Damaged)?;
        share.rows(&mut |_| {}, &mut |_, _| {})?;
        Ok(share)
    }

    fn read_head(reader: &mut Reader<'_>, bytes: &Bytes) -> Option<Self> {
        let end = Timestamp::from_nanos(reader.signed()?);
        let targets = (0..reader.count()?).map(|_| read_target(reader)).collect::<Option<_>>()?;
        let metrics = (0..reader.count()?).map(|_| read_metric(reader)).collect::<Option<_>>()?;
        let rows = bytes.slice(bytes.len() - reader.0.len()..);
        Some(Self { end, targets, metrics, rows })
    }

    /// Calls `row` with each row, then `value` with each of its values.
    pub(crate) fn rows(
        &self,
        row: &mut dyn FnMut(&RowView<'_>),
        value: &mut dyn FnMut(&Metric, Value),
    ) -> Result<(), ShareError> {
        let mut reader = Reader(&self.rows);
        while !reader.0.is_empty() {
            self.read_row(&mut reader, row, value).ok_or(ShareError::Damaged)?;
        }
        Ok(())
    }

    fn read_row(
        &self,
        reader: &mut Reader<'_>,
        row: &mut dyn FnMut(&RowView<'_>),
        value: &mut dyn FnMut(&Metric, Value),
    ) -> Option<()> {
        let entity = read_entity(reader, DEEPEST)?;
        let node = usize::try_from(reader.number()?).ok()?;
        self.targets.get(node)?;
        let mut times = [Timestamp::NEVER; 4];
        for time in &mut times {
            *time = Timestamp::from_nanos(reader.signed()?);
        }
        row(&RowView { entity, node, times });
        loop {
            let Some(number) = usize::try_from(reader.number()?).ok()?.checked_sub(1) else {
                return Some(());
            };
            let metric = self.metrics.get(number)?;
            match metric.value_type() {
                ValueType::Int => value(metric, Value::Int(reader.signed()?)),
                ValueType::Float => value(metric, Value::Float(reader.float()?)),
            }
        }
    }
}

fn read_target(reader: &mut Reader<'_>) -> Option<Target> {
    let (node, url) = (reader.text()?.into(), reader.text()?.into());
    let state = match reader.byte()? {
        0 => TargetState::Up,
        1 => TargetState::Failed {
            hop: *HOPS.get(usize::try_from(reader.number()?).ok()?)?,
            reason: reader.text()?.to_owned(),
            advice: reader.text()?.to_owned(),
        },
        2 => TargetState::Skipped { reason: reader.text()?.to_owned() },
        _ => return None,
    };
    Some(Target {
        node,
        url,
        state,
        since: Timestamp::from_nanos(reader.signed()?),
        last_success: Timestamp::from_nanos(reader.signed()?),
        took: Duration::from_nanos(reader.number()?),
        body_bytes: reader.number()?,
        verified: *Verified::ALL.get(usize::from(reader.byte()?))?,
    })
}

fn read_metric(reader: &mut Reader<'_>) -> Option<Metric> {
    let (name, flags) = (reader.text()?, reader.byte()?);
    let value = if flags & 4 == 0 { ValueType::Int } else { ValueType::Float };
    if flags & 1 == 0 {
        let id = lookup(name)?;
        return (CATALOG[id.index()].value == value).then_some(Metric::Known(id));
    }
    let kind = if flags & 2 == 0 { Kind::Gauge } else { Kind::Counter };
    Some(Metric::Custom { name: name.into(), kind, value })
}

fn read_entity<'a>(reader: &mut Reader<'a>, depth: usize) -> Option<EntityView<'a>> {
    let kind = *EntityKind::ALL.get(usize::from(reader.byte()?))?;
    let texts = [reader.text()?, reader.text()?, reader.text()?, reader.text()?];
    let [namespace, variant, name, uid] = texts;
    let parent = match reader.byte()? {
        0 => None,
        _ => Some(Box::new(read_entity(reader, depth.checked_sub(1)?)?)),
    };
    Some(EntityView { kind, namespace, variant, name, uid, parent })
}
