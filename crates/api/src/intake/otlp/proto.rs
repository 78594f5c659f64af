//! OTLP's metrics as protocol buffers.

use super::{Decoded, Kind, Metric, Point, Resource, summed};
use crate::prometheus::wire::{Field, fields};

/// Deepest nesting of an attribute's value.
const MAX_DEPTH: usize = 8;

fn bad(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn text(bytes: &[u8]) -> Decoded<String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| "a text is not UTF-8".to_owned())
}

pub(super) fn decode(bytes: &[u8]) -> Decoded<Vec<Resource>> {
    let mut all = Vec::new();
    for field in fields(bytes) {
        if let (1, Field::Bytes(bytes)) = field.map_err(bad)? {
            all.push(resource(bytes)?);
        }
    }
    Ok(all)
}

fn resource(bytes: &[u8]) -> Decoded<Resource> {
    let mut read = Resource::default();
    for field in fields(bytes) {
        match field.map_err(bad)? {
            (1, Field::Bytes(bytes)) => {
                for field in fields(bytes) {
                    if let (1, Field::Bytes(bytes)) = field.map_err(bad)? {
                        read.attributes.push(attribute(bytes)?);
                    }
                }
            }
            (2, Field::Bytes(bytes)) => {
                for field in fields(bytes) {
                    if let (2, Field::Bytes(bytes)) = field.map_err(bad)? {
                        read.metrics.push(metric(bytes)?);
                    }
                }
            }
            _ => {}
        }
    }
    Ok(read)
}

fn attribute(bytes: &[u8]) -> Decoded<(String, String)> {
    let (mut name, mut shown) = (String::new(), String::new());
    for field in fields(bytes) {
        match field.map_err(bad)? {
            (1, Field::Bytes(bytes)) => name = text(bytes)?,
            (2, Field::Bytes(bytes)) => shown = value(bytes, 0)?,
            _ => {}
        }
    }
    Ok((name, shown))
}

/// An attribute's value as a text; lists and maps as JSON.
fn value(bytes: &[u8], depth: usize) -> Decoded<String> {
    if depth > MAX_DEPTH {
        return Err(format!("an attribute is nested deeper than {MAX_DEPTH}"));
    }
    let mut shown = String::new();
    for field in fields(bytes) {
        shown = match field.map_err(bad)? {
            (1, Field::Bytes(bytes)) => text(bytes)?,
            (2, Field::Varint(value)) => (value != 0).to_string(),
            (3, Field::Varint(value)) => value.cast_signed().to_string(),
            (4, Field::Fixed64(bits)) => f64::from_bits(bits).to_string(),
            (5, Field::Bytes(bytes)) => {
                let mut items = Vec::new();
                for field in fields(bytes) {
                    if let (1, Field::Bytes(bytes)) = field.map_err(bad)? {
                        items.push(value(bytes, depth + 1)?);
                    }
                }
                serde_json::to_string(&items).unwrap_or_default()
            }
            _ => continue,
        };
    }
    Ok(shown)
}

fn metric(bytes: &[u8]) -> Decoded<Metric> {
    let mut read = Metric::default();
    for field in fields(bytes) {
        match field.map_err(bad)? {
            (1, Field::Bytes(bytes)) => read.name = text(bytes)?,
            (2, Field::Bytes(bytes)) => read.help = text(bytes)?,
            (3, Field::Bytes(bytes)) => read.unit = text(bytes)?,
            (number @ (5 | 7 | 9 | 10 | 11), Field::Bytes(bytes)) => {
                data(&mut read, number, bytes)?;
            }
            _ => {}
        }
    }
    Ok(read)
}

