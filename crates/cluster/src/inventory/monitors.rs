//! Monitors, services and endpoint slices as the inventory holds them; what a monitor asks for and
//! cannot get is said here.

use model::{
    EndpointSlice, Monitor, MonitorEndpoint, MonitorKind, NamespaceChoice, PodMonitor, PortChoice,
    RelabelRule, Requirement, ScrapeTls, Service, ServiceMonitor, SliceEndpoint, SlicePort,
};
use serde_json::Value;

use super::labels;
use crate::wire::object::{self, LabelSelector, MonitorSpec, Relabeling};

/// Most endpoints of a monitor.
const MAX_ENDPOINTS: usize = 100;

/// A service monitor.
pub fn service_monitor(object: object::ServiceMonitor) -> ServiceMonitor {
    let (namespace, name) = (object.metadata.namespace(), object.metadata.name());
    let monitor = monitor(MonitorKind::Service, namespace, name, object.spec);
    ServiceMonitor { namespace: namespace.into(), name: name.into(), monitor: monitor.into() }
}

/// A pod monitor.
pub fn pod_monitor(object: object::PodMonitor) -> PodMonitor {
    let (namespace, name) = (object.metadata.namespace(), object.metadata.name());
    let monitor = monitor(MonitorKind::Pod, namespace, name, object.spec);
    PodMonitor { namespace: namespace.into(), name: name.into(), monitor: monitor.into() }
}

/// A service.
pub fn service(object: object::Service) -> Service {
    let metadata = object.metadata;
    Service {
        namespace: metadata.namespace().into(),
        name: metadata.name().into(),
        labels: labels(metadata.labels),
    }
}

/// An endpoint slice.
pub fn endpoint_slice(object: object::EndpointSlice) -> EndpointSlice {
    let metadata = object.metadata;
    let endpoint = |one: object::SliceEndpoint| {
        let target = one.target_ref.unwrap_or_default();
        SliceEndpoint {
            addresses: boxed(one.addresses),
            ready: one.conditions.and_then(|conditions| conditions.ready).unwrap_or(true),
            target_kind: target.kind.into(),
            target_name: target.name.into(),
            node: one.node_name.unwrap_or_default().into(),
            hostname: one.hostname.unwrap_or_default().into(),
        }
    };
    // A port without a number means every port, which names none.
    let port = |one: object::SlicePort| {
        Some(SlicePort {
            name: one.name.unwrap_or_default().into(),
            port: one.port?,
            protocol: one.protocol.unwrap_or_else(|| "TCP".to_owned()).into(),
        })
    };
    EndpointSlice {
        namespace: metadata.namespace().into(),
        name: metadata.name().into(),
        service: metadata
            .labels
            .get("kubernetes.io/service-name")
            .map_or("", String::as_str)
            .into(),
        address_type: object.address_type.into(),
        ports: object.ports.unwrap_or_default().into_iter().filter_map(port).collect(),
        endpoints: object.endpoints.unwrap_or_default().into_iter().map(endpoint).collect(),
    }
}

fn boxed(texts: Vec<String>) -> Box<[Box<str>]> {
    texts.into_iter().map(String::into_boxed_str).collect()
}

fn monitor(kind: MonitorKind, namespace: &str, name: &str, spec: Value) -> Monitor {
    let base =
        Monitor { kind, namespace: namespace.into(), name: name.into(), ..Monitor::default() };
    let refused = |why: String| Monitor { refused: Some(why.into()), ..base.clone() };
    let spec: MonitorSpec = match serde_json::from_value(spec) {
        Ok(spec) => spec,
        Err(error) => return refused(format!("its spec cannot be read: {error}")),
    };
    let selector = match requirements(spec.selector) {
        Ok(selector) => selector,
        Err(why) => return refused(why),
    };
    let endpoints = match kind {
        MonitorKind::Service => spec.endpoints,
        MonitorKind::Pod => spec.pod_metrics_endpoints,
    };
    if endpoints.len() > MAX_ENDPOINTS {
        return refused(format!("it has {} endpoints, {MAX_ENDPOINTS} at most", endpoints.len()));
    }
    let names = boxed(spec.namespace_selector.match_names.unwrap_or_default());
    Monitor {
        namespaces: match () {
            () if spec.namespace_selector.any => NamespaceChoice::Any,
            () if names.is_empty() => NamespaceChoice::Own,
            () => NamespaceChoice::Names(names),
        },
        selector,
        endpoints: endpoints.into_iter().map(|one| endpoint(kind, one)).collect(),
        job_label: spec.job_label.unwrap_or_default().into(),
        target_labels: boxed(spec.target_labels),
        pod_target_labels: boxed(spec.pod_target_labels),
        attach_node: spec.attach_metadata.is_some_and(|attach| attach.node),
        sample_limit: spec.sample_limit.unwrap_or(0),
        target_limit: spec.target_limit.unwrap_or(0),
        label_limit: spec.label_limit.unwrap_or(0),
        label_name_limit: spec.label_name_length_limit.unwrap_or(0),
        label_value_limit: spec.label_value_length_limit.unwrap_or(0),
        ..base
    }
}

