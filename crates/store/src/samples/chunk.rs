//! The samples of one series as bytes: differences of differences, scaled integers, a checksum.

use crate::numbers;
use crate::wire::{self, Malformed, Parsed, Reader};

/// pco's effort: blocks live long.
const LEVEL: usize = 8;
/// Most decimals that are scaled away.
const MAX_DECIMALS: u8 = 4;
/// Beyond this an integer has no exact float.
const MAX_WHOLE: f64 = 4_503_599_627_370_496.0;

const SCALED: u8 = 0;
const BITS: u8 = 1;

/// Appends `times` (ascending) and as many `values`.
pub(super) fn put(times: &[i64], values: &[f64], out: &mut Vec<u8>) {
    let start = out.len();
    wire::put_len(out, times.len());
    let mut steps = Vec::with_capacity(times.len());
    let (mut before, mut step) = (0, 0);
    for (at, time) in times.iter().enumerate() {
        let difference = time.wrapping_sub(before);
        steps.push(if at < 2 { difference } else { difference.wrapping_sub(step) });
        (before, step) = (*time, difference);
    }
    put_numbers(&steps, out);
    let whole = (0..=MAX_DECIMALS).find_map(|decimals| Some((decimals, scaled(values, decimals)?)));
    if let Some((decimals, whole)) = whole {
        out.extend_from_slice(&[SCALED, decimals]);
        let mut before = 0;
        let steps: Vec<i64> =
            whole.iter().map(|value| value - std::mem::replace(&mut before, *value)).collect();
        put_numbers(&steps, out);
    } else {
        out.push(BITS);
        let bits: Vec<i64> = values.iter().map(|value| value.to_bits().cast_signed()).collect();
        put_numbers(&bits, out);
    }
    let sum = wire::checksum(&out[start..]);
    out.extend_from_slice(&sum.to_le_bytes());
}

fn put_numbers(list: &[i64], out: &mut Vec<u8>) {
    let mut bytes = Vec::new();
    numbers::put(list, LEVEL, &mut bytes);
    wire::put_len(out, bytes.len());
    out.extend_from_slice(&bytes);
}

/// The values times a power of ten, where every one comes back to the last bit.
fn scaled(values: &[f64], decimals: u8) -> Option<Vec<i64>> {
    let factor = 10_f64.powi(i32::from(decimals));
    values
        .iter()
        .map(|value| {
            let whole = (value * factor).round();
            // An integer has no negative zero.
            let same = (whole / factor).to_bits() == value.to_bits()
                && value.to_bits() != (-0.0_f64).to_bits();
            #[expect(clippy::cast_possible_truncation, reason = "within 2^52")]
            (same && whole.abs() < MAX_WHOLE).then_some(whole as i64)
        })
        .collect()
}

/// Reads what [`put`] wrote.
pub(super) fn read(bytes: &[u8]) -> Parsed<(Vec<i64>, Vec<f64>)> {
    let (body, sum) = bytes.split_last_chunk::<4>().ok_or(Malformed)?;
    if wire::checksum(body) != u32::from_le_bytes(*sum) {
        return Err(Malformed);
    }
    let mut reader = Reader::new(body);
    let count = reader.at_most(numbers::MAX_NUMBERS)?;
    let mut times = read_numbers(&mut reader, count)?;
    let (mut before, mut step) = (0_i64, 0_i64);
    for (at, time) in times.iter_mut().enumerate() {
        step = if at < 2 { *time } else { step.wrapping_add(*time) };
        before = before.wrapping_add(step);
        *time = before;
    }
    let values = match reader.u8()? {
        SCALED => {
            let decimals = reader.u8()?.min(MAX_DECIMALS);
            let factor = 10_f64.powi(i32::from(decimals));
            let mut whole = 0_i64;
            read_numbers(&mut reader, count)?
                .into_iter()
                .map(|step| {
                    whole = whole.wrapping_add(step);
                    #[expect(clippy::cast_precision_loss, reason = "within 2^52")]
                    let value = whole as f64 / factor;
                    value
                })
                .collect()
        }
        BITS => read_numbers(&mut reader, count)?
            .into_iter()
            .map(|bits| f64::from_bits(bits.cast_unsigned()))
            .collect(),
        _ => return Err(Malformed),
    };
    if reader.is_empty() { Ok((times, values)) } else { Err(Malformed) }
}

fn read_numbers(reader: &mut Reader<'_>, count: usize) -> Parsed<Vec<i64>> {
    let len = reader.len()?;
    numbers::read(reader.bytes(len)?, count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_come_back_to_the_bit() {
        let times: Vec<i64> = (0..500).map(|at| 1_795_426_410_000 + at * 15_000 + at % 3).collect();
        let lists: [Vec<f64>; 5] = [
            (0..500).map(f64::from).collect(),
            (0..500).map(|at| f64::from(at) / 100.0).collect(),
            (0..500).map(|at| f64::from(at).sqrt()).collect(),
            (0..500)
                .map(|at| [0.0, -0.0, f64::INFINITY, f64::from_bits(0x7ff0_0000_0000_0002)][at % 4])
                .collect(),
            vec![7.25; 500],
        ];
        for values in lists {
            for len in [0, 1, 2, 3, 500] {
                let mut bytes = Vec::new();
                put(&times[..len], &values[..len], &mut bytes);
                let (back, found) = read(&bytes).unwrap();
                assert_eq!(back, times[..len]);
                let bits =
                    |values: &[f64]| values.iter().map(|one| one.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(&found), bits(&values[..len]));
                bytes[0] ^= 1;
                assert!(read(&bytes).is_err());
            }
        }
    }
}
