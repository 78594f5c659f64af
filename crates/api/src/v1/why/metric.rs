//! Why something that was measured has no value of one metric.

use model::{EntityKind, Table, lookup};

use super::reason::{Known, Question, Reason};

/// `question`'s thing is `row` of `table` in the newest batch, without the metric.
pub(super) fn missing(
    question: &Question,
    known: &Known<'_>,
    (table, row): (&Table, usize),
) -> Reason {
    let metric = &*question.metric;
    let thing = question.thing();
    if metric.starts_with("network/") && shares_network(question, known) {
        let sentence = format!("{thing} uses its node's network and has no numbers of its own");
        return Reason::new("host_network", sentence, "look at the node's network");
    }
    if let Some(reason) = no_rate(question, known, (table, row)) {
        return reason;
    }
    let stated = metric.ends_with("/request") || metric.ends_with("/limit");
    if stated && question.kind != EntityKind::Node {
        let what = metric.replace('/', " ");
        let sentence = format!("no container of {thing} states a {what}");
        let advice = "set resources in the pod's spec, or a LimitRange for the namespace";
        return Reason::new("not_set", sentence, advice);
    }
    if matches!(question.kind, EntityKind::Namespace | EntityKind::Cluster) {
        let sentence = format!("no pod of {thing} has a value of {metric} to sum");
        return Reason::new("nothing_to_sum", sentence, "ask why for one of its pods");
    }
    if metric.contains("/node_") {
        let sentence = format!("the object of {thing} states no such capacity");
        let advice =
            format!("`kubectl describe node {}` shows capacity and allocatable", question.name);
        return Reason::new("not_stated", sentence, &advice);
    }
    not_in_answer(question, known, (table, row))
}

/// A rate needs two samples of its counter.
fn no_rate(
    question: &Question,
    known: &Known<'_>,
    (table, row): (&Table, usize),
) -> Option<Reason> {
    let counter = lookup(question.metric.strip_suffix("_rate")?)?;
    table.get(row, counter)?;
    let (metric, thing) = (&question.metric, question.thing());
    let wait = format!("wait: the next batch comes within {} s", known.resolution.as_secs());
    let before = known.previous().and_then(|batch| batch.find(&question.entity()));
    let Some((before, at)) = before.filter(|(before, at)| before.get(*at, counter).is_some())
    else {
        let sentence = format!("{metric} needs two samples, and {thing} has the first one now");
        return Some(Reason::new("first_sample", sentence, &wait));
    };
    if table.started(row) > before.compute_time(at) {
        let sentence = format!("{metric} needs two samples, and {thing} started between them");
        let started = table.started(row).to_rfc3339_seconds();
        return Some(
            Reason::new("restarted", sentence, &wait).seen(format!("started at {started}")),
        );
    }
    if table.compute_time(row) <= before.compute_time(at) {
        let sentence = format!("the kubelet repeated an old sample of {thing}");
        let advice = "kubelets measure every 10 to 15 seconds: wait, or measure less often";
        let sampled = table.compute_time(row).to_rfc3339_seconds();
        return Some(
            Reason::new("repeated_sample", sentence, advice).seen(format!("sampled at {sampled}")),
        );
    }
    let sentence = format!("the counter of {metric} fell: {thing} was restarted or reset");
    Some(Reason::new("counter_fell", sentence, &wait))
}

fn shares_network(question: &Question, known: &Known<'_>) -> bool {
    let pod = known.inventory.pod(&question.namespace, &question.name);
    question.kind == EntityKind::Pod && pod.is_some_and(|pod| pod.host_network)
}

fn not_in_answer(question: &Question, known: &Known<'_>, (table, row): (&Table, usize)) -> Reason {
    let thing = question.thing();
    let metric = &question.metric;
    let node = match question.kind {
        EntityKind::Node => Some(&*question.name),
        _ => table.context(row).node.as_ref().map(|node| &*node.name),
    };
    let target = node.and_then(|node| known.target(node));
    if target.is_some_and(|target| target.url.ends_with("/metrics/resource")) {
        let sentence = format!("/metrics/resource, which is read of {thing}, has no {metric}");
        let advice = "read /stats/summary: give the right nodes/stats and leave out \
                      kubeletEndpoint=resource";
        return Reason::new("resource_endpoint", sentence, advice);
    }
    let sentence = format!("the kubelet reported {thing} without {metric}");
    let advice = "its version or container runtime does not measure that";
    let reason = Reason::new("not_in_answer", sentence, advice);
    match target {
        Some(target) => reason.seen(format!("read from {}", target.url)),
        None => reason,
    }
}
