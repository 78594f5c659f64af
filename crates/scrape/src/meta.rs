//! What is known of a target before relabelling: the `__meta_kubernetes_…` labels that Prometheus'
//! own discovery gives to pods and endpoint slices, as far as the inventory holds them.
//!
//! Of annotations, the four `prometheus.io/…` ones of pods are held. Init containers, the UDP of
//! ports and annotations of services are not.

use model::{
    EndpointSlice, Inventory, Node, Pod, Ready, Service, SliceEndpoint, SlicePort, sanitized,
};

use crate::labels::Labels;

/// An address with a port.
fn joined(address: &str, port: u16) -> String {
    if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}

fn put_labels<'a>(of: &str, pairs: &'a [(Box<str>, Box<str>)], labels: &mut Labels<'a>) {
    for (name, value) in pairs {
        let name = sanitized(name);
        labels.set(format!("__meta_kubernetes_{of}_label_{name}"), &**value);
        labels.set(format!("__meta_kubernetes_{of}_labelpresent_{name}"), "true");
    }
}

/// What a pod is, without its containers.
pub(crate) fn of_pod<'a>(pod: &'a Pod, labels: &mut Labels<'a>) {
    let ready = match pod.ready {
        Ready::Yes => "true",
        Ready::No => "false",
        Ready::Unstated => "unknown",
    };
    for (name, value) in [
        ("__meta_kubernetes_namespace", &*pod.namespace),
        ("__meta_kubernetes_pod_name", &pod.name),
        ("__meta_kubernetes_pod_ip", &pod.ip),
        ("__meta_kubernetes_pod_ready", ready),
        ("__meta_kubernetes_pod_phase", &pod.phase),
        ("__meta_kubernetes_pod_node_name", &pod.node),
        ("__meta_kubernetes_pod_host_ip", &pod.host_ip),
        ("__meta_kubernetes_pod_uid", &pod.uid),
    ] {
        labels.set(name, value);
    }
    if let Some(owner) = &pod.owner {
        labels.set("__meta_kubernetes_pod_controller_kind", &*owner.kind);
        labels.set("__meta_kubernetes_pod_controller_name", &*owner.name);
    }
    put_labels("pod", &pod.labels, labels);
    if let Some(hint) = &pod.scrape {
        for (name, value) in [
            ("scrape", &*hint.scrape),
            ("port", &hint.port),
            ("path", &hint.path),
            ("scheme", &hint.scheme),
        ] {
            if !value.is_empty() {
                labels.set(format!("__meta_kubernetes_pod_annotation_prometheus_io_{name}"), value);
                let present =
                    format!("__meta_kubernetes_pod_annotationpresent_prometheus_io_{name}");
                labels.set(present, "true");
            }
        }
    }
}

/// The one target of a pod that says on which port it answers.
pub(crate) fn one_target_of_pod<'a>(pod: &'a Pod, port: u16, labels: &mut Labels<'a>) {
    of_container(pod, port, labels);
    labels.set("__address__", joined(&pod.ip, port));
}

/// What a node is, for monitors that ask for it.
pub(crate) fn of_node<'a>(node: &'a Node, labels: &mut Labels<'a>) {
    labels.set("__meta_kubernetes_node_name", &*node.name);
    put_labels("node", &node.labels, labels);
}

/// What becomes a target of a pod: each port of each container, and each container without any.
pub(crate) fn targets_of_pod<'a>(
    pod: &'a Pod,
    base: &Labels<'a>,
    mut each: impl FnMut(Labels<'a>),
) {
    if pod.ip.is_empty() {
        return;
    }
    for container in &*pod.containers {
        let mut labels = base.clone();
        labels.set("__meta_kubernetes_pod_container_name", &*container.name);
        labels.set("__meta_kubernetes_pod_container_image", &*container.image);
        labels.set("__meta_kubernetes_pod_container_init", "false");
        if container.ports.is_empty() {
            labels.set("__address__", &*pod.ip);
            each(labels);
            continue;
        }
        for (name, port) in &container.ports {
            let mut labels = labels.clone();
            labels.set("__meta_kubernetes_pod_container_port_name", &**name);
            labels.set("__meta_kubernetes_pod_container_port_number", port.to_string());
            labels.set("__address__", joined(&pod.ip, *port));
            each(labels);
        }
    }
}

