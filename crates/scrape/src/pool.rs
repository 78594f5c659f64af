//! Scrape pools: what a monitor's endpoint, or the annotated pods together, are scraped by. Made of
//! the rules that the Prometheus operator would write for it.

use std::sync::Arc;
use std::time::Duration;

use model::{
    Monitor, MonitorEndpoint, MonitorKind, PortChoice, RelabelRule, ScrapeParams, ScrapeTls,
    sanitized,
};

use crate::limits::{Limits, MIN_INTERVAL};
use crate::relabel::{self, Rule};
use crate::series::Treatment;
use crate::settings::Settings;
use crate::target::duration;

/// The pool of annotated pods, and their `job`.
pub const ANNOTATED: &str = "kubernetes-pods";

/// What targets of one kind are scraped by.
#[derive(Debug)]
pub(crate) struct Pool {
    /// As Prometheus shows it (`serviceMonitor/default/web/0`).
    pub(crate) name: Arc<str>,
    /// Labels that every target begins with unless it was discovered with them.
    pub(crate) presets: Vec<(String, String)>,
    /// Query parameters with all their values.
    pub(crate) params: ScrapeParams,
    /// Applied to targets.
    pub(crate) rules: Vec<Rule>,
    pub(crate) treatment: Treatment,
    pub(crate) tls: ScrapeTls,
    /// Most targets; 0 for no bound.
    pub(crate) target_limit: u64,
}

/// The pool of pods with `prometheus.io/scrape: "true"`.
pub(crate) fn annotated(settings: &Settings) -> Result<Pool, String> {
    let annotation = |name: &str| format!("__meta_kubernetes_pod_annotation_prometheus_io_{name}");
    let mut rules = vec![
        keep(&[&annotation("scrape")], "true"),
        drop_of(&["__meta_kubernetes_pod_phase"], "Succeeded|Failed"),
        written("__scheme__", &[&annotation("scheme")], "(https?)", "$1"),
        written("__metrics_path__", &[&annotation("path")], "(.+)", "$1"),
        copied("namespace", "__meta_kubernetes_namespace"),
        copied("pod", "__meta_kubernetes_pod_name"),
        copied("container", "__meta_kubernetes_pod_container_name"),
        copied("node", "__meta_kubernetes_pod_node_name"),
    ];
    rules.extend(settings.pod_labels.iter().map(|label| carried(label, "pod")));
    Ok(Pool {
        name: ANNOTATED.into(),
        presets: presets(
            ANNOTATED,
            "",
            "",
            &ScrapeParams::default(),
            (settings.interval, settings.timeout),
        ),
        params: Box::default(),
        rules: relabel::compile(&rules)?,
        treatment: Treatment {
            honor_labels: false,
            honor_timestamps: true,
            rules: Arc::new([]),
            body_samples: settings.limits.samples,
            sample_limit: 0,
            label_limit: 0,
            label_name_limit: 0,
            label_value_limit: 0,
        },
        tls: ScrapeTls::default(),
        target_limit: 0,
    })
}

