//! The nouns of cluster metrics: entities, metrics, batches, inventory, time.
//!
//! Values only: no I/O, no clock, no serialization, no Kubernetes client. Every other crate may
//! import this one; it imports none of them.
#![forbid(unsafe_code)]

mod alert;
mod batch;
mod catalog;
mod column;
mod counted;
mod draft;
mod entity;
mod event;
mod exposition;
mod inventory;
mod label;
mod long;
mod names;
mod pairs;
mod pool;
mod registry;
mod sample;
mod series;
mod table;
mod target;
mod time;

pub use alert::{Alert, AlertBatch};
pub use batch::Batch;
pub use catalog::{
    CATALOG, Descriptor, Kind, MetricId, Unit, ValueType, descriptor, lookup, metric,
};
pub use column::{Column, Metric, Value};
pub use counted::{Content, Counted, Shared, Word};
pub use draft::{Draft, Row};
pub use entity::{Entity, EntityKind};
pub use event::{Event, EventBatch};
pub use exposition::{Exposed, exposed, for_each_exposed_label};
pub use inventory::{
    Autoscaler, Bookmark, Claim, Commons, ContainerSpec, ContainerState, ContainerStatus, Counts,
    EndpointSlice, Held, Inventory, Line, Monitor, MonitorEndpoint, MonitorKind, Namespace,
    NamespaceChoice, Node, Owner, PersistentVolume, Pod, PodMonitor, PortChoice, Quota, Ready,
    RelabelRule, Requirement, Resources, ScrapeHint, ScrapeParams, ScrapeTls, Service,
    ServiceMonitor, SharedInventory, Shelf, SliceEndpoint, SlicePort, Taint, Termination, Truth,
    Workload, read_in_turns,
};
pub use label::{LabelOptions, StoredLabel, for_each_label};
pub use long::push_long;
pub use names::{STALE, is_label_name, is_metric_name, is_stale, sanitized};
pub use pairs::Pairs;
pub use registry::Registry;
pub use sample::{NodeSamples, PodSamples, Sample};
pub use series::{Described, SeriesPairs, SeriesSample};
pub use table::{Context, Table};
pub use target::{Hop, Target, TargetState, Verified};
pub use time::Timestamp;
