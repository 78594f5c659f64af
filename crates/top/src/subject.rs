//! What is listed: nodes, pods, containers, namespaces, workloads.

/// A kind of thing that uses CPU and memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// Nodes.
    Nodes,
    /// Namespaces.
    Namespaces,
    /// Tops of pods' owner chains.
    Workloads,
    /// Pods.
    Pods,
    /// Containers of pods.
    Containers,
}

impl Subject {
    /// Every one, in the order of the full-screen view's tabs.
    pub const ALL: [Self; 5] =
        [Self::Nodes, Self::Namespaces, Self::Workloads, Self::Pods, Self::Containers];

    /// Its name, and that of its list in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nodes => "nodes",
            Self::Namespaces => "namespaces",
            Self::Workloads => "workloads",
            Self::Pods => "pods",
            Self::Containers => "containers",
        }
    }

    /// Whether its rows live in a namespace.
    pub(crate) const fn is_namespaced(self) -> bool {
        matches!(self, Self::Workloads | Self::Pods | Self::Containers)
    }
}