fn data(read: &mut Metric, number: u64, bytes: &[u8]) -> Decoded<()> {
    let (mut temporality, mut monotonic) = (2, false);
    for field in fields(bytes) {
        match field.map_err(bad)? {
            (1, Field::Bytes(bytes)) => read.points.push(match number {
                9 => histogram_point(bytes)?,
                10 => Point::default(),
                11 => summary_point(bytes)?,
                _ => number_point(bytes)?,
            }),
            (2, Field::Varint(value)) => temporality = value,
            (3, Field::Varint(value)) => monotonic = value != 0,
            _ => {}
        }
    }
    read.kind = match number {
        5 => Kind::Gauge,
        7 => summed(temporality, monotonic),
        9 if temporality == 1 => Kind::Refused("delta_temporality"),
        9 => Kind::Histogram,
        10 => Kind::Refused("native_histogram"),
        _ => Kind::Summary,
    };
    Ok(())
}

fn millis(nanos: u64) -> i64 {
    i64::try_from(nanos / 1_000_000).unwrap_or(i64::MAX)
}

fn number_point(bytes: &[u8]) -> Decoded<Point> {
    let mut point = Point::default();
    for field in fields(bytes) {
        match field.map_err(bad)? {
            (7, Field::Bytes(bytes)) => point.attributes.push(attribute(bytes)?),
            (3, Field::Fixed64(nanos)) => point.time_ms = millis(nanos),
            (4, Field::Fixed64(bits)) => point.value = f64::from_bits(bits),
            #[expect(clippy::cast_precision_loss, reason = "a float is what is kept")]
            (6, Field::Fixed64(whole)) => point.value = whole.cast_signed() as f64,
            (8, Field::Varint(flags)) => point.absent = flags & 1 == 1,
            _ => {}
        }
    }
    Ok(point)
}

fn histogram_point(bytes: &[u8]) -> Decoded<Point> {
    let mut point = Point::default();
    for field in fields(bytes) {
        match field.map_err(bad)? {
            (9, Field::Bytes(bytes)) => point.attributes.push(attribute(bytes)?),
            (3, Field::Fixed64(nanos)) => point.time_ms = millis(nanos),
            (4, Field::Fixed64(count)) => point.count = count,
            (5, Field::Fixed64(bits)) => point.sum = Some(f64::from_bits(bits)),
            (6, Field::Bytes(packed)) => point.counts.extend(fixed(packed)),
            (6, Field::Fixed64(count)) => point.counts.push(count),
            (7, Field::Bytes(packed)) => point.bounds.extend(fixed(packed).map(f64::from_bits)),
            (7, Field::Fixed64(bits)) => point.bounds.push(f64::from_bits(bits)),
            (10, Field::Varint(flags)) => point.absent = flags & 1 == 1,
            _ => {}
        }
    }
    Ok(point)
}

fn fixed(packed: &[u8]) -> impl Iterator<Item = u64> {
    packed.as_chunks::<8>().0.iter().map(|bytes| u64::from_le_bytes(*bytes))
}

fn summary_point(bytes: &[u8]) -> Decoded<Point> {
    let mut point = Point::default();
    for field in fields(bytes) {
        match field.map_err(bad)? {
            (7, Field::Bytes(bytes)) => point.attributes.push(attribute(bytes)?),
            (3, Field::Fixed64(nanos)) => point.time_ms = millis(nanos),
            (4, Field::Fixed64(count)) => point.count = count,
            (5, Field::Fixed64(bits)) => point.sum = Some(f64::from_bits(bits)),
            (6, Field::Bytes(bytes)) => {
                let (mut quantile, mut value) = (0.0, 0.0);
                for field in fields(bytes) {
                    match field.map_err(bad)? {
                        (1, Field::Fixed64(bits)) => quantile = f64::from_bits(bits),
                        (2, Field::Fixed64(bits)) => value = f64::from_bits(bits),
                        _ => {}
                    }
                }
                point.bounds.push(quantile);
                point.quantiles.push(value);
            }
            (8, Field::Varint(flags)) => point.absent = flags & 1 == 1,
            _ => {}
        }
    }
    Ok(point)
}
