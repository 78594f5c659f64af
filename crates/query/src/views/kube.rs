//! kube-state-metrics' series, made from versions of the inventory's records.
//!
//! Source of names and labels: github.com/kubernetes/kube-state-metrics, `docs/metrics/`.

use model::{
    Autoscaler, Claim, Namespace, Node, PersistentVolume, Pod, Quota, Truth, Workload, sanitized,
};

use super::state::{State, Up};

mod autoscaler;
mod claim;
mod node;
mod pod;
mod quota;
mod volume;
mod workload;

/// Takes one series' labels, without the name and `job`, and its value.
pub(super) type Put<'p> = dyn FnMut(&[(&str, &str)], f64) + 'p;

/// What a family is made of.
#[derive(Clone, Copy)]
pub(super) enum Made {
    Pod(fn(&Pod, &State, &mut Put<'_>)),
    Node(fn(&Node, &mut Put<'_>)),
    Namespace(fn(&Namespace, &mut Put<'_>)),
    /// Of workloads of that kind.
    Workload(&'static str, fn(&Workload, &mut Put<'_>)),
    Claim(fn(&Claim, &mut Put<'_>)),
    Volume(fn(&PersistentVolume, &mut Put<'_>)),
    Autoscaler(fn(&Autoscaler, &mut Put<'_>)),
    /// And whether two versions have the same series.
    Quota(fn(&Quota, &mut Put<'_>), fn(&Quota, &Quota) -> bool),
    Up(fn(&Up, &mut Put<'_>)),
}

/// A family of series.
#[derive(Clone, Copy)]
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) made: Made,
    /// Whether it can never change on an object, and so holds since its creation.
    pub(super) lasting: bool,
    /// The `job` label; empty for recording rules.
    pub(super) job: &'static str,
    /// A label that tells the family from others of its name; empty where there are none.
    pub(super) part: (&'static str, &'static str),
    pub(super) help: &'static str,
}

const fn family(name: &'static str, made: Made, lasting: bool, help: &'static str) -> Family {
    Family { name, made, lasting, job: "kube-state-metrics", part: ("", ""), help }
}

/// A recording rule of the kubernetes-mixin.
const fn rule(name: &'static str, made: Made, lasting: bool, help: &'static str) -> Family {
    Family { name, made, lasting, job: "", part: ("", ""), help }
}

/// Every family.
pub(super) fn families() -> impl Iterator<Item = &'static Family> {
    const TARGETS: &[Family] = &[Family {
        name: "up",
        made: Made::Up(|up, put| {
            for path in ["/metrics", "/metrics/cadvisor", "/metrics/resource"] {
                let labels = [("instance", &*up.node), ("metrics_path", path), ("node", &up.node)];
                put(&labels, f64::from(u8::from(up.up)));
            }
        }),
        lasting: false,
        job: "kubelet",
        part: ("", ""),
        help: "Whether the node's kubelet answered",
    }];
    let all = [
        pod::FAMILIES,
        node::FAMILIES,
        workload::FAMILIES,
        claim::FAMILIES,
        volume::FAMILIES,
        autoscaler::FAMILIES,
        quota::FAMILIES,
        TARGETS,
    ];
    all.into_iter().flatten()
}

/// Seconds since the epoch; nothing for "never".
fn seconds(time: model::Timestamp) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "seconds need no more than 53 bits")]
    (!time.is_never()).then(|| time.secs() as f64)
}

#[expect(clippy::cast_precision_loss, reason = "PromQL's numbers are 64-bit floats")]
fn number(value: i64) -> f64 {
    value as f64
}

fn flag(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}

/// A condition's status and its label, one for each that it may have.
const TRUTHS: [(Truth, &str); 3] =
    [(Truth::True, "true"), (Truth::False, "false"), (Truth::Unknown, "unknown")];

/// A Kubernetes label's key as kube-state-metrics shows it: `label_app_kubernetes_io_name`.
fn label_name(key: &str) -> String {
    format!("label_{}", sanitized(key))
}

/// `own` and every Kubernetes label.
fn with_labels(own: &[(&str, &str)], labels: &[(Box<str>, Box<str>)], put: &mut Put<'_>) {
    let names: Vec<String> = labels.iter().map(|(key, _)| label_name(key)).collect();
    let mut all = own.to_vec();
    all.extend(names.iter().map(String::as_str).zip(labels.iter().map(|(_, value)| &**value)));
    put(&all, 1.0);
}
