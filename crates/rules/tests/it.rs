//! Rules beside the real Prometheus.

#[cfg(test)]
mod it {
    use rules::{Ledger, Sample};

    mod memory;
    mod promtool;
}
