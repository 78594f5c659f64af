//! One thing and what it uses, whatever kind of thing it is.

use serde::Serialize;

use crate::Subject;
use crate::wire::{Amounts, Item, Ready, SeriesName};

/// What something uses, may use and has.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Share {
    /// CPU in millicores, memory (the working set) in bytes.
    pub usage: Option<f64>,
    /// The sum of its containers' requests.
    pub request: Option<f64>,
    /// The sum of its containers' limits.
    pub limit: Option<f64>,
    /// What a node has for pods.
    pub allocatable: Option<f64>,
}

impl Share {
    /// What usage is measured against: what the node has, else the limit, else the request.
    pub(crate) fn bound(&self) -> Option<f64> {
        self.allocatable.or(self.limit).or(self.request).filter(|bound| *bound > 0.0)
    }

    /// Usage as a share of [`bound`](Self::bound).
    pub(crate) fn ratio(&self) -> Option<f64> {
        Some(self.usage? / self.bound()?)
    }
}

/// One thing and what it uses.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// What it is.
    #[serde(skip)]
    pub subject: Subject,
    /// Where it lives; `None` outside namespaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// A workload's kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// A container's pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// Its name.
    pub name: String,
    /// Where a pod or container runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// How it is, in a word or two (`Running`, `NotReady`, `2/3`).
    pub state: String,
    /// Whether that asks for attention.
    pub ailing: bool,
    /// How many pods it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pods: Option<f64>,
    /// How often its containers restarted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restarts: Option<f64>,
    /// Millicores.
    pub cpu: Share,
    /// Bytes.
    pub memory: Share,
    /// Received and sent, in bytes per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<f64>,
}

impl Row {
    pub(crate) fn new(subject: Subject, item: Item) -> Self {
        let (state, ailing) = state(subject, &item);
        let network = match (item.network.rx_rate, item.network.tx_rate) {
            (None, None) => None,
            (rx, tx) => Some(rx.unwrap_or(0.0) + tx.unwrap_or(0.0)),
        };
        Self {
            subject,
            namespace: item.namespace,
            kind: item.kind,
            pod: item.pod,
            name: item.name,
            node: item.node,
            state,
            ailing,
            pods: item.pods,
            restarts: item.restarts,
            cpu: share(&item.cpu),
            memory: share(&item.memory),
            network,
        }
    }

    /// The series of this row's `metric`.
    pub(crate) fn series(&self, metric: &'static str) -> SeriesName {
        let kind = match self.subject {
            Subject::Nodes => "node",
            Subject::Namespaces => "namespace",
            Subject::Workloads => "workload",
            Subject::Pods => "pod",
            Subject::Containers => "container",
        };
        SeriesName {
            kind,
            metric,
            name: Some(self.name.clone()),
            namespace: self.namespace.clone(),
            pod: self.pod.clone(),
            workload_kind: self.kind.clone(),
        }
    }
}

fn share(amounts: &Amounts) -> Share {
    Share {
        usage: amounts.working_set.or(amounts.usage),
        request: amounts.request,
        limit: amounts.limit,
        allocatable: amounts.allocatable,
    }
}

/// How it is, and whether that asks for attention.
fn state(subject: Subject, item: &Item) -> (String, bool) {
    let reason = item.reason.as_deref().unwrap_or_default();
    match subject {
        Subject::Nodes => match (&item.target, &item.ready) {
            (_, Some(Ready::Is(false))) => ("NotReady".to_owned(), true),
            (Some(target), _) if target.state == "failed" => {
                (format!("blind: {}", target.hop.as_deref().unwrap_or("?")), true)
            }
            (_, Some(Ready::Is(true))) => ("Ready".to_owned(), false),
            _ => (String::new(), false),
        },
        Subject::Namespaces => (String::new(), false),
        Subject::Workloads => match (&item.ready, item.desired) {
            (Some(Ready::Count(ready)), Some(desired)) => {
                (format!("{ready}/{desired}"), ready < &desired)
            }
            (None, Some(desired)) => (format!("0/{desired}"), desired > 0),
            _ => (String::new(), false),
        },
        Subject::Pods => {
            let phase = item.phase.as_deref().unwrap_or_default();
            let shown = if reason.is_empty() { phase } else { reason };
            let ended = matches!(phase, "Succeeded");
            let (Some(Ready::Count(ready)), Some(containers)) = (&item.ready, item.containers)
            else {
                return (shown.to_owned(), false);
            };
            (format!("{shown} {ready}/{containers}"), !ended && *ready < containers)
        }
        Subject::Containers => {
            let state = item.state.as_deref().unwrap_or_default();
            let ready = matches!(item.ready, Some(Ready::Is(true)));
            let shown = if reason.is_empty() { state } else { reason };
            (shown.to_owned(), item.ready.is_some() && !ready && reason != "Completed")
        }
    }
}
