//! Whether another machine's clock agrees with ours. Pure.

use std::time::Duration;

use model::Timestamp;

use super::Outcome;
use super::trail::Trail;

/// A difference that is worth a word: a `Date` header has whole seconds and the answer travels.
const NOTICED: Duration = Duration::from_secs(5);
/// A difference at which measurements fall into wrong minutes.
const WRONG: Duration = Duration::from_mins(1);
/// How old a node's own sample may be: kubelets measure every 10 to 15 seconds.
const STALE: Duration = Duration::from_mins(2);

/// Judges a machine by its `Date` header.
pub(super) fn note_date(trail: &mut Trail, date: Option<Timestamp>, now: Timestamp, whose: &str) {
    let Some(date) = date else {
        return trail.skip("clock", format!("{whose} sends no date"));
    };
    let (off, way) = difference(date, now);
    note(trail, by(off), format!("{whose}'s clock is {} {way} ours", shown(off)), whose);
}

/// Judges a node by its `Date` header and the time that it gave its newest sample.
pub(super) fn note_node(
    trail: &mut Trail,
    date: Option<Timestamp>,
    sampled: Timestamp,
    now: Timestamp,
    node: &str,
) {
    let date = date.map(|date| difference(date, now));
    if let Some((off, way)) = date
        && by(off) == Outcome::Fail
    {
        let evidence = format!("{node}'s clock is {} {way} ours", shown(off));
        return note(trail, Outcome::Fail, evidence, node);
    }
    if sampled.is_never() {
        return trail
            .skip("clock", "the answer does not say when the node was measured".to_owned());
    }
    let (off, way) = difference(sampled, now);
    let outcome = match way {
        AHEAD => by(off),
        _ if off > STALE => Outcome::Fail,
        _ => Outcome::Pass,
    };
    let clock = match date {
        Some((off, way)) => format!(", its clock is {} {way} ours", shown(off)),
        None => String::new(),
    };
    let evidence = format!("the newest sample is {} {way} our clock{clock}", shown(off));
    let outcome = outcome.max(date.map_or(Outcome::Pass, |(off, _)| by(off)));
    note(trail, outcome, evidence, node);
}

const AHEAD: &str = "ahead of";
const BEHIND: &str = "behind";

fn difference(theirs: Timestamp, ours: Timestamp) -> (Duration, &'static str) {
    if theirs > ours { (theirs.since(ours), AHEAD) } else { (ours.since(theirs), BEHIND) }
}

fn by(off: Duration) -> Outcome {
    match off {
        off if off >= WRONG => Outcome::Fail,
        off if off >= NOTICED => Outcome::Warn,
        _ => Outcome::Pass,
    }
}

fn shown(off: Duration) -> String {
    match off.as_secs() {
        0..10 => format!("{:.1} s", off.as_secs_f64()),
        secs @ 10..600 => format!("{secs} s"),
        secs @ 600..7200 => format!("{} min", secs / 60),
        secs => format!("{} h", secs / 3600),
    }
}

fn note(trail: &mut Trail, outcome: Outcome, evidence: String, whose: &str) {
    let change = format!(
        "set the clock: `timedatectl set-ntp true` on {whose}, or on this machine if ours is the \
         wrong one"
    );
    match outcome {
        Outcome::Fail => trail.fault("clock", evidence, change),
        Outcome::Warn => trail.warn("clock", evidence, change),
        _ => trail.pass("clock", evidence),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_427_000;

    fn check(date: Option<i64>, sampled: i64, expected: (Outcome, &str)) {
        let mut trail = Trail::new("n1".to_owned());
        let at = |offset: i64| Timestamp::from_secs(NOW + offset);
        note_node(&mut trail, date.map(at), at(sampled), at(0), "n1");
        let found = trail.checks().remove(0);
        assert_eq!((found.outcome, &*found.evidence), expected);
        assert_eq!(found.change.is_empty(), found.outcome == Outcome::Pass);
    }

    #[test]
    fn a_clock_that_is_off_is_told_from_an_old_sample() {
        let old = "the newest sample is 9.0 s behind our clock";
        check(None, -9, (Outcome::Pass, old));
        let dated = "the newest sample is 9.0 s behind our clock, its clock is 1.0 s behind ours";
        check(Some(-1), -9, (Outcome::Pass, dated));
        check(Some(7200), 7190, (Outcome::Fail, "n1's clock is 2 h ahead of ours"));
        check(Some(-90), -100, (Outcome::Fail, "n1's clock is 90 s behind ours"));
        let ahead = "the newest sample is 30 s ahead of our clock, its clock is 0.0 s behind ours";
        check(Some(0), 30, (Outcome::Warn, ahead));
        let stale = "the newest sample is 15 min behind our clock, its clock is 0.0 s behind ours";
        check(Some(0), -900, (Outcome::Fail, stale));
    }
}
