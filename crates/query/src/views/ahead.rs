//! Series that another thread finds ahead of the one that evaluates them.

use std::mem::replace;
use std::panic::resume_unwind;
use std::sync::mpsc::sync_channel;
use std::thread::{Builder, scope};

use crate::promql::SeriesView;

/// Series that are handed over at once: to wake a thread takes longer than to find one of them.
const BATCH: usize = 64;
/// Batches that wait for the evaluation at most.
const WAITING: usize = 4;

/// Takes a series; whether more are wanted.
type Take<'t, 's> = dyn FnMut(SeriesView<'s>) -> bool + 't;

/// Hands what `find` finds on another thread to `take` on this one, until that wants no more.
pub(super) fn find_ahead<E: Send>(
    find: impl Fn(&mut Take<'_, 'static>) -> Result<(), E> + Sync,
    take: &mut dyn FnMut(SeriesView<'_>) -> bool,
) -> Result<(), E> {
    scope(|scope| {
        let (sender, receiver) = sync_channel(WAITING);
        let finds = || {
            let mut batch = Vec::with_capacity(BATCH);
            let mut wanted = true;
            let outcome = find(&mut |series| {
                batch.push(series);
                if batch.len() == BATCH {
                    wanted = sender.send(replace(&mut batch, Vec::with_capacity(BATCH))).is_ok();
                }
                wanted
            });
            if wanted && !batch.is_empty() {
                // Who waits no more wants no rest.
                drop(sender.send(batch));
            }
            drop(sender);
            outcome
        };
        let Ok(finding) = Builder::new().name("find".to_owned()).spawn_scoped(scope, finds) else {
            // No thread is to be had.
            return find(&mut |series| take(series));
        };
        receiver.iter().flatten().all(|series: SeriesView<'static>| take(series));
        drop(receiver);
        finding.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promql::{Column, Labels};

    fn series(number: usize) -> SeriesView<'static> {
        let labels = Labels::new([("number", number.to_string())]);
        SeriesView { labels, timestamps: Column::Owned(vec![1]), values: Column::Owned(vec![0.0]) }
    }

    /// What is taken of `there`, of which `wanted` are.
    fn taken(there: usize, wanted: usize, end: Result<(), &'static str>) -> (Vec<String>, bool) {
        let mut taken = Vec::new();
        let find = |each: &mut Take<'_, 'static>| {
            if (0..there).map(series).all(each) { end } else { Ok(()) }
        };
        let outcome = find_ahead(find, &mut |series| {
            taken.push(series.labels.get("number").to_owned());
            taken.len() < wanted
        });
        (taken, outcome.is_ok())
    }

    #[test]
    fn all_come_in_order_as_long_as_they_are_wanted() {
        for there in [0, 1, BATCH - 1, BATCH, BATCH * 2 * WAITING + 1] {
            for wanted in [1, BATCH, usize::MAX] {
                let (found, well) = taken(there, wanted, Ok(()));
                let expected: Vec<String> = (0..there.min(wanted)).map(|n| n.to_string()).collect();
                assert_eq!((found, well), (expected, true), "{there} {wanted}");
            }
        }
    }

    #[test]
    fn a_failure_comes_after_what_was_found() {
        let (found, well) = taken(BATCH + 1, usize::MAX, Err("too many"));
        assert_eq!((found.len(), well), (BATCH + 1, false));
    }

    #[test]
    #[should_panic(expected = "broken")]
    fn a_panic_is_the_askers_too() {
        let find = |_: &mut Take<'_, 'static>| -> Result<(), ()> { panic!("broken") };
        find_ahead(find, &mut |_| true).unwrap();
    }
}
