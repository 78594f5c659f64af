//! Filters and resolution of one sink, from its settings through the engine to what arrives.

use std::sync::Arc;

use model::{
    Batch, Draft, EntityKind, Event, EventBatch, LabelOptions, Namespace, Node, Pod, Registry,
    Timestamp, metric,
};
use sinks::Setup;

use crate::servers::{OK, Server, batch, sink};

/// A node, and pods of two namespaces with a label, a container and a volume each.
fn cluster() -> Batch {
    let mut draft = Draft::new(Timestamp::from_secs(60), Registry::default());
    let cluster = draft.registry.cluster();
    let node_entity = draft.registry.node("n1");
    let node = Arc::new(Node { name: "n1".into(), hostname: "n1".into(), ..Node::default() });
    let put = |draft: &mut Draft, entity: &Arc<model::Entity>, pod: Option<Arc<Pod>>| {
        let row = draft.insert(entity).row;
        let table = draft.table_mut(entity.kind());
        if entity.kind() == EntityKind::Volume {
            return table.set_int(row, metric::FILESYSTEM_USAGE, 1);
        }
        table.set_int(row, metric::CPU_USAGE_RATE, 1);
        table.set_int(row, metric::MEMORY_USAGE, 1);
        if entity.kind() != EntityKind::Cluster {
            let context = table.context_mut(row);
            context.node = Some(Arc::clone(&node));
            context.namespace = pod.as_ref().map(|_| Arc::new(Namespace::default()));
            context.pod = pod;
        }
    };
    put(&mut draft, &cluster, None);
    put(&mut draft, &node_entity, None);
    for (namespace, name, app) in [("shop", "web", "web-1"), ("system", "dns", "dns")] {
        let labels = [("app".into(), app.into())].into();
        let pod = Arc::new(Pod { name: name.into(), labels, ..Pod::default() });
        let entity = draft.registry.pod(namespace, name, "");
        put(&mut draft, &entity, Some(Arc::clone(&pod)));
        let container = draft.registry.container(&entity, "c");
        put(&mut draft, &container, Some(pod));
        let volume = draft.registry.part(EntityKind::Volume, &entity, "Volume:v");
        put(&mut draft, &volume, None);
    }
    Arc::into_inner(draft.freeze().0).unwrap()
}

/// The paths that arrive at a Graphite of the batch.
async fn arrived(settings: &[(&str, &str)]) -> Vec<String> {
    let server = Server::lines("127.0.0.1:0").await;
    let settings = [&[("prefix", "k")], settings].concat();
    let mut out = sink("graphite", &format!("tcp://{}", server.address), &settings);
    out.export(&cluster()).unwrap();
    out.settled().await;
    let text = server.text();
    let path = |line: &str| line.strip_prefix("k.")?.split(' ').next().map(str::to_owned);
    let mut paths: Vec<_> = text.lines().map(|line| path(line).unwrap()).collect();
    paths.sort_unstable();
    paths
}

#[tokio::test(start_paused = true)]
async fn each_filter_reaches_what_arrives() {
    let (web, dns) = ("nodes.n1.pods.shop.web", "nodes.n1.pods.system.dns");
    let rates = |of: &[&str]| -> Vec<String> {
        of.iter().map(|path| format!("{path}.cpu.usage_rate")).collect()
    };
    let check = async |settings: &[(&str, &str)], expected: Vec<String>| {
        assert_eq!(arrived(settings).await, expected, "{settings:?}");
    };
    let (web_c, dns_c) = (format!("{web}.containers.c"), format!("{dns}.containers.c"));
    let all = ["cluster", "nodes.n1", &web_c, web, &dns_c, dns];
    let mut everything = rates(&all);
    everything.sort_unstable();
    // By metric.
    check(&[("include", "cpu/*")], everything.clone()).await;
    check(&[("exclude", "memory/*"), ("exclude", "filesystem/*")], everything).await;
    // By namespace: what is in none goes anyway.
    let cpu = ("include", "cpu/*");
    let mut shop = rates(&["cluster", "nodes.n1", &web_c, web]);
    shop.sort_unstable();
    check(&[cpu, ("include_namespace", "sh?p")], shop.clone()).await;
    check(&[cpu, ("exclude_namespace", "sys*")], shop.clone()).await;
    // By the pod's label: its containers too, and what is in no pod anyway.
    check(&[cpu, ("include_label", "app=web-*")], shop.clone()).await;
    check(&[cpu, ("exclude_label", "app=dns")], shop).await;
    let volume = format!("{web}.filesystem.Volume:v.usage");
    let volumes = [("include", "filesystem/*"), ("include_label", "app=web-*")];
    check(&volumes, vec![volume]).await;
    // By kind.
    check(&[cpu, ("include_kind", "pod")], rates(&[web, dns])).await;
    let pods_and_nodes = [cpu, ("exclude_kind", "container"), ("exclude_kind", "cluster")];
    check(&pods_and_nodes, rates(&["nodes.n1", web, dns])).await;
}

#[tokio::test(start_paused = true)]
async fn resolution_is_one_batch_of_each_stretch() {
    let server = Server::lines("127.0.0.1:0").await;
    let uri = format!("tcp://{}", server.address);
    let mut thin = sink("graphite", &uri, &[("resolution", "5m")]);
    for minute in 1..=12 {
        thin.export(&batch(minute, minute)).unwrap();
    }
    thin.settled().await;
    let text = server.text();
    let minutes: Vec<&str> = text.lines().map(|line| line.split(' ').nth(1).unwrap()).collect();
    assert_eq!(minutes, ["5", "10"]);
}

#[tokio::test(start_paused = true)]
async fn events_are_chosen_by_reason_kind_and_namespace() {
    let event = |reason: &str, kind: &str, namespace: &str| Event {
        uid: format!("{reason}-{kind}").into(),
        namespace: namespace.into(),
        object_kind: kind.into(),
        object_name: "o".into(),
        reason: reason.into(),
        count: 1,
        ..Event::default()
    };
    let events = vec![
        event("BackOff", "Pod", "shop"),
        event("Pulled", "Pod", "system"),
        event("NotReady", "Node", ""),
        event("ScalingReplicaSet", "Deployment", "shop"),
        event("Sync", "Ingress", "shop"),
    ];
    let batch = EventBatch { timestamp: Timestamp::from_secs(60), events };
    let check = async |settings: &[(&str, &str)], expected: &[&str]| {
        let server = Server::http("127.0.0.1:0", |_, _| Some(OK.to_owned())).await;
        let address = format!("http://{}", server.address);
        let own = [("address", &*address), ("template", "\"{{reason}}\"")];
        let settings = own.iter().chain(settings);
        let setup = Setup {
            settings: settings.map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            labels: LabelOptions::default(),
            output: Box::new(std::io::sink()),
            clock: sinks::Clock::default(),
        };
        let mut out = sinks::find("webhook").unwrap().build_events(setup).unwrap();
        out.export(&batch).unwrap();
        out.settled().await;
        let reasons: Vec<String> =
            server.seen().iter().map(|seen| seen.body.trim_matches('"').to_owned()).collect();
        assert_eq!(reasons, expected);
    };
    check(&[], &["BackOff", "Pulled", "NotReady", "ScalingReplicaSet", "Sync"]).await;
    check(&[("include", "*Ready"), ("include", "Back*")], &["BackOff", "NotReady"]).await;
    check(&[("exclude_kind", "pod")], &["NotReady", "ScalingReplicaSet", "Sync"]).await;
    check(&[("include_kind", "workload")], &["ScalingReplicaSet"]).await;
    check(&[("include_namespace", "system")], &["Pulled", "NotReady"]).await;
}
