//! RFC 3339 times as Go's `time.Parse` reads them, with its words for what is wrong.

use model::Timestamp;

/// Go's name of the format, which its messages quote.
const LAYOUT: &str = "2006-01-02T15:04:05Z07:00";

/// Reads `text`. The error is Go's message.
pub(super) fn parse(text: &str) -> Result<Timestamp, String> {
    let mut reader = Reader { text, rest: text };
    let year = reader.digits("2006", 4, 4)?;
    reader.literal("-")?;
    let month = reader.digits("01", 2, 2)?;
    reader.in_range("month", month, 1, 12)?;
    reader.literal("-")?;
    let day = reader.digits("02", 2, 2)?;
    reader.literal("T")?;
    let hour = reader.digits("15", 1, 2)?;
    reader.in_range("hour", hour, 0, 23)?;
    reader.literal(":")?;
    let minute = reader.digits("04", 2, 2)?;
    reader.in_range("minute", minute, 0, 59)?;
    reader.literal(":")?;
    let second = reader.digits("05", 2, 2)?;
    reader.in_range("second", second, 0, 59)?;
    let fraction = reader.fraction();
    let zone = reader.zone()?;
    if !reader.rest.is_empty() {
        return Err(format!("parsing time {text:?}: extra text: {:?}", reader.rest));
    }
    let normal =
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}{zone}");
    match Timestamp::parse_rfc3339(&normal) {
        Some(time) => Ok(time),
        // A right time outside the years that fit into nanoseconds.
        None if year < 1678 => Ok(Timestamp::from_nanos(i64::MIN)),
        None if year > 2261 => Ok(Timestamp::from_nanos(i64::MAX)),
        None => Err(format!("parsing time {text:?}: day out of range")),
    }
}

struct Reader<'a> {
    text: &'a str,
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn literal(&mut self, expected: &str) -> Result<(), String> {
        match self.rest.strip_prefix(expected) {
            Some(rest) => {
                self.rest = rest;
                Ok(())
            }
            None => Err(self.bad(expected)),
        }
    }

    /// `least` to `most` digits, of which there may follow more.
    fn digits(&mut self, element: &str, least: usize, most: usize) -> Result<u32, String> {
        let count = self.rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.rest.split_at_checked(count).unwrap_or_default();
        match digits.parse() {
            Ok(number) if count >= least => {
                self.rest = rest;
                Ok(number)
            }
            _ => Err(self.bad(element)),
        }
    }

    fn in_range(&self, name: &str, value: u32, least: u32, most: u32) -> Result<(), String> {
        if (least..=most).contains(&value) {
            return Ok(());
        }
        Err(format!("parsing time {:?}: {name} out of range", self.text))
    }

    /// A decimal point with its digits, cut to nanoseconds; empty when there is none.
    fn fraction(&mut self) -> &'a str {
        let Some(after) = self.rest.strip_prefix(['.', ',']) else { return "" };
        let count = after.bytes().take_while(u8::is_ascii_digit).count();
        if count == 0 {
            return "";
        }
        let fraction = self.rest.get(..1 + count.min(9)).unwrap_or_default();
        self.rest = after.get(count..).unwrap_or_default();
        fraction
    }

    fn zone(&mut self) -> Result<&'a str, String> {
        let bytes = self.rest.as_bytes();
        let length = match bytes {
            [b'Z', ..] => 1,
            [b'+' | b'-', h1, h2, b':', m1, m2, ..]
                if [h1, h2, m1, m2].iter().all(|digit| digit.is_ascii_digit()) =>
            {
                6
            }
            _ => return Err(self.bad("Z07:00")),
        };
        let (zone, rest) = self.rest.split_at(length);
        self.rest = rest;
        Ok(zone)
    }

    fn bad(&self, element: &str) -> String {
        format!(
            "parsing time {:?} as {LAYOUT:?}: cannot parse {:?} as {element:?}",
            self.text, self.rest
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, &str>) {
        let read = parse(text).map(|time| time.to_string());
        assert_eq!(read, expected.map(str::to_owned).map_err(str::to_owned));
    }

    #[test]
    fn reads_what_go_reads() {
        check("2026-11-23T09:17:00Z", Ok("2026-11-23T09:17:00Z"));
        check("2026-11-23T09:17:00.25+01:00", Ok("2026-11-23T08:17:00.25Z"));
        check("2026-11-23T9:17:00Z", Ok("2026-11-23T09:17:00Z"));
        check("0001-01-01T00:00:00Z", Ok("0001-01-01T00:00:00Z"));
        assert_eq!(parse("1000-01-01T00:00:00Z"), Ok(Timestamp::from_nanos(i64::MIN)));
        assert_eq!(parse("9999-01-01T00:00:00Z"), Ok(Timestamp::from_nanos(i64::MAX)));
    }

    #[test]
    fn complains_in_gos_words() {
        let as_layout = |text: &str, rest: &str, element: &str| {
            let message = format!(
                "parsing time {text:?} as \"2006-01-02T15:04:05Z07:00\": cannot parse {rest:?} as {element:?}"
            );
            check(text, Err(&message));
        };
        as_layout("nope", "nope", "2006");
        as_layout("", "", "2006");
        as_layout("2026", "", "-");
        as_layout("2026-11-23", "", "T");
        as_layout("2026-11-23 09:17:00", " 09:17:00", "T");
        as_layout("2026-11-23T09:17:00", "", "Z07:00");
        check(
            "2026-13-23T09:17:00Z",
            Err("parsing time \"2026-13-23T09:17:00Z\": month out of range"),
        );
        check(
            "2026-02-30T09:17:00Z",
            Err("parsing time \"2026-02-30T09:17:00Z\": day out of range"),
        );
        check(
            "2026-02-03T09:17:00Zx",
            Err("parsing time \"2026-02-03T09:17:00Zx\": extra text: \"x\""),
        );
        check(
            "２026",
            Err(
                "parsing time \"２026\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"２026\" as \"2006\"",
            ),
        );
    }
}
