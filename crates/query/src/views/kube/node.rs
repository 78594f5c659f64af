//! `kube_node_*` and `kube_namespace_*`.

use model::{Node, Ready, Resources, Taint};

use super::{Family, Made, Put, family, flag, number, seconds, with_labels};

const CONDITIONS: [&str; 3] = ["MemoryPressure", "DiskPressure", "PIDPressure"];

pub(super) const FAMILIES: &[Family] = &[
    family("kube_node_info", Made::Node(info), false, "Information about a node"),
    family(
        "kube_node_created",
        Made::Node(|node, put| {
            if let Some(at) = seconds(node.created) {
                put(&[("node", &node.name)], at);
            }
        }),
        true,
        "When the node was created",
    ),
    family(
        "kube_node_labels",
        Made::Node(|node, put| {
            with_labels(&[("node", &node.name)], &node.labels, put);
        }),
        true,
        "The node's labels",
    ),
    family(
        "kube_node_role",
        Made::Node(|node, put| {
            let roles = node.labels.iter().filter_map(|(key, _)| {
                key.strip_prefix("node-role.kubernetes.io/").filter(|role| !role.is_empty())
            });
            roles.for_each(|role| put(&[("node", &node.name), ("role", role)], 1.0));
        }),
        true,
        "The node's roles",
    ),
    family(
        "kube_node_spec_unschedulable",
        Made::Node(|node, put| {
            put(&[("node", &node.name)], flag(node.unschedulable));
        }),
        false,
        "Whether the node takes no new pods",
    ),
    family(
        "kube_node_spec_taint",
        Made::Node(|node, put| {
            for Taint { key, value, effect } in &node.taints {
                put(
                    &[("node", &node.name), ("key", key), ("value", value), ("effect", effect)],
                    1.0,
                );
            }
        }),
        false,
        "What keeps pods away from the node",
    ),
    family(
        "kube_node_status_addresses",
        Made::Node(|node, put| {
            for (kind, address) in &node.addresses {
                put(&[("node", &node.name), ("type", kind), ("address", address)], 1.0);
            }
        }),
        false,
        "The node's addresses",
    ),
    family("kube_node_status_condition", Made::Node(conditions), false, "The node's conditions"),
    family(
        "kube_node_status_capacity",
        Made::Node(|node, put| {
            resources(node, &node.capacity, put);
        }),
        true,
        "What the machine has",
    ),
    family(
        "kube_node_status_allocatable",
        Made::Node(|node, put| {
            resources(node, &node.allocatable, put);
        }),
        true,
        "What pods may use",
    ),
    family(
        "kube_namespace_status_phase",
        Made::Namespace(|namespace, put| {
            for phase in ["Active", "Terminating"] {
                let holds = *namespace.phase == *phase;
                put(&[("namespace", &namespace.name), ("phase", phase)], flag(holds));
            }
        }),
        false,
        "The namespace's phase",
    ),
    family(
        "kube_namespace_created",
        Made::Namespace(|namespace, put| {
            if let Some(at) = seconds(namespace.created) {
                put(&[("namespace", &namespace.name)], at);
            }
        }),
        true,
        "When the namespace was created",
    ),
    family(
        "kube_namespace_labels",
        Made::Namespace(|namespace, put| {
            with_labels(&[("namespace", &namespace.name)], &namespace.labels, put);
        }),
        true,
        "The namespace's labels",
    ),
];

fn info(node: &Node, put: &mut Put<'_>) {
    let address = node.addresses.iter().find(|(kind, _)| &**kind == "InternalIP");
    let labels = [
        ("node", &*node.name),
        ("internal_ip", address.map_or("", |(_, address)| address)),
        ("kubelet_version", &node.kubelet_version),
        ("kernel_version", &node.kernel_version),
        ("os_image", &node.os_image),
        ("container_runtime_version", &node.runtime_version),
        ("provider_id", &node.provider_id),
        ("pod_cidr", &node.pod_cidr),
    ];
    put(&labels, 1.0);
}

fn conditions(node: &Node, put: &mut Put<'_>) {
    let mut condition = |name: &str, found: &str| {
        for status in ["true", "false", "unknown"] {
            let labels = [("node", &*node.name), ("condition", name), ("status", status)];
            put(&labels, flag(status == found));
        }
    };
    condition(
        "Ready",
        match node.ready {
            Ready::Yes => "true",
            Ready::No => "false",
            Ready::Unstated => "unknown",
        },
    );
    let holds = |name: &str| node.pressures.iter().any(|pressure| **pressure == *name);
    for name in CONDITIONS {
        condition(name, if holds(name) { "true" } else { "false" });
    }
    for name in node.pressures.iter().filter(|name| !CONDITIONS.contains(&&***name)) {
        condition(name, "true");
    }
}

fn resources(node: &Node, amounts: &Resources, put: &mut Put<'_>) {
    let mut one = |resource: &str, unit: &str, value: f64| {
        put(&[("node", &node.name), ("resource", resource), ("unit", unit)], value);
    };
    if let Some(milli) = amounts.cpu_millicores {
        one("cpu", "core", number(milli) / 1000.0);
    }
    if let Some(bytes) = amounts.memory_bytes {
        one("memory", "byte", number(bytes));
    }
    if let Some(bytes) = amounts.ephemeral_storage_bytes {
        one("ephemeral_storage", "byte", number(bytes));
    }
    if node.pod_capacity > 0 {
        one("pods", "integer", f64::from(node.pod_capacity));
    }
}
