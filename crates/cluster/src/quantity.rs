//! Kubernetes quantities (`500m`, `1.5Gi`, `12e6`) as integers.
//!
//! Follows `k8s.io/apimachinery` `resource.Quantity`: fractions are rounded away from zero, what
//! does not fit an i64 is capped.

/// The quantity in whole units (bytes for memory); `None` when it is not one.
pub fn value(text: &str) -> Option<i64> {
    scaled(text, 0)
}

/// The quantity in thousandths (millicores for CPU); `None` when it is not one.
pub fn milli_value(text: &str) -> Option<i64> {
    scaled(text, 3)
}

/// How many significant digits are read; what follows only rounds up.
const MAX_DIGITS: u32 = 20;

fn scaled(text: &str, decimal_shift: i32) -> Option<i64> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at_checked(end)?;
    let (digits, exponent, rest) = mantissa(number)?;
    let (decimal, binary) = suffix_scale(suffix)?;
    let exponent = exponent.saturating_add(decimal).saturating_add(decimal_shift);
    let magnitude = if digits == 0 && !rest { 0 } else { scale_up(digits, rest, exponent, binary) };
    Some(if negative { magnitude.checked_neg().unwrap_or(i64::MIN) } else { magnitude })
}

/// Digits as an integer, the power of ten to apply, and whether non-zero digits were dropped.
fn mantissa(number: &str) -> Option<(u128, i32, bool)> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.contains('.') || whole.len() + fraction.len() == 0 {
        return None;
    }
    let (mut digits, mut exponent, mut dropped, mut count) = (0u128, 0i32, false, 0u32);
    for (in_fraction, digit) in
        whole.bytes().map(|b| (false, b)).chain(fraction.bytes().map(|b| (true, b)))
    {
        let digit = u128::from(digit - b'0');
        if count < MAX_DIGITS {
            digits = digits * 10 + digit;
            count += u32::from(digits != 0);
            exponent = exponent.saturating_sub(i32::from(in_fraction));
        } else {
            dropped |= digit != 0;
            exponent = exponent.saturating_add(i32::from(!in_fraction));
        }
    }
    Some((digits, exponent, dropped))
}

/// Powers of ten and of two that a suffix stands for.
fn suffix_scale(suffix: &str) -> Option<(i32, u32)> {
    Some(match suffix {
        "" => (0, 0),
        "n" => (-9, 0),
        "u" => (-6, 0),
        "m" => (-3, 0),
        "k" => (3, 0),
        "M" => (6, 0),
        "G" => (9, 0),
        "T" => (12, 0),
        "P" => (15, 0),
        "E" => (18, 0),
        "Ki" => (0, 10),
        "Mi" => (0, 20),
        "Gi" => (0, 30),
        "Ti" => (0, 40),
        "Pi" => (0, 50),
        "Ei" => (0, 60),
        other => {
            let exponent = other.strip_prefix(['e', 'E'])?;
            (exponent.parse::<i32>().ok()?.clamp(-1000, 1000), 0)
        }
    })
}

/// ceil(digits × 10^exponent × 2^binary), capped.
fn scale_up(digits: u128, dropped: bool, exponent: i32, binary: u32) -> i64 {
    let capped = |value: Option<u128>| value.and_then(|value| i64::try_from(value).ok());
    let shifted = digits.checked_mul(1u128 << binary);
    let power = 10u128.checked_pow(exponent.unsigned_abs());
    let result = if exponent >= 0 {
        let product = shifted.zip(power).and_then(|(value, power)| value.checked_mul(power));
        capped(product.and_then(|value| value.checked_add(u128::from(dropped))))
    } else {
        match (shifted, power) {
            (None, _) => None,
            // Ten to a power beyond u128 divides anything down to less than one.
            (Some(_), None) => Some(1),
            (Some(value), Some(power)) => {
                let partial = u128::from(value % power != 0 || dropped);
                capped((value / power).checked_add(partial))
            }
        }
    };
    result.unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, whole: i64, milli: i64) {
        assert_eq!((value(text), milli_value(text)), (Some(whole), Some(milli)), "{text}");
    }

    #[test]
    fn every_form() {
        check("0", 0, 0);
        check("4", 4, 4000);
        check("500m", 1, 500);
        check("0.5", 1, 500);
        check("1.5Gi", 1_610_612_736, 1_610_612_736_000);
        check("24684092Ki", 25_276_510_208, 25_276_510_208_000);
        check("1k", 1000, 1_000_000);
        check("2E", 2_000_000_000_000_000_000, i64::MAX);
        check("1E3", 1000, 1_000_000);
        check("12e6", 12_000_000, 12_000_000_000);
        check("12e-3", 1, 12);
        check("100n", 1, 1);
        check("1500u", 1, 2);
        check("-1500u", -1, -2);
        check("+.5", 1, 500);
        check("5.", 5, 5000);
        check("9Ei", i64::MAX, i64::MAX);
        check("1e-900", 1, 1);
        check("0e900", 0, 0);
        check("1000000000000000000000000000000000001", i64::MAX, i64::MAX);
        check("0.0000000000000000000000000000000000001", 1, 1);
    }

    #[test]
    fn not_quantities() {
        for text in ["", "m", ".", "1.2.3", "1 Gi", "1gi", "0x10", "1e", "1e1.5", "ten", "--1"] {
            assert_eq!(value(text), None, "{text}");
        }
    }
}
