//! `taffrail why`: what may be typed.

use clap::{Args, ValueEnum};

use super::AskArgs;

/// `taffrail why`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  taffrail why pod web/web-1\n  taffrail why node node-3 \
    --metric cpu/usage_rate\n  taffrail why container web/web-1/app\n  taffrail why workload \
    web/Deployment/web\n  taffrail why volume db/postgres-0/data\n  taffrail why metric \
    memory/working_set\n\
    Exit codes: 0 there is a value, 1 there is none, 64 bad usage, 69 no server is reached.")]
pub(crate) struct WhyArgs {
    /// What it is about.
    #[arg(value_enum)]
    pub(crate) subject: WhySubject,
    /// Which one: NAME, NAMESPACE/NAME (pod), NAMESPACE/POD/NAME (container, volume) or
    /// NAMESPACE/KIND/NAME (workload); a metric's name for `metric`; nothing for `cluster`.
    #[arg(default_value = "")]
    pub(crate) name: String,
    /// The metric that has no value; without it, why the thing is not measured at all.
    #[arg(long, value_name = "METRIC")]
    pub(crate) metric: Option<String>,
    #[command(flatten)]
    pub(crate) ask: AskArgs,
    /// How to print the answer.
    #[arg(short, long, value_enum, default_value_t = WhyOutput::Text)]
    pub(crate) output: WhyOutput,
}

/// What a question is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum WhySubject {
    /// A pod.
    Pod,
    /// A container.
    Container,
    /// A Deployment, `StatefulSet` or the like.
    Workload,
    /// A pod's volume.
    Volume,
    /// A node.
    Node,
    /// A namespace.
    Namespace,
    /// The cluster.
    Cluster,
    /// A metric of the cluster.
    Metric,
}

/// How to print an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum WhyOutput {
    /// For people.
    Text,
    /// As `GET /api/taffrail/v1/why` answers.
    Json,
}
