//! Inventories, and the targets that follow from them.

use model::{
    ContainerSpec, MonitorEndpoint, PodMonitor, PortChoice, RelabelRule, ScrapeHint, ScrapeTls,
    ServiceMonitor, SliceEndpoint, SlicePort,
};

use super::*;
use crate::limits::Limits;

type Pairs = Box<[(Box<str>, Box<str>)]>;

fn pairs(all: &[(&str, &str)]) -> Pairs {
    all.iter().map(|(name, value)| (Box::from(*name), Box::from(*value))).collect()
}

fn container(name: &str, ports: &[(&str, u16)]) -> ContainerSpec {
    ContainerSpec {
        name: name.into(),
        image: "image".into(),
        ports: ports.iter().map(|(name, port)| (Box::from(*name), *port)).collect(),
        ..ContainerSpec::default()
    }
}

fn pod(name: &str, ip: &str) -> Pod {
    Pod {
        namespace: "shop".into(),
        name: name.into(),
        uid: "u".into(),
        node: "node-1".into(),
        phase: "Running".into(),
        ip: ip.into(),
        labels: pairs(&[("app", "web"), ("app.kubernetes.io/name", "Web")]).into(),
        containers: [
            container("main", &[("http", 8080), ("metrics", 9090)]),
            container("side", &[]),
        ]
        .into_iter()
        .collect(),
        ..Pod::default()
    }
}

fn endpoint(port: PortChoice) -> MonitorEndpoint {
    MonitorEndpoint {
        port,
        path: "".into(),
        scheme: "".into(),
        params: Box::default(),
        interval: "".into(),
        timeout: "".into(),
        honor_labels: false,
        honor_timestamps: true,
        only_running: true,
        tls: ScrapeTls::default(),
        relabel: Box::default(),
        metric_relabel: Box::default(),
        refused: None,
    }
}

fn monitor(kind: MonitorKind, endpoints: Vec<MonitorEndpoint>) -> Monitor {
    Monitor {
        kind,
        namespace: "shop".into(),
        name: "web".into(),
        selector: [Requirement::In("app".into(), Box::new(["web".into()]))].into(),
        endpoints: endpoints.into(),
        ..Monitor::default()
    }
}

fn hold(inventory: &mut Inventory, monitor: Monitor) {
    let (namespace, name) = (monitor.namespace.clone(), monitor.name.clone());
    let (kind, monitor) = (monitor.kind, Arc::new(monitor));
    match kind {
        MonitorKind::Service => inventory.put(ServiceMonitor { namespace, name, monitor }),
        MonitorKind::Pod => inventory.put(PodMonitor { namespace, name, monitor }),
    }
}

fn cluster(pods: Vec<Pod>) -> Inventory {
    let mut inventory = Inventory::default();
    let endpoints = pods.iter().map(|pod| SliceEndpoint {
        addresses: [pod.ip.clone()].into(),
        ready: true,
        target_kind: "Pod".into(),
        target_name: pod.name.clone(),
        node: "node-1".into(),
        hostname: "".into(),
    });
    inventory.put(EndpointSlice {
        namespace: "shop".into(),
        name: "web-abc".into(),
        service: "web".into(),
        address_type: "IPv4".into(),
        ports: [SlicePort { name: "http".into(), port: 8080, protocol: "TCP".into() }].into(),
        endpoints: endpoints.collect(),
    });
    inventory.put(Service {
        namespace: "shop".into(),
        name: "web".into(),
        labels: pairs(&[("app", "web"), ("team", "blue")]),
    });
    for pod in pods {
        inventory.put_pod(Arc::new(pod));
    }
    inventory
}

fn settings() -> Settings {
    Settings { annotations: true, monitors: true, ..Settings::default() }
}

fn find(inventory: &Inventory, settings: Settings) -> Found {
    Discovery::new(&Arc::new(settings)).find(inventory, true, &|_| true)
}

fn shown(found: &Found) -> Vec<String> {
    found
        .targets
        .values()
        .map(|target| {
            let labels: Vec<String> =
                target.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("{} {}", target.url, labels.join(","))
        })
        .collect()
}

fn hinted(port: &str) -> Pod {
    let hint = ScrapeHint { scrape: "true".into(), port: port.into(), ..ScrapeHint::default() };
    Pod { scrape: Some(hint.into()), ..pod("web-0", "10.0.0.1") }
}

