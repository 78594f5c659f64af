//! The machine as a whole: CPU, memory, load and processes, from /proc.

use crate::tree::{Tree, value_of};

/// What /proc says of the machine. A number that could not be read is `None`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Machine {
    /// Boot, seconds since the epoch.
    pub(crate) booted_secs: Option<i64>,
    /// Time since boot, ms.
    pub(crate) uptime_ms: Option<i64>,
    /// Number of logical CPUs.
    pub(crate) cpus: i64,
    /// CPU time of all CPUs that was not idle, waiting or stolen, ns.
    pub(crate) cpu_ns: Option<i64>,
    /// One-minute load average, thousandths (cAdvisor's unit of load).
    pub(crate) load_milli: Option<i64>,
    /// All amounts of memory in bytes.
    pub(crate) memory: Memory,
    pub(crate) page_faults: Option<i64>,
    pub(crate) major_page_faults: Option<i64>,
    pub(crate) processes: Option<i64>,
}

/// Memory in bytes, in the terms of a root cgroup as the kubelet reports it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    pub(crate) total: Option<i64>,
    /// Everything but free memory.
    pub(crate) usage: Option<i64>,
    /// `usage` without file pages that were not used lately.
    pub(crate) working_set: Option<i64>,
    /// Anonymous pages.
    pub(crate) rss: Option<i64>,
    /// File pages and buffers.
    pub(crate) cache: Option<i64>,
    pub(crate) swap: Option<i64>,
}

impl Machine {
    pub(crate) fn read(tree: &Tree<'_>, ticks_per_second: i64) -> Self {
        let stat = tree.text("proc/stat").unwrap_or_default();
        let vmstat = tree.text("proc/vmstat").unwrap_or_default();
        let first_word = |path| {
            let text = tree.text(path)?;
            Some(text.split_ascii_whitespace().next()?.to_owned())
        };
        Self {
            booted_secs: value_of(&stat, "btime"),
            uptime_ms: first_word("proc/uptime").and_then(|word| thousandths(&word)),
            cpus: count(stat.lines().filter(|line| is_one_cpu(line))),
            cpu_ns: busy_ticks(&stat)
                .map(|ticks| ticks.saturating_mul(1_000_000_000 / ticks_per_second.max(1))),
            load_milli: first_word("proc/loadavg").and_then(|word| thousandths(&word)),
            memory: Memory::parse(&tree.text("proc/meminfo").unwrap_or_default()),
            page_faults: value_of(&vmstat, "pgfault"),
            major_page_faults: value_of(&vmstat, "pgmajfault"),
            processes: processes(tree),
        }
    }

    /// Whether neither CPU nor memory could be read.
    pub(crate) fn is_unknown(&self) -> bool {
        self.cpu_ns.is_none() && self.memory.total.is_none()
    }
}

impl Memory {
    fn parse(meminfo: &str) -> Self {
        let bytes = |key| value_of(meminfo, key).map(|kib| kib.saturating_mul(1024));
        let total = bytes("MemTotal");
        let usage = total.zip(bytes("MemFree")).map(|(total, free)| total - free);
        Self {
            total,
            usage,
            working_set: usage
                .zip(bytes("Inactive(file)"))
                .map(|(usage, inactive)| (usage - inactive).max(0)),
            rss: bytes("AnonPages"),
            cache: bytes("Cached").map(|cached| cached + bytes("Buffers").unwrap_or(0)),
            swap: bytes("SwapTotal").zip(bytes("SwapFree")).map(|(total, free)| total - free),
        }
    }
}

/// user + nice + system + irq + softirq; guest time is part of user, iowait is idle.
fn busy_ticks(stat: &str) -> Option<i64> {
    let all = stat.lines().find(|line| line.starts_with("cpu "))?;
    let fields: Vec<i64> =
        all.split_ascii_whitespace().skip(1).map_while(|field| field.parse().ok()).collect();
    let at = |position: usize| fields.get(position).copied().unwrap_or(0);
    (fields.len() >= 4).then(|| at(0) + at(1) + at(2) + at(5) + at(6))
}

fn is_one_cpu(line: &str) -> bool {
    line.strip_prefix("cpu")
        .is_some_and(|rest| rest.starts_with(|digit: char| digit.is_ascii_digit()))
}

fn processes(tree: &Tree<'_>) -> Option<i64> {
    let folders = tree.folders("proc");
    let found = count(folders.iter().filter(|name| name.bytes().all(|b| b.is_ascii_digit())));
    (found > 0).then_some(found)
}

fn count(items: impl Iterator) -> i64 {
    i64::try_from(items.count()).unwrap_or(i64::MAX)
}

/// `12.345` as 12,345; further digits are cut.
fn thousandths(text: &str) -> Option<i64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let mut value: i64 = whole.parse().ok()?;
    let mut digits = part.bytes().take(3).map(|digit| i64::from(digit.wrapping_sub(b'0')));
    for _ in 0..3 {
        let digit = digits.next().unwrap_or(0);
        if !(0..=9).contains(&digit) {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(digit)?;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_decimal_seconds() {
        for (text, expected) in [
            ("12.34", Some(12_340)),
            ("7", Some(7000)),
            ("0.1239", Some(123)),
            ("x", None),
            ("1.x", None),
        ] {
            assert_eq!(thousandths(text), expected, "{text}");
        }
    }

    #[test]
    fn busy_is_what_is_not_idle() {
        assert_eq!(busy_ticks("cpu  10 20 30 400 50 6 7 8 9 1\ncpu0 1 2 3 4\n"), Some(73));
        assert_eq!(busy_ticks("cpu  10 20\n"), None);
        assert_eq!(busy_ticks(""), None);
    }
}
