//! What is broken: which kubelets misbehave, and how. Decides nothing about answers; the servers
//! ask it per node.
//!
//! Written as `target=fault` pairs joined by commas, later ones winning and named nodes before
//! fractions: `node-3=hang,node-4=500,5%=slow:2s,*=skew:-90s`.
//!
//! | fault | what the kubelet does |
//! |---|---|
//! | `down` | resets every connection; after 40 s its node is no longer Ready |
//! | `hang` | takes the request and never answers |
//! | `slow:2s` | answers after a delay |
//! | `401`, `403`, `500` | answers with that status |
//! | `garbage` | answers 200 with bytes that are no JSON |
//! | `truncated` | closes the connection in the middle of the body |
//! | `oversized:64Mi` | answers with a body of that many bytes |
//! | `skew:-90s` | tells times as if its clock were off by that much |

mod parse;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use once::Order as _;
use thiserror::Error;

use crate::plan::Plan;
use crate::seed::{mix, text};

/// The size of an oversized answer unless given.
pub const DEFAULT_OVERSIZE: u64 = 256 * 1024 * 1024;
/// The delay of a slow answer unless given.
pub const DEFAULT_DELAY: Duration = Duration::from_secs(2);

/// One way to misbehave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Every connection is reset.
    Down,
    /// No answer ever comes.
    Hang,
    /// The answer comes late.
    Slow(Duration),
    /// 401 whatever the token.
    Unauthorized,
    /// 403 whatever the token.
    Forbidden,
    /// 500.
    Internal,
    /// 200 with bytes that mean nothing.
    Garbage,
    /// The body ends early, and with it the connection.
    Truncated,
    /// A body of so many bytes.
    Oversized(u64),
    /// Times are off by so many seconds.
    Skew(i64),
}

/// Who misbehaves.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// The node with this name.
    Node(String),
    /// This share of all nodes, between 0 and 1; at least one of them unless it is 0.
    Fraction(f64),
}

/// Faults by target, later ones winning and named nodes before fractions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Faults {
    rules: Vec<(Target, Fault)>,
}

/// Why a fault could not be understood or set.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FaultError {
    /// Not `target=fault`.
    #[error("`{0}` is not a fault: write target=fault, such as node-3=hang or 5%=slow:2s")]
    Malformed(String),
    /// Not a known fault.
    #[error(
        "`{0}` is not a known fault: use down, hang, slow[:delay], 401, 403, 500, garbage, \
         truncated, oversized[:bytes] or skew:seconds"
    )]
    UnknownFault(String),
    /// A fault's parameter is wrong.
    #[error("`{value}` is not a parameter of `{fault}`: {expected}")]
    Parameter {
        /// The fault.
        fault: String,
        /// What was given.
        value: String,
        /// What would do.
        expected: &'static str,
    },
    /// A percentage is wrong.
    #[error("`{0}` is not a share of the nodes: write a number from 0 to 100 and %")]
    Percentage(String),
    /// There is no such node.
    #[error("there is no node `{name}`: nodes are {first} to {last}")]
    UnknownNode {
        /// The name asked for.
        name: String,
        /// The first node.
        first: String,
        /// The last node.
        last: String,
    },
}

impl Faults {
    /// Reads `node-3=hang,node-4=500,5%=slow:2s`. An empty text is no faults.
    pub fn parse(spec: &str) -> Result<Self, FaultError> {
        let entries = spec.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        Ok(Self { rules: entries.map(parse::entry).collect::<Result<_, _>>()? })
    }

    /// The same faults with one more, which wins over those before it.
    #[must_use]
    pub fn with(mut self, target: Target, fault: Fault) -> Self {
        self.add(target, fault);
        self
    }

    fn add(&mut self, target: Target, fault: Fault) {
        self.rules.retain(|(other, _)| *other != target);
        self.rules.push((target, fault));
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Down => f.write_str("down"),
            Self::Hang => f.write_str("hang"),
            Self::Slow(delay) => write!(f, "slow:{}ms", delay.as_millis()),
            Self::Unauthorized => f.write_str("401"),
            Self::Forbidden => f.write_str("403"),
            Self::Internal => f.write_str("500"),
            Self::Garbage => f.write_str("garbage"),
            Self::Truncated => f.write_str("truncated"),
            Self::Oversized(bytes) => write!(f, "oversized:{bytes}"),
            Self::Skew(seconds) => write!(f, "skew:{seconds}s"),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(name) => f.write_str(name),
            Self::Fraction(share) => write!(f, "{}%", share * 100.0),
        }
    }
}

