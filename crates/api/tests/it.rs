//! The API as its clients see it: through the router, and over real sockets.

#[cfg(test)]
mod it {
    mod alerts;
    pub(crate) mod fixture;
    mod fuzzed;
    pub(crate) mod heapster;
    pub(crate) mod historical;
    mod hostile;
    mod intake;
    pub(crate) mod kept;
    pub(crate) mod kubernetes;
    mod people;
    pub(crate) mod prometheus;
    pub(crate) mod recorded;
    pub(crate) mod self_metrics;
    pub(crate) mod sockets;
    pub(crate) mod stored_metrics;
    pub(crate) mod tls;
    pub(crate) mod v1;
}
