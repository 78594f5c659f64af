//! Usage patterns with closed-form integrals: a rate at a time, and the counter since the origin.
//! Knows nothing of pods; a load is a base plus layers of repeating curves.

use std::f64::consts::TAU;
use std::sync::LazyLock;

use crate::seed;

/// Points of a curve's table, joined by straight lines.
const POINTS: usize = 256;
/// Where the saturated curve's demand meets its limit: demand runs up to 1.6 times of it.
const SATURATION: f64 = 1.6;

/// The form of one repeating curve; values are in `[0, 1]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Quiet at night, busy by day with a dip at noon.
    Daily,
    /// Mostly quiet with a few sharp peaks of differing height.
    Bursts,
    /// Smooth and never still.
    Noise,
    /// Climbs, then works flat out at its limit for a third of the time.
    Saturated,
    /// The part of the demand that [`Shape::Saturated`] cuts off.
    Excess,
}

#[derive(Debug)]
struct Curve {
    values: [f64; POINTS],
    /// Integral from 0 to each point, in units of one step.
    sums: [f64; POINTS + 1],
}

struct Curves {
    daily: Curve,
    bursts: Curve,
    noise: Curve,
    saturated: Curve,
    excess: Curve,
}

static CURVES: LazyLock<Curves> = LazyLock::new(|| Curves {
    daily: Curve::draw(|x| {
        let day = 0.5 - 0.5 * (TAU * (x - 0.1)).cos();
        let noon = (-((x - 0.55) * 14.0).powi(2)).exp();
        (0.9 * day.powf(1.4) - 0.15 * noon + 0.05).clamp(0.0, 1.0)
    }),
    bursts: Curve::draw(|x| {
        let peak = |at: f64, width: f64, height: f64| height * (-((x - at) / width).powi(2)).exp();
        let peaks = peak(0.13, 0.03, 1.0) + peak(0.38, 0.015, 0.6) + peak(0.47, 0.05, 0.75);
        (peaks + peak(0.71, 0.01, 0.45) + peak(0.86, 0.02, 0.9)).clamp(0.0, 1.0)
    }),
    noise: Curve::draw(|x| {
        let wave = (TAU * x).sin() + 0.7 * (TAU * 3.0 * x + 1.0).sin();
        let ripple = 0.5 * (TAU * 7.0 * x + 2.0).sin() + 0.3 * (TAU * 19.0 * x + 0.5).sin();
        (0.5 + 0.2 * (wave + ripple)).clamp(0.0, 1.0)
    }),
    saturated: Curve::draw(|x| demand(x).min(1.0)),
    excess: Curve::draw(|x| (demand(x) - 1.0).max(0.0)),
});

fn demand(x: f64) -> f64 {
    let hill = (0.5 - 0.5 * (TAU * x).cos()).powi(2);
    SATURATION * (0.25 + 0.75 * hill) * (0.94 + 0.06 * (TAU * 11.0 * x).sin())
}

impl Curve {
    fn draw(height: impl Fn(f64) -> f64) -> Self {
        let mut values = [0.0; POINTS];
        for (i, value) in values.iter_mut().enumerate() {
            *value = height(fraction(i));
        }
        let mut sums = [0.0; POINTS + 1];
        for i in 0..POINTS {
            sums[i + 1] = sums[i] + f64::midpoint(values[i], values[(i + 1) % POINTS]);
        }
        Self { values, sums }
    }

    /// Value at `x` cycles.
    fn value(&self, x: f64) -> f64 {
        let (i, part) = locate(x);
        let (here, next) = (self.values[i], self.values[(i + 1) % POINTS]);
        here + (next - here) * part
    }

    /// Integral from 0 to `x` cycles, in cycles.
    fn integral(&self, x: f64) -> f64 {
        let (i, part) = locate(x);
        let (here, next) = (self.values[i], self.values[(i + 1) % POINTS]);
        let within = self.sums[i] + here * part + (next - here) * part * part / 2.0;
        (x.floor() * self.sums[POINTS] + within) / steps()
    }
}

#[expect(clippy::cast_precision_loss, reason = "a table index is small")]
fn fraction(i: usize) -> f64 {
    i as f64 / steps()
}

#[expect(clippy::cast_precision_loss, reason = "256 is exact")]
fn steps() -> f64 {
    POINTS as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a fraction of a cycle times the table size is a small non-negative number"
)]
fn locate(x: f64) -> (usize, f64) {
    let place = (x - x.floor()) * steps();
    let i = (place as usize).min(POINTS - 1);
    (i, place - place.floor())
}

