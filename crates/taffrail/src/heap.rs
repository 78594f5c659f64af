//! The C library's allocator, told how a process allocates whose work comes in ticks; knows
//! nothing of what is allocated.
//!
//! Each tick allocates much on many threads and frees most of it. With an arena for every thread
//! and thresholds that grow, glibc keeps several times what is in use (docs/decisions/0007).

use std::time::Duration;

use pipeline::TickStatus;
use tokio::sync::watch;
use tokio::task::spawn_blocking;

/// How long after a tick its memory is given back: the thread of history is done with it too.
const AFTER_TICK: Duration = Duration::from_secs(3);

/// Told once, before there are threads. A person who set glibc's own variables knows better.
pub(crate) fn settle() {
    let chosen = ["MALLOC_ARENA_MAX", "GLIBC_TUNABLES"];
    if chosen.iter().all(|name| std::env::var_os(name).is_none()) {
        c_library::settle();
    }
}

/// Gives back after each tick what it used; what several ticks used when they are close together.
pub(crate) async fn follow(mut ticks: watch::Receiver<TickStatus>) -> &'static str {
    while ticks.changed().await.is_ok() {
        tokio::time::sleep(AFTER_TICK).await;
        ticks.mark_unchanged();
        if spawn_blocking(c_library::give_back).await.is_err() {
            tracing::error!("memory is not given back: the thread for it panicked");
        }
    }
    // The pipeline is gone: this task has nothing more to do and must not end before it.
    std::future::pending().await
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod c_library {
    use libc::{M_ARENA_MAX, M_MMAP_THRESHOLD, c_int, mallopt};

    /// Arenas for all threads together: the runtime has a thread a core, few of them busy.
    const ARENAS: c_int = 2;
    /// Bytes from which a block is mapped by itself and so given back when it is freed; set, it
    /// does not grow.
    const MAPPED_FROM: c_int = 1 << 20;

    #[expect(unsafe_code, reason = "there is no safe form of mallopt")]
    pub(super) fn settle() {
        for (parameter, value) in [(M_ARENA_MAX, ARENAS), (M_MMAP_THRESHOLD, MAPPED_FROM)] {
            // SAFETY: mallopt(3) takes its own lock, reads no memory of ours, and answers 0 for
            // what it does not take, which leaves all as it was.
            unsafe { mallopt(parameter, value) };
        }
    }

    #[expect(unsafe_code, reason = "there is no safe form of malloc_trim")]
    pub(super) fn give_back() {
        // SAFETY: malloc_trim(3) is thread-safe and touches only pages that nothing is in.
        unsafe { libc::malloc_trim(0) };
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
mod c_library {
    pub(super) fn settle() {}

    pub(super) fn give_back() {}
}

#[cfg(test)]
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::*;

    /// Resident bytes of this process.
    fn resident() -> usize {
        let text = std::fs::read_to_string("/proc/self/statm").unwrap();
        text.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
    }

    #[test]
    fn freed_blocks_between_kept_ones_are_given_back() {
        const BLOCK: usize = 64 << 10;
        let mut blocks: Vec<Vec<u8>> = (0..2000).map(|_| vec![1; BLOCK]).collect();
        let full = resident();
        // One of eight stays, so that no arena shrinks by itself.
        let kept: Vec<Vec<u8>> = blocks.drain(..).step_by(8).collect();
        drop(blocks);
        c_library::give_back();
        assert!(resident() + 1000 * BLOCK < full, "{} of {full} bytes", resident());
        assert!(kept.iter().all(|block| block.iter().all(|byte| *byte == 1)));
    }
}
