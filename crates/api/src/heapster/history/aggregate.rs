//! Aggregates of values by bucket, as `InfluxDB` computes them.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{Timestamp, Value};
use once::Order as _;
use serde::{Serialize, Serializer};

use super::super::model::Time;
use crate::error::Error;
use crate::number;

/// One aggregate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Average,
    Maximum,
    Minimum,
    Median,
    Count,
    Percentile(u8),
}

/// Which aggregates are asked for.
pub(super) struct Aggregations(Vec<Which>);

impl Aggregations {
    /// Reads `average,max,95-perc`.
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let which = |name: &str| match name {
            "average" => Ok(Which::Average),
            "max" => Ok(Which::Maximum),
            "min" => Ok(Which::Minimum),
            "median" => Ok(Which::Median),
            "count" => Ok(Which::Count),
            "50-perc" => Ok(Which::Percentile(50)),
            "95-perc" => Ok(Which::Percentile(95)),
            "99-perc" => Ok(Which::Percentile(99)),
            other => Err(Error::Aggregation(other.to_owned())),
        };
        text.split(',').map(which).collect::<Result<_, _>>().map(Self)
    }

    /// Aggregates `values` (by time) in buckets of that length, aligned to the epoch; in one
    /// bucket from `start` on without a length. Buckets without a value are left out.
    pub(super) fn over(
        &self,
        values: &[(Timestamp, Value)],
        start: Timestamp,
        length: Option<Duration>,
    ) -> Aggregated {
        let bucket = |time: Timestamp| length.map_or(start, |length| time.truncated(length));
        let buckets = values.chunk_by(|(left, _), (right, _)| bucket(*left) == bucket(*right)).map(
            |values| {
                let time = values.first().map_or(start, |(time, _)| bucket(*time));
                self.bucket(time, values)
            },
        );
        let mut buckets: Vec<Bucket> = buckets.collect();
        print_alike(&mut buckets);
        Aggregated { buckets, bucket_size: length.map_or(0, |length| length.as_nanos()) }
    }

    #[expect(clippy::cast_precision_loss, reason = "a mean of 2^53 values is not exact anyway")]
    fn bucket(&self, time: Timestamp, values: &[(Timestamp, Value)]) -> Bucket {
        let mut sorted: Vec<f64> = values.iter().map(|(_, value)| value.as_f64()).collect();
        sorted.order_by(f64::total_cmp);
        let count = sorted.len();
        let at = |place: usize| sorted.get(place).copied().unwrap_or_default();
        let average = sorted.iter().sum::<f64>() / count.max(1) as f64;
        let median = if count % 2 == 1 {
            at(count / 2)
        } else {
            f64::midpoint(at((count / 2).saturating_sub(1)), at(count / 2))
        };
        // The nearest rank: halves go up.
        let percentile = |percent: u8| {
            let rank = (count * usize::from(percent) + 50) / 100;
            at(rank.saturating_sub(1))
        };
        let has = |which: Which| self.0.contains(&which);
        let asked = |which: Which, value: f64| has(which).then(|| Number::new(value));
        Bucket {
            timestamp: Time(time),
            count: has(Which::Count).then_some(count),
            average: asked(Which::Average, average),
            maximum: asked(Which::Maximum, at(count.saturating_sub(1))),
            minimum: asked(Which::Minimum, at(0)),
            median: asked(Which::Median, median),
            percentiles: self
                .0
                .iter()
                .filter_map(|which| match which {
                    Which::Percentile(percent) => {
                        Some((*percent, Number::new(percentile(*percent))))
                    }
                    _ => None,
                })
                .collect(),
        }
    }
}

/// Where one bucket's number has a fraction, those of the others are printed as floats too.
fn print_alike(buckets: &mut [Bucket]) {
    type Pick = fn(&mut Bucket) -> Option<&mut Number>;
    let picks: [Pick; 4] = [
        |bucket| bucket.average.as_mut(),
        |bucket| bucket.maximum.as_mut(),
        |bucket| bucket.minimum.as_mut(),
        |bucket| bucket.median.as_mut(),
    ];
    for pick in picks {
        let float = buckets.iter_mut().filter_map(pick).any(|number| number.float);
        buckets.iter_mut().filter_map(pick).for_each(|number| number.float = float);
    }
    for percent in [50, 95, 99] {
        let pick = |bucket: &'_ mut Bucket| bucket.percentiles.get(&percent).map(|one| one.float);
        let float = buckets.iter_mut().filter_map(pick).any(|float| float);
        for bucket in &mut *buckets {
            if let Some(number) = bucket.percentiles.get_mut(&percent) {
                number.float = float;
            }
        }
    }
}

