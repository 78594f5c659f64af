//! The seam to what remembers more than the live window: a store, or a database that a sink fills.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;

use model::{Entity, Timestamp, Value};

/// An answer that is being looked for; the error says for people why there is none.
pub type PastAnswer<T> = Pin<Box<dyn Future<Output = Result<T, String>> + Send>>;

/// Values of one metric of one entity, in the order of their times.
pub type PastValues = Vec<(Timestamp, Value)>;

/// Answers for what was measured, however long ago.
pub trait Past: Send + Sync {
    /// The values of the metric of that name between two times, both exclusive. Empty where
    /// nothing is known.
    fn values(&self, wanted: PastWanted) -> PastAnswer<PastValues>;

    /// Names of what there was.
    fn names(&self, of: PastNames) -> PastAnswer<BTreeSet<String>>;
}

/// Whose values, of what, from when to when.
#[derive(Debug, Clone)]
pub struct PastWanted {
    /// Of what: maybe a part (volume, filesystem, disk, accelerator) of something.
    pub entity: Arc<Entity>,
    /// Name of the metric.
    pub metric: String,
    /// Values are later than this,
    pub start: Timestamp,
    /// and earlier than this.
    pub end: Timestamp,
}

/// What to name.
#[derive(Debug, Clone)]
pub enum PastNames {
    /// Nodes.
    Nodes,
    /// Namespaces.
    Namespaces,
    /// Pods of a namespace.
    Pods {
        /// The namespace.
        namespace: String,
    },
    /// Containers of a pod.
    Containers {
        /// Its namespace.
        namespace: String,
        /// Its name.
        pod: String,
    },
    /// System containers of a node.
    SystemContainers {
        /// The node.
        node: String,
    },
    /// Metrics that an entity had.
    Metrics(Arc<Entity>),
}
