//! The simulation as its clients see it: real sockets, raw HTTP, and the real kubectl.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on panics, in its helpers too"
)]

#[path = "it/aggregator.rs"]
mod aggregator;
#[path = "it/faults.rs"]
mod faults;
#[path = "it/kubectl.rs"]
mod kubectl;
#[path = "it/kubelet.rs"]
mod kubelet;
#[path = "it/lists.rs"]
mod lists;
#[path = "it/rights.rs"]
mod rights;
#[path = "it/shapes.rs"]
mod shapes;
#[path = "it/support.rs"]
mod support;
#[path = "it/watches.rs"]
mod watches;
#[path = "it/writes.rs"]
mod writes;