/// What becomes a target of a slice: each port of each endpoint, and what else the pods behind
/// them listen on.
pub(crate) fn targets_of_slice<'a>(
    slice: &'a EndpointSlice,
    service: &'a Service,
    inventory: &'a Inventory,
    attach_node: bool,
    mut each: impl FnMut(Labels<'a>),
) {
    let mut base = Labels::default();
    for (name, value) in [
        ("__meta_kubernetes_namespace", &*slice.namespace),
        ("__meta_kubernetes_endpointslice_name", &slice.name),
        ("__meta_kubernetes_endpointslice_address_type", &slice.address_type),
        ("__meta_kubernetes_endpoints_name", &service.name),
        ("__meta_kubernetes_service_name", &service.name),
    ] {
        base.set(name, value);
    }
    put_labels("service", &service.labels, &mut base);
    for endpoint in &slice.endpoints {
        let is_pod = &*endpoint.target_kind == "Pod";
        let pod = inventory.pod(&slice.namespace, &endpoint.target_name).filter(|_| is_pod);
        let mut labels = base.clone();
        of_endpoint(endpoint, &mut labels);
        if attach_node && let Some(node) = inventory.node(&endpoint.node) {
            of_node(node, &mut labels);
        }
        if let Some(pod) = pod {
            of_pod(pod, &mut labels);
        }
        for address in &endpoint.addresses {
            for port in &slice.ports {
                let mut labels = labels.clone();
                of_port(port, &mut labels);
                labels.set("__address__", joined(address, port.port));
                if let Some(pod) = pod {
                    of_container(pod, port.port, &mut labels);
                }
                each(labels);
            }
        }
        if let Some(pod) = pod {
            other_ports(pod, slice, &labels, &mut each);
        }
    }
}

fn of_endpoint<'a>(endpoint: &'a SliceEndpoint, labels: &mut Labels<'a>) {
    let ready = if endpoint.ready { "true" } else { "false" };
    for (name, value) in [
        ("__meta_kubernetes_endpointslice_address_target_kind", &*endpoint.target_kind),
        ("__meta_kubernetes_endpoint_address_target_kind", &endpoint.target_kind),
        ("__meta_kubernetes_endpointslice_address_target_name", &endpoint.target_name),
        ("__meta_kubernetes_endpoint_address_target_name", &endpoint.target_name),
        ("__meta_kubernetes_endpointslice_endpoint_conditions_ready", ready),
        ("__meta_kubernetes_endpoint_ready", ready),
        ("__meta_kubernetes_endpointslice_endpoint_node_name", &endpoint.node),
        ("__meta_kubernetes_endpoint_node_name", &endpoint.node),
        ("__meta_kubernetes_endpointslice_endpoint_hostname", &endpoint.hostname),
        ("__meta_kubernetes_endpoint_hostname", &endpoint.hostname),
    ] {
        labels.set(name, value);
    }
}

fn of_port<'a>(port: &'a SlicePort, labels: &mut Labels<'a>) {
    for (name, value) in [
        ("__meta_kubernetes_endpointslice_port_name", &*port.name),
        ("__meta_kubernetes_endpoint_port_name", &port.name),
        ("__meta_kubernetes_endpointslice_port_protocol", &port.protocol),
        ("__meta_kubernetes_endpoint_port_protocol", &port.protocol),
    ] {
        labels.set(name, value);
    }
    labels.set("__meta_kubernetes_endpointslice_port", port.port.to_string());
}

/// The container that declares the port.
fn of_container<'a>(pod: &'a Pod, number: u16, labels: &mut Labels<'a>) {
    for container in &*pod.containers {
        let Some((name, port)) = container.ports.iter().find(|(_, port)| *port == number) else {
            continue;
        };
        labels.set("__meta_kubernetes_pod_container_name", &*container.name);
        labels.set("__meta_kubernetes_pod_container_image", &*container.image);
        labels.set("__meta_kubernetes_pod_container_port_name", &**name);
        labels.set("__meta_kubernetes_pod_container_port_number", port.to_string());
        return;
    }
}

/// Ports of the pod that the service does not lead to.
fn other_ports<'a>(
    pod: &'a Pod,
    slice: &EndpointSlice,
    labels: &Labels<'a>,
    each: &mut impl FnMut(Labels<'a>),
) {
    for container in &*pod.containers {
        for (_, port) in &container.ports {
            if slice.ports.iter().any(|known| known.port == *port) || pod.ip.is_empty() {
                continue;
            }
            let mut labels = labels.clone();
            of_container(pod, *port, &mut labels);
            labels.set("__address__", joined(&pod.ip, *port));
            each(labels);
        }
    }
}
