//! Which nodes are asked, at which address, and when within a tick.

use std::sync::Arc;
use std::time::Duration;

use model::{Node, Ready};

use crate::options::{AddressKind, KUBELET_PORT, SourceOptions};

/// The usual path of resource metrics.
const RESOURCE: &str = "/metrics/resource";

/// A node, and where its kubelet is or why it is skipped.
pub(super) struct Discovered {
    pub(super) node: Arc<Node>,
    pub(super) target: Result<(Box<str>, u16), &'static str>,
}

impl Discovered {
    /// Heapster's rules: a node that says it is not ready is skipped, as is one without an
    /// address; a cordoned one is not.
    pub(super) fn new(node: Arc<Node>, options: &SourceOptions) -> Self {
        let target = target(&node, options);
        Self { node, target }
    }
}

/// Where the kubelet of `node` is, or why it is not asked.
pub(crate) fn target(
    node: &Node,
    options: &SourceOptions,
) -> Result<(Box<str>, u16), &'static str> {
    if node.ready == Ready::No {
        return Err("the node is not ready");
    }
    address(node, options)
}

/// Where the kubelet of `node` is, whatever state the node is in.
pub(super) fn address(
    node: &Node,
    options: &SourceOptions,
) -> Result<(Box<str>, u16), &'static str> {
    let stated = Some(node.kubelet_port).filter(|port| *port != 0);
    let port = options.kubelet_port.or(stated).unwrap_or(KUBELET_PORT);
    let address = scrape_address(node, &options.addresses)
        .ok_or("the node has no valid hostname and/or IP address")?;
    Ok((address, port))
}

/// Where the kubelet of `node` has resource metrics.
pub(crate) fn resource_path(node: &Node) -> &str {
    if node.resource_path.is_empty() { RESOURCE } else { &node.resource_path }
}

/// Addresses and names in the order of `kinds`; without any, the last `InternalIP` that is one,
/// else the first `ExternalIP`. An IPv6 address has no brackets.
pub fn scrape_address(node: &Node, kinds: &[AddressKind]) -> Option<Box<str>> {
    let of = |kind: AddressKind| {
        let found = node.addresses.iter().filter(move |(found, _)| **found == *kind.name());
        found.filter_map(move |(_, address)| {
            use AddressKind::{ExternalIp, InternalIp};
            let address = address.trim();
            match address.parse::<std::net::IpAddr>() {
                Ok(address) => Some(Box::from(address.to_string())),
                Err(_) if matches!(kind, InternalIp | ExternalIp) => None,
                Err(_) => (!address.is_empty()).then(|| Box::from(address)),
            }
        })
    };
    if kinds.is_empty() {
        return of(AddressKind::InternalIp)
            .next_back()
            .or_else(|| of(AddressKind::ExternalIp).next());
    }
    kinds.iter().find_map(|kind| of(*kind).next())
}

/// Over how long the requests of one tick are spread: Heapster's 8 ms a node, at most 4 s.
pub(super) fn spread(nodes: usize) -> Duration {
    let millis = u64::try_from(nodes).unwrap_or(u64::MAX).saturating_mul(8);
    Duration::from_millis(millis.min(4000))
}

/// When within the spread a node is asked: the same in every tick and every process, so that
/// the time between two measurements of a node is the tick.
pub fn phase(node: &str, spread: Duration) -> Duration {
    // FNV-1a, 64 bit.
    let hash = node.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let nanos = u64::try_from(spread.as_nanos()).unwrap_or(u64::MAX).max(1);
    Duration::from_nanos(hash % nanos)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Defaults;

    fn check(ready: Ready, addresses: &[(&str, &str)], expected: Result<&str, &str>) {
        let node = Node {
            name: "n1".into(),
            ready,
            unschedulable: true,
            kubelet_port: 12345,
            addresses: addresses.iter().map(|(k, a)| ((*k).into(), (*a).into())).collect(),
            ..Node::default()
        };
        let options = SourceOptions::new(Defaults::taffrail());
        let found = Discovered::new(Arc::new(node), &options).target;
        let found = found.map(|(address, port)| format!("{address}:{port}"));
        assert_eq!(found.as_deref().map_err(|reason| *reason), expected);
    }

    #[test]
    fn skips_as_heapster_does() {
        let internal = ("InternalIP", "10.0.0.1");
        check(Ready::Yes, &[internal], Ok("10.0.0.1:12345"));
        check(Ready::Unstated, &[internal], Ok("10.0.0.1:12345"));
        check(Ready::No, &[internal], Err("the node is not ready"));
        check(Ready::Yes, &[internal, ("InternalIP", "10.0.0.2")], Ok("10.0.0.2:12345"));
        check(Ready::Yes, &[("ExternalIP", "1.1.1.1"), internal], Ok("10.0.0.1:12345"));
        check(
            Ready::Yes,
            &[("ExternalIP", "1.1.1.1"), ("ExternalIP", "2.2.2.2"), ("InternalIP", "x")],
            Ok("1.1.1.1:12345"),
        );
        check(Ready::Yes, &[("InternalIP", "fd00::1")], Ok("fd00::1:12345"));
        let options = |list: &str| {
            let text = format!("kubernetes:?kubeletAddresses={list}");
            SourceOptions::parse(&text, &|_| None, Defaults::taffrail()).unwrap().addresses
        };
        let many = Node {
            addresses: [
                ("InternalIP", "10.0.0.1"),
                ("Hostname", "n1"),
                ("ExternalIP", "FD00::0:1"),
            ]
            .map(|(kind, address)| (kind.into(), address.into()))
            .into(),
            ..Node::default()
        };
        for (list, expected) in [
            ("Hostname,InternalIP", Some("n1")),
            ("InternalDNS,ExternalIP,InternalIP", Some("fd00::1")),
            ("ExternalDNS", None),
        ] {
            assert_eq!(scrape_address(&many, &options(list)).as_deref(), expected, "{list}");
        }
        let none = Err("the node has no valid hostname and/or IP address");
        check(Ready::Yes, &[("Hostname", "n1")], none);
    }

    #[test]
    fn phases_are_stable_and_within_the_spread() {
        assert_eq!(spread(100), Duration::from_millis(800));
        assert_eq!(spread(5000), Duration::from_secs(4));
        assert_eq!(phase("n1", Duration::ZERO), Duration::ZERO);
        let spread = spread(1000);
        let early = (0..1000).filter(|n| phase(&format!("node-{n}"), spread) < spread / 2).count();
        assert!((400..600).contains(&early), "{early} of 1000 in the first half");
        assert_eq!(phase("node-7", spread), phase("node-7", spread));
    }
}
