//! The threads of the process: those that answer come before those that measure; knows neither.
//!
//! A tick of a large cluster is seconds of work in thousands of tasks. On the same workers every
//! piece of an answer would wait behind them (docs/decisions/0234).

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;

use rustix::process::{getpriority_process, setpriority_process};
use tokio::runtime::{Builder, Runtime};

use crate::exit::Failure;

/// By how much threads that measure yield to those that answer: the kernel gives one a tenth of
/// the time where both want all of it (`sched_prio_to_weight` of Linux, 110 to 1,024).
const YIELD: i32 = 10;

/// A runtime of `threads` workers; less than one means one per core.
pub(crate) fn one(threads: i64) -> Result<Runtime, Failure> {
    built(Builder::new_multi_thread().thread_name("taffrail"), workers(threads))
}

/// A runtime that measures and one that answers, each of `threads` workers. Questions that take
/// long enough for a thread of their own yield as measuring does: many of them must not stop it.
pub(crate) fn two(threads: i64) -> Result<(Runtime, Runtime), Failure> {
    let workers = workers(threads);
    let low = getpriority_process(None).unwrap_or(0).saturating_add(YIELD);
    let started = AtomicUsize::new(0);
    // The workers are started first, all at once.
    let begins = move || {
        if started.fetch_add(1, Ordering::Relaxed) >= workers {
            lower(low);
        }
    };
    let mut builder = Builder::new_multi_thread();
    let answering = built(builder.thread_name("answer").on_thread_start(begins), workers)?;
    // Threads inherit it: this one and all that it starts from here on.
    lower(low);
    Ok((built(Builder::new_multi_thread().thread_name("taffrail"), workers)?, answering))
}

/// Lowers the calling thread: Linux takes "this process" for it.
fn lower(to: i32) {
    if let Err(error) = setpriority_process(None, to) {
        tracing::warn!(%error, "answers do not come before measuring");
    }
}

fn workers(threads: i64) -> usize {
    match usize::try_from(threads) {
        Ok(threads @ 1..) => threads,
        _ => available_parallelism().map_or(1, NonZero::get),
    }
}

fn built(builder: &mut Builder, workers: usize) -> Result<Runtime, Failure> {
    let built = builder.worker_threads(workers).enable_all().build();
    Ok(built.map_err(|error| anyhow::anyhow!("start the runtime: {error}"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How far the calling thread yields, as the kernel tells.
    fn yields() -> i32 {
        // The 17th field behind the name, which may hold anything but ends with the last `)`.
        let text = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let behind = text.rsplit_once(") ").unwrap().1;
        behind.split(' ').nth(16).unwrap().parse().unwrap()
    }

    #[test]
    fn threads_that_measure_yield_to_those_that_answer() {
        // A thread of its own, so that no other test yields.
        let of = std::thread::spawn(|| {
            let before = yields();
            let (measuring, answering) = two(2).unwrap();
            let of = |runtime: &Runtime| {
                let worker = runtime.block_on(runtime.spawn(async { yields() })).unwrap();
                let blocking = runtime.spawn(async { tokio::task::spawn_blocking(yields).await });
                (worker - before, runtime.block_on(blocking).unwrap().unwrap() - before)
            };
            (of(&measuring), of(&answering))
        });
        assert_eq!(of.join().unwrap(), ((YIELD, YIELD), (0, YIELD)));
    }
}
