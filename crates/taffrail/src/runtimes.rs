//! The threads of the process: those that answer come before those that measure; knows neither.
//!
//! A tick of a large cluster is seconds of work in thousands of tasks. On the same workers every
//! piece of an answer would wait behind them (docs/decisions/0234).

use rustix::process::nice;
use tokio::runtime::{Builder, Runtime};

use crate::exit::Failure;

/// By how much threads that measure yield to those that answer: the kernel gives them a third of
/// the time where both want all of it (`sched_prio_to_weight` of Linux, 335 to 1,024).
const YIELD: i32 = 5;

/// A runtime of `threads` workers; less than one means one per core.
pub(crate) fn one(threads: i64) -> Result<Runtime, Failure> {
    named("taffrail", threads)
}

/// A runtime that measures and one that answers, each of `threads` workers.
pub(crate) fn two(threads: i64) -> Result<(Runtime, Runtime), Failure> {
    let answering = named("answer", threads)?;
    // Threads inherit it: this one and all that it starts from here on.
    if let Err(error) = nice(YIELD) {
        tracing::warn!(%error, "answers do not come before measuring");
    }
    Ok((named("taffrail", threads)?, answering))
}

fn named(name: &str, threads: i64) -> Result<Runtime, Failure> {
    let mut builder = Builder::new_multi_thread();
    if let Ok(threads @ 1..) = usize::try_from(threads) {
        builder.worker_threads(threads);
    }
    let built = builder.thread_name(name).enable_all().build();
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
            let (measuring, answering) = two(1).unwrap();
            let of = |runtime: &Runtime| {
                let worker = runtime.block_on(runtime.spawn(async { yields() })).unwrap();
                let blocking = runtime.spawn(async { tokio::task::spawn_blocking(yields).await });
                (worker - before, runtime.block_on(blocking).unwrap().unwrap() - before)
            };
            (of(&measuring), of(&answering))
        });
        assert_eq!(of.join().unwrap(), ((YIELD, YIELD), (0, 0)));
    }
}
