//! A point in time: nanoseconds since the Unix epoch, UTC.

use std::fmt;
use std::time::Duration;

/// Nanoseconds since 1970-01-01T00:00:00Z. Zero means "never" (Go's zero time on the wire).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// "Never happened": an absent time.
    pub const NEVER: Self = Self(0);

    /// From nanoseconds since the epoch.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// From milliseconds since the epoch, saturating.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// From whole seconds since the epoch, saturating.
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1_000_000_000))
    }

    /// Nanoseconds since the epoch.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Milliseconds since the epoch, rounded towards negative infinity.
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Whole seconds since the epoch, rounded towards negative infinity.
    pub const fn secs(self) -> i64 {
        self.0.div_euclid(1_000_000_000)
    }

    /// Whether this is [`Timestamp::NEVER`].
    pub const fn is_never(self) -> bool {
        self.0 == 0
    }

    /// Nanoseconds from `earlier` to `self`; negative when `self` is the earlier one.
    pub const fn nanos_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Time from `earlier` to `self`, zero when `self` is the earlier one.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(u64::try_from(self.nanos_since(earlier)).unwrap_or(0))
    }

    /// `self` moved forward by `by`, saturating.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_nanos()).unwrap_or(i64::MAX)))
    }

    /// `self` moved back by `by`, saturating.
    #[must_use]
    pub fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(by.as_nanos()).unwrap_or(i64::MAX)))
    }

    /// The latest multiple of `step` since the epoch that is not after `self`.
    #[must_use]
    pub fn truncated(self, step: Duration) -> Self {
        let step = i64::try_from(step.as_nanos()).unwrap_or(i64::MAX).max(1);
        Self(self.0.div_euclid(step) * step)
    }

    /// Reads an RFC 3339 time. `None` when it is not one, or lies outside the years 1678–2261.
    /// Go's zero time (`0001-01-01T00:00:00Z`) reads as [`Timestamp::NEVER`].
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        if text == "0001-01-01T00:00:00Z" {
            return Some(Self::NEVER);
        }
        let time: jiff::Timestamp = text.parse().ok()?;
        i64::try_from(time.as_nanosecond()).ok().map(Self)
    }

    /// RFC 3339 with whole seconds, as Go prints `metav1.Time`: `2026-11-23T09:18:00Z`.
    /// [`Timestamp::NEVER`] prints as Go's zero time.
    pub fn to_rfc3339_seconds(self) -> String {
        Self::from_secs(self.secs()).to_string()
    }
}

/// RFC 3339 in UTC, with as many fractional digits as needed (`2026-11-23T09:18:00.5Z`).
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_never() {
            return f.write_str("0001-01-01T00:00:00Z");
        }
        match jiff::Timestamp::from_nanosecond(i128::from(self.0)) {
            Ok(time) => time.fmt(f),
            Err(_) => f.write_str("0001-01-01T00:00:00Z"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_prints_what_go_prints() {
        for text in
            ["2026-11-23T09:18:00Z", "2026-11-23T09:18:00.123456789Z", "0001-01-01T00:00:00Z"]
        {
            assert_eq!(Timestamp::parse_rfc3339(text).unwrap().to_string(), text);
        }
        let zoned = Timestamp::parse_rfc3339("2026-11-23T10:18:00+01:00").unwrap();
        assert_eq!(zoned.to_string(), "2026-11-23T09:18:00Z");
        assert_eq!(Timestamp::parse_rfc3339("yesterday"), None);
    }

    #[test]
    fn truncates_to_a_step() {
        let time = Timestamp::from_secs(119);
        assert_eq!(time.truncated(Duration::from_mins(1)), Timestamp::from_secs(60));
    }
}
