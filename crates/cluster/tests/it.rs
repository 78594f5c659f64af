//! Sources, connections and watches against small fake kubelets and API servers on real sockets.

#[cfg(test)]
#[path = "it/connection.rs"]
mod connection;
#[cfg(test)]
#[path = "it/diagnose.rs"]
mod diagnose;
#[cfg(test)]
#[path = "it/events.rs"]
mod events;
#[cfg(test)]
#[path = "it/held.rs"]
mod held;
#[cfg(test)]
#[path = "it/kubelet.rs"]
mod kubelet;
#[cfg(test)]
#[path = "it/renewal.rs"]
mod renewal;
#[cfg(test)]
#[path = "it/server.rs"]
mod server;
#[cfg(test)]
#[path = "it/setups.rs"]
mod setups;
#[cfg(test)]
#[path = "it/watches.rs"]
mod watches;