/// The length of a bucket from Heapster's notation (`90s`); `None` for an empty text.
pub(super) fn bucket_length(text: &str) -> Result<Option<Duration>, Error> {
    const UNITS: [(&str, u64); 5] =
        [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
    if text.is_empty() {
        return Ok(None);
    }
    if text.len() < 2 {
        return Err(Error::Bucket(format!("{text:?} is too short to be a duration")));
    }
    let found = UNITS.iter().find_map(|(unit, millis)| Some((text.strip_suffix(unit)?, millis)));
    let Some((number, millis)) = found else {
        return Err(Error::Bucket(format!("{text:?} has no known duration suffix")));
    };
    let length = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*millis));
    match length {
        Some(length) if length > 0 => Ok(Some(Duration::from_millis(length))),
        _ => Err(Error::Bucket(format!("{number:?} is no number above zero"))),
    }
}

/// Aggregates of one entity.
#[derive(Serialize)]
pub(super) struct Aggregated {
    buckets: Vec<Bucket>,
    /// In nanoseconds; 0 where there is one bucket only.
    #[serde(rename = "bucketSize")]
    bucket_size: u128,
}

#[derive(Serialize)]
struct Bucket {
    timestamp: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    average: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    maximum: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    minimum: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    median: Option<Number>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    percentiles: BTreeMap<u8, Number>,
}

/// A number that is printed as `intValue` or as `floatValue`.
#[derive(Clone, Copy)]
struct Number {
    value: f64,
    float: bool,
}

impl Number {
    fn new(value: f64) -> Self {
        Self { value, float: value.fract() != 0.0 }
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Float {
            #[serde(rename = "floatValue", serialize_with = "float")]
            value: f64,
        }
        #[derive(Serialize)]
        struct Int {
            #[serde(rename = "intValue")]
            value: i64,
        }
        #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
        fn float<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
            number::serialize(*value, serializer)
        }
        if self.float {
            Float { value: self.value }.serialize(serializer)
        } else {
            Int { value: Value::Float(self.value).as_i64() }.serialize(serializer)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over(text: &str, bucket: &str, values: &[(i64, i64)]) -> String {
        let values: Vec<_> = values
            .iter()
            .map(|(secs, value)| (Timestamp::from_secs(*secs), Value::Int(*value)))
            .collect();
        let length = bucket_length(bucket).unwrap();
        let aggregated =
            Aggregations::parse(text).unwrap().over(&values, Timestamp::from_secs(1), length);
        serde_json::to_string(&aggregated).unwrap()
    }

    #[test]
    fn buckets_are_aligned_and_columns_printed_alike() {
        let shown = over("average,max,count", "1m", &[(60, 10), (61, 15), (119, 12), (130, 10)]);
        let expected = r#"{"buckets":[{"timestamp":"1970-01-01T00:01:00Z","count":3,"average":{"floatValue":12.333333333333334},"maximum":{"intValue":15}},{"timestamp":"1970-01-01T00:02:00Z","count":1,"average":{"floatValue":10},"maximum":{"intValue":10}}],"bucketSize":60000000000}"#;
        assert_eq!(shown, expected);
    }

    #[test]
    fn ranks_are_the_nearest() {
        let values: Vec<_> = (1..=20).map(|number| (number, number)).collect();
        let shown = over("min,median,50-perc,95-perc,99-perc", "", &values);
        let expected = r#"{"buckets":[{"timestamp":"1970-01-01T00:00:01Z","minimum":{"intValue":1},"median":{"floatValue":10.5},"percentiles":{"50":{"intValue":10},"95":{"intValue":19},"99":{"intValue":20}}}],"bucketSize":0}"#;
        assert_eq!(shown, expected);
        assert!(over("count", "", &[]).starts_with(r#"{"buckets":[],"#));
    }

    #[test]
    fn mistakes_are_said_in_heapsters_words() {
        let check = |text, expected: &str| {
            let error = bucket_length(text).unwrap_err().to_string();
            assert_eq!(error, format!("unable to parse bucket size: {expected}"));
        };
        check("1x", "\"1x\" has no known duration suffix");
        check("1", "\"1\" is too short to be a duration");
        check("xs", "\"x\" is no number above zero");
        check("0h", "\"0\" is no number above zero");
        let error = Aggregations::parse("max,bogus").err().unwrap().to_string();
        assert_eq!(error, "Unknown aggregation \"bogus\"");
    }
}