#[test]
fn annotated_pods_are_found_once() {
    let found = find(&cluster(vec![hinted("9090")]), settings());
    assert_eq!(
        shown(&found),
        ["http://10.0.0.1:9090/metrics container=main,instance=10.0.0.1:9090,job=kubernetes-pods,\
          namespace=shop,node=node-1,pod=web-0"]
    );
    let found = find(&cluster(vec![hinted("")]), settings());
    assert_eq!(found.targets.len(), 2, "each port of its spec: {:?}", shown(&found));
    let other = Pod {
        scrape: Some(Box::new(ScrapeHint {
            scrape: "true".into(),
            port: "15090".into(),
            path: "/stats/prometheus".into(),
            scheme: "https".into(),
        })),
        ip: "fd00::1".into(),
        ..pod("web-1", "")
    };
    let labels = Settings { pod_labels: vec!["app.kubernetes.io/name".into()], ..settings() };
    assert_eq!(
        shown(&find(&cluster(vec![other]), labels)),
        ["https://[fd00::1]:15090/stats/prometheus app_kubernetes_io_name=Web,\
          instance=[fd00::1]:15090,job=kubernetes-pods,namespace=shop,node=node-1,pod=web-1"]
    );
}

#[test]
fn annotations_that_say_nothing_of_use_are_refused_by_name() {
    let refused = |pod: Pod| find(&cluster(vec![pod]), settings()).refused;
    let wrong = refused(hinted("http"));
    assert_eq!(wrong[0].about, "kubernetes-pods shop/web-0");
    assert!(wrong[0].reason.contains("`http` is no port"), "{wrong:?}");
    let portless = Pod { containers: [container("main", &[])].into_iter().collect(), ..hinted("") };
    assert!(refused(portless)[0].reason.contains("nor a port in its spec"));
    let off = ScrapeHint { scrape: "false".into(), ..ScrapeHint::default() };
    let off = find(&cluster(vec![Pod { scrape: Some(off.into()), ..hinted("1") }]), settings());
    assert_eq!((off.targets.len(), off.refused.len()), (0, 0));
    let ended = find(&cluster(vec![Pod { phase: "Failed".into(), ..hinted("1") }]), settings());
    assert_eq!((ended.targets.len(), ended.dropped_count), (0, 1));
    assert!(ended.dropped[0].1.iter().any(|(name, _)| name == "__meta_kubernetes_pod_phase"));
}

#[test]
fn service_monitors_give_the_operators_labels() {
    let mut inventory = cluster(vec![pod("web-0", "10.0.0.1"), pod("web-1", "10.0.0.2")]);
    let mut wanted = monitor(MonitorKind::Service, vec![endpoint(PortChoice::Name("http".into()))]);
    hold(&mut inventory, wanted.clone());
    assert_eq!(
        shown(&find(&inventory, settings())),
        [
            "http://10.0.0.1:8080/metrics container=main,endpoint=http,instance=10.0.0.1:8080,\
             job=web,namespace=shop,pod=web-0,service=web",
            "http://10.0.0.2:8080/metrics container=main,endpoint=http,instance=10.0.0.2:8080,\
             job=web,namespace=shop,pod=web-1,service=web"
        ]
    );
    wanted.job_label = "team".into();
    wanted.target_labels = ["team".into(), "none".into()].into();
    wanted.pod_target_labels = ["app.kubernetes.io/name".into()].into();
    wanted.endpoints[0].port = PortChoice::TargetNumber(9090);
    hold(&mut inventory, wanted);
    assert_eq!(
        shown(&find(&inventory, settings()))[0],
        "http://10.0.0.1:9090/metrics app_kubernetes_io_name=Web,container=main,endpoint=9090,\
         instance=10.0.0.1:9090,job=blue,namespace=shop,pod=web-0,service=web,team=blue"
    );
}

#[test]
fn pod_monitors_give_the_operators_labels() {
    let ended = Pod { phase: "Succeeded".into(), ..pod("web-1", "10.0.0.2") };
    let mut inventory = cluster(vec![pod("web-0", "10.0.0.1"), ended]);
    let rule = RelabelRule {
        source_labels: ["__meta_kubernetes_pod_node_name".into()].into(),
        target_label: "node".into(),
        ..RelabelRule::default()
    };
    let endpoint = MonitorEndpoint {
        path: "/m".into(),
        scheme: "https".into(),
        params: [("x".into(), ["1".into()].into())].into(),
        relabel: [rule].into(),
        ..endpoint(PortChoice::Name("metrics".into()))
    };
    hold(&mut inventory, monitor(MonitorKind::Pod, vec![endpoint]));
    assert_eq!(
        shown(&find(&inventory, settings())),
        ["https://10.0.0.1:9090/m?x=1 container=main,endpoint=metrics,instance=10.0.0.1:9090,\
          job=shop/web,namespace=shop,node=node-1,pod=web-0"]
    );
}