/// The pool of one endpoint of a monitor; the error says why there is none.
pub(crate) fn monitored(
    monitor: &Monitor,
    index: usize,
    endpoint: &MonitorEndpoint,
    settings: &Settings,
) -> Result<Pool, String> {
    if let Some(why) = monitor.refused.as_deref().or(endpoint.refused.as_deref()) {
        return Err(why.to_owned());
    }
    unreadable(&endpoint.relabel)?;
    let Monitor { kind, namespace, name, .. } = monitor;
    let name = format!("{}/{namespace}/{name}/{index}", kind.pool());
    let time = |text: &str, field: &str| {
        (!text.is_empty())
            .then(|| duration(text).ok_or_else(|| format!("its {field} `{text}` is no duration")))
            .transpose()
    };
    let interval = time(&endpoint.interval, "interval")?.unwrap_or(settings.interval);
    if interval < MIN_INTERVAL {
        return Err(format!("its interval of {interval:?} is too short: 1s at least"));
    }
    let timeout = time(&endpoint.timeout, "scrapeTimeout")?;
    let timeout = timeout.unwrap_or(settings.timeout.min(interval));
    if timeout.is_zero() || timeout > interval {
        return Err(format!(
            "its scrapeTimeout of {timeout:?} is not within its interval of {interval:?}"
        ));
    }
    let mut rules = vec![copied("__tmp_prometheus_job_name", "job")];
    rules.extend(chosen(monitor, endpoint));
    rules.extend(named(monitor, endpoint));
    let mut compiled = relabel::compile(&rules)?;
    compiled.extend(relabel::compile(&endpoint.relabel)?);
    let metric_rules = relabel::compile(&endpoint.metric_relabel)
        .map_err(|why| format!("metricRelabelings: {why}"))?;
    let params = &endpoint.params;
    Ok(Pool {
        presets: presets(&name, &endpoint.scheme, &endpoint.path, params, (interval, timeout)),
        params: params.clone(),
        name: name.into(),
        rules: compiled,
        treatment: treatment(monitor, endpoint, metric_rules, &settings.limits),
        tls: endpoint.tls.clone(),
        target_limit: monitor.target_limit,
    })
}

fn treatment(
    monitor: &Monitor,
    endpoint: &MonitorEndpoint,
    rules: Vec<Rule>,
    limits: &Limits,
) -> Treatment {
    Treatment {
        honor_labels: endpoint.honor_labels,
        honor_timestamps: endpoint.honor_timestamps,
        rules: rules.into(),
        body_samples: limits.samples,
        sample_limit: monitor.sample_limit,
        label_limit: monitor.label_limit,
        label_name_limit: monitor.label_name_limit,
        label_value_limit: monitor.label_value_limit,
    }
}

fn presets(
    job: &str,
    scheme: &str,
    path: &str,
    params: &ScrapeParams,
    (interval, timeout): (Duration, Duration),
) -> Vec<(String, String)> {
    let or = |text: &str, usual: &str| if text.is_empty() { usual } else { text }.to_owned();
    let mut presets = vec![
        ("job".to_owned(), job.to_owned()),
        ("__scrape_interval__".to_owned(), spoken(interval)),
        ("__scrape_timeout__".to_owned(), spoken(timeout)),
        ("__metrics_path__".to_owned(), or(path, "/metrics")),
        ("__scheme__".to_owned(), or(scheme, "http")),
    ];
    // Of several values only the first can be relabelled, as in Prometheus.
    presets.extend(params.iter().filter_map(|(name, values)| {
        Some((format!("__param_{name}"), values.first()?.to_string()))
    }));
    presets
}

/// A duration as Prometheus writes it in these labels.
pub(crate) fn spoken(duration: Duration) -> String {
    let millis = duration.as_millis();
    match millis {
        _ if !millis.is_multiple_of(1000) => format!("{millis}ms"),
        _ if millis.is_multiple_of(3_600_000) && millis > 0 => format!("{}h", millis / 3_600_000),
        _ if millis.is_multiple_of(60_000) && millis > 0 => format!("{}m", millis / 60_000),
        _ => format!("{}s", millis / 1000),
    }
}

/// Which ports, and no pod that ended.
fn chosen(monitor: &Monitor, endpoint: &MonitorEndpoint) -> Vec<RelabelRule> {
    let mut rules = Vec::new();
    if endpoint.only_running {
        rules.push(drop_of(&["__meta_kubernetes_pod_phase"], "(Failed|Succeeded)"));
    }
    let (label, wanted) = match &endpoint.port {
        PortChoice::Name(name) if monitor.kind == MonitorKind::Service => {
            ("__meta_kubernetes_endpointslice_port_name", name.to_string())
        }
        PortChoice::Name(name) | PortChoice::TargetName(name) => {
            ("__meta_kubernetes_pod_container_port_name", name.to_string())
        }
        PortChoice::TargetNumber(number) => {
            ("__meta_kubernetes_pod_container_port_number", number.to_string())
        }
        PortChoice::Any => return rules,
    };
    rules.push(keep(&[label], &regex::escape(&wanted)));
    rules
}

