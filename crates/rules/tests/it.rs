//! Rules beside the real Prometheus.

#[cfg(test)]
mod it {
    mod promtool;
}
