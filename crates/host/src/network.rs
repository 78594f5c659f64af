//! Network counters: the sum of the machine's real interfaces, from /proc/net/dev.

use crate::tree::Tree;

/// Cumulative counters.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Network {
    pub(crate) rx_bytes: i64,
    pub(crate) rx_errors: i64,
    pub(crate) tx_bytes: i64,
    pub(crate) tx_errors: i64,
}

/// Interfaces whose traffic also passes a real one, told by name where /sys does not tell.
const VIRTUAL_PREFIXES: &[&str] = &[
    "lo",
    "veth",
    "docker",
    "br-",
    "cni",
    "cbr",
    "flannel",
    "cali",
    "cilium",
    "lxc",
    "lxd",
    "virbr",
    "vnet",
    "tun",
    "tap",
    "wg",
    "dummy",
    "ifb",
    "kube-",
    "nodelocaldns",
    "podman",
    "sit",
    "gre",
    "bond",
];

/// The sum over interfaces backed by a device. In a container or another place where no interface
/// is, the sum over those that are not virtual by name. `None` without any.
pub(crate) fn read(tree: &Tree<'_>) -> Option<Network> {
    let text = tree.text("proc/1/net/dev").or_else(|| tree.text("proc/net/dev"))?;
    let interfaces: Vec<(&str, Network)> = text.lines().filter_map(interface).collect();
    let real = |(name, _): &&(&str, Network)| {
        *name != "lo"
            && tree.exists(&format!("sys/class/net/{name}"))
            && !tree.exists(&format!("sys/devices/virtual/net/{name}"))
    };
    let named = |(name, _): &&(&str, Network)| {
        !VIRTUAL_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    };
    sum(interfaces.iter().filter(real)).or_else(|| sum(interfaces.iter().filter(named)))
}

fn sum<'a>(interfaces: impl Iterator<Item = &'a (&'a str, Network)>) -> Option<Network> {
    interfaces.map(|(_, counters)| *counters).reduce(|left, right| Network {
        rx_bytes: left.rx_bytes.saturating_add(right.rx_bytes),
        rx_errors: left.rx_errors.saturating_add(right.rx_errors),
        tx_bytes: left.tx_bytes.saturating_add(right.tx_bytes),
        tx_errors: left.tx_errors.saturating_add(right.tx_errors),
    })
}

/// `eth0: 1 2 3 …`: eight numbers of receiving, eight of sending.
fn interface(line: &str) -> Option<(&str, Network)> {
    let (name, numbers) = line.split_once(':')?;
    let numbers: Vec<i64> =
        numbers.split_ascii_whitespace().map_while(|number| number.parse().ok()).collect();
    let at = |position: usize| numbers.get(position).copied();
    let counters =
        Network { rx_bytes: at(0)?, rx_errors: at(2)?, tx_bytes: at(8)?, tx_errors: at(10)? };
    Some((name.trim(), counters))
}
