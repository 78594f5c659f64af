//! A large batch: names as long as those of real clusters, and every metric that Heapster had.

use std::sync::Arc;

use model::{
    Batch, CATALOG, ContainerSpec, Context, Draft, EntityKind, MetricId, Namespace, Node, Pod,
    Registry, Timestamp, Value, ValueType,
};

/// `pods` on each of `nodes`, a container in each pod; where asked for, only containers have values.
pub(crate) fn batch(nodes: usize, pods: usize, containers_only: bool) -> Batch {
    let mut draft = Draft::new(Timestamp::from_secs(1_795_426_190), Registry::default());
    let namespace =
        Arc::new(Namespace { name: "production".into(), uid: uid(0), ..Namespace::default() });
    for node_number in 0..nodes {
        let name = format!("ip-10-0-{node_number}-17.eu-central-1.compute.internal");
        let entity = draft.registry.node(&name);
        let node = Arc::new(Node {
            name: (&*name).into(),
            hostname: (&*name).into(),
            labels: [("kubernetes.io/os".into(), "linux".into())].into(),
            ..Node::default()
        });
        if !containers_only {
            let context = Context { node: Some(Arc::clone(&node)), ..Context::default() };
            fill(&mut draft, &entity, context);
        }
        for pod_number in 0..pods {
            let name = format!("checkout-backend-6d5f9c7b84-{node_number:02}{pod_number:03}");
            let id = uid(node_number * pods + pod_number);
            let entity = draft.registry.pod("production", &name, &id);
            let pod = Arc::new(Pod {
                name: (&*name).into(),
                uid: id,
                labels: [
                    ("app".into(), "checkout-backend".into()),
                    ("pod-template-hash".into(), "6d5f9c7b84".into()),
                ]
                .into(),
                containers: [ContainerSpec {
                    name: "server".into(),
                    image: "registry.example.com/shop/checkout:1.44.2".into(),
                    ..ContainerSpec::default()
                }]
                .into(),
                ..Pod::default()
            });
            let context = Context {
                node: Some(Arc::clone(&node)),
                pod: Some(pod),
                namespace: Some(Arc::clone(&namespace)),
            };
            if !containers_only {
                fill(&mut draft, &entity, context.clone());
            }
            let container = draft.registry.container(&entity, "server");
            fill(&mut draft, &container, context);
        }
    }
    Arc::into_inner(draft.freeze().0).unwrap()
}

fn uid(number: usize) -> Box<str> {
    format!("{number:08x}-7a1c-4c7e-9b1e-5f0a4c1d2e3f").into()
}

fn fill(draft: &mut Draft, entity: &Arc<model::Entity>, context: Context) {
    let row = draft.insert(entity).row;
    let kind: EntityKind = entity.kind();
    let table = draft.table_mut(kind);
    *table.context_mut(row) = context;
    table.set_started(row, Timestamp::from_secs(1_795_422_590));
    for metric in CATALOG.iter().filter(|metric| metric.heapster.contains(kind)) {
        table.column_mut(metric.id).set(row, value(metric.id, metric.value, row));
    }
}

fn value(metric: MetricId, kind: ValueType, row: usize) -> Value {
    let seed = (row * 7919 + metric.index() * 104_729) % 1_000_003;
    match kind {
        ValueType::Int => Value::Int(i64::try_from(seed * seed).unwrap_or(0)),
        ValueType::Float => Value::Float(seed as f64 / 60.0),
    }
}
