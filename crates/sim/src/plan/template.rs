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
    /// Service port, 0 for no Service.
    pub port: u16,
    /// GiB of the persistent volume of each pod, 0 for none.
    pub volume: u32,
    /// KiB received for each CPU second spent; about as much again is sent.
    pub traffic: u32,
}

const BASE: Template = Template {
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
    port: 0,
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

/// Spread over the nodes, most telling first so that the smallest cluster has one of each.
pub(crate) const APPLICATIONS: &[Template] = &[
    Template {
        namespace: "web",
        name: "frontend",
        tier: "frontend",
        replicas: 22,
        image: "registry.example.com/web/frontend:4.12",
        cpu: 200,
        cpu_limit: 800,
        memory: 192,
        memory_limit: 512,
        pattern: Pattern::Daily,
        trouble: Trouble::Rollouts(720),
        port: 8080,
        traffic: 2400,
        ..BASE
    },
    Template {
        namespace: "shop",
        name: "recommender",
        replicas: 5,
        image: "registry.example.com/shop/recommender:0.9",
        cpu: 150,
        cpu_limit: 600,
        memory: 160,
        memory_limit: 384,
        pattern: Pattern::Leaking,
        port: 8090,
        ..BASE
    },
    Template {
        namespace: "shop",
        name: "catalog",
        replicas: 18,
        image: "registry.example.com/shop/catalog:2.3",
        cpu: 150,
        cpu_limit: 1000,
        memory: 256,
        memory_limit: 512,
        pattern: Pattern::Bursty,
        port: 8080,
        traffic: 900,
        ..BASE
    },
    Template {
        namespace: "data",
        name: "postgres",
        tier: "database",
        controller: Controller::StatefulSet,
        replicas: 3,
        image: "docker.io/library/postgres:16.4",
        cpu: 500,
        cpu_limit: 2000,
        memory: 1024,
        memory_limit: 2048,
        pattern: Pattern::Daily,
        port: 5432,
        volume: 100,
        traffic: 1500,
        ..BASE
    },
    Template {
        namespace: "shop",
        name: "config-sync",
        image: "registry.example.com/shop/config-sync:1.7",
        cpu: 20,
        cpu_limit: 100,
        memory: 32,
        memory_limit: 64,
        pattern: Pattern::Crashing,
        ..BASE
    },
    Template {
        namespace: "batch",
        name: "report",
        tier: "batch",
        controller: Controller::Task { period: 60, duration: 26, flaky: true, owned: true },
        replicas: 2,
        image: "registry.example.com/batch/report:5.1",
        cpu: 300,
        cpu_limit: 500,
        memory: 128,
        memory_limit: 256,
        pattern: Pattern::Working,
        ..BASE
    },
    Template {
        namespace: "data",
        name: "model-training",
        tier: "batch",
        image: "registry.example.com/data/training:0.3",
        cpu: 192_000,
        memory: 524_288,
        pattern: Pattern::Working,
        trouble: Trouble::Unschedulable,
        ..BASE
    },
    Template {
        namespace: "kube-system",
        name: "coredns",
        tier: "control-plane",
        replicas: 2,
        image: "registry.k8s.io/coredns/coredns:v1.11.3",
        cpu: 100,
        memory: 70,
        memory_limit: 170,
        port: 53,
        traffic: 700,
        ..BASE
    },
    Template {
        namespace: "shop",
        name: "checkout",
        replicas: 12,
        image: "registry.example.com/shop/checkout:3.8",
        cpu: 200,
        cpu_limit: 300,
        memory: 192,
        memory_limit: 384,
        pattern: Pattern::Throttled,
        port: 8080,
        traffic: 1200,
        ..BASE
    },
    Template {
        namespace: "shop",
        name: "notifications",
        replicas: 6,
        image: "registry.example.com/shop/notifications:1.2",
        cpu: 60,
        cpu_limit: 300,
        memory: 96,
        memory_limit: 192,
        trouble: Trouble::Flapping,
        port: 8080,
        ..BASE
    },
    Template {
        namespace: "data",
        name: "redis",
        tier: "cache",
        controller: Controller::StatefulSet,
        replicas: 6,
        image: "docker.io/library/redis:7.4",
        cpu: 150,
        memory: 512,
        memory_limit: 768,
        port: 6379,
        volume: 10,
        traffic: 5000,
        ..BASE
    },
    Template {
        namespace: "batch",
        name: "backup",
        tier: "batch",
        controller: Controller::Task { period: 300, duration: 95, flaky: false, owned: true },
        image: "registry.example.com/batch/backup:1.1",
        cpu: 400,
        cpu_limit: 1000,
        memory: 256,
        memory_limit: 512,
        pattern: Pattern::Working,
        traffic: 8000,
        ..BASE
    },
    Template {
        namespace: "web",
        name: "gateway",
        tier: "frontend",
        replicas: 10,
        image: "registry.example.com/web/gateway:2.0",
        cpu: 250,
        memory: 128,
        memory_limit: 256,
        pattern: Pattern::Daily,
        port: 443,
        traffic: 6000,
        ..BASE
    },
    Template {
        namespace: "shop",
        name: "cart",
        replicas: 16,
        image: "registry.example.com/shop/cart:6.4",
        cpu: 120,
        cpu_limit: 500,
        memory: 160,
        memory_limit: 320,
        pattern: Pattern::Daily,
        trouble: Trouble::Rollouts(1500),
        port: 8080,
        traffic: 800,
        ..BASE
    },
    Template {
        namespace: "monitoring",
        name: "prometheus",
        tier: "monitoring",
        controller: Controller::StatefulSet,
        image: "quay.io/prometheus/prometheus:v2.54.1",
        cpu: 600,
        memory: 2048,
        memory_limit: 4096,
        pattern: Pattern::Steady,
        port: 9090,
        volume: 200,
        traffic: 1500,
        ..BASE
    },
    Template {
        namespace: "batch",
        name: "import",
        tier: "batch",
        controller: Controller::Task { period: 180, duration: 70, flaky: false, owned: false },
        replicas: 3,
        image: "registry.example.com/batch/import:0.14",
        cpu: 250,
        memory: 192,
        memory_limit: 384,
        pattern: Pattern::Working,
        traffic: 3000,
        ..BASE
    },
    Template {
        namespace: "shop",
        name: "payments",
        replicas: 8,
        image: "registry.example.com/shop/payments:2.2",
        cpu: 100,
        cpu_limit: 400,
        memory: 256,
        memory_limit: 512,
        port: 8443,
        ..BASE
    },
    Template {
        namespace: "batch",
        name: "worker",
        tier: "batch",
        replicas: 14,
        image: "registry.example.com/batch/worker:3.0",
        cpu: 250,
        cpu_limit: 1500,
        memory: 256,
        memory_limit: 640,
        pattern: Pattern::Bursty,
        ..BASE
    },
    Template {
        namespace: "data",
        name: "kafka",
        tier: "queue",
        controller: Controller::StatefulSet,
        replicas: 5,
        image: "docker.io/bitnami/kafka:3.8",
        cpu: 300,
        cpu_limit: 1500,
        memory: 896,
        memory_limit: 1536,
        pattern: Pattern::Daily,
        port: 9092,
        volume: 250,
        traffic: 7000,
        ..BASE
    },
    Template {
        namespace: "shop",
        name: "search",
        replicas: 10,
        image: "registry.example.com/shop/search:8.1",
        cpu: 200,
        cpu_limit: 1000,
        memory: 768,
        memory_limit: 1024,
        pattern: Pattern::Daily,
        port: 9200,
        ..BASE
    },
    Template {
        namespace: "web",
        name: "session-cache",
        tier: "cache",
        replicas: 8,
        image: "docker.io/library/memcached:1.6",
        cpu: 50,
        memory: 256,
        memory_limit: 320,
        port: 11211,
        traffic: 4000,
        ..BASE
    },
    Template {
        namespace: "shop",
        name: "inventory",
        replicas: 10,
        image: "registry.example.com/shop/inventory:1.19",
        cpu: 80,
        cpu_limit: 400,
        memory: 160,
        memory_limit: 320,
        pattern: Pattern::Bursty,
        port: 8080,
        ..BASE
    },
    Template {
        namespace: "web",
        name: "static-assets",
        tier: "frontend",
        replicas: 8,
        image: "docker.io/library/nginx:1.27",
        cpu: 25,
        cpu_limit: 200,
        memory: 48,
        memory_limit: 96,
        pattern: Pattern::Idle,
        port: 80,
        traffic: 20000,
        ..BASE
    },
    Template {
        namespace: "monitoring",
        name: "alertmanager",
        tier: "monitoring",
        controller: Controller::StatefulSet,
        replicas: 2,
        image: "quay.io/prometheus/alertmanager:v0.27.0",
        cpu: 30,
        memory: 64,
        memory_limit: 128,
        pattern: Pattern::Idle,
        port: 9093,
        volume: 5,
        ..BASE
    },
    Template {
        namespace: "shop",
        name: "pricing",
        replicas: 6,
        image: "registry.example.com/shop/pricing:4.4",
        cpu: 120,
        memory: 192,
        memory_limit: 384,
        pattern: Pattern::Bursty,
        port: 8080,
        ..BASE
    },
    Template {
        namespace: "sandbox",
        name: "notebook",
        tier: "tools",
        replicas: 12,
        image: "registry.example.com/tools/notebook:latest",
        cpu: 60,
        memory: 220,
        best_effort: true,
        pattern: Pattern::Bursty,
        port: 8888,
        ..BASE
    },
    Template {
        namespace: "sandbox",
        name: "devbox",
        tier: "tools",
        replicas: 9,
        image: "registry.example.com/tools/devbox:latest",
        cpu: 20,
        memory: 90,
        best_effort: true,
        pattern: Pattern::Idle,
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