/// The faults in force, node by node.
#[derive(Debug)]
pub(crate) struct Table {
    inner: RwLock<Inner>,
}

#[derive(Debug)]
struct Inner {
    faults: Faults,
    by_node: Vec<Option<Fault>>,
}

impl Table {
    pub(crate) fn new(plan: &Plan, faults: Faults) -> Result<Self, FaultError> {
        let by_node = resolve(plan, &faults)?;
        Ok(Self { inner: RwLock::new(Inner { faults, by_node }) })
    }

    pub(crate) fn of(&self, node: u32) -> Option<Fault> {
        self.read(|inner| inner.by_node.get(node as usize).copied().flatten())
    }

    pub(crate) fn rules(&self) -> Vec<(Target, Fault)> {
        self.read(|inner| inner.faults.rules.clone())
    }

    /// Nodes whose kubelet is down.
    pub(crate) fn down(&self) -> BTreeSet<u32> {
        self.read(|inner| {
            let all = (0..).zip(&inner.by_node);
            all.filter(|(_, fault)| **fault == Some(Fault::Down)).map(|(node, _)| node).collect()
        })
    }

    /// Adds faults to those in force.
    pub(crate) fn add(&self, plan: &Plan, more: Faults) -> Result<(), FaultError> {
        let mut faults = self.read(|inner| inner.faults.clone());
        for (target, fault) in more.rules {
            faults.add(target, fault);
        }
        self.replace(plan, faults)
    }

    /// Puts these faults in place of all others.
    pub(crate) fn replace(&self, plan: &Plan, faults: Faults) -> Result<(), FaultError> {
        let by_node = resolve(plan, &faults)?;
        *self.inner.write().unwrap_or_else(PoisonError::into_inner) = Inner { faults, by_node };
        Ok(())
    }

    /// Mends one node, or everything. Whether anything was broken.
    pub(crate) fn clear(&self, plan: &Plan, node: Option<&str>) -> bool {
        let mut faults = self.read(|inner| inner.faults.clone());
        let before = faults.rules.len();
        match node {
            Some(name) => {
                faults.rules.retain(|(target, _)| *target != Target::Node(name.to_owned()));
            }
            None => faults.rules.clear(),
        }
        let changed = faults.rules.len() != before;
        changed && self.replace(plan, faults).is_ok()
    }

    fn read<T>(&self, look: impl FnOnce(&Inner) -> T) -> T {
        look(&self.inner.read().unwrap_or_else(PoisonError::into_inner))
    }
}

fn resolve(plan: &Plan, faults: &Faults) -> Result<Vec<Option<Fault>>, FaultError> {
    let mut by_node = vec![None; plan.nodes.len()];
    for (target, fault) in &faults.rules {
        if let Target::Fraction(share) = target {
            for node in chosen(plan, *share) {
                by_node[node] = Some(*fault);
            }
        }
    }
    for (target, fault) in &faults.rules {
        if let Target::Node(name) = target {
            let node = plan.node_named(name).ok_or_else(|| unknown(plan, name))?;
            by_node[node as usize] = Some(*fault);
        }
    }
    Ok(by_node)
}

fn unknown(plan: &Plan, name: &str) -> FaultError {
    let named =
        |node: Option<&crate::plan::Node>| node.map_or(String::new(), |n| n.name.to_string());
    let (first, last) = (named(plan.nodes.first()), named(plan.nodes.last()));
    FaultError::UnknownNode { name: name.to_owned(), first, last }
}

/// The nodes that make up a share: always the same ones, and a larger share has them all.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a share of a small number"
)]
fn chosen(plan: &Plan, share: f64) -> Vec<usize> {
    let all = plan.nodes.len();
    let some = usize::from(share > 0.0);
    let count = ((all as f64 * share).round() as usize).clamp(some.min(all), all);
    let mut nodes: Vec<usize> = (0..all).collect();
    nodes.order_by_key(|node| mix(plan.nodes[*node].seed, text("fault")));
    nodes.truncate(count);
    nodes
}