#[test]
fn monitors_select_in_their_namespaces() {
    let mut inventory = cluster(vec![pod("web-0", "10.0.0.1")]);
    let mut away = monitor(MonitorKind::Pod, vec![endpoint(PortChoice::Name("http".into()))]);
    away.namespace = "monitoring".into();
    for (namespaces, expected) in [
        (NamespaceChoice::Own, 0),
        (NamespaceChoice::Any, 1),
        (NamespaceChoice::Names(["shop".into()].into()), 1),
        (NamespaceChoice::Names(["other".into()].into()), 0),
    ] {
        away.namespaces = namespaces.clone();
        hold(&mut inventory, away.clone());
        assert_eq!(find(&inventory, settings()).targets.len(), expected, "{namespaces:?}");
    }
}

#[test]
fn what_cannot_be_honoured_is_refused_by_name() {
    let refused = |change: &dyn Fn(&mut Monitor)| {
        let mut inventory = cluster(vec![pod("web-0", "10.0.0.1")]);
        let mut one =
            monitor(MonitorKind::Service, vec![endpoint(PortChoice::Name("http".into()))]);
        change(&mut one);
        hold(&mut inventory, one);
        let found = find(&inventory, settings());
        assert_eq!(found.targets.len(), 0);
        let RefusedTarget { about, reason } = found.refused.into_iter().next().unwrap();
        assert!(about.starts_with("serviceMonitor/shop/web"), "{about}");
        reason
    };
    let rule = |regex: &str, source: &str, action: &str| RelabelRule {
        source_labels: [source.into()].into(),
        regex: Some(regex.into()),
        target_label: "x".into(),
        action: action.into(),
        ..RelabelRule::default()
    };
    assert_eq!(refused(&|one| one.endpoints[0].refused = Some("a Secret".into())), "a Secret");
    assert!(
        refused(&|one| one.endpoints[0].relabel = [rule("(", "a", "keep")].into())
            .contains("rule 1: its regex `(`")
    );
    assert!(
        refused(&|one| one.endpoints[0].metric_relabel = [rule("", "a", "what")].into())
            .starts_with("metricRelabelings: ")
    );
    let annotation = "__meta_kubernetes_pod_annotation_team";
    assert!(
        refused(&|one| one.endpoints[0].relabel = [rule("x", annotation, "")].into())
            .contains(annotation)
    );
    let mapped = "__meta_kubernetes_service_annotation_(.+)";
    assert!(
        refused(&|one| one.endpoints[0].relabel = [rule(mapped, "", "labelmap")].into())
            .contains("use a label")
    );
    assert!(refused(&|one| one.endpoints[0].timeout = "1m".into()).contains("within its interval"));
    assert!(
        refused(&|one| one.endpoints[0].interval = "10".into()).contains("`10` is no duration")
    );
}

#[test]
fn targets_are_bounded_and_the_same_ones_stay() {
    let pods = (0..20).map(|i| pod(&format!("web-{i:02}"), &format!("10.0.0.{i}"))).collect();
    let mut inventory = cluster(pods);
    hold(
        &mut inventory,
        monitor(MonitorKind::Pod, vec![endpoint(PortChoice::Name("http".into()))]),
    );
    let limits = Limits { targets: 15, ..Limits::default() };
    let settings = Settings { limits, ..settings() };
    let first = find(&inventory, settings.clone());
    assert_eq!((first.targets.len(), first.left_out), (15, 5));
    assert_eq!(shown(&first), shown(&find(&inventory, settings.clone())));
    let mut shared = Discovery::new(&Arc::new(settings));
    let shared = shared.find(&inventory, true, &|key| key.contains("10.0.0.1"));
    assert_eq!((shared.targets.len(), shared.left_out), (20, 0), "others' do not count");
    let mut limited = monitor(MonitorKind::Pod, vec![endpoint(PortChoice::Name("http".into()))]);
    limited.target_limit = 19;
    hold(&mut inventory, limited);
    let found = find(&inventory, self::settings());
    assert_eq!(found.targets.len(), 0);
    assert!(found.refused[0].reason.contains("targetLimit of 19 is exceeded by 20"));
}

#[test]
fn rules_are_compiled_once() {
    let mut inventory = cluster(vec![pod("web-0", "10.0.0.1")]);
    hold(&mut inventory, monitor(MonitorKind::Pod, vec![endpoint(PortChoice::Any)]));
    let mut discovery = Discovery::new(&Arc::new(settings()));
    let pool = |found: &Found| Arc::clone(&found.targets.values().next().unwrap().pool);
    let mut once = || pool(&discovery.find(&inventory, false, &|_| true));
    let first = once();
    assert!(Arc::ptr_eq(&first, &once()));
}