fn requirements(selector: LabelSelector) -> Result<Box<[Requirement]>, String> {
    let labels = selector.match_labels.unwrap_or_default().into_iter();
    let mut all: Vec<Requirement> =
        labels.map(|(key, value)| Requirement::In(key.into(), [value.into()].into())).collect();
    for one in selector.match_expressions.unwrap_or_default() {
        let (key, values) = (one.key.into(), boxed(one.values.unwrap_or_default()));
        all.push(match &*one.operator {
            "In" => Requirement::In(key, values),
            "NotIn" => Requirement::NotIn(key, values),
            "Exists" => Requirement::Exists(key),
            "DoesNotExist" => Requirement::Absent(key),
            other => return Err(format!("its selector has an operator `{other}`")),
        });
    }
    Ok(all.into())
}

fn endpoint(kind: MonitorKind, value: Value) -> MonitorEndpoint {
    let mut wire = object::MonitorEndpoint::default();
    let refused = match serde_json::from_value(value) {
        Ok(read) => {
            wire = read;
            needs(&wire)
        }
        Err(error) => Some(format!("it cannot be read: {error}")),
    };
    let (port, unclear) = port(kind, &wire);
    let tls = wire.tls_config.unwrap_or_default();
    let params = wire.params.unwrap_or_default().into_iter();
    MonitorEndpoint {
        port,
        path: wire.path.unwrap_or_default().into(),
        scheme: wire.scheme.unwrap_or_default().to_ascii_lowercase().into(),
        params: params.map(|(name, values)| (name.into(), boxed(values))).collect(),
        interval: wire.interval.unwrap_or_default().into(),
        timeout: wire.scrape_timeout.unwrap_or_default().into(),
        honor_labels: wire.honor_labels,
        honor_timestamps: wire.honor_timestamps.unwrap_or(true),
        only_running: wire.filter_running.unwrap_or(true),
        tls: ScrapeTls {
            skip_verify: tls.insecure_skip_verify,
            server_name: tls.server_name.unwrap_or_default().into(),
        },
        relabel: wire.relabelings.unwrap_or_default().into_iter().map(rule).collect(),
        metric_relabel: wire.metric_relabelings.unwrap_or_default().into_iter().map(rule).collect(),
        refused: refused.or(unclear).map(Into::into),
    }
}

/// The port; or why it is unclear.
fn port(kind: MonitorKind, wire: &object::MonitorEndpoint) -> (PortChoice, Option<String>) {
    if let Some(name) = wire.port.as_deref().filter(|name| !name.is_empty()) {
        return (PortChoice::Name(name.into()), None);
    }
    if let Some(number) = wire.port_number {
        return (PortChoice::TargetNumber(number), None);
    }
    match &wire.target_port {
        Some(Value::Number(number)) => {
            let number = number.as_u64().and_then(|number| u16::try_from(number).ok());
            match number {
                Some(number) => (PortChoice::TargetNumber(number), None),
                None => (PortChoice::Any, Some("its targetPort is no port".to_owned())),
            }
        }
        Some(Value::String(name)) => (PortChoice::TargetName(name.as_str().into()), None),
        // The operator takes every port of pods then, and nothing of services.
        _ if kind == MonitorKind::Service => {
            (PortChoice::Any, Some("it names neither port nor targetPort".to_owned()))
        }
        _ => (PortChoice::Any, None),
    }
}

