//! The samples both sides get: counters with resets, gauges with gaps, odd values, histograms.

use query::promql::{Labels, MemorySeries};

/// The first sample's time, milliseconds.
pub(crate) const START_MS: i64 = 1_700_000_000_000;

/// Three hours of samples.
pub(crate) fn series() -> MemorySeries {
    let mut series = MemorySeries::default();
    let mut random = Random(42);
    for l in ["a", "b", "c"] {
        for m in ["x", "y"] {
            let pairs = |name| Labels::new([("__name__", name), ("l", l), ("m", m)]);
            gauge(&mut series, &mut random, &pairs("g"));
            counter(&mut series, &mut random, &pairs("c"));
            steady(&mut series, &pairs("k"));
        }
        let pairs = |name| Labels::new([("__name__", name), ("l", l)]);
        gaps(&mut series, &mut random, &pairs("gap"));
        odd(&mut series, &mut random, &pairs("odd"));
        unit(&mut series, &mut random, &pairs("u"));
        let info = Labels::new([("__name__", "info"), ("l", l), ("version", &format!("v{l}"))]);
        every(60, |at, _| series.push(&info, at, 1.0));
        histogram(&mut series, &mut random, l);
    }
    let t = Labels::new([("__name__", "t"), ("l", "a")]);
    every(60, |at, index| series.push(&t, at, f64::from(index) * 86_400.0 * 17.3 - 5e7));
    let one = Labels::new([("__name__", "one")]);
    every(60, |at, _| series.push(&one, at, 0.4));
    series
}

/// Writes the series in the OpenMetrics text format.
pub(crate) fn open_metrics(series: &MemorySeries) -> String {
    let mut out = String::new();
    for (labels, timestamps, values) in series.iter() {
        let name = labels.get("__name__");
        let others: Vec<String> = labels
            .iter()
            .filter(|(label, _)| *label != "__name__")
            .map(|(label, value)| format!("{label}={value:?}"))
            .collect();
        for (timestamp, value) in timestamps.iter().zip(values) {
            let value = if value.is_infinite() && *value > 0.0 {
                "+Inf".to_owned()
            } else if value.is_infinite() {
                "-Inf".to_owned()
            } else {
                value.to_string()
            };
            let (seconds, rest) = (timestamp / 1000, timestamp % 1000);
            let others = others.join(",");
            let line = format!("{name}{{{others}}} {value} {seconds}.{rest:03}\n");
            out.push_str(&line);
        }
    }
    out + "# EOF\n"
}

/// `SplitMix64`.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u32::try_from((mixed ^ (mixed >> 31)) % u64::from(bound)).unwrap_or(0)
    }

    fn unit(&mut self) -> f64 {
        f64::from(self.below(1 << 20)) / f64::from(1 << 20)
    }
}

fn every(seconds: u32, mut each: impl FnMut(i64, u32)) {
    for index in 0..(3 * 3600 / seconds) {
        each(START_MS + i64::from(index * seconds) * 1000, index);
    }
}

fn gauge(series: &mut MemorySeries, random: &mut Random, labels: &Labels) {
    every(30, |at, index| {
        let jitter = i64::from(random.below(4000));
        let value = 50.0 * (f64::from(index) / 20.0).sin() + 10.0 * random.unit();
        series.push(labels, at + jitter, value);
    });
}

fn counter(series: &mut MemorySeries, random: &mut Random, labels: &Labels) {
    let mut value = 0.0;
    every(15, |at, _| {
        let jitter = i64::from(random.below(900));
        value = if random.below(120) == 0 { random.unit() } else { value + 5.0 * random.unit() };
        if random.below(25) != 0 {
            series.push(labels, at + jitter, value);
        }
    });
}

fn steady(series: &mut MemorySeries, labels: &Labels) {
    every(60, |at, index| series.push(labels, at, if index < 90 { 3.0 } else { 4.0 }));
}

fn gaps(series: &mut MemorySeries, random: &mut Random, labels: &Labels) {
    let mut silent = 0;
    every(60, |at, index| {
        if silent > 0 {
            silent -= 1;
            return;
        }
        if random.below(8) == 0 {
            silent = 4 + random.below(9);
        }
        series.push(labels, at, f64::from(index % 10));
    });
}

fn odd(series: &mut MemorySeries, random: &mut Random, labels: &Labels) {
    every(60, |at, index| {
        let value = match random.below(6) {
            0 => f64::NAN,
            1 => f64::INFINITY,
            2 => f64::NEG_INFINITY,
            3 => 0.0,
            _ => f64::from(index) - 40.0,
        };
        series.push(labels, at, value);
    });
}

fn unit(series: &mut MemorySeries, random: &mut Random, labels: &Labels) {
    every(60, |at, _| series.push(labels, at, random.unit()));
}

fn histogram(series: &mut MemorySeries, random: &mut Random, l: &str) {
    let bounds = ["0.1", "0.25", "0.5", "1", "2.5", "+Inf"];
    let mut counts = [0.0; 6];
    every(30, |at, _| {
        let mut total = 0.0;
        for (bound, count) in bounds.iter().zip(&mut counts) {
            *count += f64::from(random.below(7));
            total += *count;
            // Sometimes a bucket is read before the one below it.
            let torn = if random.below(40) == 0 { 3.0 } else { 0.0 };
            let labels = Labels::new([("__name__", "h_bucket"), ("l", l), ("le", bound)]);
            series.push(&labels, at, f64::max(total - torn, 0.0));
        }
    });
}