/// The labels that the operator gives.
fn named(monitor: &Monitor, endpoint: &MonitorEndpoint) -> Vec<RelabelRule> {
    let of_services = monitor.kind == MonitorKind::Service;
    let mut rules = vec![copied("namespace", "__meta_kubernetes_namespace")];
    if of_services {
        let target = [
            "__meta_kubernetes_endpointslice_address_target_kind",
            "__meta_kubernetes_endpointslice_address_target_name",
        ];
        rules.push(written("node", &target, "Node;(.*)", "$1"));
        rules.push(written("pod", &target, "Pod;(.*)", "$1"));
        rules.push(copied("service", "__meta_kubernetes_service_name"));
    }
    rules.push(copied("pod", "__meta_kubernetes_pod_name"));
    rules.push(copied("container", "__meta_kubernetes_pod_container_name"));
    rules.extend(monitor.target_labels.iter().map(|label| carried(label, "service")));
    rules.extend(monitor.pod_target_labels.iter().map(|label| carried(label, "pod")));
    if of_services {
        rules.push(copied("job", "__meta_kubernetes_service_name"));
    } else {
        rules.push(constant("job", &format!("{}/{}", monitor.namespace, monitor.name)));
    }
    if !monitor.job_label.is_empty() {
        let of = if of_services { "service" } else { "pod" };
        let source = format!("__meta_kubernetes_{of}_label_{}", sanitized(&monitor.job_label));
        rules.push(written("job", &[&source], "(.+)", "$1"));
    }
    match &endpoint.port {
        PortChoice::Name(name) | PortChoice::TargetName(name) => {
            rules.push(constant("endpoint", name));
        }
        PortChoice::TargetNumber(number) => rules.push(constant("endpoint", &number.to_string())),
        PortChoice::Any => {}
    }
    rules
}

/// Rules that read what is not held here would do something else than they say.
fn unreadable(rules: &[RelabelRule]) -> Result<(), String> {
    let is_held = |name: &str| {
        let rest = name.strip_prefix("__meta_kubernetes_pod_annotation");
        let rest = rest.map(|rest| rest.strip_prefix("present").unwrap_or(rest));
        rest.is_some_and(|rest| rest.starts_with("_prometheus_io_"))
    };
    for rule in rules {
        let maps = matches!(&*rule.action.to_ascii_lowercase(), "labelmap");
        let pattern = rule.regex.as_deref().filter(|_| maps).unwrap_or_default();
        let named = rule.source_labels.iter().map(|name| &**name).chain([pattern]);
        for name in named.filter(|name| !is_held(name)) {
            if name.contains("_annotation") {
                return Err(format!(
                    "its relabelings read {name}: of annotations, Taffrail holds prometheus.io/scrape, \
                     port, path and scheme of pods only; use a label"
                ));
            }
        }
    }
    Ok(())
}

fn rule(target: &str, source: &[&str]) -> RelabelRule {
    RelabelRule {
        source_labels: source.iter().map(|name| Box::from(*name)).collect(),
        target_label: target.into(),
        ..RelabelRule::default()
    }
}

fn written(target: &str, source: &[&str], regex: &str, replacement: &str) -> RelabelRule {
    RelabelRule {
        regex: Some(regex.into()),
        replacement: Some(replacement.into()),
        ..rule(target, source)
    }
}

fn copied(target: &str, source: &str) -> RelabelRule {
    // One that is not there takes nothing away.
    written(target, &[source], "(.+)", "$1")
}

/// A label of a pod or service that becomes the target's.
fn carried(label: &str, of: &str) -> RelabelRule {
    let label = sanitized(label);
    copied(&label, &format!("__meta_kubernetes_{of}_label_{label}"))
}

fn constant(target: &str, value: &str) -> RelabelRule {
    written(target, &[], "", &value.replace('$', "$$"))
}

fn keep(source: &[&str], regex: &str) -> RelabelRule {
    RelabelRule { action: "keep".into(), regex: Some(regex.into()), ..rule("", source) }
}

fn drop_of(source: &[&str], regex: &str) -> RelabelRule {
    RelabelRule { action: "drop".into(), ..keep(source, regex) }
}