/// What an endpoint needs that Taffrail does not have: it reads no secrets and no config maps, and
/// shows its own token to nobody that a monitor chooses.
fn needs(wire: &object::MonitorEndpoint) -> Option<String> {
    let secret =
        |field: &str| Some(format!("its {field} needs a Secret, and Taffrail never reads secrets"));
    let file = |field: &str| {
        Some(format!(
            "its {field} is a file of Prometheus' own pod; authorities go into --scrape-ca-file, \
             and Taffrail shows its own credentials to no target"
        ))
    };
    let is_set = |value: &Option<Value>| {
        value.as_ref().is_some_and(|value| value.as_object().is_none_or(|map| !map.is_empty()))
    };
    let named = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    let tls = wire.tls_config.clone().unwrap_or_default();
    match () {
        () if is_set(&wire.basic_auth) => secret("basicAuth"),
        () if is_set(&wire.authorization) => secret("authorization"),
        () if is_set(&wire.oauth2) => secret("oauth2"),
        () if wire.bearer_token_secret.as_ref().is_some_and(|one| !one.name.is_empty()) => {
            secret("bearerTokenSecret")
        }
        () if tls.key_secret.as_ref().is_some_and(|one| !one.name.is_empty()) => {
            secret("tlsConfig.keySecret")
        }
        () if is_set(&tls.cert) => secret("tlsConfig.cert"),
        () if is_set(&tls.ca) && !tls.insecure_skip_verify => Some(
            "its tlsConfig.ca needs a Secret or ConfigMap, which Taffrail does not read; give the \
             authority with --scrape-ca-file"
                .to_owned(),
        ),
        () if named(&wire.bearer_token_file) => file("bearerTokenFile"),
        () if named(&tls.ca_file) && !tls.insecure_skip_verify => file("tlsConfig.caFile"),
        () if named(&tls.cert_file) || named(&tls.key_file) => file("tlsConfig.certFile"),
        () if named(&wire.proxy_url) => {
            Some("its proxyUrl is not honoured: targets are asked directly".to_owned())
        }
        () => None,
    }
}

