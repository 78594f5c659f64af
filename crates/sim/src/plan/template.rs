//! The catalogue of applications that a simulated cluster runs. Data only; how many replicas each
//! gets and where they run is the plan's business.

/// Which controller owns the pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Controller {
    Deployment,
    StatefulSet,
    DaemonSet,
    /// Runs every `period` seconds for `duration` seconds; every sixth run of a `flaky` one fails.
    /// `owned` ones belong to a `CronJob`, the others are Jobs started by somebody.
    Task {
        period: i64,
        duration: i64,
        flaky: bool,
        owned: bool,
    },
}

/// How CPU and memory move over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pattern {
    Daily,
    Bursty,
    Steady,
    Idle,
    /// Wants more CPU than its limit allows.
    Throttled,
    /// Memory climbs to the limit, then the kernel kills the container.
    Leaking,
    /// Exits with an error a few seconds after each start.
    Crashing,
    /// Works hard for the length of a run.
    Working,
}

/// What else happens to the pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    None,
    /// A new version is rolled out every so many seconds.
    Rollouts(i64),
    /// The readiness probe fails for a while every few minutes.
    Flapping,
    /// Asks for more than any node has.
    Unschedulable,
}

/// How programs of a template are found by those who scrape them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exposed {
    /// They serve no metrics.
    No,
    /// By the customary annotations of their pods.
    Annotated(Answer),
    /// By a `ServiceMonitor`.
    ByService,
    /// By a `PodMonitor`.
    ByPod,
}

/// What a program answers on `/metrics`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Its metrics.
    Well,
    /// Text that breaks off in the middle of a line.
    Broken,
    /// A million series.
    Huge,
    /// Nothing, ever.
    Nothing,
}

/// Whether an autoscaler sets the replicas. Replicas of the world stay as they are drawn, so that
/// each aims where that is what it would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scaled {
    No,
    /// Never uses so many percent of what it requests: there are as few as there may be.
    Fewest(u32),
    /// Always uses at least so many: there are as many as there may be.
    Most(u32),
}

/// One application.
#[derive(Debug)]
pub(crate) struct Template {
    pub namespace: &'static str,
    pub name: &'static str,
    pub tier: &'static str,
    pub controller: Controller,
    /// Replicas in a cluster of ten nodes with thirty pods each.
    pub replicas: u32,
    pub image: &'static str,
    /// Millicores the main container typically needs; also its request unless `best_effort`.
    pub cpu: u32,
    /// CPU limit in millicores, 0 for none.
    pub cpu_limit: u32,
    /// MiB the main container typically needs; also its request unless `best_effort`.
    pub memory: u32,
    /// Memory limit in MiB, 0 for none.
    pub memory_limit: u32,
    /// Neither requests nor limits.
    pub best_effort: bool,
    pub pattern: Pattern,
    pub trouble: Trouble,
    /// Whether an autoscaler sets its replicas.
    pub scaled: Scaled,
    /// Service port, 0 for no Service.
    pub port: u16,
    /// Whether its pods serve metrics.
    pub exposed: Exposed,
    /// GiB of the persistent volume of each pod, 0 for none.
    pub volume: u32,
    /// KiB received for each CPU second spent; about as much again is sent.
    pub traffic: u32,
}

/// What templates have unless they say otherwise.
pub(super) const BASE: Template = Template {
    namespace: "default",
    name: "app",
    tier: "backend",
    controller: Controller::Deployment,
    replicas: 1,
    image: "registry.example.com/app:1.0.0",
    cpu: 100,
    cpu_limit: 0,
    memory: 128,
    memory_limit: 0,
    best_effort: false,
    pattern: Pattern::Steady,
    trouble: Trouble::None,
    scaled: Scaled::No,
    port: 0,
    exposed: Exposed::No,
    volume: 0,
    traffic: 200,
};

/// On every node, in this order as far as there is room.
pub(crate) const DAEMONS: &[Template] = &[
    Template {
        namespace: "kube-system",
        name: "kube-proxy",
        tier: "node",
        controller: Controller::DaemonSet,
        image: "registry.k8s.io/kube-proxy:v1.32.4",
        cpu: 50,
        memory: 48,
        pattern: Pattern::Idle,
        ..BASE
    },
    Template {
        namespace: "monitoring",
        name: "node-exporter",
        tier: "monitoring",
        controller: Controller::DaemonSet,
        image: "quay.io/prometheus/node-exporter:v1.8.2",
        cpu: 40,
        cpu_limit: 250,
        memory: 32,
        memory_limit: 128,
        port: 9100,
        exposed: Exposed::ByService,
        ..BASE
    },
    Template {
        namespace: "kube-system",
        name: "net-agent",
        tier: "node",
        controller: Controller::DaemonSet,
        image: "registry.example.com/net-agent:3.4.1",
        cpu: 100,
        memory: 180,
        pattern: Pattern::Steady,
        ..BASE
    },
    Template {
        namespace: "monitoring",
        name: "log-agent",
        tier: "monitoring",
        controller: Controller::DaemonSet,
        image: "registry.example.com/log-agent:2.9.0",
        cpu: 80,
        cpu_limit: 500,
        memory: 96,
        memory_limit: 256,
        pattern: Pattern::Bursty,
        ..BASE
    },
];

/// Names, requests (millicores, MiB) and limits of the containers beside the main one.
#[derive(Debug)]
pub(crate) struct Sidecar {
    pub name: &'static str,
    pub image: &'static str,
    pub cpu: u32,
    pub cpu_limit: u32,
    pub memory: u32,
    pub memory_limit: u32,
    pub pattern: Pattern,
}

/// The containers after the first, in this order.
pub(crate) const SIDECARS: &[Sidecar] = &[
    Sidecar {
        name: "mesh-proxy",
        image: "registry.example.com/mesh/proxy:1.23",
        cpu: 30,
        cpu_limit: 200,
        memory: 48,
        memory_limit: 128,
        pattern: Pattern::Steady,
    },
    Sidecar {
        name: "log-shipper",
        image: "registry.example.com/log-agent:2.9.0",
        cpu: 10,
        cpu_limit: 100,
        memory: 24,
        memory_limit: 64,
        pattern: Pattern::Bursty,
    },
    Sidecar {
        name: "metrics",
        image: "quay.io/prometheus/statsd-exporter:v0.27.1",
        cpu: 10,
        cpu_limit: 50,
        memory: 20,
        memory_limit: 48,
        pattern: Pattern::Idle,
    },
];
