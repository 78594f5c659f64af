//! Reads one `target=fault[:parameter]`.

use std::time::Duration;

use super::{DEFAULT_DELAY, DEFAULT_OVERSIZE, Fault, FaultError, Target};

pub(super) fn entry(text: &str) -> Result<(Target, Fault), FaultError> {
    let malformed = || FaultError::Malformed(text.to_owned());
    let (target, fault) = text.split_once('=').ok_or_else(malformed)?;
    if target.trim().is_empty() || fault.trim().is_empty() {
        return Err(malformed());
    }
    Ok((self::target(target.trim())?, self::fault(fault.trim())?))
}

fn target(text: &str) -> Result<Target, FaultError> {
    if text == "*" {
        return Ok(Target::Fraction(1.0));
    }
    let Some(number) = text.strip_suffix('%') else { return Ok(Target::Node(text.to_owned())) };
    match number.trim().parse::<f64>() {
        Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(Target::Fraction(percent / 100.0)),
        _ => Err(FaultError::Percentage(text.to_owned())),
    }
}

pub(crate) fn fault(text: &str) -> Result<Fault, FaultError> {
    let (name, parameter) = match text.split_once(':') {
        Some((name, parameter)) => (name, Some(parameter)),
        None => (text, None),
    };
    let wrong = |expected| FaultError::Parameter {
        fault: name.to_owned(),
        value: parameter.unwrap_or("").to_owned(),
        expected,
    };
    let plain = |fault| match parameter {
        None => Ok(fault),
        Some(_) => Err(wrong("it takes none")),
    };
    match name {
        "down" => plain(Fault::Down),
        "hang" => plain(Fault::Hang),
        "401" | "unauthorized" => plain(Fault::Unauthorized),
        "403" | "forbidden" => plain(Fault::Forbidden),
        "500" | "error" => plain(Fault::Internal),
        "garbage" => plain(Fault::Garbage),
        "truncated" => plain(Fault::Truncated),
        "slow" => match parameter.map(millis) {
            None => Ok(Fault::Slow(DEFAULT_DELAY)),
            Some(Some(millis)) if millis >= 0 => {
                Ok(Fault::Slow(Duration::from_millis(millis.unsigned_abs())))
            }
            Some(_) => Err(wrong("write a delay such as 500ms, 2s or 1m")),
        },
        "skew" => match parameter.and_then(millis) {
            Some(millis) => Ok(Fault::Skew(millis / 1000)),
            None => Err(wrong("write an offset such as 90s, -5m or 1h")),
        },
        "oversized" => match parameter.map(bytes) {
            None => Ok(Fault::Oversized(DEFAULT_OVERSIZE)),
            Some(Some(bytes)) => Ok(Fault::Oversized(bytes)),
            Some(None) => Err(wrong("write a size such as 1048576 or 64Mi")),
        },
        _ => Err(FaultError::UnknownFault(text.to_owned())),
    }
}

/// `500ms`, `2s`, `-5m`, `1h` as milliseconds; a bare number is seconds.
fn millis(text: &str) -> Option<i64> {
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(split)?;
    let factor = match unit {
        "ms" => 1,
        "s" | "" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(factor)
}

fn bytes(text: &str) -> Option<u64> {
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(split)?;
    let factor = match unit {
        "" => 1,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::super::Faults;

    fn check(spec: &str, expected: &str) {
        let answer = match Faults::parse(spec) {
            Ok(faults) => {
                let rules = faults.rules.iter().map(|(target, fault)| format!("{target}={fault}"));
                rules.collect::<Vec<_>>().join(",")
            }
            Err(error) => error.to_string(),
        };
        assert_eq!(answer, expected, "{spec}");
    }

    #[test]
    fn reads_the_grammar() {
        check("", "");
        check("node-3=hang, node-4=500,5%=slow:2s", "node-3=hang,node-4=500,5%=slow:2000ms");
        check("*=skew:-5m", "100%=skew:-300s");
        check("a=oversized:64Mi,b=oversized", "a=oversized:67108864,b=oversized:268435456");
        check("a=slow,b=down,c=garbage,d=truncated", "a=slow:2000ms,b=down,c=garbage,d=truncated");
    }

    #[test]
    fn says_what_is_wrong() {
        check(
            "node-3",
            "`node-3` is not a fault: write target=fault, such as node-3=hang or 5%=slow:2s",
        );
        check(
            "node-3=explode",
            "`explode` is not a known fault: use down, hang, slow[:delay], 401, 403, 500, garbage, \
             truncated, oversized[:bytes] or skew:seconds",
        );
        check(
            "120%=hang",
            "`120%` is not a share of the nodes: write a number from 0 to 100 and %",
        );
        check(
            "a=slow:soon",
            "`soon` is not a parameter of `slow`: write a delay such as 500ms, 2s or 1m",
        );
        check("a=hang:2s", "`2s` is not a parameter of `hang`: it takes none");
    }
}