fn rule(wire: Relabeling) -> RelabelRule {
    RelabelRule {
        source_labels: boxed(wire.source_labels.unwrap_or_default()),
        separator: wire.separator.map(Into::into),
        target_label: wire.target_label.unwrap_or_default().into(),
        // An empty one is none, as the operator writes it.
        regex: wire.regex.filter(|regex| !regex.is_empty()).map(Into::into),
        modulus: wire.modulus.unwrap_or(0),
        replacement: wire.replacement.map(Into::into),
        action: wire.action.unwrap_or_default().into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn service_monitor_of(spec: &Value) -> Monitor {
        let object = json!({ "metadata": { "name": "m", "namespace": "n" }, "spec": spec });
        let object: object::ServiceMonitor = serde_json::from_value(object).unwrap();
        Monitor::clone(&service_monitor(object).monitor)
    }

    #[test]
    fn a_monitor_is_read_whole() {
        let monitor = service_monitor_of(&json!({
            "selector": {
                "matchLabels": { "app": "a" },
                "matchExpressions": [
                    { "key": "tier", "operator": "NotIn", "values": ["x", "y"] },
                    { "key": "team", "operator": "Exists" },
                ],
            },
            "namespaceSelector": { "matchNames": ["o", "p"] },
            "jobLabel": "app", "targetLabels": ["t"], "podTargetLabels": ["u"], "sampleLimit": 5,
            "labelLimit": 6, "labelNameLengthLimit": 7, "labelValueLengthLimit": 8,
            "targetLimit": 9, "attachMetadata": { "node": true },
            "endpoints": [{
                "port": "web", "path": "/m", "scheme": "HTTPS", "interval": "5s",
                "scrapeTimeout": "4s", "honorLabels": true, "honorTimestamps": false,
                "params": { "a": ["1", "2"] }, "bearerTokenSecret": { "key": "" },
                "tlsConfig": { "insecureSkipVerify": true, "serverName": "s", "ca": {}, "cert": {} },
                "relabelings": [{
                    "action": "hashmod", "sourceLabels": ["x"], "separator": "", "modulus": 3,
                    "targetLabel": "y", "regex": "", "replacement": "$1",
                }],
                "metricRelabelings": [{ "action": "drop", "regex": "z" }],
            }, { "targetPort": 8080 }, { "targetPort": "http" }],
        }));
        assert_eq!(monitor.selector.len(), 3);
        assert_eq!(monitor.namespaces, NamespaceChoice::Names(["o".into(), "p".into()].into()));
        assert_eq!((&*monitor.job_label, monitor.attach_node), ("app", true));
        let limits = (
            (monitor.sample_limit, monitor.label_limit, monitor.label_name_limit),
            (monitor.label_value_limit, monitor.target_limit),
        );
        assert_eq!(limits, ((5, 6, 7), (8, 9)));
        let [first, second, third] = &*monitor.endpoints else { panic!("three") };
        assert_eq!(first.refused, None);
        assert_eq!(first.port, PortChoice::Name("web".into()));
        assert_eq!((&*first.path, &*first.scheme), ("/m", "https"));
        assert_eq!((&*first.interval, &*first.timeout), ("5s", "4s"));
        assert_eq!((first.honor_labels, first.honor_timestamps), (true, false));
        assert_eq!(first.tls, ScrapeTls { skip_verify: true, server_name: "s".into() });
        assert_eq!(*first.params, [("a".into(), ["1".into(), "2".into()].into())]);
        let rule = &first.relabel[0];
        assert_eq!((rule.modulus, rule.separator.as_deref(), &rule.regex), (3, Some(""), &None));
        assert_eq!(first.metric_relabel[0].regex.as_deref(), Some("z"));
        assert_eq!(second.port, PortChoice::TargetNumber(8080));
        assert_eq!(third.port, PortChoice::TargetName("http".into()));
    }

    #[test]
    fn what_needs_a_secret_is_refused_by_name() {
        for (endpoint, expected) in [
            (
                json!({ "basicAuth": { "username": { "name": "s", "key": "k" } } }),
                "basicAuth needs a Secret",
            ),
            (json!({ "authorization": { "credentials": { "name": "s" } } }), "authorization needs"),
            (json!({ "oauth2": { "clientId": {} } }), "oauth2 needs a Secret"),
            (
                json!({ "bearerTokenSecret": { "name": "s", "key": "k" } }),
                "bearerTokenSecret needs",
            ),
            (json!({ "bearerTokenFile": "/var/run/token" }), "bearerTokenFile is a file"),
            (json!({ "tlsConfig": { "ca": { "secret": { "name": "s" } } } }), "tlsConfig.ca needs"),
            (json!({ "tlsConfig": { "keySecret": { "name": "s" } } }), "keySecret needs a Secret"),
            (json!({ "tlsConfig": { "caFile": "/ca" } }), "--scrape-ca-file"),
            (json!({ "proxyUrl": "http://p" }), "proxyUrl is not honoured"),
            (json!({ "port": 8080 }), "cannot be read"),
            (json!({}), "names neither port nor targetPort"),
        ] {
            let mut with_port = endpoint.clone();
            if endpoint.as_object().is_some_and(|map| !map.is_empty()) && endpoint["port"].is_null()
            {
                with_port["port"] = "web".into();
            }
            let monitor = service_monitor_of(&json!({ "endpoints": [with_port] }));
            let refused = monitor.endpoints[0].refused.as_deref().unwrap_or_default();
            assert!(refused.contains(expected), "{endpoint}: {refused}");
        }
        let broken = service_monitor_of(
            &json!({ "selector": { "matchExpressions": [{ "operator": "Near" }] } }),
        );
        assert!(broken.refused.unwrap().contains("`Near`"));
        let broken = service_monitor_of(&json!({ "endpoints": "all" }));
        assert!(broken.refused.unwrap().contains("spec cannot be read"));
    }

    #[test]
    fn slices_and_services_are_read() {
        let slice: object::EndpointSlice = serde_json::from_value(json!({
            "metadata": {
                "name": "web-x", "namespace": "n",
                "labels": { "kubernetes.io/service-name": "web" },
            },
            "addressType": "IPv4",
            "ports": [{ "name": "http", "port": 80, "protocol": "TCP" }, { "name": "any" }],
            "endpoints": [
                { "addresses": ["10.0.0.1"], "conditions": { "ready": false }, "nodeName": "node-1",
                  "targetRef": { "kind": "Pod", "name": "web-0" } },
                { "addresses": ["10.0.0.2"] },
            ],
        }))
        .unwrap();
        let slice = endpoint_slice(slice);
        assert_eq!((&*slice.service, slice.ports.len()), ("web", 1));
        assert_eq!((slice.endpoints[0].ready, slice.endpoints[1].ready), (false, true));
        assert_eq!(&*slice.endpoints[0].target_name, "web-0");
        let empty = json!({ "metadata": { "name": "e" }, "addressType": "IPv4", "endpoints": null, "ports": null });
        assert!(endpoint_slice(serde_json::from_value(empty).unwrap()).endpoints.is_empty());
        let object =
            json!({ "metadata": { "name": "s", "labels": { "b": "2", "a": "1" } }, "spec": {} });
        let service = service(serde_json::from_value(object).unwrap());
        assert_eq!(&*service.labels[0].0, "a");
    }
}
