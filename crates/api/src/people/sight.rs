//! What a person may see of the measurements: namespaces whose pods they may list, and nodes.

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::upstream::{Wanted, may};
use super::{Person, Refusal};
use crate::limits::hit;

/// Most namespaces that are asked about.
const MAX_NAMESPACES: usize = 2000;
/// Questions to the API server at once.
const AT_ONCE: usize = 16;

/// What somebody may see.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Sight {
    /// Every namespace, those to come included.
    pub(crate) all: bool,
    /// Nodes, and what is summed over the cluster.
    pub(crate) nodes: bool,
    /// Namespaces, where not all.
    pub(crate) namespaces: BTreeSet<String>,
}

impl Sight {
    pub(crate) fn everything() -> Self {
        Self { all: true, nodes: true, namespaces: BTreeSet::new() }
    }

    /// Whether nothing is hidden.
    pub(crate) fn whole(&self) -> bool {
        self.all && self.nodes
    }

    pub(crate) fn namespace(&self, name: &str) -> bool {
        self.all || self.namespaces.contains(name)
    }

    /// Whether of what is in `namespace`; what is in none is for those who may see nodes.
    pub(crate) fn tells(&self, namespace: &str) -> bool {
        if namespace.is_empty() { self.nodes } else { self.namespace(namespace) }
    }
}

fn list<'a>(resource: &'a str, namespace: &'a str) -> Wanted<'a> {
    Wanted { verb: "list", resource, namespace, ..Wanted::default() }
}

/// Asks the API server what `person` may see of the `known` namespaces.
pub(super) async fn look(person: &dyn Person, known: Vec<String>) -> Result<Sight, Refusal> {
    let (all, nodes) = futures_util::future::try_join(
        may(person, list("pods", "")),
        may(person, list("nodes", "")),
    )
    .await?;
    if all {
        return Ok(Sight { all, nodes, namespaces: BTreeSet::new() });
    }
    if known.len() > MAX_NAMESPACES {
        hit("sight_namespaces");
    }
    let asked = stream::iter(known.into_iter().take(MAX_NAMESPACES)).map(|name| async move {
        let allowed = may(person, list("pods", &name)).await?;
        Ok::<_, Refusal>(allowed.then_some(name))
    });
    let namespaces: Vec<Option<String>> = asked.buffer_unordered(AT_ONCE).try_collect().await?;
    Ok(Sight { all, nodes, namespaces: namespaces.into_iter().flatten().collect() })
}
