//! Long reading of the inventory in turns, between which watches write.

use std::ops::Range;
use std::sync::PoisonError;

use super::{Inventory, SharedInventory};

/// How many rows are read in one turn: less than a millisecond.
const TURN: usize = 1_000;

/// Reads the inventory for each of `rows`. Its lock is let go after every thousand of them: a
/// watch that waits to write makes everybody wait who comes to read after it.
pub fn read_in_turns(
    inventory: &SharedInventory,
    rows: Range<usize>,
    mut read: impl FnMut(&Inventory, usize),
) {
    for begin in rows.clone().step_by(TURN) {
        let held = inventory.read().unwrap_or_else(PoisonError::into_inner);
        (begin..rows.end.min(begin + TURN)).for_each(|row| read(&held, row));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_read_once() {
        let inventory = SharedInventory::default();
        for rows in [0..0, 7..8, 0..TURN, 5..TURN + 6, 3..2 * TURN + 3] {
            let mut read = Vec::new();
            read_in_turns(&inventory, rows.clone(), |_, row| {
                assert!(inventory.try_write().is_err(), "held while it is read");
                read.push(row);
            });
            assert!(read.iter().copied().eq(rows.clone()), "{rows:?}");
        }
        assert!(inventory.try_write().is_ok());
    }
}