/// One repeating curve of a load.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layer {
    shape: Shape,
    /// Seconds of one cycle.
    period: f64,
    /// Cycles by which the curve is shifted.
    phase: f64,
    /// Height where the curve is 1.
    amplitude: f64,
}

impl Layer {
    /// A layer whose phase comes from `hash` and whose period varies by ±15 % with it, except for
    /// the daily one, which follows the day.
    pub(crate) fn new(shape: Shape, period: f64, amplitude: f64, hash: u64) -> Self {
        if shape == Shape::Daily {
            return Self { shape, period, phase: 0.06 * seed::unit(hash), amplitude };
        }
        let period = period * seed::between(seed::mix(hash, 1), 0.85, 1.15);
        Self { shape, period, phase: seed::unit(seed::mix(hash, 2)), amplitude }
    }

    fn curve(&self) -> &'static Curve {
        match self.shape {
            Shape::Daily => &CURVES.daily,
            Shape::Bursts => &CURVES.bursts,
            Shape::Noise => &CURVES.noise,
            Shape::Saturated => &CURVES.saturated,
            Shape::Excess => &CURVES.excess,
        }
    }

    fn rate(&self, t: f64) -> f64 {
        self.amplitude * self.curve().value(t / self.period + self.phase)
    }

    fn integral(&self, t: f64) -> f64 {
        self.amplitude * self.period * self.curve().integral(t / self.period + self.phase)
    }
}

/// A rate over time: a base plus up to three layers. Never negative.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    base: f64,
    layers: [Option<Layer>; 3],
}

impl Load {
    /// A load of `base` and `layers`; more than three layers are not kept.
    pub(crate) fn new(base: f64, layers: &[Layer]) -> Self {
        let mut kept = [None; 3];
        for (place, layer) in kept.iter_mut().zip(layers) {
            *place = Some(*layer);
        }
        Self { base, layers: kept }
    }

    /// The same form, scaled down so that its highest possible rate is `peak` or less.
    #[must_use]
    pub(crate) fn capped(mut self, peak: f64) -> Self {
        let highest = self.base + self.layers.iter().flatten().map(|l| l.amplitude).sum::<f64>();
        if highest > peak {
            let factor = peak / highest;
            self.base *= factor;
            for layer in self.layers.iter_mut().flatten() {
                layer.amplitude *= factor;
            }
        }
        self
    }

    /// Rate at `t` seconds.
    pub(crate) fn rate(&self, t: f64) -> f64 {
        self.base + self.layers.iter().flatten().map(|layer| layer.rate(t)).sum::<f64>()
    }

    /// Integral from the origin to `t` seconds, up to a constant; only differences mean anything.
    pub(crate) fn integral(&self, t: f64) -> f64 {
        self.base * t + self.layers.iter().flatten().map(|layer| layer.integral(t)).sum::<f64>()
    }

    /// Integral between two times, zero when `to` is not after `from`.
    pub(crate) fn between(&self, from: f64, to: f64) -> f64 {
        if to <= from { 0.0 } else { (self.integral(to) - self.integral(from)).max(0.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(shape: Shape) {
        let load = Load::new(0.1, &[Layer::new(shape, 300.0, 2.0, 77)]);
        let mut previous = load.integral(1_000_000.0);
        let mut sum = 0.0;
        for step in 1..=6000 {
            let t = 1_000_000.0 + f64::from(step) * 0.1;
            let rate = load.rate(t);
            assert!((0.1..=2.1).contains(&rate), "{shape:?} {rate}");
            sum += load.rate(t - 0.05) * 0.1;
            let here = load.integral(t);
            assert!(here > previous, "{shape:?} at {t}");
            previous = here;
        }
        let exact = load.between(1_000_000.0, 1_000_600.0);
        assert!((sum - exact).abs() < 0.002 * exact, "{shape:?}: {sum} against {exact}");
    }

    #[test]
    fn integrals_follow_rates_and_never_fall() {
        for shape in [Shape::Daily, Shape::Bursts, Shape::Noise, Shape::Saturated, Shape::Excess] {
            check(shape);
        }
    }

    #[test]
    fn a_cap_is_never_exceeded() {
        let load = Load::new(0.5, &[Layer::new(Shape::Bursts, 60.0, 9.0, 1)]).capped(1.0);
        assert!((0..600).all(|t| load.rate(f64::from(t)) <= 1.0));
    }
}
