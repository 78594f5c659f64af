//! `OpenMetrics` text with timestamps: families in a row, `# EOF` at the end.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use super::{Encoder, Output, Series, points};

/// Writes `OpenMetrics`.
pub(super) struct OpenMetrics {
    output: Output,
    family: String,
}

impl OpenMetrics {
    pub(super) fn new(output: Output) -> Self {
        Self { output, family: String::new() }
    }
}

impl Encoder for OpenMetrics {
    fn series(&mut self, series: &Series<'_>, times: &[i64], values: &[f64]) -> io::Result<()> {
        let family = name(series.metric);
        if family != self.family {
            let kind = if series.counter { "counter" } else { "gauge" };
            writeln!(self.output, "# TYPE {family} {kind}")?;
            self.family.clone_from(&family);
        }
        let suffix = if series.counter { "_total" } else { "" };
        let mut head = format!("{family}{suffix}{{kind=\"{}\"", series.labels.kind().name());
        for (name, value) in series.labels.iter() {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            write!(head, ",{name}=\"{value}\"").map_err(io::Error::other)?;
        }
        head.push('}');
        for (time, value) in points(times, values) {
            let (seconds, millis) = (time.div_euclid(1000), time.rem_euclid(1000));
            writeln!(self.output, "{head} {value} {seconds}.{millis:03}")?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        writeln!(self.output, "# EOF")?;
        self.output.flush()
    }
}

/// `cpu/usage_rate` → `cpu_usage_rate`.
fn name(metric: &str) -> String {
    let kept = |c: char| if c.is_ascii_alphanumeric() || c == ':' { c } else { '_' };
    let name: String = metric.chars().map(kept).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
}
