//! Parts of a date in UTC from seconds since the epoch.

use super::{Series, Steps, Value, each};
use crate::promql::{Labels, QueryError};

const DAY: i64 = 86_400;

/// Applies `part` to every value, or to the step's time where there is no argument.
pub(super) fn eval(
    argument: Option<Value>,
    part: fn(i64) -> i64,
    steps: Steps,
) -> Result<Vec<Series>, QueryError> {
    let Some(argument) = argument else {
        let values = steps.iter().map(|time| part(time.div_euclid(1000)) as f64).collect();
        return Ok(vec![Series { labels: Labels::default(), values }]);
    };
    // A time without a calendar date is not a number.
    #[expect(clippy::cast_possible_truncation, reason = "whole seconds, towards zero as in Go")]
    let of = |time: f64| if time.abs() < 1e15 { part(time as i64) as f64 } else { f64::NAN };
    Ok(each(argument.vector()?, |_, value| Some(of(value))))
}

pub(super) fn minute(time: i64) -> i64 {
    time.rem_euclid(3600) / 60
}

pub(super) fn hour(time: i64) -> i64 {
    time.rem_euclid(DAY) / 3600
}

pub(super) fn day_of_week(time: i64) -> i64 {
    // 1970-01-01 was a Thursday.
    (time.div_euclid(DAY) + 4).rem_euclid(7)
}

pub(super) fn day_of_month(time: i64) -> i64 {
    date(time).2
}

pub(super) fn day_of_year(time: i64) -> i64 {
    time.div_euclid(DAY) - days_before(date(time).0, 1) + 1
}

pub(super) fn days_in_month(time: i64) -> i64 {
    let (year, month, _) = date(time);
    let next = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    days_before(next.0, next.1) - days_before(year, month)
}

pub(super) fn month(time: i64) -> i64 {
    date(time).1
}

pub(super) fn year(time: i64) -> i64 {
    date(time).0
}

/// Year, month and day of the proleptic Gregorian calendar, counted in years that begin in March.
fn date(time: i64) -> (i64, i64, i64) {
    let days = time.div_euclid(DAY) + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

/// Days from the epoch to the first day of a month.
fn days_before(year: i64, month: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let from_march = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * from_march + 2) / 5;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(time: i64, expected: [i64; 8]) {
        let parts =
            [year, month, day_of_month, hour, minute, day_of_week, day_of_year, days_in_month];
        assert_eq!(parts.map(|part| part(time)), expected, "{time}");
    }

    #[test]
    fn dates_follow_the_calendar() {
        check(0, [1970, 1, 1, 0, 0, 4, 1, 31]);
        check(-1, [1969, 12, 31, 23, 59, 3, 365, 31]);
        check(951_782_400, [2000, 2, 29, 0, 0, 2, 60, 29]);
        check(1_136_239_445, [2006, 1, 2, 22, 4, 1, 2, 31]);
        check(4_107_542_399, [2100, 2, 28, 23, 59, 0, 59, 28]);
    }
}
