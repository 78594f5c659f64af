//! A time for each row of a table, never where a row has none.

use crate::Timestamp;
use crate::column::{Packed, trim};

/// Times by row; only as long as the last row that has one.
#[derive(Debug, Clone)]
pub(super) enum Times {
    Open(Vec<Timestamp>),
    /// Of a frozen batch.
    Packed(Packed),
}

impl Default for Times {
    fn default() -> Self {
        Self::Open(Vec::new())
    }
}

impl Times {
    pub(super) fn get(&self, row: usize) -> Timestamp {
        match self {
            Self::Open(times) => times.get(row).copied(),
            Self::Packed(times) => times.get(row).map(Timestamp::from_nanos),
        }
        .unwrap_or(Timestamp::NEVER)
    }

    pub(super) fn set(&mut self, row: usize, time: Timestamp) {
        if let Self::Packed(packed) = self {
            let times = (0..packed.rows()).map(|row| packed.get(row).map(Timestamp::from_nanos));
            *self = Self::Open(times.map(|time| time.unwrap_or(Timestamp::NEVER)).collect());
        }
        let Self::Open(times) = self else { return };
        if times.len() <= row {
            times.resize(row + 1, Timestamp::NEVER);
        }
        times[row] = time;
    }

    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Self::Open(times) => times.capacity() * size_of::<Timestamp>(),
            Self::Packed(times) => times.heap_bytes(),
        }
    }

    pub(super) fn shrink(&mut self) {
        let Self::Open(times) = self else { return };
        let present = |time: &Timestamp| Some(time.nanos()).filter(|_| !time.is_never());
        match Packed::new(times.iter().map(present)) {
            Some(packed) => *self = Self::Packed(packed),
            None => trim(times),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_times_are_the_same_and_can_be_set() {
        let mut times = Times::default();
        for (row, seconds) in [(0, 100), (3, 160), (5, 40)] {
            times.set(row, Timestamp::from_secs(seconds));
        }
        let all = |times: &Times| (0..8).map(|row| times.get(row)).collect::<Vec<_>>();
        let open = all(&times);
        times.shrink();
        assert!(matches!(times, Times::Packed(_)));
        assert_eq!(all(&times), open);
        times.set(7, Timestamp::from_secs(1));
        assert_eq!((all(&times)[..7] == open[..7], times.get(7).secs()), (true, 1));
    }
}
