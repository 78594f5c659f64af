//! The list of nodes, and which of them are tried.

use std::sync::Arc;

use kube::Api;
use kube::api::ListParams;
use model::{Node, Ready};
use once::Order as _;

use super::{Check, Nodes, Outcome, SAMPLE_NODES};
use crate::connect::Connection;
use crate::inventory;
use crate::wire::object;

/// How many nodes are asked for at once.
const PAGE_SIZE: u32 = 500;
/// Nodes that are listed at most; more are not tried.
const MAX_NODES: usize = 20_000;
/// Nodes that are named in one line.
const SHOWN_NODES: usize = 5;

/// Lists nodes; the check of that, and the nodes to try.
pub(super) async fn walk(connection: &Connection, wanted: &Nodes) -> (Check, Vec<Arc<Node>>) {
    let check = |outcome, evidence, change| Check {
        name: "nodes",
        about: "nodes".to_owned(),
        outcome,
        evidence,
        change,
    };
    let (mut nodes, whole) = match list(connection).await {
        Ok(listed) => listed,
        Err(error) => {
            let trouble = error.trouble();
            let (reason, advice) = (trouble.reason.clone(), trouble.advice.clone());
            return (check(Outcome::Fail, reason, advice), Vec::new());
        }
    };
    if nodes.is_empty() {
        let change = "join a node to the cluster, or choose another context".to_owned();
        return (check(Outcome::Fail, "the cluster has no nodes".to_owned(), change), nodes);
    }
    nodes.order_by(|left, right| left.name.cmp(&right.name));
    let away: Vec<&str> =
        nodes.iter().filter(|node| node.ready == Ready::No).map(|node| &*node.name).collect();
    let count = format!("{}{} nodes", nodes.len(), if whole { "" } else { " or more" });
    let checked = if away.is_empty() {
        check(Outcome::Pass, format!("{count}, all ready"), String::new())
    } else {
        let shown = away.iter().take(SHOWN_NODES).copied().collect::<Vec<_>>().join(", ");
        let more = away.len().saturating_sub(SHOWN_NODES);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        let evidence =
            format!("{count}, {} not ready and so not measured: {shown}{more}", away.len());
        let change = format!("`kubectl describe node {}` says why", away.first().unwrap_or(&""));
        check(Outcome::Warn, evidence, change)
    };
    let chosen = match wanted {
        Nodes::All => nodes,
        Nodes::Sample(first) => sample(nodes, first),
    };
    (checked, chosen)
}

/// Every node up to [`MAX_NODES`], and whether those are all.
async fn list(
    connection: &Connection,
) -> Result<(Vec<Arc<Node>>, bool), crate::connect::ConnectError> {
    let api: Api<object::Node> = Api::all(connection.client());
    let mut nodes = Vec::new();
    let mut page = ListParams::default().limit(PAGE_SIZE);
    loop {
        let listed = connection.within(api.list(&page), Some("nodes")).await?;
        let annotation = &connection.options().host_id_annotation;
        nodes.extend(
            listed.items.into_iter().map(|node| Arc::new(inventory::node(node, annotation))),
        );
        let next = listed.metadata.continue_.filter(|next| !next.is_empty());
        match next {
            Some(_) if nodes.len() >= MAX_NODES => return Ok((nodes, false)),
            Some(next) => page.continue_token = Some(next),
            None => return Ok((nodes, true)),
        }
    }
}

/// Those of `first`, and others evenly spread over the names until there are [`SAMPLE_NODES`].
fn sample(nodes: Vec<Arc<Node>>, first: &[String]) -> Vec<Arc<Node>> {
    let named = |node: &Arc<Node>| first.iter().any(|name| **name == *node.name);
    let (mut chosen, others): (Vec<_>, Vec<_>) = nodes.into_iter().partition(named);
    chosen.truncate(SAMPLE_NODES);
    let wanted = SAMPLE_NODES.saturating_sub(chosen.len()).min(others.len());
    chosen.extend((0..wanted).filter_map(|at| others.get(at * others.len() / wanted)).cloned());
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(count: usize, first: &[&str], expected: &[&str]) {
        let node = |at| Arc::new(Node { name: format!("n{at:02}").into(), ..Node::default() });
        let first: Vec<String> = first.iter().map(|name| (*name).to_owned()).collect();
        let chosen = sample((0..count).map(node).collect(), &first);
        let names: Vec<&str> = chosen.iter().map(|node| &*node.name).collect();
        assert_eq!(names, expected);
    }

    #[test]
    fn a_sample_is_spread_and_holds_what_is_named() {
        check(0, &[], &[]);
        check(2, &["none"], &["n00", "n01"]);
        check(10, &[], &["n00", "n02", "n04", "n06", "n08"]);
        check(10, &["n07", "n03"], &["n03", "n07", "n00", "n02", "n06"]);
    }
}
